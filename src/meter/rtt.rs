//! Round-trip times, from capture timestamps alone.
//!
//! A round-trip time bounds from above how far away whoever answered can be, so that one that is too long proves less, and one
//! that is too short proves what is not so. A sample is therefore taken only from an answer that cannot have been sent
//! before its question had passed here, and the time runs from the first that was seen of the question:
//!
//! - **Handshake of TCP.** From SYN to the SYN with ACK that acknowledges it, and from that to the ACK that acknowledges it.
//! - **Timestamps of TCP** (RFC 7323). From the first segment with a time stamp, where it carries new octets, to the first
//!   segment that acknowledges all of them, where it gives that time stamp back. Each of the two alone can name an earlier
//!   segment than the one that was seen: a clock of four milliseconds gives many segments one stamp (pping, Nichols 2017,
//!   takes the first segment of a stamp; ePPing, Sundberg and others, PAM 2023, leaves out segments that need no
//!   acknowledgement), and an octet that was sent again is acknowledged once.
//! - **Questions and answers** that repeat a token ([`wire::exchange`](crate::wire::exchange)).
//!
//! No sample comes of what was asked twice (Karn and Partridge, SIGCOMM 1987), be it repeated by its sender or by a mirror port
//! that sees a packet twice; of a SYN with ACK whose SYN was not seen; of an answer that is not later than its question; of
//! a question that was waiting when the capture's clock went back; or of frames without a time. Where a clock is
//! coarser than a microsecond, one of its steps is added.
//!
//! Who answers can be nearer than who was asked: a proxy, a balancer, an edge. And a far end that guesses octets and time
//! stamps ahead can answer early. Neither can be seen here.

use super::clock::Moment;
use super::flow::{ACK, FIN, RST, SYN, Side};
use crate::model::{RoundTrip, Timestamp};
use crate::wire::{Exchange, Packet, Put, Timestamps, Token};

/// The most flows that are measured at once.
const MAX_FLOWS: usize = 1 << 20;

/// For how long a question that has no answer is remembered by the meter's clock, in nanoseconds: longer than resolvers and
/// STUN clients (RFC 8489 section 6.2.1: 39.5 s) repeat one.
const ASKED: u64 = 60 * Timestamp::SECOND;

/// How long a burst can be, in nanoseconds. QUIC repeats a hello after a second, or a third of one (RFC 9002 section 6.2.2).
const BURST: u64 = Timestamp::SECOND / 10;

/// How many questions of a flow are remembered: resolvers ask for two families at once.
const QUESTIONS: usize = 2;

/// What was measured of the flows of a table.
pub(super) struct RoundTrips {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Flows that found no room.
    refused: u64,
    /// A step of the coarsest clock, in nanoseconds, where that is more than a microsecond.
    step: u64,
}

/// What is kept for a flow that is measured, beside the flow.
#[derive(Clone, Copy)]
struct Slot {
    /// To the low end and to the high end, since the last record.
    measured: [RoundTrip; 2],
    epoch: u32,
    waits: Waits,
}

const _: () = assert!(size_of::<Slot>() <= 88, "88 mebioctets for as many flows as can be");

#[derive(Clone, Copy)]
enum Waits {
    Tcp([Sender; 2]),
    Asked(Questions),
}

