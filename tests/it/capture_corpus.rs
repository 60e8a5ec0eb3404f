//! The framing of captures against tshark's reading of the same files: the corpus under `../shared`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use landfall::diag::with_causes;
use landfall::source::SourceError;
use landfall::source::capture::{Capture, CaptureFormat, Next};
use landfall::source::compression::unwrap;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");

/// What came of reading a file to its end.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum End {
    Whole,
    Cut,
    Refused,
}

/// What is compared: from the truth file, and from our framing.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    packets: u64,
    octets: u64,
    captured: u64,
    first: Option<u64>,
    last: Option<u64>,
    end: End,
}

fn nanos(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000_000 + fraction.parse::<u64>().ok()?)
}

fn truth(path: &Path) -> Option<(String, Seen)> {
    let text = fs::read_to_string(format!("{}.truth.tsv", path.display())).ok()?;
    let meta = |key: &str| {
        let row = text.lines().find_map(|line| line.strip_prefix("meta\t")?.strip_prefix(key)?.strip_prefix('\t'));
        row.unwrap_or_default().to_owned()
    };
    let cut = text.contains("cut short");
    let seen = Seen {
        packets: meta("packets").parse().ok()?,
        octets: meta("frame_bytes").parse().ok()?,
        captured: meta("captured_bytes").parse().ok()?,
        first: nanos(&meta("first_ts")),
        last: nanos(&meta("last_ts")),
        end: match meta("tshark_exit").as_str() {
            "0" => End::Whole,
            _ if cut => End::Cut,
            _ => End::Refused,
        },
    };
    Some((meta("container"), seen))
}

fn read(path: &Path) -> (Seen, Option<SourceError>) {
    let mut seen = Seen { packets: 0, octets: 0, captured: 0, first: None, last: None, end: End::Refused };
    let error = frames(path, &mut seen).err();
    (seen, error)
}

