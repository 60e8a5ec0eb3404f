//! What a source is and how well it could be read; and which sources an answer rests on.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::civil::Date;

use super::layer::Database;
use super::{LocateError, detect, embedded};
use crate::model::{Authority, Claim, CountrySet, Location, LocationSource, SourceId};

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

/// A network as a source lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The network.
    pub network: IpNet,
    /// Where the source says it is.
    pub places: CountrySet,
    /// How much that counts.
    pub authority: Authority,
}

/// The networks of a feed or a list as they stand in it, sorted, each once; none for a database, which has no list.
pub fn listed(path: &Path) -> Result<Vec<Listed>, LocateError> {
    let layer = detect::read(path, None)?.layer;
    let says = |network: Option<IpNet>, index: u32| {
        let saying = layer.sayings.get(index as usize)?;
        Some(Listed { network: network?, places: saying.places, authority: saying.authority })
    };
    let v4 =
        layer.listed.0.iter().map(|(start, prefix, index)| {
            says(Ipv4Net::new(Ipv4Addr::from(*start), *prefix).ok().map(IpNet::V4), *index)
        });
    let v6 =
        layer.listed.1.iter().map(|(start, prefix, index)| {
            says(Ipv6Net::new(Ipv6Addr::from(*start), *prefix).ok().map(IpNet::V6), *index)
        });
    Ok(v4.chain(v6).flatten().collect())
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
