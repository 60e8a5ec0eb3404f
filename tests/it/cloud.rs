//! Cloud flow logs: what the corpus's truths say, through [`source::open`] as a run does, and what hostile ones come to.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall::model::{
    Batch, BiflowDirection, Caveat, FlowFlags, FlowRecord, InputCoverage, InputId, Mark, Skip, Timestamp,
};
use landfall::source::cloud::aws::FieldOrder;
use landfall::source::cloud::{aws, azure, cloudwatch, gcp, oci};
use landfall::source::{self, Options, Progress, SourceError};

/// Reads to the end or to an error.
fn read_with(
    reader: Box<dyn Read + Send>,
    options: &Options,
) -> Result<(Vec<FlowRecord>, InputCoverage, Option<SourceError>), SourceError> {
    let mut source = source::open(InputId(0), "log", reader, options)?;
    let mut batch = Batch::default();
    let error = loop {
        match source.read(&mut batch) {
            Ok(Progress::End) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    assert_eq!(source.read(&mut batch).ok(), Some(Progress::End), "the end stays the end");
    let coverage = source.coverage();
    let skipped: u64 = coverage.skipped.values().map(|skip| skip.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "what is read is used or skipped");
    assert_eq!(coverage.used.count, batch.records.len() as u64);
    Ok((batch.records, coverage, error))
}

fn read(text: impl AsRef<[u8]>) -> (Vec<FlowRecord>, InputCoverage) {
    let (records, coverage, error) =
        read_with(Box::new(Cursor::new(text.as_ref().to_vec())), &Options::default()).unwrap();
    assert!(error.is_none(), "{error:?}");
    (records, coverage)
}

fn skips(coverage: &InputCoverage) -> Vec<(Skip, u64, &[u64])> {
    coverage.skipped.iter().map(|(skip, met)| (*skip, met.total.count, met.positions.as_slice())).collect()
}

/// The files of a folder of the corpus that have a truth.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/cloud")).join(folder);
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no corpus in {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| truth_of(path).exists()).collect();
    files.sort();
    files
}

fn truth_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.truth.tsv", path.display()))
}

struct Truth {
    text: String,
}

impl Truth {
    fn of(path: &Path) -> Self {
        Self { text: fs::read_to_string(truth_of(path)).unwrap() }
    }

    fn meta(&self, key: &str) -> &str {
        let key = format!("meta\t{key}\t");
        self.text.lines().find_map(|line| line.strip_prefix(&key)).unwrap_or_else(|| panic!("{key}"))
    }

    fn number(&self, key: &str) -> u64 {
        self.meta(key).parse().unwrap()
    }

    fn rows(&self, kind: &str) -> Vec<Vec<&str>> {
        let rows = self.text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        rows.filter(|row| row.first() == Some(&kind)).map(|row| row[1..].to_vec()).collect()
    }
}

fn secs(time: Timestamp) -> String {
    (time.0 / Timestamp::SECOND).to_string()
}

fn as_row(record: &FlowRecord) -> [String; 7] {
    [
        record.src.to_string(),
        record.dst.to_string(),
        record.sport.to_string(),
        record.dport.to_string(),
        record.protocol.0.to_string(),
        record.forward.packets.to_string(),
        record.forward.octets.to_string(),
    ]
}

/// Rows of a truth whose first columns are those of [`as_row`]; what the log does not say is a zero.
fn check_rows(name: &str, records: &[FlowRecord], rows: &[Vec<&str>]) {
    let rows: Vec<_> = rows.iter().filter(|row| !["-", "None"].contains(&row[0])).collect();
    assert_eq!(records.len(), rows.len(), "{name}");
    for (record, row) in records.iter().zip(rows) {
        let expected: Vec<String> = row[..7]
            .iter()
            .map(|text| if ["", "-"].contains(text) { "0".into() } else { (*text).to_owned() })
            .collect();
        // Truths write addresses as the log does.
        let addresses = |row: &[String]| [0, 1].map(|place| row[place].parse::<std::net::IpAddr>().unwrap());
        assert_eq!(addresses(&as_row(record)), addresses(&expected), "{name}");
        assert_eq!(as_row(record)[2..], expected[2..], "{name}");
    }
}

