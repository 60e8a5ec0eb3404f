//! AWS VPC Flow Logs: what the corpus's truths say, and what lines that are wrong come to.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use landfall::model::{
    Batch, BiflowDirection, Caveat, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId, Skip, Timestamp,
};
use landfall::source::cloud::aws::{AwsFlowLog, looks_like};
use landfall::source::{self, Options, Progress, Source, SourceError};
use proptest::prelude::*;

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                      action log-status";
const LINE: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";

/// A reader that gives as many octets at a time as it is told to, and then an error or the end.
struct Chunked {
    octets: Vec<u8>,
    at: usize,
    chunk: usize,
    then: Option<io::ErrorKind>,
}

impl Read for Chunked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.chunk.min(into.len()).min(self.octets.len() - self.at);
        into[..count].copy_from_slice(&self.octets[self.at..self.at + count]);
        self.at += count;
        match self.then {
            Some(kind) if count == 0 => Err(kind.into()),
            _ => Ok(count),
        }
    }
}

/// Reads to the end; whether that ended well, the records, and the coverage.
fn read_all(reader: Box<dyn Read + Send>) -> (bool, Vec<FlowRecord>, InputCoverage) {
    let mut log = AwsFlowLog::new(InputId(3), "log", reader, &Options::default());
    let mut batch = Batch::default();
    let ended_well = loop {
        match log.read(&mut batch) {
            Ok(Progress::End) => break true,
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    assert_eq!(log.read(&mut batch).ok(), Some(Progress::End), "the end stays the end");
    let coverage = log.coverage();
    let skipped: u64 = coverage.skipped.values().map(|skip| skip.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "what is read is used or skipped");
    assert_eq!(coverage.used.count, batch.records.len() as u64);
    (ended_well, batch.records, coverage)
}

fn read(text: impl AsRef<[u8]>) -> (Vec<FlowRecord>, InputCoverage) {
    let (ended_well, records, coverage) = read_all(Box::new(io::Cursor::new(text.as_ref().to_vec())));
    assert!(ended_well);
    (records, coverage)
}

fn skips(coverage: &InputCoverage) -> Vec<(Skip, u64, &[u64])> {
    coverage.skipped.iter().map(|(skip, met)| (*skip, met.total.count, met.positions.as_slice())).collect()
}

fn corpus() -> Option<Vec<PathBuf>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/cloud/aws"));
    let Ok(entries) = fs::read_dir(folder) else {
        println!("skipped: no corpus in {}", folder.display());
        return None;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}

fn contents(path: &Path) -> Vec<u8> {
    let octets = fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&octets[..]).read_to_end(&mut text).unwrap();
        return text;
    }
    octets
}

/// A row of a truth, or a record in the same form. What the log does not say is a zero.
fn row(record: &FlowRecord) -> [String; 10] {
    [
        record.src.to_string(),
        record.dst.to_string(),
        record.sport.to_string(),
        record.dport.to_string(),
        record.protocol.0.to_string(),
        record.forward.packets.to_string(),
        record.forward.octets.to_string(),
        (record.start.0 / Timestamp::SECOND).to_string(),
        (record.end.0 / Timestamp::SECOND).to_string(),
        if record.flags.has(FlowFlags::REJECTED) { "REJECT" } else { "ACCEPT" }.to_owned(),
    ]
}

#[test]
fn the_corpus_gives_its_truths() {
    let Some(files) = corpus() else { return };
    let mut checked = 0;
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let parts: Vec<_> = name.split('.').collect();
        if !name.starts_with("vpcflow_") || !matches!(parts[1..], ["log"] | ["log", "gz"]) {
            continue;
        }
        let text = contents(&path);
        assert!(looks_like(&text), "{name}");
        let (records, coverage) = read(&text);
        let truth = fs::read_to_string(path.with_file_name(format!("{name}.truth.tsv"))).unwrap();
        let meta = |key: &str| -> u64 {
            let row = truth.lines().find_map(|line| line.strip_prefix(&format!("meta\t{key}\t")));
            row.unwrap().parse().unwrap()
        };
        let expected: Vec<[String; 10]> = truth
            .lines()
            .filter_map(|line| line.strip_prefix("rec\t"))
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .filter(|cells| cells[0] != "-")
            .map(|cells| std::array::from_fn(|n| if cells[n].is_empty() { "0" } else { cells[n] }.to_owned()))
            .collect();
        assert_eq!(records.iter().map(row).collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(records.len() as u64, meta("records_with_addresses"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.octets).sum::<u64>(), meta("bytes"), "{name}");
        assert_eq!(records.iter().map(|record| record.forward.packets).sum::<u64>(), meta("packets"), "{name}");
        let skipped = |skip| coverage.skipped.get(&skip).map_or(0, |met| met.total.count);
        assert_eq!(skipped(Skip::NoData), meta("nodata"), "{name}");
        assert_eq!(skipped(Skip::SkipData), meta("skipdata"), "{name}");
        assert_eq!(coverage.read.count, meta("records"), "{name}");
        assert_eq!(coverage.used.octets, meta("bytes"), "{name}");
        assert!(coverage.notes.is_empty(), "{name}: {:?}", coverage.notes);
        checked += 1;
    }
    assert!(checked >= 10, "only {checked} files");
}

