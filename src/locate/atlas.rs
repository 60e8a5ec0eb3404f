//! Gazetteers through time: a flow is judged with the copy of each source that is dated nearest to it.
//!
//! Networks move: of a large provider's addresses half a per cent stood in another country a year before. Where dated copies
//! of a source are at hand, the days on which another copy becomes the nearest cut time into epochs, and each epoch has
//! a gazetteer of its own, made when the first flow asks for it. With one copy of each source there is one epoch, and a
//! look-up costs what it costs without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::ToSpan as _;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::gazetteer::EMBEDDED;
use super::gazetteer::MAX_ADDED;
use super::layer::Database;
use super::mmdb::hex;
use super::{Gazetteer, LocateError, MAX_SOURCES, detect, embedded};
use crate::model::{Asn, Authority, LocationSource, Timestamp};

/// The most files of location data, dated copies and all.
pub const MAX_COPIES: usize = 4096;
/// The most epochs that are told apart: two years of monthly copies, and some. Where there are more, the shortest are
/// judged with the copies of the epoch before.
pub const MAX_EPOCHS: usize = 32;

/// A file of location data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it lies; the word `embedded` stands for the embedded tables.
    pub path: PathBuf,
    /// What is known of it without reading it.
    pub stated: Option<Stated>,
}

/// What a store knows of a file: it read the file when it took it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// What tells its copies from those of another source.
    pub series: String,
    /// What reading it gave; its digest must still be so when it is read again.
    pub source: LocationSource,
}

impl From<PathBuf> for SourceFile {
    fn from(path: PathBuf) -> Self {
        Self { path, stated: None }
    }
}

/// Why a source was not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Unread(#[from] LocateError),
    /// It is not what the store took in.
    #[error("{path} has changed since it was stored; run `landfall db check`")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There are more than are taken.
    #[error("{path} is one file of location data too many: {most} are used")]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many are used.
        most: usize,
    },
}

/// A source at one time.
struct Copy {
    path: PathBuf,
    stated: bool,
    series: Option<String>,
    source: LocationSource,
    as_of: Option<Date>,
}

/// How much a copy counts in an epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Full,
    /// Its date lies further from the flows than the policy's `max-age`.
    Indicative,
}

/// A span of time with the same copies throughout, until the next begins.
struct Epoch {
    from: u64,
    copies: Vec<(usize, Weight)>,
    made: OnceLock<Made>,
}

struct Made {
    gazetteer: Gazetteer,
    faults: Vec<Fault>,
}

/// How far from the flows a source is dated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vintage {
    /// The source, by its name.
    pub source: String,
    /// Its date.
    pub as_of: Date,
    /// The most days between it and a flow.
    pub days: i64,
}

/// Location data as of any time.
pub struct Atlas {
    copies: Vec<Copy>,
    /// Never empty; the first begins at the epoch of all time.
    epochs: Vec<Epoch>,
    /// How many epochs were too many.
    joined: usize,
    faults: Vec<Fault>,
    today: Option<Date>,
    max_age: Option<u32>,
    digest: String,
}

impl From<Gazetteer> for Atlas {
    /// One gazetteer for all time.
    fn from(gazetteer: Gazetteer) -> Self {
        let digest = gazetteer.digest().to_owned();
        let made = OnceLock::from(Made { gazetteer, faults: Vec::new() });
        let epochs = vec![Epoch { from: 0, copies: Vec::new(), made }];
        Self { copies: Vec::new(), epochs, joined: 0, faults: Vec::new(), today: None, max_age: None, digest }
    }
}

impl Atlas {
    /// No data at all: nothing is known of any address.
    pub fn nothing() -> Self {
        Self::from(Gazetteer::nothing())
    }

    /// The data that the program carries.
    pub fn embedded() -> Result<Self, LocateError> {
        Gazetteer::embedded().map(Self::from)
    }