#[test]
fn aws_in_every_wrapping_gives_its_truths() {
    for path in corpus("aws") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".parquet") && !cfg!(feature = "parquet") {
            continue;
        }
        let truth = Truth::of(&path);
        let mut options = Options::default();
        if name.starts_with("tgwflow_v6_no-header") {
            let refused = read_with(Box::new(fs::File::open(&path).unwrap()), &options);
            assert!(matches!(refused, Err(SourceError::NotRecognised { help: Some(_), .. })), "no order is guessed");
            options.fields = Some(FieldOrder::new(truth.meta("fields")).unwrap());
        }
        let (records, coverage, error) = read_with(Box::new(fs::File::open(&path).unwrap()), &options).unwrap();
        assert!(error.is_none(), "{name}: {error:?}");
        let rows = truth.rows("rec");
        check_rows(name, &records, &rows);
        let sum = |of: fn(&FlowRecord) -> u64| records.iter().map(of).sum::<u64>();
        assert_eq!(sum(|record| record.forward.octets), truth.number("bytes"), "{name}");
        assert_eq!(sum(|record| record.forward.packets), truth.number("packets"), "{name}");
        let said = |status: &str| rows.iter().filter(|row| row[10] == status).count() as u64;
        let skipped = |skip| coverage.skipped.get(&skip).map_or(0, |met| met.total.count);
        assert_eq!(skipped(Skip::SkipData), said("SKIPDATA"), "{name}");
        let silent = rows.iter().filter(|row| row[10] == "NODATA" && row[0] == "-").count() as u64;
        assert_eq!(skipped(Skip::NoData), silent, "{name}");
        assert!(!coverage.skipped.contains_key(&Skip::MalformedLine), "{name}");
        let rows: Vec<_> = rows.iter().filter(|row| row[0] != "-").collect();
        for (record, row) in records.iter().zip(rows) {
            assert_eq!(record.flags.has(FlowFlags::REJECTED), row[9] == "REJECT", "{name}");
            if !row[7].is_empty() {
                assert_eq!([secs(record.start), secs(record.end)], [row[7], row[8]], "{name}");
            }
        }
    }
}

#[test]
fn azure_gives_its_truths() {
    for path in corpus("azure") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let truth = Truth::of(&path);
        let (records, coverage) = read(fs::read(&path).unwrap());
        let rows = truth.rows("tuple");
        assert_eq!(records.len() as u64, truth.number("tuples"), "{name}");
        assert_eq!(rows.len(), records.len());
        assert!(coverage.is_complete() && coverage.notes.is_empty(), "{name}: {coverage:?}");
        for (record, row) in records.iter().zip(&rows) {
            let [src, dst] = [row[3], row[4]].map(|text| text.parse::<std::net::IpAddr>().unwrap());
            assert_eq!([record.src.to_ip(), record.dst.to_ip()], [src, dst], "{name}");
            assert_eq!([record.sport.to_string(), record.dport.to_string()], [row[5], row[6]], "{name}");
            let protocol = match row[7] {
                "T" => "6",
                "U" => "17",
                number => number,
            };
            assert_eq!(record.protocol.0.to_string(), protocol, "{name}");
            let (time, per_second) = (record.start, if row[2].len() > 11 { 1000 } else { 1 });
            assert_eq!((time.0 / (Timestamp::SECOND / per_second)).to_string(), row[2], "{name}");
            assert_eq!(record.direction, BiflowDirection::Initiator, "{name}");
            assert_eq!(record.flags.has(FlowFlags::REJECTED), row[9] == "D", "{name}");
            for (counters, packets, bytes) in [(record.forward, row[11], row[12]), (record.reverse, row[13], row[14])] {
                assert_eq!(counters.packets.to_string(), packets, "{name}");
                // The Ethernet header of each packet is taken off.
                let bytes: u64 = bytes.parse().unwrap();
                assert_eq!(counters.octets, bytes.saturating_sub(14 * counters.packets), "{name}");
            }
        }
        let denied = coverage.caveats.get(&Caveat::Rejected).map_or(0, |met| met.total.count);
        assert_eq!(denied, truth.number("denied"), "{name}");
        assert_eq!(coverage.caveats[&Caveat::LinkOctets].total.count, records.len() as u64, "{name}");
    }
}

