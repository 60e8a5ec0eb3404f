//! `MaxMind` DB files, walked once into a [`Layer`].
//!
//! Everything that touches the `maxminddb` crate stays in this file. The layout of a record is found by its fields, never
//! by the type that the file claims for itself: converted files claim all sorts. A file is checked while it is walked,
//! since the crate's own verification refuses files whose only fault is an empty description: every record is decoded to
//! its last value, no more leaves are visited than a sound tree can have, and no more values decoded than a sound file of
//! that size can hold.
//!
//! The format: <https://maxmind.github.io/MaxMind-DB/>.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use sha2::{Digest as _, Sha256};

use super::LocateError;
use super::layer::{Database, Layer, Organisations, Saying, tidy};
use super::listing::dated;
use super::publisher::{Countries, publisher};
use super::record::Value;
use super::runs::Writer;
use super::{shape, transition};
use crate::model::{Authority, LocationSource, Subject, Timestamp};

/// The largest file that is read: the largest databases on the market are below 2 GB.
pub(super) const MAX_FILE: u64 = 4 << 30;
/// How far from the end the mark of a database may stand: metadata is at most 128 KiB.
const MARK_WITHIN: usize = 128 << 10;
/// How many leaves more than four times its nodes a tree may have. A tree of `n` nodes has `n + 1` leaves; some writers
/// share subtrees, and a leaf that spans a network that is not walked counts more than once.
const SPARE_LEAVES: u64 = 4096;
/// How many values more than sixteen an octet are decoded from a file.
const SPARE_VALUES: u64 = 1 << 20;
/// How many names of fields an error lists.
const MAX_FIELDS: usize = 12;

/// Whether a file has the mark of a database near its end.
pub(super) fn is_marked(octets: &[u8]) -> bool {
    let tail = octets.get(octets.len().saturating_sub(MARK_WITHIN)..).unwrap_or_default();
    memchr::memmem::rfind(tail, b"\xab\xcd\xefMaxMind.com").is_some()
}

/// The octets of a file that may be a source.
pub(super) fn octets(path: &Path) -> Result<Vec<u8>, LocateError> {
    let io = |source| LocateError::Io { path: path.to_owned(), source };
    let metadata = path.metadata().map_err(io)?;
    if !metadata.is_file() && !metadata.is_dir() {
        // A pipe or a device could be read for ever. A folder is refused by the system, in its own words.
        let what = "it is not a regular file".to_owned();
        return Err(LocateError::NotADatabase { path: path.to_owned(), what });
    }
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut octets)).map_err(io)? as u64;
    if read > MAX_FILE {
        return Err(LocateError::TooLarge { path: path.to_owned() });
    }
    if octets.starts_with(&[0x1f, 0x8b]) || octets.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(LocateError::NotADatabase {
            path: path.to_owned(),
            what: "it is compressed; unpack it".to_owned(),
        });
    }
    Ok(octets)
}

/// Walks the octets of a database.
pub(super) fn walk(path: &Path, octets: &[u8]) -> Result<Database, LocateError> {
    let digest = hex(&Sha256::digest(octets));
    let reader = Reader::from_source(octets)
        .map_err(|error| LocateError::NotADatabase { path: path.to_owned(), what: told(&error) })?;
    let mut layer = Walk::new(path, octets, &reader).walk()?;

    let metadata = reader.metadata();
    let stem = path.file_stem().map_or_else(String::new, |stem| tidy(&stem.to_string_lossy()));
    let known = publisher(&metadata.database_type, &stem);
    if known.is_some_and(|known| known.countries == Countries::Registered) {
        layer.register();
    }
    let as_of = i64::try_from(metadata.build_epoch)
        .ok()
        .filter(|secs| *secs > 0 && jiff::Timestamp::from_second(*secs).is_ok())
        .map(|secs| Timestamp::from_secs(secs.unsigned_abs()).date());
    // Converted files claim one type for the data of several publishers: there only a date in the name tells.
    let kind = metadata.database_type.split(" (").next().unwrap_or_default().to_ascii_lowercase();
    let series = match publisher(&metadata.database_type, "").and_then(|told| told.licence) {
        Some(_) => Some(kind),
        None => dated(&stem).map(|(_, rest)| format!("{kind} {rest}")),
    };
    let subjects = layer.subjects(Subject::Places);
    let has = |subject| subjects.contains(&subject);
    let what = match (has(Subject::Places), has(Subject::Operators)) {
        (true, true) => "country and asn",
        (true, false) => "country",
        (false, true) => "asn",
        (false, false) => "registration",
    };
    let authority =
        if has(Subject::Places) || has(Subject::Operators) { Authority::Indicative } else { Authority::Registry };
    // A file of one family leaves the other unknown, which should not surprise the reader of a report.
    let only = match layer.families() {
        (true, false) => ", IPv4 only",
        (false, true) => ", IPv6 only",
        _ => "",
    };
    let source = LocationSource {
        publisher: Some(known.map_or_else(|| stem.clone(), |known| known.name.to_owned())),
        name: stem,
        origin: path.display().to_string(),
        kind: format!("mmdb {what}{only}"),
        authority,
        as_of: as_of.map(|date| date.to_string()),
        digest,
        licence: known.and_then(|known| known.licence).map(str::to_owned),
        attribution: known.and_then(|known| known.attribution).map(str::to_owned),
        networks: layer.networks,
        subjects,
    };
    Ok(Database { layer, source, as_of, series, notes: Vec::new() })
}

