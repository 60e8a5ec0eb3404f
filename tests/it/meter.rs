//! Metering: cases reckoned by hand.

use landfall::meter::{Early, Frame, Meter, MeterConfig};
use landfall::model::{
    Addr, Batch, BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId,
    Protocol, Provenance, Skip, Timestamp,
};
use landfall::wire::LinkType;

pub(crate) const SECOND: u64 = Timestamp::SECOND;
pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// A packet of the tests: IPv4 with a header of 20 octets, at a time in seconds or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) time: Option<u64>,
    pub(crate) from: (u8, u16),
    pub(crate) to: (u8, u16),
    pub(crate) protocol: u8,
    /// TCP flags, or an ICMP type.
    pub(crate) flags: u8,
    pub(crate) payload: u16,
}

impl Sent {
    fn header(&self) -> u16 {
        if self.protocol == 6 { 20 } else { 8 }
    }

    pub(crate) fn octets(&self) -> u64 {
        u64::from(20 + self.header() + self.payload)
    }

    fn frame(&self) -> Vec<u8> {
        let [total0, total1] = (20 + self.header() + self.payload).to_be_bytes();
        let mut octets = vec![0x45, 0, total0, total1, 0, 0, 0, 0, 64, self.protocol, 0, 0];
        octets.extend([192, 0, 2, self.from.0, 192, 0, 2, self.to.0]);
        let [length0, length1] = (self.header() + self.payload).to_be_bytes();
        let [sport0, sport1] = self.from.1.to_be_bytes();
        let [dport0, dport1] = self.to.1.to_be_bytes();
        match self.protocol {
            1 => octets.extend([self.flags, 0, 0, 0, 0, 0, 0, 0]),
            17 => octets.extend([sport0, sport1, dport0, dport1, length0, length1, 0, 0]),
            _ => {
                octets.extend([sport0, sport1, dport0, dport1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, self.flags]);
                octets.extend([0; 6]);
            }
        }
        octets.resize(octets.len() + usize::from(self.payload), 0);
        octets
    }
}

fn tcp(secs: u64, from: (u8, u16), to: (u8, u16), flags: u8, payload: u16) -> Sent {
    Sent { time: Some(secs * SECOND), from, to, protocol: 6, flags, payload }
}

fn udp(secs: u64, from: (u8, u16), to: (u8, u16), payload: u16) -> Sent {
    Sent { time: Some(secs * SECOND), from, to, protocol: 17, flags: 0, payload }
}

fn icmp(secs: u64, from: u8, to: u8, kind: u8) -> Sent {
    Sent { time: Some(secs * SECOND), from: (from, 0), to: (to, 0), protocol: 1, flags: kind, payload: 56 }
}

fn observe(meter: &mut Meter, number: u64, sent: &Sent, coverage: &mut InputCoverage, batch: &mut Batch) {
    let octets = sent.frame();
    let frame = Frame {
        time: sent.time.map(Timestamp),
        number,
        link: LinkType::RAW,
        octets: &octets,
        original_length: octets.len() as u32,
    };
    meter.observe(&frame, coverage, batch);
}

pub(crate) fn meter_all(config: MeterConfig, packets: &[Sent]) -> (Vec<FlowRecord>, InputCoverage) {
    let mut meter = Meter::new(InputId(3), config);
    let (mut coverage, mut batch) = (InputCoverage::new("test", "pcap"), Batch::default());
    for (at, sent) in packets.iter().enumerate() {
        observe(&mut meter, at as u64 + 1, sent, &mut coverage, &mut batch);
        assert!(meter.flows() <= config.flows_max.max(1));
    }
    meter.flush(ForcedEnd, &mut coverage, &mut batch);
    assert_eq!(meter.flows(), 0);
    (batch.records, coverage)
}

fn records(packets: &[Sent]) -> Vec<FlowRecord> {
    meter_all(MeterConfig::default(), packets).0
}

/// Source, destination and direction.
type Opened = ((u8, u16), (u8, u16), BiflowDirection);