fn frames(path: &Path, seen: &mut Seen) -> Result<(), SourceError> {
    let file: Box<dyn Read + Send> = Box::new(File::open(path).unwrap());
    let input = unwrap(file, 1 << 30)?;
    let Some(format) = CaptureFormat::of(&input.head) else {
        return Err(SourceError::Io { offset: 0, source: io::Error::other("not a capture") });
    };
    let mut capture = Capture::open(format, input.reader)?;
    loop {
        match capture.next_frame()? {
            Next::Frame(frame) => {
                seen.packets += 1;
                assert_eq!(frame.number, seen.packets);
                seen.octets += u64::from(frame.original_length);
                seen.captured += frame.octets.len() as u64;
                if let Some(time) = frame.time {
                    seen.first = Some(seen.first.map_or(time.0, |first| first.min(time.0)));
                    seen.last = Some(seen.last.map_or(time.0, |last| last.max(time.0)));
                }
            }
            Next::BadBlock { .. } => return Err(SourceError::Io { offset: 0, source: io::Error::other("bad block") }),
            Next::Cut { .. } => seen.end = End::Cut,
            Next::End => {
                if seen.end == End::Refused {
                    seen.end = End::Whole;
                }
                return Ok(());
            }
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else {
            found.push(entry);
        }
    }
}

/// Where we do not agree with tshark, and why.
enum Exception {
    /// tshark does not know the link type and gives no packets; tcpdump 4.99.3 counts this many.
    UnknownToTshark(u64),
    /// tshark takes the four octets of the `SUNATM` pseudo header off each packet, from both lengths.
    PseudoHeader,
    /// The file header itself is cut: that is no capture, so we refuse it, where tshark calls it cut short.
    HeaderCut,
    /// The truth file compared times as floating point numbers; the last time that tshark 4.0.17 prints is this.
    RoundedTruth(u64),
}

const EXCEPTIONS: &[(&str, Exception)] = &[
    ("bad/derived/trunc-10.pcap", Exception::HeaderCut),
    ("bad/derived/trunc-23.pcap", Exception::HeaderCut),
    ("bad/libpcap/brcm-tag.pcap", Exception::UnknownToTshark(15)),
    ("bad/ntopng/atm-oam-heapoverflow.pcap", Exception::PseudoHeader),
    ("bad/ntopng/frf16_magic_ie-oobr.pcap", Exception::UnknownToTshark(1)),
    ("bad/ntopng/juniper_es_oobr.pcap", Exception::UnknownToTshark(1)),
    ("bad/ntopng/vtp_asan-2.pcap", Exception::UnknownToTshark(1)),
    ("bad/ntopng/vtp_asan-3.pcap", Exception::UnknownToTshark(1)),
    ("bad/ntopng/vtp_asan.pcap", Exception::UnknownToTshark(5)),
    ("bad/tcpdump/atm-oam-heapoverflow.pcap", Exception::PseudoHeader),
    ("bad/tcpdump/atm-oam-loopback-print-overrun.pcap", Exception::PseudoHeader),
    ("bad/tcpdump/brcm-tag-prepend.pcap", Exception::UnknownToTshark(15)),
    ("bad/tcpdump/brcm-tag.pcap", Exception::UnknownToTshark(23)),
    ("bad/tcpdump/dsa.pcap", Exception::UnknownToTshark(8)),
    ("bad/tcpdump/edsa-high-vid.pcap", Exception::UnknownToTshark(4)),
    ("bad/tcpdump/hoobr_juniper3.pcap", Exception::UnknownToTshark(1)),
    ("bad/tcpdump/juniper_es_oobr.pcap", Exception::UnknownToTshark(1)),
    ("bad/tcpdump/juniper_monitor_invalid_cookie_length.pcap", Exception::UnknownToTshark(1)),
    ("captures/zeek/vntag.pcap", Exception::RoundedTruth(1_342_606_813_729_857_070)),
];

impl Exception {
    fn apply(&self, expected: &mut Seen, ours: &Seen) {
        match self {
            Self::UnknownToTshark(packets) => {
                *expected = Seen { packets: *packets, end: End::Whole, ..*ours };
            }
            Self::PseudoHeader => {
                expected.octets += 4 * expected.packets;
                expected.captured += 4 * expected.packets;
            }
            Self::HeaderCut => expected.end = End::Refused,
            Self::RoundedTruth(last) => expected.last = Some(*last),
        }
    }
}

/// Whether a little-endian pcap file gives a packet a second or more beside its seconds. tshark keeps that in 32 bits
/// with a sign and gives another time or none, so that its times say nothing then. An own walk, as plain as it can be.
fn fraction_overflows(path: &Path) -> bool {
    let file = fs::read(path).unwrap();
    let word = |at: usize| file.get(at..at + 4).map(|octets| u32::from_le_bytes(octets.try_into().unwrap()));
    let second = match word(0) {
        Some(0xa1b2_c3d4) => 1_000_000,
        Some(0xa1b2_3c4d) => 1_000_000_000,
        _ => return false,
    };
    let mut at = 24;
    while let (Some(fraction), Some(length)) = (word(at + 4), word(at + 8)) {
        if fraction >= second {
            return true;
        }
        at += 16 + length as usize;
    }
    false
}

#[test]
fn frames_are_those_of_tshark() {
    let mut found = Vec::new();
    files(&Path::new(CORPUS).join("captures"), &mut found);
    files(&Path::new(CORPUS).join("bad"), &mut found);
    found.sort();
    if found.is_empty() {
        println!("skipped: there is no corpus at {CORPUS}");
        return;
    }
    let (mut compared, mut excepted) = (0, 0);
    let mut wrong = Vec::new();
    for path in &found {
        let Some((container, mut expected)) = truth(path).filter(|(container, _)| container.contains("pcap")) else {
            continue;
        };
        compared += 1;
        let name = path.strip_prefix(CORPUS).unwrap().to_str().unwrap();
        let (seen, error) = read(path);
        if let Some((_, exception)) = EXCEPTIONS.iter().find(|(file, _)| *file == name) {
            exception.apply(&mut expected, &seen);
            excepted += 1;
        }
        if fraction_overflows(path) {
            (expected.first, expected.last) = (seen.first, seen.last);
        }
        if seen != expected {
            let error = error.map_or_else(String::new, |error| with_causes(&error));
            wrong.push(format!("{name} ({container}) {error}\n  ours   {seen:?}\n  tshark {expected:?}"));
        }
    }
    println!("{compared} captures compared, {excepted} of them with an exception");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
