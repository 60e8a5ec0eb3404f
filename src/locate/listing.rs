//! A source that lists networks, on its way to a layer: the most specific network speaks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use ipnet::IpNet;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::LocateError;
use super::layer::{Database, Layer, Saying, tidy};
use super::mmdb::hex;
use super::runs::{Disorder, Key, Runs, Writer};
use crate::model::{Addr, Authority, CountrySet, LocationSource, RegionId, Subject};

/// The most networks of one source: a registry's whole file has a tenth of it.
pub(super) const MAX_NETWORKS: usize = 4_000_000;
/// The most regions that one source names; what goes beyond it has no label.
const MAX_REGIONS: usize = 1 << 14;
/// The longest label of a region, in octets.
const MAX_LABEL: usize = 64;
/// How many octets of a row a note quotes.
const MAX_QUOTE: usize = 60;

/// Why a row was not used. A row of a stranger's file is no error: it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// It cannot be read.
    Bad,
    /// Its network is private, reserved, or contains such networks.
    NotGlobal,
    /// It names a region that is not in the table.
    UnknownRegion,
    /// It names a region below one that is in the table.
    NewRegion,
    /// It says CN of a place that has a code of its own.
    OwnCode,
    /// It announces more than one site may hold.
    Wide,
    /// It has expired.
    Expired,
    /// It has no end.
    Endless,
}

impl Refusal {
    fn rows(self) -> &'static str {
        match self {
            Self::Bad => "rows that cannot be read and say nothing",
            Self::NotGlobal => "networks that are private or reserved, or contain such, and say nothing",
            Self::UnknownRegion => "rows with a region that is not in the table, which have no place",
            Self::NewRegion => {
                "rows with a region that is newer than the table, which count as indicative for the region above"
            }
            Self::OwnCode => "rows that say CN of Hong Kong, Macao or Taiwan, which were taken by their own codes",
            Self::Wide => {
                "networks so large that parts of them can be in one place, on a list of watched announcements, which say \
                 nothing"
            }
            Self::Expired => "overrides that have expired and say nothing",
            Self::Endless => "overrides that never expire",
        }
    }
}

/// Networks of both families with indices into sayings, as they were listed.
#[derive(Default)]
pub(super) struct Listing {
    v4: Vec<(u32, u8, u32)>,
    v6: Vec<(u128, u8, u32)>,
    sayings: Vec<Saying>,
    interned: BTreeMap<Saying, u32>,
    regions: Vec<String>,
    labels: BTreeMap<String, RegionId>,
    refused: BTreeMap<Refusal, (u64, String)>,
    too_many: bool,
}

impl Listing {
    pub(super) fn new() -> Self {
        let mut listing = Self::default();
        listing.intern(Saying::NOTHING);
        listing
    }

    fn intern(&mut self, saying: Saying) -> u32 {
        let next = self.sayings.len() as u32;
        let index = *self.interned.entry(saying).or_insert(next);
        if index == next {
            self.sayings.push(saying);
        }
        index
    }

    /// The label of a region, `provider:code`.
    pub(super) fn region(&mut self, label: &str) -> Option<RegionId> {
        if let Some(known) = self.labels.get(label) {
            return Some(*known);
        }
        if self.regions.len() >= MAX_REGIONS {
            return None;
        }
        let next = RegionId(self.regions.len() as u32);
        self.labels.insert(label.to_owned(), next);
        self.regions.push(cut(&tidy(label), MAX_LABEL).to_owned());
        Some(next)
    }

    /// A network and what is said of it. Private and reserved networks are refused.
    pub(super) fn network(&mut self, network: IpNet, saying: Saying) {
        let network = network.trunc();
        if !is_global(network) {
            self.refuse(Refusal::NotGlobal, &network.to_string());
            return;
        }
        if self.v4.len() + self.v6.len() >= MAX_NETWORKS {
            self.too_many = true;
            return;
        }
        let index = self.intern(saying);
        match network {
            IpNet::V4(v4) => self.v4.push((u32::from(v4.network()), v4.prefix_len(), index)),
            IpNet::V6(v6) => self.v6.push((u128::from(v6.network()), v6.prefix_len(), index)),
        }
    }

