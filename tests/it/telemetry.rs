//! Flow telemetry, message by message: what specifications say that they mean, and what lies come to.

use landfall::model::{
    Addr, Asn, Batch, BiflowDirection, Caveat, Count, Counters, FlowFlags, FlowRecord, InputCoverage, InputId, Lost,
    Sampling, Skip, Timestamp, Tunnel,
};
use landfall::source::export::{Collector, Datagram, MAX_DOMAINS, looks_like};
use proptest::prelude::*;

use crate::fixtures::telemetry::*;
use crate::telemetry_corpus::read;

const SECOND: u64 = Timestamp::SECOND;

const EXPORTER: [u8; 4] = [198, 51, 100, 1];

/// Decodes messages that come one a second, from one exporter.
fn decode(messages: &[Vec<u8>]) -> (Vec<FlowRecord>, InputCoverage) {
    let from: Vec<_> = messages.iter().map(|message| (EXPORTER, message.clone())).collect();
    decode_from(&from)
}

fn decode_from(messages: &[([u8; 4], Vec<u8>)]) -> (Vec<FlowRecord>, InputCoverage) {
    let mut collector = Collector::new(InputId(0), "test", "telemetry", 1);
    let mut batch = Batch::default();
    for (number, (exporter, octets)) in (1..).zip(messages) {
        let received = Some(Timestamp::from_secs(1_700_000_000 + number));
        collector.collect(&Datagram { exporter: Addr::v4(*exporter), received, number, octets }, &mut batch);
    }
    collector.finish();
    let coverage = collector.coverage().clone();
    let skipped: u64 = coverage.skipped.values().map(|skip| skip.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "what is read is used or skipped: {coverage:?}");
    (batch.records, coverage)
}

fn sent(octets: u64, packets: u64) -> Counters {
    Counters { octets, packets, payload: 0 }
}

fn skipped(coverage: &InputCoverage, reason: Skip) -> u64 {
    coverage.skipped.get(&reason).map_or(0, |found| found.total.count)
}

fn doubted(coverage: &InputCoverage, caveat: Caveat) -> u64 {
    coverage.caveats.get(&caveat).map_or(0, |found| found.total.count)
}

/// A template and a record of one message, in IPFIX.
fn one(fields: &[(u16, u16, Option<u32>)], record: &[u8]) -> (FlowRecord, InputCoverage) {
    let (records, coverage) = decode(&[ipfix(7, 0, &[set(2, &template(256, fields)), set(256, record)])]);
    assert_eq!(records.len(), 1, "{coverage:?}");
    (records[0], coverage)
}

/// [`ORDINARY`] and other elements.
fn with(fields: &[(u16, u16, Option<u32>)], record: &[u8]) -> (FlowRecord, InputCoverage) {
    one(&[&ORDINARY[..], fields].concat(), &[ordinary(1000, 10), record.to_vec()].concat())
}

#[test]
fn version_5_is_scaled_by_its_head_and_timed_by_the_uptime() {
    // Mode 1 and interval 100, in one field.
    let (records, coverage) = decode(&[five(0, 2, (1 << 14) + 100), five(2, 1, 0)]);
    assert_eq!(records.len(), 3);
    let [first, .., last] = records[..] else { panic!("three records") };
    assert_eq!((first.forward, first.sampling_interval.get()), (sent(30_000, 300), 100));
    assert_eq!((last.forward, last.sampling_interval.get()), (sent(300, 3), 1));
    // 1,700,000,000.5 s is an uptime of 100 s: 90 s is ten seconds before, 99 s one.
    assert_eq!((first.start.0, first.end.0), (1_699_999_990_500_000_000, 1_699_999_999_500_000_000));
    assert_eq!((first.src.to_string(), first.sport, first.dport), ("10.0.0.0".to_owned(), 50_000, 443));
    assert_eq!(first.direction, BiflowDirection::Initiator, "by the port");
    assert!(first.flags.has(FlowFlags::PAYLOAD_UNKNOWN) && first.flags.has(FlowFlags::ONE_DIRECTION));
    let sampling = Sampling { least: 1, greatest: 100, records: Count { count: 2, octets: 60_000 } };
    assert_eq!((coverage.sampling, coverage.lost), (Some(sampling), Some(Lost::default())));
    assert!(!coverage.is_complete(), "what was not sampled was not seen");
    assert_eq!(sampling.noticed_from(), 299, "0.99^298 is 5.002 %, 0.99^299 is 4.95 %");
}

