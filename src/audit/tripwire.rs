//! What tripwires keep of what is seen: a fold without an order, bounded in memory.
//!
//! Every kind keeps tallies by a key in which time comes first. A tripwire holds the [`MAX_CELLS`] smallest keys and says
//! that there were more. A key that was let go has that many smaller ones for ever, so that it is let go in every split of
//! the input, and a key that is held was held from its first flow on: the bound leaves the fold a monoid.
//!
//! With a horizon, where a far end can be is known when all was seen. Until then a cell is kept by far address, and takes the
//! place that the round-trip times leave when the audit is settled ([`Wires::settled`]). Addresses are bounded as those of
//! [`Cases`] are: of the ones with the largest hashes the claims decide.

use std::collections::BTreeMap;

use super::cases::{Cases, MAX_ADDRESSES};
use super::settle::Reach;
use crate::locate::Horizon;
use crate::locate::horizon::Step;
use crate::model::{
    Addr, AddressSketch, Asn, Counters, CountrySet, Exemplar, FlowFlags, FlowRecord, Location, PartyId, RoundTrip,
    Tally, Timestamp, Uniflow, ZoneId,
};
use crate::policy::tripwire::{Inside, Watch};
use crate::policy::{Movement, Tripwire};

/// The most cells that a tripwire keeps.
pub const MAX_CELLS: usize = 1 << 16;

/// What is counted together. The order is that of what is kept: the earliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cell {
    /// The time that the kind counts by: the start of the flow for a fail-over, the number of the period for a volume, zero
    /// before a baseline and one from it on; zero elsewhere.
    pub(super) time: u64,
    pub(super) zone: ZoneId,
    /// The party; the far addresses of one party are one thing.
    pub(super) party: Option<PartyId>,
    /// Our address, for a fail-over.
    pub(super) host: Option<Addr>,
    /// What came of an attempt, for a fail-over.
    pub(super) attempt: Option<Attempt>,
    pub(super) location: Location,
    pub(super) operator: Option<Asn>,
    /// Of an address that answers from many sites: what this flow alone shows of how far away it can have gone.
    pub(super) step: Option<Step>,
}

/// What came of an attempt to reach somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Attempt {
    /// No payload came back.
    Unanswered,
    /// Payload came back.
    Answered,
}

/// What a fail-over is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempted {
    /// A place inside the set, and no payload came back.
    Unanswered,
    /// A place outside the set, and payload came back.
    AnsweredOutside,
}

/// A flow as tripwires look at it: from the zone, with everything that is known of the far end.
pub(super) struct Sighting<'r> {
    pub(super) record: &'r FlowRecord,
    pub(super) zone: ZoneId,
    pub(super) near: Addr,
    pub(super) far: Addr,
    pub(super) party: Option<PartyId>,
    pub(super) operator: Option<Asn>,
    pub(super) location: Location,
    pub(super) sent: &'r Uniflow<'r>,
    pub(super) received: &'r Uniflow<'r>,
    pub(super) opened_by_zone: bool,
    pub(super) far_in_zone: bool,
    /// What says, when all was seen, where the far end can be.
    pub(super) reached: Reached<'r>,
}

/// What says where a far end can be.
#[derive(Clone, Copy)]
pub(super) enum Reached<'r> {
    /// The claims alone: without a horizon, and in another zone.
    Claims,
    /// The least of all its round-trip times; this flow's is one of them.
    Address(&'r Horizon, RoundTrip),
    /// What this flow's round-trip time shows: the next may reach another site.
    Flow(Option<Step>, CountrySet),
}

/// What the tripwires of a policy have kept, each in its place in the policy's list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Wires(Vec<Wire>);

/// What one tripwire has kept.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Wire {
    /// Cells whose place is known.
    cells: BTreeMap<Cell, Tally>,
    /// Cells whose place is known when all was seen, by the hash of the far address, so that those with the smallest are kept.
    far: BTreeMap<(u64, Addr), BTreeMap<Cell, Tally>>,
    /// Cells of fail-overs whose place is known when all was seen. Every flow is one, so that the earliest are kept and not
    /// those of some addresses.
    attempts: BTreeMap<(Cell, Addr), Tally>,
    /// Whether there were more cells than are kept.
    overflowed: bool,
}

