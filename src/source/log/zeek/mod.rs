//! Zeek's `conn.log`, in text with header directives or in JSON, and the logs beside it that name its flows.
//!
//! A row is a connection: a biflow whose source is who opened it, as far as Zeek could tell
//! (<https://docs.zeek.org/en/master/logs/conn.html>).
//!
//! **What is counted.** `orig_ip_bytes` and `resp_ip_bytes` are IP octets. `orig_bytes` and `resp_bytes` are payload by TCP
//! sequence numbers, which can be far off; they are believed as far as the IP octets can hold them. Where a
//! log has no IP octets, payload stands in for them, and the coverage says so.
//!
//! **Who opened.** For TCP the handshake: `S` or `h` in `history`. A connection that was met in its middle is told from
//! ports; `^` says that Zeek did the same. Otherwise the sender of the first packet.
//!
//! **Tunnels.** Zeek logs the packets inside with `tunnel_parents`, and the tunnel itself where that is UDP. Octets of both
//! are in records of their own.
//!
//! **Names** come from `ssl.log`, `quic.log` and `http.log` by `uid`, else from the answers in `dns.log` that the client had
//! received before the flow began. A flow is logged when it ends and its names when they are seen, perhaps in the file of
//! another hour: so the names of a folder are read once, before its flows ([`Beside`]).

use std::io::Read;
use std::sync::Arc;

use super::names::{Names, OCTETS_MAX, Uid, give_name};
use super::row::{Believed, Draft, Field, Row, is_icmp};
use super::value::Value;
use super::{Book, Told};
use crate::diag::with_causes;
use crate::model::{
    Addr, Batch, BiflowDirection, Caveat, FlowEndReason, FlowFlags, InputCoverage, InputId, NameSource, Protocol,
    Provenance, Skip, Timestamp, Tunnel,
};
use crate::source::compression::{self, Unwrapped};
use crate::source::lacks;
use crate::source::lines::More;
use crate::source::opened::by_ports;
use crate::source::{Options, Progress, Source, SourceError};
use crate::wire::name::{DNS_PORT, of_host, of_text};

mod columns;
mod reader;
mod tsv;

pub use columns::Path;
use reader::{Rows, Said, Shape};

/// The name of the format in reports.
pub const KIND: &str = "zeek-conn";

/// Whether an input that begins with `head` is a log of Zeek's, whichever.
pub fn looks_like(head: &[u8]) -> bool {
    reader::look(head).is_some()
}

/// Which log of Zeek's an input is, by its first octets, compressed or not. `None` where it is none, or cannot be read.
pub fn path_of_input(reader: Box<dyn Read + Send>) -> Option<Path> {
    let input = compression::unwrap(reader, Options::MAX_INFLATE).ok()?;
    reader::look(&input.head).map(|(path, _)| path)
}

/// A `conn.log`.
pub struct ZeekConn {
    rows: Rows,
    book: Book,
    names: Option<Arc<Beside>>,
    others: u64,
}

impl ZeekConn {
    /// Reads a `conn.log`: what is compressed is to be inflated before. A log of Zeek's that is none is refused.
    pub fn open(id: InputId, name: &str, input: Unwrapped, names: Option<Arc<Beside>>) -> Result<Self, SourceError> {
        let (path, shape) = reader::look(&input.head).unwrap_or((Path::Conn, Shape::Tsv));
        if path != Path::Conn {
            return Err(SourceError::NotRecognised {
                looks_like: match path {
                    Path::Ssl => "`ssl.log` of Zeek, which holds names and no flows",
                    Path::Quic => "`quic.log` of Zeek, which holds names and no flows",
                    Path::Http => "`http.log` of Zeek, which holds names and no flows",
                    Path::Dns => "`dns.log` of Zeek, which holds names and no flows",
                    Path::Conn | Path::Other => "log of Zeek that holds no flows",
                },
                help: Some("give it beside its `conn.log`, in the same folder"),
            });
        }
        let kind = input.kind(KIND);
        let mut book = Book::new(id, name, kind, lacks::ZEEK);
        if let Some(beside) = &names {
            book.coverage.remark(beside.told());
            let given_up = beside.names.given_up();
            if given_up > 0 {
                book.coverage
                    .remark(format!("{given_up} names in the logs beside it were given up for want of memory"));
            }
        }
        Ok(Self { rows: Rows::new(path, shape, input.reader), book, names, others: 0 })
    }
}

