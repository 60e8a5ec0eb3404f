//! What cannot be decided before all was seen.
//!
//! There are two such things: where a far end can be, with a vantage; and whether a rule with a limit still permits.
//!
//! With a vantage, where a far end can be rests on the least round-trip time over *all* its flows, and whether round-trip
//! times are evidence at all rests on all far ends together (a local proxy answers for every one of them). So a record is
//! not judged when it is observed: it is added to a *case*, under everything that the decision depends on but for what is
//! known at the end, and cases are decided when the audit is settled, by the same evaluator.
//!
//! Where a permit with a limit may speak of a record, whether it does rests on everything that went under it in the same
//! window of time. So the window is a part of the case, and the totals are those of the cases, summed when the audit is
//! settled.
//!
//! # Bounded, and the same in any order
//!
//! Cases are kept by far address, and no more than [`MAX_ADDRESSES`] of those: the ones with the smallest hashes (bottom-k).
//! An address that is not among them has its cases moved to those without an address, which are decided by the claims
//! alone; the records are counted, and the report says so. Let K be the addresses with the k smallest hashes of all that
//! were seen, however they were split. An address of K is among the k smallest of every part of the records that has it,
//! so it never falls out. One that is not in K has k addresses before it once all parts are merged, so it falls out at the
//! latest then; what of it was counted without an address before stays so, what was held moves there, and nothing depends
//! on which was which. Everything else is sums, minima and sets.
//!
//! Windows are no more than [`MAX_WINDOWS`]: the earliest. The cases of later ones are moved together, and whether their
//! limits were exceeded is not known. A window that is not among the earliest has that many before it once all parts are
//! merged, so that the same ones are kept in every split.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::ruling::{Case, Way, Window};
use crate::locate::Horizon;
use crate::locate::horizon::{MIN_SAMPLES, Step};
use crate::model::{
    Addr, AddressSketch, Count, Doubt, DoubtKind, Exchange, Exemplar, Location, RoundTrip, Standing, Tally, Timestamp,
};

/// The most far addresses whose cases wait for their round-trip times.
pub const MAX_ADDRESSES: usize = 1 << 16;

/// The most windows of limits that are told apart: half a year of hours, or eleven years of days.
pub const MAX_WINDOWS: usize = 1 << 12;

/// From how many far networks on what they have in common puts all round-trip times in doubt.
const MANY_NETWORKS: usize = 8;
/// Below this time a time that they share is the mark of a proxy, in microseconds: a proxy that stands further off than 100 km is not *local*.
const PROXY_US: u32 = 1_000;
/// Times that are no further apart than this are one, in microseconds; or than a quarter of the lesser.
const PROXY_SPREAD_US: u32 = 50;

/// Records that wait for what is known at the end. Empty without a vantage and without limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cases {
    /// By hash, so that those with the smallest are kept.
    addresses: BTreeMap<(u64, Addr), Address>,
    /// Cases whose reach is known, or that are decided by claims alone.
    loose: BTreeMap<(Option<Step>, Case), Held>,
    /// Records between two zones, as seen from both: the worse of the two decisions counts.
    between: BTreeMap<(Case, Case), Between>,
    /// The windows of all of them, by when they begin.
    windows: BTreeSet<Timestamp>,
    /// Records that lost their round-trip time because there were too many far addresses.
    crowded_out: Count,
    max: usize,
    max_windows: usize,
}

/// What is known of a far address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    /// Over all flows.
    pub(super) least: RoundTrip,
    /// Of an address that is announced from many sites: what each flow alone shows.
    pub(super) alone: BTreeMap<Location, Alone>,
    pub(super) cases: BTreeMap<Case, Held>,
}

/// Flows that are evidence each alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alone {
    /// How many.
    pub(super) flows: u64,
    /// The greatest of their least times, in microseconds: what holds for all of them.
    pub(super) slowest_us: u32,
    /// The fewest samples of one.
    pub(super) fewest: u8,
}

/// Records of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// How many, with their IP octets.
    pub(super) records: Count,
    /// For the inventory.
    pub(super) exchange: Exchange,
    /// For findings, by direction.
    pub(super) sent: Option<Tally>,
    pub(super) received: Option<Tally>,
}

/// Records between two zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Between {
    /// How many, with their IP octets: each once.
    pub(super) records: Count,
    /// As seen from their source, and from their destination.
    pub(super) ends: [Held; 2],
}

impl Default for Cases {
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            loose: BTreeMap::new(),
            between: BTreeMap::new(),
            windows: BTreeSet::new(),
            crowded_out: Count::default(),
            max: MAX_ADDRESSES,
            max_windows: MAX_WINDOWS,
        }
    }
}