#[test]
fn gcp_gives_its_truths() {
    for path in corpus("gcp") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let truth = Truth::of(&path);
        let (records, coverage) = read(fs::read(&path).unwrap());
        let rows = truth.rows("rec");
        let of_flow: Vec<_> = rows.iter().map(|row| row[1..].to_vec()).collect();
        check_rows(name, &records, &of_flow);
        assert_eq!(records.len() as u64, truth.number("records"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.octets).sum::<u64>(), truth.number("bytes"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.packets).sum::<u64>(), truth.number("packets"), "{name}");
        assert!(records.iter().all(|record| record.forward.octets == record.forward.payload), "payload alone");
        assert!(coverage.is_complete(), "{name}: {coverage:?}");
        for (record, row) in records.iter().zip(&rows) {
            let [start, end] = [row[8], row[9]].map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!((record.start, record.end), (start, end), "{name}");
        }
        assert!(coverage.notes.is_empty(), "{name}: {:?}", coverage.notes);
        let notes = coverage.remarks.iter().cloned().collect::<Vec<_>>().join("\n");
        for country in rows.iter().map(|row| row[10]).filter(|country| !country.is_empty()) {
            assert!(notes.contains(&format!("`{country}`")), "{name}: {notes}");
        }
        let reporters: BTreeSet<_> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(notes.contains("reporter"), reporters.len() > 1, "{name}: {notes}");
        for caveat in [Caveat::PayloadOctets, Caveat::ScaledAtSource] {
            assert_eq!(coverage.caveats[&caveat].total.count, records.len() as u64, "{name}");
        }
    }
}

#[test]
fn oci_gives_its_truths() {
    for path in corpus("oci") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let truth = Truth::of(&path);
        let (records, coverage) = read(fs::read(&path).unwrap());
        let rows = truth.rows("rec");
        check_rows(name, &records, &rows);
        assert_eq!(coverage.read.count, truth.number("records"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.octets).sum::<u64>(), truth.number("bytes"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.packets).sum::<u64>(), truth.number("packets"), "{name}");
        let silent = rows.iter().filter(|row| row[10] == "NODATA").count() as u64;
        assert_eq!(coverage.skipped.get(&Skip::NoData).map_or(0, |met| met.total.count), silent, "{name}");
        for (record, row) in records.iter().zip(rows.iter().filter(|row| row[0] != "None")) {
            assert_eq!([secs(record.start), secs(record.end)], [row[7], row[8]], "{name}");
            assert_eq!(record.flags.has(FlowFlags::REJECTED), row[9] == "REJECT", "{name}");
        }
        assert_eq!(coverage.notes.contains("field `data.targetSystem`"), name.starts_with("vcn_logcontent"), "{name}");
    }
}

type LooksLike = fn(&[u8]) -> bool;
const FORMATS: [(&str, LooksLike); 5] = [
    ("aws", aws::looks_like),
    ("aws/cloudwatch", cloudwatch::looks_like),
    ("azure", azure::looks_like),
    ("gcp", gcp::looks_like),
    ("oci", oci::looks_like),
];

fn looks_like(octets: &[u8]) -> Vec<&'static str> {
    let head = &octets[..octets.len().min(8192)];
    FORMATS.iter().filter(|(_, looks_like)| looks_like(head)).map(|(name, _)| *name).collect()
}

#[test]
fn formats_are_not_taken_for_one_another() {
    for folder in ["aws", "azure", "gcp", "oci"] {
        for path in corpus(folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let expected: &[&str] = match name {
                _ if name.starts_with("cloudwatch") => &["aws/cloudwatch"],
                _ if name.starts_with("tgwflow") || name.ends_with("parquet") || name.ends_with("gz") => &[],
                _ => &[folder],
            };
            assert_eq!(looks_like(&fs::read(&path).unwrap()), expected, "{name}");
        }
    }
    for folder in ["zeek", "suricata", "netflow"] {
        let mut left = vec![Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(folder)];
        while let Some(path) = left.pop() {
            if let Ok(entries) = fs::read_dir(&path) {
                left.extend(entries.map(|entry| entry.unwrap().path()));
            } else if let Ok(octets) = fs::read(&path) {
                assert!(looks_like(&octets).is_empty(), "{}", path.display());
            }
        }
    }
}

const FLOW: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";

