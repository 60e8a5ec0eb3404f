//! Archives of flow records: what was read once, ready to be judged again, as Parquet.
//!
//! An archive is a folder: one file an hour, by the start of the records, and `inputs.parquet`, which is written last.
//!
//! ```text
//! DIR/date=2026-03-01/hour=14/flows.parquet    records that start between 14:00 and 15:00 UTC
//! DIR/inputs.parquet                           what each input held, and what of it could not be used
//! ```
//!
//! Other programs read it too: `SELECT * FROM read_parquet('DIR/*/*/*.parquet', hive_partitioning = true)`.
//!
//! **What a file says of itself** (key-value metadata): `landfall.table` is `flows` or `inputs`; `landfall.version` is
//! [`VERSION`]; `landfall.archive` is the SHA-256 of what `inputs.parquet` says, the same in all files of an archive;
//! `landfall.inputs` is one more than the greatest number of an input. `inputs.parquet` has `landfall.files` besides: paths
//! from its folder, each with the number of records and the SHA-256 of the file, so that a file that is missing or damaged is
//! missed. By this an archive is told, never by its name. Columns are added
//! within a version, and those that are not known are named in the report; one that changes its meaning or goes makes a new
//! version, which this program does not read.
//!
//! **A run that is killed** leaves `DIR.partial` and no `DIR`: the next run into the same folder says so and does nothing. What
//! is in it is told as a part. A folder with anything in it is not written into: archives do not mix.
//!
//! **`flows`**: one row a record, sorted by start, input, position, then by all else, so that the same inputs give the same
//! octets. Null stands for what is not known. Counts beyond 2^63 are kept as unsigned numbers.
//!
//! | column | |
//! |---|---|
//! | `start`, `end` | first and last packet: nanoseconds since the epoch, UTC |
//! | `src`, `sport`, `dst`, `dport`, `protocol` | the 5-tuple; ports and protocol are numbers of IANA's |
//! | `biflow_direction` | IE 239: 0 not known who opened, 1 the source, 2 the destination, 3 perimeter |
//! | `flow_end_reason` | IE 136, 1 to 5 |
//! | `octets`, `packets`, `payload` | what the source sent: IP octets, packets, octets of transport payload |
//! | `roctets`, `rpackets`, `rpayload` | the same of the destination |
//! | `sampling_interval` | one packet in so many was sampled; the counts are scaled |
//! | `rtt_us`, `rtt_samples` | least round-trip time from the observation point to the source, of so many samples |
//! | `rrtt_us`, `rrtt_samples` | the same to the destination |
//! | `flags` | bits: 1 payload is not counted, 2 one direction a record, 4 rejected, 8 later fragments, 16 not counted, 32 the source moved payload before, 64 the destination did, 128 begun and counted later |
//! | `tunnel` | what it is a tunnel of, as in `landfall flows` |
//! | `name`, `name_from` | the name by which the destination was asked for, and how it was seen |
//! | `input`, `input_number`, `position` | where it was read: the name of the input and its number in `inputs`; the frame, line or row, from one |
//!
//! **`inputs`**: `number`, `name`, `kind`, and `coverage`, the JSON of the input as in a report.
//!
//! The audit of an archive is that of the inputs: the same findings, totals, inventory and coverage. What the auditor adds
//! is not in it, since that depends on the policy.

mod read;
mod row;
mod write;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use parquet::file::reader::Length as _;
use sha2::{Digest, Sha256};

use super::SourceError;
use super::seekable::{MAGIC, Seekable};
use super::table::Table;
use crate::model::InputId;

pub use read::{Rows, open};
pub use row::Row;
pub use write::{FlowsWriter, Kept, write_inputs};

/// The version of both tables.
pub const VERSION: u32 = 1;

/// The name of the format in reports.
pub const KIND: &str = "landfall-archive";

/// The file that says what the inputs held.
pub const INPUTS: &str = "inputs.parquet";

/// The most octets of the name of an input: a path, of which octets that are no text take three.
const MAX_INPUT_NAME: usize = 16 * 1024;
/// The most octets of a name that a far end was asked for by (RFC 1035 has 255).
const MAX_NAME: usize = 1024;
/// The most octets that `inputs` may grow to in memory.
const MAX_COVERAGE: usize = 256 * 1024 * 1024;
/// The most files of an archive: more than eleven years of hours.
pub const MAX_FILES: usize = 100_000;

/// Keys of the metadata.
const TABLE: &str = "landfall.table";
const KEY_VERSION: &str = "landfall.version";
const ARCHIVE: &str = "landfall.archive";
const COUNT: &str = "landfall.inputs";
const FILES: &str = "landfall.files";

