//! Names in the first payload of flows: by hand, against the examples of the specifications, cut and shuffled in every way,
//! and hostile.

use std::net::IpAddr;

use landfall::model::{Addr, Name, NameSource, Timestamp};
use landfall::wire::name::{Carrier, Counts, GRACE, Limits, Names, Response, Segment, Sighting, Watch, Way};
use proptest::prelude::*;

use crate::fuzz::laws::quic::VERSIONS;

fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<IpAddr>().unwrap())
}

fn segment(way: Way, carrier: Carrier, payload: &[u8]) -> Segment<'_> {
    let ends = [(addr("192.0.2.1"), 40000), (addr("198.51.100.1"), 443)];
    let [(src, sport), (dst, dport)] = match way {
        Way::There => ends,
        Way::Back => [ends[1], ends[0]],
    };
    Segment { way, carrier, src, dst, sport, dport, payload, missing: 0, time: Timestamp::from_secs(1000) }
}

/// Shows one flow its segments, and ends it; gives all that was sighted.
fn sighted(names: &mut Names, segments: &[Segment<'_>]) -> Vec<Sighting> {
    let mut watch = Watch::default();
    let mut found: Vec<_> = segments.iter().filter_map(|segment| names.see(&mut watch, segment)).collect();
    found.extend(names.forget(watch));
    assert_eq!(names.held(), 0);
    found
}

fn look(segments: &[Segment<'_>]) -> (Vec<(String, NameSource)>, Counts) {
    let mut names = Names::new(Limits::default());
    let found = sighted(&mut names, segments);
    (found.into_iter().map(|seen| (seen.name.text.into(), seen.name.from)).collect(), names.counts())
}

fn tcp<'a>(pieces: &[(u32, &'a [u8])]) -> Vec<Segment<'a>> {
    pieces.iter().map(|(at, piece)| segment(Way::There, Carrier::Tcp(*at), piece)).collect()
}

fn named(name: &str, from: NameSource) -> Vec<(String, NameSource)> {
    vec![(name.to_owned(), from)]
}

/// `kind`, `data` as an extension (RFC 8446 section 4.2).
pub(crate) fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// RFC 6066 section 3.
pub(crate) fn server_name(name: &[u8]) -> Vec<u8> {
    let entry = [&[0][..], &(name.len() as u16).to_be_bytes(), name].concat();
    extension(0, &[&(entry.len() as u16).to_be_bytes(), &entry[..]].concat())
}

/// A `ClientHello` as a handshake message (RFC 8446 section 4.1.2); `cookie` is what DTLS has more.
pub(crate) fn hello(extensions: &[u8], cookie: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([4, 1, 2, 3, 4]);
    body.extend(cookie);
    body.extend([0, 4, 0x13, 0x01, 0x13, 0x02]);
    body.extend([1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[1, a, b, c][..], &body].concat()
}

/// A hello as large as one with a post-quantum key share.
fn large_hello(name: &str) -> Vec<u8> {
    hello(&[extension(51, &[9; 1250]), server_name(name.as_bytes()), extension(21, &[0; 300])].concat(), &[])
}

pub(crate) fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
}

#[test]
fn a_hello_in_one_segment() {
    let plain = record(&hello(&server_name(b"WWW.Example.COM"), &[]));
    let (found, counts) = look(&tcp(&[(1, &plain)]));
    assert_eq!(found, named("www.example.com", NameSource::Sni));
    assert_eq!(counts, Counts { hellos: 1, ..Counts::default() });
    let none = record(&hello(&extension(10, &[0, 2, 0, 29]), &[]));
    assert_eq!(look(&tcp(&[(1, &none)])), (vec![], Counts { hellos: 1, nameless: 1, ..Counts::default() }));
}

/// RFC 9849: the outer hello has the extension with the type `outer`.
#[test]
fn an_encrypted_hello_is_counted_and_its_name_marked() {
    let outer = extension(0xfe0d, &[0, 0, 1, 0, 1, 7, 0, 2, 1, 2, 0, 2, 3, 4]);
    let octets = record(&hello(&[server_name(b"front.example"), outer].concat(), &[]));
    let mut names = Names::new(Limits::default());
    let found = sighted(&mut names, &tcp(&[(1, &octets)]));
    assert!(matches!(&found[..], [Sighting { name: Name { from: NameSource::OuterSni, .. }, .. }]));
    assert_eq!(names.counts(), Counts { hellos: 1, encrypted: 1, ..Counts::default() });
}

