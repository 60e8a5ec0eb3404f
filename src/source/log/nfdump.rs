//! What `nfdump` writes: CSV in its old and its new shape and in any the user chose, and JSON.
//!
//! Columns are found by their names alone: `-o csv` had 48 columns (`ts,te,td,sa,da,...`) up to version 1.7.1 and ten
//! (`firstSeen,duration,proto,...`) since 1.7.5, and `-o csv:%...` has any.
//!
//! **Counters** are IP octets, and nfdump has already multiplied them by the sampling rate: they are never scaled again.
//! The new default shape has no reverse counters, so that of biflows it shows the forward half.
//!
//! **Times** have no zone: they are those of the machine that ran nfdump, taken for UTC here, and the coverage says so.

use std::borrow::Cow;
use std::io::Read;

use memchr::memchr_iter;

use super::flat::{Dialect, FlatLog, Heard};
use super::row::{Draft, Field, Known, Row, tcp_flags};
use super::value::Value;
use super::{BYTE_ORDER_MARK, Book, Told, has_ended, opened};
use crate::model::{
    Batch, Caveat, Counters, FlowEndReason, FlowFlags, InputCoverage, InputId, Protocol, Provenance, Skip,
};
use crate::source::compression::Unwrapped;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::lines::{Line, Lines};
use crate::source::{Progress, Source, SourceError};

/// The name of the CSV format in reports.
pub const CSV: &str = "nfdump-csv";

/// The name of the JSON format in reports.
pub const JSON: &str = "nfdump-json";

/// The most columns that are looked at.
const MAX_COLUMNS: usize = 256;

/// How many of the first lines are looked at to tell the format.
const FIRST_LINES: usize = 8;

/// Whether an input that begins with `head` is CSV of nfdump's.
pub fn looks_like_csv(head: &[u8]) -> bool {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let lines = head.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.take(FIRST_LINES).any(|line| Header::of(line).is_some())
}

/// Whether an input that begins with `head` is JSON of nfdump's.
pub fn looks_like_json(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    let has_address = ["src4_addr", "src6_addr", "dst4_addr", "dst6_addr"].iter().any(|name| first.has(name));
    has_address && ["first", "t_first", "in_packets", "in_bytes", "export_sysid"].iter().any(|name| first.has(name))
}

/// Opens JSON.
pub fn open_json(id: InputId, name: &str, input: Unwrapped) -> impl Source + use<> {
    FlatLog::new(id, name, input, &DIALECT)
}

static DIALECT: Dialect = Dialect { kind: JSON, lacks: lacks::NFDUMP, take, keep };

fn take<'a>(row: &mut Row<'a>, path: &str, value: Value<'a>) -> Heard {
    let field = match path {
        "type" => Field::Kind,
        "sampled" => Field::Sampled,
        "first" | "t_first" => Field::Start,
        "last" | "t_last" => Field::End,
        "proto" => Field::Protocol,
        "src4_addr" | "src6_addr" => Field::Src,
        "dst4_addr" | "dst6_addr" => Field::Dst,
        "src_port" => Field::SrcPort,
        "dst_port" => Field::DstPort,
        "tcp_flags" => Field::TcpFlags,
        "fwd_status" => Field::Forwarding,
        "in_packets" => Field::Packets,
        "in_bytes" => Field::Octets,
        "out_packets" => Field::ReversePackets,
        "out_bytes" => Field::ReverseOctets,
        _ if JSON_IGNORED.contains(&path) || path.starts_with("mpls_") => return Heard::Known,
        _ => return Heard::Unknown,
    };
    row.set(field, value);
    Heard::Known
}

/// Keys that are known and not needed (nfdump's `output_json.c` and `output_ndjson.c`).
const JSON_IGNORED: &[&str] = &[
    "cnt",
    "ident",
    "export_sysid",
    "received",
    "icmp_type",
    "icmp_code",
    "src_tos",
    "dst_tos",
    "src4_geo",
    "dst4_geo",
    "src6_geo",
    "dst6_geo",
    "input_snmp",
    "output_snmp",
    "src_mask",
    "dst_mask",
    "src_net",
    "dst_net",
    "direction",
    "src_as",
    "dst_as",
    "next_as",
    "prev_as",
    "ip4_next_hop",
    "ip6_next_hop",
    "bgp4_next_hop",
    "bgp6_next_hop",
    "ip4_router",
    "ip6_router",
    "src_vlan",
    "dst_vlan",
    "vlanID",
    "post_vlanID",
    "cust_vlanID",
    "post_cust_vlanID",
    "phys_ingress",
    "phys_egress",
    "ethertype",
    "ip_version",
    "in_src_mac",
    "in_dst_mac",
    "out_src_mac",
    "out_dst_mac",
    "src4_xlt_ip",
    "dst4_xlt_ip",
    "src6_xlt_ip",
    "dst6_xlt_ip",
    "src_xlt_port",
    "dst_xlt_port",
    "aggr_flows",
    "engine_type",
    "engine_id",
    "label",
    "cli_latency",
    "srv_latency",
    "app_latency",
    "bgp_nexthop",
    "biFlow_Dir",
    "flow_end_reason",
    "min_ttl",
    "max_ttl",
    "ip_fragment",
    "connect_id",
    "event_id",
    "event",
    "event_time",
    "xevent_id",
];

