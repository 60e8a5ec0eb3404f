//! Names in flow records: by hand.

use landfall::meter::{Early, Frame, Meter, MeterConfig};
use landfall::model::{Addr, Batch, Caveat, FlowEndReason, InputCoverage, InputId, NameSource, Protocol, Timestamp};
use landfall::wire::LinkType;

use super::names::{extension, hello, record, server_name};

const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40000);
const OTHER: ([u8; 4], u16) = ([192, 0, 2, 2], 40000);
const SERVER: ([u8; 4], u16) = ([203, 0, 113, 7], 443);
const RESOLVER: ([u8; 4], u16) = ([192, 0, 2, 53], 53);

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

type End = ([u8; 4], u16);

fn ip(protocol: u8, from: End, to: End, rest: &[&[u8]]) -> Vec<u8> {
    let rest = rest.concat();
    let [total0, total1] = (24 + rest.len() as u16).to_be_bytes();
    let head = [0x45, 0, total0, total1, 0, 0, 0, 0, 64, protocol, 0, 0];
    [&head[..], &from.0, &to.0, &from.1.to_be_bytes(), &to.1.to_be_bytes(), &rest].concat()
}

fn tcp(from: End, to: End, flags: u8, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let fixed = [0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0];
    ip(6, from, to, &[&sequence.to_be_bytes(), &fixed, payload])
}

fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    ip(17, from, to, &[&(8 + payload.len() as u16).to_be_bytes(), &[0, 0], payload])
}

/// Source, port of the source, and the name with its evidence.
type Row = (Addr, u16, Option<(String, NameSource)>);

/// Meters packets, a second apart or at their times; gives the rows of the records in their order.
fn meter(config: MeterConfig, packets: &[(u64, Vec<u8>)]) -> (Vec<Row>, InputCoverage) {
    let mut meter = Meter::new(InputId(0), config);
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    for (number, (secs, octets)) in (1..).zip(packets) {
        let frame = Frame {
            time: Some(Timestamp::from_secs(*secs)),
            number,
            link: LinkType::RAW,
            octets,
            original_length: octets.len() as u32,
        };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    let name = |id| batch.name(id).map(|name| (name.text.to_string(), name.from)).unwrap();
    let rows = batch.records.iter().map(|record| (record.src, record.sport, record.name.map(name))).collect();
    (rows, coverage)
}

fn names(packets: &[(u64, Vec<u8>)]) -> Vec<Option<(String, NameSource)>> {
    meter(MeterConfig::default(), packets).0.into_iter().map(|(.., name)| name).collect()
}

fn at(secs: u64, octets: Vec<u8>) -> (u64, Vec<u8>) {
    (secs, octets)
}

fn sni(name: &str) -> Vec<u8> {
    record(&hello(&[server_name(name.as_bytes()), extension(21, &[0; 300])].concat(), &[]))
}

#[expect(clippy::unnecessary_wraps, reason = "what a record has is compared with it")]
fn named(name: &str, from: NameSource) -> Option<(String, NameSource)> {
    Some((name.to_owned(), from))
}

/// An answer of the resolver: `name` has the address of the server for an hour.
fn answer(name: &str) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    for label in name.split('.') {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.extend([0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4]);
    octets.extend(SERVER.0);
    octets
}

#[test]
fn a_hello_over_two_segments_names_the_flow() {
    let octets = sni("www.example.com");
    let (head, tail) = octets.split_at(50);
    let packets = [
        at(1, tcp(CLIENT, SERVER, SYN, 99, &[])),
        at(1, tcp(SERVER, CLIENT, SYN | ACK, 499, &[])),
        at(1, tcp(CLIENT, SERVER, ACK, 100, head)),
        at(2, tcp(CLIENT, SERVER, ACK, 150, tail)),
        at(3, tcp(SERVER, CLIENT, ACK, 500, &[5; 900])),
    ];
    assert_eq!(names(&packets), [named("www.example.com", NameSource::Sni)]);
    // In the other order, and with the data of a SYN.
    let mut swapped = packets.clone();
    swapped.swap(2, 3);
    assert_eq!(names(&swapped), [named("www.example.com", NameSource::Sni)]);
    let fast = [at(1, tcp(CLIENT, SERVER, SYN, 99, head)), at(2, tcp(CLIENT, SERVER, ACK, 150, tail))];
    assert_eq!(names(&fast), [named("www.example.com", NameSource::Sni)]);
    // Among many other packets, so that the segments are not counted together.
    let mut among = packets[..3].to_vec();
    among.extend((0..100).map(|_| at(1, tcp(OTHER, SERVER, ACK, 1, &[9; 10]))));
    among.extend_from_slice(&packets[3..]);
    let (rows, coverage) = meter(MeterConfig::default(), &among);
    assert!(rows.contains(&(Addr::v4(CLIENT.0), CLIENT.1, named("www.example.com", NameSource::Sni))), "{rows:?}");
    let expected = [Caveat::OneSided, Caveat::InitiatorGuessed];
    assert!(coverage.caveats.keys().all(|caveat| expected.contains(caveat)), "{coverage:?}");
}

#[test]
fn every_record_has_the_name_once_it_is_known() {
    let packets = [
        at(1, tcp(CLIENT, SERVER, SYN, 99, &[])),
        at(1, tcp(CLIENT, SERVER, ACK, 100, &sni("a.example"))),
        at(2, tcp(SERVER, CLIENT, ACK, 500, &[5; 900])),
        at(100, tcp(CLIENT, SERVER, ACK, 600, &[5; 9])),
    ];
    let a = named("a.example", NameSource::Sni);
    let early =
        MeterConfig { early: Early::FirstPayload, active_timeout: 10 * Timestamp::SECOND, ..MeterConfig::default() };
    let (rows, _) = meter(early, &packets);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|(.., name)| *name == a), "{rows:?}");
    // A hello in two segments: the early record waits for the second, and not for what does not come.
    let octets = sni("a.example");
    let (head, tail) = octets.split_at(70);
    let mut halves = packets.to_vec();
    halves[1] = at(1, tcp(CLIENT, SERVER, ACK, 100, head));
    halves.insert(2, at(1, tcp(CLIENT, SERVER, ACK, 170, tail)));
    let (rows, _) = meter(early, &halves);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|(.., name)| *name == a), "{rows:?}");
    halves.remove(2);
    let (rows, _) = meter(early, &halves[..3]);
    assert_eq!(rows.len(), 2, "once the server has answered");
    // The same ends and ports again are another flow, with another name or none.
    let mut again = packets.to_vec();
    again.push(at(101, tcp(CLIENT, SERVER, RST, 700, &[])));
    again.push(at(101, tcp(CLIENT, SERVER, SYN, 99, &[])));
    again.push(at(101, tcp(CLIENT, SERVER, ACK, 100, &sni("b.example"))));
    again.push(at(102, tcp(CLIENT, SERVER, FIN | ACK, 500, &[])));
    again.push(at(102, tcp(SERVER, CLIENT, FIN | ACK, 900, &[])));
    again.push(at(110, tcp(CLIENT, SERVER, ACK, 100, &[1])));
    assert_eq!(names(&again), [a, named("b.example", NameSource::Sni), None]);
}