#[test]
fn hostile_names_are_counted_and_not_repeated() {
    for hostile in [&b"a\r\nb"[..], b"<script>", b"\x1b[2J", b"a..b", b"", &[b'a'; 300], b"\xe2\x80\xae.example"] {
        let octets = record(&hello(&server_name(hostile), &[]));
        let (found, counts) = look(&tcp(&[(1, &octets)]));
        assert_eq!((found.len(), counts.rejected), (0, 1), "{hostile:?}");
        let request = [b"GET / HTTP/1.1\r\nHost: ", hostile, b"\r\n\r\n"].concat();
        assert_eq!(look(&tcp(&[(1, &request)])).0.iter().filter(|(name, _)| name.contains(['<', '\r'])).count(), 0);
    }
}

#[test]
fn a_hello_after_other_things() {
    let octets = record(&hello(&server_name(b"mail.example"), &[]));
    let talk = [
        segment(Way::Back, Carrier::Tcp(1), b"220 mail.example ESMTP\r\n"),
        segment(Way::There, Carrier::Tcp(1), b"EHLO client\r\n"),
        segment(Way::Back, Carrier::Tcp(25), b"250 STARTTLS\r\n"),
        segment(Way::There, Carrier::Tcp(14), b"STARTTLS\r\n"),
        segment(Way::Back, Carrier::Tcp(39), b"S"),
        segment(Way::There, Carrier::Tcp(24), &octets),
    ];
    assert_eq!(look(&talk).0, named("mail.example", NameSource::Sni));
    let tunnel = [
        segment(Way::There, Carrier::Tcp(1), b"CONNECT far.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n"),
        segment(Way::Back, Carrier::Tcp(1), b"HTTP/1.1 200 OK\r\n\r\n"),
        segment(Way::There, Carrier::Tcp(56), &octets),
    ];
    let both = [named("far.example", NameSource::Host), named("mail.example", NameSource::Sni)].concat();
    assert_eq!(look(&tunnel).0, both);
}

/// What a snap length or a lost segment leaves of a hello can still have the name.
#[test]
fn a_hello_that_is_not_whole() {
    let octets = record(&hello(&[server_name(b"www.example.com"), extension(21, &[0; 500])].concat(), &[]));
    let (part, _) = octets.split_at(120);
    let snapped = Segment { missing: octets.len() as u32 - 120, ..segment(Way::There, Carrier::Tcp(1), part) };
    assert_eq!(look(&[snapped]).0, named("www.example.com", NameSource::Sni));
    assert_eq!(look(&tcp(&[(1, part)])).0, named("www.example.com", NameSource::Sni), "the rest was lost");
    let (before, _) = octets.split_at(60);
    let (found, counts) = look(&tcp(&[(1, before)]));
    assert_eq!((found, counts.given_up), (vec![], 1));
}

#[test]
fn hosts_of_requests() {
    let host = |request: &[u8]| look(&tcp(&[(1, request)])).0;
    let is = |name| named(name, NameSource::Host);
    assert_eq!(host(b"GET / HTTP/1.1\r\nAccept: */*\r\nhOsT:  Example.com:8080 \r\n\r\n"), is("example.com"));
    assert_eq!(host(b"GET http://user@a.example:80/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n"), is("a.example"));
    assert_eq!(host(b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"), is("[2001:db8::1]"));
    assert_eq!(host(b"GET / HTTP/1.0\r\n\r\n"), []);
    assert_eq!(host(b"GET / something else\r\nHost: example.com\r\n\r\n"), []);
    // RFC 9113 section 3.4, with settings and the first request of RFC 7541 appendix C.4.1.
    let frames = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x11\x01\x04\0\0\0\x01"[..],
        &[0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff],
    ];
    assert_eq!(host(&frames.concat()), is("www.example.com"));
}

/// RFC 9147 section 5.2: fragments in records of their own.
fn dtls(message: &[u8], pieces: &[(usize, usize)]) -> Vec<Vec<u8>> {
    let body = &message[4..];
    let three = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
    let piece = |&(start, end): &(usize, usize)| {
        let fragment =
            [vec![1], three(body.len()), vec![0, 0], three(start), three(end - start), body[start..end].to_vec()];
        let fragment = fragment.concat();
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(fragment.len() as u16).to_be_bytes(), &fragment].concat()
    };
    pieces.iter().map(piece).collect()
}