    /// Files of location data; what the file of a kind that all of them lack would say, the embedded table says. A file
    /// that cannot be used is a fault ([`Atlas::faults`]), and the others are used.
    ///
    /// `today` decides which overrides have expired. A provider's feed that is dated more than `max_age` days before or
    /// after a flow, or is not dated at all, counts as a database for it.
    pub fn open(files: &[SourceFile], today: Option<Date>, max_age: Option<u32>) -> Result<Self, LocateError> {
        let (mut copies, mut databases, mut faults) = (Vec::<Copy>::new(), Vec::<Option<Database>>::new(), Vec::new());
        let mut known = BTreeSet::new();
        for file in files {
            if copies.len() >= MAX_COPIES {
                faults.push(Fault::TooMany { path: file.path.clone(), most: MAX_COPIES });
                continue;
            }
            if let Some(Stated { series, source }) = &file.stated {
                if known.insert(source.digest.clone()) {
                    copies.push(Copy::new(&file.path, Some(series.clone()), source.clone(), true));
                    databases.push(None);
                }
                continue;
            }
            match read(&file.path, today) {
                Ok(found) => {
                    for database in found {
                        if known.insert(database.source.digest.clone()) {
                            let series = database.series.clone();
                            copies.push(Copy::new(&file.path, series, database.source.clone(), false));
                            databases.push(Some(database));
                        }
                    }
                }
                Err(error) => faults.push(error.into()),
            }
        }
        name_apart(&mut copies);
        let (mut epochs, joined) = epochs(&copies, max_age);
        let made = match epochs.as_mut_slice() {
            // One time: what was read is used at once.
            [only] => Some(make(&copies, only, databases, today, max_age)?),
            _ => None,
        };
        let digest = match &made {
            Some(made) => made.gazetteer.digest().to_owned(),
            None => digest(&copies)?,
        };
        if let (Some(made), [only]) = (made, epochs.as_slice()) {
            // A new epoch has no gazetteer yet.
            let _ = only.made.set(made);
        }
        Ok(Self { copies, epochs, joined, faults, today, max_age, digest })
    }

    /// The gazetteer for a flow that began at a time.
    #[inline]
    pub fn at(&self, time: Timestamp) -> &Gazetteer {
        match self.epochs.as_slice() {
            [only] => self.gazetteer(only),
            epochs => {
                let after = epochs.partition_point(|epoch| epoch.from <= time.0);
                // INVARIANT: the first epoch begins at zero, so that at least one begins no later than any time.
                self.gazetteer(&epochs[after.saturating_sub(1)])
            }
        }
    }

    #[inline]
    fn gazetteer<'e>(&self, epoch: &'e Epoch) -> &'e Gazetteer {
        match epoch.made.get() {
            Some(made) => &made.gazetteer,
            None => &self.made(epoch).gazetteer,
        }
    }

    #[cold]
    fn made<'e>(&self, epoch: &'e Epoch) -> &'e Made {
        epoch.made.get_or_init(|| {
            let unread = self.copies.iter().map(|_| None).collect();
            make(&self.copies, epoch, unread, self.today, self.max_age)
                // INVARIANT: without any file there are the embedded tables, and these were read when the program began.
                .unwrap_or_else(|error| Made { gazetteer: Gazetteer::nothing(), faults: vec![error.into()] })
        })
    }

    /// SHA-256 over the digests of every copy, in hexadecimal: the same location data, the same digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many files are used, at any time; the embedded tables among them only where they were named.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// Which sources could not be used for flows of a period, or for any.
    pub fn faults(&self, period: (Timestamp, Timestamp)) -> BTreeSet<String> {
        let later = self.during(period).flat_map(|epoch| &self.made(epoch).faults);
        self.faults.iter().chain(later).map(Fault::to_string).collect()
    }

    /// Which sources are known by now not to be usable.
    pub fn faults_so_far(&self) -> BTreeSet<String> {
        let made = self.epochs.iter().filter_map(|epoch| epoch.made.get()).flat_map(|made| &made.faults);
        self.faults.iter().chain(made).map(Fault::to_string).collect()
    }

    /// The holder of an autonomous system, by what was known at a time.
    pub fn organisation(&self, asn: Asn, time: Timestamp) -> Option<&str> {
        self.at(time).organisation(asn)
    }

    /// The sources that flows of a period are judged with, each once.
    pub fn sources(&self, period: (Timestamp, Timestamp)) -> Vec<LocationSource> {
        let mut sources: Vec<LocationSource> = Vec::new();
        for source in self.during(period).flat_map(|epoch| self.gazetteer(epoch).sources()) {
            if sources.iter().all(|known| known.name != source.name) {
                sources.push(source.clone());
            }
        }
        sources
    }

    /// What a reader should know of the sources for a period: the name of the source, and what of it could not be used.
    pub fn notes(&self, period: (Timestamp, Timestamp)) -> BTreeSet<(String, String)> {
        let mut notes = BTreeSet::new();
        for gazetteer in self.during(period).map(|epoch| self.gazetteer(epoch)) {
            for (at, source) in gazetteer.sources().iter().enumerate() {
                let said = gazetteer.notes(crate::model::SourceId(at as u16));
                notes.extend(said.iter().map(|note| (source.name.clone(), note.clone())));
            }
        }
        notes
    }

    /// The least number of sources of countries that speak at any time of a period.
    pub fn least_opinions(&self, period: (Timestamp, Timestamp)) -> usize {
        let opinions = |epoch| LocationSource::publishers_of_places(self.gazetteer(epoch).sources());
        self.during(period).map(opinions).min().unwrap_or_default()
    }

    /// How far from the flows of a period each source is dated, where that is more than `least` days. A list of anycast
    /// services is left out: it says of no address where it is.
    pub fn vintages(&self, period: (Timestamp, Timestamp), least: i64) -> Vec<Vintage> {
        let mut furthest: BTreeMap<(String, Date), i64> = BTreeMap::new();
        for (at, epoch) in self.epochs.iter().enumerate() {
            let until = self.epochs.get(at + 1).map_or(u64::MAX, |next| next.from - 1);
            let (first, last) = (period.0.0.max(epoch.from), period.1.0.min(until));
            if first > last {
                continue;
            }
            for source in self.gazetteer(epoch).sources() {
                if source.kind.contains("anycast") {
                    continue;
                }
                let Some(as_of) = source.as_of.as_deref().and_then(|date| date.parse::<Date>().ok()) else { continue };
                let days = |time: u64| days_between(as_of, Timestamp(time).date()).abs();
                let days = days(first).max(days(last));
                if days > least {
                    let known = furthest.entry((source.name.clone(), as_of)).or_default();
                    *known = days.max(*known);
                }
            }
        }
        furthest.into_iter().map(|((source, as_of), days)| Vintage { source, as_of, days }).collect()
    }

    /// How many changes of location data were too close to each other to be told apart ([`MAX_EPOCHS`]).
    pub fn joined(&self) -> usize {
        self.joined
    }

    fn during(&self, (first, last): (Timestamp, Timestamp)) -> impl Iterator<Item = &Epoch> {
        let from = self.epochs.partition_point(|epoch| epoch.from <= first.0).saturating_sub(1);
        self.epochs.iter().skip(from).take_while(move |epoch| epoch.from <= last.0.max(first.0))
    }
}

