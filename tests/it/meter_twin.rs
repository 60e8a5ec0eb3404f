//! The meter against a naive twin that keeps every packet and reads them all again, and its laws on random packets.

use landfall::meter::{Early, Frame, Meter, MeterConfig};
use landfall::model::BiflowDirection::{Arbitrary, Initiator};
use landfall::model::FlowEndReason::{ActiveTimeout, EndOfFlow, ForcedEnd, IdleTimeout, LackOfResources};
use landfall::model::{
    Addr, Batch, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId, Protocol, Provenance,
    Timestamp, Tunnel,
};
use landfall::wire::LinkType;
use proptest::prelude::*;

use crate::meter::{ACK, FIN, RST, SECOND, SYN, Sent, meter_all};

/// A flow of the twin: every packet of it, and those that are not yet reported.
#[derive(Clone, Default)]
struct TwinFlow {
    packets: Vec<(Sent, u64, u64)>,
    open: Vec<(Sent, u64, u64)>,
    /// The earliest and latest time and the first frame since the last record of both sides.
    span: (u64, u64, u64),
    touched: u64,
    order: usize,
    reported: bool,
    /// The ends that have sent payload.
    moved: Vec<(u8, u16)>,
}

/// The same rules, without a table, lists or counters: every question is answered by reading the packets again.
#[derive(Default)]
struct Twin {
    config: MeterConfig,
    flows: Vec<TwinFlow>,
    records: Vec<FlowRecord>,
    last: u64,
    mark: Option<u64>,
    now: u64,
    evicted: u64,
    guessed: u64,
    backwards: u64,
}

impl TwinFlow {
    fn has(&self, sent: &Sent) -> bool {
        let (first, ..) = self.packets[0];
        first.protocol == sent.protocol
            && ((first.from, first.to) == (sent.from, sent.to) || (first.from, first.to) == (sent.to, sent.from))
    }

    fn closed(&self) -> bool {
        let is = |flag: u8| move |sent: &Sent| sent.protocol == 6 && sent.flags & flag != 0;
        let all = || self.packets.iter().map(|(sent, ..)| sent);
        let fins: Vec<_> = all().filter(|sent| is(FIN)(sent)).map(|sent| sent.from).collect();
        let both = fins.iter().any(|from| *from != fins[0]);
        all().any(|sent| is(RST)(sent)) || both
    }

    /// Who opened it, and whether that was seen and whether it is known at all.
    fn opener(&self) -> ((u8, u16), bool, bool) {
        let all = || self.packets.iter().map(|(sent, ..)| sent);
        let handshake = |flags: u8| move |sent: &&Sent| sent.protocol == 6 && sent.flags & (SYN | ACK | RST) == flags;
        if let Some(sent) = all().find(handshake(SYN)) {
            return (sent.from, true, true);
        }
        if let Some(sent) = all().find(handshake(SYN | ACK)) {
            return (sent.to, true, true);
        }
        if let Some(sent) = all().find(|sent| sent.protocol == 1 && sent.flags == 8) {
            return (sent.from, false, true);
        }
        if let Some(sent) = all().find(|sent| sent.protocol == 1 && sent.flags == 0) {
            return (sent.to, false, true);
        }
        let (first, ..) = self.packets[0];
        let service = |port: u16| port == 443 || port == 53;
        match (first.protocol, service(first.from.1), service(first.to.1)) {
            (6 | 17, true, false) => (first.to, false, true),
            (6 | 17, false, true) => (first.from, false, true),
            (protocol, ..) => (first.from, false, protocol != 6),
        }
    }
}

impl Twin {
    fn report(&mut self, at: usize, reason: FlowEndReason) {
        let flow = self.flows[at].clone();
        self.report_of(&flow, &flow.open, reason);
    }

