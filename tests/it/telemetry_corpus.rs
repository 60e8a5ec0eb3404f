//! Flow telemetry of real exporters: every record, its octets and packets as tshark and nfdump read them, and its times as
//! nfdump reads them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use landfall::model::{Batch, FlowRecord, InputCoverage, InputId, Skip, Timestamp};
use landfall::source::{self, InputFormat, Options, Progress};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if path.join("netflow").is_dir() {
        return Some(path.to_path_buf());
    }
    println!("skipped: no corpus at {}", path.display());
    None
}

/// Reads octets to their end, as the content says or in a format.
pub(crate) fn read(octets: Vec<u8>, format: Option<&str>) -> (Vec<FlowRecord>, InputCoverage) {
    let format = format.map(|name| InputFormat::from_name(name).expect("a format"));
    let options = Options { format, ..Options::default() };
    let mut source = source::open(InputId(0), "input", Box::new(Cursor::new(octets)), &options).expect("it opens");
    let mut batch = Batch::default();
    while matches!(source.read(&mut batch), Ok(Progress::More | Progress::Idle)) {}
    let coverage = source.coverage();
    let skipped: u64 = coverage.skipped.values().map(|skip| skip.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "what is read is used or skipped");
    (batch.records, coverage)
}

/// The rows of the manifest for formats that begin so: path, and what was measured.
fn manifest(corpus: &Path, folder: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let text = fs::read_to_string(corpus.join("MANIFEST.tsv")).expect("the manifest");
    let mut rows = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let is_telemetry =
            |format: &str| ["netflow-v", "ipfix", "sflow"].iter().any(|prefix| format.starts_with(prefix));
        if cells.len() > 10 && cells[0].starts_with(folder) && is_telemetry(cells[8]) {
            let facts = cells[10].split(';').filter_map(|pair| pair.split_once('='));
            rows.push((cells[0].to_owned(), facts.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()));
        }
    }
    rows
}

/// A record as tools list it.
type Row = (String, String, u16, u16, Option<u8>, u64, u64);

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// What tshark read: a row a record, scaled by `rate` or by the sampling of each sFlow sample.
fn by_tshark(path: &Path, rate: u64) -> Vec<Row> {
    let text = fs::read_to_string(path.with_extension("flows.tsv")).expect("the truth");
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (src, dst) = (cells[5], cells[6]);
        if src.is_empty() {
            continue;
        }
        // Without a protocol tshark lists the ports of the packet that an ICMP error quotes too.
        let proto = cells[9].parse().ok();
        let (sport, dport) = match proto {
            Some(6 | 17 | 132) => (number(cells[7]) as u16, number(cells[8]) as u16),
            _ => (0, 0),
        };
        let (octets, packets) = if cells[2] == "sflow5" {
            let length = cells[14].split(';').find_map(|pair| pair.strip_prefix("iplen=")).expect("an IP length");
            let sampling = number(cells[12]);
            (number(length) * sampling, sampling)
        } else {
            (number(cells[10]) * rate, number(cells[11]) * rate)
        };
        rows.push((src.to_owned(), dst.to_owned(), sport, dport, proto, octets, packets));
    }
    rows.sort();
    rows
}

/// Our records in the same form, of those with a protocol only where the truth has it.
fn as_listed(records: &[FlowRecord], truth: &[Row]) -> Vec<Row> {
    let without_protocol: Vec<_> = truth.iter().filter(|row| row.4.is_none()).map(|row| (&row.0, &row.1)).collect();
    let mut rows: Vec<Row> = records
        .iter()
        .map(|record| {
            let (src, dst) = (record.src.to_string(), record.dst.to_string());
            let proto = (!without_protocol.contains(&(&src, &dst))).then_some(record.protocol.0);
            let sent = record.forward;
            let (sport, dport) = proto.map_or((0, 0), |_| (record.sport, record.dport));
            (src, dst, sport, dport, proto, sent.octets, sent.packets)
        })
        .collect();
    rows.sort();
    rows
}

/// The first and the last packet of records, as nfdump lists them, where it lists times.
fn by_nfdump(path: &Path) -> Vec<(u64, u64, String)> {
    let Ok(text) = fs::read_to_string(path.with_extension("nfdump.csv")) else { return Vec::new() };
    let iso = |text: &str| {
        format!("{}Z", text.replacen(' ', "T", 1)).parse::<Timestamp>().map(|time| time.0 / 1_000_000 % TURN)
    };
    let mut rows: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|cells| cells.len() > 4 && !cells[0].starts_with("0000") && cells[2] != "0.0.0.0")
        .filter_map(|cells| {
            Some((iso(cells[0]).ok()?, iso(cells[1]).ok()?, cells[2].parse::<std::net::IpAddr>().ok()?.to_string()))
        })
        .collect();
    rows.sort();
    rows
}

