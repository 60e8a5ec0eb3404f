//! What an audit keeps: decisions, the keys under which they are counted, and the tallies.
//!
//! Everything here folds without an order: sums, minima, maxima and the smallest few of a set. That is what makes an
//! audit the same however it is split.

use serde::{Deserialize, Serialize};

use super::addr::Addr;
use super::country::CountrySet;
use super::flow::{Counters, Name, Provenance, RoundTrip};
use super::limit::LimitSet;
use super::location::Standing;
use super::party::Asn;
use super::protocol::Protocol;
use super::time::Timestamp;
use super::tunnel::Outer;

/// What a policy says of a uniflow, over every place that the far end can be. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Wherever it is, that is permitted.
    Permit,
    /// The evidence does not decide.
    Indeterminate,
    /// Wherever it is, that is forbidden.
    Forbid,
}

impl Decision {
    /// The decision over everything that is `possible`, where `forbidden` must not be.
    pub const fn over(possible: &CountrySet, forbidden: &CountrySet) -> Self {
        match possible.split_by(forbidden) {
            (false, _) => Self::Permit,
            (true, true) => Self::Indeterminate,
            (true, false) => Self::Forbid,
        }
    }

    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Indeterminate => "indeterminate",
            Self::Forbid => "forbid",
        }
    }
}

/// How grave a finding is, as its rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Minor.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Grave.
    High,
    /// Gravest.
    Critical,
}

impl Severity {
    /// All, from least to gravest.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

macro_rules! position_in_policy {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// The position in the policy's list, which is sorted by name, so that the order in the file means nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// The position as an index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

position_in_policy! {
    /// A zone: our side.
    ZoneId
}
position_in_policy! {
    /// A party: their side.
    PartyId
}
position_in_policy! {
    /// A rule.
    RuleId
}
position_in_policy! {
    /// A waiver.
    WaiverId
}

/// What a waiver of the policy says of a finding. The decision stands either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waived {
    /// Someone accepts it: it does not fail the run.
    Holds(WaiverId),
    /// Someone accepted it until a day before the flow: it fails again.
    Lapsed(WaiverId),
}

impl Waived {
    /// The waiver.
    pub const fn id(self) -> WaiverId {
        match self {
            Self::Holds(id) | Self::Lapsed(id) => id,
        }
    }

    /// Whether it holds.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Holds(_))
    }
}

/// Why a decision is not a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A rule forbids it.
    Rule(RuleId),
    /// No rule speaks of it, and the policy's default forbids.
    Default,
}

/// Which of the two questions was decided: where the far end is, or whom its operator answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// The place of the far end.
    Place,
    /// The jurisdictions that the far end's operator answers to.
    Control,
}

/// Who opened the conversation, seen from the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opener {
    /// The zone.
    Local,
    /// The far end.
    Remote,
    /// Not known.
    Unknown,
}

/// What went which way, seen from the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contact {
    /// The zone sent payload.
    Sent,
    /// The zone received payload.
    Received,
    /// The zone sent packets without payload.
    SentNothing,
    /// The zone received packets without payload.
    ReceivedNothing,
}

impl Contact {
    /// Whether payload moved.
    pub const fn moved(self) -> bool {
        matches!(self, Self::Sent | Self::Received)
    }

    /// Whether the zone is the sender.
    pub const fn outward(self) -> bool {
        matches!(self, Self::Sent | Self::SentNothing)
    }
}

/// What makes two uniflows one finding.
///
/// It holds nothing that a stranger can choose freely, so that the number of findings is bounded by the policy and the
/// gazetteer: addresses and names are exemplars in the [`Tally`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// `Forbid` or `Indeterminate`.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Which question was decided.
    pub axis: Axis,
    /// Our side.
    pub zone: ZoneId,
    /// What went which way.
    pub contact: Contact,
    /// Who opened the conversation.
    pub opened_by: Opener,
    /// Where the far end can be.
    pub places: CountrySet,
    /// What the claims say of each other.
    pub standing: Standing,
    /// The far end's autonomous system.
    pub operator: Option<Asn>,
    /// The far end's party in the policy.
    pub party: Option<PartyId>,
    /// The far end's zone, where it is in one.
    pub to_zone: Option<ZoneId>,
    /// What a waiver says of it. Flows that one covers are a finding apart from those that none does.
    pub waiver: Option<Waived>,
    /// The outer header of which tunnel it is; `None` for packets that carry no others.
    pub tunnel: Option<Outer>,
    /// The limits but for which it would be permitted: their rules permit nothing in the windows of these flows. Such flows
    /// are a finding apart.
    pub spent: LimitSet,
}

