//! Captures as sources: what comes of them, and what their coverage says.

use std::io::Cursor;

use landfall::model::{Batch, Drops, FlowEndReason, FlowRecord, InputCoverage, InputId, Skip, Timestamp};
use landfall::source::{InputFormat, Options, Progress, SourceError, open};

use crate::capture_file::Order::{Big, Little};
use crate::capture_file::{File, gzip, zstd};

/// A source read to its end.
struct Outcome {
    records: Vec<FlowRecord>,
    error: Option<SourceError>,
    coverage: InputCoverage,
}

fn read_with(content: &[u8], options: &Options) -> Outcome {
    let mut source = open(InputId(3), "name", Box::new(Cursor::new(content.to_vec())), options).ok().unwrap();
    let mut batch = Batch::default();
    let error = loop {
        match source.read(&mut batch) {
            Ok(Progress::End) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    let records = batch.records.len();
    assert_eq!(source.read(&mut batch).ok(), Some(Progress::End), "an error is given once, the end for ever");
    assert_eq!(batch.records.len(), records, "what was held came before the error");
    let coverage = source.coverage();
    let skipped: u64 = coverage.skipped.values().map(|skip| skip.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "the reasons add up");
    Outcome { records: batch.records, error, coverage }
}

fn read(content: &[u8]) -> Outcome {
    read_with(content, &Options::default())
}

/// Ethernet, IPv4 and UDP with no payload: 28 IP octets from 192.0.2.`host` to 198.51.100.1.
fn datagram(host: u8) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, host, 198, 51, 100, 1]);
    frame.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
    frame
}

fn pcap() -> File {
    File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1).record(10, 0, &datagram(1), 42).record(12, 500_000, &datagram(2), 42)
}

#[test]
fn a_capture_gives_its_flows() {
    let outcome = read(&pcap().octets);
    assert!(outcome.error.is_none() && outcome.coverage.is_complete());
    assert_eq!(outcome.records.len(), 2);
    for (record, number) in outcome.records.iter().zip(1..) {
        assert_eq!((record.provenance.input(), record.provenance.position()), (InputId(3), number));
        assert_eq!(record.end_reason, FlowEndReason::ForcedEnd);
    }
    let coverage = outcome.coverage;
    assert_eq!((coverage.name.as_str(), coverage.kind.as_str()), ("name", "pcap"));
    assert_eq!((coverage.read.count, coverage.used.count, coverage.used.octets), (2, 2, 56));
    assert_eq!(coverage.first, Some(Timestamp::from_secs(10)));
    assert_eq!(coverage.last, Some(Timestamp(12_500_000_000)));
    assert_eq!((coverage.drops, coverage.truncated_at, coverage.error), (None, None, None));
}

#[test]
fn kinds_name_the_wrapping() {
    let (pcap, pcapng) = (pcap().octets, File::section(Big).octets);
    assert_eq!(read(&pcapng).coverage.kind, "pcapng");
    assert_eq!(read(&gzip(&pcapng)).coverage.kind, "pcapng in gzip");
    assert_eq!(read(&gzip(&zstd(&pcap))).coverage.kind, "pcap in zstd in gzip");
    assert_eq!(read(&zstd(&pcap)).records, read(&pcap).records);
}

#[test]
fn text_is_told_by_its_content_too() {
    let line =
        "2 123456789010 eni-1235b8ca 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n";
    let wrapped = [
        (line.as_bytes().to_vec(), "aws-vpc-flow-logs"),
        (gzip(line.as_bytes()), "aws-vpc-flow-logs in gzip"),
        (zstd(&gzip(line.as_bytes())), "aws-vpc-flow-logs in gzip in zstd"),
    ];
    for (content, kind) in wrapped {
        let outcome = read(&content);
        assert_eq!(outcome.coverage.kind, kind);
        assert_eq!((outcome.records.len(), outcome.coverage.read.count), (1, 1));
    }
}

#[test]
fn a_capture_that_breaks_off_is_judged_and_incomplete() {
    let file = pcap().octets;
    let outcome = read(&file[..file.len() - 1]);
    assert!(outcome.error.is_none());
    assert_eq!(outcome.records.len(), 1);
    assert_eq!(outcome.coverage.truncated_at, Some(24 + 16 + 42));
    assert!(!outcome.coverage.is_complete());
}

#[test]
fn a_capture_that_is_damaged_is_judged_up_to_there() {
    let outcome = read(&pcap().record(0, 0, b"", 0).u32(0).u32(0).u32(u32::MAX).u32(0).octets);
    assert_eq!(outcome.records.len(), 2, "what was held is given with the error");
    assert!(matches!(outcome.error, Some(SourceError::Format { offset: 156, .. })));
    let reason = "malformed at octet 156: a packet of 4294967295 captured octets, where 262144 is the most";
    assert_eq!(outcome.coverage.error.as_deref(), Some(reason));
    assert_eq!(outcome.coverage.skipped[&Skip::EmptyFrame].total.count, 1);
    assert!(!outcome.coverage.is_complete());

    let options = Options { max_inflate: 24 + 16 + 42 + 1, ..Options::default() };
    let outcome = read_with(&gzip(&pcap().octets), &options);
    assert_eq!(outcome.records.len(), 1);
    assert!(matches!(outcome.error, Some(SourceError::InflateLimit { limit: 83 })));
    assert!(outcome.coverage.error.unwrap().contains("limit of 83 octets"));
}