impl Wires {
    /// Keeps what the tripwires want of a flow. `exemplar` makes its evidence with what was counted.
    pub(super) fn observe(
        &mut self,
        tripwires: &[Tripwire],
        seen: &Sighting<'_>,
        exemplar: impl Fn(Counters) -> Exemplar,
    ) {
        self.0.resize_with(tripwires.len(), Wire::default);
        for (tripwire, wire) in tripwires.iter().zip(&mut self.0) {
            if tripwire.concerns(seen.zone, seen.party)
                && let Some((cell, counted)) = counted(&tripwire.watch, seen)
            {
                wire.add(&tripwire.watch, seen, cell, Tally::of(exemplar(counted)));
            }
        }
    }

    /// The same with every cell where its far end can be by the evidence.
    pub(super) fn settled(&self, evidence: &Cases, reach: Reach<'_>) -> Self {
        Self(self.0.iter().map(|wire| wire.settled(evidence, reach)).collect())
    }

    pub(super) fn merge(&mut self, other: Self) {
        let wires = self.0.len().max(other.0.len());
        self.0.resize_with(wires, Wire::default);
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            mine.merge(theirs);
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Wire> {
        self.0.get(index)
    }
}

impl Wire {
    fn add(&mut self, watch: &Watch, seen: &Sighting<'_>, cell: Cell, tally: Tally) {
        match (watch, seen.reached) {
            // Where it is makes no difference.
            (Watch::Volume { .. }, _) | (_, Reached::Claims | Reached::Flow(None, _)) => self.insert(cell, tally),
            (_, Reached::Flow(step, _)) => self.insert(Cell { step, ..cell }, tally),
            (Watch::Failover { .. }, Reached::Address(..)) => self.attempt((cell, seen.far), tally),
            (_, Reached::Address(..)) => {
                merge_into(self.far.entry((AddressSketch::hash(seen.far), seen.far)).or_default(), cell, tally);
                self.trim();
            }
        }
    }

    fn insert(&mut self, cell: Cell, tally: Tally) {
        merge_into(&mut self.cells, cell, tally);
        if self.cells.len() > MAX_CELLS {
            self.cells.pop_last();
            self.overflowed = true;
        }
    }

    fn attempt(&mut self, attempt: (Cell, Addr), tally: Tally) {
        merge_into(&mut self.attempts, attempt, tally);
        if self.attempts.len() > MAX_CELLS {
            self.attempts.pop_last();
            self.overflowed = true;
        }
    }