#[test]
fn elements_of_any_length_and_maker_are_read_or_stepped_over() {
    // Octets in three octets; a string of 3, one of 300 in its long form; an element of an enterprise; a record of each kind.
    let fields = [
        (8, 4, None),
        (95, 65_535, None),
        (12, 4, None),
        (4, 1, None),
        (1, 3, None),
        (77, 65_535, Some(637)),
        (2, 1, None),
        (1, 2, Some(29_305)),
        (2, 1, Some(29_305)),
    ];
    let long = [&[255, 1, 44][..], &[7; 300]].concat();
    let record =
        |name: &[u8]| [&[10, 0, 0, 1][..], name, &[203, 0, 113, 5, 17, 1, 0, 0], &[2, 9, 9], &[40, 3, 232, 7]].concat();
    let content = [record(&[3, b'a', 0, b'c']), record(&long), vec![0, 0, 0]].concat();
    let (records, coverage) = decode(&[ipfix(7, 0, &[set(2, &template(300, &fields)), set(300, &content)])]);
    assert_eq!(records.len(), 2, "{coverage:?}");
    for record in &records {
        assert_eq!((record.forward, record.reverse), (sent(65_536, 40), sent(1000, 7)));
        assert!(!record.flags.has(FlowFlags::ONE_DIRECTION));
    }
    assert!(coverage.is_complete(), "{coverage:?}");
    assert_eq!(doubted(&coverage, Caveat::SamplingUnknown), 2);
}

#[test]
fn counters_of_every_kind_are_named_for_what_they_are() {
    let ends = [(8, 4, None), (12, 4, None), (4, 1, None), (2, 4, None)];
    let head = [10, 0, 0, 1, 203, 0, 113, 5, 6, 0, 0, 0, 10];
    let of = |fields: &[(u16, u16, Option<u32>)], rest: &[u8]| {
        one(&[&ends[..], fields].concat(), &[&head[..], rest].concat())
    };
    let (link, coverage) = of(&[(352, 4, None)], &[0, 0, 4, 0]);
    assert_eq!((link.forward, doubted(&coverage, Caveat::LinkOctets)), (sent(1024 - 140, 10), 1));
    let (total, coverage) = of(&[(85, 8, None)], &[0, 0, 0, 0, 0, 0, 2, 0]);
    assert_eq!((total.forward, doubted(&coverage, Caveat::TotalCounters)), (sent(512, 10), 1));
    let (both, coverage) = of(&[(85, 4, None), (1, 4, None)], &[0, 0, 2, 0, 0, 0, 1, 0]);
    assert_eq!((both.forward, doubted(&coverage, Caveat::TotalCounters)), (sent(256, 10), 0));
    let (egress, _) = of(&[(23, 4, None)], &[0, 0, 2, 0]);
    assert_eq!(egress.forward, sent(512, 10));
    // RFC 7012: 231 and 232 count payload, of who opened and of who answered.
    let (session, coverage) =
        of(&[(231, 4, None), (232, 4, None), (299, 4, None)], &[0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 5]);
    assert_eq!(session.forward, Counters { octets: 9, packets: 10, payload: 9 });
    assert_eq!(session.reverse, Counters { octets: 256, packets: 5, payload: 256 });
    assert_eq!(session.direction, BiflowDirection::Initiator);
    assert_eq!(doubted(&coverage, Caveat::PayloadOctets), 1);
    let (none, coverage) = one(&ends[..3], &head[..9]);
    assert!(none.flags.has(FlowFlags::COUNTERS_UNKNOWN));
    assert_eq!(doubted(&coverage, Caveat::CountersUnknown), 1);
}

/// What came before the options that say so was sampled too, and is not scaled: it is counted, and the input is not whole.
#[test]
fn records_before_the_options_are_told() {
    let data = |sequence| {
        let sets = [set(2, &template(256, &ORDINARY)), set(256, &[ordinary(1000, 10), ordinary(500, 5)].concat())];
        ipfix(7, sequence, &sets)
    };
    // Scope: the observation domain (IE 149). One packet in a hundred (IE 34).
    let options = |sequence| {
        let told = [&7_u32.to_be_bytes()[..], &100_u32.to_be_bytes()].concat();
        ipfix(7, sequence, &[set(3, &options(400, 1, &[(149, 4, None), (34, 4, None)])), set(400, &told)])
    };
    let (records, coverage) = decode(&[data(0), options(2), options(3)]);
    assert_eq!(records.iter().map(|record| record.forward.octets).collect::<Vec<_>>(), [1000, 500]);
    let told = &coverage.caveats[&Caveat::SampledBefore];
    assert_eq!((told.total, &told.positions[..]), (Count { count: 2, octets: 1500 }, &[2][..]));
    assert!(coverage.sampling.is_some_and(|sampling| sampling.greatest == 100) && !coverage.is_complete());
    // Said first, or said of nothing that came before.
    let (records, coverage) = decode(&[options(0), data(1), options(3)]);
    assert_eq!((records[0].forward.octets, doubted(&coverage, Caveat::SampledBefore)), (100_000, 0));
}

