//! Flows within an estate that two of its interfaces report.
//!
//! A cloud logs at network interfaces, so that a flow between two machines of one estate is told of at both: the same
//! addresses, ports and protocol, the same way, in the same minute, by another interface (AWS, Azure, OCI) or by the other end
//! (Google). Both count, since neither says that it is the other's; a caveat says how many they are. Flows with an end that is
//! public pass one logged interface, but for gateways, of which remarks tell.

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

/// Flows that were logged lately. The map is ordered: nobody can choose flows that collide in it.
#[derive(Default)]
pub(super) struct Twice {
    flows: BTreeMap<Key, (Point, Timestamp, Timestamp)>,
    order: VecDeque<Key>,
}

impl Twice {
    /// Whether another point has reported the flow for the same time.
    pub(super) fn has_told(&mut self, record: &FlowRecord, point: Point) -> bool {
        if record.src.scope() != Scope::Private || record.dst.scope() != Scope::Private {
            return false;
        }
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
        assert!(!twice.has_told(&record(here, there, (0, 60)), one));
        assert!(!twice.has_told(&record(there, here, (0, 60)), one), "the other way is another flow");
        assert!(!twice.has_told(&record(here, there, (60, 120)), one), "the same interface goes on");
        assert!(twice.has_told(&record(here, there, (30, 90)), other));
        assert!(!twice.has_told(&record(here, there, (500, 560)), other), "another time");
        assert!(!twice.has_told(&record(here, [203, 0, 113, 1], (0, 60)), one));
        assert!(!twice.has_told(&record(here, [203, 0, 113, 1], (0, 60)), other), "a public end");
        assert_eq!(Point::named(b""), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut twice = Twice::default();
        let mut one = record([10, 0, 0, 1], [10, 0, 0, 2], (0, 1));
        for number in 0..=MAX_REMEMBERED as u32 {
            (one.sport, one.dport) = (number as u16, (number >> 16) as u16);
            twice.has_told(&one, Point(1));
        }
        assert_eq!((twice.flows.len(), twice.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