/// Hexadecimal digits of a digest.
pub(crate) fn hex(octets: &[u8]) -> String {
    use fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A walk through one file.
struct Walk<'a> {
    path: &'a Path,
    /// The data section, and what follows it.
    data: &'a [u8],
    reader: &'a Reader<&'a [u8]>,
    /// What the record at an offset says: each is decoded once, however many networks share it.
    memo: HashMap<usize, (u32, u32), FixedState>,
    interned: BTreeMap<Saying, u32>,
    sayings: Vec<Saying>,
    names: BTreeMap<u32, String>,
    /// Names of fields, for the error when none is known; `None` as soon as one is.
    unknown: Option<BTreeSet<String>>,
    leaves: u64,
    most_leaves: u64,
    values: u64,
    most_values: u64,
    networks: u64,
    last: String,
}

impl<'a> Walk<'a> {
    fn new(path: &'a Path, octets: &'a [u8], reader: &'a Reader<&'a [u8]>) -> Self {
        let metadata = reader.metadata();
        // A node is two records of so many bits; sixteen zeros follow the tree.
        let tree = u64::from(metadata.node_count) * u64::from(metadata.record_size) / 4 + 16;
        let data = usize::try_from(tree).ok().and_then(|tree| octets.get(tree..)).unwrap_or_default();
        Self {
            path,
            data,
            reader,
            memo: HashMap::with_hasher(FixedState::default()),
            interned: BTreeMap::from([(Saying::NOTHING, 0)]),
            sayings: vec![Saying::NOTHING],
            names: BTreeMap::new(),
            unknown: Some(BTreeSet::new()),
            leaves: 0,
            most_leaves: u64::from(metadata.node_count) * 4 + SPARE_LEAVES,
            values: 0,
            most_values: octets.len() as u64 * 16 + SPARE_VALUES,
            networks: 0,
            last: String::new(),
        }
    }

    fn walk(mut self) -> Result<Layer, LocateError> {
        let mut layer = Layer::default();
        let (mut places, mut systems) = (Writer::default(), Writer::default());
        self.piece((0, 0, 32), &mut |first, last, (saying, asn)| {
            let (first, last) = (u32::try_from(first).ok()?, u32::try_from(last).ok()?);
            places.range(first, last, saying).ok().and_then(|()| systems.range(first, last, asn).ok())
        })?;
        (layer.places.0, layer.systems.0) = (places.finish(), systems.finish());
        if self.reader.metadata().ip_version == 6 {
            let (mut places, mut systems) = (Writer::default(), Writer::default());
            // Networks that stand for IPv4 addresses are looked up as IPv4: what a file says of them, often an alias of
            // its whole IPv4 tree, is never asked for.
            for piece in transition::native_networks() {
                self.piece((piece.0, piece.1, 128), &mut |first, last, (saying, asn)| {
                    places.range(first, last, saying).ok().and_then(|()| systems.range(first, last, asn).ok())
                })?;
            }
            (layer.places.1, layer.systems.1) = (places.finish(), systems.finish());
        }
        if let Some(fields) = self.unknown {
            return Err(LocateError::NoKnownField { path: self.path.to_owned(), fields: fields.into_iter().collect() });
        }
        layer.sayings = self.sayings;
        layer.organisations = self.names.into_iter().collect::<Organisations>();
        layer.networks = self.networks;
        Ok(layer)
    }

