//! Link layers and the headers between Ethernet and IP, written by hand from their specifications.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use landfall::model::Skip;
use landfall::wire::{LinkType, Note, dissect};

/// An IPv4 header of 28 octets with UDP from port 5353 to 53 and no payload.
const IP: [u8; 28] =
    [0x45, 0, 0, 28, 0, 7, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, 0x14, 0xe9, 0, 53, 0, 8, 0, 0];
const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

fn ip6() -> Vec<u8> {
    let mut octets = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    octets.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    octets.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    octets.extend([0x14, 0xe9, 0, 53, 0, 8, 0, 0]);
    octets
}

fn ethernet(ether_type: u16, rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes()[..], rest].concat()
}

/// That what follows `head` is read.
fn reads(link: u32, head: &[u8]) {
    let frame = [head, &IP].concat();
    let packet = dissect(LinkType(link), &frame, frame.len() as u32).map_err(|unread| (link, unread)).unwrap();
    assert_eq!((packet.sport, packet.dport, packet.octets), (5353, 53, 28), "link type {link}: {head:02x?}");
    assert!(packet.caveats.is_empty(), "link type {link}: {:?}", packet.caveats);
}

fn reads6(link: u32, head: &[u8]) {
    let frame = [head, &ip6()].concat();
    let packet = dissect(LinkType(link), &frame, frame.len() as u32).map_err(|unread| (link, unread)).unwrap();
    assert_eq!((packet.sport, packet.octets), (5353, 48), "link type {link}: {head:02x?}");
}

fn skips(link: u32, octets: &[u8]) -> (Skip, Option<Note>) {
    let unread = dissect(LinkType(link), octets, octets.len() as u32).unwrap_err();
    (unread.skip, unread.note)
}

/// `head` filled up with zeros before `tail`.
fn fill(head: &[u8], length: usize, tail: &[u8]) -> Vec<u8> {
    let mut octets = head.to_vec();
    octets.resize(length, 0);
    octets.extend(tail);
    octets
}

#[test]
fn link_types_of_lines_and_rings() {
    for link in [9, 50, 166, 204] {
        let direction: &[u8] = if link == 166 || link == 204 { &[1] } else { &[] };
        // With address and control; without; and with the protocol in one octet.
        reads(link, &[direction, &[0xff, 0x03, 0x00, 0x21]].concat());
        reads(link, &[direction, &[0x00, 0x21]].concat());
        reads(link, &[direction, &[0x21]].concat());
        reads6(link, &[direction, &[0xff, 0x03, 0x00, 0x57]].concat());
        let control = [direction, &[0xff, 0x03, 0xc0, 0x21], &[1, 1, 0, 4]].concat();
        assert_eq!(skips(link, &control), (Skip::NotIp, None), "LCP");
        let multilink = [direction, &[0xff, 0x03, 0x00, 0x3d], &[0; 40]].concat();
        assert_eq!(skips(link, &multilink), (Skip::Encapsulated, Some(Note::Ppp(0x3d))));
    }
    reads(51, &[0x11, 0, 0, 7, 0, 30, 0, 0x21]);
    reads(104, &[0x0f, 0, 0x08, 0]);
    reads6(104, &[0x8f, 0, 0x86, 0xdd]);
    reads(9, &[0x0f, 0, 0x08, 0]);
    assert_eq!(skips(104, &fill(&[0x8f, 0, 0x80, 0x35], 40, &[])).0, Skip::NotIp, "SLARP");
    // Frame relay: two octets of address and four, NLPID, SNAP, and Cisco's.
    reads(107, &[0x18, 0x41, 0x03, 0xcc]);
    reads6(107, &[0x18, 0x41, 0x03, 0x8e]);
    reads(107, &[0x18, 0x40, 0x02, 0x01, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0]);
    reads(107, &[0x18, 0x41, 0x08, 0]);
    reads(6, &[&[0x10, 0x40, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3][..], &SNAP].concat());
    reads(6, &[&[0x10, 0x40, 2, 2, 2, 2, 2, 2, 0x83, 3, 3, 3, 3, 3, 0x04, 0x30, 0, 1][..], &SNAP].concat());
    reads(10, &[&[0x50, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3][..], &SNAP].concat());
    assert_eq!(skips(10, &fill(&[0x4f], 60, &[])).0, Skip::NotIp, "station management");
    reads(7, &[1, 2, 0xf0]);
    reads(7, &[1, 2, 0xd4, 0, 0, 1]);
    reads(129, &[1, 2, 0, 0, 0xd4, 0xff, 0xff, 0xff, 0xff, 0, 0, 1]);
    reads6(129, &[1, 2, 0, 0, 0xc4, 0, 0, 1]);
    assert_eq!(skips(129, &fill(&[1, 2, 0, 0, 0xd4, 2, 0, 1], 60, &[])).0, Skip::Encapsulated, "a later part");
    reads(100, &SNAP);
    reads(100, &[0xfe, 0xfe, 3, 0xcc]);
    reads(122, &fill(&[], 16, &SNAP));
    reads(123, &[&[2, 0, 0, 32][..], &SNAP].concat());
    reads(138, &fill(&[], 16, &[0x08, 0]));
    reads(242, &fill(&[], 40, &[0x08, 0, 0, 0]));
}