#[test]
fn a_hello_of_dtls() {
    let message = hello(&server_name(b"turn.example"), &[2, 8, 8]);
    let body = message.len() - 4;
    for pieces in [&[(0, body)][..], &[(50, body), (0, 50)], &[(0, 30), (20, 70), (60, body)]] {
        let datagrams = dtls(&message, pieces);
        let segments: Vec<_> = datagrams.iter().map(|one| segment(Way::There, Carrier::Udp, one)).collect();
        assert_eq!(look(&segments).0, named("turn.example", NameSource::Sni), "{pieces:?}");
    }
}

fn octets<const N: usize>(hex: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

/// The CRYPTO frame of RFC 9001 appendix A.2.
const FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c0000041301130201\
    0000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e00050005010000\
    0000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e04\
    03050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff08011001048000\
    75300901100f088394c8f03e51570806048000ffff";

/// The client's first packets of RFC 9001 and RFC 9369, appendix A.2: sealed here, compared with how the documents begin
/// and end them, and read.
#[test]
fn initial_packets_of_the_specifications() {
    let ends = [
        ("c000000001088394c8f03e5157080000449e7b9aec34", "e221af44860018ab0856972e194cd934"),
        ("d76b3343cf088394c8f03e5157080000449ea0c95e82", "a18b2faa745b6fe189cf772a9f84cbfc"),
    ];
    for (keys, (begin, end)) in VERSIONS.iter().zip(ends) {
        let mut frames = octets::<245>(FRAME).to_vec();
        frames.resize(1162, 0);
        let packet = keys.seal(2, &frames);
        assert_eq!(
            (packet.len(), &packet[..22], &packet[1184..]),
            (1200, &octets::<22>(begin)[..], &octets::<16>(end)[..])
        );
        let found = look(&[segment(Way::There, Carrier::Udp, &packet)]).0;
        assert_eq!(found, named("example.com", NameSource::Quic));
        let mut broken = packet;
        broken[700] ^= 1;
        assert_eq!(look(&[segment(Way::There, Carrier::Udp, &broken)]).0, [], "what is not authentic is nothing");
    }
}

fn crypto(message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let number = |value: usize| (0x4000 | value as u16).to_be_bytes();
    [&[6][..], &number(range.start), &number(range.len()), &message[range]].concat()
}

/// A table of tags and values as Google's QUIC has it, in a packet of version 43.
#[test]
fn the_name_in_googles_quic() {
    let values = [(b"PAD\0", &b"--"[..]), (b"SNI\0", b"www.google.com"), (b"VER\0", b"Q043")];
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, value) in values {
        data.extend(value);
        index.extend(tag);
        index.extend((data.len() as u32).to_le_bytes());
    }
    let header = [&[0x0d][..], &[5; 8], b"Q043", &[1], &[0; 12], &[0xa0, 1, 0, 4], b"CHLO", &[3, 0, 0, 0]].concat();
    let datagram = [header, index, data].concat();
    let found = look(&[segment(Way::There, Carrier::Udp, &datagram)]).0;
    assert_eq!(found, named("www.google.com", NameSource::Quic));
}

/// A message with one question and answers as they are given, each after its name (RFC 1035 section 4).
fn message(question: &[u8], answers: &[&[u8]]) -> Vec<u8> {
    let header = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0];
    [&header[..], question, &[0, 1, 0, 1], &answers.concat()].concat()
}

fn resource(name: &[u8], kind: u8, ttl: u32, data: &[u8]) -> Vec<u8> {
    [name, &[0, kind, 0, 1], &ttl.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data].concat()
}

