//! The frozen table: every source as claims, flattened once and never changed again.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::layer::{Database, Layer, Organisations, Saying};
use super::runs::{Key, Runs};
use super::table::{Slotted, Table};
use super::transition::{Behind, behind};
use super::{LocateError, Place, detect, embedded, mmdb, own_code};
use crate::model::{
    Addr, Asn, Authority, Claim, CountrySet, Location, LocationSource, PublisherId, RegionId, Scope, SourceId, Subject,
};

/// The most sources that one gazetteer takes.
pub const MAX_SOURCES: usize = 64;
/// The most embedded tables that are added to the sources that are named.
pub(super) const MAX_ADDED: usize = 4;
/// How many runs on either side of an address are looked at to find the network of a claim.
const MAX_NEIGHBOURS: usize = 4096;
/// How the kind of a provider's feed of regions begins.
const PROVIDER_FEED: &str = "feed ";
/// The word that names the embedded data where a path is expected.
pub(super) const EMBEDDED: &str = "embedded";

/// What is known of a run of addresses: an index into the places, and an AS number or zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    place: u32,
    asn: u32,
}

/// One combination of what the sources say, and what it comes to.
#[derive(Debug)]
struct Weighed {
    location: Location,
    sayings: Vec<(SourceId, Saying)>,
    /// The regions that providers' own feeds name, sorted.
    provided: Vec<String>,
}

/// Databases are walked once and flattened into one table of disjoint networks, never changed again.
///
/// Where sources differ on a place, the claims of both are kept and weighed ([`Location::weigh`]). Where they differ on an
/// AS number, the newest source that knows one speaks (of two of the same date, the one with the lower digest), so that
/// the order in which sources are named changes nothing but their numbers.
///
/// Each file is a source of its own, although two editions of one publisher, as DB-IP city and country, are the same
/// evidence twice: where agreement counts, publishers are counted ([`LocationSource::publisher`]).
pub struct Gazetteer {
    v4: Table<u32, Entry>,
    v6: Table<u128, Entry>,
    places: Vec<Weighed>,
    organisations: Vec<Organisations>,
    sources: Vec<LocationSource>,
    dates: Vec<Option<Date>>,
    publishers: Vec<PublisherId>,
    regions: Vec<String>,
    notes: Vec<Vec<String>>,
    digest: String,
}

impl Gazetteer {
    /// The default that the program carries: countries, AS numbers, and services that are anycast beyond doubt.
    pub fn embedded() -> Result<Self, LocateError> {
        Self::build(vec![embedded::countries()?, embedded::systems()?, embedded::anycast()?])
    }

    /// Several sources at once, as separate claims, each told apart by its content: databases, providers' feeds, geofeeds,
    /// anycast lists, registries' delegations, overrides.
    ///
    /// Only these are used; but where none of them is a database of countries, or none of AS numbers, the embedded table
    /// of that kind is added, so that a feed, or a database of the one kind alone, is of use. The embedded list of anycast
    /// services is always added; and where databases of two publishers place addresses, and no source says where networks
    /// are registered, the embedded delegations ([`Location::weigh`] says what for). The word `embedded` as a path adds the
    /// embedded countries and AS numbers (a file of that name is `./embedded`). A file that is named twice, or lies in two
    /// places, is taken once.
    ///
    /// Overrides are taken whether or not they have expired: see [`Gazetteer::open_on`].
    pub fn open(paths: &[PathBuf]) -> Result<Self, LocateError> {
        Self::open_on(paths, None)
    }

    /// [`Gazetteer::open`] on a day: overrides that have expired by then are left out, and noted.
    pub fn open_on(paths: &[PathBuf], today: Option<Date>) -> Result<Self, LocateError> {
        let mut databases: Vec<Database> = Vec::new();
        for path in paths {
            let found = if path == Path::new(EMBEDDED) {
                vec![embedded::countries()?, embedded::systems()?]
            } else {
                vec![detect::read(path, today)?]
            };
            for database in found {
                if databases.iter().all(|known| known.source.digest != database.source.digest) {
                    databases.push(database);
                }
            }
            if databases.len() > MAX_SOURCES {
                return Err(LocateError::TooMany);
            }
        }
        Self::of(databases)
    }