/// Where the two tools and we do not agree: what we read instead (records with and without addresses, octets, packets), and why.
const DEVIATIONS: &[(&str, u64, u64, u64, &str)] = &[
    (
        "akv_data_templates.pcap",
        21,
        5_832_900,
        6600,
        "11 records (3737 octets, 18 packets, by hand) come before their template in the datagram and wait for it; 1 in 100",
    ),
    (
        "akv_ipfix_eompls_cw.pcap",
        10,
        14_337,
        10,
        "sampled frames without counters: IP lengths by hand 11,345, and 1500 and 1492 behind two labels, control word and Ethernet",
    ),
    (
        "akv_ipfix_juniper_cpid.pcap",
        2,
        168,
        2,
        "a sampled packet without counters: IPv6 of 104 octets around IPv4 of 64, each told of",
    ),
    (
        "ipfix_basic.pcap",
        12,
        13_279,
        54,
        "three messages in the datagram: both tools stop after the first (10,563 octets)",
    ),
    (
        "nf9_cisco_wlc.pcap",
        19,
        142_991_108,
        0,
        "records of applications without addresses are counted, and are no flows",
    ),
];

/// Where the totals agree and tshark's rows do not, and why.
const OTHER_ROWS: &[(&str, &str)] = &[
    ("ipfix_procera.pcap", "of the two families of a template tshark lists the one of zeros"),
    ("nf9_cisco_asa_1.pcap", "tshark lists no octets of IE 85; nfdump does"),
    ("nf9_h3c.pcap", "tshark decodes one record of 16"),
    ("options-map-reassignm_traffic-00.pcap", "tshark decodes no record"),
    (
        "SRv6-lcomms_traffic-00.pcap",
        "of the packet and the packet in it tshark lists the inner one's ports and addresses",
    ),
];

/// Where nfdump's times are not ours, and why.
const OTHER_TIMES: &[(&str, &str)] = &[
    ("nf9_cisco_asa_1.pcap", "nfdump lists the time of the event as the start; the record has its own"),
    ("SRv6-lcomms_traffic-00.pcap", "nfdump lists the address of the packet in the packet"),
    (
        "ndpi1kxun.softflowd-v5-sampled10.pcap",
        "a flow at uptime zero: zeros alone stand for no time, as other exporters send them",
    ),
];

/// What the 32 bits of an uptime in milliseconds come to: captures of 2016 were replayed in 2022, and nfdump takes the first
/// turn since the exporter began, we take the last before the export (IE 22, IE 21).
const TURN: u64 = 1 << 32;

#[test]
fn every_record_of_every_exporter_is_read_as_other_tools_read_it() {
    let Some(corpus) = corpus() else { return };
    let mut problems = Vec::new();
    let rows = manifest(&corpus, "netflow/");
    assert!(rows.len() > 50, "{} sets", rows.len());
    for (name, facts) in rows {
        let path = corpus.join(&name);
        let (records, coverage) = read(fs::read(&path).expect("a capture"), Some("telemetry-capture"));
        let fact = |key: &str| facts.get(key).map_or(0, |text| number(text));
        let skipped = |reason| coverage.skipped.get(&reason).map(|found| found.total).unwrap_or_default();
        let own = records;
        let unused = [Skip::NoAddress, Skip::Duplicate, Skip::NotIp].map(skipped);
        let read = own.len() as u64 + unused.iter().map(|count| count.count).sum::<u64>();
        let octets: u64 = own.iter().map(|record| record.forward.octets).sum::<u64>()
            + unused.iter().map(|count| count.octets).sum::<u64>();
        let packets: u64 = own.iter().map(|record| record.forward.packets).sum();
        let reverse: u64 = own.iter().map(|record| record.reverse.octets).sum();
        let is_sflow = !facts.contains_key("nfdump_records");
        let rate = fact("sampling_rate").max(1);
        let truth = by_tshark(&path, rate);
        let expected = if let Some((_, read, octets, packets, _)) = DEVIATIONS.iter().find(|row| name.ends_with(row.0))
        {
            (*read, *octets, *packets)
        } else if is_sflow {
            (truth.len() as u64, truth.iter().map(|row| row.5).sum(), truth.iter().map(|row| row.6).sum())
        } else {
            (fact("nfdump_records"), fact("nfdump_in_bytes_scaled"), fact("nfdump_in_packets_scaled"))
        };
        let what = format!("{:?} {:?} {:?} {:?}", coverage.skipped, coverage.notes, coverage.lost, coverage.sampling);
        if (read, octets, packets) != expected {
            problems.push(format!("{name}: {:?} but {expected:?}: {what}", (read, octets, packets)));
        }
        if reverse != fact("nfdump_out_bytes") {
            problems.push(format!("{name}: reverse {reverse} but {}: {what}", fact("nfdump_out_bytes")));
        }
        let listed = as_listed(&own, &truth);
        let is_other =
            DEVIATIONS.iter().any(|row| name.ends_with(row.0)) || OTHER_ROWS.iter().any(|row| name.ends_with(row.0));
        if !is_other && listed != truth {
            let ours: Vec<_> = listed.iter().filter(|row| !truth.contains(row)).take(3).collect();
            let theirs: Vec<_> = truth.iter().filter(|row| !listed.contains(row)).take(3).collect();
            problems.push(format!("{name}: records differ: ours {ours:?}, theirs {theirs:?}: {what}"));
        }
        let times = by_nfdump(&path);
        let in_millis = |time: Timestamp| time.0 / 1_000_000 % TURN;
        let mut ours: Vec<_> =
            own.iter().map(|record| (in_millis(record.start), in_millis(record.end), record.src.to_string())).collect();
        ours.sort();
        let strange: Vec<_> = times.iter().filter(|row| !ours.contains(row)).collect();
        if !strange.is_empty() && OTHER_TIMES.iter().all(|row| !name.ends_with(row.0)) {
            let near: Vec<_> = ours.iter().filter(|row| !times.contains(row)).take(2).collect();
            problems.push(format!(
                "{name}: {} times differ: theirs {:?}, ours {near:?}",
                strange.len(),
                &strange[..strange.len().min(2)]
            ));
        }
    }
    assert!(problems.is_empty(), "{}\n{} problems", problems.join("\n"), problems.len());
}