    /// A network as it is written, in CIDR form or as one address.
    pub(super) fn written(&mut self, text: &str, saying: Saying) {
        match network(text) {
            Some(network) => self.network(network, saying),
            None => self.refuse(Refusal::Bad, text),
        }
    }

    /// Counts a row, and keeps the first of its kind as an example.
    pub(super) fn refuse(&mut self, refusal: Refusal, row: &str) {
        let entry = self.refused.entry(refusal).or_insert_with(|| (0, cut(&tidy(row), MAX_QUOTE).to_owned()));
        entry.0 += 1;
    }

    /// What should be known of the rows that were not used as they stand.
    pub(super) fn notes(&self) -> Vec<String> {
        let note = |(refusal, (count, first)): (&Refusal, &(u64, String))| {
            format!("{}: {count}, the first `{first}`", refusal.rows())
        };
        self.refused.iter().map(note).collect()
    }

    /// The layer: of the networks around an address the most specific speaks. Where one network is listed twice, all that
    /// is said of it is possible.
    fn layer(mut self) -> Layer {
        let networks = (self.v4.len() + self.v6.len()) as u64;
        let (v4, v6) = (std::mem::take(&mut self.v4), std::mem::take(&mut self.v6));
        let listed = (self.single(v4), self.single(v6));
        // Networks are nested or apart, and were sorted so that an outer one comes first.
        let places = (flat(&listed.0).unwrap_or_default(), flat(&listed.1).unwrap_or_default());
        Layer { sayings: self.sayings, regions: self.regions, places, networks, listed, ..Layer::default() }
    }

    /// The networks in order, each once.
    fn single<K: Key>(&mut self, mut networks: Vec<(K, u8, u32)>) -> Vec<(K, u8, u32)> {
        networks.sort_unstable();
        let mut single: Vec<(K, u8, u32)> = Vec::with_capacity(networks.len());
        for (start, prefix, index) in networks {
            match single.last_mut().filter(|last| (last.0, last.1) == (start, prefix)) {
                Some(last) => last.2 = self.both(last.2, index),
                None => single.push((start, prefix, index)),
            }
        }
        single
    }

    /// What two rows say of one network.
    fn both(&mut self, a: u32, b: u32) -> u32 {
        let (Some(one), Some(other)) = (self.sayings.get(a as usize), self.sayings.get(b as usize)) else { return a };
        if a == b {
            return a;
        }
        let both = Saying {
            places: one.places.union(other.places),
            registered: one.registered.filter(|registered| Some(*registered) == other.registered),
            authority: one.authority.max(other.authority),
            region: one.region.filter(|region| Some(*region) == other.region),
            reading: one.reading.or(other.reading),
        };
        self.intern(both)
    }
}

fn flat<K: Key>(networks: &[(K, u8, u32)]) -> Result<Runs<K, u32>, Disorder> {
    let mut writer = Writer::default();
    // The networks that the last one lies in, the innermost last, and the first address of which nothing was written.
    let mut around: Vec<(K, u32)> = Vec::new();
    let mut from: Option<K> = Some(K::ZERO);
    let end = |start: K, prefix: u8| match K::BITS - u32::from(prefix).min(K::BITS) {
        0 => start,
        free => K::narrow(start.wide() | ((1_u128 << (free - 1)) - 1) << 1 | 1).unwrap_or(start),
    };
    for (start, prefix, index) in networks {
        while let Some((last, value)) = around.last().copied().filter(|(last, _)| last < start) {
            if let Some(from) = from.filter(|from| *from <= last) {
                writer.range(from, last, value)?;
            }
            from = last.next();
            around.pop();
        }
        if let Some((_, value)) = around.last()
            && let Some(from) = from.filter(|from| from < start)
        {
            writer.range(from, start.before(), *value)?;
        }
        from = Some(*start);
        around.push((end(*start, *prefix), *index));
    }
    while let Some((last, value)) = around.pop() {
        if let Some(first) = from.filter(|from| *from <= last) {
            writer.range(first, last, value)?;
        }
        from = last.next();
    }
    Ok(writer.finish())
}