#[test]
fn subscriptions_of_cloudwatch() {
    let test = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
    let data = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{{"id":"1","timestamp":1,"message":"{FLOW}"}},{{"id":"2","timestamp":1,"message":"{FLOW} more"}},{{"id":"3","timestamp":1,"message":"{FLOW}","extractedFields":{{"bytes":"1"}},"novel":1}}]}}"#
    );
    // Firehose puts one after another, without a line end.
    let (records, coverage) = read(format!("{test}{data}{data}"));
    let positions: Vec<_> = records.iter().map(|record| record.provenance.position()).collect();
    assert_eq!(positions, [2, 4, 5, 7]);
    assert_eq!(skips(&coverage), [(Skip::MalformedLine, 2, &[3, 6][..])]);
    assert_eq!(coverage.notes.iter().map(String::as_str).collect::<Vec<_>>(), ["field `novel`"]);
    assert_eq!(coverage.caveats[&Caveat::UnknownField].total.count, 1);
    assert_eq!(coverage.kind, cloudwatch::KIND);
}

#[test]
fn an_order_that_the_user_tells() {
    let order = FieldOrder::new("${dstaddr}, ${srcaddr} protocol bytes").unwrap();
    let options = Options { fields: Some(order), ..Options::default() };
    let line = "198.51.100.7 10.0.0.1 6 1500";
    for text in [
        format!("{line}\nnonsense\n"),
        format!("{{\"id\":1,\"message\":\"{line}\"}}\n{{\"id\":1,\"message\":\"nonsense\"}}"),
    ] {
        let (records, coverage, error) = read_with(Box::new(Cursor::new(text.into_bytes())), &options).unwrap();
        assert!(error.is_none());
        assert_eq!(as_row(&records[0]), ["10.0.0.1", "198.51.100.7", "0", "0", "6", "0", "1500"]);
        assert_eq!(skips(&coverage), [(Skip::MalformedLine, 1, &[2][..])]);
    }
    assert_eq!(FieldOrder::new("srcaddr dstadr protocol").unwrap_err(), "`dstadr` is no field of AWS flow logs");
    assert!(FieldOrder::new("srcaddr protocol").unwrap_err().contains("`dstaddr`"));
}

