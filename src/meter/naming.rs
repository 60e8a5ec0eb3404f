//! Names beside the flows of the table: which flows are still looked at, and what they are called.
//!
//! A packet is looked at when it is counted, and then its frame is gone. So its payload is kept until then, unless its flow
//! is known to be done. Most packets belong to flows that are, and cost one look at [`Done`] and none at their flow.

use crate::model::{Addr, Caveat, Name, NameSource, Protocol, Timestamp};
use crate::wire::Packet;
use crate::wire::name::{Carrier, Limits, Names, Segment, Sighting, Watch, Way};

use super::flow::{SYN, Side};
use super::tally::Tally;

/// The most octets of the payload of a packet that are kept: what an IP packet without a jumbo payload option can hold.
const KEPT_MAX: usize = 65_535;

/// The most octets of names that are held at once, about. Beyond, flows get no name until others have ended.
const NAMES_MAX: usize = 256 << 20;

/// What a name takes beside its text: its place, and what the allocator adds.
const ENTRY: usize = size_of::<Option<Named>>() + 16;

/// What was kept of a packet's payload: a range of [`Naming::kept`].
#[derive(Clone, Copy, Default)]
pub(super) struct Kept {
    start: u32,
    length: u32,
}

impl Kept {
    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.length == 0
    }
}

/// A name, and which side asked for it.
struct Named {
    name: Name,
    asked: Side,
}

/// What belongs to a place of the table.
#[derive(Clone, Copy, Default)]
struct Place {
    watch: Watch,
    /// One more than the place of its name in [`Naming::named`], or zero.
    named: u32,
}

/// A packet that is looked at, and where it was.
pub(super) struct Sight<'a> {
    pub(super) packet: &'a Packet,
    pub(super) kept: Kept,
    pub(super) side: Side,
    pub(super) hash: u32,
    pub(super) time: Timestamp,
    /// What the meter's clock reads.
    pub(super) now: u64,
    /// The number of the frame.
    pub(super) position: u64,
}

/// The names of the flows of a table.
pub(super) struct Naming {
    names: Names,
    done: Done,
    places: Vec<Place>,
    named: Vec<Option<Named>>,
    /// Unused places of `named`.
    free: Vec<u32>,
    octets: usize,
    octets_max: usize,
    dropped: u64,
    kept: Vec<u8>,
    told: [u64; LIMITS.len()],
}

/// What limits the evidence of names, in the order of [`Naming::limits`].
const LIMITS: [Caveat; 4] = [Caveat::OuterName, Caveat::NameGivenUp, Caveat::NameCrowdedOut, Caveat::NameRejected];

impl Naming {
    /// `quiet` is how long every flow goes on without packets, in nanoseconds.
    pub(super) fn new(hash_seed: u64, quiet: u64) -> Self {
        Self {
            names: Names::new(Limits { hash_seed, ..Limits::default() }),
            done: Done::new(quiet),
            places: Vec::new(),
            named: Vec::new(),
            free: Vec::new(),
            octets: 0,
            octets_max: NAMES_MAX,
            dropped: 0,
            kept: Vec::new(),
            told: [0; LIMITS.len()],
        }
    }

    /// Keeps the payload of a packet, unless the flow with `hash` is done.
    #[inline]
    pub(super) fn keep(&mut self, packet: &Packet, payload: &[u8], hash: u32, now: u64) -> Kept {
        if packet.tcp_flags & SYN != 0 {
            self.done.remove(hash);
        }
        let begins = packet.fragment.is_none_or(|fragment| fragment.offset == 0);
        let carries = begins && matches!(packet.protocol, Protocol::TCP | Protocol::UDP);
        if payload.is_empty() || !carries || self.done.has(hash, now) { Kept::default() } else { self.copy(payload) }
    }

    fn copy(&mut self, payload: &[u8]) -> Kept {
        let payload = payload.get(..KEPT_MAX).unwrap_or(payload);
        let start = self.kept.len() as u32;
        self.kept.extend_from_slice(payload);
        Kept { start, length: payload.len() as u32 }
    }

    /// No packet waits any more.
    pub(super) fn empty(&mut self) {
        self.kept.clear();
    }

