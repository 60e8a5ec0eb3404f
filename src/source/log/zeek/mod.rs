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
//! another hour: so the names of a folder are read once, before its flows ([`Beside`]), and of logs that grow with them
//! ([`Growing`]).

use std::io::Read;

use super::names::{Names, Uid, give_name};
use super::row::{Believed, Draft, Field, Row, is_icmp};
use super::value::Value;
use super::{Book, Told};
use crate::model::{
    Batch, BiflowDirection, Caveat, FlowEndReason, FlowFlags, InputCoverage, InputId, NameSource, Protocol, Provenance,
    Skip, Tunnel,
};
use crate::source::compression::{self, Unwrapped};
use crate::source::lacks;
use crate::source::opened::by_ports;
use crate::source::{Options, Progress, Source, SourceError};

mod beside;
mod columns;
mod reader;
mod tsv;

pub use beside::{Beside, Growing, Named, Opens};
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
    names: Option<Named>,
    others: u64,
}

impl ZeekConn {
    /// Reads a `conn.log`: what is compressed is to be inflated before. A log of Zeek's that is none is refused.
    pub fn open(id: InputId, name: &str, input: Unwrapped, names: Option<Named>) -> Result<Self, SourceError> {
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
        let book = Book::new(id, name, kind, lacks::ZEEK);
        Ok(Self { rows: Rows::new(path, shape, input.reader), book, names, others: 0 })
    }
}

impl Source for ZeekConn {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { rows, book, names, others } = self;
        if let Some(names) = names {
            names.read_on();
        }
        let result = rows.read(&mut |position, said| match said {
            Said::Row(row) => {
                if let Err(reason) = connection(row, position, book, names.as_ref().map(Named::names), batch) {
                    book.skip(reason, position);
                }
                if let (Some(names), Some(uid)) = (names.as_mut(), row.text(Field::Uid).and_then(Uid::of)) {
                    names.forget(uid);
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
        if let Some(names) = &self.names {
            names.tell(&mut coverage);
        }
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
