//! A batch run: open the inputs, an auditor a thread, merge at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::digest::Taking;
use crate::audit::{Audit, Auditor, Grounds};
use crate::diag::with_causes;
use crate::model::{Batch, Coverage, InputCoverage, InputId, Provenance};
#[cfg(feature = "parquet")]
use crate::source::archive;
use crate::source::log::zeek::{self, Beside, Named};
use crate::source::{self, Digests, Options, Progress, Source};

/// An input and its place in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its place in the plan.
    pub id: InputId,
    /// Its name in reports.
    pub name: String,
    /// Where it is read.
    pub place: Place,
    /// The logs of Zeek's in its folder, where it is one of them.
    pub folder: Option<Arc<Folder>>,
    /// The archive that it is of, where it is of one.
    #[cfg(feature = "parquet")]
    pub part: Option<archive::Part>,
}

#[cfg(feature = "parquet")]
impl Input {
    /// The greatest number of an input that its records can be of.
    pub fn last(&self) -> InputId {
        let end = self.part.as_ref().map_or(0, |part| part.base.0.saturating_add(part.label.inputs));
        InputId(self.id.0.max(end.saturating_sub(1)))
    }
}

impl Input {
    /// An input that stands alone.
    pub fn new(id: InputId, place: Place) -> Self {
        let name = match &place {
            Place::File(path) => path.display().to_string(),
            Place::Stdin => "-".to_owned(),
        };
        Self {
            id,
            name,
            place,
            folder: None,
            #[cfg(feature = "parquet")]
            part: None,
        }
    }

    /// Whether it is a log that holds names of flows in another log beside it, and no flows.
    pub fn holds_names(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.beside.contains_key(&self.id))
    }
}

/// Where an input is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Logs of Zeek's that lie in one folder: the names that some of them hold belong to flows in others. They are read once,
/// before the first log of flows.
pub struct Folder {
    /// Those that hold no flows.
    beside: BTreeMap<InputId, PathBuf>,
    read: OnceLock<Names>,
}

/// What logs without flows held.
struct Names {
    names: Arc<Beside>,
    covered: BTreeMap<InputId, InputCoverage>,
}

impl Folder {
    fn names(&self, options: &Options, advance: &Arc<Advance>) -> &Names {
        self.read.get_or_init(|| {
            let (mut names, mut covered) = (Beside::new(options), BTreeMap::new());
            for (id, path) in &self.beside {
                let name = path.display().to_string();
                let opened = File::open(path).and_then(|file| Ok((file.try_clone()?, file)));
                let taking = match opened {
                    Ok((again, file)) => {
                        let (taking, reader) = passing(Box::new(file), Some(again), options, advance);
                        names.read(*id, &name, reader, options);
                        taking
                    }
                    Err(error) => {
                        names.read(*id, &name, Box::new(Failed(Some(error))), options);
                        None
                    }
                };
                let mut coverage = names.coverage(*id).cloned().unwrap_or_default();
                if let Some(taking) = taking {
                    taking.note(&mut coverage);
                }
                covered.insert(*id, coverage);
            }
            Names { names: Arc::new(names), covered }
        })
    }
}

impl PartialEq for Folder {
    fn eq(&self, other: &Self) -> bool {
        self.beside == other.beside
    }
}

impl Eq for Folder {}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("beside", &self.beside).finish_non_exhaustive()
    }
}

/// A file that could not be opened, as a reader.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Why a set of inputs cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A folder cannot be listed, or a path does not exist.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A folder holds no files.
    #[error("`{0}` is a folder without files")]
    EmptyFolder(String),
    /// Too many inputs to tell apart.
    #[error("more than {} inputs", Provenance::MAX_INPUTS)]
    TooMany,
    /// A file of an archive is not there, or is another.
    #[error("cannot read `{path}`: {reason}")]
    Part {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl PlanError {
    /// The path that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Io { path, .. } | Self::EmptyFolder(path) | Self::Part { path, .. } => Some(path),
            Self::TooMany => None,
        }
    }
}

/// The inputs that paths stand for: `-` is standard input, a folder stands for every file in it and below it, by name. A
/// file that is named twice is read once. Paths that cannot be read are told beside the inputs that can.
pub fn plan(paths: &[PathBuf]) -> (Vec<Input>, Vec<PlanError>) {
    let (mut places, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            places.push(Place::Stdin);
        } else if path.is_dir() {
            let mut found = BTreeSet::new();
            match files_below(path, &mut found) {
                Ok(()) if found.is_empty() => errors.push(PlanError::EmptyFolder(path.display().to_string())),
                Ok(()) => places.extend(found.into_iter().map(Place::File)),
                Err(error) => errors.push(error),
            }
        } else {
            match std::fs::metadata(path) {
                Ok(_) => places.push(Place::File(path.clone())),
                Err(source) => errors.push(PlanError::Io { path: path.display().to_string(), source }),
            }
        }
    }
    let mut seen = BTreeSet::new();
    places.retain(|place| seen.insert(place.clone()));
    if places.len() > Provenance::MAX_INPUTS as usize {
        errors.push(PlanError::TooMany);
        places.clear();
    }
    let inputs = (0..).map(InputId).zip(places).map(|(id, place)| Input::new(id, place));
    let mut inputs: Vec<Input> = inputs.collect();
    join_folders(&mut inputs);
    #[cfg(feature = "parquet")]
    super::parts::find(&mut inputs, &mut errors);
    (inputs, errors)
}

