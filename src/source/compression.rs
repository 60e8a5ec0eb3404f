//! Compressed content, told by its first octets: gzip (RFC 1952) and zstd (RFC 8878).

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use super::SourceError;

/// How many octets of an input are looked at to tell what it is.
pub const HEAD: usize = 8 * 1024;

/// The most layers of compression that are taken off: a capture that was compressed, in a download that was compressed.
pub const MAX_LAYERS: usize = 2;

/// The largest window that zstd data may ask for, as a power of two: 128 MiB, the format's own recommendation
/// (RFC 8878 section 3.1.1.1.2 asks for at least 8 MB).
const ZSTD_WINDOW_LOG: u32 = 27;

/// How much compressed content is read at once.
const READ: usize = 128 * 1024;

/// A compression that is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
}

impl Compression {
    /// The compression of content that begins with `head`.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// An input without its compression.
pub struct Unwrapped {
    /// The first octets of the content, at most [`HEAD`]; `reader` gives them again.
    pub head: Vec<u8>,
    /// The content, from its start.
    pub reader: Box<dyn Read + Send>,
    /// What was taken off, from the outside in; at most [`MAX_LAYERS`].
    pub layers: Vec<Compression>,
}

impl Unwrapped {
    /// The name of a format with its wrapping: `pcap`, `pcap in gzip`.
    pub fn kind(&self, format: &str) -> String {
        self.layers.iter().rev().fold(format.to_owned(), |kind, layer| format!("{kind} in {layer}"))
    }
}

/// Takes the compression off an input. No layer may grow beyond `max_inflate` octets.
pub fn unwrap(reader: Box<dyn Read + Send>, max_inflate: u64) -> Result<Unwrapped, SourceError> {
    let mut layers = Vec::new();
    let (mut head, mut reader) = peek(reader)?;
    while let Some(kind) = Compression::of(&head) {
        if layers.len() == MAX_LAYERS {
            let looks_like = "compressed more than twice";
            return Err(SourceError::NotRecognised { looks_like, help: Some("decompress it first") });
        }
        layers.push(kind);
        let compressed = BufReader::with_capacity(READ, reader);
        let decoder: Box<dyn Read + Send> = match kind {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(compressed)),
            Compression::Zstd => {
                let failed = |source| SourceError::Compressed { offset: 0, kind, source };
                let mut decoder = zstd::Decoder::with_buffer(compressed).map_err(failed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
                Box::new(decoder)
            }
        };
        (head, reader) = peek(Box::new(Inflate { decoder, kind, limit: max_inflate, left: max_inflate }))?;
    }
    Ok(Unwrapped { head, reader, layers })
}

/// What decompression says by way of [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub(super) enum InflateError {
    #[error("more than {limit} octets of content")]
    Limit { limit: u64 },
    #[error("damaged {kind} data")]
    Damaged { kind: Compression, source: io::Error },
}

/// A decoder that stops at a limit and names itself in its errors.
struct Inflate {
    decoder: Box<dyn Read + Send>,
    kind: Compression,
    limit: u64,
    left: u64,
}

impl Inflate {
    /// The system's errors and those of a layer below are passed on; what remains is the decoder's own.
    fn blame(&self, error: io::Error) -> io::Error {
        let is_ours = error.get_ref().is_some_and(|inner| inner.downcast_ref::<InflateError>().is_some());
        if is_ours || error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        io::Error::new(error.kind(), InflateError::Damaged { kind: self.kind, source: error })
    }
}

impl Read for Inflate {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // Exactly as much as the limit is allowed; one octet more is not.
            return match self.decoder.read(&mut [0; 1]) {
                Ok(0) => Ok(0),
                Ok(_) => Err(io::Error::other(InflateError::Limit { limit: self.limit })),
                Err(error) => Err(self.blame(error)),
            };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let Some(out) = out.get_mut(..most) else { return Ok(0) };
        let read = self.decoder.read(out).map_err(|error| self.blame(error))?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// Reads the head of an input, and gives the input with its head again.
fn peek(mut reader: Box<dyn Read + Send>) -> Result<(Vec<u8>, Box<dyn Read + Send>), SourceError> {
    let mut head = Vec::with_capacity(HEAD);
    let result = (&mut reader).take(HEAD as u64).read_to_end(&mut head);
    let failed = match result {
        Ok(_) => None,
        Err(error) if head.is_empty() => return Err(SourceError::reading(0, error)),
        Err(error) => Some(error),
    };
    let again = Again { head: Cursor::new(head.clone()), failed, reader };
    Ok((head, Box::new(again)))
}

/// An input of which the head was read before, and perhaps an error after it: everything comes again, in its place.
struct Again {
    head: Cursor<Vec<u8>>,
    failed: Option<io::Error>,
    reader: Box<dyn Read + Send>,
}

impl Read for Again {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.head.read(out) {
            Ok(0) => match self.failed.take() {
                Some(error) => Err(error),
                None => self.reader.read(out),
            },
            read => read,
        }
    }
}
