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

/// Who made a source, in the list of its [`Gazetteer`](crate::locate::Gazetteer).
///
/// Two sources of one publisher, as a city and a country database, are the same evidence twice: whoever counts agreeing
/// sources counts publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublisherId(pub u16);

/// How a claim was read, where that is not as it stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The source says CN of a place that has a code of its own: Hong Kong, Macao or Taiwan. Policies name it by that.
    OwnCode,
}

impl Reading {
    /// A sentence for people, without a full stop.
    pub const fn told(self) -> &'static str {
        match self {
            Self::OwnCode => "the source says CN; the place has a code of its own, and is taken by it",
        }
    }
}

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
    /// Who made that source.
    pub publisher: PublisherId,
    /// How much it counts.
    pub authority: Authority,
    /// The date of the source.
    pub as_of: Option<Date>,
    /// How it was read, where that is not as it stands in the source.
    pub reading: Option<Reading>,
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
    /// unknown. But they tell what databases fall back on. Where databases of two publishers agree on a country other than
    /// that of the registration, they have looked, and are heard alone: such agreement was right for 99.9 % of the networks
    /// of large providers, repeating the registration for three quarters. One database alone is not enough for that, since
    /// departing is also how small networks are placed wrongly. The order of the claims means nothing.
    pub fn weigh(claims: &[Claim]) -> Self {
        let all: Vec<_> = claims.iter().map(|claim| (claim.authority, claim.places, claim.publisher)).collect();
        Self::weigh_places(&all)
    }

    /// [`Location::weigh`] for those who have no more than authorities, places and publishers.
    pub fn weigh_places(claims: &[(Authority, CountrySet, PublisherId)]) -> Self {
        let of = |wanted: Authority| {
            claims.iter().filter(move |(authority, places, _)| *authority == wanted && !places.is_empty())
        };
        let ranks = [Authority::Operator, Authority::Provider, Authority::Indicative];
        let Some(highest) = ranks.into_iter().find(|authority| of(*authority).next().is_some()) else {
            return Self::UNKNOWN;
        };
        let registered = of(Authority::Registry).fold(CountrySet::NOWHERE, |all, (_, places, _)| all.union(*places));
        let is_corroborated = |(_, places, publisher): &(_, CountrySet, PublisherId)| {
            let agrees = |(_, same, other): &(_, CountrySet, PublisherId)| same == places && other != publisher;
            places.intersection(registered).is_empty() && of(highest).any(agrees)
        };
        let corroborated =
            highest == Authority::Indicative && !registered.is_empty() && of(highest).any(is_corroborated);
        let (mut union, mut differ) = (CountrySet::NOWHERE, false);
        for claim in of(highest) {
            let places = claim.1;
            if corroborated && !is_corroborated(claim) && !places.is_anywhere() {
                continue;
            }
            differ |= !union.is_empty() && places != union;
            union = union.union(places);
        }
        if union.is_anywhere() {
            return Self::ANYCAST;
        }
        Self { possible: union, standing: if differ { Standing::Disputed } else { Standing::Agreed } }
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
