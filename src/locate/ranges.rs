//! Databases as text: `first,last,country`, a row each, as `IPFire` Location is exported for Tor (`geoip` with numbers for
//! IPv4, `geoip6` with addresses) and as ip-location-db writes its tables.
//!
//! Comments begin with `#`; those of `IPFire` tell vendor, licence and date. Codes that name no country (`??`, `ZZ`, `EU`,
//! `AP`, ..) say nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::LocateError;
use super::layer::{Database, Layer, Saying, tidy};
use super::listing::{Document, Listing, MAX_NETWORKS, Refusal};
use super::mmdb::hex;
use super::publisher::{Countries, publisher};
use super::runs::{Key, Runs, Writer};
use crate::model::{Authority, Country, CountrySet, LocationSource, Subject};

/// How many lines of comments at the beginning are looked at.
const MAX_HEAD: usize = 100;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// First and last addresses, and what is said, as an index.
type Ranges<K> = Vec<(K, K, u32)>;

/// The first and last address of a row, and its country.
pub(super) fn row(line: &str) -> Option<(IpAddr, IpAddr, &str)> {
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"').trim());
    let (first, last, code) = (address(fields.next()?)?, address(fields.next()?)?, fields.next()?);
    let is_code = code.is_empty() || (code.len() == 2 && code.bytes().all(|octet| octet.is_ascii_graphic()));
    (is_code && first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last, code))
}

/// An address as it is written, or the number of an IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    let number = || text.parse::<u32>().ok().map(|number| Ipv4Addr::from(number).into());
    text.parse::<IpAddr>().ok().or_else(number)
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    // Only for the counting of rows that cannot be used.
    let mut refused = Listing::new();
    let mut sayings = vec![Saying::NOTHING];
    let mut known: BTreeMap<Country, u32> = BTreeMap::new();
    let (mut v4, mut v6) = (Ranges::<u32>::new(), Ranges::<u128>::new());
    for (at, line) in document.text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((first, last, code)) = row(line) else {
            refused.refuse(Refusal::Bad, &format!("line {}: {line}", at + 1));
            continue;
        };
        if v4.len() + v6.len() >= MAX_NETWORKS {
            return Err(document.unusable(format!("it lists more than {MAX_NETWORKS} networks")));
        }
        let Some(country) = Country::from_code(code) else { continue };
        let index = *known.entry(country).or_insert_with(|| {
            sayings.push(Saying::indicative(CountrySet::of(country)));
            sayings.len() as u32 - 1
        });
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.into(), last.into(), index)),
            (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.into(), last.into(), index)),
            _ => {}
        }
    }
    let networks = (v4.len() + v6.len()) as u64;
    let places = (runs(v4, &mut refused), runs(v6, &mut refused));
    let mut layer = Layer { sayings, places, networks, ..Layer::default() };
    let notes = refused.notes();
    if networks == 0 {
        let what = notes.first().map(|note| format!(": {note}")).unwrap_or_default();
        return Err(document.unusable(format!("no row of it can be used{what}")));
    }
    let stem = document.path.file_stem().map_or_else(String::new, |stem| tidy(&stem.to_string_lossy()));
    let maker = publisher(&told(document.text, "Vendor:").unwrap_or_default(), &stem);
    if maker.is_some_and(|maker| maker.countries == Countries::Registered) {
        layer.register();
    }
    let as_of = told(document.text, "Generated:").and_then(|text| date(&text));
    let licence = told(document.text, "License:").or_else(|| maker.and_then(|maker| maker.licence).map(str::to_owned));
    let subjects = layer.subjects(Subject::Places);
    let is_located = subjects.contains(&Subject::Places);
    let source = LocationSource {
        publisher: Some(maker.map_or_else(|| stem.clone(), |maker| maker.name.to_owned())),
        name: stem,
        origin: document.path.display().to_string(),
        kind: format!("ranges {}", if is_located { "country" } else { "registration" }),
        authority: if is_located { Authority::Indicative } else { Authority::Registry },
        as_of: as_of.map(|date| date.to_string()),
        digest: hex(&Sha256::digest(document.text)),
        licence,
        attribution: maker.and_then(|maker| maker.attribution).map(str::to_owned),
        networks,
        subjects,
    };
    let series = maker.map(|maker| format!("ranges {} {}", maker.name, source.name));
    Ok(Database { layer, source, as_of, series, notes })
}

/// Ranges as runs. Of two that lie over each other the one that begins first is heard, and the other counted.
fn runs<K: Key>(mut ranges: Ranges<K>, refused: &mut Listing) -> Runs<K, u32> {
    ranges.sort_unstable();
    let mut writer = Writer::default();
    for (first, last, index) in ranges {
        if writer.range(first, last, index).is_err() {
            refused.refuse(Refusal::Bad, &format!("a range that lies over another, from {first:?}"));
        }
    }
    writer.finish()
}

/// What a comment at the beginning says after a word.
fn told(text: &str, word: &str) -> Option<String> {
    let mut head = text.lines().take(MAX_HEAD).map_while(|line| line.trim().strip_prefix('#'));
    head.find_map(|line| line.trim().strip_prefix(word)).map(tidy).filter(|text| !text.is_empty())
}

/// `Thu, 25 Jun 2026 04:33:59 GMT` (RFC 9110, section 5.6.7).
fn date(text: &str) -> Option<Date> {
    let mut words = text.split_whitespace().skip(1);
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Date::new(year.parse().ok()?, month.try_into().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_two_addresses_and_a_code() {
        let read = |line| row(line).map(|(first, last, code)| format!("{first} {last} {code}"));
        assert_eq!(read("16777216,16777471,AU").as_deref(), Some("1.0.0.0 1.0.0.255 AU"));
        assert_eq!(read("2001:200::,2001:200:134:ffff::,JP").as_deref(), Some("2001:200:: 2001:200:134:ffff:: JP"));
        assert_eq!(read("\"1.0.0.0\",\"1.0.0.255\",\"??\"").as_deref(), Some("1.0.0.0 1.0.0.255 ??"));
        for not in ["1.0.0.0,1.0.0.255,13335", "1.0.0.9,1.0.0.0,AU", "1.0.0.0,2001:200::,AU", "1.0.0.0/24,AU", "a,b,DE"]
        {
            assert_eq!(read(not), None, "{not}");
        }
        assert_eq!(date("Thu, 25 Jun 2026 04:33:59 GMT").unwrap().to_string(), "2026-06-25");
    }
}