#[test]
fn rates_come_from_options_of_every_kind() {
    let data = |rest: &[(u16, u16, Option<u32>)], record: &[u8]| {
        let fields = [&ORDINARY[..], rest].concat();
        vec![set(2, &template(256, &fields)), set(256, &[ordinary(1000, 10), record.to_vec()].concat())]
    };
    let told = |scope: u16, length: u16, fields: &[(u16, u16, Option<u32>)], record: &[u8]| {
        let all = [&[(scope, length, None)], fields].concat();
        vec![set(3, &options(400, 1, &all)), set(400, record)]
    };
    let check = |what: &str, options: Vec<Vec<u8>>, data: Vec<Vec<u8>>, expected: Option<(u64, u32)>| {
        let (records, coverage) = decode(&[ipfix(7, 0, &options), ipfix(7, 1, &data)]);
        let unknown = doubted(&coverage, Caveat::SamplingUnknown);
        match expected {
            Some((octets, interval)) => {
                assert_eq!(
                    (records[0].forward.octets, records[0].sampling_interval.get(), unknown),
                    (octets, interval, 0),
                    "{what}"
                );
            }
            None => assert_eq!((records[0].forward.octets, unknown, coverage.sampling), (1000, 1, None), "{what}"),
        }
    };
    let domain = (149, 4);
    check(
        "IE 34",
        told(domain.0, 4, &[(34, 4, None)], &[0, 0, 0, 7, 0, 0, 0, 100]),
        data(&[], &[]),
        Some((100_000, 100)),
    );
    check(
        "IE 305 and 306",
        told(149, 4, &[(305, 4, None), (306, 4, None)], &words(&[7, 1, 9])),
        data(&[], &[]),
        Some((10_000, 10)),
    );
    check(
        "two in nine",
        told(149, 4, &[(305, 4, None), (306, 4, None)], &words(&[7, 2, 7])),
        data(&[], &[]),
        Some((4500, 5)),
    );
    check(
        "none left out",
        told(149, 4, &[(305, 4, None), (306, 4, None)], &words(&[7, 1, 0])),
        data(&[], &[]),
        Some((1000, 1)),
    );
    check(
        "IE 309 and 310",
        told(302, 4, &[(309, 4, None), (310, 4, None)], &words(&[5, 1, 64])),
        data(&[(302, 4, None)], &words(&[5])),
        Some((64_000, 64)),
    );
    check(
        "another selector",
        told(302, 4, &[(309, 4, None), (310, 4, None)], &words(&[5, 1, 64])),
        data(&[(302, 4, None)], &words(&[6])),
        None,
    );
    let probability = [words(&[7]), 0.002_f64.to_be_bytes().to_vec()].concat();
    check("IE 311", told(149, 4, &[(311, 8, None)], &probability), data(&[], &[]), Some((500_000, 500)));
    check(
        "IE 48 and 50",
        told(48, 1, &[(49, 1, None), (50, 4, None)], &[3, 2, 0, 0, 0, 20]),
        data(&[(48, 2, None)], &[0, 3]),
        Some((20_000, 20)),
    );
    check(
        "an interface",
        told(10, 4, &[(34, 4, None)], &words(&[17, 8])),
        data(&[(10, 4, None)], &words(&[17])),
        Some((8000, 8)),
    );
    check(
        "another interface",
        told(10, 4, &[(34, 4, None)], &words(&[17, 8])),
        data(&[(10, 4, None)], &words(&[18])),
        None,
    );
    check("zero is not known", told(149, 4, &[(34, 4, None)], &words(&[7, 0])), data(&[], &[]), None);
    check(
        "in the record",
        told(149, 4, &[(34, 4, None)], &words(&[7, 100])),
        data(&[(34, 4, None)], &words(&[30])),
        Some((30_000, 30)),
    );
}