#[test]
fn bad_blocks_and_drops_are_in_the_coverage() {
    let file = File::section(Big);
    let body = file.body();
    let statistics = body.clone().u32(0).u64(0).option(5, &body.clone().u64(7).octets);
    let file = file.interface(1, 0, &body).enhanced(0, 1, &datagram(1), 42).enhanced(9, 1, &datagram(2), 42);
    let outcome = read(&file.enhanced(0, 2, &datagram(1), 42).block(5, statistics).octets);
    assert!(outcome.error.is_none());
    assert_eq!(outcome.records.len(), 1);
    let coverage = outcome.coverage;
    assert_eq!((coverage.read.count, coverage.used.count), (3, 2));
    assert_eq!(coverage.skipped[&Skip::BadBlock].positions, [2]);
    assert_eq!(coverage.skipped[&Skip::BadBlock].total.octets, 76);
    assert_eq!(coverage.drops, Some(Drops { kernel: 0, interface: 7 }));
}

#[test]
fn many_flows_are_given_in_parts() {
    let mut file = File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1);
    for flow in 0..20_000_u16 {
        let mut frame = datagram(1);
        frame[34..36].copy_from_slice(&flow.to_be_bytes());
        file = file.record(1, 0, &frame, 42);
    }
    let mut source = open(InputId(0), "", Box::new(Cursor::new(file.u32(0).octets)), &Options::default()).ok().unwrap();
    let mut batch = Batch::default();
    let mut records = 0;
    while source.read(&mut batch).unwrap() != Progress::End {
        assert!(batch.records.len() <= 8192);
        records += batch.records.len();
        batch.clear();
    }
    assert_eq!(records + batch.records.len(), 20_000);
    assert_eq!(source.coverage().truncated_at, Some(24 + 20_000 * 58));
}

#[test]
fn what_is_not_recognised_is_named() {
    let refused = |content: &[u8]| {
        let error = open(InputId(0), "x.pcap", Box::new(Cursor::new(content.to_vec())), &Options::default()).err();
        let error = error.unwrap();
        let text = error.to_string();
        let looks_like = text.strip_prefix("not a capture or flow log: ").unwrap_or_else(|| panic!("{text}"));
        (looks_like.to_owned(), error.help())
    };
    let looks_like = |content: &[u8]| refused(content).0;
    assert_eq!(looks_like(b""), "empty file");
    assert_eq!(looks_like(&gzip(b"")), "empty file");
    assert_eq!(looks_like(b"hello\nworld\n"), "text of an unknown shape");
    assert_eq!(looks_like("gr\u{fc}\u{df}e".as_bytes()), "text of an unknown shape");
    assert_eq!(looks_like(&[b"a".repeat(8191), "\u{e9}".as_bytes().to_vec()].concat()), "text of an unknown shape");
    assert_eq!(looks_like(b"  {\"records\": []}"), "JSON of an unknown shape");
    assert_eq!(looks_like(b"<!DOCTYPE html>"), "HTML or XML");
    assert_eq!(looks_like(b"\x89PNG\r\n\x1a\n"), "PNG image");
    assert_eq!(refused(b"PK\x03\x04...."), ("zip archive".to_owned(), Some("unpack it first")));
    assert_eq!(refused(b"\xfd7zXZ\0\0\x04").1, Some("decompress it first; gzip and zstd are read as they are"));
    assert_eq!(looks_like(&[0; 600]), "nothing but zeros");
    assert_eq!(looks_like(&[1, 2, 3, 200]), "binary data of an unknown format");
    assert_eq!(looks_like(&[0xd4, 0xc3, 0xb2]), "binary data of an unknown format");
    let mut tar = b"name".to_vec();
    tar.resize(257, 0);
    assert_eq!(looks_like(&[tar, b"ustar\x0000".to_vec()].concat()), "tar archive");
}

#[test]
fn a_format_that_is_said_is_not_asked_of_the_content() {
    let forced = |name| Options { format: InputFormat::from_name(name), ..Options::default() };
    let line = b"2 123456789010 eni-1 10.0.0.1 203.0.113.5 443 49152 6 2 120 1418530010 1418530070 ACCEPT OK\n";
    assert!(open(InputId(0), "", Box::new(Cursor::new(line.to_vec())), &forced("capture")).is_err());
    // Nothing tells that this is a flow log; said so, its line is malformed, and counted.
    let mut source =
        open(InputId(0), "", Box::new(Cursor::new(b"?\n".to_vec())), &forced("aws-vpc-flow-logs")).ok().unwrap();
    let mut batch = Batch::default();
    while source.read(&mut batch).unwrap() == Progress::More {}
    assert_eq!(source.coverage().skipped.values().map(|kept| kept.total.count).sum::<u64>(), 1);
    assert!(InputFormat::from_name("papyrus").is_none());
}