    fn report_of(&mut self, flow: &TwinFlow, open: &[(Sent, u64, u64)], reason: FlowEndReason) {
        if open.is_empty() {
            return;
        }
        let (opener, seen, known) = flow.opener();
        let (first, ..) = flow.packets[0];
        let other = if opener == first.from { first.to } else { first.from };
        let sum = |keep: &dyn Fn(&Sent) -> bool| {
            let mut counters = Counters::default();
            for (sent, ..) in open.iter().filter(|(sent, ..)| keep(sent)) {
                counters.add(Counters { octets: sent.octets(), packets: 1, payload: sent.payload.into() });
            }
            counters
        };
        let addr = |host: u8| Addr::v4([192, 0, 2, host]);
        let mut record = FlowRecord::new(
            addr(opener.0),
            addr(other.0),
            Protocol(first.protocol),
            Timestamp(flow.span.0),
            Provenance::new(InputId(3), flow.span.2),
        );
        record.end = Timestamp(flow.span.1);
        (record.sport, record.dport) = (opener.1, other.1);
        record.forward = sum(&|sent| sent.from == opener);
        record.reverse = sum(&|sent| sent.from != opener);
        // What a side sends after its payload was reported belongs to that movement.
        let goes_on =
            |counters: Counters, end| counters.packets > 0 && counters.payload == 0 && flow.moved.contains(&end);
        if goes_on(record.forward, opener) {
            record.flags.set(FlowFlags::FORWARD_MOVED);
        }
        if goes_on(record.reverse, other) {
            record.flags.set(FlowFlags::REVERSE_MOVED);
        }
        record.end_reason = reason;
        record.direction = if known { Initiator } else { Arbitrary };
        if first.protocol == 6 && !seen && !flow.reported {
            self.guessed += 1;
        }
        self.records.push(record);
    }

    fn cut(&mut self, at: usize) {
        self.report(at, ActiveTimeout);
        let flow = &mut self.flows[at];
        (flow.open, flow.reported) = (Vec::new(), true);
    }

    fn end(&mut self, at: usize, reason: FlowEndReason) {
        self.report(at, if self.flows[at].closed() { EndOfFlow } else { reason });
        self.flows.remove(at);
    }

    /// The closed or open flow with the oldest last packet, that has been idle for `timeout`.
    fn idle(&self, closed: bool, timeout: u64) -> Option<usize> {
        let due = |flow: &TwinFlow| flow.closed() == closed && self.now - flow.touched >= timeout;
        let flows = self.flows.iter().enumerate().filter(|(_, flow)| due(flow));
        flows.min_by_key(|(_, flow)| flow.order).map(|(at, _)| at)
    }

