//! The framing of captures against tshark's reading of the same files: the corpus under `../shared`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
                let time = frame.time.map(|time| time.0);
                seen.first = seen.first.or(time);
                seen.last = time.or(seen.last);
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
    let mut compared = 0;
    let mut wrong = Vec::new();
    for path in &found {
        let Some((container, expected)) = truth(path) else { continue };
        if !container.contains("pcap") {
            continue;
        }
        compared += 1;
        let name = path.strip_prefix(CORPUS).unwrap().to_str().unwrap();
        let (seen, error) = read(path);
        if seen != expected {
            wrong.push(format!(
                "{name} ({container})\n  ours   {seen:?} {}\n  tshark {expected:?}",
                error.map_or(String::new(), |e| e.in_words())
            ));
        }
    }
    println!("{compared} captures compared");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
