//! The logs of Zeek's that lie beside a `conn.log`: what they say of its flows' names.
//!
//! Of logs that are finished the names are read once, before the flows ([`Beside`]). Of logs that grow they are read as far as
//! they are there whenever flows are read ([`Growing`]): Zeek logs a flow when it ends, and its names when they are seen,
//! which is before.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use super::columns::Path;
use super::reader::{self, Rows, Said, Shape};
use crate::diag::with_causes;
use crate::model::{Addr, InputCoverage, InputId, NameSource, Timestamp};
use crate::source::compression;
use crate::source::lines::More;
use crate::source::log::names::{Names, OCTETS_MAX, Uid};
use crate::source::log::row::{Field, Row};
use crate::source::log::value::Value;
use crate::source::{Options, SourceError};
use crate::wire::name::{DNS_PORT, of_host, of_text};

/// A log that holds names, and what of it was read.
struct Log {
    rows: Rows,
    coverage: InputCoverage,
    read: u64,
}

impl Log {
    /// Opens a log. An error, and one that holds no names, is in the coverage.
    fn open(name: &str, reader: Box<dyn Read + Send>, options: &Options) -> Result<Self, Box<InputCoverage>> {
        let mut coverage = InputCoverage::new(name, "zeek");
        let input = match compression::unwrap(reader, options.max_inflate) {
            Ok(input) => input,
            Err(error) => {
                coverage.error = Some(with_causes(&error));
                return Err(Box::new(coverage));
            }
        };
        let (path, shape) = reader::look(&input.head).unwrap_or((Path::Other, Shape::Tsv));
        coverage.kind = input.kind(match path {
            Path::Ssl => "zeek-ssl",
            Path::Quic => "zeek-quic",
            Path::Http => "zeek-http",
            Path::Dns => "zeek-dns",
            Path::Conn | Path::Other => "zeek",
        });
        if matches!(path, Path::Conn | Path::Other) {
            coverage.remark("holds neither flows nor names of flows: not read");
            return Err(Box::new(coverage));
        }
        Ok(Self { rows: Rows::new(path, shape, input.reader), coverage, read: 0 })
    }

    /// Reads what is there. Whether more can come.
    fn read_on(&mut self, names: &mut Names) -> More {
        let Self { rows, coverage, read } = self;
        loop {
            let result = rows.read(&mut |position, said| match said {
                Said::Row(row) => {
                    *read += 1;
                    learn(row, names);
                }
                Said::Skip(reason) => {
                    coverage.read.add(0);
                    coverage.skip(reason, position, 0);
                }
                Said::OtherPath | Said::Unknown(_) => {}
            });
            match result {
                Ok(More::Perhaps) => {}
                Ok(more) => return more,
                Err(error) => {
                    coverage.error = Some(with_causes(&SourceError::reading(rows.offset(), error)));
                    coverage.truncated_at = rows.pending();
                    return More::No;
                }
            }
        }
    }
}

/// The logs of Zeek's that lie beside a `conn.log`, each read to its end.
pub struct Beside {
    names: Names,
    covered: Vec<(InputId, InputCoverage)>,
}

impl Beside {
    /// Knows no name yet.
    pub fn new(options: &Options) -> Self {
        Self { names: Names::new(OCTETS_MAX, options.meter.hash_seed), covered: Vec::new() }
    }

    /// Reads a log to its end. What is wrong with it is in its coverage.
    pub fn read(&mut self, id: InputId, name: &str, reader: Box<dyn Read + Send>, options: &Options) {
        let coverage = match Log::open(name, reader, options) {
            Ok(mut log) => {
                log.read_on(&mut self.names);
                let read = log.read;
                log.coverage.remark(format!("read for names of flows in the `conn.log` beside it: {read} rows"));
                log.coverage
            }
            Err(coverage) => *coverage,
        };
        self.covered.push((id, coverage));
    }

    /// What a log that was read held.
    pub fn coverage(&self, id: InputId) -> Option<&InputCoverage> {
        self.covered.iter().find(|(known, _)| *known == id).map(|(_, coverage)| coverage)
    }
}

/// Opens a log that grows, once it is there.
pub type Opens = Box<dyn FnMut() -> Option<Box<dyn Read + Send>> + Send>;

/// A log that grows beside a `conn.log` that grows.
struct Grows {
    name: String,
    opens: Opens,
    log: Option<Log>,
}

/// Logs of Zeek's that grow beside a `conn.log`. A log that is not there yet is waited for.
pub struct Growing {
    names: Names,
    logs: Vec<Grows>,
    options: Options,
}