    /// Walks one network, `bits` wide, and hands over every leaf below it with its first and last address.
    fn piece(
        &mut self,
        (start, prefix, bits): (u128, u32, u32),
        leaf: &mut impl FnMut(u128, u128, (u32, u32)) -> Option<()>,
    ) -> Result<(), LocateError> {
        let reader = self.reader;
        let end = start | span(prefix, bits);
        let network =
            if bits == 32 { "0.0.0.0/0".to_owned() } else { format!("{}/{prefix}", std::net::Ipv6Addr::from(start)) };
        let Ok(network) = network.parse() else { return Ok(()) };
        // Empty leaves and aliases are handed over too: what the iterator passes over silently cannot be counted, and a
        // hostile tree of such leaves would never end.
        let options = WithinOptions::default().include_networks_without_data().include_aliased_networks();
        for found in reader.within(network, options).map_err(|error| self.corrupt(&error))? {
            let found = found.map_err(|error| self.corrupt(&error))?;
            self.leaves += 1;
            if self.leaves > self.most_leaves {
                return Err(self.damaged("its search tree has more leaves than nodes allow: a cycle".to_owned()));
            }
            let Some(offset) = found.offset() else { continue };
            let network = found.network().map_err(|error| self.corrupt(&error))?;
            if network.is_ipv4() != (bits == 32) {
                // A tree without IPv4 in it says nothing of IPv4.
                continue;
            }
            let first = match network.network() {
                std::net::IpAddr::V4(first) => u128::from(u32::from(first)),
                std::net::IpAddr::V6(first) => u128::from(first),
            };
            let last = first | span(u32::from(network.prefix()), bits);
            let says = if let Some(says) = self.memo.get(&offset) {
                *says
            } else {
                self.last = network.to_string();
                shape::check(self.data, offset).map_err(|what| self.damaged(what))?;
                let record = found.decode::<Value<'_>>().map_err(|error| self.corrupt(&error))?;
                let says = self.record(&record.unwrap_or(Value::Other(0)))?;
                self.memo.insert(offset, says);
                says
            };
            if says != (0, 0) {
                if first >= start {
                    self.networks += 1;
                }
                leaf(first.max(start), last.min(end), says)
                    .ok_or_else(|| self.damaged("its networks lie over each other".to_owned()))?;
            }
        }
        Ok(())
    }

    /// What a record says: the index of a saying, and an AS number.
    fn record(&mut self, record: &Value<'_>) -> Result<(u32, u32), LocateError> {
        self.values += record.weight();
        if self.values > self.most_values {
            return Err(self.damaged("its records hold more values than a file of its size can".to_owned()));
        }
        if record.is_known() {
            self.unknown = None;
        } else if let Some(fields) = &mut self.unknown {
            fields.extend(record.fields().take(MAX_FIELDS).map(tidy));
            while fields.len() > MAX_FIELDS {
                fields.pop_last();
            }
        }
        let saying = record.saying();
        let next = self.sayings.len() as u32;
        let index = *self.interned.entry(saying).or_insert(next);
        if index == next {
            self.sayings.push(saying);
        }
        let asn = record.asn().unwrap_or(0);
        if let Some(name) = record.organisation().map(tidy).filter(|name| asn != 0 && !name.is_empty()) {
            self.names.entry(asn).or_insert(name);
        }
        Ok((index, asn))
    }

    fn corrupt(&self, error: &MaxMindDbError) -> LocateError {
        self.damaged(told(error))
    }

    fn damaged(&self, what: String) -> LocateError {
        let network = if self.last.is_empty() { None } else { Some(self.last.clone()) };
        LocateError::Corrupt { path: self.path.to_owned(), network, what }
    }
}

/// What the crate says is wrong, without the words that our own sentence has already.
fn told(error: &MaxMindDbError) -> String {
    match error {
        MaxMindDbError::InvalidDatabase { message, offset }
        | MaxMindDbError::Decoding { message, offset, .. }
        | MaxMindDbError::ResourceLimit { message, offset, .. } => match offset {
            Some(offset) => format!("{} at offset {offset}", tidy(message)),
            None => tidy(message),
        },
        other => tidy(&other.to_string()),
    }
}

/// The low bits of a network of `prefix` bits out of `bits`.
fn span(prefix: u32, bits: u32) -> u128 {
    u128::MAX.checked_shr(128 - bits.saturating_sub(prefix)).unwrap_or(0)
}