impl FindingKey {
    /// Whether someone accepts the finding, so that it does not fail the run.
    pub fn is_waived(&self) -> bool {
        self.waiver.is_some_and(Waived::holds)
    }
}

/// What makes two biflows one row of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InventoryKey {
    /// Our side.
    pub zone: ZoneId,
    /// Where the far end can be.
    pub places: CountrySet,
    /// What the claims say of each other.
    pub standing: Standing,
    /// The far end's autonomous system.
    pub operator: Option<Asn>,
    /// The far end's party in the policy.
    pub party: Option<PartyId>,
    /// The far end's zone, where it is in one.
    pub to_zone: Option<ZoneId>,
    /// The worse decision of the two directions; `None` where no policy judged.
    pub decision: Option<Decision>,
    /// The outer header of which tunnel it is; `None` for packets that carry no others.
    pub tunnel: Option<Outer>,
}

/// A flow that shows a finding. Ordered by time, then by place in the inputs, then by everything else, so that the
/// earliest few of a set are the same in any order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exemplar {
    /// The first packet of the flow.
    pub start: Timestamp,
    /// Where to look.
    pub provenance: Provenance,
    /// Our address and port.
    pub near: (Addr, u16),
    /// The far address and port.
    pub far: (Addr, u16),
    /// The transport protocol.
    pub protocol: Protocol,
    /// What was sent in the direction that was judged.
    pub sent: Counters,
    /// The last packet of the flow.
    pub end: Timestamp,
    /// The name that the far end was asked for by.
    pub name: Option<Name>,
    /// The round-trip time to the far end.
    pub round_trip: RoundTrip,
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.text, self.from).cmp(&(&other.text, other.from))
    }
}

/// The most exemplars that a tally keeps: the earliest.
pub const MAX_EXEMPLARS: usize = 8;

/// The most addresses that a sketch keeps.
const MAX_SKETCHED: usize = 32;

/// How many different addresses there were, and some of them: the addresses with the smallest hashes ("k minimum
/// values", Bar-Yossef et al. 2002). Exact up to 32 addresses, an estimate beyond, and the same in any
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AddressSketch {
    smallest: Vec<(u64, Addr)>,
    overflowed: bool,
}

impl AddressSketch {
    /// Adds an address.
    pub fn insert(&mut self, addr: Addr) {
        let hashed = (Self::hash(addr), addr);
        if self.overflowed && self.smallest.last().is_some_and(|largest| hashed > *largest) {
            return;
        }
        let Err(place) = self.smallest.binary_search(&hashed) else { return };
        self.smallest.insert(place, hashed);
        if self.smallest.len() > MAX_SKETCHED {
            self.smallest.pop();
            self.overflowed = true;
        }
    }

    /// Adds the addresses of another sketch.
    pub fn merge(&mut self, other: &Self) {
        for (_, addr) in &other.smallest {
            self.insert(*addr);
        }
        self.overflowed |= other.overflowed;
    }

    /// The number of different addresses, and whether it is exact.
    pub fn count(&self) -> (u64, bool) {
        match self.smallest.last() {
            Some((largest, _)) if self.overflowed => {
                let share = (*largest as f64 + 1.0) / 2f64.powi(64);
                (((MAX_SKETCHED - 1) as f64 / share).round() as u64, false)
            }
            _ => (self.smallest.len() as u64, true),
        }
    }

    /// The addresses that are kept, sorted.
    pub fn sample(&self) -> Vec<Addr> {
        let mut addrs: Vec<Addr> = self.smallest.iter().map(|(_, addr)| *addr).collect();
        addrs.sort_unstable();
        addrs
    }

    /// The hash by which some of many addresses are kept, the same everywhere.
    ///
    /// The finaliser of `SplitMix64` (Steele et al. 2014) over both halves: fixed for ever, since counts are in reports.
    pub fn hash(addr: Addr) -> u64 {
        let mix = |mut z: u64| {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let number = addr.as_u128();
        mix(mix((number >> 64) as u64) ^ number as u64)
    }
}

/// How much there was of a finding, since when, and the flows that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many uniflows.
    pub uniflows: u64,
    /// What they carried together.
    pub sent: Counters,
    /// The first packet.
    pub first: Timestamp,
    /// The last packet.
    pub last: Timestamp,
    /// Our addresses.
    pub near: AddressSketch,
    /// The far addresses.
    pub far: AddressSketch,
    exemplars: Vec<Exemplar>,
}