/// Source, destination, direction and reason.
fn outline(record: &FlowRecord) -> ((u8, u16), (u8, u16), BiflowDirection, FlowEndReason) {
    let host = |addr: Addr| addr.octets()[15];
    let ends = ((host(record.src), record.sport), (host(record.dst), record.dport));
    (ends.0, ends.1, record.direction, record.end_reason)
}

const CLIENT: (u8, u16) = (9, 50000);
const SERVER: (u8, u16) = (1, 8443);
const OTHER: (u8, u16) = (1, 50001);

use BiflowDirection::{Arbitrary, Initiator};
use FlowEndReason::{ActiveTimeout, EndOfFlow, ForcedEnd, IdleTimeout, LackOfResources};

#[test]
fn a_conversation_is_one_biflow() {
    let packets = [
        tcp(10, CLIENT, SERVER, SYN, 0),
        tcp(11, SERVER, CLIENT, SYN | ACK, 0),
        tcp(12, CLIENT, SERVER, ACK, 0),
        tcp(13, CLIENT, SERVER, ACK, 100),
        tcp(14, SERVER, CLIENT, ACK, 1000),
        tcp(15, CLIENT, SERVER, FIN | ACK, 0),
        tcp(16, SERVER, CLIENT, FIN | ACK, 0),
        tcp(17, CLIENT, SERVER, ACK, 0),
    ];
    let (found, coverage) = meter_all(MeterConfig::default(), &packets);
    let addr = |host| Addr::v4([192, 0, 2, host]);
    let provenance = Provenance::new(InputId(3), 1);
    let mut expected = FlowRecord::new(addr(9), addr(1), Protocol::TCP, Timestamp(10 * SECOND), provenance);
    expected.end = Timestamp(17 * SECOND);
    (expected.sport, expected.dport) = (50000, 8443);
    // Five of 40 octets and 100 of payload; three of 40 and 1000.
    expected.forward = Counters { octets: 300, packets: 5, payload: 100 };
    expected.reverse = Counters { octets: 1120, packets: 3, payload: 1000 };
    expected.direction = Initiator;
    expected.end_reason = EndOfFlow;
    assert_eq!(found, [expected]);
    assert_eq!((coverage.read.count, coverage.used.count, coverage.used.octets), (8, 8, 1420));
    assert_eq!((coverage.first, coverage.last), (Some(Timestamp(10 * SECOND)), Some(Timestamp(17 * SECOND))));
    assert_eq!(coverage.link_types, [(101, 8)].into());
    assert!(coverage.caveats.is_empty() && coverage.is_complete(), "{coverage:?}");
}

#[test]
fn the_initiator_is_told_from_what_was_seen() {
    let cases: &[(&str, &[Sent], Opened)] = &[
        ("a SYN", &[tcp(0, (9, 443), (1, 50000), SYN, 0)], ((9, 443), (1, 50000), Initiator)),
        ("a SYN with ACK first", &[tcp(0, OTHER, CLIENT, SYN | ACK, 0)], (CLIENT, OTHER, Initiator)),
        (
            "a SYN after the reply to it",
            &[tcp(0, OTHER, CLIENT, SYN | ACK, 0), tcp(0, CLIENT, OTHER, SYN, 0)],
            (CLIENT, OTHER, Initiator),
        ),
        (
            "both send SYN: the first",
            &[tcp(0, OTHER, CLIENT, SYN, 0), tcp(0, CLIENT, OTHER, SYN, 0)],
            (OTHER, CLIENT, Initiator),
        ),
        ("the middle, from a service", &[tcp(0, SERVER, CLIENT, ACK, 9)], (CLIENT, SERVER, Initiator)),
        ("below 1024 against a service", &[tcp(0, (1, 443), (9, 8080), ACK, 9)], ((9, 8080), (1, 443), Initiator)),
        ("the middle, between like ports", &[tcp(0, CLIENT, OTHER, ACK, 9)], (CLIENT, OTHER, Arbitrary)),
        ("an answer first", &[udp(0, (1, 53), (9, 50000), 90)], ((9, 50000), (1, 53), Initiator)),
        ("UDP between like ports", &[udp(0, CLIENT, OTHER, 9)], (CLIENT, OTHER, Initiator)),
        ("UDP between equal ports", &[udp(0, (9, 123), (1, 123), 48)], ((9, 123), (1, 123), Initiator)),
        ("an echo request", &[icmp(0, 9, 1, 8)], ((9, 0), (1, 0), Initiator)),
        ("an echo reply", &[icmp(0, 1, 9, 0)], ((9, 0), (1, 0), Initiator)),
        ("an error, then a request", &[icmp(0, 1, 9, 3), icmp(0, 9, 1, 8)], ((9, 0), (1, 0), Initiator)),
        ("an error", &[icmp(0, 1, 9, 3)], ((1, 0), (9, 0), Initiator)),
    ];
    for (what, packets, (src, dst, direction)) in cases {
        let found = records(packets);
        assert_eq!(found.len(), 1, "{what}");
        assert_eq!(outline(&found[0]), (*src, *dst, *direction, ForcedEnd), "{what}");
    }
}