#[test]
fn version_9_options_have_scopes_of_their_own() {
    // Scope type 2 is an interface: RFC 3954 section 6.1. Lengths of scopes and of options in octets.
    let by_interface = [&400_u16.to_be_bytes()[..], &[0, 4, 0, 8], &[0, 2, 0, 4], &[0, 34, 0, 4, 0, 35, 0, 1]].concat();
    let sets = [
        set(1, &by_interface),
        set(400, &[words(&[17, 250]), vec![2]].concat()),
        set(0, &template(256, &[&ORDINARY[..], &[(10, 4, None), (22, 4, None), (21, 4, None)]].concat())),
        set(256, &[ordinary(1000, 10), words(&[17, 40_000, 100_500])].concat()),
    ];
    let (records, coverage) = decode(&[nine(1, 0, &sets)]);
    assert_eq!(records.len(), 1, "{coverage:?}");
    assert_eq!(records[0].forward, sent(250_000, 2500));
    // Uptime 100 s at 1,700,000,000 s; the flow ended half a second after the head was written.
    assert_eq!((records[0].start.0, records[0].end.0), (1_699_999_940_000_000_000, 1_700_000_000_500_000_000));
}

#[test]
fn times_are_read_in_every_form_and_missed_where_there_are_none() {
    let at = |fields: &[(u16, u16, Option<u32>)], record: &[u8]| {
        let (record, coverage) = with(fields, record);
        (record.start.0, record.end.0, doubted(&coverage, Caveat::NoTime))
    };
    let export = 1_700_000_000 * SECOND;
    assert_eq!(at(&[(150, 4, None), (151, 4, None)], &words(&[1000, 1002])), (1000 * SECOND, 1002 * SECOND, 0));
    assert_eq!(
        at(&[(152, 8, None), (161, 4, None)], &[words(&[0, 1500]), words(&[250])].concat()),
        (1_500_000_000, 1_750_000_000, 0)
    );
    // 2,208,988,800 s from 1900 to 1970; half a second.
    let ntp = words(&[2_208_988_801, 1 << 31]);
    assert_eq!(at(&[(156, 8, None), (157, 8, None)], &[ntp.clone(), ntp].concat()), (1_500_000_000, 1_500_000_000, 0));
    assert_eq!(at(&[(158, 4, None), (159, 4, None)], &words(&[3_000_000, 1])), (export - 3 * SECOND, export - 1000, 0));
    assert_eq!(at(&[(22, 4, None), (21, 4, None)], &words(&[5, 6])), (export, export, 1), "no system init time");
    let began = (1_700_000_000_000_u64 - 60_000).to_be_bytes();
    assert_eq!(
        at(&[(22, 4, None), (21, 4, None), (160, 8, None)], &[words(&[1000, 2000]), began.to_vec()].concat()),
        (export - 59 * SECOND, export - 58 * SECOND, 0)
    );
    assert_eq!(at(&[], &[]), (export, export, 1));
    assert_eq!(at(&[(150, 4, None), (151, 4, None)], &words(&[1002, 1000])), (1000 * SECOND, 1002 * SECOND, 0));
}

#[test]
fn refused_flows_moved_nothing() {
    let refused =
        |fields: &[(u16, u16, Option<u32>)], record: &[u8]| with(fields, record).0.flags.has(FlowFlags::REJECTED);
    assert!(refused(&[(233, 1, None)], &[3]) && !refused(&[(233, 1, None)], &[2]));
    // RFC 7270: the two high bits, 1 forwarded, 2 dropped.
    assert!(
        refused(&[(89, 1, None)], &[0x80])
            && refused(&[(89, 4, None)], &[0, 0, 0, 0x82])
            && !refused(&[(89, 1, None)], &[0x40])
    );
}

#[test]
fn both_sides_of_a_router_are_counted_once_and_two_routers_are_warned_of() {
    let fields =
        [&ORDINARY[..], &[(10, 4, None), (14, 4, None), (61, 1, None), (150, 4, None), (151, 4, None)]].concat();
    let record = |direction: u8| {
        [ordinary(1000, 10), words(&[1, 2]), vec![direction], words(&[1_699_999_000, 1_699_999_060])].concat()
    };
    let message = |direction| ipfix(7, 0, &[set(2, &template(256, &fields)), set(256, &record(direction))]);
    let (records, coverage) = decode(&[message(0), message(1)]);
    assert_eq!(
        (records.len(), skipped(&coverage, Skip::Duplicate), coverage.skipped[&Skip::Duplicate].total.octets),
        (1, 1, 1000)
    );
    let (records, coverage) = decode(&[message(0), message(0)]);
    assert_eq!((records.len(), skipped(&coverage, Skip::Duplicate)), (2, 0), "the same side reports again");
    let (records, coverage) = decode_from(&[(EXPORTER, message(0)), ([198, 51, 100, 2], message(0))]);
    assert_eq!((records.len(), doubted(&coverage, Caveat::SeenElsewhere)), (2, 1));
}