/// Finds logs of Zeek's that lie beside one another, by their content.
fn join_folders(inputs: &mut [Input]) {
    let mut folders: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, input) in inputs.iter().enumerate() {
        if let Place::File(path) = &input.place {
            folders.entry(path.parent().unwrap_or(Path::new("")).to_owned()).or_default().push(index);
        }
    }
    for files in folders.into_values().filter(|files| files.len() > 1) {
        let (mut flows, mut beside) = (Vec::new(), BTreeMap::new());
        for index in files {
            let Some(Input { id, place: Place::File(path), .. }) = inputs.get(index) else { continue };
            match zeek_path(path) {
                Some(zeek::Path::Conn) => flows.push(index),
                Some(_) => {
                    beside.insert(*id, path.clone());
                }
                None => {}
            }
        }
        if flows.is_empty() || beside.is_empty() {
            continue;
        }
        let others = beside.keys().filter_map(|id| usize::try_from(id.0).ok());
        let members: Vec<usize> = flows.into_iter().chain(others).collect();
        let folder = Arc::new(Folder { beside, read: OnceLock::new() });
        for index in members {
            if let Some(input) = inputs.get_mut(index) {
                input.folder = Some(Arc::clone(&folder));
            }
        }
    }
}

/// Which log of Zeek's a file is. A pipe is not looked at: what is read of it is gone.
fn zeek_path(path: &Path) -> Option<zeek::Path> {
    let is_file = std::fs::metadata(path).is_ok_and(|data| data.is_file());
    if is_file { zeek::path_of_input(Box::new(File::open(path).ok()?)) } else { None }
}

/// The deepest nesting of folders that is followed; symbolic links to folders are not.
const MAX_DEPTH: usize = 64;

fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), PlanError> {
    let mut left = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = left.pop() {
        let error = |source| PlanError::Io { path: folder.display().to_string(), source };
        for entry in std::fs::read_dir(&folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let kind = entry.file_type().map_err(error)?;
            if kind.is_dir() && depth < MAX_DEPTH {
                left.push((entry.path(), depth + 1));
            } else if kind.is_file() || (kind.is_symlink() && entry.path().is_file()) {
                found.insert(entry.path());
            }
        }
    }
    Ok(())
}

/// How far a run has come, for whoever draws it.
#[derive(Debug, Default)]
pub struct Advance {
    /// Octets read of all inputs, as they lie on disk.
    pub octets: AtomicU64,
    /// Inputs that are done.
    pub inputs: AtomicUsize,
}

/// Where the records of a run go besides.
#[cfg(feature = "parquet")]
pub type Kept<'a> = Option<&'a super::archive::Spool>;
/// Where the records of a run go besides: nowhere in this build.
#[cfg(not(feature = "parquet"))]
pub type Kept<'a> = Option<&'a std::convert::Infallible>;

/// Hands the records of a batch to where they go besides; `input` is the name of what was read.
pub(crate) fn keep(kept: Kept<'_>, input: &str, batch: &Batch) {
    #[cfg(feature = "parquet")]
    if let Some(spool) = kept {
        spool.take(input, batch);
    }
    #[cfg(not(feature = "parquet"))]
    let _ = (kept, input, batch);
}

/// Hands on what inputs held.
pub(crate) fn cover(kept: Kept<'_>, coverage: &Coverage) {
    #[cfg(feature = "parquet")]
    if let Some(spool) = kept {
        spool.cover(coverage);
    }
    #[cfg(not(feature = "parquet"))]
    let _ = (kept, coverage);
}

/// Audits inputs on `threads` threads. An input that cannot be read, or not to its end, is in the coverage with the reason;
/// the others go on.
pub fn audit(inputs: &[Input], grounds: &Grounds, options: &Options, threads: usize, advance: &Arc<Advance>) -> Audit {
    let mut audits = audits(inputs, &[grounds], options, threads, advance, None);
    audits.pop().unwrap_or_else(|| Audit::of_nothing(grounds.basis()))
}

