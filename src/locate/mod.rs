//! Where an address can be: claims of databases, flattened into one frozen table.

use std::path::{Path, PathBuf};

use crate::model::{Addr, Asn, Claim, Location, LocationSource, SourceId};

/// What the table says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it can be.
    pub location: Location,
    /// Who runs it.
    pub operator: Option<Asn>,
}

/// Why location data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// Reading failed.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// Databases are walked once and flattened into one table of disjoint networks, never changed again.
pub struct Gazetteer {}

impl Gazetteer {
    /// The default that the program carries.
    pub fn embedded() -> Result<Self, LocateError> {
        unimplemented!()
    }

    /// Several sources at once, as separate claims.
    pub fn open(paths: &[PathBuf]) -> Result<Self, LocateError> {
        let _ = paths;
        unimplemented!()
    }

    /// Where an address can be, and who runs it.
    pub fn locate(&self, addr: Addr) -> Place {
        let _ = addr;
        unimplemented!()
    }

    /// What each source says of an address.
    pub fn claims(&self, addr: Addr) -> Vec<Claim> {
        let _ = addr;
        unimplemented!()
    }

    /// The holder of an autonomous system.
    pub fn organisation(&self, asn: Asn) -> Option<&str> {
        let _ = asn;
        unimplemented!()
    }

    /// The sources, by their identifiers in claims.
    pub fn sources(&self) -> &[LocationSource] {
        unimplemented!()
    }

    /// The name of a source.
    pub fn source(&self, id: SourceId) -> Option<&LocationSource> {
        self.sources().get(usize::from(id.0))
    }

    /// SHA-256 over the digests of all sources, in hexadecimal: the same sources, the same digest.
    pub fn digest(&self) -> &str {
        unimplemented!()
    }
}

/// Databases in a folder where the usual tools put them.
pub fn discover(folders: &[&Path]) -> Vec<PathBuf> {
    let _ = folders;
    unimplemented!()
}