    /// These sources, and the embedded tables of the kinds that none of them is.
    pub(super) fn of(mut databases: Vec<Database>) -> Result<Self, LocateError> {
        let speaks = |databases: &[Database], subject| {
            databases.iter().any(|database| database.is_database() && database.speaks_of(subject))
        };
        if !speaks(&databases, Subject::Places) {
            databases.push(embedded::countries()?);
        }
        if !speaks(&databases, Subject::Operators) {
            databases.push(embedded::systems()?);
        }
        databases.push(embedded::anycast()?);
        let sources: Vec<LocationSource> = databases.iter().map(|database| database.source.clone()).collect();
        if LocationSource::publishers_of_places(&sources) > 1 && !speaks(&databases, Subject::Registrations) {
            databases.push(embedded::registrations()?);
        }
        Self::build(databases)
    }

    /// Of no source: nothing is known of any address.
    pub(super) fn nothing() -> Self {
        Self {
            v4: Table::new(Runs::default()),
            v6: Table::new(Runs::default()),
            places: Places::default().weigh(&[], &[], &[]),
            organisations: Vec::new(),
            sources: Vec::new(),
            dates: Vec::new(),
            publishers: Vec::new(),
            regions: Vec::new(),
            notes: Vec::new(),
            digest: String::new(),
        }
    }

    fn build(databases: Vec<Database>) -> Result<Self, LocateError> {
        if databases.len() > MAX_SOURCES {
            return Err(LocateError::TooMany);
        }
        let mut digests: Vec<&str> = databases.iter().map(|database| database.source.digest.as_str()).collect();
        digests.sort_unstable();
        let digest = mmdb::hex(&Sha256::digest(digests.join("\n")));

        let mut by_age: Vec<usize> = (0..databases.len()).collect();
        by_age.sort_by_key(|at| {
            // A provider's feed tells who runs its own networks, where no database of AS numbers does.
            let key = |database: &Database| {
                (Reverse(database.is_database()), Reverse(database.as_of), database.source.digest.clone())
            };
            databases.get(*at).map(key)
        });
        let mut rank = vec![0; databases.len()];
        for (place, at) in by_age.into_iter().enumerate() {
            rank[at] = place;
        }

        let mut places = Places::default();
        let mut layers = Vec::new();
        let (mut sources, mut dates) = (Vec::<LocationSource>::new(), Vec::new());
        let (mut regions, mut notes) = (Vec::new(), Vec::new());
        let (mut makers, mut publishers) = (Vec::<String>::new(), Vec::new());
        for (at, Database { mut layer, mut source, as_of, notes: noted, .. }) in databases.into_iter().enumerate() {
            let before = regions.len() as u32;
            for saying in &mut layer.sayings {
                saying.region = saying.region.map(|RegionId(region)| RegionId(region + before));
            }
            regions.append(&mut layer.regions);
            notes.push(noted);
            if layer.has_places() {
                places.add(SourceId(at as u16), &mut layer);
            }
            let stem = source.name.clone();
            let mut count = 1;
            while sources.iter().any(|known| known.name == source.name) {
                count += 1;
                source.name = format!("{stem}-{count}");
            }
            let maker = source.publisher.clone().unwrap_or_else(|| source.name.clone());
            let known = makers.iter().position(|known| *known == maker);
            publishers.push(PublisherId(known.unwrap_or(makers.len()) as u16));
            if known.is_none() {
                makers.push(maker);
            }
            sources.push(source);
            dates.push(as_of);
            layers.push((rank[at], layer));
        }
        layers.sort_by_key(|(rank, _)| *rank);

        let mut systems = <(Runs<u32, u32>, Runs<u128, u32>)>::default();
        let mut organisations = Vec::new();
        for (_, layer) in layers.into_iter().filter(|(_, layer)| layer.has_systems()) {
            let either = |known: u32, other: u32| if known == 0 { other } else { known };
            systems = if organisations.is_empty() {
                layer.systems
            } else {
                (systems.0.join(&layer.systems.0, either), systems.1.join(&layer.systems.1, either))
            };
            organisations.push(layer.organisations);
        }

        let entry = |place, asn| Entry { place, asn };
        let v4 = Table::new(places.runs.0.join(&systems.0, entry));
        let v6 = Table::new(places.runs.1.join(&systems.1, entry));
        let places = places.weigh(&publishers, &sources, &regions);
        Ok(Self { v4, v6, places, organisations, sources, dates, publishers, regions, notes, digest })
    }

