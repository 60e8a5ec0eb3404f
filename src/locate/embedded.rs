//! The location data that the program carries, so that the first command works offline with nothing installed.
//!
//! Countries are those of DB-IP Lite, AS numbers those of `RouteViews`, DB-IP and the NRO, both CC BY 4.0: see `NOTICE`
//! beside the files. The generator (`cargo run --release --example embed`) makes the files and `VINTAGE.toml`, which says
//! where each comes from. A registry's delegations are no substitute: the country where a network is registered is wrong
//! for six of ten networks of the large providers.

pub mod codec;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::codec::{CodecError, Numbers};
use super::LocateError;
use super::layer::{Database, Extent, Layer, Organisations, Saying};
use super::mmdb;
use crate::model::{Authority, Country, CountrySet, LocationSource};

static COUNTRIES: &[u8] = include_bytes!("embedded/country.bin");
static SYSTEMS: &[u8] = include_bytes!("embedded/asn.bin");
static VINTAGE: &str = include_str!("embedded/VINTAGE.toml");

/// Where the embedded data comes from: `VINTAGE.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vintage {
    /// The countries.
    pub country: Origin,
    /// The AS numbers.
    pub asn: Origin,
}

/// Where one embedded table comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its name in reports.
    pub name: String,
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

fn database(layer: Layer, origin: Origin, kind: &str) -> Database {
    let as_of = origin.date.parse().ok();
    let series = Some(origin.name.clone());
    let source = LocationSource {
        name: origin.name,
        origin: "embedded".to_owned(),
        kind: format!("embedded {kind}"),
        authority: Authority::Indicative,
        as_of: Some(origin.date),
        digest: origin.packed,
        licence: Some(origin.licence),
        attribution: Some(origin.attribution),
        networks: origin.networks,
    };
    Database { layer, source, as_of, extent: Extent::World, series, notes: Vec::new() }
}

pub(super) fn countries() -> Result<Database, LocateError> {
    let origin = vintage()?.country;
    let table = codec::decode(COUNTRIES).map_err(|error| damaged(error.to_string()))?;
    let mut sayings = vec![Saying::NOTHING];
    sayings.extend(Country::all().map(|country| Saying::indicative(CountrySet::of(country))));
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
    Ok(database(layer, origin, "country"))
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
    Ok(database(layer, origin, "asn"))
}

/// The two letters of a country as a number.
fn letters(country: Country) -> u32 {
    country.code().bytes().fold(0, |number, letter| number << 8 | u32::from(letter))
}

/// The countries of a database as a table of numbers, two letters each, for the generator.
pub fn countries_of(path: &Path) -> Result<Numbers, LocateError> {
    let layer = mmdb::read(path)?.layer;
    let number = |saying: u32| {
        let only = layer.sayings.get(saying as usize).and_then(|saying| saying.places.only());
        only.map_or(0, letters)
    };
    let (v4, v6) = layer.places.clone();
    Ok(Numbers { v4: v4.map(number), v6: v6.map(number), ..Numbers::default() })
}
