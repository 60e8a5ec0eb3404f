//! Laws of flow logs: of clouds, sensors and collectors, in text and in JSON.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::IpAddr;

use landfall::model::{Addr, FlowRecord, InputId};
use landfall::source::{InputFormat, open};
use serde_json::Value;

use super::input::Input;
use super::sources::{LONGEST_SEED, Outcome, in_pieces, options};

/// A flow or two of each format that folders seldom hold, in the words of its documentation.
pub(crate) const MADE: &[&str] = &[
    concat!(
        r#"{"IPV4_SRC_ADDR":"10.0.0.7","IPV4_DST_ADDR":"198.51.100.9","L4_SRC_PORT":40000,"L4_DST_PORT":443,"PROTOCOL":6,"#,
        r#""IN_PKTS":12,"IN_BYTES":1800,"OUT_PKTS":15,"OUT_BYTES":21000,"FIRST_SWITCHED":1600000000,"#,
        r#""LAST_SWITCHED":1600000004,"TCP_FLAGS":27,"SSL_SERVER_NAME":"www.example.com"}"#,
        "\n",
        r#"{"8":"10.0.0.7","12":"198.51.100.9","7":53124,"11":53,"4":17,"2":1,"1":70,"24":1,"23":210}"#,
        "\n",
        r#"{"cli.ip":"10.0.0.7","srv.ip":"198.51.100.9","cli.port":40001,"srv.port":80,"proto.l4":"TCP","cli2srv.packets":3,"#,
        r#""cli2srv.bytes":400,"srv2cli.packets":2,"srv2cli.bytes":900}"#,
        "\n"
    ),
    concat!(
        r#"{"type":"FLOW","sampled":0,"first":"2020-09-13T12:26:40.000","last":"2020-09-13T12:26:41.500","proto":6,"#,
        r#""src4_addr":"10.0.0.7","dst4_addr":"198.51.100.9","src_port":40000,"dst_port":443,"tcp_flags":"...AP.SF","#,
        r#""in_packets":12,"in_bytes":1800,"out_packets":15,"out_bytes":21000}"#,
        "\n",
        r#"{"type":"FLOW","t_first":"2020-09-13T12:26:40.000","proto":17,"src6_addr":"2001:db8::7","dst6_addr":"2001:db8::9","#,
        r#""src_port":5000,"dst_port":443,"in_packets":1,"in_bytes":90}"#,
        "\n"
    ),
    concat!(
        "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n",
        "2020-09-13 12:26:40,2020-09-13 12:26:41,1.0,10.0.0.7,198.51.100.9,40000,443,TCP,...AP.SF,0,0,12,1800,15,21000\n",
        "2020-09-13 12:26:40,2020-09-13 12:26:40,0.0,10.0.0.7,198.51.100.9,,8.0,ICMP,........,0,0,1,84,,\n",
        "Summary\nflows,bytes,packets\n2,1884,13\n"
    ),
    concat!(
        r#"{"flow":{"time":"2020-09-13T12:26:40Z","verdict":"FORWARDED","IP":{"source":"10.0.0.7","destination":"198.51.100.9","#,
        r#""ipVersion":"IPv4"},"l4":{"TCP":{"source_port":40000,"destination_port":443,"flags":{"SYN":true}}},"is_reply":false,"#,
        r#""destination_names":["www.example.com"]},"node_name":"one","time":"2020-09-13T12:26:40Z"}"#,
        "\n",
        r#"{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"3"},"time":"2020-09-13T12:26:41Z"}"#,
        "\n",
        r#"{"flow":{"time":"2020-09-13T12:26:42Z","verdict":"DROPPED","IP":{"source":"198.51.100.9","destination":"10.0.0.7"},"#,
        r#""l4":{"ICMPv4":{"type":8}},"is_reply":true}}"#,
        "\n"
    ),
    concat!(
        r#"{"timestamp":"2020-09-13T12:26:40.000000+0000","flow_id":7,"event_type":"tls","src_ip":"10.0.0.7","src_port":40000,"#,
        r#""dest_ip":"198.51.100.9","dest_port":443,"proto":"TCP","tls":{"sni":"www.example.com"}}"#,
        "\n",
        r#"{"timestamp":"2020-09-13T12:26:44.000000+0000","flow_id":7,"event_type":"flow","src_ip":"10.0.0.7","src_port":40000,"#,
        r#""dest_ip":"198.51.100.9","dest_port":443,"proto":"TCP","flow":{"pkts_toserver":12,"pkts_toclient":15,"#,
        r#""bytes_toserver":1968,"bytes_toclient":21210,"start":"2020-09-13T12:26:40.000000+0000","state":"closed"}}"#,
        "\n"
    ),
    concat!(
        r#"{"ts":1600000000.5,"uid":"CAbc1","id.orig_h":"10.0.0.7","id.orig_p":40000,"id.resp_h":"198.51.100.9","#,
        r#""id.resp_p":443,"proto":"tcp","duration":1.5,"orig_bytes":1200,"resp_bytes":20000,"conn_state":"SF","#,
        r#""history":"ShADadFf","orig_pkts":12,"orig_ip_bytes":1800,"resp_pkts":15,"resp_ip_bytes":20800}"#,
        "\n"
    ),
    concat!(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
        "2 1 eni-1 10.0.0.7 198.51.100.9 40000 443 6 12 1800 1600000000 1600000009 ACCEPT OK\n"
    ),
];

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
    ends && says(record).iter().zip(&columns[2..]).enumerate().all(|(place, (number, names))| {
        if number != "0" {
            return of(names).any(|text| text.trim_start_matches('0') == number);
        }
        // Nothing is what is not there, not known, or of a protocol without ports. Zeek's octets of payload stand in for those
        // of IP where there are none at all.
        let names = if columns == &ZEEK { &names[..1] } else { names };
        let numbers: Vec<u64> = of(names).filter_map(|text| text.parse().ok()).collect();
        place < 2 || numbers.is_empty() || numbers.contains(&0)
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