#[test]
fn better_evidence_prevails() {
    let through = |packets: Vec<Vec<u8>>| names(&packets.into_iter().map(|octets| at(1, octets)).collect::<Vec<_>>());
    let connect = b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n";
    let proxied = through(vec![
        tcp(CLIENT, SERVER, ACK, 1, connect),
        tcp(SERVER, CLIENT, ACK, 1, b"HTTP/1.1 200 OK\r\n\r\n"),
        tcp(CLIENT, SERVER, ACK, 1 + connect.len() as u32, &sni("in.far.example")),
    ]);
    assert_eq!(proxied, [named("in.far.example", NameSource::Sni)]);
    let told = || udp(RESOLVER, (CLIENT.0, 5000), &answer("told.example"));
    let asked = through(vec![told(), tcp(CLIENT, SERVER, SYN, 0, &[]), tcp(CLIENT, SERVER, ACK, 1, &sni("a.example"))]);
    assert_eq!(asked[1], named("a.example", NameSource::Sni));
    let silent = through(vec![told(), tcp(CLIENT, SERVER, SYN, 0, &[]), tcp(CLIENT, SERVER, ACK, 1, &[0; 40])]);
    assert_eq!(silent[1], named("told.example", NameSource::Dns));
}

#[test]
fn an_answer_is_evidence_for_the_client_that_had_received_it() {
    let answered = |name| udp(RESOLVER, (CLIENT.0, 5000), &answer(name));
    let packets = [
        at(1, answered("a.example")),
        at(2, tcp(CLIENT, SERVER, SYN, 0, &[])),
        at(2, tcp(OTHER, SERVER, SYN, 0, &[])),
        at(3, answered("b.example")),
        at(3, udp((CLIENT.0, 6000), SERVER, &[0; 20])),
        // An hour and five minutes are the limit.
        at(4000, tcp((CLIENT.0, 7000), SERVER, SYN, 0, &[])),
    ];
    let (mut rows, _) = meter(MeterConfig::default(), &packets);
    rows.sort();
    let expected = [
        (Addr::v4(CLIENT.0), 5000, None),
        (Addr::v4(CLIENT.0), 6000, named("b.example", NameSource::Dns)),
        (Addr::v4(CLIENT.0), 7000, None),
        (Addr::v4(CLIENT.0), 40000, named("a.example", NameSource::Dns)),
        (Addr::v4(OTHER.0), 40000, None),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_name_is_that_of_a_destination() {
    // Who sent the SYN is the server of the hello: the name would be that of the source.
    let packets = [
        at(1, tcp(SERVER, CLIENT, SYN, 0, &[])),
        at(1, tcp(CLIENT, SERVER, SYN | ACK, 0, &[])),
        at(1, tcp(CLIENT, SERVER, ACK, 1, &sni("a.example"))),
    ];
    assert_eq!(names(&packets), [None]);
    // Before it is known who opened the flow, the lower port is the server's; then a SYN with ACK says better.
    let turned = (CLIENT.0, 80);
    let packets =
        [at(1, tcp(turned, SERVER, ACK, 1, &sni("a.example"))), at(1, tcp(SERVER, turned, SYN | ACK, 0, &[]))];
    assert_eq!(
        meter(MeterConfig::default(), &packets).0,
        [(Addr::v4(turned.0), 80, named("a.example", NameSource::Sni))]
    );
}

#[test]
fn half_a_hello_is_said() {
    let octets = sni("www.example.com");
    let half = || tcp(CLIENT, SERVER, ACK, 1, &octets[..60]);
    let other = || tcp(OTHER, SERVER, ACK, 1, &[9; 10]);
    let one = MeterConfig { flows_max: 1, ..MeterConfig::default() };
    for (config, packets) in [
        (MeterConfig::default(), vec![at(1, half())]),
        (MeterConfig::default(), vec![at(1, half()), at(1000, other())]),
        (one, vec![at(1, half()), at(1, other())]),
    ] {
        let (rows, coverage) = meter(config, &packets);
        assert_eq!(rows[0].2, None);
        let given_up = &coverage.caveats[&Caveat::NameGivenUp];
        assert_eq!((given_up.total.count, &given_up.positions), (1, &vec![1]));
    }
    // What was seen of it can have the name.
    let most = tcp(CLIENT, SERVER, ACK, 1, &octets[..octets.len() - 10]);
    assert_eq!(names(&[at(1, most)]), [named("www.example.com", NameSource::Sni)]);
    // What was evicted and goes on is looked at anew.
    let whole = |name: &str| tcp(CLIENT, SERVER, ACK, 1, &sni(name));
    let packets = [at(1, whole("a.example")), at(1, other()), at(1, whole("b.example"))];
    let found: Vec<_> = meter(one, &packets).0.into_iter().map(|(.., name)| name).collect();
    assert_eq!(found, [named("a.example", NameSource::Sni), None, named("b.example", NameSource::Sni)]);
}

#[test]
fn what_limits_names_is_counted() {
    let octets = |extensions: &[u8]| at(1, tcp(CLIENT, SERVER, ACK, 1, &record(&hello(extensions, &[]))));
    let outer = extension(0xfe0d, &[0, 0, 1, 0, 1, 7, 0, 2, 1, 2, 0, 2, 3, 4]);
    let (rows, coverage) = meter(MeterConfig::default(), &[octets(&[server_name(b"front.example"), outer].concat())]);
    assert_eq!(rows[0].2, named("front.example", NameSource::OuterSni));
    assert_eq!(coverage.caveats[&Caveat::OuterName].total.count, 1);
    let (rows, coverage) = meter(MeterConfig::default(), &[octets(&server_name(b"<script>"))]);
    assert_eq!(rows[0].2, None);
    assert_eq!(coverage.caveats[&Caveat::NameRejected].total.count, 1);
    assert!(coverage.is_complete());
}

#[test]
fn a_flow_that_was_done_is_looked_at_again_when_it_begins_anew() {
    let greet = |name: &str| udp(CLIENT, SERVER, &dtls(name));
    let packets = [at(1, greet("a.example")), at(200, greet("b.example")), at(202, greet("c.example"))];
    let found = names(&packets);
    assert_eq!(found, [named("a.example", NameSource::Sni), named("b.example", NameSource::Sni)]);
    assert_eq!(Protocol::UDP.0, packets[0].1[9]);
}

/// A hello of DTLS in one record (RFC 6347 sections 4.1 and 4.2).
fn dtls(name: &str) -> Vec<u8> {
    let message = hello(&server_name(name.as_bytes()), &[0]);
    let (head, body) = message.split_at(4);
    let fragment = [head, &[0, 0, 0, 0, 0], &head[1..], body].concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(fragment.len() as u16).to_be_bytes(), &fragment].concat()
}