impl Cases {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.loose.is_empty() && self.between.is_empty()
    }

    /// Records that are decided by claims alone because there were more than [`MAX_ADDRESSES`] far addresses.
    pub fn crowded_out(&self) -> Count {
        self.crowded_out
    }

    /// The records of a far address that wait for all its round-trip times.
    pub(super) fn of_address(&mut self, far: Addr, measured: RoundTrip, case: Case, octets: u64) -> &mut Held {
        if let Some(key) = self.admit(far) {
            let address = self.addresses.entry(key).or_default();
            address.least.merge(measured);
            return address.cases.entry(case).or_insert_with(Held::nothing);
        }
        self.crowded_out.add(octets);
        self.loose.entry((None, case)).or_insert_with(Held::nothing)
    }

    /// The records of flows of which each shows by itself how far away it can have gone.
    pub(super) fn of_flow(&mut self, far: Addr, measured: RoundTrip, step: Option<Step>, case: Case) -> &mut Held {
        if let Some(key) = self.admit(far) {
            let address = self.addresses.entry(key).or_default();
            address.least.merge(measured);
            if let (Some(_), Some(slowest_us)) = (step, measured.least_us()) {
                let alone = Alone { flows: 1, slowest_us, fewest: measured.samples() };
                address.alone.entry(case.location).and_modify(|known| known.merge(alone)).or_insert(alone);
            }
        }
        self.loose.entry((step, case)).or_insert_with(Held::nothing)
    }

    /// The records of cases that wait for a limit alone.
    pub(super) fn of_limit(&mut self, case: Case) -> &mut Held {
        self.loose.entry((None, case)).or_insert_with(Held::nothing)
    }

    /// The records between two zones of which at least one waits for a limit.
    pub(super) fn of_zones(&mut self, one: Case, other: Case) -> &mut Between {
        self.between.entry((one, other)).or_insert_with(Between::nothing)
    }

    /// The window that begins at a moment; that of all later ones, where it is not kept.
    pub(super) fn window(&mut self, begin: Timestamp) -> Window {
        if !self.windows.contains(&begin) {
            if self.windows.len() >= self.max_windows && self.windows.last().is_none_or(|last| begin > *last) {
                return Window::Late;
            }
            self.windows.insert(begin);
            // Moving cases looks at all of them: not for every window that is too many.
            if self.max_windows.saturating_mul(2) <= self.windows.len() {
                self.trim_windows();
            }
        }
        Window::From(begin)
    }

    /// Moves the cases of windows that are not among the earliest; to be done before anyone looks at what is kept.
    pub(super) fn trim_windows(&mut self) {
        if self.windows.len() <= self.max_windows {
            return;
        }
        while self.windows.len() > self.max_windows {
            self.windows.pop_last();
        }
        let Some(last) = self.windows.last().copied() else { return };
        let late = |case: &Case| Case { window: case.window.no_later_than(last), ..*case };
        for address in self.addresses.values_mut() {
            for (case, held) in std::mem::take(&mut address.cases) {
                merge_into(&mut address.cases, late(&case), held);
            }
        }
        for ((step, case), held) in std::mem::take(&mut self.loose) {
            merge_into(&mut self.loose, (step, late(&case)), held);
        }
        for ((one, other), between) in std::mem::take(&mut self.between) {
            self.between.entry((late(&one), late(&other))).or_insert_with(Between::nothing).merge(between);
        }
    }

    /// Records of which it is not known whether their limits were exceeded, because there were more than [`MAX_WINDOWS`]
    /// windows.
    pub fn unmeasured(&self) -> Count {
        let late = |case: &Case| case.window == Window::Late;
        let of_addresses = self.addresses.values().flat_map(|address| &address.cases);
        let alone = of_addresses.chain(self.loose.iter().map(|((_, case), held)| (case, held)));
        let alone = alone.filter(|(case, _)| late(case)).map(|(_, held)| held.records);
        let between = self.between.iter().filter(|((one, other), _)| late(one) || late(other));
        alone.chain(between.map(|(_, between)| between.records)).fold(Count::default(), |mut sum, count| {
            sum.merge(count);
            sum
        })
    }

    /// The key of an address that is kept.
    fn admit(&mut self, far: Addr) -> Option<(u64, Addr)> {
        let key = (AddressSketch::hash(far), far);
        if self.addresses.len() >= self.max && !self.addresses.contains_key(&key) {
            if self.addresses.last_key_value().is_none_or(|(last, _)| key > *last) {
                return None;
            }
            self.addresses.entry(key).or_default();
            self.trim();
        }
        Some(key)
    }

    fn trim(&mut self) {
        while self.addresses.len() > self.max {
            let Some((_, address)) = self.addresses.pop_last() else { return };
            for (case, held) in address.cases {
                self.crowded_out.merge(held.records);
                merge_into(&mut self.loose, (None, case), held);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (key, address) in other.addresses {
            let mine = self.addresses.entry(key).or_default();
            mine.least.merge(address.least);
            for (location, alone) in address.alone {
                mine.alone.entry(location).and_modify(|known| known.merge(alone)).or_insert(alone);
            }
            for (case, held) in address.cases {
                merge_into(&mut mine.cases, case, held);
            }
        }
        self.trim();
        for (key, held) in other.loose {
            merge_into(&mut self.loose, key, held);
        }
        self.crowded_out.merge(other.crowded_out);
        for ((one, other), between) in other.between {
            self.between.entry((one, other)).or_insert_with(Between::nothing).merge(between);
        }
        self.windows.extend(other.windows);
        self.trim_windows();
    }

    /// The far addresses, by hash.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (Addr, &Address)> {
        self.addresses.iter().map(|((_, addr), address)| (*addr, address))
    }

    /// What is known of a far address; `None` where it is not kept.
    pub(super) fn address(&self, far: Addr) -> Option<&Address> {
        self.addresses.get(&(AddressSketch::hash(far), far))
    }

    /// Cases whose reach is known, or that are decided by claims alone.
    pub(super) fn loose(&self) -> impl Iterator<Item = (Option<Step>, &Case, &Held)> {
        self.loose.iter().map(|((step, case), held)| (*step, case, held))
    }

    /// Records between two zones, as seen from both.
    pub(super) fn between(&self) -> impl Iterator<Item = (&Case, &Case, &Between)> {
        self.between.iter().map(|((one, other), between)| (one, other, between))
    }

    /// Why round-trip times are no evidence of any far end, and no horizon is drawn.
    ///
    /// - At least `MANY_NETWORKS` far networks, and at least half of all that were measured, have one least time below
    ///   `PROXY_US`: the mark of a local proxy.
    /// - They refute every claim for as many networks, and for more than half of those that have claims. Sources err for a
    ///   few networks in a hundred: it is the vantage or the clock that is wrong, or a proxy further away.
    pub fn doubt(&self, horizon: &Horizon) -> Option<Doubt> {
        self.proxy().or_else(|| self.contradiction(horizon))
    }

    fn proxy(&self) -> Option<Doubt> {
        let mut networks: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for (addr, address) in self.addresses() {
            if let Some(least) = address.least.least_us().filter(|_| address.least.samples() >= MIN_SAMPLES) {
                networks.entry(network(addr)).and_modify(|known| *known = least.min(*known)).or_insert(least);
            }
        }
        let of = networks.len();
        let mut times: Vec<u32> = networks.into_values().collect();
        times.sort_unstable();
        let shared = |(at, least_us): (usize, &u32)| {
            let last = least_us + PROXY_SPREAD_US.max(least_us / 4);
            (times.partition_point(|time| *time <= last) - at, Reverse(*least_us))
        };
        let tiny = times.iter().enumerate().take_while(|(_, least)| **least < PROXY_US);
        // Of several with as many networks, the least time.
        let (most, Reverse(least_us)) = tiny.map(shared).max()?;
        let kind = DoubtKind::Proxy;
        let doubt = Doubt { kind, networks: most as u64, of: of as u64, least_us: Some(least_us) };
        (most >= MANY_NETWORKS && most * 2 >= of).then_some(doubt)
    }

    fn contradiction(&self, horizon: &Horizon) -> Option<Doubt> {
        let mut claimed: BTreeMap<IpAddr, bool> = BTreeMap::new();
        for (addr, address) in self.addresses().filter(|(_, address)| horizon.step(address.least).is_some()) {
            let reach = horizon.reach(address.least);
            for case in address.cases.keys().filter(|case| !case.location.possible().is_anywhere()) {
                let refuted = case.location.within_reach(reach).standing() == Standing::Refuted;
                *claimed.entry(network(addr)).or_default() |= refuted;
            }
        }
        let (of, refuted) = (claimed.len(), claimed.into_values().filter(|refuted| *refuted).count());
        let kind = DoubtKind::Contradicted;
        let doubt = Doubt { kind, networks: refuted as u64, of: of as u64, least_us: None };
        (refuted >= MANY_NETWORKS && refuted * 2 > of).then_some(doubt)
    }
}