/// A network in CIDR form, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network| network.trunc())
}

/// Networks of which nothing is ever looked up: as [`Addr::scope`], and what stands for IPv4 hosts below `::/8`.
const NOT_GLOBAL: [&str; 13] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/8",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Whether a network neither lies in nor contains one that is not global: a row for half of the Internet is a mistake.
pub(super) fn is_global(network: IpNet) -> bool {
    let special = |text: &&str| text.parse::<IpNet>().ok();
    let overlaps = |other: IpNet| network.contains(&other) || other.contains(&network);
    !NOT_GLOBAL.iter().filter_map(special).any(overlaps)
        && Addr::from(network.addr()).scope() == crate::model::Scope::Global
}

/// The most octets of a text that end with a whole character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// A file that lists networks: where it lies, what is in it, and what it is taken for.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) form: &'static str,
}

impl Document<'_> {
    pub(super) fn unusable(&self, what: impl Into<String>) -> LocateError {
        LocateError::Unusable { path: self.path.to_owned(), form: self.form, what: what.into() }
    }

    /// What is on the list as a source. A list without a network that can be used is an error; a date that the content
    /// does not give is looked for in the name of the file.
    pub(super) fn database(
        &self,
        listing: Listing,
        kind: &str,
        authority: Authority,
        as_of: Option<Date>,
    ) -> Result<Database, LocateError> {
        if listing.too_many {
            return Err(self.unusable(format!("it lists more than {MAX_NETWORKS} networks")));
        }
        let notes = listing.notes();
        let left_out = listing.refused.contains_key(&Refusal::Expired);
        let layer = listing.layer();
        if layer.networks == 0 && !left_out {
            let what = notes.first().map(|note| format!(": {note}")).unwrap_or_default();
            return Err(self.unusable(format!("no row of it can be used{what}")));
        }
        let stem = self.path.file_stem().map_or_else(String::new, |stem| tidy(&stem.to_string_lossy()));
        // A list that says its date says it in every edition; of others the name must tell that they are editions.
        let in_name = dated(&stem);
        let series =
            in_name.as_ref().map(|(_, rest)| rest.clone()).or_else(|| as_of.map(|_| stem.to_ascii_lowercase()));
        let series = match kind {
            // One file of its kind in the world.
            "feed aws" | "feed oci" => Some(kind.to_owned()),
            _ => series.filter(|_| authority != Authority::Operator).map(|rest| format!("{kind} {rest}")),
        };
        let as_of = as_of.or(in_name.map(|(date, _)| date));
        let mut digest = hex(&Sha256::digest(self.text));
        if left_out {
            // The same file on another day can say something else.
            digest = hex(&Sha256::digest(format!("{digest}\n{}", notes.join("\n"))));
        }
        let source = LocationSource {
            name: stem,
            origin: self.path.display().to_string(),
            kind: kind.to_owned(),
            authority,
            as_of: as_of.map(|date| date.to_string()),
            digest,
            licence: None,
            attribution: None,
            networks: layer.networks,
            publisher: None,
            subjects: layer.subjects(Subject::Networks),
        };
        Ok(Database { layer, source, as_of, series, notes })
    }
}

/// A date within a text, as `2026-08-22` or `20260822`, in this century.
pub(super) fn date_in(text: &str) -> Option<Date> {
    find_date(text).map(|(_, date)| date)
}

/// The date in the name of a file, and the name without it, in lower case.
pub(super) fn dated(name: &str) -> Option<(Date, String)> {
    let (place, date) = find_date(name)?;
    let (before, after) = (name.get(..place.start)?, name.get(place.end..)?);
    let rest = format!("{}{after}", before.trim_end_matches(['-', '_', '.', ' ']));
    Some((date, rest.to_ascii_lowercase()))
}

