//! Flow records on their way into an archive: sorted outside memory, written by the hour.
//!
//! Inputs come in any order, on several threads, and records in no order of time. They are gathered up to a maximum, sorted
//! and put aside; at the end what was put aside is merged, a few files at once, and written file by file: never more than
//! one hour is open, and the octets do not depend on threads.
//!
//! An archive goes into a folder that does not exist or is empty, never among other files, and stands in its place as a whole
//! or not at all ([`Folder`]).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::errors::ParquetError;

use super::folder::{Folder, FolderError};
use crate::model::{Batch, Coverage, FlowRecord, InputId, Timestamp};
use crate::source::SourceError;
use crate::source::archive::{Digesting, FlowsWriter, INPUTS, Kept, Label, Listed, MAX_FILES, Row, Rows, write_inputs};

/// The most records that are held in memory before they are sorted and put aside: about 40 MB.
const MAX_HELD: usize = 1 << 18;

/// The most files that are merged at once.
const FAN_IN: usize = 32;

/// The folder of what is put aside.
const ASIDE: &str = "aside";

/// Nanoseconds in an hour.
const HOUR: u64 = 3600 * Timestamp::SECOND;

/// Why an archive cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be written or read again.
    #[error("cannot write `{path}`")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A table cannot be written.
    #[error("cannot write `{path}`")]
    Table {
        /// The file.
        path: String,
        /// What is wrong.
        source: ParquetError,
    },
    /// What was put aside cannot be read again.
    #[error("cannot read `{path}` again")]
    Aside {
        /// The file.
        path: String,
        /// What is wrong.
        source: SourceError,
    },
    /// Records are of more hours than there can be files.
    #[error(
        "flow records of more than {MAX_FILES} hours: the times of the inputs are wrong, or they are to be archived in parts"
    )]
    TooManyHours,
}

/// A file that is being written.
type Out = Digesting<BufWriter<File>>;

/// What became of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// How many files of flow records it has.
    pub files: usize,
    /// How many flow records.
    pub records: u64,
}

/// An archive that is being made. Threads share it.
pub struct Spool {
    folder: Folder,
    max_held: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    rows: Vec<Row>,
    coverage: Coverage,
    aside: Vec<PathBuf>,
    /// How many files were put aside, for their names.
    numbered: u64,
    /// The first thing that went wrong: nothing is taken after it.
    error: Option<ArchiveError>,
    /// The name of the input that the last records came from.
    last: Option<(InputId, Arc<str>)>,
}

impl Spool {
    /// Begins an archive in a folder that does not exist or is empty.
    pub fn create(folder: &Path) -> Result<Self, ArchiveError> {
        Self::holding(folder, MAX_HELD)
    }

    fn holding(folder: &Path, max_held: usize) -> Result<Self, ArchiveError> {
        Ok(Self { folder: Folder::claim(folder)?, max_held, held: Mutex::default() })
    }

    /// Takes the records of a batch; `input` is the name of what was read. What goes wrong is told by [`finish`](Self::finish).
    pub fn take(&self, input: &str, batch: &Batch) {
        let mut held = self.held();
        if held.error.is_some() {
            return;
        }
        for record in &batch.records {
            let id = record.provenance.input();
            let known = held.last.as_ref().filter(|(last, _)| *last == id).map(|(_, name)| Arc::clone(name));
            let name = known.unwrap_or_else(|| batch.origin(id).unwrap_or(input).into());
            held.last = Some((id, Arc::clone(&name)));
            let asked = record.name.and_then(|id| batch.name(id)).cloned();
            held.rows.push(Row { record: FlowRecord { name: None, ..*record }, name: asked, input: name });
            if held.rows.len() >= self.max_held
                && let Err(error) = self.put_aside(&mut held)
            {
                held.rows = Vec::new();
                held.error = Some(error);
                return;
            }
        }
    }