/// `www.Example.com`, an alias of `a.cdn.example.com`, which has two addresses; and a name that was not asked for.
fn answer() -> Vec<u8> {
    let alias = resource(&[0xc0, 12], 5, 60, b"\x01a\x03cdn\xc0\x10");
    // The alias stands after the header, the question and the fixed part of its own record.
    let at = [0xc0, 12 + 17 + 4 + 12];
    let four = resource(&at, 1, 300, &[203, 0, 113, 7]);
    let six = resource(&at, 28, 30, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    let other = resource(b"\x05other\x07example\0", 1, 300, &[203, 0, 113, 9]);
    message(b"\x03www\x07Example\x03com\0", &[&alias, &four, &six, &other])
}

fn response(payload: &[u8], carrier: Carrier) -> Segment<'_> {
    Segment { sport: 53, ..segment(Way::Back, carrier, payload) }
}

#[test]
fn answers_name_addresses_for_the_client_that_asked() {
    let octets = answer();
    let read = Response::read(&octets).unwrap();
    assert_eq!((read.question.as_deref(), read.records.len()), (Some("www.example.com"), 4));
    let mut names = Names::new(Limits::default());
    let client = addr("192.0.2.1");
    let mut watch = Watch::default();
    names.see(&mut watch, &response(&octets, Carrier::Udp));
    let at = |address: &str, secs: u64| {
        let time = Timestamp(1000 * Timestamp::SECOND + secs * Timestamp::SECOND);
        let answer = names.answers().get(client, addr(address), time)?;
        Some((answer.name.to_string(), answer.aliases.iter().map(ToString::to_string).collect::<Vec<_>>()))
    };
    let www = Some(("www.example.com".to_owned(), vec!["a.cdn.example.com".to_owned()]));
    let grace = GRACE / Timestamp::SECOND;
    // The alias holds for a minute, the address for five: the less.
    assert_eq!(at("203.0.113.7", 0), www);
    assert_eq!(at("203.0.113.7", 60 + grace), www);
    assert_eq!(at("203.0.113.7", 61 + grace), None);
    assert_eq!(at("2001:db8::7", 30 + grace), www);
    assert_eq!(at("2001:db8::7", 31 + grace), None);
    assert_eq!(at("203.0.113.9", 0), None, "it was not asked for");
    assert!(names.answers().get(addr("192.0.2.2"), addr("203.0.113.7"), Timestamp::from_secs(1000)).is_none());
}

#[test]
fn neighbours_and_queries_name_nothing() {
    let octets = answer();
    let mut names = Names::new(Limits::default());
    for port in [5353, 5355] {
        names.see(&mut Watch::default(), &Segment { sport: port, dport: port, ..response(&octets, Carrier::Udp) });
    }
    let mut query = octets.clone();
    query[2] &= 0x7f;
    names.see(&mut Watch::default(), &response(&query, Carrier::Udp));
    assert!(names.answers().is_empty());
}

/// RFC 1035 section 4.1.4: pointers go back. Those that go round are no names.
#[test]
fn pointers_that_go_round() {
    let record = resource(&[0xc0, 29], 1, 60, &[1, 2, 3, 4]);
    let octets = message(b"\x01a\x07example\0", &[&record]);
    assert_eq!(Response::read(&octets).map(|read| read.records), Some(vec![]));
    let octets = message(&[1, b'a', 0xc0, 12], &[]);
    assert_eq!(Response::read(&octets), None);
}