#[test]
fn sampled_packets_are_read_as_packets() {
    let (link, ip) = (ethernet(&udp_head(1228)), udp_head(1228));
    let section = |octets: &[u8]| [&[octets.len() as u8][..], octets].concat();
    let rate =
        [set(3, &options(400, 1, &[(149, 4, None), (305, 4, None), (306, 4, None)])), set(400, &words(&[7, 1, 99]))];
    for (fields, record) in [
        (vec![(312, 2, None), (315, 65_535, None)], [vec![0x04, 0xda], section(&link)].concat()),
        (vec![(313, 65_535, None)], section(&ip)),
    ] {
        let sets = [&rate[..], &[set(2, &template(256, &fields)), set(256, &record)]].concat();
        let (records, coverage) = decode(&[ipfix(7, 0, &sets)]);
        assert_eq!(records.len(), 1, "{coverage:?}");
        // 1228 octets of IP are 1200 of payload.
        assert_eq!(records[0].forward, Counters { octets: 122_800, packets: 100, payload: 120_000 });
        assert!(!records[0].flags.has(FlowFlags::PAYLOAD_UNKNOWN));
        assert_eq!((records[0].sport, records[0].dport), (50_000, 53));
    }
    let arp = [&[255; 12][..], &[8, 6], &[0; 28]].concat();
    let sets = [set(2, &template(256, &[(315, 65_535, None)])), set(256, &section(&arp))];
    assert_eq!(skipped(&decode(&[ipfix(7, 0, &sets)]).1, Skip::NotIp), 1);
}

#[test]
fn a_packet_in_a_packet_is_not_taken_for_it() {
    let fields =
        [(28, 16, None), (27, 16, None), (4, 1, None), (1, 4, None), (8, 4, None), (12, 4, None), (4, 1, None)];
    let (inner, outer) =
        ([10, 0, 0, 1, 203, 0, 113, 5, 6], |last: u8| [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[last]].concat());
    let record = [outer(2), outer(1), vec![43], words(&[500]), inner.to_vec()].concat();
    let (record, coverage) = one(&fields, &record);
    assert_eq!(
        (record.src.to_string(), record.dst.to_string(), record.protocol.0),
        ("2001:db8::1".into(), "2001:db8::2".into(), 43)
    );
    assert_eq!((record.tunnel, doubted(&coverage, Caveat::TunnelUnread)), (Tunnel::IpInIp, 1));
    // Templates for either family fill the other with zeros.
    let zeros = [vec![0; 32], vec![6], words(&[500]), inner.to_vec()].concat();
    let (record, coverage) = one(&fields, &zeros);
    assert_eq!((record.src.to_string(), doubted(&coverage, Caveat::TunnelUnread)), ("10.0.0.1".into(), 0));
}

#[test]
fn templates_are_of_a_domain_and_can_be_withdrawn_and_replaced() {
    let data = |domain, sequence, octets| ipfix(domain, sequence, &[set(256, &ordinary(octets, 1))]);
    let plain = set(2, &template(256, &ORDINARY));
    let mut swapped = ORDINARY;
    swapped.swap(5, 6);
    let messages = [
        ipfix(1, 0, std::slice::from_ref(&plain)),
        data(1, 0, 100),
        data(2, 0, 100),
        ipfix(1, 1, &[set(2, &template(256, &swapped))]),
        data(1, 1, 7),
        ipfix(1, 2, &[set(2, &[1, 0, 0, 0])]),
        data(1, 2, 100),
        ipfix(1, 3, &[plain.clone(), set(2, &[0, 2, 0, 0])]),
        data(1, 3, 100),
    ];
    let (records, coverage) = decode(&messages);
    let octets: Vec<_> = records.iter().map(|record| (record.forward.octets, record.forward.packets)).collect();
    // The set after the first withdrawal waits until the template is sent again.
    assert_eq!(octets, [(100, 1), (1, 7), (100, 1)]);
    assert_eq!(
        (skipped(&coverage, Skip::NoTemplate), coverage.skipped[&Skip::NoTemplate].positions.clone()),
        (2, vec![3, 9])
    );
    assert!(!coverage.is_complete());
}

