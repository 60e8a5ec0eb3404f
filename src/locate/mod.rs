//! Where an address can be: claims of databases, flattened into one frozen table.
//!
//! [`Gazetteer`] is what the rest of the program uses. Each source is walked once (`mmdb`, the [`embedded`] one, or one of
//! the forms below) into a layer of runs; the layers are joined into one table for each address family; nothing is changed
//! or read again after that. `detect` tells the forms apart by their content.
//!
//! | source | in | its claims are |
//! |---|---|---|
//! | MMDB databases, the embedded one | `mmdb`, `embedded` | indicative |
//! | region feeds of AWS, Google Cloud, Azure, Oracle | `feeds` | provider |
//! | geofeeds (RFC 8805) | `geofeed` | provider |
//! | tables of ranges, as `IPFire`'s for Tor | `ranges` | indicative |
//! | lists of anycast prefixes | `anycast` | indicative: they list whole announcements, and a provider knows better |
//! | delegations of the registries | `delegated` | registry: where a network is registered, never where it is |
//! | the operator's own overrides | `overrides` | operator |
//!
//! A [`Horizon`] then cuts down where an address can be to what light can reach from a vantage.
//!
//! Within a source the most specific network speaks; between sources [`Location::weigh`] decides; between copies of one
//! source the one that is dated nearest to the flow ([`Atlas`]).

mod anycast;
mod atlas;
mod delegated;
mod detect;
mod discover;
pub mod embedded;
mod feeds;
mod gazetteer;
mod geofeed;
pub mod horizon;
mod layer;
mod listing;
mod mmdb;
mod overrides;
mod own_code;
mod publisher;
mod ranges;
mod record;
mod runs;
mod shape;
mod survey;
mod table;
mod transition;

use std::path::PathBuf;

pub use atlas::{Atlas, Fault, MAX_COPIES, MAX_EPOCHS, SourceFile, Stated, Vintage};
pub use detect::is_source;
pub use discover::{USUAL_FOLDERS, discover};
pub use feeds::{RegionError, region_country};
pub use gazetteer::{Gazetteer, MAX_SOURCES};
pub use horizon::{Horizon, Medium};
pub use listing::without_date;
pub(crate) use mmdb::hex;
pub use runs::{Disorder, Key, Runs};
pub use survey::{Listed, Survey, listed, rests_on, survey, survey_embedded};

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
    #[error("cannot read {path}: {source}")]
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
    /// A file of a known form that cannot be used.
    #[error("{path} cannot be used as {form}: {what}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it was taken for.
        form: &'static str,
        /// What is wrong, with the line where it is known.
        what: String,
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
