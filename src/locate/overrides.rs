//! The operator's own word on networks, in a file with an owner and a reason for each entry.
//!
//! ```toml
//! [[override]]
//! network = "192.0.2.0/24"
//! places = ["DE"]          # ISO 3166-1 codes; "*" alone: announced from many sites
//! owner = "network team"
//! reason = "our rack in Frankfurt, contract 4711"
//! expires = 2027-01-31
//! ```
//!
//! It outranks every other source, so nothing in it is passed over: one mistake and the file is refused, with the line.
//! An entry counts until the end of the day on which it expires.

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::LocateError;
use super::layer::{Database, Saying};
use super::listing::{Document, Listing, Refusal, is_global, network};
use crate::model::{Authority, Country, CountrySet};

/// The most entries of a file.
const MAX_ENTRIES: usize = 100_000;
/// The most countries of one entry.
const MAX_PLACES: usize = 250;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "override", default)]
    overrides: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    network: Spanned<String>,
    places: Spanned<Vec<String>>,
    owner: Spanned<String>,
    reason: Spanned<String>,
    expires: Option<Spanned<Expiry>>,
}

/// A date, written as TOML's own or in quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expiry {
    Date(toml::value::Datetime),
    Text(String),
}

impl Expiry {
    fn date(&self) -> Option<Date> {
        match self {
            Self::Date(date) => date.to_string().parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

pub(super) fn read(document: Document<'_>, today: Option<Date>) -> Result<Database, LocateError> {
    let line = |offset: usize| {
        let before = document.text.get(..offset).unwrap_or_default();
        memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1
    };
    let file: File = toml::from_str(document.text).map_err(|error| {
        let at = error.span().map(|span| format!("line {}: ", line(span.start))).unwrap_or_default();
        document.unusable(format!("{at}{}", error.message()))
    })?;
    if file.overrides.len() > MAX_ENTRIES {
        return Err(document.unusable(format!("it has more than {MAX_ENTRIES} entries")));
    }
    let mut listing = Listing::new();
    for entry in &file.overrides {
        let wrong = |offset: usize, what: String| document.unusable(format!("line {}: {what}", line(offset)));
        let (start, text) = (entry.network.span().start, entry.network.get_ref());
        let network: IpNet = network(text)
            .ok_or_else(|| wrong(start, format!("`{text}` is not a network in CIDR form, such as 192.0.2.0/24")))?;
        if !is_global(network) {
            let what = format!(
                "`{text}` is private or reserved, or contains such networks: a zone of the policy says where it is"
            );
            return Err(wrong(start, what));
        }
        let places = places(entry.places.get_ref()).map_err(|what| wrong(entry.places.span().start, what))?;
        for (name, field) in [("owner", &entry.owner), ("reason", &entry.reason)] {
            if field.get_ref().trim().is_empty() {
                return Err(wrong(field.span().start, format!("`{name}` is empty")));
            }
        }
        if let Some(expires) = &entry.expires {
            let date = expires.get_ref().date();
            let date = date
                .ok_or_else(|| wrong(expires.span().start, "`expires` is not a date, such as 2027-01-31".to_owned()))?;
            if today.is_some_and(|today| today > date) {
                listing.refuse(Refusal::Expired, &format!("line {}: {text}", line(start)));
                continue;
            }
        } else {
            listing.refuse(Refusal::Endless, &format!("line {}: {text}", line(start)));
        }
        let saying = Saying { authority: Authority::Operator, ..Saying::indicative(places) };
        listing.network(network, saying);
    }
    document.database(listing, "overrides", Authority::Operator, None)
}

fn places(codes: &[String]) -> Result<CountrySet, String> {
    if codes.is_empty() || codes.len() > MAX_PLACES {
        return Err(format!("`places` needs between 1 and {MAX_PLACES} country codes, or \"*\""));
    }
    if let [only] = codes
        && only == "*"
    {
        return Ok(CountrySet::ANYWHERE);
    }
    codes.iter().map(|code| code.parse::<Country>().map_err(|error| error.to_string())).collect()
}