#[test]
fn link_types_of_capture_programs() {
    reads(226, &fill(&[1, 2], 24, &[]));
    reads6(226, &fill(&[1, 26], 24, &[]));
    reads(117, &fill(&[61, 2], 64, &[]));
    reads(109, &fill(&[2, 0, 0, 0], 12, &[]));
    reads6(109, &fill(&[0, 0, 0, 24], 12, &[]));
    let packet = ethernet(0x0800, &[]);
    reads(258, &fill(&[108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], 108, &packet));
    reads(149, &fill(&[108, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0], 108, &[]));
    reads(192, &[&[0, 0, 8, 0, 1, 0, 0, 0][..], &packet].concat());
    reads(240, &fill(&[], 4, &packet));
    // Netfilter: a mark of three octets and a pad, then the packet, in both orders; and the type where there is no family.
    reads(239, &[2, 0, 0, 1, 7, 0, 2, 0, 1, 1, 1, 0, 32, 0, 9, 0]);
    reads(239, &[2, 0, 0, 1, 0, 7, 0, 2, 1, 1, 1, 0, 0, 32, 0, 9]);
    reads(239, &[7, 0, 0, 1, 8, 0, 1, 0, 0x08, 0, 0, 0, 32, 0, 9, 0]);
    // One that contains itself without end is not followed for ever.
    assert_eq!(skips(192, &[0, 0, 8, 0, 192, 0, 0, 0].repeat(100)), (Skip::Encapsulated, Some(Note::Nested)));
    assert_eq!(skips(231, &[0; 40]), (Skip::NotIp, Some(Note::LinkType(LinkType(231)))));
}

#[test]
fn wireless_frames() {
    let to = fill(&[0x08, 0x01], 24, &SNAP);
    let quality = fill(&[0x88, 0x02], 26, &SNAP);
    let bridged = fill(&[0x88, 0x83], 36, &SNAP);
    for frame in [&to, &quality, &bridged] {
        reads(105, frame);
        reads(127, &[&[0, 0, 8, 0, 0, 0, 0, 0], &frame[..]].concat());
        reads(119, &[&fill(&[0x44, 0, 0, 0, 144], 144, &[]), &frame[..]].concat());
        reads(119, &[&fill(&[0, 0, 0, 0x44, 0, 0, 0, 144], 144, &[]), &frame[..]].concat());
        reads(119, &[&fill(&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], 64, &[]), &frame[..]].concat());
        reads(163, &[&fill(&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], 64, &[]), &frame[..]].concat());
        reads(192, &[&[0, 0, 8, 0, 105, 0, 0, 0], &frame[..]].concat());
        // In a cooked capture.
        reads(113, &[&fill(&[0, 0, 0x03, 0x21], 16, &[]), &frame[..]].concat());
    }
    // A time and flags, of which one is that the header is filled up to four octets: two after 26.
    let padded = fill(&[0x88, 0x02], 28, &SNAP);
    reads(127, &[&[0, 0, 17, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20], &padded[..]].concat());
    reads(127, &[&[0, 0, 13, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0x20], &padded[..]].concat());
    // An aggregate of one part, and of two.
    let part = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 36][..], &SNAP].concat();
    reads(105, &fill(&[0x88, 0x02], 24, &[&[0x80, 0], &part[..]].concat()));
    let two = [&[0x80, 0], &part[..], &IP, &[0, 0], &part[..], &IP].concat();
    assert_eq!(skips(105, &fill(&[0x88, 0x02], 24, &two)), (Skip::Encapsulated, Some(Note::Aggregate80211)));
    for (frame, expected) in [
        ([0x80, 0], (Skip::NotIp, None)),
        ([0xd4, 0], (Skip::NotIp, None)),
        ([0x48, 1], (Skip::NotIp, None)),
        ([0x08, 0x41], (Skip::Encapsulated, Some(Note::Encrypted80211))),
    ] {
        assert_eq!(skips(105, &fill(&frame, 60, &[])), expected, "{frame:02x?}");
    }
}

