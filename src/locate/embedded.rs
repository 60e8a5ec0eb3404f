//! The location data that the program carries, so that the first command works offline with nothing installed.
//!
//! Countries are those of DB-IP Lite, AS numbers those of `RouteViews`, DB-IP and the NRO, both CC BY 4.0: see `NOTICE`
//! beside the files. The generator (`cargo run --release --example embed`) makes the files and `VINTAGE.toml`, which says
//! where each comes from. A registry's delegations are no substitute: the country where a network is registered is wrong
//! for six of ten networks of the large providers. They are here as well, to be used where databases of two publishers are:
//! [`Location::weigh`](crate::model::Location::weigh) says what for. `anycast.tsv` lists services that are announced from
//! many sites beyond doubt, each with the place where its operator says so.

pub mod codec;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::codec::{CodecError, Numbers};
use super::LocateError;
use super::detect;
use super::layer::{Database, Layer, Organisations, Saying};
use super::listing::{Document, Listing, provided};
use crate::model::{Authority, Country, CountrySet, LocationSource, Subject};

static COUNTRIES: &[u8] = include_bytes!("embedded/country.bin");
static SYSTEMS: &[u8] = include_bytes!("embedded/asn.bin");
static REGISTRATIONS: &[u8] = include_bytes!("embedded/registered.bin");
static ANYCAST: &str = include_str!("embedded/anycast.tsv");
static VINTAGE: &str = include_str!("embedded/VINTAGE.toml");

/// Where the embedded data comes from: `VINTAGE.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vintage {
    /// The countries.
    pub country: Origin,
    /// The AS numbers.
    pub asn: Origin,
    /// The delegations of the registries.
    pub registered: Origin,
}

/// Where one embedded table comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its name in reports.
    pub name: String,
    /// Who made its source.
    pub publisher: String,
    /// The package that its source was taken from, with the version.
    pub package: String,
    /// The date of the data, ISO 8601.
    pub date: String,
    /// SHA-256 of the source files, by their names.
    pub inputs: std::collections::BTreeMap<String, String>,
    /// SHA-256 of the packed file.
    pub packed: String,
    /// How many runs of addresses it says something of.
    pub networks: u64,
    /// The licence.
    pub licence: String,
    /// The attribution that the licence asks for.
    pub attribution: String,
    /// What made the packed file.
    pub generator: String,
}

fn damaged(what: impl Into<String>) -> LocateError {
    LocateError::Embedded { what: what.into() }
}

/// Where the embedded data comes from.
pub fn vintage() -> Result<Vintage, LocateError> {
    toml::from_str(VINTAGE).map_err(|error| damaged(error.message()))
}

fn database(layer: Layer, origin: Origin, kind: &str, authority: Authority) -> Database {
    let as_of = origin.date.parse().ok();
    let series = Some(origin.name.clone());
    let source = LocationSource {
        name: origin.name,
        origin: "embedded".to_owned(),
        kind: format!("embedded {kind}"),
        authority,
        as_of: Some(origin.date),
        digest: origin.packed,
        licence: Some(origin.licence),
        attribution: Some(origin.attribution),
        networks: origin.networks,
        publisher: Some(origin.publisher),
        subjects: layer.subjects(Subject::Places),
    };
    Database { layer, source, as_of, series, notes: Vec::new() }
}

pub(super) fn countries() -> Result<Database, LocateError> {
    let saying = |country| Saying::indicative(CountrySet::of(country));
    by_country(COUNTRIES, vintage()?.country, "country", saying, Authority::Indicative)
}

/// Where networks are registered.
pub(super) fn registrations() -> Result<Database, LocateError> {
    let authority = Authority::Registry;
    let saying = |country| Saying { registered: Some(country), authority, ..Saying::NOTHING };
    by_country(REGISTRATIONS, vintage()?.registered, "registration", saying, authority)
}

/// Services that are announced from many sites, each host by the word of its operator.
pub(super) fn anycast() -> Result<Database, LocateError> {
    let document = Document { path: Path::new("anycast-services"), text: ANYCAST, form: "the embedded list" };
    let mut listing = Listing::new();
    let mut as_of = None;
    for line in ANYCAST.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let mut fields = line.split('\t');
        let (Some(address), Some(service), Some(date)) = (fields.next(), fields.next(), fields.nth(1)) else {
            return Err(damaged(format!("a row of the list of anycast services is short: {line}")));
        };
        as_of = as_of.max(date.parse().ok());
        let region = listing.region(service);
        listing.written(address, provided(CountrySet::ANYWHERE, region));
    }
    let mut database = document.database(listing, "embedded anycast", Authority::Provider, as_of)?;
    "embedded".clone_into(&mut database.source.origin);
    database.source.publisher = Some(env!("CARGO_PKG_NAME").to_owned());
    database.source.licence = Some(env!("CARGO_PKG_LICENSE").to_owned());
    Ok(database)
}

fn by_country(
    packed: &[u8],
    origin: Origin,
    kind: &str,
    saying: impl Fn(Country) -> Saying,
    authority: Authority,
) -> Result<Database, LocateError> {
    let table = codec::decode(packed).map_err(|error| damaged(error.to_string()))?;
    let mut sayings = vec![Saying::NOTHING];
    sayings.extend(Country::all().map(saying));
    // Country number to saying; a table by the two letters, since there are half a million runs.
    let mut known = vec![0; 1 << 16];
    for (at, country) in Country::all().enumerate() {
        if let Some(place) = known.get_mut(letters(country) as usize) {
            *place = at as u32 + 1;
        }
    }
    let saying = |number: u32| known.get(number as usize).copied().unwrap_or(0);
    let layer = Layer {
        sayings,
        places: (table.v4.map(saying), table.v6.map(saying)),
        networks: origin.networks,
        ..Layer::default()
    };
    Ok(database(layer, origin, kind, authority))
}

pub(super) fn systems() -> Result<Database, LocateError> {
    let origin = vintage()?.asn;
    let table = codec::decode(SYSTEMS).map_err(|error| damaged(error.to_string()))?;
    let organisations = Organisations::from_lines(table.named, table.names);
    let layer = Layer {
        systems: (table.v4, table.v6),
        organisations: organisations.ok_or_else(|| damaged(CodecError::Range.to_string()))?,
        networks: origin.networks,
        ..Layer::default()
    };
    Ok(database(layer, origin, "asn", Authority::Indicative))
}

/// The two letters of a country as a number.
fn letters(country: Country) -> u32 {
    country.code().bytes().fold(0, |number, letter| number << 8 | u32::from(letter))
}

/// The countries of a source as a table of numbers, two letters each, for the generator: where networks are, or for a
/// registry's delegations where they are registered. With the date of the source.
pub fn countries_of(path: &Path) -> Result<(Numbers, Option<String>), LocateError> {
    let Database { layer, source, .. } = detect::read(path, None)?;
    let number = |saying: u32| {
        let saying = layer.sayings.get(saying as usize);
        saying.and_then(|saying| saying.places.only().or(saying.registered)).map_or(0, letters)
    };
    let (v4, v6) = layer.places.clone();
    Ok((Numbers { v4: v4.map(number), v6: v6.map(number), ..Numbers::default() }, source.as_of))
}