    fn observe(&mut self, order: usize, sent: &Sent) {
        if let Some(time) = sent.time {
            self.backwards += u64::from(time < self.last);
            match self.mark {
                Some(mark) if time < mark => {
                    if mark - time > self.config.idle_timeout {
                        self.mark = Some(time);
                    }
                }
                _ => {
                    self.now += time - self.mark.unwrap_or(time);
                    self.mark = Some(time);
                }
            }
            self.last = time;
        }
        let time = self.last;
        for (closed, timeout) in [(true, self.config.idle_timeout.min(5 * SECOND)), (false, self.config.idle_timeout)] {
            while let Some(at) = self.idle(closed, timeout) {
                self.end(at, IdleTimeout);
            }
        }
        let mut known = self.flows.iter().position(|flow| flow.has(sent));
        if let Some(at) = known
            && self.flows[at].closed()
            && sent.protocol == 6
            && sent.flags & (SYN | ACK | RST) == SYN
        {
            self.end(at, EndOfFlow);
            known = None;
        }
        if let Some(at) = known {
            let flow = &self.flows[at];
            if !flow.open.is_empty() && time.saturating_sub(flow.span.0) >= self.config.active_timeout {
                self.cut(at);
            }
        }
        let at = known.unwrap_or_else(|| {
            while self.flows.len() >= self.config.flows_max.max(1) {
                if let Some(at) = self.idle(true, 0) {
                    self.end(at, EndOfFlow);
                } else {
                    self.evicted += 1;
                    self.end(self.idle(false, 0).unwrap(), LackOfResources);
                }
            }
            self.flows.push(TwinFlow::default());
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        let number = order as u64 + 1;
        if flow.open.is_empty() {
            flow.span = (time, time, number);
        }
        flow.span = (flow.span.0.min(time), flow.span.1.max(time), flow.span.2);
        flow.packets.push((*sent, number, time));
        flow.open.push((*sent, number, time));
        (flow.touched, flow.order) = (self.now, order);
        if sent.payload > 0 && !flow.moved.contains(&sent.from) {
            flow.moved.push(sent.from);
            if self.config.early == Early::FirstPayload {
                // Only what this side sent is reported.
                let whole = flow.clone();
                let (part, rest) = whole.open.iter().partition(|(open, ..)| open.from == sent.from);
                let part: Vec<_> = part;
                (flow.open, flow.reported) = (rest, true);
                self.report_of(&whole, &part, ActiveTimeout);
            }
        }
    }

    fn flush(&mut self) {
        while let Some(at) = self.idle(true, 0).or_else(|| self.idle(false, 0)) {
            self.end(at, ForcedEnd);
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let end = || (1..4_u8, prop::sample::select(vec![50_000_u16, 50_001, 443, 53]));
    let flags = prop::sample::select(vec![SYN, SYN | ACK, ACK, ACK, ACK, FIN | ACK, RST]);
    let payload = prop::sample::select(vec![0_u16, 0, 1, 1000]);
    (end(), end(), prop::sample::select(vec![1_u8, 6, 6, 6, 17]), flags, payload).prop_map(
        |(mut from, mut to, protocol, mut flags, mut payload)| {
            if protocol == 1 {
                (from.1, to.1) = (0, 0);
                flags = [8, 0, 3][usize::from(flags) % 3];
                payload = 4;
            }
            // A host that talks to itself has one end, and then a twin has no sides to tell apart.
            if from == to {
                to.0 += 1;
            }
            Sent { time: None, from, to, protocol, flags, payload }
        },
    )
}

fn packets() -> impl Strategy<Value = Vec<Sent>> {
    let step = prop_oneof![
        6 => 0..SECOND.cast_signed(),
        2 => (0..8_i64).prop_map(|secs| secs * SECOND.cast_signed()),
        1 => (100..4000_i64).prop_map(|secs| secs * SECOND.cast_signed()),
        1 => -2 * SECOND.cast_signed()..0,
        1 => (-4000..0_i64).prop_map(|secs| secs * SECOND.cast_signed()),
    ];
    prop::collection::vec((sent(), step, prop::bool::weighted(0.9)), 0..120).prop_map(|list| {
        let mut time = 10_000 * SECOND;
        list.into_iter()
            .map(|(sent, step, timed)| {
                time = time.saturating_add_signed(step);
                Sent { time: timed.then_some(time), ..sent }
            })
            .collect()
    })
}

fn config() -> impl Strategy<Value = MeterConfig> {
    let idle = prop::sample::select(vec![0, 1, SECOND, 30 * SECOND, 120 * SECOND, u64::MAX]);
    let active = prop::sample::select(vec![0, SECOND, 60 * SECOND, 1800 * SECOND, u64::MAX]);
    let flows_max = prop::sample::select(vec![0_usize, 1, 2, 3, 5, 1000]);
    let early = prop::sample::select(vec![Early::No, Early::FirstPayload]);
    (idle, active, flows_max, early, any::<u64>()).prop_map(
        |(idle_timeout, active_timeout, flows_max, early, hash_seed)| MeterConfig {
            idle_timeout,
            active_timeout,
            flows_max,
            early,
            hash_seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_meter_agrees_with_its_twin(config in config(), packets in packets()) {
        let mut twin = Twin { config, ..Twin::default() };
        packets.iter().enumerate().for_each(|(order, sent)| twin.observe(order, sent));
        twin.flush();
        let (mut found, coverage) = meter_all(config, &packets);
        // Round-trip times have tests of their own.
        for record in &mut found {
            (record.src_rtt, record.dst_rtt) = Default::default();
        }
        prop_assert_eq!(&found, &twin.records);
        let counted = |caveat: Caveat| coverage.caveats.get(&caveat).map_or(0, |seen| seen.total.count);
        prop_assert_eq!(counted(Caveat::Evicted), twin.evicted);
        prop_assert_eq!(counted(Caveat::InitiatorGuessed), twin.guessed);
        prop_assert_eq!(counted(Caveat::ClockBackwards), twin.backwards);
        let untimed = packets.iter().filter(|sent| sent.time.is_none()).count();
        prop_assert_eq!(counted(Caveat::NoTime), untimed as u64);
    }

    #[test]
    fn no_limit_changes_a_total(config in config(), packets in packets()) {
        let (found, coverage) = meter_all(config, &packets);
        let mut totals = std::collections::HashMap::<_, [u64; 3]>::new();
        let mut add = |key: (Addr, u16, Addr, u16, u8), sign: i64, counters: Counters| {
            for (sum, more) in totals.entry(key).or_default().iter_mut().zip([counters.octets, counters.packets, counters.payload]) {
                *sum = sum.wrapping_add_signed(sign * more.cast_signed());
            }
        };
        for record in &found {
            prop_assert!(record.start <= record.end);
            prop_assert!(record.forward.packets + record.reverse.packets > 0);
            add((record.src, record.sport, record.dst, record.dport, record.protocol.0), 1, record.forward);
            add((record.dst, record.dport, record.src, record.sport, record.protocol.0), 1, record.reverse);
        }
        let mut octets = 0;
        for sent in &packets {
            let addr = |host| Addr::v4([192, 0, 2, host]);
            let counters = Counters { octets: sent.octets(), packets: 1, payload: sent.payload.into() };
            add((addr(sent.from.0), sent.from.1, addr(sent.to.0), sent.to.1, sent.protocol), -1, counters);
            octets += sent.octets();
        }
        prop_assert!(totals.values().all(|sum| *sum == [0; 3]), "{totals:?}");
        let skipped: u64 = coverage.skipped.values().map(|seen| seen.total.count).sum();
        prop_assert_eq!(coverage.read.count, coverage.used.count + skipped);
        prop_assert_eq!((coverage.used.count, coverage.used.octets), (packets.len() as u64, octets));
    }

    #[test]
    fn any_octets_are_counted_once(
        frames in prop::collection::vec(
            (prop::sample::select(vec![0_u32, 1, 101, 113, 276, 147]), prop::collection::vec(any::<u8>(), 0..80), any::<u32>(), any::<u64>()),
            0..60,
        ),
    ) {
        let mut meter = Meter::new(InputId(0), MeterConfig { flows_max: 4, ..MeterConfig::default() });
        let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
        for (at, (link, octets, original_length, time)) in frames.iter().enumerate() {
            let frame = Frame {
                time: Some(Timestamp(*time)),
                number: at as u64 + 1,
                link: LinkType(*link),
                octets,
                original_length: *original_length,
            };
            meter.observe(&frame, &mut coverage, &mut batch);
        }
        meter.flush(ForcedEnd, &mut coverage, &mut batch);
        let skipped: u64 = coverage.skipped.values().map(|seen| seen.total.count).sum();
        prop_assert_eq!(coverage.read.count, frames.len() as u64);
        prop_assert_eq!(coverage.read.count, coverage.used.count + skipped);
        // A frame is used once. By chance it is a tunnel's: then it is in a record of the outer header, and where its inside
        // could be read in one of that too. Without tunnels both bounds are the same.
        let packets = |record: &FlowRecord| record.forward.packets + record.reverse.packets;
        let (outer, plain): (Vec<_>, Vec<_>) = batch.records.iter().partition(|record| record.tunnel != Tunnel::None);
        let sum = |records: &[&FlowRecord]| records.iter().map(|record| packets(record)).sum::<u64>();
        prop_assert!((sum(&plain)..=sum(&plain) + sum(&outer)).contains(&coverage.used.count), "{:?}", batch.records);
    }
}