impl Source for ZeekConn {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { rows, book, names, others } = self;
        let names = names.as_deref().map(|beside| &beside.names);
        let result = rows.read(&mut |position, said| match said {
            Said::Row(row) => {
                if let Err(reason) = connection(row, position, book, names, batch) {
                    book.skip(reason, position);
                }
            }
            Said::OtherPath => *others += 1,
            Said::Skip(reason) => book.skip(reason, position),
            Said::Unknown(fields) => book.unknown(position, fields),
        });
        book.progress(result, rows.offset(), rows.pending())
    }

    fn coverage(&self) -> InputCoverage {
        let mut coverage = self.book.coverage.clone();
        if self.others > 0 {
            coverage.remark(format!("{} rows of other logs of Zeek's were passed over", self.others));
        }
        coverage
    }
}

/// Keeps the record of a row.
fn connection(
    row: &Row<'_>,
    position: u64,
    book: &mut Book,
    names: Option<&Names>,
    batch: &mut Batch,
) -> Result<(), Skip> {
    let provenance = Provenance::new(book.input, position);
    let mut draft = match row.text(Field::Protocol) {
        // Zeek's word for all that it does not dissect; since version 7.1 the number stands beside it.
        Some("unknown_transport") if row.get(Field::ProtocolNumber).is_none() => {
            book.coverage.remark("`unknown_transport` without `ip_proto` is told as protocol 255 (reserved)");
            row.draft_as(UNKNOWN_TRANSPORT, provenance)?
        }
        _ => row.draft(provenance)?,
    };
    if draft.record.protocol == Protocol::ICMP && !draft.record.src.is_v4() {
        draft.record.protocol = Protocol::ICMPV6;
    }
    if is_icmp(draft.record.protocol) {
        (draft.record.sport, draft.record.dport) = (0, 0);
    }
    let payload = [row.read(Field::Payload, Value::count)?, row.read(Field::ReversePayload, Value::count)?];
    let has_ip_octets = row.get(Field::Octets).is_some() || row.get(Field::ReverseOctets).is_some();
    if has_ip_octets {
        let [forward, reverse] = payload;
        if draft.believe(forward, reverse) == Believed::InPart {
            let octets = draft.record.forward.octets.saturating_add(draft.record.reverse.octets);
            book.coverage.caveat(Caveat::PayloadEstimated, position, octets);
        }
    } else if let [Some(forward), Some(reverse)] = payload {
        let record = &mut draft.record;
        (record.forward.octets, record.forward.payload) = (forward, forward);
        (record.reverse.octets, record.reverse.payload) = (reverse, reverse);
        record.flags = FlowFlags(0);
        book.coverage.caveat(Caveat::PayloadOctets, position, forward.saturating_add(reverse));
    }
    let missed = row.read(Field::Missed, Value::count)?.unwrap_or(0);
    let is_inside = row.get(Field::Tunnel).is_some();
    draft.record.tunnel = row.text(Field::Service).map_or(Tunnel::None, tunnel);
    if draft.record.tunnel != Tunnel::None {
        draft.record.flags.set(FlowFlags::INSIDE_COUNTED);
    }

    let uid = row.text(Field::Uid).and_then(Uid::of);
    let found = names.and_then(|names| names.name(uid, &draft.record));
    let told = opened(row, &mut draft, found.is_some_and(|(_, from)| from != NameSource::Dns));
    draft.record.end_reason = end_reason(row.text(Field::State).unwrap_or_default());
    if let Some((text, from)) = found.filter(|_| draft.record.direction != BiflowDirection::ReverseInitiator) {
        give_name(&mut draft.record, text, from, batch);
    }
    let octets = draft.record.forward.octets.saturating_add(draft.record.reverse.octets);
    if told == Told::No {
        book.guessed(&draft.record);
    }
    if missed > 0 {
        book.coverage.caveat(Caveat::MissedOctets, position, missed);
    }
    if is_inside {
        book.coverage.caveat(Caveat::Tunnelled, position, octets);
    }
    book.keep(&draft, batch);
    Ok(())
}

