//! Flows within an estate that two of its interfaces report.
//!
//! A cloud logs at network interfaces, so that a flow between two machines of one estate is told of at both: the same
//! addresses, ports and protocol, the same way, in the same minute, by another interface (AWS, Azure, OCI) or by the other end
//! (Google). Both count, since neither says that it is the other's; a caveat says how many they are. This is told within an
//! input: of what another input may tell of too, as the blobs that Azure writes an interface do, the number is said. Flows
//! with an end that is public pass one logged interface, but for gateways, of which remarks tell.

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::model::{Addr, FlowRecord, Protocol, Scope, Timestamp};

/// The most flows that are remembered: 8 MB. Of those that were forgotten a second report is not recognised.
const MAX_REMEMBERED: usize = 64 * 1024;

type Key = (Addr, Addr, u16, u16, Protocol);

/// Where a flow was logged: the name of an interface, or which end it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point(u64);

impl Point {
    /// Of a name; `None` for none.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        // Two names with one hash are taken for one interface: a report less is recognised.
        (!name.is_empty()).then(|| Self(FixedState::default().hash_one(name)))
    }
}

/// Where else a flow can have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// One end is public: the flow passes one interface that logs.
    Public,
    /// Both ends are private, and no other point has reported it.
    Private,
    /// Another point has.
    Elsewhere,
}

/// Flows that were logged lately. The map is ordered: nobody can choose flows that collide in it.
#[derive(Default)]
pub(super) struct Twice {
    flows: BTreeMap<Key, (Point, Timestamp, Timestamp)>,
    order: VecDeque<Key>,
}

impl Twice {
    /// Whether another point has reported the flow for the same time. Without a point nobody can tell.
    pub(super) fn see(&mut self, record: &FlowRecord, point: Option<Point>) -> Sight {
        if record.src.scope() != Scope::Private || record.dst.scope() != Scope::Private {
            return Sight::Public;
        }
        if point.is_some_and(|point| self.has_told(record, point)) { Sight::Elsewhere } else { Sight::Private }
    }

    fn has_told(&mut self, record: &FlowRecord, point: Point) -> bool {
        let key = (record.src, record.dst, record.sport, record.dport, record.protocol);
        let fresh = (point, record.start, record.end);
        if let Some(known) = self.flows.get_mut(&key) {
            let (other, start, end) = *known;
            if other != point {
                return record.start <= end && start <= record.end;
            }
            *known = (point, record.start, record.end.max(end));
            return false;
        }
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.flows.remove(&oldest);
        }
        self.order.push_back(key);
        self.flows.insert(key, fresh);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InputId, Provenance};

    fn record(src: [u8; 4], dst: [u8; 4], times: (u64, u64)) -> FlowRecord {
        let provenance = Provenance::new(InputId(0), 1);
        let mut record = FlowRecord::new(Addr::v4(src), Addr::v4(dst), Protocol::TCP, Timestamp(times.0), provenance);
        record.end = Timestamp(times.1);
        record
    }

    #[test]
    fn two_interfaces_of_one_estate_tell_of_one_flow() {
        let (one, other) = (Point::named(b"eni-1").unwrap(), Point::named(b"eni-2").unwrap());
        let (here, there) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut twice = Twice::default();
        let mut see = |from, to, times, point| twice.see(&record(from, to, times), Some(point));
        assert_eq!(see(here, there, (0, 60), one), Sight::Private);
        assert_eq!(see(there, here, (0, 60), one), Sight::Private, "the other way is another flow");
        assert_eq!(see(here, there, (60, 120), one), Sight::Private, "the same interface goes on");
        assert_eq!(see(here, there, (30, 90), other), Sight::Elsewhere);
        assert_eq!(see(here, there, (500, 560), other), Sight::Private, "another time");
        assert_eq!(see(here, [203, 0, 113, 1], (0, 60), one), Sight::Public);
        assert_eq!(see(here, [203, 0, 113, 1], (0, 60), other), Sight::Public);
        assert_eq!(twice.see(&record(here, there, (30, 90)), None), Sight::Private, "nobody says where");
        assert_eq!(Point::named(b""), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut twice = Twice::default();
        let mut one = record([10, 0, 0, 1], [10, 0, 0, 2], (0, 1));
        for number in 0..=MAX_REMEMBERED as u32 {
            (one.sport, one.dport) = (number as u16, (number >> 16) as u16);
            twice.see(&one, Some(Point(1)));
        }
        assert_eq!((twice.flows.len(), twice.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
