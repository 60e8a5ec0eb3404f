//! Logs that grow while they are read, as `tail -F` reads them.
//!
//! `Follow` is a file as a reader that never ends: where there is nothing now it says so by
//! [`WouldBlock`](io::ErrorKind::WouldBlock), and sources of text give [`Progress::Idle`]. A line that is written in parts
//! stays in the source until its end comes.
//!
//! **Rotation.** Where the path names another file (another inode), what is left of the old one is read first. What a writer
//! still appends to the old file after that is not seen. **Truncation.** Where the file is shorter than what was read of it,
//! it is read again from its start; a file that has grown beyond that in between cannot be told from one that only grew.
//! Lines are counted through all of these, and the coverage says how often that happened. A file that is not there yet is
//! waited for; one that never came is told.
//!
//! **Names.** Beside a `conn.log` of Zeek's that is followed its `ssl.log`, `quic.log`, `http.log` and `dns.log` are followed
//! for the names in them.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::diag::with_causes;
use crate::model::{Batch, InputCoverage, InputId};
use crate::source::compression::HEAD;
use crate::source::log::zeek::{Growing, Named, Opens};
use crate::source::{self, Options, Progress, Source, SourceError};

/// How long a reader waits before it looks again.
pub const WAIT: Duration = Duration::from_millis(200);

/// What became of a file that is followed.
#[derive(Debug, Default)]
struct Tail {
    rotations: AtomicU64,
    truncations: AtomicU64,
    /// How much was read, of all of its files.
    octets: AtomicU64,
    /// Whether what was read last was the end of a line.
    in_line: AtomicBool,
}

/// A file that grows, as a reader.
struct Follow {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    /// A line that was cut off by a rotation or truncation is ended.
    owes_line_end: bool,
    tail: Arc<Tail>,
}

impl Follow {
    fn new(path: &Path, tail: Arc<Tail>) -> Self {
        Self { path: path.to_owned(), file: None, offset: 0, owes_line_end: false, tail }
    }

    /// The file at the path, if it is another than the one that is open.
    fn successor(&self, open: &Metadata) -> Option<File> {
        let there = std::fs::metadata(&self.path).ok()?;
        if (there.dev(), there.ino()) == (open.dev(), open.ino()) { None } else { File::open(&self.path).ok() }
    }

    fn begin_again(&mut self) {
        self.offset = 0;
        self.owes_line_end = self.tail.in_line.load(Ordering::Relaxed);
    }
}

impl Read for Follow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let nothing_now = || io::Error::from(io::ErrorKind::WouldBlock);
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if self.owes_line_end
                && let Some(first) = into.first_mut()
            {
                *first = b'\n';
                self.owes_line_end = false;
                self.tail.in_line.store(false, Ordering::Relaxed);
                return Ok(1);
            }
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(File::open(&self.path).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => nothing_now(),
                    _ => error,
                })?),
            };
            // Asked before reading: what is appended after this comes with the next look at the file.
            let open = file.metadata()?;
            let count = file.read(into)?;
            if let Some(last) = count.checked_sub(1).and_then(|last| into.get(last)) {
                self.offset += count as u64;
                self.tail.octets.fetch_add(count as u64, Ordering::Relaxed);
                self.tail.in_line.store(*last != b'\n', Ordering::Relaxed);
                return Ok(count);
            }
            if open.len() < self.offset {
                file.seek(SeekFrom::Start(0))?;
                self.tail.truncations.fetch_add(1, Ordering::Relaxed);
                self.begin_again();
            } else if let Some(next) = self.successor(&open) {
                // What came between reading and the look at the path.
                if let Some(file) = &mut self.file {
                    let count = file.read(into)?;
                    if let Some(last) = count.checked_sub(1).and_then(|last| into.get(last)) {
                        self.offset += count as u64;
                        self.tail.octets.fetch_add(count as u64, Ordering::Relaxed);
                        self.tail.in_line.store(*last != b'\n', Ordering::Relaxed);
                        return Ok(count);
                    }
                }
                self.file = Some(next);
                self.tail.rotations.fetch_add(1, Ordering::Relaxed);
                self.begin_again();
            } else {
                return Err(nothing_now());
            }
        }
    }
}

/// The name of the kind of input until its format is known.
pub const KIND: &str = "followed";

/// The most logs that are followed at once.
pub const MAX_LOGS: usize = 64;

/// Why a log cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// More than [`MAX_LOGS`].
    #[error("{0} logs: at most {MAX_LOGS} can be followed")]
    Number(usize),
}

/// The logs of Zeek's that hold names, by their names while Zeek writes them.
const NAMING: [&str; 4] = ["ssl", "quic", "http", "dns"];