/// One side of a TCP connection, as one that waits to be answered.
#[derive(Clone, Copy, Default)]
struct Sender {
    /// When what waits for its answer was seen first.
    since: Timestamp,
    /// The acknowledgement number that answers it.
    until: u32,
    /// Its time stamp.
    stamp: u32,
    /// The end of what was sent.
    sent: u32,
    /// The latest time stamp.
    latest: u32,
    wait: Wait,
    /// SYN was seen.
    syn: bool,
    /// `sent` is known.
    known: bool,
    /// `latest` is known.
    stamped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Wait {
    #[default]
    Nothing,
    /// For the SYN that acknowledges a SYN.
    Syn,
    /// For the acknowledgement of that.
    SynAck,
    /// For the acknowledgement of octets, with their time stamp.
    Echo,
}

/// Whether a number of a circle of 2^32 comes after another (RFC 9293 section 3.4).
const fn is_after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

const fn index(side: Side) -> usize {
    match side {
        Side::Low => 0,
        Side::High => 1,
    }
}

impl RoundTrips {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), refused: 0, step: 0 }
    }

    /// Takes note of a clock with steps of so many nanoseconds.
    #[inline]
    pub(super) fn clock_steps(&mut self, nanos: u64) {
        if nanos > 1000 && nanos > self.step {
            self.step = nanos;
        }
    }

    /// Flows that are not measured for want of room, so far.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// What was measured of a flow since it was asked last: to the low end and to the high end.
    pub(super) fn take(&mut self, slot: u32) -> [RoundTrip; 2] {
        let slot = slot.checked_sub(1).and_then(|at| self.slots.get_mut(at as usize));
        slot.map(|slot| std::mem::take(&mut slot.measured)).unwrap_or_default()
    }

    /// A flow has ended.
    pub(super) fn leave(&mut self, slot: u32) {
        if let Some(at) = slot.checked_sub(1) {
            self.free.push(at);
        }
    }

    /// Looks at a segment that `side` sent in a flow with `slot`, and says which slot the flow has: one more than its place,
    /// or zero while there is nothing to measure.
    #[inline]
    pub(super) fn segment(&mut self, slot: u32, side: Side, packet: &Packet, moment: Moment) -> u32 {
        let begins = packet.tcp_flags & (SYN | RST) == SYN || (packet.payload > 0 && packet.timestamps.is_some());
        if slot == 0 && !begins {
            return 0;
        }
        let slot = self.slot(slot, || Waits::Tcp([Sender::default(); 2]));
        let step = self.step;
        if let Some(Slot { measured, epoch, waits: Waits::Tcp(senders) }) = self.at(slot) {
            if *epoch != moment.epoch {
                *epoch = moment.epoch;
                for sender in &mut *senders {
                    sender.wait = Wait::Nothing;
                }
            }
            let [low, high] = senders;
            let (from, to) = if side == Side::Low { (low, high) } else { (high, low) };
            if let Some(since) = to.answered_by(packet)
                && let Some(time) = moment.own()
            {
                measured[index(side)].merge(sample(since, time, step));
            }
            from.sends(packet, to.syn, moment.own());
        }
        slot
    }

    /// Looks at what a packet that `side` sent asks and answers; else as [`RoundTrips::segment`].
    pub(super) fn exchange(&mut self, slot: u32, side: Side, exchange: Exchange, moment: Moment) -> u32 {
        if slot == 0 && exchange.asks.is_none() {
            return 0;
        }
        let slot = self.slot(slot, || Waits::Asked(Questions::default()));
        let step = self.step;
        if let Some(Slot { measured, epoch, waits: Waits::Asked(questions) }) = self.at(slot) {
            if *epoch != moment.epoch {
                *epoch = moment.epoch;
                questions.doubt();
            }
            if let Some(since) = exchange.answers.and_then(|token| questions.answered(side, token, moment.now))
                && let Some(time) = moment.own()
            {
                measured[index(side)].merge(sample(since, time, step));
            }
            if let Some(token) = exchange.asks {
                questions.ask(side, token, exchange.put, moment);
            }
        }
        slot
    }

    fn at(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(slot.checked_sub(1)? as usize)
    }

    fn slot(&mut self, slot: u32, waits: impl FnOnce() -> Waits) -> u32 {
        if slot != 0 {
            return slot;
        }
        let new = Slot { measured: [RoundTrip::UNMEASURED; 2], epoch: 0, waits: waits() };
        if let Some(at) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(at as usize) {
                *slot = new;
            }
            return at + 1;
        }
        if self.slots.len() >= MAX_FLOWS {
            self.refused += 1;
            return 0;
        }
        self.slots.push(new);
        self.slots.len() as u32
    }
}

/// The time from a question to its answer, rounded up; none where the answer is not the later.
fn sample(since: Timestamp, time: Timestamp, step: u64) -> RoundTrip {
    let nanos = match time.since(since) {
        0 => return RoundTrip::UNMEASURED,
        nanos => nanos.saturating_add(step),
    };
    let micros = u32::try_from(nanos.div_ceil(1000)).unwrap_or(u32::MAX);
    RoundTrip::new(micros, 1).unwrap_or_default()
}

impl Sender {
    /// When what `packet`, of the other side, answers was seen.
    #[inline]
    fn answered_by(&mut self, packet: &Packet) -> Option<Timestamp> {
        let (flags, acknowledged) = (packet.tcp_flags, packet.acknowledgement);
        if self.wait == Wait::Nothing || flags & (ACK | RST) != ACK || is_after(self.until, acknowledged) {
            return None;
        }
        let wait = std::mem::take(&mut self.wait);
        let answers = match wait {
            Wait::Nothing => false,
            // Octets can come with the SYN (RFC 7413). What acknowledges more than was sent acknowledges something else.
            Wait::Syn => flags & SYN != 0 && !is_after(acknowledged, self.sent),
            Wait::SynAck => flags & SYN == 0,
            Wait::Echo => flags & SYN == 0 && packet.timestamps.is_some_and(|stamps| stamps.echo == self.stamp),
        };
        answers.then_some(self.since)
    }