impl std::fmt::Debug for Atlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Atlas")
            .field("epochs", &self.epochs.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Copy {
    fn new(path: &Path, series: Option<String>, source: LocationSource, stated: bool) -> Self {
        let as_of = source.as_of.as_deref().and_then(|date| date.parse().ok());
        Self { path: path.to_owned(), stated, series, source, as_of }
    }

    /// The day in nanoseconds since 1970.
    fn time(&self) -> Option<u64> {
        self.as_of.map(|date| Timestamp::at_midnight(date).0)
    }
}

fn read(path: &Path, today: Option<Date>) -> Result<Vec<Database>, LocateError> {
    if path == Path::new(EMBEDDED) {
        return Ok(vec![embedded::countries()?, embedded::systems()?]);
    }
    Ok(vec![detect::read(path, today)?])
}

/// Whole days from one date to another.
fn days_between(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

/// Copies of one name get their dates behind it, and numbers where these are the same too, so that every claim of a report
/// leads to one source.
fn name_apart(copies: &mut [Copy]) {
    let count = |copies: &[Copy]| {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for copy in copies {
            *names.entry(copy.source.name.clone()).or_default() += 1;
        }
        names
    };
    let names = count(copies);
    for copy in &mut *copies {
        if let Some(date) = copy.as_of.filter(|_| names.get(&copy.source.name).is_some_and(|count| *count > 1)) {
            copy.source.name = format!("{}-{date}", copy.source.name);
        }
    }
    let mut taken = BTreeSet::new();
    for copy in copies {
        let stem = copy.source.name.clone();
        let mut number = 1;
        while !taken.insert(copy.source.name.clone()) {
            number += 1;
            copy.source.name = format!("{stem}-{number}");
        }
    }
}

/// The spans of time in which other copies speak, and how many more there were.
fn epochs(copies: &[Copy], max_age: Option<u32>) -> (Vec<Epoch>, usize) {
    // The copies of each source, by date. What is of no source that has editions, or undated, is always used.
    let mut series: BTreeMap<&str, BTreeMap<u64, Vec<usize>>> = BTreeMap::new();
    let mut always = Vec::new();
    for (at, copy) in copies.iter().enumerate() {
        match (&copy.series, copy.time()) {
            (Some(name), Some(time)) => series.entry(name).or_default().entry(time).or_default().push(at),
            _ => always.push(at),
        }
    }
    let mut changes = BTreeSet::from([0]);
    for dates in series.values() {
        let times: Vec<u64> = dates.keys().copied().collect();
        changes.extend(times.windows(2).filter_map(|pair| Some(pair.first()?.midpoint(*pair.last()?) + 1)));
    }
    let ages = |copy: &Copy| max_age.filter(|_| copy.source.authority == Authority::Provider);
    for copy in copies {
        let (Some(most), Some(date)) = (ages(copy), copy.as_of) else { continue };
        let days = |days: i64| date.checked_add(days.days()).ok();
        let bounds = [days(-i64::from(most)), days(i64::from(most) + 1)];
        changes.extend(bounds.into_iter().flatten().map(|day| Timestamp::at_midnight(day).0));
    }
    let weigh = |at: &usize, time: u64| {
        let aged = copies.get(*at).is_some_and(|copy| {
            let far = |date| days_between(date, Timestamp(time).date()).abs();
            ages(copy).is_some_and(|most| copy.as_of.is_none_or(|date| far(date) > i64::from(most)))
        });
        (*at, if aged { Weight::Indicative } else { Weight::Full })
    };
    let speaking = |time: u64| {
        let nearest = series.values().flat_map(|dates| {
            let before = dates.range(..=time).next_back();
            let after = dates.range(time..).next();
            // Of two that are as near, the one that was known at the time.
            let found = match (before, after) {
                (Some(before), Some(after)) if after.0 - time < time - before.0 => Some(after),
                (None, after) => after,
                (before, _) => before,
            };
            found.into_iter().flat_map(|(_, copies)| copies)
        });
        let mut all: Vec<usize> = always.iter().chain(nearest).copied().collect();
        // In the order in which they were named.
        all.sort_unstable();
        all.iter().map(|at| weigh(at, time)).collect::<Vec<_>>()
    };
    let mut epochs: Vec<Epoch> = Vec::new();
    for from in changes {
        let copies = speaking(from);
        if epochs.last().is_none_or(|last| last.copies != copies) {
            epochs.push(Epoch { from, copies, made: OnceLock::new() });
        }
    }
    let mut joined = 0;
    while epochs.len() > MAX_EPOCHS {
        let span = |at: usize| Some(epochs.get(at + 1)?.from - epochs.get(at)?.from);
        // Never the first, whose time has no beginning, nor the last, whose time has no end.
        let Some(shortest) = (1..epochs.len() - 1).min_by_key(|at| span(*at)) else { break };
        epochs.remove(shortest);
        joined += 1;
    }
    (epochs, joined)
}

/// The gazetteer of an epoch. What was read before is taken from `databases`.
fn make(
    copies: &[Copy],
    epoch: &Epoch,
    mut databases: Vec<Option<Database>>,
    today: Option<Date>,
    max_age: Option<u32>,
) -> Result<Made, LocateError> {
    let (mut sources, mut faults) = (Vec::new(), Vec::new());
    for (at, weight) in &epoch.copies {
        let Some(copy) = copies.get(*at) else { continue };
        if sources.len() >= MAX_SOURCES - MAX_ADDED {
            faults.push(Fault::TooMany { path: copy.path.clone(), most: MAX_SOURCES - MAX_ADDED });
            continue;
        }
        let before = databases.get_mut(*at).and_then(Option::take);
        let found = match before {
            Some(database) => Ok(Some(database)),
            None => read(&copy.path, today)
                .map(|found| found.into_iter().find(|database| database.source.digest == copy.source.digest)),
        };
        match found {
            Ok(Some(mut database)) => {
                let origin = if copy.stated { copy.source.origin.clone() } else { database.source.origin };
                // Who made it, and what it speaks of, the file itself tells.
                let LocationSource { publisher, subjects, .. } = database.source;
                database.source = LocationSource { origin, publisher, subjects, ..copy.source.clone() };
                database.as_of = copy.as_of;
                if let (Weight::Indicative, Some(most)) = (weight, max_age) {
                    database.demote(demotion(copy.as_of, most));
                }
                sources.push(database);
            }
            Ok(None) => faults.push(Fault::Changed { path: copy.path.clone() }),
            Err(error) => faults.push(error.into()),
        }
    }
    Gazetteer::of(sources).map(|gazetteer| Made { gazetteer, faults })
}

fn demotion(as_of: Option<Date>, most: u32) -> String {
    let dated = as_of.map_or_else(
        || "it has no date".to_owned(),
        |date| format!("{date} is more than {most} days from some of the flows"),
    );
    format!("{dated}: by the policy's `max-age` it counts for them as a database does, not as its provider's word")
}

/// A digest over all copies. The embedded tables are among them: they speak where no file of their kind can.
fn digest(copies: &[Copy]) -> Result<String, LocateError> {
    let vintage = embedded::vintage()?;
    let mut digests: BTreeSet<&str> = copies.iter().map(|copy| copy.source.digest.as_str()).collect();
    digests.extend([vintage.country.packed.as_str(), vintage.asn.packed.as_str()]);
    Ok(hex(&Sha256::digest(digests.into_iter().collect::<Vec<_>>().join("\n"))))
}