/// Reserved by the IANA: no packet has it.
const UNKNOWN_TRANSPORT: Protocol = Protocol(255);

/// Who opened a connection. A hello in it was sent by the source: then there is no doubt.
fn opened(row: &Row<'_>, draft: &mut Draft, has_hello: bool) -> Told {
    let record = &mut draft.record;
    record.direction = BiflowDirection::Initiator;
    if record.protocol != Protocol::TCP || has_hello {
        return Told::Yes;
    }
    let history = row.text(Field::History);
    let seen = match history {
        Some(history) => history.contains(['S', 'h']),
        None => !matches!(row.text(Field::State), Some("OTH") | None),
    };
    if seen {
        return Told::Yes;
    }
    if !history.is_some_and(|history| history.starts_with('^')) {
        record.direction = by_ports(record);
    }
    Told::No
}

/// `conn_state`: which of them say that the connection was seen to end.
fn end_reason(state: &str) -> FlowEndReason {
    match state {
        "SF" | "REJ" | "RSTO" | "RSTR" | "RSTOS0" | "RSTRH" | "SH" | "SHR" => FlowEndReason::EndOfFlow,
        _ => FlowEndReason::IdleTimeout,
    }
}

/// Which of the services that Zeek found are tunnels whose inside it logs.
fn tunnel(services: &str) -> Tunnel {
    let kind = |service: &str| match service {
        "teredo" => Some(Tunnel::Teredo),
        "gtpv1" => Some(Tunnel::GtpU),
        "vxlan" => Some(Tunnel::Vxlan),
        "geneve" => Some(Tunnel::Geneve),
        "ayiya" => Some(Tunnel::Ayiya),
        _ => None,
    };
    services.split(',').find_map(kind).unwrap_or_default()
}

/// The logs of Zeek's that lie beside a `conn.log`: what they say of its flows' names.
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
        let mut coverage = InputCoverage::new(name, "zeek");
        let input = match compression::unwrap(reader, options.max_inflate) {
            Ok(input) => input,
            Err(error) => {
                coverage.error = Some(with_causes(&error));
                self.covered.push((id, coverage));
                return;
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
            self.covered.push((id, coverage));
            return;
        }
        let mut rows = Rows::new(path, shape, input.reader);
        let mut read = 0u64;
        loop {
            let names = &mut self.names;
            let result = rows.read(&mut |position, said| match said {
                Said::Row(row) => {
                    read += 1;
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
                Ok(More::No | More::Later) => break,
                Err(error) => {
                    coverage.error = Some(with_causes(&SourceError::reading(rows.offset(), error)));
                    coverage.truncated_at = rows.pending();
                    break;
                }
            }
        }
        coverage.remark(format!("read for names of flows in the `conn.log` beside it: {read} rows"));
        self.covered.push((id, coverage));
    }

    /// What a log that was read held.
    pub fn coverage(&self, id: InputId) -> Option<&InputCoverage> {
        self.covered.iter().find(|(known, _)| *known == id).map(|(_, coverage)| coverage)
    }

    fn told(&self) -> String {
        let kinds: std::collections::BTreeSet<&str> = self
            .covered
            .iter()
            .filter_map(|(_, coverage)| coverage.kind.split(' ').next()?.strip_prefix("zeek-"))
            .collect();
        let logs: Vec<String> = kinds.iter().map(|kind| format!("`{kind}.log`")).collect();
        if logs.is_empty() {
            "no names: no log beside it holds them".to_owned()
        } else {
            format!("names from {}", logs.join(", "))
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
