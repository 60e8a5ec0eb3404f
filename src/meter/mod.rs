//! Packets to biflows.
//!
//! A [`Meter`] keeps a table of flows, each under its addresses, ports and protocol whichever way a packet goes, and
//! ends them by packet time. Nothing here reads a clock: the same frames give the same records in the same order.
//!
//! - **Time.** The meter's clock goes forward with the frames. A frame that is earlier than the latest by no more than the
//!   idle timeout leaves it where it is; one that is earlier by more says that the capture's clock was set back, and the
//!   meter's clock goes on from there. A frame without a time has that of the frame before.
//! - **Initiator.** The sender of the first SYN; or the receiver of a SYN with ACK; or, for ICMP, the sender of a request
//!   and the receiver of a reply; or the end whose port is not a service's where the other's is; or the sender of the
//!   first packet. For TCP between two like ports, and for packets whose ports are not known, that last is no evidence and
//!   the record says [`BiflowDirection::Arbitrary`](crate::model::BiflowDirection::Arbitrary).
//! - **End.** After a RST, or FIN from both sides, a flow waits five seconds for what is still on its way, then ends;
//!   a new SYN ends it at once and begins another. Otherwise flows end when they are idle, are cut when they last too
//!   long, and are cut when the table is full: one that waits after its end if there is one, else the one that has been
//!   idle longest.
//! - **Fragments.** Later ones are counted with the ports of their first where that came before them, or within a second
//!   after them.
//! - **Tunnels.** A packet inside a packet is counted in a flow of its own; the record of what is around it names the
//!   tunnel ([`FlowRecord::tunnel`](crate::model::FlowRecord::tunnel)). A frame is used once, however many flows it is in.
//! - **Names.** The first payload of a flow is looked at for the name by which its server was asked for. What a hello says
//!   goes before what a request says, and that before what an answer of the domain name system had told the client when the
//!   flow began. The name is that of a record's destination, and of every record that is made once it is known.
//! - **Round-trip times.** The least of a record's clean samples to each end, and how many there were: from capture
//!   timestamps, never from what was sent twice.
//! - **Doubts.** Packets that were captured twice, connections of which one direction was captured, addresses that cannot be and
//!   first payload that was cut are counted as caveats, and change no count.
//! - **Records.** What was cut goes on in a record of the same key. A record's position is that of its own first frame.

mod clock;
mod flow;
mod fragments;
mod index;
mod naming;
mod quality;
mod rtt;
mod table;
mod tally;
mod trace;

use crate::model::{Batch, Caveat, FlowEndReason, InputCoverage, InputId, Protocol, Timestamp};
use crate::wire::{self, Dissected, Exchange, Fragment, Inside, LinkType, Packet};

pub use trace::{FlowKey, Traced, headers};

use clock::{Clock, Moment, Seen};
use flow::{Flow, Key, Reading, SYN, Side};
use fragments::{EarlyPart, Fragments};
use naming::{Kept, Naming, Sight};
use quality::Copies;
use rtt::RoundTrips;
use table::{List, Table};
use tally::Tally;

/// How long a flow waits after FIN from both sides or RST, in nanoseconds; the idle timeout where that is less.
const LINGER: u64 = 5 * Timestamp::SECOND;

/// How many packets wait to be counted: so many look-ups have their memory fetched at once, one beside the other.
const WAITING: usize = 32;

/// Timeouts and limits of metering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// A flow without a packet for this long has ended, in nanoseconds.
    pub idle_timeout: u64,
    /// A flow that goes on for this long is cut, in nanoseconds.
    pub active_timeout: u64,
    /// The most flows that are held at once; the one that has been idle longest is cut for a new one. At least one.
    pub flows_max: usize,
    /// Whether flows are reported before they end.
    pub early: Early,
    /// The seed of the table's hashes. Records do not depend on it. A driver that reads from strangers gives a number that
    /// they cannot know, so that they cannot choose flows that collide.
    pub hash_seed: u64,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self {
            idle_timeout: 120 * Timestamp::SECOND,
            active_timeout: 1800 * Timestamp::SECOND,
            flows_max: 4_000_000,
            early: Early::No,
            hash_seed: 0,
        }
    }
}

