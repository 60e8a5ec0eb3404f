//! Parquet files, which are read from their end: where their octets come from, and bounds on what strangers' files can ask for.
//!
//! A file is read in place. What comes from a stream, or was compressed as a whole, is kept in memory up to [`MAX_KEPT`].
//!
//! The `parquet` crate believes page headers. So that a small file cannot grow, every page header is looked at before it:
//! pages of more than [`MAX_PAGE`] octets are refused, compressed or not, and gzip data, which that crate would inflate to
//! its end, is inflated here first, to nowhere, up to that limit.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::{Buf, Bytes};
use flate2::read::GzDecoder;
use memchr::memmem;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::SourceError;
use super::compression::Unwrapped;

/// The most octets of a Parquet file that are kept in memory: what a stream or compressed input can be.
pub(super) const MAX_KEPT: usize = 256 * 1024 * 1024;

/// The most octets of a page, before and after it is inflated. Writers aim at one mebibyte.
const MAX_PAGE: usize = 64 * 1024 * 1024;

/// The most octets at the end that describe the file.
const MAX_FOOTER: usize = MAX_PAGE;

/// How many beginnings of gzip data are looked for in a page. There is one; levels before it can look like another.
const MAX_GZIP: usize = 4;

/// How every Parquet file begins and ends.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// The octets of a Parquet file.
pub(super) enum Seekable {
    File { file: File, length: u64 },
    Kept(Bytes),
}

impl Seekable {
    /// Of the file, if there is one and it is not compressed; else of what is read.
    pub(super) fn new(input: Unwrapped, file: Option<File>) -> std::result::Result<Self, SourceError> {
        if let Some(file) = file
            && input.layers.is_empty()
            && let Ok(about) = file.metadata()
            && about.is_file()
        {
            return Ok(Self::File { file, length: about.len() });
        }
        let mut kept = Vec::new();
        let read = input.reader.take(MAX_KEPT as u64 + 1).read_to_end(&mut kept);
        read.map_err(|error| SourceError::reading(kept.len() as u64, error))?;
        if kept.len() > MAX_KEPT {
            return Err(SourceError::NotSeekable { format: "Parquet file", limit: MAX_KEPT });
        }
        Ok(Self::Kept(kept.into()))
    }
}

impl Seekable {
    /// Whether the first octets are these.
    pub(super) fn begins_with(&self, magic: &[u8]) -> bool {
        let mut head = vec![0; magic.len()];
        let count = self.at(0).and_then(|mut reader| Ok(filled(&mut reader, &mut head)?));
        count.is_ok_and(|count| count == magic.len()) && head == magic
    }
}

impl Length for Seekable {
    fn len(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Kept(octets) => octets.len() as u64,
        }
    }
}

fn refused(reason: &str) -> ParquetError {
    ParquetError::General(reason.to_owned())
}

impl ChunkReader for Seekable {
    type T = Box<dyn Read>;

    /// Called for page headers and for the last octets of the file.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut head = [0; 32];
        let mut reader = self.at(start)?;
        let count = filled(&mut reader, &mut head)?;
        let head = head.get(..count).unwrap_or_default();
        // The end of the file: the length of its description, and the magic number.
        if start.checked_add(8) != Some(self.len()) {
            let sizes = page_sizes(head).ok_or_else(|| refused("a page header of an unknown form"))?;
            if sizes.iter().any(|size| *size > MAX_PAGE as u64) {
                return Err(refused("a page larger than the limit"));
            }
        }
        Ok(Box::new(Read::chain(io::Cursor::new(head.to_vec()), reader)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.len());
        if end.is_none() || length > MAX_FOOTER {
            return Err(refused("a part that lies outside the file, or is larger than the limit"));
        }
        let octets = match self {
            Self::File { .. } => {
                let mut octets = Vec::with_capacity(length);
                self.at(start)?.take(length as u64).read_to_end(&mut octets)?;
                Bytes::from(octets)
            }
            Self::Kept(octets) => octets.slice(start as usize..start as usize + length),
        };
        if octets.len() != length {
            return Err(refused("the file became shorter"));
        }
        for begin in memmem::find_iter(&octets, b"\x1f\x8b\x08").take(MAX_GZIP) {
            let inflated = GzDecoder::new(octets.get(begin..).unwrap_or_default());
            // What is no gzip data fails here, and where it should be there fails again.
            let count = io::copy(&mut inflated.take(MAX_PAGE as u64 + 1), &mut io::sink()).unwrap_or(0);
            if count > MAX_PAGE as u64 {
                return Err(refused("a page larger than the limit"));
            }
        }
        Ok(octets)
    }
}

impl Seekable {
    fn at(&self, start: u64) -> Result<Box<dyn Read>> {
        match self {
            Self::File { file, .. } => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(start))?;
                Ok(Box::new(io::BufReader::new(file)))
            }
            Self::Kept(octets) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(octets.len());
                Ok(Box::new(octets.slice(start..).reader()))
            }
        }
    }
}

fn filled(reader: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    loop {
        match reader.read(into.get_mut(count..).unwrap_or_default()) {
            Ok(0) => return Ok(count),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The sizes of a page, inflated and not, that its header begins with: fields 2 and 3 after field 1, the type, all of them
/// numbers of 32 bits in Thrift's compact protocol (parquet.thrift, `PageHeader`).
fn page_sizes(header: &[u8]) -> Option<[u64; 2]> {
    const NEXT_I32: u8 = 0x15;
    let mut octets = header.iter();
    let mut number = || {
        if octets.next() != Some(&NEXT_I32) {
            return None;
        }
        let mut value = 0u64;
        for place in 0..10 {
            let octet = *octets.next()?;
            value |= u64::from(octet & 0x7f).checked_shl(7 * place)?;
            if octet < 0x80 {
                // Zigzag; what is negative becomes too large.
                return Some(if value & 1 == 0 { value >> 1 } else { u64::MAX });
            }
        }
        None
    };
    let _type = number()?;
    Some([number()?, number()?])
}