/// Keeps a row of any shape.
fn keep(row: &Row<'_>, position: u64, book: &mut Book, batch: &mut Batch) -> Result<(), Skip> {
    let mut draft = row.draft(Provenance::new(book.input, position))?;
    if row.read(Field::Sampled, Value::count)?.unwrap_or(0) > 0 {
        let octets = draft.record.forward.octets.saturating_add(draft.record.reverse.octets);
        book.coverage.caveat(Caveat::ScaledAtSource, position, octets);
    }
    let flags = row.read(Field::TcpFlags, tcp_flags)?;
    finish(&mut draft, flags, row.read(Field::Forwarding, Value::count)?);
    if opened_or_guessed(&mut draft, flags) == Told::No {
        book.guessed(&draft.record);
    }
    book.keep(&draft, batch);
    Ok(())
}

fn opened_or_guessed(draft: &mut Draft, flags: Option<u8>) -> Told {
    let (direction, told) = opened(&draft.record, flags);
    draft.record.direction = direction;
    told
}

/// What records of flow exporters have in common.
pub(super) fn finish(draft: &mut Draft, flags: Option<u8>, forwarding: Option<u64>) {
    let record = &mut draft.record;
    // A flow has packets: zeros stand for what the flow exporter did not count.
    if record.forward == Counters::default() && record.reverse == Counters::default() {
        record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
    }
    // IE 89: the two high bits 10 say that packets were dropped.
    if forwarding.is_some_and(|status| status & 0xc0 == 0x80) {
        record.flags.set(FlowFlags::REJECTED);
    }
    if record.protocol == Protocol::TCP && flags.is_some_and(has_ended) {
        record.end_reason = FlowEndReason::EndOfFlow;
    }
    draft.is_one_direction();
}

/// The columns of a header line.
struct Header {
    columns: Vec<Known>,
    unknown: Vec<String>,
    has_reverse: bool,
}

impl Header {
    /// `None` where the line is no header: it names both addresses, in the words of nfdump, and not much that is unknown.
    fn of(line: &[u8]) -> Option<Self> {
        if !line.first().is_some_and(u8::is_ascii_alphabetic) {
            return None;
        }
        let line = std::str::from_utf8(line).ok()?;
        let names: Vec<&str> = line.split(',').map(str::trim).take(MAX_COLUMNS + 1).collect();
        if names.len() > MAX_COLUMNS {
            return None;
        }
        let columns: Vec<Known> = names.iter().map(|name| column(name)).collect();
        let has = |field| columns.contains(&Known::Field(field));
        if !has(Field::Src) || !has(Field::Dst) || columns.len() < 4 {
            return None;
        }
        let is_unknown = |known: &&Known| **known == Known::Unknown;
        if columns.iter().filter(is_unknown).count() * 2 > columns.len() {
            return None;
        }
        let unknown = names.iter().zip(&columns).filter(|(_, known)| is_unknown(known));
        let unknown = unknown.map(|(name, _)| (*name).to_owned()).collect();
        let has_reverse = has(Field::ReverseOctets) || has(Field::ReversePackets);
        Some(Self { columns, unknown, has_reverse })
    }
}

fn column(name: &str) -> Known {
    Known::Field(match name {
        "ts" | "firstSeen" | "first" => Field::Start,
        "te" | "lastSeen" | "last" => Field::End,
        "td" | "duration" => Field::Duration,
        "sa" | "srcAddr" => Field::Src,
        "da" | "dstAddr" => Field::Dst,
        "sp" | "srcPort" => Field::SrcPort,
        "dp" | "dstPort" => Field::DstPort,
        "pr" | "proto" => Field::Protocol,
        "flg" | "flags" | "tcpFlags" => Field::TcpFlags,
        "fwd" | "fwdStatus" => Field::Forwarding,
        "ipkt" | "packets" | "inPackets" => Field::Packets,
        "ibyt" | "bytes" | "inBytes" => Field::Octets,
        "opkt" | "outPackets" => Field::ReversePackets,
        "obyt" | "outBytes" => Field::ReverseOctets,
        _ if CSV_IGNORED.contains(&name) || name.starts_with("mpls") => return Known::Ignored,
        _ => return Known::Unknown,
    })
}