    /// Moves the cells of addresses that are not among those with the smallest hashes: the claims decide where they are.
    fn trim(&mut self) {
        while self.far.len() > MAX_ADDRESSES {
            let Some((_, cells)) = self.far.pop_last() else { return };
            for (cell, tally) in cells {
                self.insert(cell, tally);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (cell, tally) in other.cells {
            self.insert(cell, tally);
        }
        for (attempt, tally) in other.attempts {
            self.attempt(attempt, tally);
        }
        for (far, cells) in other.far {
            let mine = self.far.entry(far).or_default();
            for (cell, tally) in cells {
                merge_into(mine, cell, tally);
            }
        }
        self.trim();
        self.overflowed |= other.overflowed;
    }

    fn settled(&self, evidence: &Cases, reach: Reach<'_>) -> Self {
        let mut settled = Self { overflowed: self.overflowed, ..Self::default() };
        let mut add = |cell: &Cell, within: CountrySet, tally: &Tally| {
            let cell = Cell { location: cell.location.within_reach(within), step: None, ..*cell };
            merge_into(&mut settled.cells, cell, tally.clone());
        };
        let of_address = |far: Addr| evidence.address(far).map_or(CountrySet::ANYWHERE, |known| reach.of(known.least));
        for (cell, tally) in &self.cells {
            add(cell, reach.of_step(cell.step), tally);
        }
        for ((_, far), cells) in &self.far {
            let within = of_address(*far);
            for (cell, tally) in cells {
                add(cell, within, tally);
            }
        }
        for ((cell, far), tally) in &self.attempts {
            add(cell, of_address(*far), tally);
        }
        settled
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (&Cell, &Tally)> {
        self.cells.iter()
    }

    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

fn merge_into<K: Ord>(map: &mut BTreeMap<K, Tally>, key: K, tally: Tally) {
    match map.get_mut(&key) {
        Some(mine) => mine.merge(tally),
        None => {
            map.insert(key, tally);
        }
    }
}

/// The cell that a flow falls into, and what of it is counted; `None` where the tripwire has no interest in it.
fn counted(watch: &Watch, seen: &Sighting<'_>) -> Option<(Cell, Counters)> {
    let cell = Cell {
        time: 0,
        zone: seen.zone,
        party: seen.party,
        host: None,
        attempt: None,
        location: seen.location,
        operator: seen.operator,
        step: None,
    };
    let start = seen.record.start;
    match watch {
        Watch::Failover { inside, .. } => {
            if !seen.opened_by_zone || seen.party.is_none() {
                return None;
            }
            let flags = seen.record.flags;
            // Where each direction is a record of its own, an empty reverse says nothing.
            let unheard = flags.has(FlowFlags::ONE_DIRECTION) && !flags.has(FlowFlags::REJECTED);
            let attempt = if seen.received.moved() { Attempt::Answered } else { Attempt::Unanswered };
            // What answers from inside, as far as this flow shows, is of no interest: most flows are such.
            let shown = shown(seen).possible();
            let interest = match attempt {
                Attempt::Unanswered => !unheard,
                Attempt::Answered => !shown.is_subset(&inside.on(start)),
            };
            let cell = Cell { time: start.0, host: Some(seen.near), attempt: Some(attempt), ..cell };
            interest.then_some((cell, seen.sent.sent))
        }
        Watch::NewEdge { baseline, .. } => {
            let cell = Cell { time: u64::from(start >= *baseline), ..cell };
            Some((cell, both(seen)))
        }
        Watch::Volume { movement, per, .. } => {
            let cell = Cell { time: start.0 / per, location: Location::UNKNOWN, operator: None, ..cell };
            Some((cell, moved(*movement, seen)?))
        }
        Watch::Schedule { movement, quiet, .. } => {
            quiet.contains(start).then_some(())?;
            Some((cell, moved(*movement, seen)?))
        }
        Watch::ChokePoint { gateways } => {
            let leaves = !seen.sent.is_empty() && !Watch::is_gateway(gateways, seen.far);
            leaves.then_some((cell, seen.sent.sent))
        }
        Watch::Undeclared { .. } => (seen.sent.moved() && !seen.far_in_zone).then_some((cell, seen.sent.sent)),
    }
}

/// Where the far end can be as far as the flow shows by itself.
fn shown(seen: &Sighting<'_>) -> Location {
    match seen.reached {
        Reached::Claims => seen.location,
        Reached::Address(horizon, measured) => seen.location.within_reach(horizon.reach(measured)),
        Reached::Flow(_, reach) => seen.location.within_reach(reach),
    }
}

impl Cell {
    /// What came of an attempt to reach somebody inside a set; `None` for what is no attempt, and where it cannot be told
    /// whether it went inside or outside.
    pub(super) fn attempted(&self, inside: &Inside) -> Option<Attempted> {
        let places = inside.on(Timestamp(self.time));
        match (self.location.possible().split_by(&places), self.attempt?) {
            // Wherever it is, that is inside, or outside.
            ((true, false), Attempt::Unanswered) => Some(Attempted::Unanswered),
            ((false, true), Attempt::Answered) => Some(Attempted::AnsweredOutside),
            _ => None,
        }
    }
}

fn both(seen: &Sighting<'_>) -> Counters {
    let mut counters = seen.sent.sent;
    counters.add(seen.received.sent);
    counters
}

/// What moved in the directions that count; `None` where nothing did.
fn moved(movement: Movement, seen: &Sighting<'_>) -> Option<Counters> {
    let out = (movement != Movement::In && seen.sent.moved()).then_some(seen.sent.sent);
    let back = (movement != Movement::Out && seen.received.moved()).then_some(seen.received.sent);
    match (out, back) {
        (Some(mut out), Some(back)) => {
            out.add(back);
            Some(out)
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a hostile capture makes wait is bounded: the addresses with the smallest hashes stay.
    #[test]
    fn addresses_that_wait_are_bounded() {
        let waiting = |numbers: std::ops::Range<u64>| {
            let far = numbers.map(|number| ((number, Addr::v4([203, 0, 113, 9])), BTreeMap::new())).collect();
            Wire { far, ..Wire::default() }
        };
        let most = MAX_ADDRESSES as u64;
        let mut wire = waiting(5..most + 5);
        wire.merge(waiting(0..7));
        assert_eq!(wire.far.keys().map(|(hash, _)| *hash).collect::<Vec<_>>(), (0..most).collect::<Vec<_>>());
        assert!(!wire.overflowed, "their cells have room");
    }
}