/// The logs that can hold names of the flows in the log at a path: of `conn.log`, those that Zeek writes beside it. What they
/// are is told by their content.
fn naming(path: &Path, options: &Options) -> Option<Growing> {
    let (before, after) = path.file_name()?.to_str()?.split_once("conn")?;
    let logs = NAMING.map(|kind| {
        let path = path.with_file_name(format!("{before}{kind}{after}"));
        let (name, mut seen) = (path.display().to_string(), 0);
        let opens: Opens = Box::new(move || {
            let length = std::fs::metadata(&path).map_or(0, |data| data.len());
            // Looked at again only when there is more of it.
            (length != std::mem::replace(&mut seen, length) && length > 0)
                .then(|| Box::new(Follow::new(&path, Arc::new(Tail::default()))) as Box<dyn Read + Send>)
        });
        (name, opens)
    });
    Some(Growing::new(logs.into(), options))
}

/// A log that is followed, as a source. It ends when it is told to stop; until then it has nothing [`Progress::Idle`] at a
/// time.
pub struct FollowedLog {
    id: InputId,
    path: PathBuf,
    options: Options,
    tail: Arc<Tail>,
    stop: Arc<AtomicBool>,
    wait: Duration,
    state: State,
    coverage: InputCoverage,
}

enum State {
    /// There is not enough to tell the format; how much there was at the last look.
    Waiting(u64),
    Reading(Box<dyn Source>),
    Ended,
}

impl FollowedLog {
    /// Follows the log at `path`, all of it: what is there and what comes. `stop` ends it; `wait` is how long it waits where
    /// there is nothing now.
    pub fn new(id: InputId, path: &Path, options: &Options, stop: Arc<AtomicBool>, wait: Duration) -> Self {
        Self {
            id,
            path: path.to_owned(),
            options: options.clone(),
            tail: Arc::new(Tail::default()),
            stop,
            wait,
            state: State::Waiting(0),
            coverage: InputCoverage::new(path.display().to_string(), KIND),
        }
    }

    /// Opens the source once there is something to tell the format by.
    fn open(&mut self, seen: u64) -> Result<(), SourceError> {
        let length = std::fs::metadata(&self.path).map_or(0, |data| data.len());
        if length == 0 || length == seen {
            return Ok(());
        }
        self.state = State::Waiting(length);
        self.tail = Arc::new(Tail::default());
        let reader = Box::new(Follow::new(&self.path, Arc::clone(&self.tail)));
        let opened = match naming(&self.path, &self.options) {
            Some(growing) => {
                let names = Named::Growing(Box::new(growing));
                source::open_beside(self.id, &self.coverage.name, reader, &self.options, names)
            }
            None => source::open(self.id, &self.coverage.name, reader, &self.options),
        };
        match opened {
            Ok(source) => {
                let kind = source.coverage().kind;
                if kind.contains(" in ") || kind.starts_with("pcap") {
                    let looks_like = "capture or compressed log, which is no text that grows";
                    return Err(SourceError::NotRecognised {
                        looks_like,
                        help: Some("only text and JSON are followed"),
                    });
                }
                self.state = State::Reading(source);
                self.coverage.error = None;
                Ok(())
            }
            // The first line may not be whole yet. If no more comes, that is what was wrong.
            Err(error @ SourceError::NotRecognised { .. }) if length < HEAD as u64 => {
                self.coverage.error = Some(with_causes(&error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn end(&mut self) {
        self.coverage = self.coverage();
        if matches!(self.state, State::Waiting(0)) && !self.path.exists() {
            self.coverage.error = Some("it was waited for, and never came".to_owned());
        }
        if self.tail.in_line.load(Ordering::Relaxed) {
            self.coverage.truncated_at = Some(self.tail.octets.load(Ordering::Relaxed));
        }
        self.state = State::Ended;
    }
}

impl Source for FollowedLog {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if let State::Waiting(seen) = self.state
            && let Err(error) = self.open(seen)
        {
            self.coverage.error = Some(with_causes(&error));
            self.state = State::Ended;
            return Err(error);
        }
        let progress = match &mut self.state {
            State::Waiting(_) => Progress::Idle,
            State::Reading(source) => match source.read(batch) {
                Ok(progress) => progress,
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            },
            State::Ended => return Ok(Progress::End),
        };
        match progress {
            Progress::More => Ok(Progress::More),
            Progress::Idle if !self.stop.load(Ordering::Relaxed) => {
                std::thread::sleep(self.wait);
                Ok(Progress::Idle)
            }
            Progress::Idle | Progress::End => {
                self.end();
                Ok(Progress::End)
            }
        }
    }

    fn coverage(&self) -> InputCoverage {
        let State::Reading(source) = &self.state else { return self.coverage.clone() };
        let mut coverage = source.coverage();
        let happened = [(&self.tail.rotations, "rotated"), (&self.tail.truncations, "truncated")];
        for (count, what) in happened {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                coverage.remark(format!(
                    "{what} while it was followed, {count} times: lines are counted through all of it"
                ));
            }
        }
        coverage
    }
}
