//! The table of flows: found by their key, kept in the order of their last packets.
//!
//! Flows stand in one vector and are named by their place in it. The links of the lists stand apart, so that a flow is
//! taken out of the middle of a list without touching its neighbours.

use std::hash::Hasher;
use std::hint::black_box;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use super::flow::{Flow, Key};
use super::index::Index;

/// 2^64 divided by the golden ratio. A seed of zero would leave the hash without strength; small seeds are common.
pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// No place.
const NONE: u32 = u32::MAX;

/// Which list a flow is in: each is in the order of last packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Going on, for all that is known.
    Open,
    /// Had its RST, or FIN from both sides.
    Closed,
}

impl List {
    pub(super) fn of(flow: &Flow) -> Self {
        if flow.is_closed() { Self::Closed } else { Self::Open }
    }
}

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

struct Ends {
    oldest: u32,
    newest: u32,
}

pub(super) struct Table {
    index: Index,
    flows: Vec<Flow>,
    links: Vec<Link>,
    /// The first unused place; unused places are linked by `newer`.
    free: u32,
    open: Ends,
    closed: Ends,
    /// Where the shared seed is known, keys that collide can be written down: so it is made from ours too.
    seed: u64,
    shared_seed: SharedSeed,
}

impl Table {
    /// The most flows that a table can hold.
    pub(super) const MAX: usize = NONE as usize;

    pub(super) fn new(seed: u64) -> Self {
        Self {
            index: Index::new(),
            flows: Vec::new(),
            links: Vec::new(),
            free: NONE,
            open: Ends { oldest: NONE, newest: NONE },
            closed: Ends { oldest: NONE, newest: NONE },
            seed: seed ^ GOLDEN,
            shared_seed: SharedSeed::from_u64(seed ^ GOLDEN),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    #[inline]
    pub(super) fn hash(&self, key: &Key) -> u32 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared_seed);
        hasher.write_u128(key.low.as_u128());
        hasher.write_u128(key.high.as_u128());
        let ports = u64::from(key.low_port) << 16 | u64::from(key.high_port);
        hasher.write_u64(ports << 8 | u64::from(key.protocol.0));
        let hash = hasher.finish();
        (hash >> 32) as u32 ^ hash as u32
    }

    #[inline]
    pub(super) fn find(&self, hash: u32, key: &Key) -> Option<u32> {
        self.index.find(hash, |at| self.flows[at as usize].key == *key)
    }

    /// Touches what [`Table::find`] will need for each of `hashes`, and the flows themselves. The look-ups do not depend on
    /// one another, so that the processor waits for memory once for many of them.
    #[inline]
    pub(super) fn fetch(&self, hashes: impl Iterator<Item = u32> + Clone) {
        let words = hashes.clone().fold(0, |sum, hash| sum ^ self.index.glance(hash));
        let places = hashes.filter_map(|hash| self.index.find(hash, |_| true));
        black_box(
            places.fold(words, |sum, at| {
                sum ^ self.flows[at as usize].touched ^ u64::from(self.links[at as usize].older)
            }),
        );
    }

    /// Adds a flow whose key is not in the table, as the newest of its list.
    pub(super) fn insert(&mut self, hash: u32, flow: Flow) -> u32 {
        let at = if self.free == NONE {
            self.flows.push(flow);
            self.links.push(Link { older: NONE, newer: NONE });
            (self.flows.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.links[at as usize].newer;
            self.flows[at as usize] = flow;
            at
        };
        self.append(at, List::of(&flow));
        self.index.insert(hash, at);
        at
    }

    /// Takes a flow out.
    pub(super) fn remove(&mut self, at: u32) -> Flow {
        let flow = self.flows[at as usize];
        let hash = self.hash(&flow.key);
        self.index.remove(hash, at);
        self.unlink(at, List::of(&flow));
        self.links[at as usize].newer = self.free;
        self.free = at;
        flow
    }

    #[inline]
    pub(super) fn flow(&self, at: u32) -> &Flow {
        &self.flows[at as usize]
    }

    #[inline]
    pub(super) fn flow_mut(&mut self, at: u32) -> &mut Flow {
        &mut self.flows[at as usize]
    }

    /// The flow of a list whose last packet is longest ago.
    #[inline]
    pub(super) fn oldest(&self, list: List) -> Option<u32> {
        let oldest = match list {
            List::Open => self.open.oldest,
            List::Closed => self.closed.oldest,
        };
        (oldest != NONE).then_some(oldest)
    }

    /// Makes a flow the newest of `to`; it was in `from`.
    #[inline]
    pub(super) fn touch(&mut self, at: u32, from: List, to: List) {
        if from == to && self.ends(to).newest == at {
            return;
        }
        self.unlink(at, from);
        self.append(at, to);
    }

    #[inline]
    fn ends(&mut self, list: List) -> &mut Ends {
        match list {
            List::Open => &mut self.open,
            List::Closed => &mut self.closed,
        }
    }

    #[inline]
    fn append(&mut self, at: u32, list: List) {
        let ends = self.ends(list);
        let older = std::mem::replace(&mut ends.newest, at);
        if older == NONE {
            ends.oldest = at;
        } else {
            self.links[older as usize].newer = at;
        }
        self.links[at as usize] = Link { older, newer: NONE };
    }

    #[inline]
    fn unlink(&mut self, at: u32, list: List) {
        let Link { older, newer } = self.links[at as usize];
        if older == NONE {
            self.ends(list).oldest = newer;
        } else {
            self.links[older as usize].newer = newer;
        }
        if newer == NONE {
            self.ends(list).newest = older;
        } else {
            self.links[newer as usize].older = older;
        }
    }
}
