//! Every input as a stream of flow records.
//!
//! A capture is a source with a [`Meter`](crate::meter::Meter) inside. What an input is, is told by its content
//! ([`open`]), never by its name: a `.gz` that is not compressed is read as it is, and the reverse.

use std::fs::File;
use std::io::{self, Read};

use crate::meter::MeterConfig;
use crate::model::{Batch, Coverage, InputCoverage, InputId};

#[cfg(feature = "parquet")]
pub mod archive;
pub mod capture;
pub mod cloud;
pub mod compression;
mod detect;
pub mod export;
mod first_object;
mod lacks;
mod lines;
pub mod log;
mod members;
mod objects;
mod opened;
#[cfg(feature = "parquet")]
mod seekable;
#[cfg(feature = "parquet")]
mod table;

use cloud::aws::FieldOrder;
use compression::{Compression, InflateError};

pub use detect::InputFormat;

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call again.
    More,
    /// Nothing now; call again later (live inputs).
    Idle,
    /// The input has ended and every record was given.
    End,
}

/// A stream of flow records.
pub trait Source: Send {
    /// Appends the next records to the batch.
    ///
    /// An error ends the source, and is returned once: by then what was still held (flows that have not ended) has been
    /// appended too, everything in the batch is valid, and the error stands in words in [`InputCoverage::error`]. A call
    /// after that gives [`Progress::End`]. An input that breaks off in the middle of a record is not an error: it ends,
    /// with [`InputCoverage::truncated_at`]. What cannot be used is not an error either: it is counted.
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError>;

    /// What was read so far and what of it could not be used.
    fn coverage(&self) -> InputCoverage;

    /// What is known of all inputs that the records are of: of this one, `id`; or, of an archive, of those that it was made
    /// of.
    fn inputs(&self, id: InputId) -> Coverage {
        Coverage::of(id, self.coverage())
    }
}

/// How inputs are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Timeouts and limits of metering.
    pub meter: MeterConfig,
    /// The most octets that a compressed input may grow to.
    pub max_inflate: u64,
    /// The format of every input, where the user says it; `None` to tell it by content.
    pub format: Option<InputFormat>,
    /// What stands where in AWS flow logs without a header line; `None` for the default format alone.
    pub fields: Option<FieldOrder>,
    /// Whether what names their content is taken on the way; by whoever opens them, no format does.
    pub digests: Digests,
}

/// Whether inputs get a digest as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Digests {
    /// They do not.
    #[default]
    Left,
    /// Every input that has an end, and is read to it.
    Taken,
}

impl Options {
    /// 1 TiB: beyond what is kept in one compressed capture, and an end to what only pretends to be one.
    pub const MAX_INFLATE: u64 = 1 << 40;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            meter: MeterConfig::default(),
            max_inflate: Self::MAX_INFLATE,
            format: None,
            fields: None,
            digests: Digests::Left,
        }
    }
}

/// Why an input cannot be read, or not to its end.
///
/// Offsets count octets from the start of the input, from zero; in a compressed input, of its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Reading failed.
    #[error("reading failed at octet {offset}")]
    Io {
        /// How many octets had been read.
        offset: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The content is of no format that is read.
    #[error("not a capture or flow log: {looks_like}")]
    NotRecognised {
        /// What the first octets look like: `empty file`, `text`, `PNG image`.
        looks_like: &'static str,
        /// What can be done about it.
        help: Option<&'static str>,
    },
    /// The content contradicts its format, so that nothing after this place can be trusted.
    #[error("malformed at octet {offset}: {reason}")]
    Format {
        /// Where the record begins that is malformed.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A table's rows cannot be read on.
    #[error("malformed after row {row}: {reason}")]
    Rows {
        /// How many rows were read before.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// Compressed content is damaged or breaks off.
    #[error("the {kind} data breaks off or is damaged after {offset} octets of content")]
    Compressed {
        /// How much could be decompressed before.
        offset: u64,
        /// The compression.
        kind: Compression,
        /// What the decompressor says.
        #[source]
        source: io::Error,
    },
    /// A format that is read from its end comes from where only the beginning can be read, and is too long to be kept.
    #[error("a {format} longer than {limit} octets can only be read from a file that is not compressed")]
    NotSeekable {
        /// The format.
        format: &'static str,
        /// How much is kept in memory.
        limit: usize,
    },
    /// Compressed content grows beyond the limit ([`Options::max_inflate`]).
    #[error("the content grows beyond the limit of {limit} octets when it is decompressed")]
    InflateLimit {
        /// The limit.
        limit: u64,
    },
}

impl SourceError {
    /// What went wrong when a reader failed after `offset` octets: the system, the compressed data or the limit.
    ///
    /// Every format reads through [`open`], whose decompression reports by way of [`io::Error`]; this takes it apart.
    pub fn reading(offset: u64, error: io::Error) -> Self {
        match error.downcast::<InflateError>() {
            Ok(InflateError::Limit { limit }) => Self::InflateLimit { limit },
            Ok(InflateError::Damaged { kind, source }) => Self::Compressed { offset, kind, source },
            Err(source) => Self::Io { offset, source },
        }
    }

    /// What can be done about it, where something can.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::NotRecognised { help, .. } => *help,
            _ => None,
        }
    }

    pub(crate) fn format(offset: u64, reason: impl Into<String>) -> Self {
        Self::Format { offset, reason: reason.into() }
    }
}

/// Opens an input by its content.
///
/// What lies beside it and names its flows is not known here: [`open_beside`].
///
/// Content compressed by gzip or zstd is decompressed, twice at most. `name` is for the coverage alone.
pub fn open(
    id: InputId,
    name: &str,
    reader: Box<dyn Read + Send>,
    options: &Options,
) -> Result<Box<dyn Source>, SourceError> {
    detect::source(id, name, compression::unwrap(reader, options.max_inflate)?, None, options, None)
}

/// Opens an input as [`open`] does, and hands `file` to a format that is read from its end. `reader` reads the same file
/// from its start; only one of the two is used once the format is known.
pub fn open_file(
    id: InputId,
    name: &str,
    file: File,
    reader: Box<dyn Read + Send>,
    options: &Options,
) -> Result<Box<dyn Source>, SourceError> {
    detect::source(id, name, compression::unwrap(reader, options.max_inflate)?, Some(file), options, None)
}

/// [`open`] with the names of flows that logs beside the input hold, where its format can use them.
pub fn open_beside(
    id: InputId,
    name: &str,
    reader: Box<dyn Read + Send>,
    options: &Options,
    beside: log::zeek::Named,
) -> Result<Box<dyn Source>, SourceError> {
    detect::source(id, name, compression::unwrap(reader, options.max_inflate)?, None, options, Some(beside))
}