#[test]
fn data_waits_for_its_template_in_bounded_memory() {
    let early = ipfix(1, 0, &[set(256, &ordinary(100, 1)), set(257, &ordinary(1, 1))]);
    let late = ipfix(1, 1, &[set(2, &template(256, &ORDINARY))]);
    let (records, coverage) = decode(&[early, late]);
    assert_eq!(
        (records.len(), records[0].provenance.position()),
        (1, 1),
        "where it was read, not where its template was"
    );
    assert_eq!(skipped(&coverage, Skip::NoTemplate), 1);
    // 60,000 octets each: four of them fit in what is held for a domain.
    let big = ipfix(1, 0, &[set(256, &vec![1; 60_000])]);
    let (records, coverage) = decode(&vec![big; 100]);
    assert_eq!((records.len(), skipped(&coverage, Skip::NoTemplate)), (0, 100));
}

#[test]
fn what_was_lost_is_told_by_sequence_numbers() {
    let lost = |messages: &[Vec<u8>]| decode(messages).1.lost.unwrap();
    assert_eq!(lost(&[five(100, 2, 0), five(107, 1, 0)]), Lost { records: 5, ..Lost::default() });
    assert_eq!(lost(&[five(u32::MAX, 2, 0), five(1, 1, 0)]), Lost::default(), "it wraps");
    assert_eq!(lost(&[five(0, 2, 0), five(4, 2, 0), five(2, 2, 0)]), Lost::default(), "out of order");
    let nothing = |sequence| nine(1, sequence, &[]);
    assert_eq!(lost(&[nothing(1), nothing(2), nothing(6)]), Lost { datagrams: 3, ..Lost::default() });
    let two = |sequence| ipfix(1, sequence, &[set(2, &template(256, &ORDINARY)), set(256, &ordinary(1, 1).repeat(2))]);
    assert_eq!(lost(&[two(0), two(2), two(14)]), Lost { records: 10, ..Lost::default() });
    assert_eq!(lost(&[two(0), nine(1, 50, &[]), ipfix(2, 500, &[])]), Lost::default(), "each domain counts for itself");
    let sample = |sequence, drops| sflow(sequence, &[flow_sample(8, drops, 4, &[])]);
    assert_eq!(lost(&[sample(1, 10), sample(2, 10), sample(5, 17)]), Lost { datagrams: 2, samples: 7, records: 0 });
    assert!(!decode(&[nothing(1), nothing(3)]).1.is_complete());
}

#[test]
fn samples_of_sflow_are_scaled_and_tell_of_their_way() {
    let frame = ethernet(&udp_head(1228));
    let header = raw_header(&frame, 1242);
    // A path of 64500, 64501, and 64502, whose the destination is (extended_gateway).
    let gateway = opaque(
        1003,
        &[words(&[1]), vec![192, 0, 2, 9], words(&[64499, 0, 0, 1, 2, 3, 64500, 64501, 64502, 0, 100])].concat(),
    );
    let (records, coverage) = decode(&[sflow(1, &[flow_sample(500, 0, 4, &[gateway, header.clone()])])]);
    assert_eq!(records.len(), 1, "{coverage:?}");
    assert_eq!(records[0].forward, Counters { octets: 614_000, packets: 500, payload: 600_000 });
    assert_eq!((records[0].start, records[0].sampling_interval.get()), (Timestamp::from_secs(1_700_000_001), 500));
    assert!(!coverage.caveats.contains_key(&Caveat::Snapped), "a sample is a head on purpose");
    let crossed = Count { count: 1, octets: 614_000 };
    assert_eq!(coverage.transit.into_iter().collect::<Vec<_>>(), [(Asn(64500), crossed), (Asn(64501), crossed)]);

    let expanded = opaque(3, &[words(&[1, 0, 3, 20, 100, 0, 0, 3, 0, 4, 1]), header.clone()].concat());
    let dropped = opaque(5, &[words(&[1, 0, 3, 0, 3, 0, 256, 1]), header.clone()].concat());
    let discarded = flow_sample(10, 0, 1 << 30 | 256, &[header]);
    let (records, _) = decode(&[sflow(1, &[expanded, dropped, discarded])]);
    let told: Vec<_> =
        records.iter().map(|record| (record.forward.octets, record.flags.has(FlowFlags::REJECTED))).collect();
    assert_eq!(told, [(24_560, false), (1228, true), (12_280, true)]);

    let ipv4 = opaque(3, &[words(&[100, 6]), vec![10, 0, 0, 1, 203, 0, 113, 5], words(&[50_000, 443, 2, 0])].concat());
    let ipv6 = opaque(4, &[words(&[100, 17]), vec![0x20; 32], words(&[50_000, 53, 0, 0])].concat());
    let (records, coverage) = decode(&[sflow(1, &[flow_sample(10, 0, 4, &[ipv4]), flow_sample(0, 0, 4, &[ipv6])])]);
    assert_eq!((records[0].forward, records[0].direction), (sent(1000, 10), BiflowDirection::Initiator));
    assert_eq!(
        (records[1].forward, records[1].sport, doubted(&coverage, Caveat::SamplingUnknown)),
        (sent(100, 1), 50_000, 1)
    );
}