impl Tally {
    /// The tally of one uniflow.
    pub fn of(exemplar: Exemplar) -> Self {
        let mut tally = Self {
            uniflows: 1,
            sent: exemplar.sent,
            first: exemplar.start,
            last: exemplar.end,
            near: AddressSketch::default(),
            far: AddressSketch::default(),
            exemplars: Vec::new(),
        };
        tally.near.insert(exemplar.near.0);
        tally.far.insert(exemplar.far.0);
        tally.exemplars.push(exemplar);
        tally
    }

    /// Adds one uniflow.
    pub fn add(&mut self, exemplar: Exemplar) {
        self.uniflows += 1;
        self.sent.add(exemplar.sent);
        self.first = self.first.min(exemplar.start);
        self.last = self.last.max(exemplar.end);
        self.near.insert(exemplar.near.0);
        self.far.insert(exemplar.far.0);
        self.keep(exemplar);
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        self.uniflows += other.uniflows;
        self.sent.add(other.sent);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.near.merge(&other.near);
        self.far.merge(&other.far);
        for exemplar in other.exemplars {
            self.keep(exemplar);
        }
    }

    /// The earliest flows, at most [`MAX_EXEMPLARS`].
    pub fn exemplars(&self) -> &[Exemplar] {
        &self.exemplars
    }

    fn keep(&mut self, exemplar: Exemplar) {
        let place = self.exemplars.partition_point(|kept| *kept <= exemplar);
        if place < MAX_EXEMPLARS {
            self.exemplars.insert(place, exemplar);
            self.exemplars.truncate(MAX_EXEMPLARS);
        }
    }
}

/// What went both ways between a zone and one kind of far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How many flow records.
    pub flows: u64,
    /// What the zone sent.
    pub sent: Counters,
    /// What the zone received.
    pub received: Counters,
    /// The first packet.
    pub first: Timestamp,
    /// The last packet.
    pub last: Timestamp,
    /// The far addresses.
    pub far: AddressSketch,
}

impl Exchange {
    /// An exchange of nothing, from which others are added up.
    pub fn nothing() -> Self {
        Self {
            flows: 0,
            sent: Counters::default(),
            received: Counters::default(),
            first: Timestamp(u64::MAX),
            last: Timestamp(0),
            far: AddressSketch::default(),
        }
    }

    /// Adds another exchange.
    pub fn merge(&mut self, other: &Self) {
        self.flows += other.flows;
        self.sent.add(other.sent);
        self.received.add(other.received);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.far.merge(&other.far);
    }
}

/// How many flow records came to which end, and their IP octets. Every record that was observed is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Totals {
    /// Permitted in both directions.
    pub permit: super::coverage::Count,
    /// The evidence does not decide, for the worse direction.
    pub indeterminate: super::coverage::Count,
    /// Forbidden in one direction at least.
    pub forbid: super::coverage::Count,
    /// No payload moved, and no rule judges contact.
    pub contact: super::coverage::Count,
    /// Outside the policy's validity.
    pub not_in_force: super::coverage::Count,
    /// Both ends in one zone.
    pub internal: super::coverage::Count,
    /// No end in a zone.
    pub outside: super::coverage::Count,
    /// To or from an address that is no single machine elsewhere: multicast, broadcast, link-local, loopback.
    pub local_only: super::coverage::Count,
    /// Counted in the inventory, with no policy to judge by.
    pub unjudged: super::coverage::Count,
}

impl Totals {
    /// Every total with its name.
    pub fn each_mut(&mut self) -> [(&'static str, &mut super::coverage::Count); 9] {
        [
            ("permit", &mut self.permit),
            ("indeterminate", &mut self.indeterminate),
            ("forbid", &mut self.forbid),
            ("contact", &mut self.contact),
            ("not-in-force", &mut self.not_in_force),
            ("internal", &mut self.internal),
            ("outside", &mut self.outside),
            ("local-only", &mut self.local_only),
            ("unjudged", &mut self.unjudged),
        ]
    }

    /// Every total with its name.
    pub fn each(mut self) -> [(&'static str, super::coverage::Count); 9] {
        self.each_mut().map(|(name, count)| (name, *count))
    }

    /// Whether no record was counted.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: Self) {
        for ((_, mine), (_, theirs)) in self.each_mut().into_iter().zip(other.each()) {
            mine.merge(theirs);
        }
    }
}
