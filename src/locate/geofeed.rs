//! Geofeeds (RFC 8805): `prefix,country,region,city,postal code`, a line each, comments with `#`.
//!
//! A holder of addresses says where they are used. Bad lines are counted, never a reason to give up (section 3). Hong Kong,
//! Macao and Taiwan have codes of their own in ISO 3166-1 as well as below China in ISO 3166-2:CN; some feeds write the
//! latter (AWS did for all of its region in Hong Kong, 2026-03). A place that has its own code is taken by it here,
//! because policies name it so.

use super::LocateError;
use super::layer::Database;
use super::listing::{Document, Listing, Refusal, date_in, network, provided};
use crate::model::{Authority, Country, CountrySet};

/// The longest line that is split into fields, in octets.
const MAX_LINE: usize = 4096;

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let mut listing = Listing::new();
    let mut as_of = None;
    let mut is_first = true;
    for (at, line) in document.text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            as_of = as_of.or_else(|| date_in(comment));
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let told = || format!("line {}: {line}", at + 1);
        let was_first = std::mem::replace(&mut is_first, false);
        let mut fields = line.split(',').map(|field| field.trim().trim_matches('"').trim());
        let first = fields.next().unwrap_or_default();
        let Some(network) = network(first).filter(|_| line.len() <= MAX_LINE) else {
            // Some feeds have a line of names before the others.
            if !(was_first && first.bytes().all(|octet| octet.is_ascii_alphabetic() || b"_- ".contains(&octet))) {
                listing.refuse(Refusal::Bad, &told());
            }
            continue;
        };
        let code = fields.next().unwrap_or_default();
        let (subdivision, city) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        if code.is_empty() {
            // The holder asks not to be located (section 2.1.1.2): the feed says nothing, databases may.
            continue;
        }
        let Some(stated) = Country::from_code(code) else {
            listing.refuse(Refusal::Bad, &told());
            continue;
        };
        let country = own_code(stated, subdivision, city);
        if country != stated {
            listing.refuse(Refusal::OwnCode, &told());
        }
        let label = subdivision.to_ascii_uppercase();
        let region = if label.is_empty() { None } else { listing.region(&label) };
        listing.network(network, provided(CountrySet::of(country), region));
    }
    document.database(listing, "geofeed", Authority::Provider, as_of)
}

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
fn own_code(stated: Country, subdivision: &str, city: &str) -> Country {
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