/// Columns that are known and not needed (nfdump(1), `-o fmt`, and the headers of its versions).
const CSV_IGNORED: &[&str] = &[
    "stos",
    "in",
    "out",
    "sas",
    "das",
    "smk",
    "dmk",
    "dtos",
    "dir",
    "nh",
    "nhb",
    "svln",
    "dvln",
    "ismc",
    "odmc",
    "idmc",
    "osmc",
    "cl",
    "sl",
    "al",
    "ra",
    "eng",
    "exid",
    "tr",
    "flows",
    "direction",
    "routerIP",
    "received",
    "tos",
    "srcTos",
    "dstTos",
    "srcAS",
    "dstAS",
    "prevAS",
    "nextAS",
    "input",
    "output",
    "inIf",
    "outIf",
    "srcMask",
    "dstMask",
    "srcNet",
    "dstNet",
    "nextHop",
    "bgpNextHop",
    "ipNextHop",
    "srcVlan",
    "dstVlan",
    "vlan",
    "inSrcMac",
    "outDstMac",
    "inDstMac",
    "outSrcMac",
    "pps",
    "bps",
    "bpp",
    "count",
    "cnt",
    "label",
    "ident",
    "exporterSysID",
    "engine",
    "srcGeo",
    "dstGeo",
    "icmp",
    "icmpType",
    "icmpCode",
    "minTTL",
    "maxTTL",
    "event",
    "xevent",
    "nfv",
];

/// CSV of nfdump's.
pub struct NfdumpCsv {
    lines: Lines,
    header: Option<Header>,
    /// After `Summary` nothing is a flow, until a header says so.
    in_summary: Summary,
    book: Book,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Summary {
    No,
    Yes,
}

impl NfdumpCsv {
    /// Reads text: what is compressed is to be inflated before.
    pub fn new(id: InputId, name: &str, kind: String, reader: Box<dyn Read + Send>) -> Self {
        Self {
            lines: Lines::new(reader),
            header: None,
            in_summary: Summary::No,
            book: Book::new(id, name, kind, lacks::NFDUMP),
        }
    }
}

impl Source for NfdumpCsv {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { lines, header, in_summary, book } = self;
        let result = lines.read(|position, line| {
            let line = match line {
                Line::Plain(line) => line,
                Line::Unchecked(line) => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
                Line::TooLong => return book.skip(Skip::LongLine, position),
            };
            let line = line.trim_ascii();
            if line.is_empty() {
                return;
            }
            if let Some(found) = Header::of(line) {
                *in_summary = Summary::No;
                let unknown: Vec<Cow<'_, str>> = found.unknown.iter().map(|name| name.as_str().into()).collect();
                book.unknown(position, &unknown);
                if !found.has_reverse {
                    book.coverage
                        .remark("no reverse counters in this shape of CSV: of biflows only the forward half is here");
                }
                *header = Some(found);
                return;
            }
            if line == b"Summary" {
                *in_summary = Summary::Yes;
            }
            if *in_summary == Summary::Yes || is_remark(line) {
                return;
            }
            let kept = header.as_ref().and_then(|header| row(line, header)).ok_or(Skip::MalformedLine);
            if let Err(reason) = kept.and_then(|row| keep(&row, position, book, batch)) {
                book.skip(reason, position);
            }
        });
        book.progress(result, lines.offset(), lines.pending())
    }

    fn coverage(&self) -> InputCoverage {
        self.book.coverage.clone()
    }
}

/// What nfdump says besides the flows.
fn is_remark(line: &[u8]) -> bool {
    const REMARKS: [&[u8]; 5] =
        [b"No matched flows", b"No matching flows", b"Time window:", b"Total flows processed:", b"Sys: "];
    REMARKS.iter().any(|remark| line.starts_with(remark))
}

fn row<'a>(line: &'a [u8], header: &Header) -> Option<Row<'a>> {
    let line = std::str::from_utf8(line).ok().filter(|line| !line.contains('\0'))?;
    let mut row = Row::default();
    let mut begin = 0;
    let ends = memchr_iter(b',', line.as_bytes()).chain(std::iter::once(line.len()));
    let mut columns = header.columns.iter();
    for end in ends {
        let value = line.get(begin..end)?.trim();
        begin = end + 1;
        if let Known::Field(field) = columns.next()?
            && !value.is_empty()
            // The port of ICMP is type and code, as in `8.0`; the types are not looked at.
            && !(matches!(field, Field::SrcPort | Field::DstPort) && value.contains('.'))
        {
            row.set(*field, Value::Text(Cow::Borrowed(value)));
        }
    }
    columns.next().is_none().then_some(row)
}