#[test]
fn a_group_opens_nothing() {
    // From a service's port to a group on an ephemeral one.
    let mut octets = udp(0, (1, 1900), (9, 50000), 10).frame();
    octets[16..20].copy_from_slice(&[239, 255, 255, 250]);
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    let length = octets.len() as u32;
    let frame = Frame { time: None, number: 1, link: LinkType::RAW, octets: &octets, original_length: length };
    meter.observe(&frame, &mut coverage, &mut batch);
    meter.flush(ForcedEnd, &mut coverage, &mut batch);
    assert_eq!((batch.records[0].sport, batch.records[0].direction), (1900, Initiator));
    assert_eq!(coverage.caveats[&Caveat::NoTime].total.count, 1);
}

#[test]
fn flows_end_by_packet_time() {
    let reasons = |packets: &[Sent]| -> Vec<_> {
        records(packets)
            .iter()
            .map(|record| (record.end_reason, record.forward.packets + record.reverse.packets))
            .collect()
    };
    // Idle after 120 seconds, and not before.
    assert_eq!(reasons(&[udp(0, CLIENT, SERVER, 1), udp(119, CLIENT, SERVER, 1)]), [(ForcedEnd, 2)]);
    assert_eq!(reasons(&[udp(0, CLIENT, SERVER, 1), udp(120, CLIENT, SERVER, 1)]), [(IdleTimeout, 1), (ForcedEnd, 1)]);
    // Another flow's packet lets time pass.
    assert_eq!(reasons(&[udp(0, CLIENT, SERVER, 1), udp(500, (7, 1), (8, 2), 1)]), [(IdleTimeout, 1), (ForcedEnd, 1)]);
    // A packet a minute for an hour: cut at 1800 seconds; packets 0 to 29, then 30 to 59.
    let hour: Vec<_> = (0..60).map(|minute| udp(minute * 60, CLIENT, SERVER, 1)).collect();
    assert_eq!(reasons(&hour), [(ActiveTimeout, 30), (ForcedEnd, 30)]);
    // RST ends; what comes within five seconds belongs to it; a new SYN does not.
    let open = [tcp(0, CLIENT, SERVER, SYN, 0), tcp(1, SERVER, CLIENT, RST | ACK, 0)];
    assert_eq!(reasons(&open), [(EndOfFlow, 2)]);
    assert_eq!(reasons(&[&open[..], &[tcp(5, CLIENT, SERVER, ACK, 0)]].concat()), [(EndOfFlow, 3)]);
    assert_eq!(reasons(&[&open[..], &[tcp(6, CLIENT, SERVER, ACK, 0)]].concat()), [(EndOfFlow, 2), (ForcedEnd, 1)]);
    assert_eq!(reasons(&[&open[..], &[tcp(2, CLIENT, SERVER, SYN, 0)]].concat()), [(EndOfFlow, 2), (ForcedEnd, 1)]);
    // FIN from one side ends nothing.
    let half = [tcp(0, CLIENT, SERVER, SYN, 0), tcp(1, CLIENT, SERVER, FIN | ACK, 0), tcp(60, SERVER, CLIENT, ACK, 99)];
    assert_eq!(reasons(&half), [(ForcedEnd, 3)]);
}