#[test]
fn other_logs_are_refused() {
    let Some(files) = corpus() else { return };
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("tgwflow") || name.ends_with(".parquet") || name.ends_with("json") || name.ends_with("tsv")
        {
            assert!(!looks_like(&fs::read(&path).unwrap()), "{name}");
        }
        if name.starts_with("tgwflow") && name.split_once('.').is_some_and(|(_, ending)| ending == "log") {
            let (records, coverage) = read(fs::read(&path).unwrap());
            assert!(records.is_empty() && !coverage.is_complete());
            assert_eq!(skips(&coverage), [(Skip::MalformedLine, 10, &[1, 2, 3][..])]);
        }
    }
}

#[test]
fn the_format_is_told_by_content() {
    let yes = [
        LINE.to_owned(),
        format!("{HEADER}\n"),
        format!("\u{feff}{HEADER}\r\n{LINE}\r\n"),
        format!("\n\nwhat is this\n{LINE}\n"),
        "dstaddr protocol srcaddr".to_owned(),
        "2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA".to_owned(),
        "2 123456789012 - 10.0.0.1 2001:db8::1 0 0 58 4 416 1 2 REJECT OK".to_owned(),
    ];
    for text in yes {
        assert!(looks_like(text.as_bytes()), "{text}");
    }
    let no = [
        String::new(),
        "\n \n".to_owned(),
        "srcaddr dstaddr what is this and that".to_owned(),
        "version account-id action log-status".to_owned(),
        format!("{LINE} more"),
        LINE.replace("2 123", "3 123"),
        LINE.replace("20 4249", "4249 20"),
        LINE.replace("eni-", "vpc-"),
        LINE.replace("ACCEPT OK", "OK ACCEPT"),
        LINE.replace(".139", ".339"),
        LINE.replace(' ', "\t"),
    ];
    for text in no {
        assert!(!looks_like(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_line_is_a_record_of_one_direction() {
    let (records, coverage) = read(format!("{HEADER}\n{LINE}\n"));
    let [record] = records[..] else { panic!("{records:?}") };
    assert_eq!(record.start.to_string(), "2014-12-14T04:06:50Z");
    assert_eq!(record.end.to_string(), "2014-12-14T04:07:50Z");
    assert_eq!((record.forward.octets, record.forward.packets, record.forward.payload), (4249, 20, 0));
    assert_eq!(record.reverse, landfall::model::Counters::default());
    assert!(record.flags.has(FlowFlags::PAYLOAD_UNKNOWN) && record.flags.has(FlowFlags::ONE_DIRECTION));
    assert_eq!((record.provenance.input(), record.provenance.position()), (InputId(3), 2));
    assert_eq!(coverage.kind, "aws-vpc-flow-logs");
    assert_eq!((coverage.first, coverage.last), (Some(record.start), Some(record.end)));
    assert_eq!(coverage.caveats[&Caveat::PayloadEstimated].total.count, 1);
    assert_eq!(coverage.caveats[&Caveat::PayloadEstimated].positions, [2]);
    assert!(coverage.is_complete());
}

/// The lines are those of the examples for a NAT gateway in the user guide
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html>): the instance 10.0.1.5 speaks to
/// 203.0.113.5 through the gateway 10.0.0.220.
#[test]
fn the_addresses_of_the_packet_are_the_addresses_of_the_flow() {
    let text = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr protocol bytes packets\n\
                - eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 6 100 1\n\
                - eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 6 100 1\n\
                - eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 6 100 1\n\
                - eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 6 100 1\n\
                - eni-1235b8ca123456789 10.0.0.220 10.0.1.5 - - 6 100 1\n";
    let (records, coverage) = read(text);
    let pairs: Vec<_> = records.iter().map(|record| format!("{} {}", record.src, record.dst)).collect();
    let expected = [
        "10.0.1.5 203.0.113.5",
        "10.0.0.220 203.0.113.5",
        "203.0.113.5 10.0.0.220",
        "203.0.113.5 10.0.1.5",
        "10.0.0.220 10.0.1.5",
    ];
    assert_eq!(pairs, expected);
    assert_eq!(coverage.remarks.len(), 1, "{:?}", coverage.remarks);
}

#[test]
fn the_initiator_is_told_by_flags_then_by_ports() {
    use BiflowDirection::{Arbitrary, Initiator, ReverseInitiator};
    let header = "srcaddr dstaddr srcport dstport protocol tcp-flags packets bytes";
    let cases = [
        ("40000 8443 6 2", Initiator, true),
        ("40000 8443 6 3", Initiator, true),
        ("8443 40000 6 18", ReverseInitiator, true),
        ("8443 40000 6 19", ReverseInitiator, true),
        ("22 22 6 2", Initiator, true),
        ("443 40000 6 2", Initiator, true),
        ("40000 443 6 0", Initiator, false),
        ("443 40000 6 1", ReverseInitiator, false),
        ("443 40000 6 -", ReverseInitiator, false),
        ("123 123 17 0", Arbitrary, false),
        ("5000 5001 17 -", Arbitrary, false),
        ("0 40000 17 -", Arbitrary, false),
        ("40000 53 17 2", Initiator, false),
        ("0 0 1 0", Arbitrary, false),
        ("0 22 47 -", Arbitrary, false),
    ];
    for (fields, direction, told) in cases {
        let (records, coverage) = read(format!("{header}\n192.0.2.1 198.51.100.1 {fields} 1 40"));
        assert_eq!(records[0].direction, direction, "{fields}");
        assert_eq!(!coverage.caveats.contains_key(&Caveat::InitiatorGuessed), told, "{fields}");
    }
    let ended = |flags| read(format!("{header}\n192.0.2.1 198.51.100.1 1 2 6 {flags} 1 40")).0[0].end_reason;
    assert_eq!([ended(19), ended(4), ended(2)].map(|reason| reason == FlowEndReason::EndOfFlow), [true, true, false]);
}

#[test]
fn a_status_alone_says_nothing() {
    let flow = "2 1 eni-1 203.0.113.9 10.0.0.1 40000 22 6 1 40 10 20";
    let nothing = "2 1 eni-1 - - - - - - - 10 20";
    let text = format!(
        "{HEADER}\n{flow} REJECT NODATA\n{flow} ACCEPT SKIPDATA\n{nothing} - NODATA\n{nothing} - SKIPDATA\n{nothing} - OK\n\
         2 1 eni-1 - - - - - 3 120 10 20 - NODATA\n2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 - - 10 20 - NODATA\n"
    );
    let (records, coverage) = read(text);
    assert_eq!(records.len(), 2);
    assert!(records[0].flags.has(FlowFlags::REJECTED) && !records[1].flags.has(FlowFlags::REJECTED));
    assert!(!records[0].moved(records[0].forward));
    assert_eq!(
        skips(&coverage),
        [(Skip::NoData, 2, &[4, 8][..]), (Skip::SkipData, 2, &[3, 5][..]), (Skip::NoAddress, 2, &[6, 7][..])]
    );
    assert_eq!(coverage.caveats[&Caveat::Rejected].total.count, 1);
    assert!(!coverage.is_complete(), "SKIPDATA hides traffic");
}

#[test]
fn lines_that_are_wrong_are_counted() {
    let good = "192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT";
    let header = "srcaddr dstaddr srcport dstport protocol packets bytes start end action";
    let wrong: [&[u8]; 24] = [
        b"",
        b"\x00",
        b"hello",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20",
        b"192.0.2 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.256 40000 443 6 2 80 10 20 ACCEPT",
        b"192.0.2.01 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT",
        b"fe80::1%eth0 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 65536 443 6 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 -1 6 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 256 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 tcp 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 - 2 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2.0 80 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 18446744073709551616 10 20 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 20 10 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 10 99999999999999 ACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20 PERHAPS",
        b"192.0.2.1  198.51.100.1 40000 443 6 2 80 10 20 ACCEPT",
        b" 192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT",
        b"192.0.2.1\t198.51.100.1\t40000\t443\t6\t2\t80\t10\t20\tACCEPT",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT \xff",
        b"192.0.2.1 198.51.100.1 40000 443 6 2 80 10 20 ACCEPT x\0y",
        b"192.0.2.1 198.51.100.1 40000 443 6  80 10 20 ACCEPT",
    ];
    for line in &wrong[1..] {
        let mut text = format!("{header}\n{good}\n").into_bytes();
        text.extend(*line);
        text.extend(format!("\n{good}").bytes());
        let (records, coverage) = read(text);
        assert_eq!(records.len(), 2, "{}", String::from_utf8_lossy(line));
        assert_eq!(skips(&coverage), [(Skip::MalformedLine, 1, &[3][..])], "{}", String::from_utf8_lossy(line));
    }
    let (records, coverage) = read(format!("\n{header}\r\n\r\n{good}   \r\n\n{good} tag%20one caf\u{e9}\n"));
    assert_eq!((records.len(), coverage.read.count), (2, 2), "empty lines are none, trailing columns are ignored");
    let (records, coverage) = read(format!("{header}\n{good}\n{}\n{good}\n", "x ".repeat(1 << 20)));
    assert_eq!((records.len(), skips(&coverage)), (2, vec![(Skip::LongLine, 1, &[3][..])]));
}

#[test]
fn the_latest_header_line_counts() {
    let text = "srcaddr dstaddr protocol bytes packets start\n\
                192.0.2.1 198.51.100.1 6 1000 10 7\n\
                packets bytes protocol shoe-size dstaddr srcaddr end\n\
                11 1001 6 43 198.51.100.2 192.0.2.2 8\n\
                version tgw-id srcaddr dstaddr protocol\n\
                6 tgw-1 192.0.2.1 198.51.100.1 6\n\
                version account-id action\n\
                2 123456789010 ACCEPT\n\
                srcaddr dstaddr action\n\
                192.0.2.1 198.51.100.1 ACCEPT\n\
                srcaddr dstaddr protocol\n\
                192.0.2.3 198.51.100.3 17\n";
    let (records, coverage) = read(text);
    let rows: Vec<_> = records.iter().map(|record| row(record)[..2].join(" ")).collect();
    let first = "192.0.2.1 198.51.100.1";
    assert_eq!(rows, [first, "192.0.2.2 198.51.100.2", first, "192.0.2.3 198.51.100.3"]);
    assert_eq!((records[1].forward.packets, records[1].forward.octets), (11, 1001));
    assert_eq!((records[0].end, records[1].start), (Timestamp::from_secs(7), Timestamp::from_secs(8)));
    assert_eq!(skips(&coverage), [(Skip::MalformedLine, 2, &[8, 10][..])]);
    assert_eq!(coverage.caveats[&Caveat::UnknownField].positions, [3]);
    let notes: Vec<_> = coverage.notes.iter().map(String::as_str).collect();
    let expected =
        ["a header line without `protocol`", "a header line without `srcaddr` or `dstaddr`", "field `shoe-size`"];
    assert!(coverage.remarks.iter().any(|remark| remark.contains("at each of its attachments")), "{coverage:?}");
    assert_eq!(notes, expected);
    assert_eq!(coverage.caveats[&Caveat::NoTime].positions, [6, 12]);
    assert_eq!(coverage.caveats[&Caveat::CountersUnknown].positions, [6, 12]);
    assert_eq!((coverage.first, coverage.last), (Some(Timestamp::from_secs(7)), Some(Timestamp::from_secs(8))));
}

#[test]
fn totals_saturate() {
    let line = format!("192.0.2.1 198.51.100.1 6 1 {}", u64::MAX);
    let (records, coverage) = read(format!("srcaddr dstaddr protocol packets bytes\n{line}\n{line}\n"));
    assert_eq!(records.len(), 2);
    assert_eq!(coverage.used.octets, u64::MAX);
}

#[test]
fn what_was_read_before_an_error_is_kept() {
    let reader = |text: &str| {
        let octets = text.as_bytes().to_vec();
        Box::new(Chunked { octets, at: 0, chunk: usize::MAX, then: Some(io::ErrorKind::PermissionDenied) })
    };
    let (ended_well, records, coverage) = read_all(reader(&format!("{HEADER}\n{LINE}\n{LINE}")));
    assert!(!ended_well && !coverage.is_complete());
    assert_eq!(records.len(), 1, "the last line may be cut in the middle of a number");
    assert_eq!(coverage.truncated_at, Some((HEADER.len() + LINE.len() + 2) as u64));
    assert!(coverage.error.is_some_and(|error| error.starts_with("reading failed at octet")));
    let (ended_well, records, coverage) = read_all(reader(&format!("{HEADER}\n{LINE}\n")));
    assert_eq!((ended_well, records.len(), coverage.truncated_at), (false, 1, None));
}

#[test]
fn compressed_logs_are_opened_by_content() {
    let mut text = format!("{HEADER}\n");
    for port in 0..20_000 {
        text.push_str(&LINE.replace("20641", &port.to_string()));
        text.push('\n');
    }
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    let open = |octets: &[u8]| {
        let reader = Box::new(io::Cursor::new(octets.to_vec()));
        let mut source = source::open(InputId(0), "log", reader, &Options::default()).unwrap();
        let mut batch = Batch::default();
        let error = loop {
            match source.read(&mut batch) {
                Ok(Progress::End) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        (error, batch.records.len(), source.coverage())
    };
    let (error, records, coverage) = open(&packed);
    assert!(error.is_none());
    assert_eq!((records, coverage.kind.as_str()), (20_000, "aws-vpc-flow-logs in gzip"));
    let (error, records, coverage) = open(&packed[..packed.len() / 2]);
    assert!(matches!(error, Some(SourceError::Compressed { .. })), "{error:?}");
    assert!(records > 5000 && records < 20_000, "{records}");
    assert!(coverage.truncated_at.is_some() && coverage.error.is_some() && coverage.skipped.is_empty(), "{coverage:?}");
    assert_eq!(open(text.as_bytes()).2.kind, "aws-vpc-flow-logs");
}

/// Text that is near to a log, so that chance reaches more than the first check.
fn near_log() -> impl Strategy<Value = Vec<u8>> {
    let names = HEADER.split(' ').chain(["pkt-srcaddr", "pkt-dstaddr", "tcp-flags", "tgw-id", "colour"]);
    let words =
        names.chain(LINE.split(' ')).chain(["-", "\n", "\n", "::1", "NODATA", "SKIPDATA", "", "99999999999999999999"]);
    let words: Vec<String> = words.map(str::to_owned).chain([format!("\n{HEADER}\n"), format!("\n{LINE}\n")]).collect();
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(word, 0..120).prop_map(|words| words.join(&b' '))
}

proptest! {
    #[test]
    fn any_octets_are_read_alike_in_any_blocks(
        octets in prop_oneof![near_log(), proptest::collection::vec(any::<u8>(), 0..2000)],
        chunk in 1usize..200,
    ) {
        let _ = looks_like(&octets);
        let (records, coverage) = read(&octets);
        let chunked = Box::new(Chunked { octets, at: 0, chunk, then: None });
        let (ended_well, in_chunks, chunked_coverage) = read_all(chunked);
        prop_assert!(ended_well);
        prop_assert_eq!(records, in_chunks);
        prop_assert_eq!(coverage, chunked_coverage);
    }

    /// What is written with any values, in any order of the fields, is read back.
    #[test]
    fn fields_stand_where_the_header_says(
        order in Just((0..10).collect::<Vec<usize>>()).prop_shuffle(),
        lines in proptest::collection::vec((any::<u32>(), any::<u128>(), any::<u16>(), any::<u16>(), any::<u8>(), any::<u64>(), any::<u64>(), 0u64..1 << 33, 0u64..1 << 20), 1..8),
    ) {
        let names = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "action"];
        let mut text = order.iter().map(|column| names[*column]).collect::<Vec<_>>().join(" ");
        let mut expected = Vec::new();
        for (src, dst, sport, dport, protocol, packets, bytes, start, length) in lines {
            let dst = std::net::Ipv6Addr::from(dst | 1 << 127);
            let cells = [std::net::Ipv4Addr::from(src).to_string(), dst.to_string(), sport.to_string(), dport.to_string(),
                protocol.to_string(), packets.to_string(), bytes.to_string(), start.to_string(), (start + length).to_string(), "ACCEPT".to_owned()];
            text.push('\n');
            text.push_str(&order.iter().map(|column| cells[*column].as_str()).collect::<Vec<_>>().join(" "));
            expected.push(cells);
        }
        let (records, _) = read(text);
        prop_assert_eq!(records.iter().map(row).collect::<Vec<_>>(), expected);
    }
}