/// Whether flows are reported before they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Early {
    /// Records are made when flows end or are cut.
    #[default]
    No,
    /// What one direction carried is reported, as by the active timeout, at its first packet with payload, so that a watch
    /// can tell of movement as it begins. Totals are the same, and so is what is movement and what is contact; there are up
    /// to two records more for each flow, and none is empty. Where the payload is part of a hello, the record waits for the
    /// rest of it, so that it has its name, but not beyond what the other side answers. A driver calls [`Meter::expire`]
    /// whenever it has no frame at hand, so that no packet waits for another.
    FirstPayload,
}

/// A captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was seen; `None` where the capture does not say (pcapng simple packet blocks).
    pub time: Option<Timestamp>,
    /// Its number in the input, from one.
    pub number: u64,
    /// Its link type.
    pub link: LinkType,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// Its length on the wire.
    pub original_length: u32,
}

/// Turns packets into biflows.
pub struct Meter {
    input: InputId,
    config: MeterConfig,
    table: Table,
    tally: Tally,
    naming: Naming,
    rtt: RoundTrips,
    copies: Copies,
    clock: Clock,
    fragments: Fragments,
    waiting: Vec<Waiting>,
    /// No flow is idle before the clock reads this.
    next_expiry: u64,
    /// Where each packet went, where that is asked for.
    trace: Option<Vec<Traced>>,
}

impl Meter {
    /// A meter with no flows.
    pub fn new(input: InputId, config: MeterConfig) -> Self {
        Self {
            input,
            config,
            table: Table::new(config.hash_seed),
            tally: Tally::default(),
            naming: Naming::new(config.hash_seed, LINGER.min(config.idle_timeout)),
            rtt: RoundTrips::new(),
            copies: Copies::new(),
            clock: Clock::default(),
            fragments: Fragments::new(config.hash_seed),
            waiting: Vec::with_capacity(WAITING),
            next_expiry: u64::MAX,
            trace: None,
        }
    }

    /// The frames' clock goes in steps of so many nanoseconds: then a time between two frames can be short by as much. Where
    /// there are several clocks, the coarsest counts. Steps of a microsecond and less need not be said.
    #[inline]
    pub fn clock_steps(&mut self, nanos: u64) {
        self.rtt.clock_steps(nanos);
    }

    /// Counts a frame. Flows that end by it are appended to the batch, perhaps with a later frame: a few dozen packets wait
    /// to be counted together. What is read, used, skipped and doubted is counted in `coverage`, of which a part is held
    /// back for some thousand frames. Nothing is held back by [`Meter::flush`], and by [`Meter::expire`] nothing but fragments that
    /// wait for their first, for a second.
    pub fn observe(&mut self, frame: &Frame<'_>, coverage: &mut InputCoverage, batch: &mut Batch) {
        self.tally.read(frame);
        let seen = self.clock.frame(frame.time, self.config.idle_timeout);
        self.end_early(self.clock.now, batch);
        match wire::dissect(frame.link, frame.octets, frame.original_length) {
            Ok(mut found) => {
                match seen {
                    Seen::InOrder => {}
                    Seen::Earlier => found.packet.caveats.set(Caveat::ClockBackwards),
                    Seen::WithoutTime => found.packet.caveats.set(Caveat::NoTime),
                }
                if self.copies.again(&found.packet, self.clock.now) {
                    found.packet.caveats.set(Caveat::DuplicatedPacket);
                }
                let early = self.see_fragment(&mut found.packet);
                self.tally.used(&found.packet, frame.number);
                if matches!(found.inside, Inside::Nothing) {
                    self.wait_whole(&found, early, frame.number, batch);
                } else {
                    self.wait_with_inside(found, early, frame.number, coverage, batch);
                }
            }
            Err(unread) => self.tally.skip(unread, frame, coverage),
        }
        if self.tally.is_due() {
            self.tally.fold(coverage);
        }
    }

    /// Ends flows that are idle at `now`: for live captures, where time passes without frames. A time before the latest
    /// frame's changes nothing. Brings `coverage` up to date.
    pub fn expire(&mut self, now: Timestamp, coverage: &mut InputCoverage, batch: &mut Batch) {
        self.clock.pass(now);
        self.end_early(self.clock.now, batch);
        self.count_waiting(batch);
        self.end_idle(self.clock.now, batch);
        self.tally.fold(coverage);
    }

    /// Ends every flow for `reason`; those that had ended by themselves keep theirs. Brings `coverage` up to date.
    pub fn flush(&mut self, reason: FlowEndReason, coverage: &mut InputCoverage, batch: &mut Batch) {
        self.flush_some(usize::MAX, reason, coverage, batch);
    }

