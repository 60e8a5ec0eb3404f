//! What a source is and how well it could be read; and which sources an answer rests on.

use std::path::Path;

use jiff::civil::Date;

use super::{LocateError, detect};
use crate::model::{Claim, Location, LocationSource, SourceId};

/// A source that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The source.
    pub source: LocationSource,
    /// What a reader of it should know: how many rows could not be used, which regions are not known.
    pub notes: Vec<String>,
}

/// Reads a source to its end and forgets it. `today` decides which overrides have expired.
pub fn survey(path: &Path, today: Option<Date>) -> Result<Survey, LocateError> {
    let database = detect::read(path, today)?;
    Ok(Survey { source: database.source, notes: database.notes })
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
