//! Laws of inputs: files read in one piece and in any others, and what is said of them.

use std::io::{Cursor, Read};

use landfall::diag::with_causes;
use landfall::meter::MeterConfig;
use landfall::model::{Addr, Batch, InputCoverage, InputId, Timestamp};
use landfall::source::capture::{Capture, CaptureFormat, MAX_RECORD, Next};
use landfall::source::export::{Collector, Datagram};
use landfall::source::{InputFormat, Options, Progress, open};

use super::input::{Input, Pieces};
use super::names::is_clean;
use super::wire::{balance, payloads};

/// The most that a compressed input may grow to here.
const MAX_INFLATE: u64 = 1 << 20;

/// The longest file of the corpus that becomes a seed.
const LONGEST_SEED: usize = 8 << 10;

/// What came of an input: its records in words, what is said of it, and the error, if there was one.
#[derive(Debug, PartialEq)]
struct Outcome {
    records: Vec<String>,
    coverage: InputCoverage,
    error: Option<String>,
}

/// Reads an input to its end. `None` where it is not recognised.
fn read(reader: impl Read + Send + 'static, options: &Options) -> Option<Outcome> {
    let mut source = open(InputId(0), "input", Box::new(reader), options).ok()?;
    let (mut records, mut error, mut batch) = (Vec::new(), None, Batch::default());
    loop {
        let progress = source.read(&mut batch);
        for record in &batch.records {
            let name = record.name.and_then(|name| batch.name(name));
            if let Some(name) = name {
                is_clean(&name.text);
            }
            records.push(format!("{record:?} {name:?}"));
        }
        batch.clear();
        match progress {
            Ok(Progress::More | Progress::Idle) => {}
            Ok(Progress::End) => break,
            Err(reason) => {
                error = Some(with_causes(&reason));
                assert!(matches!(source.read(&mut batch), Ok(Progress::End)), "an error ends a source");
                assert!(batch.records.is_empty());
                break;
            }
        }
    }
    let coverage = source.coverage();
    assert_eq!(error, coverage.error, "an error stands in the coverage");
    Some(Outcome { records, coverage, error })
}

/// Reads an input in one piece and in pieces: the same, octet for octet, and everything that was read is used or skipped.
fn in_pieces(content: &[u8], lengths: &[u8], options: &Options) -> Option<Outcome> {
    let whole = read(Cursor::new(content.to_vec()), options);
    let pieces = read(Pieces::new(content, lengths), options);
    assert_eq!(whole, pieces, "in pieces of {lengths:?} octets");
    if let Some(outcome) = &whole {
        balance(&outcome.coverage);
        assert!(outcome.coverage.truncated_at.is_none_or(|at| at <= MAX_INFLATE.max(content.len() as u64)));
    }
    whole
}

fn options(format: Option<&str>) -> Options {
    Options {
        max_inflate: MAX_INFLATE,
        format: format.and_then(InputFormat::from_name),
        meter: MeterConfig { flows_max: 8, ..MeterConfig::default() },
        ..Options::default()
    }
}

/// A capture file: the same frames in one piece and in any others, none longer than a record may be, numbered without a gap;
/// and packets read = packets in flows + packets skipped by reason.
pub fn capture(octets: &[u8]) {
    let mut input = Input(octets);
    let lengths = input.take(3);
    let file = input.0;
    let frames = frames(Cursor::new(file.to_vec()), file);
    assert_eq!(frames, self::frames(Pieces::new(file, lengths), file), "in pieces of {lengths:?} octets");
    if let Some(outcome) = in_pieces(file, lengths, &options(None))
        && let Some(frames) = frames
    {
        assert_eq!(outcome.coverage.read.count, frames.len() as u64, "every frame is read");
        let in_links: u64 = outcome.coverage.link_types.values().sum();
        assert!(in_links <= outcome.coverage.read.count);
    }
}