#[test]
fn floods_of_templates_and_exporters_are_bounded_and_told() {
    let mut templates = Vec::new();
    for id in 256..=u16::MAX {
        templates.push(ipfix(1, 0, &[set(2, &template(id, &ORDINARY))]));
    }
    templates.push(ipfix(1, 0, &[set(256, &ordinary(1, 1)), set(40_000, &ordinary(1, 1))]));
    let (records, coverage) = decode(&templates);
    assert_eq!((records.len(), skipped(&coverage, Skip::NoTemplate)), (1, 1));
    assert!(coverage.notes.contains("more templates than are kept"));

    let domains: Vec<_> = (0..MAX_DOMAINS as u32 + 10).map(|domain| ipfix(domain, 0, &[])).collect();
    let (_, coverage) = decode(&domains);
    assert_eq!(skipped(&coverage, Skip::ExporterCrowdedOut), 10);

    // The widest template that is read, in every place of some domains.
    let wide: Vec<_> = (0..512).map(|id| (200 + id, 1, Some(9))).collect();
    let wider: Vec<_> = (0..513).map(|id| (200 + id, 1, Some(9))).collect();
    let (_, coverage) =
        decode(&[ipfix(1, 0, &[set(2, &template(256, &wide))]), ipfix(1, 0, &[set(2, &template(257, &wider))])]);
    assert_eq!(
        (skipped(&coverage, Skip::BadMessage), coverage.skipped[&Skip::BadMessage].positions.clone()),
        (1, vec![2])
    );
}

#[test]
fn lies_about_lengths_are_told_and_what_is_whole_is_read() {
    let bad = |octets: Vec<u8>| {
        let (records, coverage) = decode(&[octets]);
        assert!(skipped(&coverage, Skip::BadMessage) > 0, "{coverage:?}");
        assert!(!coverage.is_complete());
        records.len()
    };
    assert_eq!(bad(vec![]), 0);
    assert_eq!(bad(vec![0; 100]), 0);
    assert_eq!(bad(b"\0\x07 an old version".to_vec()), 0);
    // A template of no octets would have records without end.
    assert_eq!(bad(ipfix(1, 0, &[set(2, &template(256, &[(1, 0, None)])), set(256, &[1, 2, 3, 4])])), 0);
    assert_eq!(bad(ipfix(1, 0, &[set(2, &template(255, &ORDINARY))])), 0);
    assert_eq!(bad(ipfix(1, 0, &[set(2, &[1, 0, 255, 255, 0, 1, 0, 4])])), 0);
    let whole = ipfix(1, 0, &[set(2, &template(256, &ORDINARY)), set(256, &ordinary(1, 1).repeat(3))]);
    assert_eq!(bad(whole[..whole.len() - 1].to_vec()), 0, "the last set is cut, and holds all records");
    let mut short = whole.clone();
    short[3] = 15;
    assert_eq!(bad(short), 0, "a message shorter than its head");
    let mut claims = five(0, 3, 0);
    claims[2..4].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(bad(claims[..claims.len() - 1].to_vec()), 2);
    // Four gigabytes of header, of sample, and of samples.
    let header = opaque(1, &words(&[1, 100, 4, u32::MAX]));
    assert_eq!(bad(sflow(1, &[flow_sample(8, 0, 4, &[header])])), 0);
    assert_eq!(bad(sflow(1, &[words(&[1, u32::MAX, 0])])), 0);
    let mut many = sflow(1, &[]);
    let last = many.len() - 4;
    many[last..].copy_from_slice(&[0xff; 4]);
    assert_eq!(bad(many), 0);
    let path = opaque(1003, &[words(&[1]), vec![0; 4], words(&[0, 0, 0, u32::MAX, 1, u32::MAX])].concat());
    assert_eq!(bad(sflow(1, &[flow_sample(8, 0, 4, &[path])])), 0);
}