    /// Sends `packet`. `answering` says whether the other side's SYN was seen.
    #[inline]
    fn sends(&mut self, packet: &Packet, answering: bool, time: Option<Timestamp>) {
        let flags = packet.tcp_flags;
        if flags & RST != 0 {
            self.wait = Wait::Nothing;
            return;
        }
        let is_newer = packet.timestamps.is_some_and(|Timestamps { value, .. }| {
            let is_newer = self.stamped && is_after(value, self.latest);
            if is_newer || !self.stamped {
                (self.latest, self.stamped) = (value, true);
            }
            is_newer
        });
        if flags & SYN != 0 {
            let end = packet.sequence.wrapping_add(1);
            // A second SYN is a repetition. One with ACK whose SYN was not seen can be one, and so can a SYN after one with ACK.
            self.wait = match (flags & ACK != 0, answering) {
                _ if self.syn || time.is_none() => Wait::Nothing,
                (false, false) => Wait::Syn,
                (true, true) => Wait::SynAck,
                _ => Wait::Nothing,
            };
            (self.syn, self.known) = (true, true);
            (self.since, self.until, self.sent) = (time.unwrap_or_default(), end, end.wrapping_add(packet.payload));
            return;
        }
        if packet.payload == 0 {
            return;
        }
        let end = packet.sequence.wrapping_add(packet.payload).wrapping_add(u32::from(flags & FIN));
        if self.known && is_after(self.sent, packet.sequence) {
            // Octets that were sent before, or come late: which of them is acknowledged cannot be told.
            self.wait = Wait::Nothing;
            return;
        }
        (self.sent, self.known) = (end, true);
        if self.wait == Wait::Nothing
            && is_newer
            && let (Some(time), Some(stamps)) = (time, packet.timestamps)
        {
            (self.wait, self.since, self.until, self.stamp) = (Wait::Echo, time, end, stamps.value);
        }
    }
}

/// The questions of a flow, of both sides.
#[derive(Clone, Copy, Default)]
struct Questions {
    asked: [Option<Question>; QUESTIONS],
    /// In seconds of the meter's clock: until then no other is taken in, since one that was not may be repeated.
    full_until: u32,
}

#[derive(Clone, Copy)]
struct Question {
    since: Timestamp,
    token: Token,
    /// In seconds of the meter's clock: until then it is remembered.
    until: u32,
    by: Side,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Answered,
    /// It was repeated: its answer can be that of either.
    Doubtful,
}

/// The seconds of the meter's clock until which something of `now` is remembered.
const fn until(now: u64) -> u32 {
    (now.saturating_add(ASKED) / Timestamp::SECOND + 1) as u32
}

impl Question {
    const fn is_live(&self, now: u64) -> bool {
        self.until > (now / Timestamp::SECOND) as u32
    }
}

impl Questions {
    fn ask(&mut self, by: Side, token: Token, put: Put, moment: Moment) {
        let (time, now) = (moment.own(), moment.now);
        let is_known = |known: &Question| known.token == token && known.by == by && known.is_live(now);
        if let Some(known) = self.asked.iter_mut().flatten().find(|known| is_known(known)) {
            let in_burst = put == Put::InABurst
                && time.is_some_and(|time| time >= known.since && time.since(known.since) <= BURST);
            if !in_burst || known.state == State::Answered {
                (known.state, known.until) = (State::Doubtful, until(now));
            }
            return;
        }
        if self.full_until > (now / Timestamp::SECOND) as u32 {
            return;
        }
        let is_free = |place: &Option<Question>| place.is_none_or(|known| !known.is_live(now));
        let at = self.asked.iter().position(is_free).or_else(|| {
            let known = self.asked.iter().enumerate().filter_map(|(at, place)| Some((at, (*place)?)));
            let answered = known.filter(|(_, known)| known.state == State::Answered);
            answered.min_by_key(|(_, known)| known.since).map(|(at, _)| at)
        });
        let Some(place) = at.and_then(|at| self.asked.get_mut(at)) else {
            self.full_until = until(now);
            return;
        };
        let state = if time.is_some() { State::Waits } else { State::Doubtful };
        *place = Some(Question { since: time.unwrap_or_default(), token, until: until(now), by, state });
    }

    /// When what `by` answers was asked.
    fn answered(&mut self, by: Side, token: Token, now: u64) -> Option<Timestamp> {
        let is_asked = |known: &&mut Question| {
            known.token == token && known.by != by && known.state == State::Waits && known.is_live(now)
        };
        let known = self.asked.iter_mut().flatten().find(is_asked)?;
        known.state = State::Answered;
        Some(known.since)
    }

    /// The clock was set back: what waits has no time any more.
    fn doubt(&mut self) {
        for known in self.asked.iter_mut().flatten() {
            known.state = State::Doubtful;
        }
    }
}
