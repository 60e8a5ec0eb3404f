//! Names in certificates, of servers that were asked for by none.

use std::fs::File;
use std::path::Path;

use landfall::model::{Addr, Batch, InputId, NameSource, Timestamp};
use landfall::source::{self, Options, Progress};
use landfall::wire::name::{Carrier, Limits, Names, Segment, Watch, Way};
use proptest::prelude::*;

use super::names::{hello, record, server_name};

/// A value of DER (X.690 section 8.1): tag, length, content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut octets = vec![tag];
    match content.len() {
        length @ 0..=127 => octets.push(length as u8),
        length @ 128..=255 => octets.extend([0x81, length as u8]),
        length => octets.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    octets.extend(content);
    octets
}

/// A certificate (RFC 5280 section 4.1) with a common name and alternative names, its signature left empty.
fn certificate(common: &str, alternatives: &[&str]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| der(0x30, parts);
    let attribute = sequence(&[&[6, 3, 0x55, 4, 3], &der(0x0c, &[common.as_bytes()])]);
    let subject = sequence(&[&der(0x31, &[&attribute])]);
    let issuer = sequence(&[&der(0x31, &[&sequence(&[&[6, 3, 0x55, 4, 3], &der(0x0c, &[b"issuer.example"])])])]);
    let names: Vec<Vec<u8>> = alternatives.iter().map(|name| der(0x82, &[name.as_bytes()])).collect();
    // An address among them comes first and is no name.
    let address = der(0x87, &[&[192, 0, 2, 1]]);
    let names = sequence(&[&address, &names.concat()]);
    let extension = sequence(&[&[6, 3, 0x55, 0x1d, 0x11], &[1, 1, 0xff], &der(4, &[&names])]);
    let usage = sequence(&[&[6, 3, 0x55, 0x1d, 0x0f], &der(4, &[&[3, 2, 5, 0xa0]])]);
    let extensions = der(0xa3, &[&sequence(&[&usage, &extension])]);
    let version = der(0xa0, &[&[2, 1, 2]]);
    let algorithm = sequence(&[&[6, 3, 0x2a, 3, 4]]);
    let validity = sequence(&[&der(0x17, &[b"240101000000Z"]), &der(0x17, &[b"250101000000Z"])]);
    let key = sequence(&[&algorithm, &der(3, &[&[0; 200]])]);
    let extensions: &[u8] = if alternatives.is_empty() { &[] } else { &extensions };
    let signed = sequence(&[&version, &[2, 1, 7], &algorithm, &issuer, &validity, &subject, &key, extensions]);
    sequence(&[&signed, &algorithm, &der(3, &[&[0; 64]])])
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

fn in_record(messages: &[u8]) -> Vec<u8> {
    [&[22, 3, 3][..], &(messages.len() as u16).to_be_bytes(), messages].concat()
}

fn server_hello() -> Vec<u8> {
    message(2, &[&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat())
}

fn chain(certificate: &[u8]) -> Vec<u8> {
    let length = |octets: &[u8]| (octets.len() as u32).to_be_bytes()[1..].to_vec();
    let own = [&length(certificate)[..], certificate].concat();
    let all = [&own[..], &own].concat();
    message(11, &[&length(&all)[..], &all].concat())
}

fn segment(way: Way, sequence: u32, payload: &[u8]) -> Segment<'_> {
    let (client, server) = (Addr::v4([192, 0, 2, 1]), Addr::v4([198, 51, 100, 1]));
    let ((src, sport), (dst, dport)) = match way {
        Way::There => ((client, 40000), (server, 443)),
        Way::Back => ((server, 443), (client, 40000)),
    };
    let time = Timestamp::from_secs(1000);
    Segment { way, carrier: Carrier::Tcp(sequence), src, dst, sport, dport, payload, missing: 0, time }
}

/// The name of a flow, who asked for it by that, and how it was seen.
fn look(segments: &[Segment<'_>]) -> Option<(String, Way, NameSource)> {
    let (mut names, mut watch) = (Names::new(Limits::default()), Watch::default());
    let mut last = None;
    for segment in segments {
        last = names.see(&mut watch, segment).or(last);
    }
    last = names.forget(watch).or(last);
    assert_eq!(names.held(), 0);
    last.map(|seen| (seen.name.text.into(), seen.asked, seen.name.from))
}

#[expect(clippy::unnecessary_wraps, reason = "what is seen is compared with it")]
fn named(name: &str) -> Option<(String, Way, NameSource)> {
    Some((name.to_owned(), Way::There, NameSource::Certificate))
}

#[test]
fn a_certificate_names_a_server_that_was_asked_for_by_none() {
    let nameless = record(&hello(&[], &[]));
    let own = certificate("Example Server", &["www.example.com", "example.com"]);
    let flight = in_record(&[server_hello(), chain(&own)].concat());
    let seen = |flight: &[u8]| look(&[segment(Way::There, 1, &nameless), segment(Way::Back, 1, flight)]);
    assert_eq!(seen(&flight), named("www.example.com"));
    // A record for each message, and one message over several.
    let each = [in_record(&server_hello()), in_record(&chain(&own))].concat();
    assert_eq!(seen(&each), named("www.example.com"));
    let messages = [server_hello(), chain(&own)].concat();
    let cut: Vec<u8> = messages.chunks(100).flat_map(in_record).collect();
    assert_eq!(seen(&cut), named("www.example.com"));
    // Over segments, in another order.
    let (head, tail) = flight.split_at(90);
    let (middle, tail) = tail.split_at(100);
    let hello = segment(Way::There, 1, &nameless);
    let pieces = [segment(Way::Back, 1, head), segment(Way::Back, 191, tail), segment(Way::Back, 91, middle)];
    assert_eq!(look(&[&[hello][..], &pieces].concat()), named("www.example.com"));
    // Nothing was seen of the client.
    assert_eq!(look(&[segment(Way::Back, 1, &flight)]), named("www.example.com"));
}

#[test]
fn what_the_client_said_prevails() {
    let asked = record(&hello(&server_name(b"asked.example"), &[]));
    let flight = in_record(&[server_hello(), chain(&certificate("x", &["www.example.com"]))].concat());
    let sni = Some(("asked.example".to_owned(), Way::There, NameSource::Sni));
    assert_eq!(look(&[segment(Way::There, 1, &asked), segment(Way::Back, 1, &flight)]), sni);
    // The hello was captured late.
    let (head, tail) = flight.split_at(90);
    let late = [segment(Way::Back, 1, head), segment(Way::There, 1, &asked), segment(Way::Back, 91, tail)];
    assert_eq!(look(&late), sni);
}

#[test]
fn a_common_name_is_a_name_where_a_host_can_have_it() {
    let seen = |common: &str| {
        let flight = in_record(&[server_hello(), chain(&certificate(common, &[]))].concat());
        look(&[segment(Way::Back, 1, &flight)])
    };
    assert_eq!(seen("Server.Example.COM"), named("server.example.com"));
    for none in ["Example Server", "", "<b>", "a\u{202e}b"] {
        assert_eq!(seen(none), None, "{none:?}");
    }
    // A name that goes into no report does not go into one from here.
    let flight = in_record(&[server_hello(), chain(&certificate("good.example", &["bad\nname"]))].concat());
    assert_eq!(look(&[segment(Way::Back, 1, &flight)]), None);
}

#[test]
fn what_is_encrypted_or_resumed_says_no_name() {
    let cipher_change = [20, 3, 3, 0, 1, 1];
    let resumed = [&in_record(&server_hello())[..], &cipher_change, &[22, 3, 3, 0, 4, 9, 9, 9, 9]].concat();
    assert_eq!(look(&[segment(Way::Back, 1, &resumed)]), None);
    let encrypted = [&in_record(&server_hello())[..], &[23, 3, 3, 0, 4, 9, 9, 9, 9]].concat();
    assert_eq!(look(&[segment(Way::Back, 1, &encrypted)]), None);
}

proptest! {
    #[test]
    fn a_certificate_of_a_stranger_is_read_or_not(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut flight = in_record(&[server_hello(), chain(&certificate("a.example", &["www.example.com"]))].concat());
        for (at, octet) in flips {
            let at = at.index(flight.len());
            flight[at] = octet;
        }
        let (head, tail) = flight.split_at(cut.index(flight.len()));
        let seen = look(&[segment(Way::Back, 1, head), segment(Way::Back, 1 + head.len() as u32, tail)]);
        if let Some((name, ..)) = seen {
            prop_assert!(name.bytes().all(|octet| octet.is_ascii_graphic()), "{name:?}");
        }
    }
}

/// A capture, the client's port, and `x509ce.dNSName` or else the subject's common name, as tshark 4.6.9 shows it in the frame
/// with the certificate.
const TRUTH: [(&str, u16, &str); 4] = [
    // Frame 58: no alternative names, `Kakao.com`.
    ("ndpi/KakaoTalk_talk.pcap", 58857, "kakao.com"),
    // Frame 19, after STARTTLS.
    ("ndpi/imap-starttls.pcap", 49640, "imap.gmx.net"),
    // Frame 7: no alternative names.
    ("ndpi/ja3_lots_of_cipher_suites.pcap", 58657, "xrx9c934e949fef.local"),
    // Frame 12.
    ("ndpi/psiphon3.pcap", 40557, "sni.cloudflaressl.com"),
];

#[test]
fn real_certificates_agree_with_tshark() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/captures");
    if !captures.is_dir() {
        println!("skipped: ../shared/corpus/captures is not there");
        return;
    }
    for (name, port, expected) in TRUTH {
        let file = Box::new(File::open(captures.join(name)).unwrap());
        let mut source = source::open(InputId(0), name, file, &Options::default()).unwrap();
        let mut batch = Batch::default();
        while source.read(&mut batch).unwrap() != Progress::End {}
        let record = batch.records.iter().find(|record| record.sport == port).unwrap();
        let found = record.name.and_then(|id| batch.name(id)).map(|name| (&*name.text, name.from));
        assert_eq!(found, Some((expected, NameSource::Certificate)), "{name}");
    }
}
