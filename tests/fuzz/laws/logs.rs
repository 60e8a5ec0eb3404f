//! Laws of flow logs: of clouds, sensors and collectors, in text and in JSON.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::IpAddr;

use landfall::model::{Addr, FlowRecord, InputId};
use landfall::source::{InputFormat, open};
use serde_json::Value;

use super::input::Input;
use super::sources::{LONGEST_SEED, Outcome, in_pieces, options};

/// The formats that are octets and no text.
const OCTETS: [&str; 4] = ["capture", "aws-vpc-flow-logs-parquet", "telemetry", "telemetry-capture"];

/// Every other format.
fn formats() -> Vec<&'static str> {
    InputFormat::names().filter(|name| !OCTETS.iter().any(|octets| name.starts_with(octets))).collect()
}

/// Flow logs in text, in every format in turn, told and by content: the same in one piece and in any others; every record is
/// used or skipped, and what is used is a record; and a record says what is written on the line that it names.
pub fn log(octets: &[u8]) {
    let mut input = Input(octets);
    let formats = formats();
    // Zero is by content.
    let choice = usize::from(input.octet()) % (formats.len() + 1);
    let lengths = input.take(3);
    let told = choice.checked_sub(1).and_then(|choice| formats.get(choice)).copied();
    let Some(outcome) = in_pieces(input.0, lengths, &options(told)) else { return };
    assert_eq!(outcome.records.len() as u64, outcome.coverage.used.count, "what is used is a record");
    if let Ok(text) = std::str::from_utf8(input.0) {
        as_written(text, &outcome);
    }
}

/// Names of fields, any of which says a thing.
type Names = &'static [&'static str];

/// Where a log says what a record holds: in the order of [`says`].
type Columns = [Names; 8];

/// What a record holds, as numbers of text.
fn says(record: &FlowRecord) -> [String; 6] {
    let numbers = [
        u64::from(record.sport),
        u64::from(record.dport),
        record.forward.packets,
        record.forward.octets,
        record.reverse.packets,
        record.reverse.octets,
    ];
    numbers.map(|number| number.to_string())
}

const AWS: Columns = [
    &["srcaddr", "pkt-srcaddr"],
    &["dstaddr", "pkt-dstaddr"],
    &["srcport"],
    &["dstport"],
    &["packets"],
    &["bytes"],
    &[],
    &[],
];
const AWS_DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
const NFDUMP_CSV: Columns = [
    &["sa", "srcAddr"],
    &["da", "dstAddr"],
    &["sp", "srcPort"],
    &["dp", "dstPort"],
    &["ipkt", "packets", "inPackets"],
    &["ibyt", "bytes", "inBytes"],
    &["opkt", "outPackets"],
    &["obyt", "outBytes"],
];
const NFDUMP_JSON: Columns = [
    &["src4_addr", "src6_addr"],
    &["dst4_addr", "dst6_addr"],
    &["src_port"],
    &["dst_port"],
    &["in_packets"],
    &["in_bytes"],
    &["out_packets"],
    &["out_bytes"],
];
const NPROBE: Columns = [
    &["IPV4_SRC_ADDR", "IPV6_SRC_ADDR", "8", "27", "cli.ip"],
    &["IPV4_DST_ADDR", "IPV6_DST_ADDR", "12", "28", "srv.ip"],
    &["L4_SRC_PORT", "7", "cli.port"],
    &["L4_DST_PORT", "11", "srv.port"],
    &["IN_PKTS", "2", "cli2srv.packets"],
    &["IN_BYTES", "1", "cli2srv.bytes"],
    &["OUT_PKTS", "24", "srv2cli.packets"],
    &["OUT_BYTES", "23", "srv2cli.bytes"],
];
const HUBBLE: Columns = [
    &["flow.IP.source"],
    &["flow.IP.destination"],
    &["flow.l4.TCP.source_port", "flow.l4.UDP.source_port", "flow.l4.SCTP.source_port"],
    &["flow.l4.TCP.destination_port", "flow.l4.UDP.destination_port", "flow.l4.SCTP.destination_port"],
    &[],
    &[],
    &[],
    &[],
];
const ZEEK: Columns = [
    &["id.orig_h"],
    &["id.resp_h"],
    &["id.orig_p"],
    &["id.resp_p"],
    &["orig_pkts"],
    &["orig_ip_bytes", "orig_bytes"],
    &["resp_pkts"],
    &["resp_ip_bytes", "resp_bytes"],
];

/// What a line says: its fields by their names; all that are of one name.
type Fields = BTreeMap<String, Vec<String>>;

