//! Hong Kong, Macao and Taiwan have codes of their own in ISO 3166-1, and stand below China in ISO 3166-2:CN as well. Whoever
//! writes them as CN is read by their own codes, because policies name them so, and the claim says that it was read so.

use super::layer::Saying;
use crate::model::{Authority, Country, CountrySet, Reading, SourceId};

/// Subdivisions of China (ISO 3166-2:CN, the letters of today and the numbers of before 2017) and cities, of places that
/// have codes of their own.
const OWN: [(&str, [&str; 2], &[&str]); 3] = [
    ("HK", ["CN-HK", "CN-91"], &["hong kong", "hongkong", "kowloon", "tsuen wan", "sha tin", "tseung kwan o", "香港"]),
    ("MO", ["CN-MO", "CN-92"], &["macau", "macao", "taipa", "澳門", "澳门"]),
    (
        "TW",
        ["CN-TW", "CN-71"],
        &[
            "taipei",
            "taipei city",
            "new taipei",
            "new taipei city",
            "taiwan",
            "kaohsiung",
            "taichung",
            "hsinchu",
            "台北",
        ],
    ),
];

/// The code of a place that is stated as China but has its own.
pub(super) fn own_code(stated: Country, subdivision: &str, city: &str) -> Country {
    if stated.code() != "CN" {
        return stated;
    }
    let city = city.to_lowercase();
    let is_own = |(code, subdivisions, cities): &&(&str, [&str; 2], &[&str])| {
        let is_named = |name: &str| subdivision.eq_ignore_ascii_case(name);
        let starts = subdivision.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(&format!("{code}-")));
        subdivisions.iter().any(|name| is_named(name)) || is_named(code) || starts || cities.contains(&city.as_str())
    };
    OWN.iter().find(is_own).and_then(|(code, ..)| Country::from_code(code)).unwrap_or(stated)
}

/// Reads a provider's CN as the place that another provider's claim names by its own code: the region of one feed tells
/// what the country of another means. What databases say is left as it stands.
pub(super) fn agree(sayings: &mut [(SourceId, Saying)]) {
    let provided = |saying: &Saying, code: &str| {
        saying.authority == Authority::Provider && saying.places.only().is_some_and(|country| country.code() == code)
    };
    let mut owners = OWN.iter().filter(|(code, ..)| sayings.iter().any(|(_, saying)| provided(saying, code)));
    // Two of them at once differ in earnest.
    let (Some((code, ..)), None) = (owners.next(), owners.next()) else { return };
    let Some(country) = Country::from_code(code) else { return };
    for (_, saying) in sayings.iter_mut().filter(|(_, saying)| provided(saying, "CN")) {
        saying.places = CountrySet::of(country);
        saying.reading = Some(Reading::OwnCode);
    }
}
