//! A folder of location data with a manifest, and what has to be so before anything is taken into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use jiff::civil::Date;

use super::catalogue::Keep;
use super::manifest::{Acceptance, Copy, Held, Manifest, Past, VERSION, is_name, name_of};
use super::proof::{self, Proof, ProofError};
use super::unpack::unpack;
use crate::diag::with_causes;
use crate::locate::{SourceFile, Stated, Survey, survey};
use crate::model::{Authority, Timestamp};

/// The name of the manifest in the folder.
const MANIFEST: &str = "manifest.toml";
/// The name of the file that a writer holds.
const LOCK: &str = ".lock";
/// The folder of what is on its way.
const INCOMING: &str = ".incoming";
/// The largest manifest that is read, in octets.
const MAX_MANIFEST: u64 = 16 << 20;
/// The most sources of a store.
const MAX_HELD: usize = 512;
/// The most copies of a source. Beyond it the one goes whose neighbours are closest to each other.
const MAX_COPIES: usize = 36;
/// The most copies that are gone and still listed.
const MAX_PAST: usize = 400;
/// The part of the networks of the copy before, in per cent, that a copy must have.
const LEAST_PART: u64 = 80;

const HEADER: &str = "\
# Location data that `landfall db` fetched or imported. The program writes this file; read it as you like.
# `landfall db list` shows it, `landfall db check` verifies the files.

";

/// Why a store cannot be used, or something was not taken into it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system says no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{path} cannot be used: {what}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        what: String,
    },
    /// Another process writes.
    #[error("the store {0} is being written by another process")]
    Busy(PathBuf),
    /// A text that cannot name a source.
    #[error("`{0}` cannot name a source: use lower-case letters, digits, `.`, `_` and `-`, at most 64")]
    Name(String),
    /// The store is full.
    #[error("the store holds {MAX_HELD} sources, and takes no more")]
    Full,
    /// Unpacking failed.
    #[error("{0}")]
    Unpack(String),
    /// It is not what it should be.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It is no location data that can be used.
    #[error("{0}")]
    Unsound(String),
    /// It is sound but not what was expected.
    #[error("{what}; `--force` takes it all the same")]
    Unlikely {
        /// What speaks against it.
        what: String,
    },
}

/// What is on its way into a store.
#[derive(Debug)]
pub struct Incoming {
    /// The name that it gets there.
    pub name: String,
    /// Where it lies, as it came.
    pub path: PathBuf,
    /// What its publisher calls the file, where a date can stand.
    pub called: String,
    /// Where it came from, without what could be a secret.
    pub from: String,
    /// When it came.
    pub now: Timestamp,
    /// Its date where the content has none, and who says so: `publisher` or `user`.
    pub dated: Option<(Date, &'static str)>,
    /// Its licence, where the content does not tell.
    pub licence: Option<String>,
    /// The attribution that the licence asks for.
    pub attribution: Option<String>,
    /// Whether superseded copies may be kept; `None` leaves that as it is.
    pub keep: Option<Keep>,
    /// The least networks of a copy that is whole.
    pub floor: u64,
    /// The most octets of its content.
    pub most: u64,
    /// What it has to be, beyond being sound.
    pub proof: Proof,
}

/// Whether what looks unlikely is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Fewer networks than before, another kind, an older date: no.
    All,
    /// What is sound is taken.
    SoundOnly,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was there before.
    pub known: bool,
    /// The copy.
    pub copy: Copy,
}

/// A folder of location data with a manifest.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
    /// Held while writing; the system lets go of it when the process ends.
    lock: Option<File>,
}

