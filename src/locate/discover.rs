//! Databases where the usual tools put them.

use std::path::{Path, PathBuf};

/// The folders where `geoipupdate`, distributions and Homebrew keep databases.
pub const USUAL_FOLDERS: [&str; 4] =
    ["/var/lib/GeoIP", "/usr/share/GeoIP", "/usr/local/share/GeoIP", "/usr/local/var/GeoIP"];

/// How many entries of a folder are looked at.
const MAX_ENTRIES: usize = 4096;

/// Names of databases, a list for each publisher and purpose, the best first. `*` stands for a date in the name.
const KNOWN: [&[&str]; 6] = [
    &["GeoIP2-City.mmdb", "GeoIP2-Country.mmdb", "GeoLite2-City.mmdb", "GeoLite2-Country.mmdb"],
    &["dbip-city-lite-*.mmdb", "dbip-country-lite-*.mmdb"],
    &["ipinfo_lite.mmdb", "country_asn.mmdb"],
    &["GeoIP2-ISP.mmdb", "GeoIP2-ASN.mmdb", "GeoLite2-ASN.mmdb"],
    &["dbip-asn-lite-*.mmdb"],
    &["ipinfo_asn.mmdb"],
];

/// Databases in these folders, in a stable order: places before AS numbers, `MaxMind`, DB-IP, `IPinfo`.
///
/// Of each publisher and purpose one file is taken, since its editions are one and the same evidence: a city database
/// before a country one, the newest month before older ones, and a folder that is named earlier before a later one.
pub fn discover(folders: &[&Path]) -> Vec<PathBuf> {
    let mut names: Vec<(usize, String)> = Vec::new();
    for (at, folder) in folders.iter().enumerate() {
        let Ok(entries) = folder.read_dir() else { continue };
        let entries = entries.take(MAX_ENTRIES).filter_map(Result::ok);
        names.extend(entries.filter_map(|entry| Some((at, entry.file_name().into_string().ok()?))));
    }
    let best = |patterns: &[&str]| {
        patterns.iter().find_map(|pattern| {
            // The newest name, and among equals the first folder.
            let fits = names.iter().filter(|(_, name)| is_like(name, pattern));
            let (at, name) = fits.max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)))?;
            folders.get(*at).map(|folder| folder.join(name)).filter(|path| path.is_file())
        })
    };
    KNOWN.iter().filter_map(|patterns| best(patterns)).collect()
}

/// Whether a name is the pattern, with a date (`2026-06`) for the star.
fn is_like(name: &str, pattern: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return name == pattern };
    let date = name.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    date.is_some_and(|date| date.len() >= 7 && date.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-'))
}