#[test]
fn a_cut_flow_goes_on_with_its_initiator() {
    let config = MeterConfig { active_timeout: 10 * SECOND, ..MeterConfig::default() };
    let packets = [
        tcp(0, CLIENT, OTHER, SYN, 0),
        tcp(1, OTHER, CLIENT, SYN | ACK, 0),
        tcp(10, OTHER, CLIENT, ACK, 700),
        tcp(19, OTHER, CLIENT, ACK, 700),
        tcp(20, OTHER, CLIENT, ACK, 700),
    ];
    let (found, coverage) = meter_all(config, &packets);
    let outlines: Vec<_> = found.iter().map(outline).collect();
    let part = |reason| (CLIENT, OTHER, Initiator, reason);
    assert_eq!(outlines, [part(ActiveTimeout), part(ActiveTimeout), part(ForcedEnd)]);
    let positions: Vec<_> = found.iter().map(|record| record.provenance.position()).collect();
    assert_eq!(positions, [1, 3, 5], "the first frame of each record");
    assert!(coverage.caveats.is_empty());
    // Without its SYN, the guess is counted once, not with each part.
    let (_, coverage) = meter_all(config, &packets[2..]);
    assert_eq!(coverage.caveats[&Caveat::InitiatorGuessed].total.count, 1);
}

#[test]
fn a_full_table_cuts_what_has_been_idle_longest() {
    let config = MeterConfig { flows_max: 2, ..MeterConfig::default() };
    let (one, two, three) = ((7, 1), (7, 2), (7, 3));
    let packets = [
        udp(0, one, SERVER, 1),
        udp(1, two, SERVER, 1),
        udp(2, one, SERVER, 1),
        udp(3, three, SERVER, 1),
        udp(4, two, SERVER, 1),
    ];
    let (found, coverage) = meter_all(config, &packets);
    let outlines: Vec<_> = found.iter().map(|record| (record.sport.min(record.dport), record.end_reason)).collect();
    assert_eq!(outlines, [(2, LackOfResources), (1, LackOfResources), (3, ForcedEnd), (2, ForcedEnd)]);
    let evicted = &coverage.caveats[&Caveat::Evicted];
    assert_eq!((evicted.total.count, &evicted.positions), (2, &vec![1, 2]));
    // A flow that has had its RST goes first, although another has been idle for longer, and nothing is lost with it.
    let packets = [udp(0, one, SERVER, 1), tcp(1, two, SERVER, RST, 0), udp(2, three, SERVER, 1)];
    let (found, coverage) = meter_all(config, &packets);
    assert_eq!(found[0].end_reason, EndOfFlow);
    assert!(!coverage.caveats.contains_key(&Caveat::Evicted));
}

#[test]
fn clocks_that_go_backwards_break_nothing() {
    // Two seconds back: within one flow.
    let found = meter_all(
        MeterConfig::default(),
        &[udp(100, CLIENT, SERVER, 1), udp(98, CLIENT, SERVER, 1), udp(101, SERVER, CLIENT, 1)],
    );
    assert_eq!((found.0[0].start, found.0[0].end), (Timestamp(98 * SECOND), Timestamp(101 * SECOND)));
    let backwards = &found.1.caveats[&Caveat::ClockBackwards];
    assert_eq!((found.0.len(), backwards.total.count, &backwards.positions), (1, 1, &vec![2]));
    // Set back by an hour: time goes on from there, and what is idle ends.
    let packets = [udp(4000, CLIENT, SERVER, 1), udp(400, (7, 1), (8, 2), 1), udp(521, (7, 1), (8, 2), 1)];
    let reasons: Vec<_> = records(&packets).iter().map(|record| record.end_reason).collect();
    assert_eq!(reasons, [IdleTimeout, IdleTimeout, ForcedEnd]);
    // The greatest time that there is.
    let packets = [udp(0, CLIENT, SERVER, 1), Sent { time: Some(u64::MAX), ..udp(0, CLIENT, SERVER, 1) }];
    assert_eq!(records(&packets).len(), 2);
    // Without a time: that of the frame before.
    let packets = [udp(100, CLIENT, SERVER, 1), Sent { time: None, ..udp(0, CLIENT, SERVER, 1) }];
    let (found, coverage) = meter_all(MeterConfig::default(), &packets);
    assert_eq!((found[0].start, found[0].end), (Timestamp(100 * SECOND), Timestamp(100 * SECOND)));
    assert_eq!(coverage.caveats[&Caveat::NoTime].total.count, 1);
}