fn network(addr: Addr) -> IpAddr {
    match addr.as_v4() {
        Some(number) => IpAddr::from((number & 0xffff_ff00).to_be_bytes()),
        None => IpAddr::from((addr.as_u128() >> 80 << 80).to_be_bytes()),
    }
}

fn merge_into<K: Ord>(map: &mut BTreeMap<K, Held>, key: K, held: Held) {
    match map.get_mut(&key) {
        Some(mine) => mine.merge(held),
        None => {
            map.insert(key, held);
        }
    }
}

impl Alone {
    fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.slowest_us = self.slowest_us.max(other.slowest_us);
        self.fewest = self.fewest.min(other.fewest);
    }
}

impl Between {
    fn nothing() -> Self {
        Self { records: Count::default(), ends: [Held::nothing(), Held::nothing()] }
    }

    fn merge(&mut self, other: Self) {
        self.records.merge(other.records);
        for (mine, theirs) in self.ends.iter_mut().zip(other.ends) {
            mine.merge(theirs);
        }
    }
}

impl Held {
    fn nothing() -> Self {
        Self { records: Count::default(), exchange: Exchange::nothing(), sent: None, received: None }
    }

    /// Adds what went in a direction.
    pub(super) fn add(&mut self, way: Way, exemplar: Exemplar) {
        match self.way_mut(way) {
            Some(tally) => tally.add(exemplar),
            none => *none = Some(Tally::of(exemplar)),
        }
    }