/// The totals that softflowd -b reports for a capture are those that it reports without (FORMATS.md section 4).
#[test]
fn biflows_and_uniflows_of_a_capture_have_the_same_octets() {
    let Some(corpus) = corpus() else { return };
    let total = |name: &str| {
        let (records, _) =
            read(fs::read(corpus.join("netflow/exported").join(name)).expect("a capture"), Some("telemetry-capture"));
        let sum = |of: fn(&FlowRecord) -> u64| records.iter().map(of).sum::<u64>();
        (records.len(), sum(|record| record.forward.octets), sum(|record| record.reverse.octets))
    };
    assert_eq!(total("ndpi1kxun.softflowd-v10-biflow.pcap"), (197, 2_367_889, 135_763));
    assert_eq!(total("ndpi1kxun.softflowd-v10.pcap"), (297, 2_503_652, 0));
}

/// What is wrong with each damaged input, and that what is whole is read: records, and octets as tshark reads them.
#[test]
fn damaged_telemetry_is_read_as_far_as_it_is_whole_and_told() {
    let Some(corpus) = corpus() else { return };
    // Two records and 28 more that the head does not count; heads that count more than there are; a length beyond the
    // datagram. What upstream calls invalid in version 9 is whole for nfdump: 2 records, 194 octets at 1 in 100.
    let expected = [
        ("bad/logstash/nf5_basic.pcap", 2, 534, true),
        ("bad/logstash/nf5_invalid02.pcap", 30, 7_452_936_707, true),
        ("bad/logstash/nf9_invalid01.pcap", 2, 19_400, false),
        ("bad/netflow/ipfix_mikrotik_length-lie.pcap", 28, 95_010, true),
        ("bad/netflow/nf5_mikrotik_count-65535.pcap", 30, 40_812, true),
        ("bad/tcpdump/tcpdump_sflow_print-segv.pcap", 0, 0, true),
    ];
    let mut problems = Vec::new();
    for (name, count, octets, is_damaged) in expected {
        let (records, coverage) = read(fs::read(corpus.join(name)).expect("a capture"), Some("telemetry-capture"));
        let sum: u64 = records.iter().map(|record| record.forward.octets).sum();
        let told = coverage.skipped.contains_key(&Skip::BadMessage);
        if (records.len(), sum, told) != (count, octets, is_damaged) {
            problems.push(format!("{name}: {} records, {sum} octets, {coverage:?}", records.len()));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Files of the same datagrams, one after the other, tell the same flows, and are known by their content.
#[test]
fn files_of_datagrams_are_known_and_hold_what_their_captures_hold() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("netflow/logstash");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    let mut compared = 0;
    for stem in names.iter().filter_map(|name| name.strip_suffix(".pcap")) {
        let parts = names
            .iter()
            .filter(|name| name.strip_suffix(".dat").is_some_and(|name| name.starts_with(&format!("{stem}."))));
        let whole: Vec<u8> = parts.flat_map(|name| fs::read(folder.join(name)).expect("a datagram")).collect();
        let (file, told) = read(whole, None);
        let (packets, _) =
            read(fs::read(folder.join(format!("{stem}.pcap"))).expect("a capture"), Some("telemetry-capture"));
        assert_eq!(told.error, None, "{stem}");
        let listed = |records: &[FlowRecord]| as_listed(records, &[]);
        assert_eq!(listed(&file), listed(&packets), "{stem}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}