    /// Where an address can be, and who runs it.
    ///
    /// Addresses that stand for an IPv4 host (6to4, NAT64, Teredo) are looked up as that host. Of addresses that are not
    /// global ([`Addr::scope`]) nothing is known, whatever a database says.
    #[inline]
    pub fn locate(&self, addr: Addr) -> Place {
        let entry = match Key4Or6::of(addr) {
            Key4Or6::None => Entry::default(),
            Key4Or6::V4(host, _) => self.v4.get(host),
            Key4Or6::V6(number) => self.v6.get(number),
        };
        self.place(entry)
    }

    #[inline]
    fn place(&self, entry: Entry) -> Place {
        Place {
            location: self.places.get(entry.place as usize).map_or(Location::UNKNOWN, |place| place.location),
            operator: (entry.asn != 0).then_some(Asn(entry.asn)),
        }
    }

    /// The regions that the providers' own feeds name for an address, such as `aws:eu-central-1`, sorted. Labels of other
    /// sources, geofeeds among them, are not here: anyone can write one.
    pub fn provided_regions(&self, addr: Addr) -> &[String] {
        let entry = match Key4Or6::of(addr) {
            Key4Or6::None => Entry::default(),
            Key4Or6::V4(host, _) => self.v4.get(host),
            Key4Or6::V6(number) => self.v6.get(number),
        };
        self.places.get(entry.place as usize).map_or(&[], |place| &place.provided)
    }

    /// What each source says of an address, in the order of the sources.
    ///
    /// The network of a claim is the largest that contains the address and of which the source says the same throughout,
    /// as far as 4096 runs of the table on either side tell. It can be larger than the network in the source, where that
    /// has several side by side with one answer.
    ///
    /// A source that also says where the network is registered makes a second claim, of [`Authority::Registry`].
    pub fn claims(&self, addr: Addr) -> Vec<Claim> {
        match Key4Or6::of(addr) {
            Key4Or6::None => Vec::new(),
            Key4Or6::V4(host, hidden) => self.claims_in(&self.v4, host, |prefix| match hidden {
                None => Ipv4Net::new(Ipv4Addr::from(host), prefix).ok().map(|network| IpNet::V4(network.trunc())),
                Some(before) => v6_network(addr, before + prefix),
            }),
            Key4Or6::V6(number) => self.claims_in(&self.v6, number, |prefix| v6_network(addr, prefix)),
        }
    }

    fn claims_in<K: Slotted>(
        &self,
        table: &Table<K, Entry>,
        key: K,
        network: impl Fn(u8) -> Option<IpNet>,
    ) -> Vec<Claim> {
        let mut claims = Vec::new();
        let position = table.position(key);
        let Some(place) = table.runs().values().get(position).and_then(|entry| self.places.get(entry.place as usize))
        else {
            return claims;
        };
        for (source, saying) in &place.sayings {
            let same = |entry: &Entry| {
                self.places.get(entry.place as usize).is_some_and(|place| place.sayings.contains(&(*source, *saying)))
            };
            let Some(network) = network(uniform_prefix(table.runs(), position, key, same)) else { continue };
            let claim = Claim {
                network,
                places: saying.places,
                region: saying.region,
                source: *source,
                publisher: publisher(&self.publishers, *source),
                authority: saying.authority,
                as_of: self.dates.get(usize::from(source.0)).copied().flatten(),
                reading: saying.reading,
            };
            let registered = saying.registered.map(|country| Claim {
                places: CountrySet::of(country),
                authority: Authority::Registry,
                region: None,
                reading: None,
                ..claim.clone()
            });
            claims.extend(Some(claim).filter(|claim| !claim.places.is_empty() || claim.region.is_some()));
            claims.extend(registered);
        }
        claims
    }