/// As a user types it: an order that no header tells, a field that is none, and folders as S3 holds them.
#[test]
fn the_command_line_takes_orders_and_folders() {
    let landfall = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_landfall")).args(arguments).output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let folder = tempfile::tempdir().unwrap();
    let hour = folder.path().join("aws-account-id=1/aws-region=eu-central-1/year=2026/month=11/day=22/hour=00");
    fs::create_dir_all(&hour).unwrap();
    let log = hour.join("a.log");
    fs::write(&log, "198.51.100.7 10.0.0.1 6 1500\n").unwrap();
    let log = log.to_str().unwrap();
    let (code, _, said) = landfall(&["flows", log]);
    assert_eq!(code, Some(2));
    assert!(said.contains("text of an unknown shape") && said.contains("`--fields`"), "{said}");
    let fields = "dstaddr srcaddr protocol bytes";
    let (_, out, said) = landfall(&["flows", folder.path().to_str().unwrap(), "--fields", fields]);
    assert!(out.contains("\"src\":\"10.0.0.1\"") && out.contains("\"octets\":1500"), "{out}{said}");
    let (code, _, said) = landfall(&["flows", log, "--fields", "dstaddr srcaddr proto"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("`proto` is no field of AWS flow logs"), "{said}");
    let (code, _, said) = landfall(&["flows", log, "--format-in", "azure"]);
    assert_eq!(code, Some(2));
    assert!(said.contains(azure::KIND) && said.contains(oci::KIND), "{said}");
}

#[test]
fn transit_gateways_are_read_by_their_header() {
    let text = "version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status packets-lost-no-route\n\
                6 TransitGateway 123456789012 tgw-1 tgw-attach-1 10.0.0.1 198.51.100.7 40000 443 6 10 5000 1700000000 1700000060 OK 0\n";
    let (records, coverage) = read(text);
    assert_eq!(as_row(&records[0]), ["10.0.0.1", "198.51.100.7", "40000", "443", "6", "10", "5000"]);
    assert!(coverage.is_complete());
    assert!(coverage.remarks.iter().any(|remark| remark.contains("at each of its attachments")), "{coverage:?}");
}

#[test]
fn states_of_azure() {
    let record = |tuples: &str| {
        format!(
            r#"{{"category":"FlowLogFlowEvent","flowRecords":{{"flows":[{{"aclID":"a","flowGroups":[{{"rule":"r","flowTuples":[{tuples}]}}]}}]}}}}"#
        )
    };
    let text = record(
        r#""1663146003599,10.0.0.1,198.51.100.7,1,443,6,O,B,NX,0,0,0,0","1663146003599,10.0.0.1,198.51.100.7,1,443,6,O,C,NX,2,148,1,66","1663146003599,10.0.0.1,198.51.100.7,1,443,6,I,E,X,2,200,33,0","1663146003599,198.51.100.7,10.0.0.1,1,443,17,I,D,NX,,,,","x","1663146003599,10.0.0.1,198.51.100.7,1,443,6,O,Z,NX,0,0,0,0","1663146003599,10.0.0.1,198.51.100.7,70000,443,6,O,C,NX,1,66,0,0""#,
    );
    let (records, coverage) = read(&text);
    let said = |record: &FlowRecord| {
        record.uniflows().map(|uniflow| (uniflow.sent.octets, uniflow.is_empty(), uniflow.moved()))
    };
    let said: Vec<_> = records.iter().map(said).collect();
    assert_eq!(
        said,
        [
            // It began: contact. Handshakes of 60 octets of IP: 74 of Ethernet. Then 172 of IP in two packets is payload, and
            // 33 packets of no octets cannot be. What is denied is an attempt.
            [(0, false, false), (0, true, false)],
            [(120, false, false), (52, false, false)],
            [(172, false, true), (0, false, true)],
            [(0, false, false), (0, true, false)],
        ]
    );
    assert_eq!(skips(&coverage), [(Skip::MalformedLine, 3, &[1, 1, 1][..])]);
    // A line each, and one that is another category's.
    let (records, coverage) = read(format!("{text}\n{{\"category\":\"NetworkSecurityGroupEvent\"}}\n{text}"));
    assert_eq!(records.len(), 8);
    assert_eq!(coverage.skipped[&Skip::MalformedLine].positions, [1, 1, 1]);
    assert_eq!(coverage.skipped[&Skip::MalformedLine].total.count, 7);
}

/// A minute of a busy interface is several mebibytes of one object on one line.
#[test]
fn minutes_of_busy_interfaces_are_read() {
    let tuple = r#""1663146003599,10.0.0.1,198.51.100.7,40000,443,6,O,E,NX,2,148,1,66""#;
    let tuples = vec![tuple; 40_000].join(",");
    let text =
        format!(r#"{{"records":[{{"flowRecords":{{"flows":[{{"flowGroups":[{{"flowTuples":[{tuples}]}}]}}]}}}}]}}"#);
    assert!(text.len() > 2 << 20);
    let (records, coverage) = read(text);
    assert_eq!(records.len(), 40_000);
    assert!(coverage.is_complete());
}

fn gcp_entry(reporter: &str, more: &str) -> String {
    format!(
        r#"{{"insertId":"a","jsonPayload":{{"bytes_sent":"10","connection":{{"dest_ip":"198.51.100.7","dest_port":443,"protocol":6,"src_ip":"10.0.0.1","src_port":40000}},"packets_sent":"8","reporter":"{reporter}","start_time":"2025-11-07T21:18:58.5Z","end_time":"2025-11-07T21:18:59Z"{more}}},"logName":"projects/x/logs/networkmanagement.googleapis.com%2Fvpc_flows"}}"#
    )
}

#[test]
fn google_clouds_wrappings_and_round_trips() {
    let entry = gcp_entry("SRC", r#","rtt_msec":"12""#);
    let data = STANDARD.encode(&entry);
    let wrapped = [
        format!("{entry}\n"),
        format!("[{entry}]"),
        format!(r#"{{"entries":[{entry}],"nextPageToken":"x"}}"#),
        format!(r#"{{"events":[{{"json":{entry}}}]}}"#),
        format!(r#"{{"message":{{"data":"{data}","messageId":"1"}},"subscription":"s"}}"#),
        format!(r#"{{"receivedMessages":[{{"ackId":"1","message":{{"data":"{data}"}}}}]}}"#),
        format!(r#"{{"data":"{data}","attributes":{{}}}}"#),
    ];
    for text in wrapped {
        assert_eq!(looks_like(text.as_bytes()), ["gcp"], "{text}");
        let (records, coverage) = read(&text);
        assert_eq!(records.len(), 1, "{text}");
        assert_eq!(as_row(&records[0]), ["10.0.0.1", "198.51.100.7", "40000", "443", "6", "8", "10"]);
        // Cut to milliseconds: 12 can be almost 13.
        assert_eq!((records[0].dst_rtt.least_us(), records[0].src_rtt.least_us()), (Some(13_000), None));
        assert!(coverage.is_complete() && coverage.notes.is_empty(), "{text}: {coverage:?}");
    }
    let times = |reporter, more| {
        let (records, _) = read(gcp_entry(reporter, more));
        (records[0].src_rtt.least_us(), records[0].dst_rtt.least_us())
    };
    assert_eq!(times("DEST", r#","round_trip_time":{"median_msec":3}"#), (Some(4_000), None));
    assert_eq!(times("SRC", r#","rtt_msec":"0""#), (None, None));
    assert_eq!(times("SRC_GATEWAY", r#","rtt_msec":"3""#), (None, None));
}

#[test]
fn oracles_wrappings_and_repetitions() {
    let event = |id: &str, octets: u64, status: &str, kind: &str| {
        format!(
            r#"{{"data":{{"action":"ACCEPT","bytesOut":{octets},"destinationAddress":"198.51.100.7","destinationPort":443,"endTime":1598917970,"flowid":"f","packets":2,"protocol":6,"sourceAddress":"10.0.0.1","sourcePort":40000,"startTime":1598917969,"status":"{status}","version":"2"}},"id":"{id}","type":"com.oraclecloud.vcn.flowlogs.{kind}"}}"#
        )
    };
    let flow = event("a", 1000, "OK", "DataEvent");
    for text in [
        format!(r#"{{"datetime":1,"logContent":{flow}}}"#),
        format!(r#"{{"results":[{{"data":{{"datetime":1,"logContent":{flow}}}}}],"summary":{{}}}}"#),
        format!(r#"{{"data":{{"results":[{{"data":{{"datetime":1,"logContent":{flow}}}}}]}}}}"#),
        format!("[{flow}]"),
    ] {
        assert_eq!(looks_like(text.as_bytes()), ["oci"], "{text}");
        let (records, coverage) = read(&text);
        assert_eq!(as_row(&records[0]), ["10.0.0.1", "198.51.100.7", "40000", "443", "6", "2", "1000"]);
        assert!(coverage.is_complete(), "{text}: {coverage:?}");
    }
    // The same event twice; the same short identifier of another event; an event that says that others were lost.
    let text = [&flow, &event("a", 1001, "OK", "DataEvent"), &flow, &event("b", 1000, "SKIPDATA", "DataEvent")]
        .map(String::as_str)
        .join("\n");
    let (records, coverage) = read(text);
    assert_eq!(records.iter().map(|record| record.forward.octets).collect::<Vec<_>>(), [1000, 1001, 1000]);
    assert_eq!(skips(&coverage), [(Skip::SkipData, 1, &[4][..]), (Skip::Repeated, 1, &[3][..])]);
    assert!(!coverage.is_complete());
    let lost = r#"{"data":{"startTime":1,"endTime":2,"status":"SKIPDATA","version":"2","flowid":null},"id":"c","type":"com.oraclecloud.vcn.flowlogs.QualityEvent.SkipData"}"#;
    assert_eq!(skips(&read(lost).1), [(Skip::SkipData, 1, &[1][..])]);
}

/// Every file, cut off at every octet: no panic, no record that was not there, and the loss is said.
#[test]
fn what_is_cut_off_says_so() {
    for path in ["aws", "azure", "gcp", "oci"].into_iter().flat_map(corpus) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with("json") || name.starts_with("extended") {
            continue;
        }
        let whole = fs::read(&path).unwrap();
        let (all, _) = read(&whole);
        // Every octet of the small ones.
        let step = if whole.len() < 1000 { 1 } else { 7 };
        for length in (1..whole.trim_ascii_end().len()).step_by(step) {
            let cut = Box::new(Cursor::new(whole[..length].to_vec()));
            let Ok((records, coverage, error)) = read_with(cut, &Options::default()) else { continue };
            assert!(error.is_none());
            assert!(all.starts_with(&records), "{name} cut at {length}");
            let ends_between_lines = name.ends_with("ndjson") && whole[..length].trim_ascii_end().ends_with(b"}");
            assert!(coverage.truncated_at.is_some() || ends_between_lines, "{name} cut at {length}: {coverage:?}");
        }
    }
}

/// Gives octets without end, as a file that claims 4 GiB would.
struct Endless(Vec<u8>, Vec<u8>, u64);

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.2).unwrap().min(into.len());
        for octet in &mut into[..count] {
            *octet = if self.0.is_empty() {
                self.1.rotate_left(1);
                self.1[0]
            } else {
                self.0.remove(0)
            };
        }
        self.2 -= count as u64;
        Ok(count)
    }
}

#[test]
fn hostile_lines_are_counted() {
    let entry = gcp_entry("SRC", "");
    let long = gcp_entry("SRC", &format!(r#","x":"{}""#, "y".repeat(1 << 20)));
    let deep = format!("{{\"jsonPayload\":{}", "{\"a\":".repeat(100_000));
    let mut text = entry.clone().into_bytes();
    for line in
        [long.as_bytes(), b"\0\0\0", b"{\"jsonPayload\":\"\xff\"}", deep.as_bytes(), b"{}", b"]]", entry.as_bytes()]
    {
        text.push(b'\n');
        text.extend(line);
    }
    let (records, coverage) = read(&text);
    assert_eq!(records.iter().map(|record| record.provenance.position()).collect::<Vec<_>>(), [1, 8]);
    assert_eq!(skips(&coverage), [(Skip::MalformedLine, 5, &[3, 4, 5][..]), (Skip::LongLine, 1, &[2][..])]);

    // One object, and one array of numbers, that do not end.
    for (begin, then) in
        [(r#"{"jsonPayload":{"connection":{"x":""#, "y"), (r#"[{"jsonPayload":{"connection":{}}},"#, "1,")]
    {
        let endless = Endless(begin.as_bytes().to_vec(), then.as_bytes().to_vec(), 8 << 20);
        let (records, coverage, _) = read_with(Box::new(endless), &Options::default()).unwrap();
        assert!(records.is_empty() && coverage.truncated_at.is_some() && !coverage.is_complete(), "{coverage:?}");
    }
}

/// A flow between two machines of one estate, as both of their interfaces tell it: counted at each, and said so. The other
/// direction is another flow, and so is one with a public end.
#[test]
fn flows_that_two_interfaces_report_are_counted_at_each_and_told() {
    let aws = "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
        2 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 1000 1700000000 1700000060 ACCEPT OK\n\
        2 eni-1 10.0.0.2 10.0.0.1 443 40000 6 10 1000 1700000000 1700000060 ACCEPT OK\n\
        2 eni-1 10.0.0.1 203.0.113.2 40000 443 6 10 1000 1700000000 1700000060 ACCEPT OK\n\
        2 eni-2 10.0.0.1 10.0.0.2 40000 443 6 10 1000 1700000010 1700000070 ACCEPT OK\n\
        2 eni-2 10.0.0.2 10.0.0.1 443 40000 6 10 1000 1700000010 1700000070 ACCEPT OK\n";
    let tuple = "1700000000000,10.0.0.1,10.0.0.2,40000,443,6,O,E,NX,10,1140,10,1140";
    let vnet = |mac: &str, way: &str| {
        let tuple = tuple.replace(",O,", way);
        format!(
            r#"{{"macAddress":"{mac}","category":"FlowLogFlowEvent","flowRecords":{{"flows":[{{"aclID":"a","flowGroups":[{{"rule":"r","flowTuples":["{tuple}"]}}]}}]}}}}"#
        )
    };
    let azure = format!(r#"{{"records":[{},{}]}}"#, vnet("000000000001", ",O,"), vnet("000000000002", ",I,"));
    let groups = ["000000000001", "000000000002"].map(|mac| {
        format!(
            r#"{{"category":"NetworkSecurityGroupFlowEvent","properties":{{"Version":2,"flows":[{{"rule":"r","flows":[{{"mac":"{mac}","flowTuples":["1700000000,10.0.0.1,10.0.0.2,40000,443,T,O,A,E,10,1140,10,1140"]}}]}}]}}}}"#
        )
    });
    let groups = format!(r#"{{"records":[{}]}}"#, groups.join(","));
    let gcp = ["SRC", "DEST"].map(|reporter| {
        format!(r#"{{"logName":"projects/p/logs/compute.googleapis.com%2Fvpc_flows","jsonPayload":{{"connection":{{"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","src_port":40000,"dest_port":443,"protocol":6}},"reporter":"{reporter}","bytes_sent":"1000","packets_sent":"10","start_time":"2023-11-14T22:13:20Z","end_time":"2023-11-14T22:13:25Z"}}}}"#)
    });
    let oci = ["a", "b"].map(|interface| {
        format!(r#"{{"id":"{interface}","type":"com.oraclecloud.vcn.flowlogs.DataEvent","oracle":{{"vnicocid":"{interface}"}},"data":{{"flowid":"f","status":"OK","action":"ACCEPT","sourceAddress":"10.0.0.1","destinationAddress":"10.0.0.2","sourcePort":40000,"destinationPort":443,"protocol":6,"packets":10,"bytesOut":1000,"startTime":1700000000,"endTime":1700000060}}}}"#)
    });
    // Octets as each format has them: AWS twice a thousand, Azure both directions in one tuple.
    for (text, records, told, octets) in [
        (aws.to_owned(), 5, 2, 2000),
        (azure, 2, 1, 2000),
        (groups, 2, 1, 2000),
        (gcp.join("\n"), 2, 1, 1000),
        (oci.join("\n"), 2, 1, 1000),
    ] {
        let (found, coverage) = read(&text);
        let elsewhere = coverage.caveats.get(&Caveat::SeenElsewhere).map(|met| (met.total.count, met.total.octets));
        assert_eq!((found.len(), elsewhere), (records, Some((told, octets))), "{text}");
        assert!(coverage.is_complete(), "nothing is dropped: {coverage:?}");
        // What another input would tell of too: the flows that were told of once here.
        let private = coverage.marks[&Mark::BetweenPrivate].count;
        assert_eq!(private, told, "{text}");
    }
}

/// What a log says of a record besides is counted: which way it went, and whether it was encrypted.
#[test]
fn directions_ways_and_encryption_are_counted() {
    let aws = "version srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction traffic-path encryption-status\n\
        10 10.0.0.1 203.0.113.2 40000 443 6 10 1000 1700000000 1700000060 ACCEPT OK egress 8 0\n\
        10 203.0.113.2 10.0.0.1 443 40000 6 10 2000 1700000000 1700000059 ACCEPT OK ingress - -\n\
        10 10.0.0.1 10.9.0.2 40000 443 6 10 4000 1700000000 1700000600 ACCEPT OK egress 5 3\n\
        10 10.0.0.1 10.9.0.2 40000 443 6 10 8000 1700000000 1700000600 ACCEPT OK sideways 99 7\n";
    let (_, coverage) = read(aws);
    let said: Vec<_> = coverage.marks.iter().map(|(mark, count)| (mark.code(), count.count, count.octets)).collect();
    let expected = [
        ("ingress", 1, 2000),
        ("egress", 2, 5000),
        ("encrypted", 1, 4000),
        ("unencrypted", 1, 1000),
        ("internet-gateway", 1, 1000),
        ("peering-across-regions", 1, 4000),
        ("between-private", 2, 12_000),
    ];
    assert_eq!((said, coverage.longest_window), (expected.to_vec(), 600));

    let tuple = |encryption: &str| {
        format!("\"1700000000000,10.0.0.1,203.0.113.2,40000,443,6,O,E,{encryption},10,1140,10,1140\"")
    };
    let tuples = ["X", "NX", "NX_HW_NOT_SUPPORTED", "?"].map(tuple).join(",");
    let (records, coverage) = read(format!(
        r#"{{"records":[{{"macAddress":"1","category":"FlowLogFlowEvent","flowRecords":{{"flows":[{{"aclID":"a","flowGroups":[{{"rule":"r","flowTuples":[{tuples}]}}]}}]}}}}]}}"#
    ));
    let marks = [Mark::Encrypted, Mark::Unencrypted].map(|mark| coverage.marks[&mark]);
    // 1140 octets of frames each way are 1000 of IP, of ten packets.
    assert_eq!((records.len(), marks.map(|count| (count.count, count.octets))), (4, [(1, 2000), (2, 4000)]));
}
