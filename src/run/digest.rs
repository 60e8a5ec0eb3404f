//! Digests of inputs, taken while they are read.
//!
//! An input is read once: what goes to its format goes through the digest on its way. A format that stops before the end of a
//! file (zeros after a last frame), or that is read from its end (Parquet), leaves octets that are read for the digest alone.
//! What was not read to its end has no digest: one of a part would look like one of the whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::locate::hex;
use crate::model::{FileDigest, InputCoverage};

/// What an input says that was to have a digest and has none.
const ABSENT: &str = "no digest was taken: it was not read to its end";

/// How much of what is left is read at once.
const READ: usize = 128 * 1024;

/// What went through so far.
#[derive(Default)]
struct Passed {
    hash: Sha256,
    octets: u64,
    ended: bool,
}

impl Passed {
    fn take(&mut self, octets: &[u8]) {
        self.hash.update(octets);
        self.octets += octets.len() as u64;
    }
}

/// A reader that lets nothing by unseen.
struct Tee {
    reader: Box<dyn Read + Send>,
    passed: Arc<Mutex<Passed>>,
}

impl Read for Tee {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        // Whoever held it before and panicked did not leave it half done: an update is all that is done with it.
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        match into.get(..count) {
            Some([]) | None => passed.ended |= !into.is_empty(),
            Some(octets) => passed.take(octets),
        }
        Ok(count)
    }
}

/// A digest that is being taken.
pub(super) struct Taking {
    passed: Arc<Mutex<Passed>>,
    /// To read what the format left; `None` of a stream.
    file: Option<File>,
}

impl Taking {
    /// Takes the digest of what is read through the reader that comes back. `file` is the file that it reads, if it is one.
    pub(super) fn of(reader: Box<dyn Read + Send>, file: Option<File>) -> (Self, Box<dyn Read + Send>) {
        let passed = Arc::new(Mutex::new(Passed::default()));
        let file = file.filter(|file| file.metadata().is_ok_and(|about| about.is_file()));
        (Self { passed: Arc::clone(&passed), file }, Box::new(Tee { reader, passed }))
    }

    /// Notes the digest of an input that was read, or that there is none. Nothing must read it any more.
    pub(super) fn note(self, coverage: &mut InputCoverage) {
        coverage.digest = if coverage.error.is_none() { self.finish() } else { None };
        if coverage.digest.is_none() {
            coverage.remark(ABSENT);
        }
    }

    /// The digest of all of it; `None` where that was not read.
    fn finish(self) -> Option<FileDigest> {
        let mut passed = std::mem::take(&mut *self.passed.lock().unwrap_or_else(PoisonError::into_inner));
        if !passed.ended {
            let mut file = self.file?;
            file.seek(SeekFrom::Start(passed.octets)).ok()?;
            let mut block = vec![0; READ];
            loop {
                match file.read(&mut block) {
                    Ok(0) => break,
                    Ok(count) => passed.take(block.get(..count)?),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return None,
                }
            }
        }
        Some(FileDigest { octets: passed.octets, sha256: hex(&passed.hash.finalize()) })
    }
}
