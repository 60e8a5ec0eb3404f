//! Round-trip times: cases reckoned by hand, and real captures against what tshark 4.6.9 says of their frames.

use std::fs::File;
use std::path::{Path, PathBuf};

use landfall::meter::{Frame, Meter, MeterConfig};
use landfall::model::{Batch, FlowEndReason, FlowRecord, InputCoverage, InputId, RoundTrip, Timestamp};
use landfall::source::{self, Options, Progress};
use landfall::wire::LinkType;

const CLIENT: u8 = 1;
const SERVER: u8 = 9;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A packet at a time in microseconds, or at none.
type Sent = (Option<u64>, Vec<u8>);

/// From one host to another; the client's port is 50000 and the server's the one given.
fn ip(protocol: u8, from: u8, port: u16, rest: &[u8]) -> Vec<u8> {
    let to = CLIENT + SERVER - from;
    let ports = if from == CLIENT { [50_000, port] } else { [port, 50_000] };
    let ports = if protocol == 1 { Vec::new() } else { ports.map(u16::to_be_bytes).concat() };
    let [high, low] = (20 + (ports.len() + rest.len()) as u16).to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, from, 192, 0, 2, to];
    [&head[..], &ports, rest].concat()
}

/// Sequence and acknowledgement, time stamp and echo, octets of payload.
fn segment(time: u64, from: u8, flags: u8, [seq, ack]: [u32; 2], stamps: Option<[u32; 2]>, payload: usize) -> Sent {
    let numbers = [seq, ack].map(u32::to_be_bytes).concat();
    let (words, options) = match stamps {
        None => (5, Vec::new()),
        Some(stamps) => (8, [&[1, 1, 8, 10][..], &stamps.map(u32::to_be_bytes).concat()].concat()),
    };
    let fixed = [words << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
    (Some(time), ip(6, from, 443, &[&numbers[..], &fixed, &options, &vec![0x5a; payload]].concat()))
}

fn syn(time: u64) -> Sent {
    segment(time, CLIENT, SYN, [100, 0], None, 0)
}

fn syn_ack(time: u64) -> Sent {
    segment(time, SERVER, SYN | ACK, [700, 101], None, 0)
}

fn ack(time: u64) -> Sent {
    segment(time, CLIENT, ACK, [101, 701], None, 0)
}

fn datagram(time: u64, from: u8, port: u16, payload: &[u8]) -> Sent {
    let [high, low] = (8 + payload.len() as u16).to_be_bytes();
    (Some(time), ip(17, from, port, &[&[high, low, 0, 0], payload].concat()))
}

fn echo(time: u64, from: u8, kind: u8, sequence: u8) -> Sent {
    (Some(time), ip(1, from, 0, &[kind, 0, 0, 0, 0, 7, 0, sequence, 1, 2, 3, 4]))
}

fn meter_in_steps(step: u64, packets: &[Sent]) -> Vec<FlowRecord> {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    meter.clock_steps(step);
    for (number, (time, octets)) in (1..).zip(packets) {
        let time = time.map(|micros| Timestamp(Timestamp::from_secs(1_000).0 + micros * 1000));
        let original_length = octets.len() as u32;
        let frame = Frame { time, number, link: LinkType::RAW, octets, original_length };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    batch.records
}

/// Least microseconds and samples; zeros where there are none.
type Measured = (u32, u8);

fn told(rtt: RoundTrip) -> Measured {
    (rtt.least_us().unwrap_or(0), rtt.samples())
}

/// To the client and to the server, of the only record.
fn measured(packets: &[Sent]) -> [Measured; 2] {
    let records = meter_in_steps(1000, packets);
    let [record] = records[..] else { panic!("{records:?}") };
    let is_client = record.src.octets()[15] == CLIENT;
    let (client, server) = if is_client { (record.src_rtt, record.dst_rtt) } else { (record.dst_rtt, record.src_rtt) };
    [told(client), told(server)]
}

const NONE: Measured = (0, 0);

#[test]
fn a_handshake_measures_both_ends() {
    assert_eq!(measured(&[syn(0), syn_ack(20_000), ack(20_300)]), [(300, 1), (20_000, 1)]);
    // Below what a remote end can be: kept here, refused by whoever makes a place of it.
    assert_eq!(measured(&[syn(0), syn_ack(7), ack(8)]), [(1, 1), (7, 1)]);
}

#[test]
fn a_syn_that_was_sent_twice_measures_nothing() {
    assert_eq!(measured(&[syn(0), syn(1_000_000), syn_ack(1_000_100), ack(1_000_200)]), [(100, 1), NONE]);
    assert_eq!(measured(&[syn(0), syn_ack(20_000), syn_ack(1_020_000), ack(1_020_010)]), [NONE, (20_000, 1)]);
    // A mirror port that copies both ways.
    let twice = [syn(0), syn(3), syn_ack(20_000), syn_ack(20_003), ack(20_100), ack(20_103)];
    assert_eq!(measured(&twice), [NONE, NONE]);
}

#[test]
fn what_comes_in_another_order_measures_nothing() {
    assert_eq!(measured(&[syn_ack(0), syn(10), syn_ack(20), ack(40)]), [NONE, NONE]);
    assert_eq!(measured(&[syn(0), syn_ack(0), ack(0)]), [NONE, NONE], "no time is no answer");
    assert_eq!(measured(&[syn(100), syn_ack(60), ack(300)]), [(240, 1), NONE], "earlier than what it answers");
    // Without the SYN, the SYN with ACK can be the second.
    assert_eq!(measured(&[syn_ack(0), ack(40)]), [NONE, NONE]);
}

#[test]
fn a_clock_that_was_set_back_measures_nothing() {
    let back = [syn(5_000_000), echo(5_100_000, CLIENT, 8, 1), echo(5_000_500, SERVER, 3, 1), syn_ack(5_001_000)];
    let records = meter_in_steps(1000, &back);
    assert!(records.iter().all(|record| told(record.dst_rtt) == NONE && told(record.src_rtt) == NONE), "{records:?}");
    let (mut early, mut late) = (syn(0), syn_ack(20_000));
    early.0 = None;
    assert_eq!(measured(&[early, late.clone(), ack(20_100)]), [(100, 1), NONE], "a question without a time");
    late.0 = None;
    assert_eq!(measured(&[syn(0), late, ack(20_100)]), [NONE, NONE], "an answer without a time");
}

#[test]
fn a_coarse_clock_adds_a_step() {
    let records = meter_in_steps(10_000_000, &[syn(0), syn_ack(20_000), ack(20_000)]);
    assert_eq!((told(records[0].dst_rtt), told(records[0].src_rtt)), ((30_000, 1), NONE));
}

#[test]
fn a_reset_and_a_foreign_acknowledgement_are_no_answers() {
    assert_eq!(measured(&[syn(0), segment(500, SERVER, RST | ACK, [0, 101], None, 0)]), [NONE, NONE]);
    assert_eq!(measured(&[syn(0), segment(500, SERVER, SYN | ACK, [700, 102], None, 0)]), [NONE, NONE]);
    assert_eq!(measured(&[syn(0), segment(500, SERVER, SYN | ACK, [700, 90], None, 0)]), [NONE, NONE]);
}

/// After a handshake of 20 ms, with the clocks of both ends at 1000 and 5000.
fn after_handshake(rest: &[Sent]) -> [Measured; 2] {
    let handshake = [
        segment(0, CLIENT, SYN, [100, 0], Some([1000, 0]), 0),
        segment(20_000, SERVER, SYN | ACK, [700, 101], Some([5000, 1000]), 0),
        segment(20_100, CLIENT, ACK, [101, 701], Some([1020, 5000]), 0),
    ];
    measured(&[&handshake, rest].concat())
}

#[test]
fn a_time_stamp_that_comes_back_measures() {
    let asked = |time, seq, stamp| segment(time, CLIENT, ACK, [seq, 701], Some([stamp, 5000]), 50);
    let answer = |time, ack, echo| segment(time, SERVER, ACK, [701, ack], Some([5100, echo]), 0);
    assert_eq!(after_handshake(&[asked(30_000, 101, 1030), answer(45_000, 151, 1030)]), [(100, 1), (15_000, 2)]);
    // The clock of the client had read the same for a segment before: that one may be what is answered.
    assert_eq!(after_handshake(&[asked(30_000, 101, 1020), answer(45_000, 151, 1020)]), [(100, 1), (20_000, 1)]);
    // The second segment of a stamp is not the first.
    let two = [asked(30_000, 101, 1030), asked(40_000, 151, 1030), answer(45_000, 201, 1030)];
    assert_eq!(after_handshake(&two), [(100, 1), (15_000, 2)]);
    // An echo of the stamp before, and an acknowledgement of less.
    assert_eq!(after_handshake(&[asked(30_000, 101, 1030), answer(31_000, 151, 1020)]), [(100, 1), (20_000, 1)]);
    let less = [asked(30_000, 101, 1030), answer(31_000, 150, 1030), answer(45_000, 151, 1030)];
    assert_eq!(after_handshake(&less), [(100, 1), (15_000, 2)]);
    // Octets that are sent again spoil what waits, and ask nothing.
    let again = [asked(30_000, 101, 1030), asked(40_000, 101, 1040), answer(45_000, 151, 1040)];
    assert_eq!(after_handshake(&again), [(100, 1), (20_000, 1)]);
    // A segment without payload need not be answered: nothing waits for it.
    let window = segment(30_000, CLIENT, ACK, [101, 701], Some([1030, 5000]), 0);
    assert_eq!(after_handshake(&[window, answer(30_500, 101, 1030)]), [(100, 1), (20_000, 1)]);
    // To the client, by what the server sends.
    let data = segment(60_000, SERVER, ACK, [701, 101], Some([5060, 1020]), 900);
    let taken = segment(60_080, CLIENT, ACK, [101, 1601], Some([1060, 5060]), 0);
    assert_eq!(after_handshake(&[data, taken]), [(80, 2), (20_000, 1)]);
}

#[test]
fn numbers_go_past_the_end_of_the_circle() {
    let packets = [
        segment(0, CLIENT, SYN, [u32::MAX, 0], Some([u32::MAX - 1, 0]), 0),
        segment(20_000, SERVER, SYN | ACK, [u32::MAX - 1, 0], Some([5000, u32::MAX - 1]), 0),
        segment(20_100, CLIENT, ACK, [0, u32::MAX], Some([u32::MAX, 5000]), 0),
        segment(30_000, CLIENT, ACK, [0, u32::MAX], Some([2, 5000]), 50),
        segment(41_000, SERVER, ACK, [u32::MAX, 50], Some([5030, 2]), 0),
    ];
    assert_eq!(measured(&packets), [(100, 1), (11_000, 2)]);
}

#[test]
fn questions_and_answers_measure() {
    let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let answer = b"\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let other = b"\x12\x35\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let ask = |time| datagram(time, CLIENT, 53, query);
    assert_eq!(measured(&[ask(0), datagram(9_000, SERVER, 53, answer)]), [NONE, (9_000, 1)]);
    assert_eq!(measured(&[ask(0), datagram(5_000, SERVER, 53, other)]), [NONE, NONE]);
    // Asked again, with the same identifier: which of the two is answered?
    let again = [ask(0), ask(5_000_000), datagram(5_000_400, SERVER, 53, answer)];
    assert_eq!(measured(&again), [NONE, NONE]);
    let thrice = [ask(0), ask(5_000_000), ask(10_000_000), datagram(10_000_400, SERVER, 53, answer)];
    assert_eq!(measured(&thrice), [NONE, NONE]);
    // Both answers to a question that was answered.
    let both = [ask(0), datagram(9_000, SERVER, 53, answer), datagram(9_004, SERVER, 53, answer)];
    assert_eq!(measured(&both), [NONE, (9_000, 1)]);
    // What the server asks, the client answers.
    let stun = |kind: u8| [&[kind, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let packets = [datagram(0, SERVER, 40_000, &stun(0)), datagram(800, CLIENT, 40_000, &stun(1))];
    assert_eq!(measured(&packets), [(800, 1), NONE]);
    let pings =
        [echo(0, CLIENT, 8, 1), echo(30_000, SERVER, 0, 1), echo(40_000, CLIENT, 8, 2), echo(69_000, SERVER, 0, 2)];
    assert_eq!(measured(&pings), [NONE, (29_000, 2)]);
    let one_back =
        [echo(0, CLIENT, 8, 1), echo(1, CLIENT, 8, 2), echo(30_000, SERVER, 0, 2), echo(30_001, SERVER, 0, 3)];
    assert_eq!(measured(&one_back), [NONE, (29_999, 1)]);
}

/// More questions than are remembered: one that was not may be asked again, and nothing is measured from that.
#[test]
fn a_question_that_was_forgotten_measures_nothing() {
    let pings = [1, 2, 3, 4].map(|sequence| echo(u64::from(sequence), CLIENT, 8, sequence));
    let late = [
        echo(50_000, SERVER, 0, 1),
        echo(50_001, SERVER, 0, 2),
        echo(900_000, CLIENT, 8, 3),
        echo(900_080, SERVER, 0, 3),
    ];
    assert_eq!(measured(&[&pings[..], &late].concat()), [NONE, (49_999, 2)]);
}

#[test]
fn a_cut_record_has_the_samples_of_its_own_time() {
    let config = MeterConfig { active_timeout: Timestamp::SECOND, ..MeterConfig::default() };
    let mut meter = Meter::new(InputId(0), config);
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    let pings = [
        echo(0, CLIENT, 8, 1),
        echo(30_000, SERVER, 0, 1),
        echo(2_000_000, CLIENT, 8, 2),
        echo(2_040_000, SERVER, 0, 2),
    ];
    for (number, (time, octets)) in (1..).zip(&pings) {
        let time = time.map(|micros| Timestamp(micros * 1000));
        let original_length = octets.len() as u32;
        let frame = Frame { time, number, link: LinkType::RAW, octets, original_length };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    let all: Vec<_> = batch.records.iter().map(|record| told(record.dst_rtt)).collect();
    assert_eq!(all, [(30_000, 1), (40_000, 1)]);
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/captures")
}

fn records_of(path: &Path) -> Vec<FlowRecord> {
    let file = Box::new(File::open(path).unwrap());
    let mut source = source::open(InputId(0), "truth", file, &Options::default()).unwrap();
    let (mut batch, mut records) = (Batch::default(), Vec::new());
    loop {
        let progress = source.read(&mut batch).unwrap();
        records.append(&mut batch.records);
        if progress == Progress::End {
            return records;
        }
    }
}

/// A capture, the ports of a flow, and what is to be measured to its source and to its destination, by the frames that
/// tshark shows: `tcp.analysis.ack_rtt`, `dns.time`, `icmp.resptime`, `ntp`, and differences of `frame.time_relative`.
const TRUTH: [(&str, [u16; 2], Measured, Measured); 7] = [
    // SYN 1, SYN with ACK 2: ack_rtt 0.143656; ACK 3: 0.000147. Frame 4 has the time stamp of frame 3, and frame 6 that of frame 5.
    ("zeek/communityid__tcp.pcap", [34855, 80], (147, 1), (143_656, 1)),
    // Hello 1, verify request 2: 0.216025; hello with cookie 3: 0.011174 after 2; server hello 4: 0.356454 after 3.
    ("ndpi/dtls2.pcap", [53045, 61457], (11_174, 1), (216_025, 2)),
    // Four requests; reply 4 is 0.034828 after request 3, the others take longer.
    ("zeek/icmp__icmp6-ping.pcap", [0, 0], NONE, (34_828, 4)),
    // Client 1, server 2, whose origin time stamp is the transmit time stamp of 1.
    ("tcpdump/ntp-time.pcap", [49445, 123], NONE, (301, 1)),
    // Initial 1, Initial 2: 0.012013; Initial 5, to the identifier that 2 has chosen: 0.007169 after 2.
    ("tcpdump/quic_handshake.pcap", [50606, 443], (7_169, 1), (12_013, 1)),
    // A hello in two packets, 1 and 2, and its acknowledgement 3: 0.000692218 after 1, in a clock of nanoseconds.
    ("ndpi/quic_frags_ch_in_multiple_packets.pcapng", [58822, 4443], NONE, (693, 1)),
    // Initial 1, and 2 without the fixed bit, which its transport parameters allow: 0.003797.
    ("ndpi/quic-34.pcap", [55880, 4443], NONE, (3_797, 1)),
];

#[test]
fn real_captures_agree_with_tshark() {
    if !captures().is_dir() {
        println!("skipped: ../shared/corpus/captures is not there");
        return;
    }
    for (name, ports, source, destination) in TRUTH {
        let records = records_of(&captures().join(name));
        let record = records.iter().find(|record| [record.sport, record.dport] == ports).unwrap();
        assert_eq!((told(record.src_rtt), told(record.dst_rtt)), (source, destination), "{name}");
    }
}
