//! Laws of inputs: files read in one piece and in any others, and what is said of them.

use std::io::{Cursor, Read};

use landfall::diag::with_causes;
use landfall::meter::MeterConfig;
use landfall::model::{Addr, Batch, FlowRecord, InputCoverage, InputId, Skip, Timestamp};
use landfall::source::capture::{Capture, CaptureFormat, MAX_RECORD, Next};
use landfall::source::export::{Collector, Datagram};
use landfall::source::{InputFormat, Options, Progress, open};

use super::input::{Input, Pieces};
use super::names::is_clean;
use super::readings;
use super::wire::{balance, payloads};

/// The most that a compressed input may grow to here.
const MAX_INFLATE: u64 = 1 << 20;

/// The longest file of the corpus that becomes a seed.
pub(crate) const LONGEST_SEED: usize = 8 << 10;

/// What came of an input: its records in words, what is said of it, and the error, if there was one.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Each in words, with its name; numbers of names mean nothing.
    words: Vec<String>,
    pub(crate) records: Vec<FlowRecord>,
    pub(crate) coverage: InputCoverage,
    error: Option<String>,
}

/// Reads an input to its end. `None` where it is not recognised.
fn read(reader: impl Read + Send + 'static, options: &Options) -> Option<Outcome> {
    let mut source = open(InputId(0), "input", Box::new(reader), options).ok()?;
    let (mut words, mut records, mut error, mut batch) = (Vec::new(), Vec::new(), None, Batch::default());
    loop {
        let progress = source.read(&mut batch);
        for record in &batch.records {
            let name = record.name.and_then(|name| batch.name(name));
            if let Some(name) = name {
                is_clean(&name.text);
            }
            let record = FlowRecord { name: None, ..*record };
            words.push(format!("{record:?} {name:?}"));
            records.push(record);
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
    Some(Outcome { words, records, coverage, error })
}

/// Reads an input in one piece and in pieces: the same, octet for octet, and everything that was read is used or skipped.
pub(crate) fn in_pieces(content: &[u8], lengths: &[u8], options: &Options) -> Option<Outcome> {
    let whole = read(Cursor::new(content.to_vec()), options);
    let pieces = read(Pieces::new(content, lengths), options);
    assert_eq!(whole, pieces, "in pieces of {lengths:?} octets");
    if let Some(outcome) = &whole {
        balance(&outcome.coverage);
        assert!(outcome.coverage.truncated_at.is_none_or(|at| at <= MAX_INFLATE.max(content.len() as u64)));
    }
    whole
}

pub(crate) fn options(format: Option<&str>) -> Options {
    Options {
        max_inflate: MAX_INFLATE,
        format: format.and_then(InputFormat::from_name),
        meter: MeterConfig { flows_max: 8, ..MeterConfig::default() },
        ..Options::default()
    }
}

/// A capture file: the same frames in one piece and in any others, none longer than a record may be, numbered without a gap,
/// and those that a second reading finds;
/// and packets read = packets in flows + packets skipped by reason.
pub fn capture(octets: &[u8]) {
    let mut input = Input(octets);
    let lengths = input.take(3);
    let file = input.0;
    let frames = frames(Cursor::new(file.to_vec()), file);
    assert_eq!(frames, self::frames(Pieces::new(file, lengths), file), "in pieces of {lengths:?} octets");
    if let Some((frames, is_whole)) = &frames {
        as_written(file, frames, *is_whole);
    }
    if let Some(outcome) = in_pieces(file, lengths, &options(None))
        && let Some((frames, _)) = frames
    {
        assert_eq!(outcome.coverage.read.count, frames.len() as u64, "every frame is read");
        let in_links: u64 = outcome.coverage.link_types.values().sum();
        assert!(in_links <= outcome.coverage.read.count);
    }
}

/// What comes of a capture, one after another: and whether it ends where a record does.
#[derive(Debug, PartialEq)]
enum Framed {
    Frame { words: String, time: Option<u64>, octets: Vec<u8>, original: u32 },
    Bad(u64),
}

fn frames(reader: impl Read + Send + 'static, file: &[u8]) -> Option<(Vec<Framed>, bool)> {
    let mut capture = Capture::open(CaptureFormat::of(file)?, Box::new(reader)).ok()?;
    let (mut frames, mut is_whole) = (Vec::new(), false);
    loop {
        let number = frames.len() as u64 + 1;
        match capture.next_frame() {
            Ok(Next::Frame(frame)) => {
                assert!(frame.octets.len() <= MAX_RECORD && frame.octets.len() <= file.len());
                assert_eq!(frame.number, number, "numbers have no gap");
                frames.push(Framed::Frame {
                    words: format!("{:?}", frame.link),
                    time: frame.time.map(|time| time.0),
                    octets: frame.octets.to_vec(),
                    original: frame.original_length,
                });
            }
            Ok(Next::BadBlock { number: told, octets }) => {
                assert_eq!(told, number, "numbers have no gap");
                frames.push(Framed::Bad(octets));
            }
            Ok(Next::Cut { offset }) => {
                assert!(offset <= file.len() as u64);
                break;
            }
            Ok(Next::End) => {
                is_whole = true;
                break;
            }
            Err(_) => break,
        }
    }
    assert!(matches!(capture.next_frame(), Ok(Next::End)), "what has ended has ended");
    Some((frames, is_whole))
}

/// The frames are those that a second reading finds; all of them where the file is whole.
fn as_written(file: &[u8], frames: &[Framed], is_whole: bool) {
    if let Some(packets) = readings::pcap(file) {
        assert_eq!(frames.len(), packets.len(), "every packet");
        for (frame, (time, octets, original)) in frames.iter().zip(packets) {
            let Framed::Frame { time: read, octets: held, original: length, .. } = frame else { panic!("{frame:?}") };
            assert_eq!((*read, &held[..], *length), (Some(time), octets, original));
        }
    }
    if CaptureFormat::of(file) == Some(CaptureFormat::Pcapng) {
        let mut packets = readings::enhanced_packets(file).into_iter();
        let (mut lost, mut bad) = (0, 0);
        for frame in frames {
            match frame {
                Framed::Bad(_) => bad += 1,
                Framed::Frame { octets, original, .. } => {
                    // Packets of the other kinds of blocks are not looked for.
                    let rest = packets.clone();
                    match packets.position(|packet| packet == (&octets[..], *original)) {
                        Some(before) => lost += before,
                        None => packets = rest,
                    }
                }
            }
        }
        assert!(
            !is_whole || lost + packets.count() <= bad,
            "every enhanced packet block is a frame, or said to be malformed"
        );
    }
}

/// Flow telemetry: as a file in one piece and in any others, and as datagrams of two exporters. Every message is used or
/// skipped, and so is every record that it holds; and where all are of `NetFlow` version 5, a second reading finds the same flows.
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
        let mut flows = Some(Vec::new());
        while !input.0.is_empty() && number < 64 {
            number += 1;
            let exporter = Addr::v4([192, 0, 2, input.octet() & 1]);
            let received = Some(Timestamp::from_secs(1_700_000_000 + number * 7));
            let octets = input.piece();
            flows = flows.zip(readings::netflow5(octets)).map(|(flows, more)| [flows, more].concat());
            collector.collect(&Datagram { exporter, received, number, octets }, &mut batch);
        }
        collector.finish();
        balance(collector.coverage());
        for record in &batch.records {
            assert!((1..=number).contains(&record.provenance.position()));
        }
        if let Some(mut flows) = flows
            && !collector.coverage().skipped.contains_key(&Skip::Duplicate)
        {
            let told = |record: &FlowRecord| {
                let FlowRecord { src, dst, sport, dport, forward, .. } = *record;
                (src, dst, sport, dport, forward.packets, forward.octets)
            };
            let mut found: Vec<_> = batch.records.iter().map(told).collect();
            found.sort_unstable();
            flows.sort_unstable();
            assert_eq!(found, flows, "the flows are those of the datagrams");
        }
        (format!("{:?}", batch.records), collector.coverage().clone())
    };
    assert_eq!(collect(input, 1), collect(input, 2), "no result depends on the seed of a hash");
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