#[test]
fn what_is_held_has_a_limit() {
    let octets = record(&large_hello("www.example.com"));
    let (part, _) = octets.split_at(1400);
    let mut names = Names::new(Limits { octets_max: 100_000, answers_max: 10, ..Limits::default() });
    let mut watches = vec![Watch::default(); 1000];
    for watch in &mut watches {
        names.see(watch, &segment(Way::There, Carrier::Tcp(1), part));
        assert!(names.held() <= 100_000);
    }
    let crowded = names.counts().crowded_out;
    assert!((900..1000).contains(&crowded), "{crowded}");
    // The latest are still there.
    let rest = segment(Way::There, Carrier::Tcp(1401), &octets[1400..]);
    assert!(names.see(&mut watches[0], &rest).is_none() && watches[0].is_done());
    assert!(names.see(&mut watches[999], &rest).is_some() && watches[999].is_done());
    for watch in watches {
        names.forget(watch);
    }
    assert_eq!(names.held(), 0);
    for at in 0..100 {
        let one = resource(&[0xc0, 12], 1, 60, &[203, 0, 113, at]);
        names.see(&mut Watch::default(), &response(&message(b"\x01a\x07example\0", &[&one]), Carrier::Udp));
    }
    assert_eq!((names.answers().len(), names.counts().answers_evicted), (10, 90));
    let known = |at| names.answers().get(addr("192.0.2.1"), Addr::v4([203, 0, 113, at]), Timestamp::from_secs(1000));
    assert!(known(89).is_none() && known(90).is_some());
}

/// Cuts `whole` at `cuts`, wherever they fall.
fn cut(whole: &[u8], cuts: &[prop::sample::Index]) -> Vec<std::ops::Range<usize>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len())).chain([0, whole.len()]).collect();
    at.sort_unstable();
    at.dedup();
    at.windows(2).map(|two| two[0]..two[1]).collect()
}

