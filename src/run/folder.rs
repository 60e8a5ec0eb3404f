//! Folders that what is written goes into as a whole, or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Something is there already.
    #[error("`{0}` is there already and not empty: it takes a new or an empty folder")]
    Taken(PathBuf),
    /// A run before this one did not end.
    #[error("`{0}` is left of a run that did not end: remove it, or name another folder")]
    Left(PathBuf),
    /// The folder cannot be made.
    #[error("cannot write to `{path}`")]
    Io {
        /// Where to.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A folder that is being written, under another name beside its own. What was written goes with it unless it is
/// [finished](Self::finish).
#[derive(Debug)]
pub struct Folder {
    asked: PathBuf,
    partial: PathBuf,
}

impl Folder {
    /// Makes sure that there is room for a folder, before anything is audited.
    pub fn claim(asked: &Path) -> Result<Self, FolderError> {
        let io = |source| FolderError::Io { path: asked.to_owned(), source };
        match fs::read_dir(asked).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(FolderError::Taken(asked.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(FolderError::Taken(asked.to_owned()));
            }
            Err(error) => return Err(io(error)),
        }
        let Some(name) = asked.file_name() else {
            return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "it has no name of its own")));
        };
        let partial = asked.with_file_name(format!("{}.partial", name.to_string_lossy()));
        match fs::create_dir(&partial) {
            Ok(()) => Ok(Self { asked: asked.to_owned(), partial }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(FolderError::Left(partial)),
            Err(error) => Err(io(error)),
        }
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives the folder its name.
    pub fn finish(&self) -> Result<(), FolderError> {
        // An empty folder gives way to one of the same kind; one with anything in it does not.
        fs::rename(&self.partial, &self.asked).map_err(|source| FolderError::Io { path: self.asked.clone(), source })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is left of it once it stands in its place.
        let _ = fs::remove_dir_all(&self.partial);
    }
}
