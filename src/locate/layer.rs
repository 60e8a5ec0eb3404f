//! What one source says: a layer of the gazetteer.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::runs::Runs;
use crate::model::{Asn, Authority, Country, CountrySet, LocationSource, Reading, RegionId, Subject};

/// A source, read whole.
pub(super) struct Database {
    pub(super) layer: Layer,
    pub(super) source: LocationSource,
    pub(super) as_of: Option<Date>,
    /// What tells that two files are one source at two times; `None` where nothing in them does.
    pub(super) series: Option<String>,
    /// What a reader of the source should know: rows that could not be used, regions that are not known.
    pub(super) notes: Vec<String>,
}

impl Database {
    /// What a provider said too long before or after the flows counts no more than a database.
    pub(super) fn demote(&mut self, note: String) {
        for saying in &mut self.layer.sayings {
            saying.authority = saying.authority.min(Authority::Indicative);
        }
        self.source.authority = self.source.authority.min(Authority::Indicative);
        self.notes.push(note);
    }

    pub(super) fn speaks_of(&self, subject: Subject) -> bool {
        self.source.subjects.contains(&subject)
    }

    /// Whether it means to speak of all the world, and not of some networks.
    pub(super) fn is_database(&self) -> bool {
        !self.speaks_of(Subject::Networks)
    }
}

/// What a source says of where a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Saying {
    /// Where it can be: anywhere for an anycast network, nowhere where the source knows no country.
    pub(super) places: CountrySet,
    /// Where it is registered, which is not where it is.
    pub(super) registered: Option<Country>,
    /// How much `places` counts.
    pub(super) authority: Authority,
    /// The region that the source names; in a layer an index into its own list of regions.
    pub(super) region: Option<RegionId>,
    /// How it was read, where that is not as it stands in the source.
    pub(super) reading: Option<Reading>,
}

impl Saying {
    pub(super) const NOTHING: Self = Self {
        places: CountrySet::NOWHERE,
        registered: None,
        authority: Authority::Indicative,
        region: None,
        reading: None,
    };

    /// What a database says of a place.
    pub(super) const fn indicative(places: CountrySet) -> Self {
        Self { places, ..Self::NOTHING }
    }
}

/// Networks of a list: first address, length, and what is said, as an index.
pub(super) type Networks<K> = Vec<(K, u8, u32)>;

/// One source, walked. Zero says nothing in all four tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    /// What is said of places; the first says nothing.
    pub(super) sayings: Vec<Saying>,
    /// Labels of regions, such as `aws:eu-central-1`.
    pub(super) regions: Vec<String>,
    /// Indices into `sayings`.
    pub(super) places: (Runs<u32, u32>, Runs<u128, u32>),
    /// AS numbers.
    pub(super) systems: (Runs<u32, u32>, Runs<u128, u32>),
    /// Holders of AS numbers.
    pub(super) organisations: Organisations,
    /// How many networks it speaks of.
    pub(super) networks: u64,
    /// The networks of a list before they were flattened, as their first address, their length and an index into
    /// `sayings`: sorted, each once.
    pub(super) listed: (Networks<u32>, Networks<u128>),
}

impl Layer {
    /// Takes every country for that of a registration.
    pub(super) fn register(&mut self) {
        for saying in &mut self.sayings {
            let registered = saying.places.only().or(saying.registered);
            *saying = Saying { registered, authority: Authority::Registry, ..Saying::NOTHING };
        }
        if let Some(nothing) = self.sayings.first_mut() {
            *nothing = Saying::NOTHING;
        }
    }

    /// Whether it says anything of places.
    pub(super) fn has_places(&self) -> bool {
        self.sayings.len() > 1
    }

    /// What it speaks of: of all the world where `places` is how it means to, of some networks else.
    pub(super) fn subjects(&self, places: Subject) -> Vec<Subject> {
        let any = |of: fn(&Saying) -> bool| self.sayings.iter().any(of);
        let mut subjects = Vec::new();
        if any(|saying| !saying.places.is_empty() || saying.region.is_some()) {
            subjects.push(places);
        }
        if any(|saying| saying.registered.is_some()) {
            subjects.push(Subject::Registrations);
        }
        if self.has_systems() {
            subjects.push(Subject::Operators);
        }
        subjects
    }

    /// Whether it says anything of IPv4, and of IPv6.
    pub(super) fn families(&self) -> (bool, bool) {
        (self.places.0.said() + self.systems.0.said() > 0, self.places.1.said() + self.systems.1.said() > 0)
    }

    /// How many IPv4 addresses it says something of.
    pub(super) fn addresses(&self) -> u64 {
        let said = |runs: &Runs<u32, u32>| {
            runs.iter().filter(|run| run.2 != 0).map(|run| u64::from(run.1 - run.0) + 1).sum::<u64>()
        };
        said(&self.places.0).max(said(&self.systems.0))
    }

    /// Whether it knows any AS number.
    pub(super) fn has_systems(&self) -> bool {
        self.systems.0.said() + self.systems.1.said() > 0
    }
}

/// The longest name from a stranger's file that is kept, in octets.
const MAX_NAME: usize = 160;

/// Names of the holders of AS numbers: one text, and where in it each name ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Organisations {
    numbers: Vec<u32>,
    ends: Vec<u32>,
    names: String,
}

impl Organisations {
    /// From ascending numbers and their names, a line each; `None` where their counts differ.
    pub(super) fn from_lines(numbers: Vec<u32>, names: String) -> Option<Self> {
        let mut ends: Vec<u32> = memchr::memchr_iter(b'\n', names.as_bytes()).map(|at| at as u32).collect();
        if !names.is_empty() {
            ends.push(names.len() as u32);
        }
        (ends.len() == numbers.len() && numbers.is_sorted()).then_some(Self { numbers, ends, names })
    }

    pub(super) fn name(&self, asn: Asn) -> Option<&str> {
        let at = self.numbers.binary_search(&asn.0).ok()?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize + 1,
            None => 0,
        };
        self.names.get(start..*self.ends.get(at)? as usize).filter(|name| !name.is_empty())
    }

    /// Octets on the heap.
    pub(super) fn heap(&self) -> usize {
        self.numbers.capacity() * 4 + self.ends.capacity() * 4 + self.names.capacity()
    }
}

impl FromIterator<(u32, String)> for Organisations {
    fn from_iter<I: IntoIterator<Item = (u32, String)>>(names: I) -> Self {
        let sorted: BTreeMap<u32, String> = names.into_iter().collect();
        let mut organisations = Self::default();
        for (number, name) in sorted {
            if !organisations.numbers.is_empty() {
                organisations.names.push('\n');
            }
            organisations.names.push_str(&name);
            organisations.numbers.push(number);
            organisations.ends.push(organisations.names.len() as u32);
        }
        organisations
    }
}

/// A name from a stranger's file as it may be shown on a terminal: one line, not too long, without control characters
/// and without those that turn the direction of the text.
pub(super) fn tidy(name: &str) -> String {
    let mut tidy = String::new();
    let is_break =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    for word in name.split(is_break).filter(|word| !word.is_empty()) {
        if tidy.len() + word.len() >= MAX_NAME {
            break;
        }
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}
