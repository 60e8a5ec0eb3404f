//! Flows that are reported twice.
//!
//! A router that meters packets as they come in and as they go out reports a flow twice, and two routers on its way each
//! report it. The first is recognised by the direction (IE 61) and both interfaces (IE 10, IE 14), and dropped; of the
//! second nothing can be dropped, because only the addresses are alike, and it is warned about.

use std::collections::VecDeque;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;

use crate::model::{Addr, FlowRecord, Protocol, Timestamp};

/// The most flows that are remembered: what some routers report in some seconds, in 10 MB.
const MAX_REMEMBERED: usize = 64 * 1024;

type Key = (Addr, Addr, u16, u16, Protocol);

/// Where a flow was metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) exporter: Addr,
    /// 0 as it came in, 1 as it went out.
    pub(super) direction: Option<u64>,
    /// By which interfaces it came in and went out.
    pub(super) interfaces: Option<(u64, u64)>,
}

struct Remembered {
    place: Place,
    start: Timestamp,
    end: Timestamp,
    /// Packets that the other side has not told of yet.
    packets: u64,
}

/// What a record is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinship {
    None,
    /// The other side of a router has told of the same packets.
    Duplicate,
    /// Another observation point tells of the flow at the same time.
    Elsewhere,
}

/// Flows that were reported lately.
pub(super) struct Twins {
    flows: HashMap<Key, Remembered, SeedableRandomState>,
    order: VecDeque<Key>,
    exporters: Exporters,
}

/// How many flow exporters there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exporters {
    None,
    One(Addr),
    Several,
}

impl Twins {
    /// `seed` is one that those who send cannot know. No result depends on it.
    pub(super) fn new(seed: u64) -> Self {
        let state = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { flows: HashMap::with_hasher(state), order: VecDeque::new(), exporters: Exporters::None }
    }

    /// Takes note of who sends. Flows of one exporter that does not say in which direction it meters need no comparison.
    pub(super) fn met(&mut self, exporter: Addr) {
        self.exporters = match self.exporters {
            Exporters::None => Exporters::One(exporter),
            Exporters::One(known) if known == exporter => self.exporters,
            Exporters::One(_) | Exporters::Several => Exporters::Several,
        };
    }

    /// Compares a record with those before it, and remembers it.
    pub(super) fn see(&mut self, record: &FlowRecord, place: Place) -> Kinship {
        let has_side = place.direction.is_some() && place.interfaces.is_some();
        if !has_side && self.exporters != Exporters::Several {
            return Kinship::None;
        }
        let key = (record.src, record.dst, record.sport, record.dport, record.protocol);
        let packets = record.forward.packets.saturating_add(record.reverse.packets);
        let fresh = Remembered { place, start: record.start, end: record.end, packets };
        let Some(known) = self.flows.get_mut(&key) else {
            if self.order.len() >= MAX_REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.flows.remove(&oldest);
            }
            self.order.push_back(key);
            self.flows.insert(key, fresh);
            return Kinship::None;
        };
        let overlaps = record.start <= known.end && known.start <= record.end;
        let (here, there) = (place, known.place);
        if overlaps && here.exporter == there.exporter {
            let opposite = matches!((here.direction, there.direction), (Some(0), Some(1)) | (Some(1), Some(0)));
            if opposite && here.interfaces.is_some() && here.interfaces == there.interfaces {
                if packets <= known.packets {
                    known.packets -= packets;
                    return Kinship::Duplicate;
                }
                return Kinship::Elsewhere;
            }
        }
        let kinship = if overlaps && here.exporter != there.exporter { Kinship::Elsewhere } else { Kinship::None };
        if kinship == Kinship::None && fresh.end >= known.end {
            *known = fresh;
        }
        kinship
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InputId, Provenance};

    fn record(start: u64, end: u64, packets: u64) -> FlowRecord {
        let provenance = Provenance::new(InputId(0), 1);
        let addr = |last| Addr::v4([192, 0, 2, last]);
        let mut record = FlowRecord::new(addr(1), addr(2), Protocol::TCP, Timestamp(start), provenance);
        record.end = Timestamp(end);
        record.forward.packets = packets;
        record
    }

    #[test]
    fn both_sides_of_a_router_are_one_flow() {
        let router = |last, direction| Place {
            exporter: Addr::v4([198, 51, 100, last]),
            direction: Some(direction),
            interfaces: Some((1, 2)),
        };
        let mut twins = Twins::new(7);
        assert_eq!(twins.see(&record(0, 60, 10), router(1, 0)), Kinship::None);
        assert_eq!(twins.see(&record(0, 30, 6), router(1, 1)), Kinship::Duplicate);
        assert_eq!(twins.see(&record(30, 60, 4), router(1, 1)), Kinship::Duplicate);
        assert_eq!(twins.see(&record(50, 60, 1), router(1, 1)), Kinship::Elsewhere, "more went out than came in");
        assert_eq!(twins.see(&record(61, 90, 5), router(1, 0)), Kinship::None, "the flow goes on");
        assert_eq!(twins.see(&record(70, 80, 5), router(2, 0)), Kinship::Elsewhere, "another router");
        assert_eq!(twins.see(&record(91, 99, 5), router(1, 1)), Kinship::None, "another time");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut twins = Twins::new(7);
        let place = Place { exporter: Addr::v4([198, 51, 100, 1]), direction: Some(0), interfaces: Some((1, 2)) };
        let mut one = record(0, 1, 1);
        for port in 0..=u16::MAX {
            one.sport = port;
            one.dport = 1;
            twins.see(&one, place);
            one.dport = 2;
            twins.see(&one, place);
        }
        assert_eq!((twins.flows.len(), twins.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
