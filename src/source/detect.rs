//! What an input is, by its content.

use super::capture::{Capture, CaptureFormat, CaptureSource};
use super::cloud::aws::{self, AwsFlowLog};
use super::compression::Unwrapped;
use super::export::{self, TelemetryCapture, TelemetryFile};
use super::{Options, Source, SourceError};
use crate::model::InputId;

/// An input about to be read, its compression taken off.
struct Opening<'a> {
    id: InputId,
    name: &'a str,
    input: Unwrapped,
    options: &'a Options,
}

/// A format that is read: a look at the head of an input, and its source.
struct Format {
    /// As it is named by [`InputFormat`] and where nothing says more.
    name: &'static str,
    /// Whether content that begins so is of this format. No two formats claim the same head.
    looks_like: fn(&[u8]) -> bool,
    open: fn(Opening<'_>) -> Result<Box<dyn Source>, SourceError>,
}

/// Every format, in the order in which they are asked. A format plugs in here.
const FORMATS: &[Format] = &[
    Format { name: "capture", looks_like: |head| CaptureFormat::of(head).is_some(), open: open_capture },
    Format { name: aws::KIND, looks_like: aws::looks_like, open: open_aws },
    Format { name: export::KIND, looks_like: export::looks_like, open: open_telemetry },
    // A capture of telemetry is a capture too: only the user can say which of the two is meant.
    Format { name: "telemetry-capture", looks_like: |_| false, open: open_telemetry_capture },
];

/// A format that the user says an input has, so that its content is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputFormat(&'static str);

impl InputFormat {
    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|format| format.name)
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::names().find(|known| *known == name).map(Self)
    }
}

/// Opens the source that reads this content.
pub(super) fn source(
    id: InputId,
    name: &str,
    input: Unwrapped,
    options: &Options,
) -> Result<Box<dyn Source>, SourceError> {
    let format = match options.format {
        Some(InputFormat(forced)) => FORMATS.iter().find(|format| format.name == forced),
        None => FORMATS.iter().find(|format| (format.looks_like)(&input.head)),
    };
    match format {
        Some(format) => (format.open)(Opening { id, name, input, options }),
        None => Err(unrecognised(&input.head)),
    }
}

fn open_capture(Opening { id, name, input, options }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let Some(format) = CaptureFormat::of(&input.head) else { return Err(unrecognised(&input.head)) };
    let kind = input.kind(format.name());
    let capture = Capture::open(format, input.reader)?;
    Ok(Box::new(CaptureSource::new(id, name, kind, capture, options)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_aws(Opening { id, name, input, options }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(aws::KIND);
    Ok(Box::new(AwsFlowLog::new(id, name, input.reader, options).of_kind(kind)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_telemetry(Opening { id, name, input, options }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(export::KIND);
    Ok(Box::new(TelemetryFile::new(id, name, &kind, input.reader, options)))
}

fn open_telemetry_capture(Opening { id, name, input, options }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let Some(format) = CaptureFormat::of(&input.head) else { return Err(unrecognised(&input.head)) };
    let kind = input.kind(&format!("{} in {}", export::KIND, format.name()));
    let capture = Capture::open(format, input.reader)?;
    Ok(Box::new(TelemetryCapture::new(id, name, &kind, capture, options)))
}

/// What else begins with these octets, so that the message can say what was given instead of what was not.
const STRANGERS: &[(&[u8], &str, Option<&str>)] = &[
    (b"\xfd7zXZ\0", "xz compressed data", DECOMPRESS),
    (b"BZh", "bzip2 compressed data", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "lz4 compressed data", DECOMPRESS),
    (b"\x1f\x9d", "data compressed by compress(1)", DECOMPRESS),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive", UNPACK),
    (b"PK\x03\x04", "zip archive", UNPACK),
    (b"Rar!\x1a\x07", "RAR archive", UNPACK),
    (b"PAR1", "Parquet file", None),
    (b"snoop\0\0\0", "snoop capture", CONVERT),
    (b"GMBU", "Microsoft Network Monitor capture", CONVERT),
    (b"RTSS", "Microsoft Network Monitor capture", CONVERT),
    (b"\x1c\x00\x01\xac", "capture in the pcap variant of Ixia", CONVERT),
    (b"\xac\x01\x00\x1c", "capture in the pcap variant of Ixia", CONVERT),
    (b"\x0c\xa5", "nfdump file", Some("write its flows with `nfdump -o csv`")),
    (b"\x89PNG\r\n", "PNG image", None),
    (b"\xff\xd8\xff", "JPEG image", None),
    (b"GIF8", "GIF image", None),
    (b"%PDF-", "PDF document", None),
    (b"\x7fELF", "ELF program", None),
    (b"SQLite format 3\0", "SQLite database", None),
    (b"\xff\xfe", "text in UTF-16", ENCODE),
    (b"\xfe\xff", "text in UTF-16", ENCODE),
];

const DECOMPRESS: Option<&str> = Some("decompress it first; gzip and zstd are read as they are");
const UNPACK: Option<&str> = Some("unpack it first");
const CONVERT: Option<&str> = Some("convert it with `editcap -F pcapng`");
const ENCODE: Option<&str> = Some("write it as UTF-8");

fn unrecognised(head: &[u8]) -> SourceError {
    let stranger = STRANGERS.iter().find(|(magic, ..)| head.starts_with(magic));
    let (looks_like, help) = match stranger {
        _ if head.is_empty() => ("empty file", None),
        Some((_, looks_like, help)) => (*looks_like, *help),
        None if head.get(257..262) == Some(b"ustar") => ("tar archive", UNPACK),
        None if head.iter().all(|octet| *octet == 0) => ("nothing but zeros", None),
        None if is_text(head) => match head.trim_ascii_start().first() {
            Some(b'{' | b'[') => ("JSON of an unknown shape", None),
            Some(b'<') => ("HTML or XML", None),
            _ => (
                "text of an unknown shape",
                Some("AWS VPC flow logs are read with their header line, or in the default format"),
            ),
        },
        None => ("binary data of an unknown format", None),
    };
    SourceError::NotRecognised { looks_like, help }
}

/// Whether it is UTF-8 without control characters but white space. The head may end within a character.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            head.get(..error.valid_up_to()).map_or("", |valid| std::str::from_utf8(valid).unwrap_or(""))
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}
