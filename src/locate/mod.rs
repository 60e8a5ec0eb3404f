//! Where an address can be: claims of databases, flattened into one frozen table.
//!
//! [`Gazetteer`] is what the rest of the program uses. Each database is walked once (`mmdb`, or the [`embedded`] one) into
//! a layer of runs; the layers are joined into one table for each address family; nothing is changed or read again after
//! that. A claim of a database is [`Authority::Indicative`](crate::model::Authority::Indicative); what it says of
//! registration is [`Authority::Registry`](crate::model::Authority::Registry), which never makes a location.

mod discover;
pub mod embedded;
mod gazetteer;
mod layer;
mod mmdb;
mod record;
mod runs;
mod table;
mod transition;

use std::path::PathBuf;

pub use discover::{USUAL_FOLDERS, discover};
pub use gazetteer::{Gazetteer, MAX_SOURCES};
pub use runs::{Disorder, Key, Runs};

use crate::model::{Asn, Location};

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
    /// The file is larger than any location database.
    #[error("{path} is too large for a location database")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another kind, or damaged where it says what it is.
    #[error("{path} is not a MaxMind DB file: {what}")]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file is damaged.
    #[error("{path} is damaged{}: {what}", .network.as_ref().map(|network| format!(" at or after network {network}")).unwrap_or_default())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The last network that could be read, or whose record could not.
        network: Option<String>,
        /// What is wrong, with the offset where it is known.
        what: String,
    },
    /// No record has a field that says where a network is or who runs it.
    #[error("{path} holds neither countries nor AS numbers: {}", fields_found(.fields))]
    NoKnownField {
        /// The file.
        path: PathBuf,
        /// The fields that its records have.
        fields: Vec<String>,
    },
    /// More sources than a gazetteer takes.
    #[error("more than {MAX_SOURCES} location databases")]
    TooMany,
    /// The data that the program carries is damaged.
    #[error("the embedded location data is damaged: {what}")]
    Embedded {
        /// What is wrong.
        what: String,
    },
}

fn fields_found(fields: &[String]) -> String {
    if fields.is_empty() {
        return "its records have no named fields".to_owned();
    }
    let quoted: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    format!("its records have the fields {}", quoted.join(", "))
}
