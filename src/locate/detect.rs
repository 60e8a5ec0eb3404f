//! What a file is, by what is in it: names and endings of files say nothing.

use std::path::Path;

use jiff::civil::Date;

use super::layer::Database;
use super::listing::{Document, network};
use super::{LocateError, anycast, delegated, feeds, geofeed, mmdb, overrides, ranges};

/// The largest list that is read, in octets: that of all registries together has about 60 MB.
const MAX_LIST: usize = 256 << 20;
/// How many lines are looked at for one that tells what a list is.
const MAX_LINES: usize = 1000;

/// Reads a source of locations. `today` decides which overrides have expired.
pub(super) fn read(path: &Path, today: Option<Date>) -> Result<Database, LocateError> {
    let octets = mmdb::octets(path)?;
    if mmdb::is_marked(&octets) {
        return mmdb::walk(path, &octets);
    }
    let Ok(text) = std::str::from_utf8(&octets) else { return mmdb::walk(path, &octets) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = |form| Document { path, text, form };
    if text.trim_start().starts_with('{') {
        return feeds::read(document("a provider's feed"));
    }
    let Some(form) = form(text) else {
        let what =
            "nor a feed, a geofeed, a list of prefixes, a table of ranges, a registry's delegations or overrides"
                .to_owned();
        return Err(LocateError::NotADatabase { path: path.to_owned(), what });
    };
    if text.len() > MAX_LIST {
        return Err(LocateError::TooLarge { path: path.to_owned() });
    }
    match form {
        Form::Geofeed => geofeed::read(document("a geofeed")),
        Form::Prefixes => anycast::read(document("a list of anycast prefixes")),
        Form::Delegated => delegated::read(document("a registry's delegations")),
        Form::Ranges => ranges::read(document("a table of ranges")),
        Form::Overrides => overrides::read(document("overrides"), today),
    }
}

/// Whether the beginning of a file, or its end, is that of a source of locations. Of what cannot be read it is not known:
/// yes, so that whoever reads it says what is wrong.
pub fn is_source(path: &Path) -> bool {
    let Ok(octets) = mmdb::octets(path) else { return true };
    let text = std::str::from_utf8(&octets).map(|text| text.trim_start_matches('\u{feff}'));
    mmdb::is_marked(&octets) || text.is_ok_and(|text| text.trim_start().starts_with('{') || form(text).is_some())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Geofeed,
    Prefixes,
    Delegated,
    Ranges,
    Overrides,
}

/// The form of a text, by its first line that tells.
fn form(text: &str) -> Option<Form> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.take(MAX_LINES).find_map(|line| {
        if line.starts_with("[[override]]") || line.starts_with("override") {
            return Some(Form::Overrides);
        }
        if line.split('|').count() >= 6 {
            return Some(Form::Delegated);
        }
        if ranges::row(line).is_some() {
            return Some(Form::Ranges);
        }
        let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
        network(fields.next()?)?;
        // A geofeed has a country in the second field, or leaves it empty; a list has one field, or an address of the
        // network in the second.
        match fields.next() {
            Some(second) if network(second).is_none() => Some(Form::Geofeed),
            _ => Some(Form::Prefixes),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_told_apart() {
        assert_eq!(form("# a\n\nip_prefix,alpha2code\n192.0.2.0/24,DE,,,\n"), Some(Form::Geofeed));
        assert_eq!(form("192.0.2.0/24,,,,\n"), Some(Form::Geofeed));
        assert_eq!(form("192.0.2.0/24\t\n"), Some(Form::Prefixes));
        assert_eq!(form("192.0.2.0/24,192.0.2.1\n"), Some(Form::Prefixes));
        assert_eq!(form("2|arin|20260601|1|19700101|20260531|-0500\n"), Some(Form::Delegated));
        assert_eq!(form("# a\n15726992,15726999,??\n"), Some(Form::Ranges));
        assert_eq!(form("1.0.0.0,1.0.0.255,13335,\"A\"\n"), Some(Form::Prefixes));
        assert_eq!(form("[[override]]\n"), Some(Form::Overrides));
        assert_eq!(form("not a database\n"), None);
        assert_eq!(form(""), None);
    }
}