fn frames(reader: impl Read + Send + 'static, file: &[u8]) -> Option<Vec<String>> {
    let mut capture = Capture::open(CaptureFormat::of(file)?, Box::new(reader)).ok()?;
    let mut frames = Vec::new();
    loop {
        let number = frames.len() as u64 + 1;
        match capture.next_frame() {
            Ok(Next::Frame(frame)) => {
                assert!(frame.octets.len() <= MAX_RECORD && frame.octets.len() <= file.len());
                assert_eq!(frame.number, number, "numbers have no gap");
                frames.push(format!("{frame:?}"));
            }
            Ok(Next::BadBlock { number: told, octets }) => {
                assert_eq!(told, number, "numbers have no gap");
                frames.push(format!("bad {octets}"));
            }
            Ok(Next::Cut { offset }) => {
                assert!(offset <= file.len() as u64);
                break;
            }
            Ok(Next::End) | Err(_) => break,
        }
    }
    assert!(matches!(capture.next_frame(), Ok(Next::End)), "what has ended has ended");
    Some(frames)
}

/// Flow telemetry: as a file in one piece and in any others, and as datagrams of two exporters. Every message is used or
/// skipped, and so is every record that it holds.
pub fn telemetry(octets: &[u8]) {
    let mut input = Input(octets);
    let choice = input.octet();
    if choice & 1 == 0 {
        let lengths = input.take(3);
        in_pieces(input.0, lengths, &options(Some("telemetry")));
        return;
    }
    let collect = |mut input: Input<'_>, seed| {
        let mut collector = Collector::new(InputId(0), "socket", "flow telemetry", seed);
        let (mut batch, mut number) = (Batch::default(), 0);
        while !input.0.is_empty() && number < 64 {
            number += 1;
            let exporter = Addr::v4([192, 0, 2, input.octet() & 1]);
            let received = Some(Timestamp::from_secs(1_700_000_000 + number * 7));
            collector.collect(&Datagram { exporter, received, number, octets: input.piece() }, &mut batch);
        }
        collector.finish();
        balance(collector.coverage());
        for record in &batch.records {
            assert!((1..=number).contains(&record.provenance.position()));
        }
        (format!("{:?}", batch.records), collector.coverage().clone())
    };
    assert_eq!(collect(input, 1), collect(input, 2), "no result depends on the seed of a hash");
}

/// Flow logs in text, in every format in turn, told and by content: the same in one piece and in any others, and every record
/// is used or skipped.
pub fn log(octets: &[u8]) {
    let mut input = Input(octets);
    let text = ["aws-vpc-flow-logs", "aws", "azure", "cloudwatch", "gcp", "oci"];
    let formats: Vec<_> =
        InputFormat::names().filter(|name| text.iter().any(|known| name.starts_with(known))).collect();
    let choice = usize::from(input.octet()) % (formats.len() + 1);
    let lengths = input.take(3);
    in_pieces(input.0, lengths, &options(formats.get(choice).copied()));
}

pub(crate) fn capture_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    if CaptureFormat::of(file).is_some() && file.len() <= LONGEST_SEED {
        vec![[&[3, 200, 0][..], file].concat()]
    } else {
        Vec::new()
    }
}

pub(crate) fn telemetry_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let starts = |octets: &[u8]| matches!(octets, [0, 5 | 9 | 10, ..] | [0, 0, 0, 5, ..]);
    if starts(file) && file.len() <= LONGEST_SEED {
        seeds.push([&[0, 30, 0, 200][..], file].concat());
    }
    let mut seed = vec![1];
    for (_, payload) in payloads(file).into_iter().filter(|(_, payload)| starts(payload)).take(4) {
        seed.push(0);
        seed.extend((payload.len() as u16).to_be_bytes());
        seed.extend(payload);
    }
    if seed.len() > 1 {
        seeds.push(seed);
    }
    seeds
}

pub(crate) fn log_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let is_log = std::str::from_utf8(file).is_ok_and(|text| {
        let text = text.trim_start();
        text.starts_with(['{', '[']) || text.starts_with("version") || text.starts_with("2 ")
    });
    if !is_log {
        return Vec::new();
    }
    // By content; the format is told by the names' own order in the mutations.
    let head = &file[..file.len().min(LONGEST_SEED)];
    vec![[&[255, 30, 0, 200][..], head].concat(), [&[0, 30, 0, 200][..], head].concat()]
}