#[test]
fn tags_and_labels() {
    let inner = ethernet(0x0800, &[]);
    let frames = [
        // A label; a stack of two; explicit null.
        ethernet(0x8847, &[0, 1, 0x41, 64]),
        ethernet(0x8848, &[0, 1, 0x40, 64, 0, 2, 0x41, 64]),
        ethernet(0x8847, &[0, 0, 0x01, 64]),
        // A pseudowire with a control word, and without one.
        ethernet(0x8847, &[&[0, 1, 0x41, 64, 0, 0, 0, 0], &inner[..]].concat()),
        ethernet(0x8847, &[&[0, 1, 0x41, 64], &inner[..]].concat()),
        ethernet(0x8864, &[0x11, 0, 0, 7, 0, 30, 0, 0x21]),
        ethernet(0x88e7, &[&[0, 0, 0, 9], &inner[..]].concat()),
        ethernet(0x8926, &[0, 1, 0, 1, 0x81, 0, 0, 5, 0x08, 0]),
        ethernet(0x893f, &[0, 1, 0, 1, 0, 0, 0x08, 0]),
        ethernet(0x8903, &[&[0, 0x40], &inner[..]].concat()),
        ethernet(0x22f3, &[&[0x00, 0x3f, 0, 1, 0, 2], &inner[..]].concat()),
        ethernet(0x22f3, &[&[0x00, 0x7f, 0, 1, 0, 2, 0, 0, 0, 0], &inner[..]].concat()),
        // Integrity alone, with and without the channel's identifier.
        ethernet(0x88e5, &[0, 0, 0, 0, 0, 1, 0x08, 0]),
        ethernet(0x88e5, &[0x20, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 1, 0x08, 0]),
        // Service function chain: of type 2 with nothing, IP; then Ethernet.
        ethernet(0x894f, &[0x0f, 0xc2, 2, 1, 0, 0, 1, 255]),
        ethernet(0x894f, &[&[0x0f, 0xc2, 2, 3, 0, 0, 1, 255], &inner[..]].concat()),
        ethernet(0x6558, &inner),
    ];
    for frame in frames {
        reads(1, &frame);
    }
    reads6(1, &ethernet(0x8847, &[0, 0, 0x21, 64]));
    let sealed = ethernet(0x88e5, &fill(&[0x0c], 60, &[]));
    assert_eq!(skips(1, &sealed), (Skip::Encapsulated, Some(Note::EtherType(0x88e5))));
    assert_eq!(
        skips(1, &ethernet(0x8847, &fill(&[0, 1, 0x41, 64, 0x10], 40, &[]))).0,
        Skip::NotIp,
        "of the path itself"
    );
    assert_eq!(skips(1, &ethernet(0x8847, &[0; 400])).0, Skip::CutHeader, "a stack without a bottom");
    assert_eq!(skips(1, &ethernet(0x8864, &fill(&[0x11, 0xa7], 40, &[]))).0, Skip::NotIp, "the end of a session");
}
