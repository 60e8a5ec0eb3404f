//! Later fragments and the ports of their first.
//!
//! Nothing is put together: of a datagram in parts only its ports are kept, so that a flood of fragments can push out no
//! more than other fragments' ports. A fragment that comes before its first waits for it, for a second at most and among a few;
//! after that, or where its first was forgotten, it is counted without ports, and said to be.

use std::collections::VecDeque;
use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use super::clock::Moment;
use super::table::GOLDEN;
use crate::model::{Addr, Caveat, Protocol, Timestamp, Tunnel};
use crate::wire::{Fragment, Packet};

/// The most datagrams whose first fragment is remembered.
const MAX_DATAGRAMS: usize = SETS * WAYS;

const SETS: usize = 1024;

/// Places for datagrams of one hash: the oldest goes for a new one.
const WAYS: usize = 4;

/// For how long by the meter's clock a datagram is remembered, in nanoseconds: what Linux waits for the last fragment.
const TIMEOUT: u64 = 30 * Timestamp::SECOND;

/// The most fragments that wait for their first: the one that has waited longest goes for a new one.
pub(super) const MAX_EARLY: usize = 256;

/// For how long by the meter's clock a fragment waits, in nanoseconds: it was overtaken on the way, or sent in reverse.
const PATIENCE: u64 = Timestamp::SECOND;

/// A fragment that came before its first.
#[derive(Clone, Copy)]
pub(super) struct EarlyPart {
    key: Key,
    pub(super) packet: Packet,
    pub(super) number: u64,
    pub(super) moment: Moment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    src: Addr,
    dst: Addr,
    id: u32,
    protocol: u8,
}

impl Key {
    fn of(packet: &Packet, fragment: Fragment) -> Self {
        Self { src: packet.src, dst: packet.dst, id: fragment.id, protocol: fragment.protocol }
    }
}

#[derive(Clone, Copy)]
struct Datagram {
    key: Key,
    protocol: Protocol,
    tunnel: Tunnel,
    sport: u16,
    dport: u16,
    /// How far the fragments go that came one after the other.
    end: u32,
    /// What the meter's clock read at the first.
    since: u64,
    /// How many first fragments there were before it.
    order: u64,
}

/// The first fragments of late.
pub(super) struct Fragments {
    /// None before the first fragment, then as many as there can be.
    sets: Vec<[Option<Datagram>; WAYS]>,
    early: VecDeque<EarlyPart>,
    firsts: u64,
    seed: u64,
    shared_seed: SharedSeed,
}

impl Fragments {
    pub(super) fn new(seed: u64) -> Self {
        let seed = seed ^ GOLDEN;
        Self { sets: Vec::new(), early: VecDeque::new(), firsts: 0, seed, shared_seed: SharedSeed::from_u64(seed) }
    }

    /// Remembers the ports of a first fragment, and gives them to a later one.
    pub(super) fn see(&mut self, packet: &mut Packet, fragment: Fragment, now: u64) {
        let key = Key::of(packet, fragment);
        self.firsts += u64::from(fragment.offset == 0);
        let order = self.firsts;
        let Some(set) = self.set(&key) else { return };
        let is_live = |known: &Datagram| now.saturating_sub(known.since) <= TIMEOUT;
        let at = set.iter().position(|place| place.is_some_and(|known| known.key == key && is_live(&known)));
        let end = fragment.offset.saturating_add(fragment.length);
        if fragment.offset == 0 {
            // Its ports may have been cut off: then there is nothing to remember.
            if packet.caveats.has(Caveat::CutTransport) {
                return;
            }
            if at.is_some() {
                packet.caveats.set(Caveat::OverlappingFragment);
            }
            let age = |(_, place): &(usize, &Option<Datagram>)| place.map_or(0, |known| known.order);
            let at = at.or_else(|| set.iter().enumerate().min_by_key(age).map(|(at, _)| at));
            if let Some(place) = at.and_then(|at| set.get_mut(at)) {
                let Packet { protocol, tunnel, sport, dport, .. } = *packet;
                *place = Some(Datagram { key, protocol, tunnel, sport, dport, end, since: now, order });
            }
            return;
        }
        let Some(place) = at.and_then(|at| set.get_mut(at)) else { return };
        let Some(known) = place else { return };
        (packet.protocol, packet.tunnel) = (known.protocol, known.tunnel);
        (packet.sport, packet.dport) = (known.sport, known.dport);
        packet.caveats.clear(Caveat::FragmentWithoutPorts);
        if fragment.offset < known.end {
            packet.caveats.set(Caveat::OverlappingFragment);
        } else if fragment.offset == known.end {
            known.end = end;
            if fragment.is_last {
                // All of it was seen: its number may be given to another.
                *place = None;
            }
        }
    }

    /// Has a fragment without ports wait for its first. Gives the one that has to go for it.
    pub(super) fn hold(
        &mut self,
        packet: Packet,
        fragment: Fragment,
        number: u64,
        moment: Moment,
    ) -> Option<EarlyPart> {
        let out = if self.early.len() >= MAX_EARLY { self.early.pop_front() } else { None };
        self.early.push_back(EarlyPart { key: Key::of(&packet, fragment), packet, number, moment });
        out
    }

    /// A fragment that has waited for the first one at hand, with its ports where that has them.
    pub(super) fn claim(&mut self, first: &Packet, fragment: Fragment, now: u64) -> Option<EarlyPart> {
        if self.early.is_empty() {
            return None;
        }
        let key = Key::of(first, fragment);
        // Those that belong next to each other are seen so.
        let own = self.early.iter().enumerate().filter(|(_, part)| part.key == key);
        let (at, _) = own.min_by_key(|(_, part)| part.packet.fragment.map_or(0, |fragment| fragment.offset))?;
        let mut part = self.early.remove(at)?;
        part.packet.caveats.set(Caveat::FragmentWithoutPorts);
        if let Some(fragment) = part.packet.fragment {
            self.see(&mut part.packet, fragment, now);
        }
        Some(part)
    }

    /// A fragment that has waited long enough when the clock reads `now`.
    #[inline]
    pub(super) fn overdue(&mut self, now: u64) -> Option<EarlyPart> {
        let first = self.early.front()?;
        if now.saturating_sub(first.moment.now) < PATIENCE { None } else { self.early.pop_front() }
    }

    /// A fragment that waits, where no first will come.
    pub(super) fn forsaken(&mut self) -> Option<EarlyPart> {
        self.early.pop_front()
    }

    fn set(&mut self, key: &Key) -> Option<&mut [Option<Datagram>; WAYS]> {
        if self.sets.is_empty() {
            self.sets = vec![[None; WAYS]; MAX_DATAGRAMS / WAYS];
        }
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared_seed);
        hasher.write_u128(key.src.as_u128());
        hasher.write_u128(key.dst.as_u128());
        hasher.write_u64(u64::from(key.id) << 8 | u64::from(key.protocol));
        let hash = hasher.finish();
        self.sets.get_mut((hash ^ hash >> 32) as usize % SETS)
    }
}