impl Growing {
    /// Of logs by their names. What opens one gives nothing while too little of it is there to tell what it is.
    pub fn new(logs: Vec<(String, Opens)>, options: &Options) -> Self {
        let logs = logs.into_iter().map(|(name, opens)| Grows { name, opens, log: None });
        let names = Names::new(OCTETS_MAX, options.meter.hash_seed);
        Self { names, logs: logs.collect(), options: options.clone() }
    }

    fn read_on(&mut self) {
        for Grows { name, opens, log } in &mut self.logs {
            if log.is_none() {
                // What is no log of names yet is looked at again.
                *log = opens().and_then(|reader| Log::open(name, reader, &self.options).ok());
            }
            if let Some(log) = log
                && log.coverage.error.is_none()
            {
                log.read_on(&mut self.names);
            }
        }
    }
}

/// Where the names of flows come from.
pub enum Named {
    /// From logs that were read.
    Read(Arc<Beside>),
    /// From logs that grow.
    Growing(Box<Growing>),
}

impl Named {
    /// Reads what has come meanwhile.
    pub(super) fn read_on(&mut self) {
        if let Self::Growing(growing) = self {
            growing.read_on();
        }
    }

    pub(super) fn names(&self) -> &Names {
        match self {
            Self::Read(beside) => &beside.names,
            Self::Growing(growing) => &growing.names,
        }
    }

    /// A flow is logged once: its name is not needed any more where no other log of flows asks for it.
    pub(super) fn forget(&mut self, flow: Uid) {
        if let Self::Growing(growing) = self {
            growing.names.forget(flow);
        }
    }

    /// Says in the coverage of a `conn.log` where its names are from, and what was wrong there.
    pub(super) fn tell(&self, coverage: &mut InputCoverage) {
        let logs: Vec<&InputCoverage> = match self {
            // What was wrong is in the coverage of those logs.
            Self::Read(beside) => beside.covered.iter().map(|(_, coverage)| coverage).collect(),
            Self::Growing(growing) => {
                growing.logs.iter().filter_map(|grows| Some(&grows.log.as_ref()?.coverage)).collect()
            }
        };
        let kinds: BTreeSet<&str> =
            logs.iter().filter_map(|log| log.kind.split(' ').next()?.strip_prefix("zeek-")).collect();
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}.log`")).collect();
        if !kinds.is_empty() {
            coverage.remark(format!("names from {}", kinds.join(", ")));
        } else if matches!(self, Self::Read(_)) {
            coverage.remark("no names: no log beside it holds them");
        }
        let given_up = self.names().given_up();
        if given_up > 0 {
            coverage.remark(format!("{given_up} names in the logs beside it were given up for want of memory"));
        }
        if let Self::Growing(_) = self {
            for log in logs {
                for (reason, met) in &log.skipped {
                    let count = met.total.count;
                    coverage.remark(format!("of `{}` beside it skipped {count}: {}", log.name, reason.sentence()));
                }
                if let Some(error) = &log.error {
                    coverage.error.get_or_insert_with(|| format!("the names in `{}` beside it: {error}", log.name));
                }
            }
        }
    }
}

/// Takes the name of a row.
fn learn(row: &Row<'_>, names: &mut Names) {
    let uid = row.text(Field::Uid).and_then(Uid::of);
    let called = [
        (Field::ServerName, NameSource::Sni, of_text as fn(&str) -> Option<Box<str>>),
        (Field::QuicServerName, NameSource::Quic, of_text),
        (Field::Host, NameSource::Host, of_host),
    ];
    for (field, from, clean) in called {
        if let Some((uid, text)) = uid.zip(row.text(field).and_then(clean)) {
            names.call(uid, &text, from);
        }
    }
    answered(row, names);
}

/// Takes what a client was told. Neighbours' names (multicast DNS, LLMNR) are left out, as in captures.
fn answered(row: &Row<'_>, names: &mut Names) {
    let is_dns = row.get(Field::DstPort).and_then(Value::port) == Some(DNS_PORT);
    let client = row.get(Field::Src).and_then(Value::address);
    let time = row.get(Field::Start).and_then(Value::time).map(|(time, _)| time);
    let query = row.text(Field::Query).and_then(of_text);
    let (true, Some(client), Some(time), Some(query)) = (is_dns, client, time, query) else { return };
    let ttl = |place: usize| {
        let nanos = row.ttls.get(place).and_then(Value::seconds).unwrap_or(0);
        u32::try_from(nanos / Timestamp::SECOND).unwrap_or(u32::MAX)
    };
    let addresses: Vec<(Addr, u32)> =
        row.answers.iter().enumerate().filter_map(|(place, answer)| Some((answer.address()?, ttl(place)))).collect();
    names.tell(client, &query, &addresses, time);
}
