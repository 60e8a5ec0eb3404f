//! What tripwires keep of what is seen: a fold without an order, bounded in memory.
//!
//! Every kind keeps tallies by a key in which time comes first. A tripwire holds the [`MAX_CELLS`] smallest keys and says
//! that there were more. A key that was let go has that many smaller ones for ever, so that it is let go in every split of
//! the input, and a key that is held was held from its first flow on: the bound leaves the fold a monoid.

use std::collections::BTreeMap;

use crate::model::{
    Addr, Asn, Counters, CountrySet, Exemplar, FlowFlags, FlowRecord, Location, PartyId, Standing, Tally, Uniflow,
    ZoneId,
};
use crate::policy::tripwire::Watch;
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
    pub(super) places: CountrySet,
    pub(super) standing: Standing,
    pub(super) operator: Option<Asn>,
}

/// What came of an attempt to reach somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Attempt {
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
}

/// What the tripwires of a policy have kept, each in its place in the policy's list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Wires(Vec<Wire>);

/// What one tripwire has kept.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Wire {
    cells: BTreeMap<Cell, Tally>,
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
                wire.add(cell, exemplar(counted));
            }
        }
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
    fn add(&mut self, cell: Cell, exemplar: Exemplar) {
        match self.cells.get_mut(&cell) {
            Some(tally) => tally.add(exemplar),
            None => self.insert(cell, Tally::of(exemplar)),
        }
    }

    fn insert(&mut self, cell: Cell, tally: Tally) {
        self.cells.insert(cell, tally);
        if self.cells.len() > MAX_CELLS {
            self.cells.pop_last();
            self.overflowed = true;
        }
    }

    fn merge(&mut self, other: Self) {
        for (cell, tally) in other.cells {
            match self.cells.get_mut(&cell) {
                Some(mine) => mine.merge(tally),
                None => self.insert(cell, tally),
            }
        }
        self.overflowed |= other.overflowed;
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (&Cell, &Tally)> {
        self.cells.iter()
    }

    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
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
        places: seen.location.possible(),
        standing: seen.location.standing(),
        operator: seen.operator,
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
            let attempt = match (cell.places.split_by(&inside.on(start)), seen.received.moved()) {
                // Wherever it is, that is inside, or outside.
                ((true, false), false) if !unheard => Attempt::Unanswered,
                ((false, true), true) => Attempt::AnsweredOutside,
                _ => return None,
            };
            let cell = Cell { time: start.0, host: Some(seen.near), attempt: Some(attempt), ..cell };
            Some((cell, seen.sent.sent))
        }
        Watch::NewEdge { baseline, .. } => {
            let cell = Cell { time: u64::from(start >= *baseline), ..cell };
            Some((cell, both(seen)))
        }
        Watch::Volume { movement, per, .. } => {
            let cell = Cell {
                time: start.0 / per,
                places: CountrySet::ANYWHERE,
                standing: Standing::Unknown,
                operator: None,
                ..cell
            };
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