/// Which table a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Flow records.
    Flows,
    /// Flow records on their way into an archive that was not finished.
    Unsorted,
    /// What the inputs held.
    Inputs,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Unsorted => "unsorted",
            Self::Inputs => "inputs",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Flows, Self::Unsorted, Self::Inputs].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a file of an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which table it holds.
    pub kind: Kind,
    /// The archive that it is of.
    pub archive: String,
    /// One more than the greatest number of an input.
    pub inputs: u32,
}

/// A file as `inputs` names it: its path, how many records it holds, and its SHA-256.
pub type Listed = (String, u64, String);

/// What is written, with its digest.
pub struct Digesting<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Digesting<W> {
    /// Of nothing yet.
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// What was written to, and the SHA-256 of what was written.
    pub fn finish(self) -> (W, String) {
        (self.inner, hex(&self.hash.finalize()))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(octets)?;
        self.hash.update(octets.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(digest: &[u8]) -> String {
    let mut text = String::new();
    for octet in digest {
        // A string takes all that is written to it.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// What an archive's file is of, as the plan of a run found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the file said of itself.
    pub label: Label,
    /// The first of as many inputs as the label says: those that the archive was made of have their numbers from here.
    pub base: InputId,
    /// Whether the inputs' coverage is read with it.
    pub inputs: Beside,
    /// The SHA-256 that `inputs` says it has.
    pub digest: Option<String>,
}

/// Whether `inputs` of the same archive is read in the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// It is.
    There,
    /// It is not: what else the inputs held is not known.
    Missing,
}

/// What the plan of a run has to know of a file of an archive.
#[derive(Clone, Debug)]
pub struct Look {
    /// What it says of itself.
    pub label: Label,
    /// How many rows it has.
    pub rows: u64,
    /// The files of the archive; empty but for `inputs`.
    pub files: Vec<Listed>,
}

/// Looks whether a file is of an archive. `None` for everything else, and for what cannot be read: that is told where it is
/// opened as a source.
pub fn look(path: &Path) -> Option<Look> {
    // What is read of a pipe is gone.
    if !std::fs::metadata(path).is_ok_and(|about| about.is_file()) {
        return None;
    }
    let table = table(File::open(path).ok()?).ok()??;
    let label = label(&table)?.ok()?;
    let files = if label.kind == Kind::Inputs { serde_json::from_str(table.about(FILES)?).ok()? } else { Vec::new() };
    Some(Look { label, rows: table.rows(), files })
}

/// The table in a file; `None` where it is no Parquet file.
fn table(file: File) -> Result<Option<Table>, SourceError> {
    let length = file.metadata().map_err(|error| SourceError::reading(0, error))?.len();
    let octets = Seekable::File { file, length };
    let begins = octets.len() > MAGIC.len() as u64 && octets.begins_with(MAGIC);
    if begins { Table::open(octets).map(Some) } else { Ok(None) }
}

/// What a table says of itself: `None` where it is of no archive, an error where it is of one that is not read.
pub(super) fn label(table: &Table) -> Option<Result<Label, SourceError>> {
    let kind = table.about(TABLE)?;
    let refused = |reason: String| Some(Err(SourceError::format(0, reason)));
    let version = table.about(KEY_VERSION).unwrap_or_default();
    if version.parse() != Ok(VERSION) {
        return refused(format!("an archive of version `{version}`: version {VERSION} is read"));
    }
    let Some(kind) = Kind::of_name(kind) else { return refused(format!("an archive's table `{kind}` is not known")) };
    let archive = table.about(ARCHIVE).unwrap_or_default();
    let is_digest = archive.len() == 64 && archive.bytes().all(|octet| octet.is_ascii_hexdigit());
    let inputs = table.about(COUNT).and_then(|count| count.parse().ok());
    match inputs.filter(|_| is_digest) {
        Some(inputs) => Some(Ok(Label { kind, archive: archive.to_owned(), inputs })),
        None => refused("an archive without its digest or the number of its inputs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page above is the documentation of the schema: every column is on it.
    #[test]
    fn every_column_is_documented() {
        let page: String = include_str!("mod.rs").lines().take_while(|line| line.starts_with("//!")).collect();
        for table in [row::SCHEMA, write::INPUTS_SCHEMA] {
            let columns = write::schema(table).unwrap();
            for column in columns.get_fields() {
                assert!(page.contains(&format!("`{}`", column.name())), "`{}` is not documented", column.name());
            }
        }
        assert_eq!(VERSION, 1, "a new version is told apart from this one, and this one is still read");
    }
}