    /// Ends at most `limit` flows for `reason` and says how many are left, so that a full table need not be copied into
    /// one batch. Brings `coverage` up to date.
    pub fn flush_some(
        &mut self,
        limit: usize,
        reason: FlowEndReason,
        coverage: &mut InputCoverage,
        batch: &mut Batch,
    ) -> usize {
        while let Some(part) = self.fragments.forsaken() {
            self.give_up(part, batch);
        }
        self.count_waiting(batch);
        for _ in 0..limit {
            let Some(at) = self.table.oldest(List::Closed).or_else(|| self.table.oldest(List::Open)) else { break };
            self.end(at, reason, batch);
        }
        self.tally.fold(coverage);
        self.table.len()
    }

    /// How many flows are held, beside those of packets that wait.
    pub fn flows(&self) -> usize {
        self.table.len()
    }

    /// Gives a later fragment the ports of its first. Where that is still to come, the fragment is to wait for it.
    #[inline]
    fn see_fragment(&mut self, packet: &mut Packet) -> Option<Fragment> {
        let fragment = packet.fragment?;
        self.fragments.see(packet, fragment, self.clock.now);
        let is_early = packet.caveats.has(Caveat::FragmentWithoutPorts);
        packet.caveats.clear(Caveat::FragmentWithoutPorts);
        is_early.then_some(fragment)
    }

    /// Has a packet wait to be counted, unless it is an early fragment; and those fragments that waited for it.
    #[inline]
    fn wait_whole(&mut self, found: &Dissected<'_>, early: Option<Fragment>, number: u64, batch: &mut Batch) {
        if let Some(fragment) = early {
            let moment = self.clock.moment();
            if let Some(out) = self.fragments.hold(found.packet, fragment, number, moment) {
                self.give_up(out, batch);
            }
            return;
        }
        self.wait(found, number, batch);
        if let Some(fragment) = found.packet.fragment
            && fragment.offset == 0
        {
            while let Some(part) = self.fragments.claim(&found.packet, fragment, self.clock.now) {
                for caveat in [Caveat::FragmentWithoutPorts, Caveat::OverlappingFragment] {
                    if part.packet.caveats.has(caveat) {
                        self.tally.caveat(caveat, part.number, part.packet.octets.into());
                    }
                }
                self.wait_part(&part, batch);
            }
        }
    }

    /// A fragment whose first does not come.
    #[cold]
    fn give_up(&mut self, mut part: EarlyPart, batch: &mut Batch) {
        part.packet.caveats.set(Caveat::FragmentWithoutPorts);
        self.tally.caveat(Caveat::FragmentWithoutPorts, part.number, part.packet.octets.into());
        self.wait_part(&part, batch);
    }

    fn wait_part(&mut self, part: &EarlyPart, batch: &mut Batch) {
        let found = Dissected { packet: part.packet, payload: &[], inside: Inside::Nothing };
        // Flows are in the order of the meter's clock, which has gone on.
        self.wait_since(&found, part.number, Moment { now: self.clock.now, ..part.moment }, batch);
    }

    /// Counts fragments that have waited long enough.
    fn end_early(&mut self, now: u64, batch: &mut Batch) {
        while let Some(part) = self.fragments.overdue(now) {
            self.give_up(part, batch);
        }
    }

    /// Has a packet wait to be counted.
    #[inline]
    fn wait(&mut self, found: &Dissected<'_>, number: u64, batch: &mut Batch) {
        self.wait_since(found, number, self.clock.moment(), batch);
    }

    #[inline]
    fn wait_since(&mut self, found: &Dissected<'_>, number: u64, moment: Moment, batch: &mut Batch) {
        let packet = found.packet;
        let (key, side) = Key::of(&packet);
        let hash = self.table.hash(&key);
        let kept = self.naming.keep(&packet, found.payload, hash, moment.now);
        let exchange = wire::exchange(&packet, found.payload);
        // A later fragment begins nothing that has a name, and is held without its payload while it waits for the first.
        let is_later = packet.fragment.is_some_and(|fragment| fragment.offset > 0);
        let is_cut = !is_later && found.payload.len() < packet.payload as usize;
        let inside = Reading::from(&found.inside);
        self.waiting.push(Waiting { packet, inside, key, side, hash, kept, exchange, is_cut, number, moment });
        if self.waiting.len() == WAITING {
            self.count_waiting(batch);
        }
    }