#[test]
fn time_passes_without_frames() {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    meter.expire(Timestamp(1), &mut coverage, &mut batch);
    observe(&mut meter, 1, &udp(1000, CLIENT, SERVER, 1), &mut coverage, &mut batch);
    meter.expire(Timestamp::from_secs(1119), &mut coverage, &mut batch);
    assert_eq!((batch.records.len(), coverage.used.count), (0, 1));
    meter.expire(Timestamp::from_secs(900), &mut coverage, &mut batch);
    assert_eq!(batch.records.len(), 0);
    meter.expire(Timestamp::from_secs(1120), &mut coverage, &mut batch);
    assert_eq!(batch.records[0].end_reason, IdleTimeout);
    assert_eq!(batch.records[0].end, Timestamp::from_secs(1000), "the last packet, not the time of asking");
    observe(&mut meter, 2, &udp(1119, CLIENT, SERVER, 1), &mut coverage, &mut batch);
    observe(&mut meter, 3, &udp(1119, (7, 1), SERVER, 1), &mut coverage, &mut batch);
    assert_eq!(meter.flush_some(1, ForcedEnd, &mut coverage, &mut batch), 1);
    assert_eq!(meter.flush_some(1, ForcedEnd, &mut coverage, &mut batch), 0);
    assert_eq!((batch.records.len(), coverage.used.count), (3, 3));
    assert!(!coverage.caveats.contains_key(&Caveat::ClockBackwards), "the frames were in order");
}

#[test]
fn movement_is_reported_as_it_begins() {
    let config = MeterConfig { early: Early::FirstPayload, ..MeterConfig::default() };
    let packets = [
        tcp(0, CLIENT, SERVER, SYN, 0),
        tcp(1, SERVER, CLIENT, SYN | ACK, 0),
        tcp(2, CLIENT, SERVER, ACK, 10),
        tcp(3, CLIENT, SERVER, ACK, 10),
        tcp(4, SERVER, CLIENT, ACK, 500),
    ];
    let (found, _) = meter_all(config, &packets);
    let seen: Vec<_> = found
        .iter()
        .map(|record| (record.end_reason, record.end.0 / SECOND, record.forward.payload, record.reverse.payload))
        .collect();
    // What the client sent up to its first payload; what the server sent, its SYN with ACK included; and the rest.
    assert_eq!(seen, [(ActiveTimeout, 2, 10, 0), (ActiveTimeout, 4, 0, 500), (ForcedEnd, 4, 10, 0)]);
    let packets: Vec<_> = found.iter().map(|record| (record.forward.packets, record.reverse.packets)).collect();
    assert_eq!(packets, [(2, 0), (0, 2), (1, 0)], "and no record of nothing");
    assert!(found.iter().all(|record| outline(record).0 == CLIENT));
}

#[test]
fn later_fragments_are_flows_without_ports() {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    observe(&mut meter, 1, &udp(0, CLIENT, SERVER, 100), &mut coverage, &mut batch);
    let mut later = udp(0, CLIENT, SERVER, 100).frame();
    later[7] = 99;
    let length = later.len() as u32;
    let frame = Frame { time: None, number: 2, link: LinkType::RAW, octets: &later, original_length: length };
    meter.observe(&frame, &mut coverage, &mut batch);
    let arp = Frame { link: LinkType::ETHERNET, octets: &[&[0; 12][..], &[8, 6], &[0; 46]].concat(), ..frame };
    meter.observe(&Frame { number: 3, original_length: 60, ..arp }, &mut coverage, &mut batch);
    meter.flush(ForcedEnd, &mut coverage, &mut batch);
    let seen: Vec<_> = batch
        .records
        .iter()
        .map(|record| (record.sport, record.flags, record.direction, record.forward.payload))
        .collect();
    assert_eq!(seen, [(50000, FlowFlags(0), Initiator, 100), (0, FlowFlags(0), Arbitrary, 108)]);
    assert_eq!(coverage.caveats[&Caveat::FragmentWithoutPorts].positions, [2]);
    assert_eq!((coverage.skipped[&Skip::NotIp].total.count, coverage.skipped[&Skip::NotIp].total.octets), (1, 60));
    assert_eq!(coverage.link_types, [(1, 1), (101, 2)].into());
}

