//! From a provider's region to a country: a dated table, and what is done with codes that are newer than it.

use std::collections::BTreeMap;

use crate::locate::layer::Saying;
use crate::locate::listing::{Listing, Refusal, provided};
use crate::model::{Authority, Country, CountrySet};

static TABLE: &str = include_str!("regions.tsv");

/// What the table says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is in a country.
    In(Country),
    /// It is announced from many sites.
    Anycast,
    /// The code itself is not in the table, but one that it lies below is.
    Below(Country),
    /// Nothing.
    Not,
}

/// The regions of one provider.
pub(super) struct Regions {
    provider: &'static str,
    codes: BTreeMap<String, Known>,
}

impl Regions {
    pub(super) fn of(provider: &'static str) -> Self {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut fields = line.split('\t');
            let (of, code, country) = (fields.next()?, fields.next()?, fields.next()?);
            let known = match country {
                "*" => Known::Anycast,
                country => Country::from_code(country).map_or(Known::Not, Known::In),
            };
            (of == provider).then(|| (code.to_ascii_lowercase(), known))
        });
        Self { provider, codes: rows.collect() }
    }

    /// Where a region is.
    ///
    /// Codes newer than the table: a letter at the end is that of a zone and is dropped (`ap-southeast-1-sggov-sin-1a`);
    /// then the longest beginning that is in the table and ends at a dash is taken for the region above. Nothing else is
    /// tried.
    pub(super) fn known(&self, code: &str) -> Known {
        let code = code.to_ascii_lowercase();
        let exact = |code: &str| self.codes.get(code).copied().filter(|known| *known != Known::Not);
        if let Some(known) = exact(&code) {
            return known;
        }
        if self.codes.contains_key(&code) {
            return Known::Not;
        }
        let zone = code.strip_suffix(|c: char| c.is_ascii_lowercase()).map(|code| code.trim_end_matches('-'));
        if let Some(known) = zone.filter(|zone| zone.ends_with(|c: char| c.is_ascii_digit())).and_then(exact) {
            return known;
        }
        let above = code.match_indices('-').map(|(at, _)| at).rev().find_map(|at| exact(code.get(..at)?));
        match above {
            Some(Known::In(country)) => Known::Below(country),
            _ => Known::Not,
        }
    }

    /// What a row with this region says.
    ///
    /// A region below one that is known may be abroad: one of four local zones of AWS is in another country than the region
    /// it belongs to. So it counts as indicative, beside what databases say. A region of which nothing is known has no
    /// place, and its name is kept.
    pub(super) fn saying(&self, listing: &mut Listing, code: &str) -> Saying {
        let label = format!("{}:{code}", self.provider);
        let region = listing.region(&label);
        match self.known(code) {
            Known::In(country) => provided(CountrySet::of(country), region),
            Known::Anycast => provided(CountrySet::ANYWHERE, region),
            Known::Below(country) => {
                listing.refuse(Refusal::NewRegion, &label);
                Saying { authority: Authority::Indicative, ..provided(CountrySet::of(country), region) }
            }
            Known::Not => {
                listing.refuse(Refusal::UnknownRegion, &label);
                provided(CountrySet::NOWHERE, region)
            }
        }
    }
}

/// Why a provider's region has no country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// A provider whose regions are not known.
    #[error("`{0}` is no provider whose regions are known: aws, azure, gcp or oci")]
    Provider(String),
    /// A region that the table does not have.
    #[error("`{0}` is no region of the provider that is known")]
    Region(String),
    /// Many sites, not one.
    #[error("`{0}` is many sites, not one")]
    ManySites(String),
}

/// The country of a provider's region, such as `aws` and `eu-central-1`.
pub fn region_country(provider: &str, region: &str) -> Result<Country, RegionError> {
    const PROVIDERS: [&str; 4] = ["aws", "azure", "gcp", "oci"];
    let known = PROVIDERS.into_iter().find(|known| known.eq_ignore_ascii_case(provider));
    let provider = known.ok_or_else(|| RegionError::Provider(provider.to_owned()))?;
    match Regions::of(provider).known(region) {
        Known::In(country) => Ok(country),
        Known::Anycast => Err(RegionError::ManySites(region.to_owned())),
        // A region below one that is known may be abroad.
        Known::Below(_) | Known::Not => Err(RegionError::Region(region.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_codes_are_never_guessed() {
        let aws = Regions::of("aws");
        let known = |code| match aws.known(code) {
            Known::In(country) => country.code().to_owned(),
            Known::Below(country) => format!("below {}", country.code()),
            Known::Anycast => "*".to_owned(),
            Known::Not => "-".to_owned(),
        };
        assert_eq!(known("eu-central-1-ist-1"), "TR");
        assert_eq!(known("us-west-2-las-1c"), "US");
        assert_eq!(known("eu-central-1-xyz-1"), "below DE");
        assert_eq!(known("xx-north-1"), "-");
        assert_eq!(known("eu-isoe-west-1"), "-");
        assert_eq!(known("GLOBAL"), "*");
        assert_eq!(known(""), "-");
        assert_eq!(Regions::of("gcp").known("europe-west3-a"), Known::In(Country::from_code("DE").unwrap()));
        assert_eq!(Regions::of("azure").known("germanywestcentral9"), Known::Not);
    }

    #[test]
    fn every_row_of_the_table_is_used() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count() - 1;
        let regions: Vec<Regions> = ["aws", "gcp", "azure", "oci"].into_iter().map(Regions::of).collect();
        assert_eq!(regions.iter().map(|regions| regions.codes.len()).sum::<usize>(), rows);
        let not = regions.iter().flat_map(|regions| &regions.codes).filter(|(_, known)| **known == Known::Not);
        assert_eq!(not.map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["eu-isoe-west-1"]);
    }
}