/// Holds records against the lines that they name, where every line stands for itself.
fn as_written(text: &str, outcome: &Outcome) {
    let lines: Vec<&str> = text.split('\n').collect();
    let kind = outcome.coverage.kind.as_str();
    let (columns, is_json) = match kind {
        "aws-vpc-flow-logs" => (&AWS, false),
        "nfdump-csv" => (&NFDUMP_CSV, false),
        "nfdump-json" => (&NFDUMP_JSON, true),
        "nprobe-json" => (&NPROBE, true),
        "hubble-json" => (&HUBBLE, true),
        kind if kind.starts_with("zeek") => (&ZEEK, !text.trim_start_matches('\u{feff}').starts_with('#')),
        _ => return,
    };
    let mut objects = Vec::new();
    if is_json {
        let Some(found) = objects_by_line(&lines) else { return };
        objects = found;
        if kind != "zeek-conn" && columns != &ZEEK {
            // What was lost before, and what nodes do, is no flow.
            let is_flow = |fields: &&Fields| {
                let aside = ["lost_events.num_events_lost", "node_status.state_change"];
                kind != "hubble-json" || !aside.iter().any(|name| fields.contains_key(*name))
            };
            let flows = objects.iter().flatten().filter(is_flow).count();
            let skipped: u64 = outcome.coverage.skipped.values().map(|found| found.total.count).sum();
            assert!(outcome.coverage.used.count + skipped >= flows as u64, "every object is used or skipped");
            assert!(outcome.coverage.read.count <= objects.iter().flatten().count() as u64);
        }
    } else if text.matches("#separator").count() != text.matches("#separator \\x09\n").count() {
        return;
    }
    for record in &outcome.records {
        let at = record.provenance.position() as usize;
        assert!((1..=lines.len()).contains(&at), "line {at} of {}", lines.len());
        let line = lines[at - 1];
        let fits = if is_json {
            objects[at - 1].as_ref().is_some_and(|fields| is_said(columns, fields, record))
        } else {
            let headers = std::iter::once(AWS_DEFAULT).chain(lines[..at - 1].iter().copied());
            headers.map(|header| by_header(kind, header, line)).any(|fields| is_said(columns, &fields, record))
        };
        assert!(fits, "{record:?} is not what line {at} says: {line}");
    }
}

/// Cells of a line under a header line, right or wrong.
fn by_header(kind: &str, header: &str, line: &str) -> Fields {
    let split = |text: &str| -> Vec<String> {
        let text = text.trim_start_matches('\u{feff}').trim_end();
        let cells: Vec<&str> = match kind {
            "nfdump-csv" => text.trim_start().split(',').collect(),
            "aws-vpc-flow-logs" => text.split(' ').collect(),
            _ => text.strip_prefix("#fields\t").unwrap_or(text).split('\t').collect(),
        };
        cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
    };
    let mut fields = Fields::new();
    for (name, cell) in split(header).into_iter().zip(split(line)) {
        fields.entry(name).or_default().push(cell);
    }
    fields
}

/// Whether fields say what a record says: each thing in one of the fields that can say it, or nothing where none is there.
fn is_said(columns: &Columns, fields: &Fields, record: &FlowRecord) -> bool {
    let of = |names: Names| names.iter().filter_map(|name| fields.get(*name)).flatten();
    let ends = [record.src, record.dst].into_iter().zip(columns).all(|(end, names)| {
        of(names).any(|text| text.parse::<IpAddr>().is_ok_and(|written| Addr::from(written) == end))
    });
    ends && says(record).iter().zip(&columns[2..]).all(|(number, names)| {
        // What is not there, not known, or of a protocol without ports, is zero.
        number == "0" || of(names).any(|text| text.trim_start_matches('0') == number)
    })
}

/// The objects of a log that has one a line and nothing else, with their leaves; `None` of another.
fn objects_by_line(lines: &[&str]) -> Option<Vec<Option<Fields>>> {
    const WRAPPERS: [&str; 7] = ["records", "events", "results", "logEvents", "entries", "receivedMessages", "data"];
    let object = |line: &&str| {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Some(None);
        }
        let value = serde_json::from_str::<Value>(line).ok().filter(|_| !line.contains('\\'))?;
        let members = value.as_object()?;
        if members.is_empty() || WRAPPERS.iter().any(|name| line.contains(&format!("\"{name}\""))) {
            return None;
        }
        let (mut fields, mut names) = (Fields::new(), BTreeMap::new());
        leaves(&value, "", &mut fields, &mut names);
        // Of what is there twice one is lost.
        let is_once = names.iter().all(|(name, count)| line.matches(&format!("\"{name}\"")).count() == *count);
        is_once.then_some(Some(fields))
    };
    lines.iter().map(object).collect()
}

/// Takes the leaves below a path, and counts the names of members.
fn leaves(value: &Value, path: &str, fields: &mut Fields, names: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                *names.entry(name.clone()).or_default() += 1;
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, fields, names);
            }
        }
        Value::String(text) => fields.entry(path.to_owned()).or_default().push(text.clone()),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..9.0e15).contains(number));
            let text =
                number.as_u64().or(whole.map(|number| number as u64)).map_or_else(String::new, |n| n.to_string());
            fields.entry(path.to_owned()).or_default().push(text);
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => {}
    }
}

pub(crate) fn seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let Ok(source) = open(InputId(0), "seed", Box::new(Cursor::new(file.to_vec())), &options(None)) else {
        return Vec::new();
    };
    let kind = source.coverage().kind;
    let Some(told) = formats().iter().position(|name| kind.starts_with(name)) else { return Vec::new() };
    // By content, and told.
    let head = &file[..file.len().min(LONGEST_SEED)];
    let told = u8::try_from(told + 1).unwrap_or_default();
    vec![[&[0, 30, 0, 200][..], head].concat(), [&[told, 30, 0, 200][..], head].concat()]
}
