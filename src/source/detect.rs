//! What an input is, by its content.

use std::fs::File;

use super::capture::{Capture, CaptureFormat, CaptureSource};
use super::cloud::aws::{self, AwsFlowLog};
use super::cloud::{azure, cloudwatch, gcp, oci};
use super::compression::Unwrapped;
use super::export::{self, TelemetryCapture, TelemetryFile};
use super::log::{hubble, nfdump, nprobe, suricata, zeek};
use super::{Options, Source, SourceError};
#[cfg(feature = "parquet")]
use super::{archive, cloud::aws_parquet, seekable, table};
use crate::model::InputId;

/// An input about to be read, its compression taken off.
struct Opening<'a> {
    id: InputId,
    name: &'a str,
    input: Unwrapped,
    /// The file that `input` reads, where it is one.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only Parquet is read from its end"))]
    file: Option<File>,
    options: &'a Options,
    beside: Option<zeek::Named>,
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
    #[cfg(feature = "parquet")]
    Format { name: aws_parquet::KIND, looks_like: |head| head.starts_with(seekable::MAGIC), open: open_aws_parquet },
    Format { name: cloudwatch::KIND, looks_like: cloudwatch::looks_like, open: open_cloudwatch },
    Format { name: azure::KIND, looks_like: azure::looks_like, open: open_azure },
    Format { name: gcp::KIND, looks_like: gcp::looks_like, open: open_gcp },
    Format { name: oci::KIND, looks_like: oci::looks_like, open: open_oci },
    Format { name: export::KIND, looks_like: export::looks_like, open: open_telemetry },
    // A capture of telemetry is a capture too: only the user can say which of the two is meant.
    Format { name: "telemetry-capture", looks_like: |_| false, open: open_telemetry_capture },
    Format { name: zeek::KIND, looks_like: zeek::looks_like, open: open_zeek },
    Format { name: suricata::KIND, looks_like: suricata::looks_like, open: open_suricata },
    Format { name: nfdump::CSV, looks_like: nfdump::looks_like_csv, open: open_nfdump_csv },
    Format { name: nfdump::JSON, looks_like: nfdump::looks_like_json, open: open_nfdump_json },
    Format { name: nprobe::KIND, looks_like: nprobe::looks_like, open: open_nprobe },
    Format { name: hubble::KIND, looks_like: hubble::looks_like, open: open_hubble },
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
    file: Option<File>,
    options: &Options,
    beside: Option<zeek::Named>,
) -> Result<Box<dyn Source>, SourceError> {
    let named = |name: &str| FORMATS.iter().find(|format| format.name == name);
    let format = match options.format {
        Some(InputFormat(forced)) => named(forced),
        None => FORMATS.iter().find(|format| (format.looks_like)(&input.head)),
    };
    // Lines in an order that only the user knows look like nothing.
    let format = format.or_else(|| match &options.fields {
        Some(_) if cloudwatch::has_messages(&input.head) => named(cloudwatch::KIND),
        Some(_) if is_text(&input.head) && !is_json(&input.head) => named(aws::KIND),
        _ => None,
    });
    match format {
        Some(format) => (format.open)(Opening { id, name, input, file, options, beside }),
        None => Err(unrecognised(&input.head)),
    }
}

fn open_capture(Opening { id, name, input, options, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let Some(format) = CaptureFormat::of(&input.head) else { return Err(unrecognised(&input.head)) };
    let kind = input.kind(format.name());
    let capture = Capture::open(format, input.reader)?;
    Ok(Box::new(CaptureSource::new(id, name, kind, capture, options)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_aws(Opening { id, name, input, options, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(aws::KIND);
    Ok(Box::new(AwsFlowLog::new(id, name, input.reader, options).of_kind(kind)))
}

#[cfg(feature = "parquet")]
fn open_aws_parquet(Opening { id, name, input, file, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(aws_parquet::KIND);
    let table = table::Table::open(seekable::Seekable::new(input, file)?)?;
    if let Some(label) = archive::label(&table) {
        label?;
        // The plan of a run finds the files of an archive, and opens them by their inputs.
        return Err(SourceError::NotRecognised {
            looks_like: "a file of an archive, compressed or from a stream",
            help: Some("archives are read from their folder"),
        });
    }
    Ok(Box::new(aws_parquet::AwsParquet::new(id, name, kind, table)?))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_cloudwatch(Opening { id, name, input, options, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(cloudwatch::open(id, name, input.kind(cloudwatch::KIND), input.reader, options))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_azure(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(azure::open(id, name, input.kind(azure::KIND), input.reader))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_gcp(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(gcp::open(id, name, input.kind(gcp::KIND), input.reader))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_oci(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(oci::open(id, name, input.kind(oci::KIND), input.reader))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_telemetry(Opening { id, name, input, options, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(export::KIND);
    Ok(Box::new(TelemetryFile::new(id, name, &kind, input.reader, options)))
}

fn open_telemetry_capture(
    Opening { id, name, input, options, .. }: Opening<'_>,
) -> Result<Box<dyn Source>, SourceError> {
    let Some(format) = CaptureFormat::of(&input.head) else { return Err(unrecognised(&input.head)) };
    let kind = input.kind(&format!("{} in {}", export::KIND, format.name()));
    let capture = Capture::open(format, input.reader)?;
    Ok(Box::new(TelemetryCapture::new(id, name, &kind, capture, options)))
}

fn open_zeek(Opening { id, name, input, beside, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(zeek::ZeekConn::open(id, name, input, beside)?))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_suricata(Opening { id, name, input, options, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(suricata::SuricataEve::new(id, name, input, options)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_nfdump_csv(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    let kind = input.kind(nfdump::CSV);
    Ok(Box::new(nfdump::NfdumpCsv::new(id, name, kind, input.reader)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_nfdump_json(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(nfdump::open_json(id, name, input)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_nprobe(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(nprobe::open(id, name, input)))
}

#[expect(clippy::unnecessary_wraps, reason = "other formats can refuse an input")]
fn open_hubble(Opening { id, name, input, .. }: Opening<'_>) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(hubble::open(id, name, input)))
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
    (b"PAR1", "Parquet file", Some("this build reads none: feature `parquet`")),
    (b"snoop\0\0\0", "snoop capture", CONVERT),
    (b"GMBU", "Microsoft Network Monitor capture", CONVERT),
    (b"RTSS", "Microsoft Network Monitor capture", CONVERT),
    (b"\x1c\x00\x01\xac", "capture in the pcap variant of Ixia", CONVERT),
    (b"\xac\x01\x00\x1c", "capture in the pcap variant of Ixia", CONVERT),
    (b"\x0c\xa5", "nfdump file", Some("write its flows with `nfdump -o json`")),
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
            Some(b'{' | b'[') => ("JSON of an unknown shape", Some(JSON)),
            Some(b'<') => ("HTML or XML", None),
            _ => (
                "text of an unknown shape",
                Some(
                    "AWS flow logs are read with their header line, in the default format of version 2, or in the order that \
                     `--fields` says",
                ),
            ),
        },
        None => ("binary data of an unknown format", None),
    };
    SourceError::NotRecognised { looks_like, help }
}

const JSON: &str = "flow logs of Azure, Google Cloud and Oracle Cloud are read, and those of AWS as CloudWatch wraps them; \
                    `--fields` says the order where that is not the default";

fn is_json(head: &[u8]) -> bool {
    matches!(head.trim_ascii_start().first(), Some(b'{' | b'['))
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