    /// A flow begins at a place of the table. What its client was told of the server's address is its name, until there is
    /// better evidence: later answers are none, since the client had not received them.
    pub(super) fn begin(&mut self, at: u32, asked: Side, (client, server): (Addr, Addr), time: Timestamp) {
        let at = at as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, Place::default());
        }
        if let Some(answer) = self.names.answers().get(client, server, time) {
            let name = Name { text: answer.name.clone(), from: NameSource::Dns };
            self.call(at, Named { name, asked });
        }
    }

    /// Looks at what was kept of a packet of the flow at a place of the table.
    pub(super) fn see(&mut self, at: u32, sight: &Sight<'_>, tally: &mut Tally) {
        let Sight { packet, kept, side, .. } = *sight;
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if !place.watch.is_done() {
            let start = kept.start as usize;
            let carrier = match packet.protocol {
                Protocol::TCP => Carrier::Tcp(packet.sequence.wrapping_add(u32::from(packet.tcp_flags & SYN != 0))),
                _ => Carrier::Udp,
            };
            let segment = Segment {
                way: if side == Side::Low { Way::There } else { Way::Back },
                carrier,
                src: packet.src,
                dst: packet.dst,
                sport: packet.sport,
                dport: packet.dport,
                payload: self.kept.get(start..start + kept.length as usize).unwrap_or_default(),
                missing: packet.payload - kept.length,
                time: sight.time,
            };
            let sighting = self.names.see(&mut place.watch, &segment);
            let done = place.watch.is_done();
            self.sighted(at as usize, sighting);
            self.tell(sight.position, packet.octets.into(), tally);
            if !done {
                return;
            }
        }
        self.done.insert(sight.hash, sight.now);
    }

    /// Whether the flow at a place of the table may have a name soon: what says it has begun and is not whole.
    pub(super) fn is_near(&self, at: u32) -> bool {
        self.places.get(at as usize).is_some_and(|place| place.named == 0 && self.names.is_reading(place.watch))
    }

    /// The flow at a place of the table has ended: what had begun of a name and is not whole is looked at.
    pub(super) fn end(&mut self, at: u32, position: u64, octets: u64, tally: &mut Tally) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let sighting = self.names.forget(std::mem::take(&mut place.watch));
        self.sighted(at as usize, sighting);
        self.tell(position, octets, tally);
    }

    /// The place of the table is free.
    pub(super) fn leave(&mut self, at: u32) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let Some(held) = std::mem::take(place).named.checked_sub(1) else { return };
        if let Some(named) = self.named.get_mut(held as usize).and_then(Option::take) {
            self.octets -= ENTRY + named.name.text.len();
            self.free.push(held);
        }
    }

    /// A flow that was done begins anew, without a handshake perhaps.
    pub(super) fn again(&mut self, hash: u32) {
        self.done.remove(hash);
    }

    /// By which name `asked` asked for the other side of the flow at a place of the table.
    #[inline]
    pub(super) fn name(&self, at: u32, asked: Side) -> Option<&Name> {
        let held = self.places.get(at as usize)?.named.checked_sub(1)?;
        let named = self.named.get(held as usize)?.as_ref()?;
        (named.asked == asked).then_some(&named.name)
    }

    fn sighted(&mut self, at: usize, sighting: Option<Sighting>) {
        if let Some(Sighting { name, asked, .. }) = sighting {
            let asked = if asked == Way::There { Side::Low } else { Side::High };
            self.call(at, Named { name, asked });
        }
    }

    /// Names a flow, unless better evidence has named it already.
    fn call(&mut self, at: usize, named: Named) {
        let Some(place) = self.places.get_mut(at) else { return };
        let octets = ENTRY + named.name.text.len();
        let held = place.named.checked_sub(1).and_then(|held| self.named.get_mut(held as usize)?.as_mut());
        if let Some(held) = held {
            if rank(named.name.from) >= rank(held.name.from) {
                self.octets = self.octets - (ENTRY + held.name.text.len()) + octets;
                *held = named;
            }
        } else if self.octets + octets > self.octets_max {
            self.dropped += 1;
        } else {
            self.octets += octets;
            let free = self.free.pop().unwrap_or_else(|| {
                self.named.push(None);
                self.named.len() as u32 - 1
            });
            self.named[free as usize] = Some(named);
            place.named = free + 1;
        }
    }

    fn limits(&self) -> [u64; LIMITS.len()] {
        let counts = self.names.counts();
        let crowded_out = counts.crowded_out + counts.answers_evicted + self.dropped;
        [counts.encrypted, counts.given_up, crowded_out, counts.rejected]
    }

    /// Counts what limits the evidence of names and was not yet counted.
    fn tell(&mut self, position: u64, octets: u64, tally: &mut Tally) {
        let limits = self.limits();
        if limits == self.told {
            return;
        }
        for ((caveat, now), before) in LIMITS.iter().zip(limits).zip(self.told) {
            for _ in before..now {
                tally.caveat(*caveat, position, octets);
            }
        }
        self.told = limits;
    }
}