fn cuts(most: usize) -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Records and segments cut anywhere, some repeated, some overlapping, the first among the first three, the others in
    /// any order, from any sequence number, with the other side talking between.
    #[test]
    fn a_hello_over_records_and_segments(
        records in cuts(6),
        segments in cuts(30),
        order in prop::collection::vec(any::<u16>(), 40),
        first in 0_usize..3,
        longer in prop::collection::vec(0_usize..20, 40),
        start in any::<u32>(),
    ) {
        let message = large_hello("www.example.com");
        let stream: Vec<u8> = cut(&message, &records).into_iter().flat_map(|range| record(&message[range])).collect();
        let mut pieces: Vec<_> = cut(&stream, &segments).into_iter().zip(longer).collect();
        let head = pieces.remove(0);
        let mut keyed: Vec<_> = pieces.into_iter().zip(order).collect();
        keyed.sort_by_key(|(_, key)| *key);
        let mut pieces: Vec<_> = keyed.into_iter().map(|(piece, _)| piece).collect();
        pieces.insert(first.min(pieces.len()), head);
        let mut shown = Vec::new();
        for (range, longer) in pieces {
            let end = (range.end + longer).min(stream.len());
            shown.push(segment(Way::There, Carrier::Tcp(start.wrapping_add(range.start as u32)), &stream[range.start..end]));
        }
        prop_assert_eq!(look(&shown).0, named("www.example.com", NameSource::Sni));
    }

    /// CRYPTO frames cut anywhere, in any order, over packets that come in any order, alone or several in a datagram.
    #[test]
    fn a_hello_over_packets_of_quic(
        frames in cuts(24),
        packets in cuts(8),
        order in prop::collection::vec(any::<u16>(), 40),
        together in prop::collection::vec(any::<bool>(), 16),
        version in 0_usize..2,
        retry in any::<bool>(),
    ) {
        let message = large_hello("www.example.com");
        let mut pieces: Vec<_> = cut(&message, &frames).into_iter().zip(order).collect();
        pieces.sort_by_key(|(_, key)| *key);
        let pieces: Vec<_> = pieces.into_iter().map(|(range, _)| crypto(&message, range)).collect();
        let keys = &VERSIONS[version];
        let mut datagrams: Vec<Vec<u8>> = Vec::new();
        for ((number, range), together) in (0_u32..).zip(cut(&pieces.iter().map(|_| 0).collect::<Vec<u8>>(), &packets)).zip(together) {
            let mut plain = pieces[range].concat();
            plain.extend([1, 2, 5, 0, 0, 0]);
            plain.resize(plain.len() + 20, 0);
            let packet = keys.seal(number, &plain);
            match datagrams.last_mut() {
                Some(last) if together => last.extend(packet),
                _ => datagrams.push(packet),
            }
        }
        if retry {
            datagrams.insert(0, keys.seal(0, &crypto(&message, 0..7)));
        }
        let shown: Vec<_> = datagrams.iter().map(|one| segment(Way::There, Carrier::Udp, one)).collect();
        prop_assert_eq!(look(&shown).0, named("www.example.com", NameSource::Quic));
    }

    /// Requests cut anywhere.
    #[test]
    fn a_request_over_segments(segments in cuts(20)) {
        let request = b"POST /path HTTP/1.1\r\nAccept: text/html\r\nHost: www.example.com:8080\r\nContent-Length: 0\r\n\r\n";
        let pieces: Vec<_> = cut(request, &segments).into_iter().map(|range| (range.start as u32, &request[range])).collect();
        prop_assert_eq!(look(&tcp(&pieces)).0, named("www.example.com", NameSource::Host));
    }

    /// Answers over TCP, cut anywhere and in any order but for the first octets.
    #[test]
    fn answers_over_segments(segments in cuts(10), order in prop::collection::vec(any::<u16>(), 20)) {
        let one = answer();
        let two = message(b"\x01b\x07example\0", &[&resource(&[0xc0, 12], 1, 60, &[203, 0, 113, 50])]);
        let stream = [&one, &two].map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat()).concat();
        let mut pieces: Vec<_> = cut(&stream[14..], &segments).into_iter().zip(order).collect();
        pieces.sort_by_key(|(_, key)| *key);
        let mut shown = vec![response(&stream[..14], Carrier::Tcp(7))];
        let later = |range: std::ops::Range<usize>| (range.start as u32 + 21, range.start + 14..range.end + 14);
        let later: Vec<_> = pieces.into_iter().map(|(range, _)| later(range)).collect();
        shown.extend(later.iter().map(|(at, range)| response(&stream[range.clone()], Carrier::Tcp(*at))));
        let mut names = Names::new(Limits::default());
        sighted(&mut names, &shown);
        let name = |last| names.answers().get(addr("192.0.2.1"), Addr::v4([203, 0, 113, last]), Timestamp::from_secs(1000));
        prop_assert_eq!(name(7).map(|answer| &*answer.name), Some("www.example.com"));
        prop_assert_eq!(name(50).map(|answer| &*answer.name), Some("b.example"));
    }

    /// Whatever comes: no panic, no more held than may be, nothing left behind.
    #[test]
    fn hostile_segments(
        segments in prop::collection::vec((any::<bool>(), 0_u8..6, any::<u32>(), 0_u8..10, prop::collection::vec(any::<u8>(), 0..60), any::<u16>()), 0..60)
    ) {
        let mut names = Names::new(Limits { octets_max: 20_000, answers_max: 4, ..Limits::default() });
        let quic = VERSIONS[0].seal(0, &crypto(&large_hello("www.example.com"), 0..900));
        let seeds: [Vec<u8>; 10] = [
            vec![], record(&large_hello("a.example")), quic, answer(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x09\x01\0\0\0\0\x01\x41".to_vec(), dtls(&hello(&[], &[0]), &[(0, 30)]).concat(),
            [&[1, 0][..], &answer()].concat(), [&[0xd][..], &[0; 8], b"Q043CHLO"].concat(), vec![22, 3, 1, 0, 1, 1, 22, 3, 1],
        ];
        let mut watches = [Watch::default(); 6];
        for (there, flow, at, seed, noise, place) in segments {
            let mut payload = seeds[usize::from(seed)].clone();
            let place = usize::from(place) % (payload.len() + 1);
            payload.splice(place..(place + noise.len() / 4).min(payload.len()), noise);
            let carrier = if flow < 3 { Carrier::Tcp(at % 3000) } else { Carrier::Udp };
            let way = if there { Way::There } else { Way::Back };
            let mut shown = segment(way, carrier, &payload);
            if flow % 3 == 0 {
                (shown.sport, shown.dport) = if there { (40000, 53) } else { (53, 40000) };
            }
            shown.missing = u32::from(at % 50 == 0);
            names.see(&mut watches[usize::from(flow)], &shown);
            prop_assert!(names.held() <= 20_000);
            prop_assert!(names.answers().len() <= 4);
        }
        for watch in watches {
            names.forget(watch);
        }
        prop_assert_eq!(names.held(), 0);
    }
}