/// The name of a file without the date in it.
pub fn without_date(name: &str) -> String {
    dated(name).map_or_else(|| name.to_owned(), |(_, rest)| rest)
}

fn find_date(text: &str) -> Option<(Range<usize>, Date)> {
    let octets = text.as_bytes();
    let number = |from: usize, count: usize| -> Option<i16> {
        let digits = octets.get(from..from + count)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |all, digit| all * 10 + i16::from(digit - b'0')))
    };
    let dash = |at: usize| octets.get(at) == Some(&b'-');
    let is_digit = |at: Option<usize>| at.and_then(|at| octets.get(at)).is_some_and(u8::is_ascii_digit);
    (0..octets.len()).find_map(|at| {
        if is_digit(at.checked_sub(1)) {
            return None;
        }
        let (month, day, end) =
            if dash(at + 4) && dash(at + 7) { (at + 5, at + 8, at + 10) } else { (at + 4, at + 6, at + 8) };
        let year = number(at, 4).filter(|year| (2000..2100).contains(year) && !is_digit(Some(end)))?;
        let date = Date::new(year, number(month, 2)?.try_into().ok()?, number(day, 2)?.try_into().ok()?).ok()?;
        Some((at..end, date))
    })
}

/// A provider's word that a network is announced from many sites, or where it is.
pub(super) const fn provided(places: CountrySet, region: Option<RegionId>) -> Saying {
    Saying { places, authority: Authority::Provider, region, ..Saying::NOTHING }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Country;

    #[test]
    fn the_most_specific_network_speaks() {
        let runs = flat(&[(0_u32, 1, 1), (0, 8, 2), (0x0080_0000, 16, 3), (0xffff_ffff, 32, 4)]).unwrap();
        let expected = [
            (0, 0x007f_ffff, 2),
            (0x0080_0000, 0x0080_ffff, 3),
            (0x0081_0000, 0x00ff_ffff, 2),
            (0x0100_0000, 0x7fff_ffff, 1),
            (0x8000_0000, 0xffff_fffe, 0),
            (0xffff_ffff, 0xffff_ffff, 4),
        ];
        assert_eq!(runs.iter().collect::<Vec<_>>(), expected);
        assert_eq!(flat(&[(0_u128, 0, 7)]).unwrap().iter().collect::<Vec<_>>(), [(0, u128::MAX, 7)]);
    }

    #[test]
    fn one_network_listed_twice_can_be_in_both_places() {
        let mut listing = Listing::new();
        for code in ["DE", "CH"] {
            let places = CountrySet::of(Country::from_code(code).unwrap());
            listing.written("192.0.2.0/24", provided(places, None));
        }
        listing.written("10.1.0.0/16", Saying::NOTHING);
        listing.written("0.0.0.0/0", Saying::NOTHING);
        listing.written("fish", Saying::NOTHING);
        assert_eq!(listing.notes().len(), 2);
        let layer = listing.layer();
        let index = layer.places.0.iter().find(|run| run.2 != 0).unwrap().2;
        assert_eq!(layer.sayings[index as usize].places.to_string(), "CH,DE");
    }

    #[test]
    fn dates_are_found_in_names() {
        let found = |text| date_in(text).map(|date| date.to_string());
        assert_eq!(found("ServiceTags_Public_20260506").as_deref(), Some("2026-05-06"));
        assert_eq!(found("ip-ranges.2026-08-22").as_deref(), Some("2026-08-22"));
        assert_eq!(found("2026-06-17-22-17-05").as_deref(), Some("2026-06-17"));
        let rest = |name| dated(name).map(|(_, rest)| rest);
        assert_eq!(rest("ServiceTags_Public_20260506").as_deref(), Some("servicetags_public"));
        assert_eq!(rest("ip-ranges.2026-08-22").as_deref(), Some("ip-ranges"));
        assert_eq!(rest("cloudflare-v4"), None);
        assert_eq!((found("1787411825"), found("20261399"), found("")), (None, None, None));
    }
}
