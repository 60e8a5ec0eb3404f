//! Where an endpoint can be, and who says so.

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::country::CountrySet;

/// How much a claim counts. The highest authority among the claims on an address speaks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The country that a registry delegated the network to: where it is registered, not where it is.
    Registry,
    /// A geolocation database.
    Indicative,
    /// The provider's own feed of regions, or a geofeed (RFC 8805).
    Provider,
    /// The policy's own zones and signed local overrides.
    Operator,
}

/// The place of a source of claims in its [`Gazetteer`](crate::locate::Gazetteer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub u16);

/// The name of a provider's region in the list of its [`Gazetteer`](crate::locate::Gazetteer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u32);

/// What one source says of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The network that the claim is about.
    pub network: IpNet,
    /// Where it can be. [`CountrySet::ANYWHERE`] says that the address is anycast; an empty set that the source names a
    /// region whose country is not known, which counts for nothing.
    pub places: CountrySet,
    /// The region that the source names. A region is not a country: one name can cover sites in several.
    pub region: Option<RegionId>,
    /// Who says so.
    pub source: SourceId,
    /// How much it counts.
    pub authority: Authority,
    /// The date of the source.
    pub as_of: Option<Date>,
}

/// What the claims say of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// All claims of the highest authority say the same.
    Agreed,
    /// Claims of the highest authority differ: all that they say is possible.
    Disputed,
    /// Every claim was refuted by a round-trip time; what is left is what light can reach.
    Refuted,
    /// The address is announced from many sites: no place follows from it.
    Anycast,
    /// No claim: it could be anywhere.
    Unknown,
}

/// Where an endpoint can be.
///
/// Invariant: the possible set is never empty. Unknown is the full set, so that there is no special case for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    possible: CountrySet,
    standing: Standing,
}

impl Location {
    /// Nothing is known: it could be anywhere.
    pub const UNKNOWN: Self = Self { possible: CountrySet::ANYWHERE, standing: Standing::Unknown };

    /// Announced from many sites: it could be anywhere, until a round-trip time says more.
    pub const ANYCAST: Self = Self { possible: CountrySet::ANYWHERE, standing: Standing::Anycast };

    /// A place that is beyond dispute: a zone's own. An empty set is no information.
    pub const fn stated(places: CountrySet) -> Self {
        if places.is_empty() { Self::UNKNOWN } else { Self { possible: places, standing: Standing::Agreed } }
    }

    /// Where the endpoint can be.
    pub const fn possible(&self) -> CountrySet {
        self.possible
    }

    /// What the claims say of each other.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Weighs claims: the highest authority speaks alone, and where it differs with itself, all that it says is possible.
    ///
    /// A registry claim says where a network is registered, never where it is: registry claims alone leave the location
    /// unknown. The order of the claims means nothing.
    pub fn weigh(claims: &[Claim]) -> Self {
        Self::weigh_places(claims.iter().map(|claim| (claim.authority, claim.places)))
    }

    /// [`Location::weigh`] for those who have no more than authorities and places.
    pub fn weigh_places(claims: impl IntoIterator<Item = (Authority, CountrySet)>) -> Self {
        let mut highest = Authority::Registry;
        let (mut union, mut differ) = (CountrySet::NOWHERE, false);
        for (authority, places) in claims {
            if authority == Authority::Registry || authority < highest || places.is_empty() {
                continue;
            }
            if authority > highest {
                (highest, union, differ) = (authority, places, false);
            } else {
                differ |= places != union;
                union = union.union(places);
            }
        }
        match (union.is_empty(), union.is_anywhere()) {
            (true, _) => Self::UNKNOWN,
            (_, true) => Self::ANYCAST,
            _ => Self { possible: union, standing: if differ { Standing::Disputed } else { Standing::Agreed } },
        }
    }

    /// Cuts the location down to what is in reach.
    ///
    /// A round-trip time bounds distance from above: it can refute a claim, and cannot make one. Where nothing that was
    /// claimed is in reach, every claim is refuted and what is in reach is all that is known. An empty reach is no
    /// evidence.
    #[must_use]
    pub fn within_reach(self, reach: CountrySet) -> Self {
        if reach.is_empty() {
            return self;
        }
        let left = self.possible.intersection(reach);
        if left.is_empty() {
            Self { possible: reach, standing: Standing::Refuted }
        } else {
            Self { possible: left, ..self }
        }
    }
}