    /// Has a tunnel's packet wait to be counted, and the packets in it, from outside in.
    #[cold]
    fn wait_with_inside(
        &mut self,
        mut around: Dissected<'_>,
        mut early: Option<Fragment>,
        number: u64,
        coverage: &mut InputCoverage,
        batch: &mut Batch,
    ) {
        loop {
            let opened = around.open();
            self.wait_whole(&around, early, number, batch);
            match opened {
                Ok(None) => return,
                Ok(Some(mut found)) => {
                    early = self.see_fragment(&mut found.packet);
                    self.tally.inside(&found.packet, number);
                    around = found;
                }
                Err(note) => {
                    self.tally.caveat(Caveat::TunnelUnread, number, around.packet.octets.into());
                    if let Some(note) = note {
                        self.tally.note(note, coverage);
                    }
                    return;
                }
            }
        }
    }

    fn count_waiting(&mut self, batch: &mut Batch) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.table.fetch(waiting.iter().map(|next| next.hash));
        for next in &waiting {
            if next.moment.now >= self.next_expiry {
                self.end_idle(next.moment.now, batch);
            }
            self.count(next, batch);
        }
        waiting.clear();
        self.waiting = waiting;
        self.naming.empty();
    }

    #[inline]
    fn count(&mut self, next: &Waiting, batch: &mut Batch) {
        let Waiting { packet, inside, key, side, hash, kept, number, moment, .. } = next;
        let Moment { time, now, .. } = moment;
        let known = self.table.find(*hash, key).filter(|at| {
            let again = self.table.flow(*at).is_closed() && packet.tcp_flags & flow::HANDSHAKE == SYN;
            if again {
                self.end(*at, FlowEndReason::EndOfFlow, batch);
            }
            !again
        });
        let begins = known.is_none();
        let at = if let Some(at) = known {
            let flow = self.table.flow(at);
            if !flow.is_empty() && time.since(flow.start) >= self.config.active_timeout {
                self.cut(at, batch);
            }
            at
        } else {
            self.make_room(batch);
            let at = self.table.insert(*hash, Flow::new(*key, *side, packet));
            self.next_expiry = self.next_expiry.min(now.saturating_add(self.config.idle_timeout));
            at
        };
        let flow = self.table.flow_mut(at);
        let from = List::of(flow);
        let moves = flow.begins_to_move(packet, *side);
        let early = self.config.early == Early::FirstPayload && moves;
        let before = if flow.is_empty() { None } else { Some(flow.first_frame) };
        flow.count(packet, *inside, *side, *time, *number);
        if let Some(trace) = &mut self.trace {
            let position = flow.first_frame;
            let moved_from = before.filter(|before| *before != position);
            trace.push(Traced { key: FlowKey(*key), position, moved_from, number: *number });
        }
        flow.touched = *now;
        let refused = self.rtt.refused();
        if packet.protocol == Protocol::TCP {
            flow.rtt = self.rtt.segment(flow.rtt, *side, packet, *moment);
        } else if let Some(exchange) = next.exchange {
            flow.rtt = self.rtt.exchange(flow.rtt, *side, exchange, *moment);
        }
        if self.rtt.refused() != refused {
            self.tally.caveat(Caveat::RoundTripCrowdedOut, *number, packet.octets.into());
        }
        let to = List::of(flow);
        if begins {
            let asked = flow.opener();
            self.naming.begin(at, asked, flow.key.ends(asked), *time);
            for caveat in quality::of_addresses(packet.src, packet.dst).iter() {
                self.tally.caveat(caveat, *number, packet.octets.into());
            }
        }
        if moves && next.is_cut && matches!(packet.protocol, Protocol::TCP | Protocol::UDP) {
            self.tally.caveat(Caveat::SnapShort, *number, packet.octets.into());
        }
        self.table.touch(at, from, to);
        if from != to {
            self.next_expiry = self.next_expiry.min(now.saturating_add(self.timeout(to)));
        }
        if !kept.is_empty() {
            let sight =
                Sight { packet, kept: *kept, side: *side, hash: *hash, time: *time, now: *now, position: *number };
            self.naming.see(at, &sight, &mut self.tally);
        }
        if early || self.table.flow(at).owed().is_some() {
            self.report_early(at, *side, packet, if early { Early::FirstPayload } else { Early::No }, batch);
        }
    }

    /// Reports what moved first, unless its name is about to be known: then with the packet that tells it, or the next payload
    /// of the other side.
    #[cold]
    fn report_early(&mut self, at: u32, side: Side, packet: &Packet, now: Early, batch: &mut Batch) {
        let is_near = self.naming.is_near(at);
        if let Some(owed) = self.table.flow(at).owed()
            && (!is_near || (owed != side && packet.payload > 0))
        {
            let part = self.table.flow_mut(at).split_off(owed);
            self.report(at, &part, FlowEndReason::ActiveTimeout, batch);
        }
        if now == Early::FirstPayload {
            // What is said first is the hello; an answer to what is not whole does not wait for it.
            if is_near && side == self.table.flow(at).opener() {
                self.table.flow_mut(at).owe(side);
            } else {
                let part = self.table.flow_mut(at).split_off(side);
                self.report(at, &part, FlowEndReason::ActiveTimeout, batch);
            }
        }
    }

    fn timeout(&self, list: List) -> u64 {
        match list {
            List::Closed => LINGER.min(self.config.idle_timeout),
            List::Open => self.config.idle_timeout,
        }
    }

    /// Ends what is idle when the clock reads `now`.
    fn end_idle(&mut self, now: u64, batch: &mut Batch) {
        self.next_expiry = u64::MAX;
        for list in [List::Closed, List::Open] {
            let timeout = self.timeout(list);
            while let Some(at) = self.table.oldest(list) {
                let due = self.table.flow(at).touched.saturating_add(timeout);
                if due > now {
                    self.next_expiry = self.next_expiry.min(due);
                    break;
                }
                self.end(at, FlowEndReason::IdleTimeout, batch);
            }
        }
    }

    /// Cuts flows until there is room for one more.
    fn make_room(&mut self, batch: &mut Batch) {
        while self.table.len() >= self.config.flows_max.clamp(1, Table::MAX) {
            if let Some(at) = self.table.oldest(List::Closed) {
                self.end(at, FlowEndReason::EndOfFlow, batch);
            } else if let Some(at) = self.table.oldest(List::Open) {
                let flow = self.table.flow(at);
                self.tally.caveat(Caveat::Evicted, flow.first_frame, flow.octets());
                self.naming.again(self.table.hash(&flow.key));
                self.end(at, FlowEndReason::LackOfResources, batch);
            } else {
                break;
            }
        }
    }

    fn end(&mut self, at: u32, reason: FlowEndReason, batch: &mut Batch) {
        let flow = self.table.remove(at);
        if flow.key.protocol == Protocol::TCP {
            self.tally.tcp_flow();
        }
        if flow.is_one_sided() {
            self.tally.caveat(Caveat::OneSided, flow.first_frame, flow.octets());
        }
        self.naming.end(at, flow.first_frame, flow.octets(), &mut self.tally);
        self.report(at, &flow, if flow.is_closed() { FlowEndReason::EndOfFlow } else { reason }, batch);
        self.naming.leave(at);
        self.rtt.leave(flow.rtt);
    }

    fn cut(&mut self, at: u32, batch: &mut Batch) {
        let flow = self.table.flow_mut(at);
        let whole = *flow;
        flow.begin_again();
        self.report(at, &whole, FlowEndReason::ActiveTimeout, batch);
    }

    /// Appends the record of the flow at a place of the table, unless all of it is in earlier records.
    fn report(&mut self, at: u32, flow: &Flow, reason: FlowEndReason, batch: &mut Batch) {
        if flow.is_empty() {
            return;
        }
        if flow.key.protocol == Protocol::TCP && flow.is_guessed() && !flow.is_continued() {
            self.tally.caveat(Caveat::InitiatorGuessed, flow.first_frame, flow.octets());
        }
        let mut record = flow.record(self.input, reason);
        let [low, high] = self.rtt.take(flow.rtt);
        (record.src_rtt, record.dst_rtt) = if flow.opener() == Side::Low { (low, high) } else { (high, low) };
        record.name = self.naming.name(at, flow.opener()).map(|name| batch.add_name(name.clone()));
        batch.records.push(record);
    }
}

/// A packet that waits to be counted, with what the clock read when it came.
struct Waiting {
    packet: Packet,
    inside: Reading,
    key: Key,
    side: Side,
    hash: u32,
    kept: Kept,
    exchange: Option<Exchange>,
    /// Not all of its payload was captured.
    is_cut: bool,
    number: u64,
    moment: Moment,
}
