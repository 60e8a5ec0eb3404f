//! Every input as a stream of flow records.
//!
//! A capture is a source with a [`Meter`](crate::meter::Meter) inside. What an input is, is told by its content
//! ([`open`]), never by its name.

pub mod cloud;

use crate::meter::MeterConfig;
use crate::model::{Batch, InputCoverage, InputId};

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
    /// Appends the next records to the batch. An error ends the source; what was appended before it is valid, and what is
    /// still held (flows that have not ended) is appended too. What cannot be used is not an error: it is counted.
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError>;

    /// What was read so far and what of it could not be used.
    fn coverage(&self) -> InputCoverage;
}

/// How inputs are read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Timeouts and limits of metering.
    pub meter: MeterConfig,
    /// The most octets that a compressed input may grow to.
    pub max_inflate: u64,
}

/// Why an input cannot be read, or not to its end.
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
        source: std::io::Error,
    },
}

/// Opens an input by its content.
pub fn open(
    id: InputId,
    name: &str,
    reader: Box<dyn std::io::Read + Send>,
    options: &Options,
) -> Result<Box<dyn Source>, SourceError> {
    let _ = (id, name, reader, options);
    unimplemented!()
}