    /// Takes note of what inputs held.
    pub fn cover(&self, coverage: &Coverage) {
        self.held().coverage.merge(coverage.clone());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the archive. Where that fails, what is there is no archive.
    pub fn finish(self) -> Result<Archived, ArchiveError> {
        let mut held = std::mem::take(&mut *self.held());
        if let Some(error) = held.error {
            return Err(error);
        }
        let table =
            |source| ArchiveError::Table { path: self.folder.path().join(INPUTS).display().to_string(), source };
        let label = Label::of(&held.coverage).map_err(table)?;
        if !held.aside.is_empty() {
            self.put_aside(&mut held)?;
            self.join(&mut held)?;
        }
        let mut rows = Merge::default();
        rows.add_sorted(std::mem::take(&mut held.rows));
        for path in &held.aside {
            rows.add(path)?;
        }
        let files = self.hours(rows, &label)?;
        self.file(Path::new(INPUTS), |out| write_inputs(out, &label, &held.coverage, &files))?;
        let aside = self.folder.path().join(ASIDE);
        match fs::remove_dir_all(&aside) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(ArchiveError::Io { path: aside.display().to_string(), source });
            }
            _ => self.folder.finish()?,
        }
        Ok(Archived { files: files.len(), records: files.iter().map(|(_, records, _)| records).sum() })
    }

    /// Sorts what is held, and puts it into a file.
    fn put_aside(&self, held: &mut Held) -> Result<(), ArchiveError> {
        if held.rows.is_empty() {
            return Ok(());
        }
        let mut rows = Merge::default();
        rows.add_sorted(std::mem::take(&mut held.rows));
        self.write_aside(held, rows)
    }

    fn write_aside(&self, held: &mut Held, mut rows: Merge) -> Result<(), ArchiveError> {
        let path = Path::new(ASIDE).join(format!("{}.parquet", held.numbered));
        held.numbered += 1;
        held.aside.push(self.folder.path().join(&path));
        self.flows(&path, &Label::unsorted(), Kept::Briefly, || rows.next())?;
        Ok(())
    }

    /// Merges what was put aside until it is few files enough.
    fn join(&self, held: &mut Held) -> Result<(), ArchiveError> {
        while held.aside.len() > FAN_IN {
            let few: Vec<PathBuf> = held.aside.drain(..FAN_IN).collect();
            let mut rows = Merge::default();
            for path in &few {
                rows.add(path)?;
            }
            self.write_aside(held, rows)?;
            for path in few {
                fs::remove_file(&path)
                    .map_err(|source| ArchiveError::Io { path: path.display().to_string(), source })?;
            }
        }
        Ok(())
    }

    /// Writes a file an hour.
    fn hours(&self, mut rows: Merge, label: &Label) -> Result<Vec<Listed>, ArchiveError> {
        let mut files = Vec::new();
        let mut first = rows.next()?;
        while let Some(row) = first.take() {
            if files.len() >= MAX_FILES {
                return Err(ArchiveError::TooManyHours);
            }
            let hour = row.record.start.0 / HOUR;
            let path = hour_path(hour);
            let mut next = Some(row);
            let (records, digest) = self.flows(&path, label, Kept::ForGood, || {
                let row = match next.take() {
                    Some(row) => Some(row),
                    None => rows.next()?,
                };
                // The first row of the next hour ends this one.
                if row.as_ref().is_some_and(|row| row.record.start.0 / HOUR != hour) {
                    first = row;
                    return Ok(None);
                }
                Ok(row)
            })?;
            files.push((path.to_string_lossy().into_owned(), records, digest));
        }
        Ok(files)
    }

    fn flows(
        &self,
        path: &Path,
        label: &Label,
        kept: Kept,
        mut next: impl FnMut() -> Result<Option<Row>, ArchiveError>,
    ) -> Result<(u64, String), ArchiveError> {
        let (mut failed, mut written) = (None, 0);
        let result = self.file(path, |out| {
            let mut file = FlowsWriter::new(out, label, kept)?;
            loop {
                match next() {
                    Ok(Some(row)) => file.push(row)?,
                    Ok(None) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            let (out, records) = file.finish()?;
            written = records;
            Ok(out)
        });
        let digest = failed.map_or(result, Err)?;
        Ok((written, digest))
    }

    /// Writes a file, and gives its digest.
    fn file(&self, path: &Path, write: impl FnOnce(Out) -> Result<Out, ParquetError>) -> Result<String, ArchiveError> {
        let path = self.folder.path().join(path);
        let failed = |source| ArchiveError::Io { path: path.display().to_string(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create_new(&path).map_err(failed)?;
        let (mut out, digest) = write(Digesting::new(BufWriter::new(file)))
            .map(Digesting::finish)
            .map_err(|source| ArchiveError::Table { path: path.display().to_string(), source })?;
        out.flush().map_err(failed)?;
        out.get_ref().sync_all().map_err(failed)?;
        Ok(digest)
    }
}

/// Where the records of an hour lie.
fn hour_path(hour: u64) -> PathBuf {
    let date = Timestamp(hour * HOUR).date();
    PathBuf::from(format!("date={date}")).join(format!("hour={:02}", hour % 24)).join("flows.parquet")
}

/// Sorted rows of several files as one sequence.
#[derive(Default)]
struct Merge {
    files: Vec<(PathBuf, Rows)>,
    /// The next row of each file.
    heads: BinaryHeap<Head>,
    /// Sorted the other way round, so that the first is the last.
    held: Vec<Row>,
}

struct Head {
    row: Row,
    /// Which file it is of; `None` for what was held in memory.
    file: Option<usize>,
}

impl Merge {
    fn add_sorted(&mut self, mut rows: Vec<Row>) {
        rows.sort_unstable_by(|one, other| other.order(one));
        self.held = rows;
        if let Some(row) = self.held.pop() {
            self.heads.push(Head { row, file: None });
        }
    }

    fn add(&mut self, path: &Path) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Aside { path: path.display().to_string(), source };
        let file = File::open(path).map_err(|error| failed(SourceError::reading(0, error)))?;
        let mut rows = Rows::open(file).map_err(failed)?;
        if let Some(row) = rows.read().map_err(failed)? {
            self.heads.push(Head { row, file: Some(self.files.len()) });
        }
        self.files.push((path.to_owned(), rows));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Row>, ArchiveError> {
        let Some(Head { row, file }) = self.heads.pop() else { return Ok(None) };
        let next = match file {
            None => self.held.pop(),
            Some(index) => match self.files.get_mut(index) {
                Some((path, rows)) => {
                    rows.read().map_err(|source| ArchiveError::Aside { path: path.display().to_string(), source })?
                }
                None => None,
            },
        };
        if let Some(row) = next {
            self.heads.push(Head { row, file });
        }
        Ok(Some(row))
    }
}

impl Ord for Head {
    /// The greatest of a heap comes first: the other way round.
    fn cmp(&self, other: &Self) -> Ordering {
        other.row.order(&self.row)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Addr, InputCoverage, Protocol, Provenance};

    fn record(n: u64) -> FlowRecord {
        let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([203, 0, 113, n as u8]));
        let start = Timestamp(n * 7919 % 100_000 * Timestamp::SECOND);
        FlowRecord::new(src, dst, Protocol::TCP, start, Provenance::new(InputId(n as u32 % 3), n))
    }

    fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut left, mut found) = (vec![folder.to_owned()], Vec::new());
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { left.push(path) } else { found.push((path.clone(), fs::read(path).unwrap())) }
            }
        }
        for (path, _) in &mut found {
            *path = path.strip_prefix(folder).unwrap().to_owned();
        }
        found.sort();
        found
    }

    /// However much is held at once, in whatever order: the same octets, also where more is put aside than is merged at once.
    #[test]
    fn order_and_memory_do_not_matter() {
        let mut made = Vec::new();
        for (max_held, step) in [(1 << 18, 1), (7, 1), (7, 11), (100, 17)] {
            let folder = tempfile::tempdir().unwrap();
            let spool = Spool::holding(folder.path(), max_held).unwrap();
            for n in 0..300_u64 {
                let mut batch = Batch::default();
                batch.records.push(record(n * step % 300));
                spool.take(["a", "b", "c"][(n * step % 300 % 3) as usize], &batch);
            }
            for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
                spool.cover(&Coverage::of(InputId(n as u32), InputCoverage::new(name, "x")));
            }
            assert!(max_held != 7 || spool.held().aside.len() > FAN_IN);
            let archived = spool.finish().unwrap();
            assert_eq!(archived.records, 300);
            made.push(files(folder.path()));
            assert_eq!(archived.files + 1, made[0].len());
        }
        assert!(made.iter().all(|files| *files == made[0]));
    }

    #[test]
    fn hours_are_of_utc() {
        let hour = "2026-03-01T14:59:59Z".parse::<Timestamp>().unwrap().0 / HOUR;
        assert_eq!(hour_path(hour), Path::new("date=2026-03-01/hour=14/flows.parquet"));
        assert_eq!(hour_path(u64::MAX / HOUR), Path::new("date=2554-07-21/hour=23/flows.parquet"));
    }
}