/// A part of the datagram with this identification, at an offset in units of 8 octets: of 16 octets of data, with a header of
/// UDP in the first.
fn part(id: u16, offset: u16, more: u16) -> Vec<u8> {
    let [id0, id1] = id.to_be_bytes();
    let [flags0, flags1] = (more << 13 | offset).to_be_bytes();
    let head = [0x45, 0, 0, 36, id0, id1, flags0, flags1, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1];
    let data = if offset == 0 { [195, 80, 32, 251, 0, 48, 0, 0] } else { [0x5a; 8] };
    [&head[..], &data, &[0; 8]].concat()
}

/// Meters parts at times in milliseconds.
fn meter_parts(parts: &[(u64, Vec<u8>)]) -> (Vec<FlowRecord>, InputCoverage) {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    for (number, (millis, octets)) in (1..).zip(parts) {
        let time = Some(Timestamp(10 * SECOND + millis * 1_000_000));
        let original_length = octets.len() as u32;
        let frame = Frame { time, number, link: LinkType::RAW, octets, original_length };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(ForcedEnd, &mut coverage, &mut batch);
    (batch.records, coverage)
}

#[test]
fn fragments_that_come_before_their_first_wait_for_it() {
    let backwards = [(0, part(7, 4, 0)), (1, part(7, 2, 1)), (2, part(8, 2, 0)), (3, part(7, 0, 1))];
    let (records, coverage) = meter_parts(&backwards);
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.sport, record.forward, record.provenance.position(), record.start.0, record.flags))
        .collect();
    let counters = |packets| Counters { octets: 36 * packets, packets, payload: 16 * packets };
    let whole = Counters { payload: 16 + 16 + 8, ..counters(3) };
    assert_eq!(
        seen,
        [(50_000, whole, 1, 10 * SECOND, FlowFlags(0)), (0, counters(1), 3, 10 * SECOND + 2_000_000, FlowFlags(0))]
    );
    assert_eq!(coverage.caveats[&Caveat::FragmentWithoutPorts].positions, [3]);
    assert_eq!((coverage.used.count, coverage.used.octets), (4, 144));
    // In vain: the first comes after a second and more.
    let (records, coverage) = meter_parts(&[(0, part(7, 2, 0)), (1100, part(7, 0, 1))]);
    assert_eq!(records.len(), 2);
    assert_eq!(coverage.caveats[&Caveat::FragmentWithoutPorts].positions, [1]);
    assert!(!coverage.caveats.contains_key(&Caveat::ClockBackwards));
}

#[test]
fn a_flood_of_fragments_is_counted_and_no_more() {
    let flood = (0..1000).map(|id| (u64::from(id) / 100, part(id, 2, 1)));
    let tail =
        [(11, part(999, 0, 1)), (12, part(0, 0, 1)), (13, part(1, 0, 1)), (14, part(1, 1, 1)), (15, part(1, 0, 1))];
    let (records, coverage) = meter_parts(&flood.chain(tail).collect::<Vec<_>>());
    let packets: u64 = records.iter().map(|record| record.forward.packets + record.reverse.packets).sum();
    assert_eq!((packets, coverage.used.count, coverage.read.count), (1005, 1005, 1005));
    // The last of the flood found its first; those of 0 and 1 had been given up.
    assert_eq!(coverage.caveats[&Caveat::FragmentWithoutPorts].total.count, 999);
    assert_eq!(coverage.caveats[&Caveat::OverlappingFragment].positions, [1004, 1005]);
}