/// Audits inputs on several grounds at once, each read but once: an audit for each, in their order. `kept` takes the flow
/// records besides.
pub fn audits(
    inputs: &[Input],
    grounds: &[&Grounds],
    options: &Options,
    threads: usize,
    advance: &Arc<Advance>,
    kept: Kept<'_>,
) -> Vec<Audit> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut auditors: Vec<Auditor<'_>> = grounds.iter().map(|grounds| Auditor::new(grounds)).collect();
        while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let coverage = drain(input, options, advance, &mut |batch| {
                for record in &batch.records {
                    let name = record.name.and_then(|id| batch.name(id));
                    for auditor in &mut auditors {
                        auditor.observe(record, name);
                    }
                }
                keep(kept, &input.name, batch);
                true
            });
            cover(kept, &coverage);
            for auditor in &mut auditors {
                for (id, input) in &coverage.inputs {
                    auditor.cover(*id, input.clone());
                }
            }
            advance.inputs.fetch_add(1, Ordering::Relaxed);
        }
        auditors.into_iter().map(Auditor::finish).collect::<Vec<Audit>>()
    };
    let threads = threads.clamp(1, inputs.len().max(1));
    let mut wholes: Vec<Audit> = grounds.iter().map(|grounds| Audit::of_nothing(grounds.basis())).collect();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let theirs = workers.into_iter().map(|worker| match worker.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        for parts in std::iter::once(mine).chain(theirs) {
            for (whole, part) in wholes.iter_mut().zip(parts) {
                // Every part was made on these grounds.
                let merged = whole.merge(part);
                debug_assert!(merged.is_ok());
            }
        }
    });
    wholes
}

/// Reads an input to its end and hands out its records. `take` says whether it wants more. Returns what the input held, or, of
/// an archive, the inputs that it was made of, with the reason where it could not be read to its end.
pub fn drain(
    input: &Input,
    options: &Options,
    advance: &Arc<Advance>,
    take: &mut dyn FnMut(&Batch) -> bool,
) -> Coverage {
    let folder = input.folder.as_ref().filter(|_| options.format.is_none());
    if let Some(folder) = folder.filter(|_| input.holds_names()) {
        let coverage = folder.names(options, advance).covered.get(&input.id).cloned().unwrap_or_default();
        return Coverage::of(input.id, coverage);
    }
    let beside = folder.map(|folder| Arc::clone(&folder.names(options, advance).names));
    let (mut source, taking) = match open(input, options, beside, advance) {
        Ok(opened) => opened,
        Err(reason) => {
            let mut coverage = InputCoverage::new(&input.name, "unreadable");
            coverage.error = Some(reason);
            return Coverage::of(input.id, coverage);
        }
    };
    let mut batch = Batch::default();
    loop {
        batch.clear();
        let progress = source.read(&mut batch);
        let wanted = take(&batch);
        match progress {
            Ok(Progress::More | Progress::Idle) if wanted => {}
            Ok(progress) => {
                let mut coverage = source.inputs(input.id);
                let own = coverage.inputs.get_mut(&input.id).filter(|_| progress == Progress::End);
                drop(source);
                if let (Some(taking), Some(own)) = (taking, own) {
                    taking.note(own);
                }
                return coverage;
            }
            Err(error) => {
                let mut coverage = source.inputs(input.id);
                let own = coverage.inputs.entry(input.id).or_insert_with(|| source.coverage());
                own.error.get_or_insert_with(|| with_causes(&error));
                if let Some(taking) = taking {
                    taking.note(own);
                }
                return coverage;
            }
        }
    }
}

fn open(
    input: &Input,
    options: &Options,
    beside: Option<Arc<Beside>>,
    advance: &Arc<Advance>,
) -> Result<(Box<dyn Source>, Option<Taking>), String> {
    let (opened, taking) = match &input.place {
        Place::Stdin => {
            let (taking, reader) = passing(Box::new(io::stdin()), None, options, advance);
            (source::open(input.id, &input.name, reader, options), taking)
        }
        Place::File(path) => {
            let file = File::open(path).map_err(|error| error.to_string())?;
            #[cfg(feature = "parquet")]
            if let Some(part) = input.part.as_ref().filter(|_| options.format.is_none()) {
                // What its inputs were is in the archive.
                let opened = archive::open(input.id, &input.name, file, part);
                return opened.map(|source| (source, None)).map_err(|error| with_causes(&error));
            }
            let again = || file.try_clone().map_err(|error| error.to_string());
            let (taking, reader) = passing(Box::new(again()?), Some(again()?), options, advance);
            let opened = match beside {
                Some(beside) => source::open_beside(input.id, &input.name, reader, options, Named::Read(beside)),
                None => source::open_file(input.id, &input.name, file, reader, options),
            };
            (opened, taking)
        }
    };
    opened.map(|source| (source, taking)).map_err(|error| {
        let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", with_causes(&error))
    })
}

/// A reader that tells how far it has come, with its digest where one is asked for. `file` is what it reads, if that is a file.
fn passing(
    reader: Box<dyn Read + Send>,
    file: Option<File>,
    options: &Options,
    advance: &Arc<Advance>,
) -> (Option<Taking>, Box<dyn Read + Send>) {
    let counted = Box::new(Counted { reader, advance: Arc::clone(advance) });
    match options.digests {
        Digests::Left => (None, counted),
        Digests::Taken => {
            let (taking, reader) = Taking::of(counted, file);
            (Some(taking), reader)
        }
    }
}

/// A reader that tells how far it has come.
struct Counted {
    reader: Box<dyn Read + Send>,
    advance: Arc<Advance>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.advance.octets.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