    pub(super) fn way(&self, way: Way) -> Option<&Tally> {
        match way {
            Way::Sent => self.sent.as_ref(),
            Way::Received => self.received.as_ref(),
        }
    }

    fn way_mut(&mut self, way: Way) -> &mut Option<Tally> {
        match way {
            Way::Sent => &mut self.sent,
            Way::Received => &mut self.received,
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.records.merge(other.records);
        self.exchange.merge(&other.exchange);
        for way in [Way::Sent, Way::Received] {
            if let Some(theirs) = other.way_mut(way).take() {
                match self.way_mut(way) {
                    Some(mine) => mine.merge(theirs),
                    none => *none = Some(theirs),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ruling::Moved;
    use crate::model::{Country, CountrySet, Opener, ZoneId};

    fn case() -> Case {
        Case {
            zone: ZoneId(0),
            location: Location::stated(CountrySet::of(Country::from_code("CN").unwrap())),
            operator: None,
            party: None,
            to_zone: None,
            waivers: crate::policy::WaiverView::default(),
            epoch: None,
            service: 0,
            opened_by: Opener::Local,
            sent: Moved::Payload,
            received: Moved::Nothing,
            tunnel: None,
            window: Window::None,
        }
    }

    fn addr(number: u32) -> Addr {
        Addr::v4([198, 51, 100, number as u8])
    }

    /// The cases of flows to these addresses, `max` of which are kept.
    fn cases(max: usize, flows: &[u32]) -> Cases {
        let mut cases = Cases { max, ..Cases::default() };
        for number in flows {
            let measured = RoundTrip::new(1_000 + number, 2).unwrap();
            cases.of_address(addr(*number), measured, case(), 100).records.add(100);
        }
        cases
    }

    /// However they are split and in whatever order: the same addresses are kept, and the rest is counted.
    #[test]
    fn those_with_the_smallest_hashes_are_kept() {
        let flows: Vec<u32> = (0..60).map(|n| n * 17 % 23).collect();
        let whole = cases(5, &flows);
        let mut by_hash: Vec<(u64, u32)> = (0..23).map(|n| (AddressSketch::hash(addr(n)), n)).collect();
        by_hash.sort_unstable();
        let kept: Vec<u32> = by_hash.iter().take(5).map(|(_, number)| *number).collect();
        assert_eq!(
            whole.addresses().map(|(addr, _)| addr).collect::<Vec<_>>(),
            kept.iter().map(|number| addr(*number)).collect::<Vec<_>>()
        );
        let out = flows.iter().filter(|number| !kept.contains(number)).count() as u64;
        assert_eq!(whole.crowded_out(), Count { count: out, octets: 100 * out });
        let loose: u64 = whole.loose().map(|(.., held)| held.records.count).sum();
        assert_eq!(loose, out);
        let once: Vec<u32> = (0..23).collect();
        assert_eq!(cases(5, &once).addresses().count(), 5, "no more are kept meanwhile");
        for parts in [2, 3, 7] {
            let mut merged = Cases { max: 5, ..Cases::default() };
            for part in (0..parts).rev() {
                let mine: Vec<u32> = flows.iter().rev().skip(part).step_by(parts).copied().collect();
                merged.merge(cases(5, &mine));
            }
            assert_eq!(merged, whole, "{parts} parts");
        }
    }
}
