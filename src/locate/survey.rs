//! What a source is and how well it could be read; and which sources an answer rests on.

use std::path::Path;

use jiff::civil::Date;

use super::layer::Database;
use super::{LocateError, detect, embedded};
use crate::model::{Claim, Location, LocationSource, SourceId};

/// A source that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The source.
    pub source: LocationSource,
    /// What a reader of it should know: how many rows could not be used, which regions are not known.
    pub notes: Vec<String>,
    /// What tells that two files are one source at two times, such as `geolite2-country`; `None` where nothing does.
    pub series: Option<String>,
    /// How many IPv4 addresses it says something of.
    pub addresses: u64,
}

impl From<Database> for Survey {
    fn from(database: Database) -> Self {
        let addresses = database.layer.addresses();
        Self { source: database.source, notes: database.notes, series: database.series, addresses }
    }
}

/// Reads a source to its end and forgets it. `today` decides which overrides have expired.
pub fn survey(path: &Path, today: Option<Date>) -> Result<Survey, LocateError> {
    detect::read(path, today).map(Survey::from)
}

/// The embedded tables.
pub fn survey_embedded() -> Result<[Survey; 2], LocateError> {
    Ok([embedded::countries()?.into(), embedded::systems()?.into()])
}

/// The sources without which these claims would come to another location, each with that location.
///
/// An answer that rests on one source is only as good as that source.
pub fn rests_on(claims: &[Claim]) -> Vec<(SourceId, Location)> {
    let all = Location::weigh(claims);
    let mut sources: Vec<SourceId> = claims.iter().map(|claim| claim.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let without = |source: SourceId| {
        let others: Vec<Claim> = claims.iter().filter(|claim| claim.source != source).cloned().collect();
        (source, Location::weigh(&others))
    };
    sources.into_iter().map(without).filter(|(_, left)| left.possible() != all.possible()).collect()
}