    /// The parts of a network of which every source says the same throughout, in ascending order: first and last address,
    /// and what is known of them.
    ///
    /// This is the table as it stands: addresses that stand for an IPv4 host are not looked up as that host.
    pub fn stretches(&self, network: IpNet) -> Vec<(IpAddr, IpAddr, Place)> {
        match network {
            IpNet::V4(v4) => self
                .stretches_in(&self.v4, v4.network().into(), v4.broadcast().into(), |key: u32| IpAddr::V4(key.into())),
            IpNet::V6(v6) => self
                .stretches_in(&self.v6, v6.network().into(), v6.broadcast().into(), |key: u128| IpAddr::V6(key.into())),
        }
    }

    fn stretches_in<K: Slotted>(
        &self,
        table: &Table<K, Entry>,
        first: K,
        last: K,
        address: impl Fn(K) -> IpAddr,
    ) -> Vec<(IpAddr, IpAddr, Place)> {
        let position = table.position(first);
        let starts = table.runs().starts().get(position..).unwrap_or_default();
        let values = table.runs().values().get(position..).unwrap_or_default();
        let runs = starts.iter().zip(values).enumerate().take_while(|(_, (start, _))| **start <= last);
        runs.map(|(at, (start, entry))| {
            let end = starts.get(at + 1).map_or(last, |next| next.before().min(last));
            (address((*start).max(first)), address(end), self.place(*entry))
        })
        .collect()
    }

    /// The holder of an autonomous system, by the newest source that names it.
    pub fn organisation(&self, asn: Asn) -> Option<&str> {
        self.organisations.iter().find_map(|organisations| organisations.name(asn))
    }

    /// The sources, by their identifiers in claims.
    pub fn sources(&self) -> &[LocationSource] {
        &self.sources
    }

    /// The name of a source.
    pub fn source(&self, id: SourceId) -> Option<&LocationSource> {
        self.sources().get(usize::from(id.0))
    }

    /// The label of a provider's region, such as `aws:eu-central-1-ist-1`.
    pub fn region(&self, id: RegionId) -> Option<&str> {
        self.regions.get(id.0 as usize).map(String::as_str)
    }

    /// What a reader of a source should know: how many of its rows could not be used, which regions are not known.
    pub fn notes(&self, id: SourceId) -> &[String] {
        self.notes.get(usize::from(id.0)).map_or(&[], Vec::as_slice)
    }

    /// SHA-256 over the digests of all sources, in hexadecimal: the same sources, the same digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many runs of addresses the tables hold, and about how many octets of memory they take.
    pub fn size(&self) -> (usize, usize) {
        let runs = self.v4.runs().starts().len() + self.v6.runs().starts().len();
        let names: usize = self.organisations.iter().map(Organisations::heap).sum();
        (runs, self.v4.heap() + self.v6.heap() + names)
    }
}

impl std::fmt::Debug for Gazetteer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gazetteer")
            .field("sources", &self.sources)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What is looked up for an address.
enum Key4Or6 {
    /// Nothing: it is not global.
    None,
    /// In the table of IPv4, with the number of bits before the host where it was within an IPv6 address.
    V4(u32, Option<u8>),
    V6(u128),
}

impl Key4Or6 {
    #[inline]
    fn of(addr: Addr) -> Self {
        if addr.scope() != Scope::Global {
            Self::None
        } else if let Some(host) = addr.as_v4() {
            Self::V4(host, None)
        } else if let Some(Behind { host, before }) = behind(addr) {
            let is_global = Addr::v4(host.to_be_bytes()).scope() == Scope::Global;
            if is_global { Self::V4(host, Some(before)) } else { Self::None }
        } else {
            Self::V6(addr.as_u128())
        }
    }
}

fn v6_network(addr: Addr, prefix: u8) -> Option<IpNet> {
    Ipv6Net::new(Ipv6Addr::from(addr.as_u128()), prefix).ok().map(|network| IpNet::V6(network.trunc()))
}