/// How good the evidence is: what a hello says goes before what a request says, which may be to a proxy, and both before
/// what an answer said before the flow began; what a server says of itself comes last.
const fn rank(from: NameSource) -> u8 {
    match from {
        NameSource::Sni | NameSource::Quic | NameSource::OuterSni | NameSource::OuterQuic => 3,
        NameSource::Host => 2,
        NameSource::Dns => 1,
        NameSource::Certificate => 0,
    }
}

/// Hashes of flows that need not be looked at: some of them, the latest for each bucket.
///
/// It is asked before a flow is looked up. What it does not hold costs a copy; what it holds is so, but for two flows with
/// the same 32 bits of hash within seconds.
struct Done {
    /// Each a hash, and below it when the flow was last seen, in [`Done::TICK`]s and one more; zero where there is none.
    buckets: Vec<[u64; 4]>,
    quiet: u64,
}

impl Done {
    /// A mebibyte in all, of which flows that go on at the same time touch a bucket each.
    const BUCKETS: usize = 1 << 15;

    /// In nanoseconds, as a power of two: about a second.
    const TICK: u32 = 30;

    fn new(quiet: u64) -> Self {
        Self { buckets: vec![[0; 4]; Self::BUCKETS], quiet }
    }

    #[inline]
    fn slot(&mut self, hash: u32) -> Option<&mut u64> {
        let bucket = &mut self.buckets[hash as usize % Self::BUCKETS];
        bucket.iter_mut().find(|slot| **slot >> 32 == u64::from(hash))
    }

    const fn tick(now: u64) -> u32 {
        ((now >> Self::TICK) as u32).saturating_add(1)
    }

    const fn entry(hash: u32, tick: u32) -> u64 {
        (hash as u64) << 32 | tick as u64
    }

    /// Whether the flow is done and goes on: it was seen so lately that it cannot have ended for want of packets.
    #[inline]
    fn has(&mut self, hash: u32, now: u64) -> bool {
        let (tick, quiet) = (Self::tick(now), self.quiet >> Self::TICK);
        let Some(slot) = self.slot(hash) else { return false };
        let seen = *slot as u32;
        if seen == 0 || u64::from(tick.wrapping_sub(seen)) + 1 > quiet {
            return false;
        }
        if seen != tick {
            *slot = Self::entry(hash, tick);
        }
        true
    }

    /// Takes the place of what was seen longest ago.
    fn insert(&mut self, hash: u32, now: u64) {
        let entry = Self::entry(hash, Self::tick(now));
        if let Some(slot) = self.slot(hash) {
            *slot = entry;
        } else if let Some(slot) =
            self.buckets[hash as usize % Self::BUCKETS].iter_mut().min_by_key(|slot| **slot as u32)
        {
            *slot = entry;
        }
    }

    #[inline]
    fn remove(&mut self, hash: u32) {
        if let Some(slot) = self.slot(hash) {
            *slot = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_limit_and_leave_with_their_flows() {
        let mut naming = Naming::new(0, 0);
        naming.places = vec![Place::default(); 3];
        naming.octets_max = 2 * (ENTRY + 4);
        let named = |text: &str, from| Named { name: Name { text: text.into(), from }, asked: Side::Low };
        for at in 0..3 {
            naming.call(at, named("name", NameSource::Host));
        }
        assert_eq!((naming.name(2, Side::Low), naming.limits()), (None, [0, 0, 1, 0]));
        naming.call(0, named("told", NameSource::Dns));
        assert_eq!(naming.name(0, Side::Low).map(|name| &*name.text), Some("name"));
        assert_eq!(naming.name(0, Side::High), None);
        naming.leave(0);
        naming.call(2, named("next", NameSource::Sni));
        assert_eq!(naming.name(2, Side::Low).map(|name| &*name.text), Some("next"));
        naming.leave(1);
        naming.leave(2);
        assert_eq!((naming.octets, naming.named.len()), (0, 2));
    }

    #[test]
    fn what_was_done_is_done_for_a_while() {
        let second = Timestamp::SECOND;
        let mut done = Done::new(5 * second);
        done.insert(7, 100 * second);
        assert!(done.has(7, 103 * second) && done.has(7, 106 * second), "each look is as good as a packet");
        assert!(!done.has(7, 111 * second) && !done.has(8, 106 * second));
        done.remove(7 + Done::BUCKETS as u32);
        assert!(done.has(7, 107 * second));
        done.remove(7);
        assert!(!done.has(7, 107 * second) && !done.has(0, u64::MAX));
        let mut never = Done::new(0);
        never.insert(7, 1);
        assert!(!never.has(7, 1));
    }
}
