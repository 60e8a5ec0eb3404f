//! Geofeeds (RFC 8805): `prefix,country,region,city,postal code`, a line each, comments with `#`.
//!
//! A holder of addresses says where they are used. Bad lines are counted, never a reason to give up (section 3). Hong Kong,
//! Macao and Taiwan have codes of their own in ISO 3166-1 as well as below China in ISO 3166-2:CN; some feeds write the
//! latter (AWS did for all of its region in Hong Kong, 2026-03). A place that has its own code is taken by it here,
//! because policies name it so.

use super::LocateError;
use super::layer::{Database, Saying};
use super::listing::{Document, Listing, Refusal, date_in, network, provided};
use super::own_code::own_code;
use crate::model::{Authority, Country, CountrySet, Reading};

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
        let reading = (country != stated).then_some(Reading::OwnCode);
        if reading.is_some() {
            listing.refuse(Refusal::OwnCode, &told());
        }
        let label = subdivision.to_ascii_uppercase();
        let region = if label.is_empty() { None } else { listing.region(&label) };
        listing.network(network, Saying { reading, ..provided(CountrySet::of(country), region) });
    }
    document.database(listing, "geofeed", Authority::Provider, as_of)
}