impl Store {
    /// Reads what a folder holds. One that does not exist holds nothing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(MANIFEST);
        let manifest = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Manifest { version: VERSION, ..Manifest::default() }
            }
            Err(source) => return Err(StoreError::Io { action: "read", path, source }),
            Ok(data) if data.len() > MAX_MANIFEST => {
                return Err(StoreError::Manifest { path, what: "it is too large for a manifest".to_owned() });
            }
            Ok(_) => {
                let text = fs::read_to_string(&path).map_err(|source| StoreError::Io {
                    action: "read",
                    path: path.clone(),
                    source,
                })?;
                read_manifest(&text).map_err(|what| StoreError::Manifest { path, what })?
            }
        };
        Ok(Self { folder: folder.to_owned(), manifest, lock: None })
    }

    /// Whether a folder is a store.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(MANIFEST).is_file()
    }

    /// Opens a store for writing; makes the folder where it is missing. One process writes at a time.
    pub fn open_to_write(folder: &Path) -> Result<Self, StoreError> {
        let incoming = folder.join(INCOMING);
        fs::create_dir_all(&incoming).map_err(io_error("make", &incoming))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(io_error("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Busy(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(StoreError::Io { action: "lock", path, source }),
        }
        let store = Self { lock: Some(lock), ..Self::open(folder)? };
        store.sweep();
        Ok(store)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The sources, by name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Held)> {
        self.manifest.source.iter().map(|(name, held)| (name.as_str(), held))
    }

    /// One source.
    pub fn source(&self, name: &str) -> Option<&Held> {
        self.manifest.source.get(name)
    }

    /// Every copy as an audit takes it, sorted by source and date.
    pub fn files(&self) -> Vec<SourceFile> {
        let file = |name: &str, held: &Held, copy: &Copy| {
            let path = self.path(copy);
            let source = held.listed(name, path.display().to_string(), copy);
            SourceFile { path, stated: Some(Stated { series: held.series.clone(), source }) }
        };
        self.sources().flat_map(|(name, held)| held.copy.iter().map(move |copy| file(name, held, copy))).collect()
    }

    /// Where a copy lies.
    pub fn path(&self, copy: &Copy) -> PathBuf {
        self.folder.join(&copy.file)
    }

    /// Where something on its way can be written.
    pub fn incoming(&self) -> PathBuf {
        self.folder.join(INCOMING).join("received")
    }

    /// Whether a licence was accepted for a source, in these words.
    pub fn accepted(&self, name: &str, licence: &str) -> bool {
        self.manifest.accepted.get(name).is_some_and(|acceptance| acceptance.licence == licence)
    }

    /// Remembers that a licence was accepted for a source.
    pub fn accept(&mut self, name: &str, licence: &str, on: Timestamp) -> Result<(), StoreError> {
        self.manifest.accepted.insert(name.to_owned(), Acceptance { licence: licence.to_owned(), on });
        self.save()
    }

    /// Changes what is known of a source besides its copies.
    pub fn note(&mut self, name: &str, change: impl FnOnce(&mut Held)) -> Result<(), StoreError> {
        match self.manifest.source.get_mut(name) {
            Some(held) => change(held),
            None => return Ok(()),
        }
        self.save()
    }

    /// Whether the newest copy of a source is there, of the size that it should have.
    pub fn has_current(&self, name: &str) -> bool {
        let current = self.source(name).and_then(Held::current);
        current.is_some_and(|copy| self.path(copy).metadata().is_ok_and(|data| data.len() == copy.size))
    }

    /// Verifies a copy: its digest, and that it can be read to its end.
    pub fn verify(&self, copy: &Copy) -> Result<(), StoreError> {
        let path = self.path(copy);
        let proof = Proof { sha256: Some(copy.sha256.clone()), signature: None };
        proof::check(&path, &proof)?;
        survey(&path, None).map(|_| ()).map_err(|error| StoreError::Unsound(with_causes(&error)))
    }

    /// Takes a file into the store, if it is what it has to be; else the store is as before.
    pub fn take(&mut self, incoming: &Incoming, checks: Checks) -> Result<Taken, StoreError> {
        if !is_name(&incoming.name) {
            return Err(StoreError::Name(incoming.name.clone()));
        }
        if self.manifest.source.len() >= MAX_HELD && self.source(&incoming.name).is_none() {
            return Err(StoreError::Full);
        }
        proof::check(&incoming.path, &incoming.proof)?;
        let called = name_of(&incoming.called);
        let unpacked = self.folder.join(INCOMING).join(if called.is_empty() { "data" } else { &called });
        let taken = self.take_from(incoming, &unpacked, checks);
        // What is left of a refusal is nobody's.
        let _ = fs::remove_file(&unpacked);
        taken
    }

    fn take_from(&mut self, incoming: &Incoming, unpacked: &Path, checks: Checks) -> Result<Taken, StoreError> {
        unpack(&incoming.path, unpacked, incoming.most).map_err(StoreError::Unpack)?;
        let survey = survey(unpacked, None).map_err(|error| {
            // The user knows it by where it came from.
            let said = with_causes(&error).replace(&unpacked.display().to_string(), "it");
            StoreError::Unsound(said)
        })?;
        if survey.source.authority == Authority::Operator {
            let what = "it holds overrides, which are your own word: name the file with `--db`".to_owned();
            return Err(StoreError::Unsound(what));
        }
        let held = self.source(&incoming.name);
        let (copy, series) = described(incoming, &survey, unpacked)?;
        if checks == Checks::All {
            likely(incoming, &survey, &copy, held, &series)?;
        }
        if let Some(known) = held.and_then(|held| held.copy.iter().find(|known| known.sha256 == copy.sha256))
            && self.path(known).metadata().is_ok_and(|data| data.len() == known.size)
        {
            return Ok(Taken { known: true, copy: known.clone() });
        }
        let path = self.folder.join(&copy.file);
        let folder = path.parent().unwrap_or(&self.folder).to_owned();
        fs::create_dir_all(&folder).map_err(io_error("make", &folder))?;
        fs::rename(unpacked, &path).map_err(io_error("write", &path))?;
        sync(&folder)?;
        let gone = self.enter(incoming, &survey, copy.clone(), series)?;
        for file in gone {
            let path = self.folder.join(file);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::Io { action: "remove", path, source });
                }
                _ => {}
            }
        }
        Ok(Taken { known: false, copy })
    }

    /// Enters a copy into the manifest, and gives the files that no longer belong to it.
    fn enter(
        &mut self,
        incoming: &Incoming,
        survey: &Survey,
        copy: Copy,
        series: String,
    ) -> Result<Vec<String>, StoreError> {
        let held = self.manifest.source.entry(incoming.name.clone()).or_insert_with(|| Held {
            series: series.clone(),
            keep: Keep::Current,
            licence: None,
            attribution: None,
            url: None,
            etag: None,
            last_modified: None,
            asked: None,
            copy: Vec::new(),
            past: Vec::new(),
            forgotten: 0,
        });
        held.series = series;
        held.keep = incoming.keep.unwrap_or(held.keep);
        held.licence = incoming.licence.clone().or_else(|| survey.source.licence.clone()).or(held.licence.take());
        held.attribution =
            incoming.attribution.clone().or_else(|| survey.source.attribution.clone()).or(held.attribution.take());
        let now = incoming.now;
        let mut gone = Vec::new();
        // Another copy of the same day takes the place of the one before.
        let (same, mut kept): (Vec<Copy>, Vec<Copy>) = held.copy.drain(..).partition(|known| known.date == copy.date);
        gone.extend(same);
        let file = copy.file.clone();
        kept.push(copy);
        kept.sort_by(|a, b| a.date.cmp(&b.date));
        while held.keep == Keep::Current && kept.len() > 1 {
            gone.push(kept.remove(0));
        }
        while kept.len() > MAX_COPIES {
            gone.push(kept.remove(closest(&kept)));
        }
        held.copy = kept;
        held.past.extend(gone.iter().map(|copy| Past {
            date: copy.date.clone(),
            digest: copy.digest().to_owned(),
            obtained: copy.obtained,
            removed: now,
        }));
        let excess = held.past.len().saturating_sub(MAX_PAST);
        held.past.drain(..excess);
        held.forgotten += excess as u64;
        self.save()?;
        Ok(gone.into_iter().map(|copy| copy.file).filter(|gone| *gone != file).collect())
    }

    /// Writes the manifest beside itself, and puts it in its place.
    fn save(&self) -> Result<(), StoreError> {
        debug_assert!(self.lock.is_some(), "only one process writes");
        let path = self.folder.join(MANIFEST);
        let beside = self.folder.join(INCOMING).join(MANIFEST);
        let unfit = |error: toml::ser::Error| StoreError::Manifest { path: path.clone(), what: error.to_string() };
        let text = format!("{HEADER}{}", toml::to_string(&self.manifest).map_err(unfit)?);
        let write = || -> io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(io_error("write", &path))?;
        sync(&self.folder)
    }

    /// Removes what an interrupted run has left: what is on its way, and files that no manifest names.
    fn sweep(&self) {
        let files = |folder: &Path| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        for entry in files(&self.folder.join(INCOMING)) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
        for (name, held) in self.sources() {
            for entry in files(&self.folder.join(name)) {
                let is_named = held.copy.iter().any(|copy| self.path(copy) == entry.path());
                if !is_named && entry.path().is_file() {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// Brings the names in a folder to disk.
fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("write", folder))
}

fn read_manifest(text: &str) -> Result<Manifest, String> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    if manifest.version != VERSION {
        return Err(format!("it is of version {}, and this program reads version {VERSION}", manifest.version));
    }
    for (name, held) in &manifest.source {
        if !is_name(name) || held.copy.is_empty() {
            return Err(format!("`{name}` is no source of a store"));
        }
        for copy in &held.copy {
            let is_plain = |part| matches!(part, Component::Normal(_));
            if !Path::new(&copy.file).components().all(is_plain) || copy.date.parse::<Date>().is_err() {
                return Err(format!("`{}` of {name} is no copy within a store", copy.file));
            }
        }
    }
    Ok(manifest)
}

/// A copy as the manifest tells of it, and its series.
fn described(incoming: &Incoming, survey: &Survey, unpacked: &Path) -> Result<(Copy, String), StoreError> {
    let sha256 = proof::check(unpacked, &Proof::default())?;
    let size = unpacked.metadata().map_err(io_error("read", unpacked))?.len();
    let arrived = incoming.now.date();
    let (date, dated_by) = match (&survey.source.as_of, incoming.dated) {
        (Some(date), _) => (date.clone(), "content"),
        (None, Some((date, who))) => (date.to_string(), who),
        (None, None) => (arrived.to_string(), "arrival"),
    };
    let ending = match survey.source.kind.split(' ').next() {
        Some("mmdb") => "mmdb",
        Some("feed") => "json",
        Some("geofeed") => "csv",
        _ => "txt",
    };
    let short = sha256.get(..8).unwrap_or_default();
    let copy = Copy {
        file: format!("{0}/{0}-{date}-{short}.{ending}", incoming.name),
        date,
        dated_by: dated_by.to_owned(),
        obtained: incoming.now,
        from: incoming.from.clone(),
        digest: (survey.source.digest != sha256).then(|| survey.source.digest.clone()),
        sha256,
        size,
        kind: survey.source.kind.clone(),
        authority: survey.source.authority,
        networks: survey.source.networks,
        ipv4_addresses: survey.addresses,
        notes: survey.notes.clone(),
    };
    // A series of the content alone carries the date-less name of the file, which is another in every store.
    let series = survey.series.clone().filter(|_| survey.source.licence.is_some());
    Ok((copy, series.unwrap_or_else(|| incoming.name.clone())))
}

/// Whether a sound copy is also a likely one.
fn likely(
    incoming: &Incoming,
    survey: &Survey,
    copy: &Copy,
    held: Option<&Held>,
    series: &str,
) -> Result<(), StoreError> {
    let unlikely = |what: String| Err(StoreError::Unlikely { what });
    let networks = survey.source.networks;
    if networks < incoming.floor {
        return unlikely(format!(
            "it speaks of {networks} networks, where {} are the least that is whole",
            incoming.floor
        ));
    }
    let Some((held, before)) = held.and_then(|held| Some((held, held.current()?))) else { return Ok(()) };
    if held.series != series || before.kind.split(',').next() != copy.kind.split(',').next() {
        return unlikely(format!("it is `{}`, and the copy before is `{}`", copy.kind, before.kind));
    }
    if networks.saturating_mul(100) < before.networks.saturating_mul(LEAST_PART) {
        return unlikely(format!(
            "it speaks of {networks} networks, less than {LEAST_PART} % of the {} of the copy before",
            before.networks
        ));
    }
    if copy.date < before.date && held.keep == Keep::Current && incoming.keep != Some(Keep::Dated) {
        return unlikely(format!("it is of {}, older than the copy of {} that is held", copy.date, before.date));
    }
    Ok(())
}

/// The copy that is missed least: neither the first nor the last, and its neighbours are closest to each other.
fn closest(copies: &[Copy]) -> usize {
    let day = |at: usize| copies.get(at).and_then(|copy| copy.date.parse::<Date>().ok());
    let gap = |at: &usize| day(at - 1).zip(day(at + 1)).map(|(before, after)| (after - before).get_days());
    (1..copies.len().saturating_sub(1)).min_by_key(gap).unwrap_or(0)
}