/// The length of the largest network around `key` on whose runs `same` holds.
fn uniform_prefix<K: Key>(runs: &Runs<K, Entry>, position: usize, key: K, same: impl Fn(&Entry) -> bool) -> u8 {
    let (starts, values) = (runs.starts(), runs.values());
    let below = values.get(..position).unwrap_or_default().iter().rev().take(MAX_NEIGHBOURS);
    let above = values.get(position + 1..).unwrap_or_default().iter().take(MAX_NEIGHBOURS);
    let low = position - below.take_while(|entry| same(entry)).count();
    let high = position + above.take_while(|entry| same(entry)).count();
    let first = starts.get(low).copied().unwrap_or(key);
    let last = starts.get(high + 1).map_or(K::MAX, |start| start.before());
    // A network of `prefix` bits has its first and last address in the range: so each must share with `key` all bits but
    // those that are free, and these must be in the range at both of their ends.
    (0..=K::BITS)
        .find(|prefix| {
            let free = K::BITS - prefix;
            let (start, end) = match free {
                0 => (key, key),
                free if free == K::BITS => (K::ZERO, K::MAX),
                free => {
                    let start = (key >> free) << free;
                    (start, K::narrow(start.wide() | (K::MAX >> *prefix).wide()).unwrap_or(key))
                }
            };
            first <= start && end <= last
        })
        .unwrap_or(K::BITS) as u8
}

/// The places of all sources so far, joined.
struct Places {
    runs: (Runs<u32, u32>, Runs<u128, u32>),
    combinations: Vec<Vec<(SourceId, Saying)>>,
}

impl Default for Places {
    fn default() -> Self {
        Self { runs: <_>::default(), combinations: vec![Vec::new()] }
    }
}

impl Places {
    fn add(&mut self, source: SourceId, layer: &mut Layer) {
        let (v4, v6) = std::mem::take(&mut layer.places);
        let sayings = std::mem::take(&mut layer.sayings);
        layer.sayings.clone_from(&sayings);
        if self.combinations.len() == 1 {
            self.runs = (v4, v6);
            self.combinations.extend(sayings.iter().skip(1).map(|saying| vec![(source, *saying)]));
            return;
        }
        let mut known: HashMap<(u32, u32), u32, FixedState> = HashMap::with_hasher(FixedState::default());
        let before = std::mem::replace(&mut self.combinations, vec![Vec::new()]);
        known.insert((0, 0), 0);
        let combinations = &mut self.combinations;
        let mut join = |place: u32, saying: u32| {
            *known.entry((place, saying)).or_insert_with(|| {
                let mut all = before.get(place as usize).cloned().unwrap_or_default();
                if let Some(more) = sayings.get(saying as usize).filter(|_| saying != 0) {
                    all.push((source, *more));
                }
                combinations.push(all);
                combinations.len() as u32 - 1
            })
        };
        self.runs = (self.runs.0.join(&v4, &mut join), self.runs.1.join(&v6, &mut join));
    }

    fn weigh(self, publishers: &[PublisherId], sources: &[LocationSource], regions: &[String]) -> Vec<Weighed> {
        let is_feed = |source: SourceId| {
            sources.get(usize::from(source.0)).is_some_and(|source| source.kind.starts_with(PROVIDER_FEED))
        };
        let provided = |sayings: &[(SourceId, Saying)]| {
            let named = sayings.iter().filter(|(source, _)| is_feed(*source)).filter_map(|(_, saying)| saying.region);
            let named: BTreeSet<&String> = named.filter_map(|RegionId(region)| regions.get(region as usize)).collect();
            named.into_iter().cloned().collect()
        };
        let weigh = |mut sayings: Vec<(SourceId, Saying)>| {
            own_code::agree(&mut sayings);
            let mut claims = Vec::new();
            for (source, saying) in &sayings {
                let publisher = publisher(publishers, *source);
                claims.push((saying.authority, saying.places, publisher));
                claims
                    .extend(saying.registered.map(|country| (Authority::Registry, CountrySet::of(country), publisher)));
            }
            let provided = provided(&sayings);
            Weighed { location: Location::weigh_places(&claims), provided, sayings }
        };
        self.combinations.into_iter().map(weigh).collect()
    }
}

/// Who made a source.
fn publisher(publishers: &[PublisherId], source: SourceId) -> PublisherId {
    publishers.get(usize::from(source.0)).copied().unwrap_or(PublisherId(u16::MAX))
}