#[test]
fn files_of_messages_end_where_they_break() {
    let templates = ipfix(1, 0, &[set(2, &template(256, &ORDINARY))]);
    let data = ipfix(1, 0, &[set(256, &ordinary(100, 1))]);
    let old = nine(1, 0, &[set(0, &template(256, &ORDINARY)), set(256, &ordinary(100, 1))]);
    let sample = sflow(1, &[flow_sample(8, 0, 4, &[raw_header(&ethernet(&udp_head(1228)), 1242)])]);
    let all = [templates.clone(), data.clone(), old.clone(), five(0, 1, 0), old, sample, data.clone()].concat();
    let (records, coverage) = read(all.clone(), None);
    assert_eq!((records.len(), coverage.error.as_deref(), coverage.truncated_at), (6, None, None), "{coverage:?}");
    let positions: Vec<_> = records.iter().map(|record| record.provenance.position()).collect();
    assert_eq!(positions, [2, 3, 4, 5, 6, 7]);
    assert_eq!(doubted(&coverage, Caveat::NoTime), 6 - 1, "version 5 alone has times here");

    let last = (all.len() - data.len()) as u64;
    let (records, coverage) = read(all[..all.len() - 1].to_vec(), None);
    assert_eq!((records.len(), coverage.truncated_at), (5, Some(last)));
    let (records, coverage) = read([templates, b"garbage".to_vec()].concat(), Some("telemetry"));
    assert_eq!(records.len(), 0);
    assert!(
        coverage.error.as_deref().is_some_and(|error| error.starts_with("malformed at octet 52: ")),
        "{coverage:?}"
    );
}

#[test]
fn content_tells_telemetry_from_what_is_not() {
    for message in [
        ipfix(1, 0, &[set(2, &template(256, &ORDINARY))]),
        nine(1, 0, &[set(0, &template(256, &ORDINARY))]),
        five(0, 2, 0),
        sflow(1, &[flow_sample(8, 0, 4, &[])]),
    ] {
        assert!(looks_like(&message) && looks_like(&message.repeat(3)), "{message:?}");
        // In version 9 what follows could be a set.
        assert!(message[1] == 9 || !looks_like(&[&message[..], b"something else"].concat()));
    }
    for other in
        [&b""[..], &[0; 64], b"\0\x05", b"\0\x0a\0\x10", b"version 5", &[0, 9, 0, 1, 0, 0, 0, 0], b"\x0c\xa5\x01\0"]
    {
        assert!(!looks_like(other), "{other:?}");
    }
}

/// Messages of every kind.
fn messages() -> Vec<Vec<u8>> {
    let variable = [(8, 4, None), (12, 4, None), (95, 65_535, None), (1, 4, None)];
    vec![
        five(0, 3, 5),
        nine(1, 0, &[set(0, &template(256, &ORDINARY)), set(256, &ordinary(100, 1).repeat(2))]),
        ipfix(1, 0, &[set(2, &template(256, &ORDINARY)), set(256, &ordinary(100, 1).repeat(2))]),
        ipfix(
            1,
            0,
            &[set(2, &template(257, &variable)), set(257, &[10, 0, 0, 1, 203, 0, 113, 5, 2, b'a', b'b', 0, 0, 0, 9])],
        ),
        ipfix(1, 0, &[set(3, &options(400, 1, &[(149, 4, None), (34, 4, None)])), set(400, &words(&[7, 100]))]),
        sflow(1, &[flow_sample(8, 0, 4, &[raw_header(&ethernet(&udp_head(1228)), 1242)])]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// `decode` checks that what is read is used or skipped.
    #[test]
    fn no_cut_and_no_damage_is_too_much(
        which in 0..6_usize,
        end in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let whole = messages();
        let mut octets = whole[which].clone();
        for (at, value) in damage {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        octets.truncate(end.index(octets.len() + 1));
        let (records, coverage) = decode(&[octets.clone(), whole[which].clone(), octets.clone()]);
        prop_assert!(records.len() <= 3 * 1242);
        prop_assert!(coverage.notes.len() <= InputCoverage::MAX_NOTES);
        let _ = looks_like(&octets);
        read(octets, Some("telemetry"));
    }
}
