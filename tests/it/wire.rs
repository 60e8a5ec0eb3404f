//! Dissection: lengths, ports and payload reckoned by hand from the RFCs.

use landfall::model::{Addr, Caveat, Protocol, Skip, Tunnel};
use landfall::wire::{self, Caveats, LinkType, Note, Packet, Unread};
use proptest::prelude::*;

const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [198, 51, 100, 2];
const A6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ethernet(ether_type: u16, rest: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes(), rest])
}

/// An IPv4 header without options and what follows; `flags` is the word of flags and fragment offset.
fn ip4(protocol: u8, total: u16, flags: u16, rest: &[u8]) -> Vec<u8> {
    let [t0, t1] = total.to_be_bytes();
    let [f0, f1] = flags.to_be_bytes();
    join(&[&[0x45, 0, t0, t1, 0, 7, f0, f1, 64, protocol, 0, 0], &A, &B, rest])
}

fn ip6(next: u8, length: u16, rest: &[u8]) -> Vec<u8> {
    let [l0, l1] = length.to_be_bytes();
    join(&[&[0x60, 0, 0, 0, l0, l1, next, 64], &A6, &B6, rest])
}

/// A TCP header of `words` 32-bit words, from port 40000 to 443.
fn tcp(words: u8, flags: u8, payload: usize) -> Vec<u8> {
    let options = vec![1; usize::from(words) * 4 - 20];
    let fixed = [0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, words << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
    join(&[&fixed, &options, &vec![0x5a; payload]])
}

/// A UDP header from port 5353 to 53 that says `length`.
fn udp(length: u16, payload: usize) -> Vec<u8> {
    let [l0, l1] = length.to_be_bytes();
    join(&[&[0x14, 0xe9, 0, 53, l0, l1, 0, 0], &vec![0x5a; payload]])
}

fn dissect(link: LinkType, octets: &[u8], original_length: u32) -> Result<Packet, Unread> {
    wire::dissect(link, octets, original_length).map(|found| found.packet)
}

fn read(link: LinkType, octets: &[u8]) -> Packet {
    dissect(link, octets, octets.len() as u32).unwrap()
}

fn skipped(link: LinkType, octets: &[u8]) -> Unread {
    dissect(link, octets, octets.len() as u32).unwrap_err()
}

fn caveats(members: &[Caveat]) -> Caveats {
    let mut set = Caveats::NONE;
    for member in members {
        set.set(*member);
    }
    set
}

#[test]
fn a_tcp_packet_is_read_whole() {
    // 20 of IP, 32 of TCP with options, 100 of payload.
    let packet = read(LinkType::ETHERNET, &ethernet(0x0800, &ip4(6, 152, 0x4000, &tcp(8, 0x18, 100))));
    let expected = Packet {
        src: Addr::v4(A),
        dst: Addr::v4(B),
        protocol: Protocol::TCP,
        sport: 40000,
        dport: 443,
        octets: 152,
        payload: 100,
        sequence: 1,
        acknowledgement: 2,
        timestamps: None,
        identity: (7, 0),
        tcp_flags: 0x18,
        icmp_type: None,
        tunnel: Tunnel::None,
        fragment: None,
        caveats: Caveats::NONE,
    };
    assert_eq!(packet, expected);
    let packet = read(LinkType::ETHERNET, &ethernet(0x86dd, &ip6(6, 132, &tcp(8, 0x18, 100))));
    assert_eq!(packet, Packet { src: Addr::v6(A6), dst: Addr::v6(B6), octets: 172, identity: (0, 0), ..expected });
}

#[test]
fn builders_of_another_kind_agree() {
    let builder = etherparse::PacketBuilder::ethernet2([1; 6], [2; 6])
        .double_vlan(1.try_into().unwrap(), 2.try_into().unwrap())
        .ipv6(A6, B6, 5)
        .udp(5353, 53);
    let mut octets = Vec::new();
    builder.write(&mut octets, &[0; 33]).unwrap();
    let packet = read(LinkType::ETHERNET, &octets);
    assert_eq!((packet.sport, packet.dport, packet.octets, packet.payload), (5353, 53, 40 + 8 + 33, 33));
}

#[test]
fn link_layers_are_stepped_over() {
    let ip = ip4(17, 38, 0, &udp(18, 10));
    let ip6 = ip6(17, 18, &udp(18, 10));
    let vlan = |outer: u16, inner: &[u8]| ethernet(outer, &join(&[&[0, 100], inner]));
    let frames = [
        (LinkType::ETHERNET, vlan(0x8100, &join(&[&[0x08, 0], &ip]))),
        (LinkType::ETHERNET, vlan(0x88a8, &join(&[&[0x81, 0, 0, 5, 0x08, 0], &ip]))),
        (LinkType::ETHERNET, vlan(0x9100, &join(&[&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd], &ip6]))),
        (LinkType::ETHERNET, ethernet(46, &join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0], &ip]))),
        (LinkType::ETHERNET, ethernet(66, &join(&[&[0xaa, 0xaa, 3, 0, 0, 0xf8, 0x86, 0xdd], &ip6]))),
        (LinkType::ETHERNET, vlan(0x8100, &join(&[&[0, 46, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0], &ip]))),
        (LinkType::ETHERNET, ethernet(41, &join(&[&[6, 6, 3], &ip]))),
        (LinkType::RAW, ip.clone()),
        (LinkType::RAW, ip6.clone()),
        (LinkType(12), ip.clone()),
        (LinkType(14), ip6.clone()),
        (LinkType::IPV4, ip.clone()),
        (LinkType::IPV6, ip6.clone()),
        (LinkType::NULL, join(&[&[2, 0, 0, 0], &ip])),
        (LinkType::NULL, join(&[&[0, 0, 0, 2], &ip])),
        (LinkType::NULL, join(&[&[30, 0, 0, 0], &ip6])),
        (LinkType::NULL, join(&[&[0, 0, 0, 28], &ip6])),
        (LinkType::NULL, join(&[&[24, 0, 0, 0], &ip6])),
        (LinkType::NULL, join(&[&[10, 0, 0, 0], &ip6])),
        (LinkType::LOOP, join(&[&[0, 0, 0, 2], &ip])),
        (LinkType::LOOP, join(&[&[0, 0, 0, 24], &ip6])),
        (LinkType::LINUX_SLL, join(&[&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0], &ip])),
        (LinkType::LINUX_SLL, join(&[&[0, 4, 0x03, 0x0a, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd], &ip6])),
        (LinkType::LINUX_SLL, join(&[&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 9, 0x08, 0], &ip])),
        (LinkType::LINUX_SLL2, join(&[&[0x08, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0], &ip])),
    ];
    for (link, octets) in frames {
        let packet = read(link, &octets);
        let length = if packet.src.is_v4() { 38 } else { 58 };
        let seen = (packet.sport, packet.dport, packet.octets, packet.payload);
        assert_eq!(seen, (5353, 53, length, 10), "{link:?} {octets:02x?}");
        assert!(packet.caveats.is_empty(), "{link:?} {:?}", packet.caveats);
    }
}

#[test]
fn what_is_not_ip_is_told_from_what_may_carry_it() {
    let rest = [0; 60];
    for ether_type in [0x0806, 0x88cc, 0x8863, 0x888e, 0x8809, 0x9000] {
        let frame = ethernet(ether_type, &rest);
        assert_eq!(skipped(LinkType::ETHERNET, &frame), Unread { skip: Skip::NotIp, note: None }, "{ether_type:#06x}");
    }
    for ether_type in [0x88bb, 0x9998, 0x9999, 0x05ff] {
        let expected = Unread { skip: Skip::Encapsulated, note: Some(Note::EtherType(ether_type)) };
        assert_eq!(skipped(LinkType::ETHERNET, &ethernet(ether_type, &rest)), expected, "{ether_type:#06x}");
    }
    assert_eq!(Note::EtherType(0x8847).to_string(), "ethertype 0x8847");
    // Spanning tree; NetBIOS; Cisco discovery by SNAP; IPX in bare 802.3.
    for head in [&[0x42, 0x42, 3][..], &[0xf0, 0xf0, 3], &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0], &[0xff, 0xff, 0, 30]] {
        let frame = ethernet(40, &join(&[head, &rest]));
        assert_eq!(skipped(LinkType::ETHERNET, &frame).skip, Skip::NotIp, "{head:02x?}");
    }
    // Bridged Ethernet of RFC 2684.
    let bridged = ethernet(68, &join(&[&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7], &rest]));
    assert_eq!(skipped(LinkType::ETHERNET, &bridged).note, Some(Note::Snap(0x80c2, 7)));
    let tags = ethernet(0x8100, &[0, 1, 0x81, 0].repeat(80));
    assert_eq!(skipped(LinkType::ETHERNET, &tags).skip, Skip::Encapsulated, "more tags than are read");
    let unknown = skipped(LinkType(178), &rest);
    assert_eq!((unknown.skip, unknown.note), (Skip::UnknownLinkType, Some(Note::LinkType(LinkType(178)))));
    assert_eq!(Note::LinkType(LinkType(178)).to_string(), "link type 178 (JUNIPER_ETHER)");
    assert_eq!(skipped(LinkType::NULL, &rest).note, Some(Note::Family(0)));
    assert_eq!(skipped(LinkType::ETHERNET, &[]).skip, Skip::EmptyFrame);
    assert_eq!(dissect(LinkType::ETHERNET, &[], 60).unwrap_err().skip, Skip::CutHeader);
    // Netlink and an unknown form of 802.11 in a cooked capture.
    let cooked = |hardware: [u8; 2]| join(&[&[0, 0], &hardware, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &rest]);
    assert_eq!(skipped(LinkType::LINUX_SLL, &cooked([0x03, 0x38])).skip, Skip::NotIp);
    assert_eq!(skipped(LinkType::LINUX_SLL, &cooked([0x03, 0x24])).note, Some(Note::Hardware(804)));
}

#[test]
fn ip_headers_that_contradict_themselves_are_skipped() {
    let good = ip4(6, 40, 0, &tcp(5, 2, 0));
    let with = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        skipped(LinkType::RAW, &bad)
    };
    assert_eq!(with(0, 0x55), Unread { skip: Skip::BadHeader, note: Some(Note::IpVersion(5)) });
    assert_eq!(with(0, 0x44).skip, Skip::BadHeader, "a header of 16 octets");
    assert_eq!(with(3, 19).skip, Skip::BadHeader, "a total length below the header's");
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x86dd, &good)).skip, Skip::BadHeader, "IPv4 as IPv6");
    assert_eq!(skipped(LinkType::IPV4, &ip6(59, 0, &[])).skip, Skip::BadHeader, "IPv6 as IPv4");
    assert_eq!(with(0, 0x4f).skip, Skip::CutHeader, "options past the end");
    for cut in 1..20 {
        assert_eq!(dissect(LinkType::RAW, &good[..cut], 40).unwrap_err().skip, Skip::CutHeader, "{cut} octets");
    }
}

#[test]
fn octets_are_those_of_the_ip_header() {
    // A SYN of 40 octets in the least Ethernet frame: six octets of padding.
    let padded = ethernet(0x0800, &join(&[&ip4(6, 40, 0, &tcp(5, 2, 0)), &[0; 6]]));
    assert_eq!(padded.len(), 60);
    let packet = read(LinkType::ETHERNET, &padded);
    assert_eq!((packet.octets, packet.payload, packet.caveats), (40, 0, Caveats::NONE));
    // UDP without payload, in IP of 28 octets: the ports must not be read from padding, nor payload.
    let packet = read(LinkType::ETHERNET, &ethernet(0x0800, &join(&[&ip4(17, 22, 0, &[0, 1]), &[0xff; 24]])));
    assert_eq!((packet.sport, packet.octets, packet.payload), (0, 22, 0));
    assert_eq!(packet.caveats, caveats(&[Caveat::CutTransport]));
    // The header says more than was on the wire.
    let packet = read(LinkType::RAW, &ip4(6, 1500, 0, &tcp(5, 0x10, 60)));
    assert_eq!((packet.octets, packet.payload), (1500, 1460));
    assert_eq!(packet.caveats, caveats(&[Caveat::ShortPacket]));
    // Segmentation left to the card: 20 + 20 + 3000.
    let packet = read(LinkType::ETHERNET, &ethernet(0x0800, &ip4(6, 0, 0, &tcp(5, 0x10, 3000))));
    assert_eq!((packet.octets, packet.payload), (3040, 3000));
    assert_eq!(packet.caveats, caveats(&[Caveat::OffloadedLength]));
    let offloaded = ethernet(0x0800, &ip4(6, 0, 0, &tcp(5, 0x10, 3000)));
    let packet = dissect(LinkType::ETHERNET, &offloaded[..96], 3054).unwrap();
    assert_eq!((packet.octets, packet.payload), (3040, 3000));
    assert_eq!(packet.caveats, caveats(&[Caveat::Snapped, Caveat::OffloadedLength]));
    // A capture that claims to hold more than was on the wire.
    let packet = dissect(LinkType::RAW, &ip4(6, 40, 0, &tcp(5, 2, 0)), 10).unwrap();
    assert_eq!((packet.octets, packet.caveats), (40, Caveats::NONE));
}

#[test]
fn lengths_beyond_sixteen_bits_in_ipv6() {
    // A jumbogram: hop-by-hop with a jumbo payload of 70,000 octets, itself included (RFC 2675).
    let [j0, j1, j2, j3] = 70_000_u32.to_be_bytes();
    let options = [6, 0, 0xc2, 4, j0, j1, j2, j3];
    let whole = ip6(0, 0, &join(&[&options, &tcp(5, 0x10, 69_972)]));
    let packet = read(LinkType::RAW, &whole);
    assert_eq!((packet.octets, packet.payload, packet.dport), (70_040, 69_972, 443));
    assert_eq!(packet.caveats, Caveats::NONE);
    let packet = dissect(LinkType::RAW, &whole[..80], whole.len() as u32).unwrap();
    assert_eq!((packet.octets, packet.payload, packet.caveats), (70_040, 69_972, caveats(&[Caveat::Snapped])));
    // The option after padding; and one that says no more than the field could have said is not believed.
    let padded = [6, 1, 0, 1, 1, 0, 0xc2, 4, j0, j1, j2, j3, 1, 2, 0, 0];
    assert_eq!(read(LinkType::RAW, &ip6(0, 0, &join(&[&padded, &tcp(5, 0, 69_964)]))).octets, 70_040);
    let small = ip6(0, 0, &join(&[&[6, 0, 0xc2, 4, 0, 0, 0, 99], &tcp(5, 0, 100)]));
    assert_eq!(read(LinkType::RAW, &small).octets, small.len() as u32);
    // Offloaded without an option: what was on the wire.
    let packet = read(LinkType::ETHERNET, &ethernet(0x86dd, &ip6(6, 0, &tcp(5, 0x10, 80_000))));
    assert_eq!((packet.octets, packet.payload), (80_060, 80_000));
    assert_eq!(packet.caveats, caveats(&[Caveat::OffloadedLength]));
    // A header alone is one, padded or not.
    let packet = read(LinkType::ETHERNET, &ethernet(0x86dd, &ip6(99, 0, &[0; 6])));
    assert_eq!((packet.octets, packet.payload, packet.caveats), (40, 0, Caveats::NONE));
    let packet = read(LinkType::ETHERNET, &ethernet(0x86dd, &ip6(59, 0, &[0; 20])));
    assert_eq!((packet.octets, packet.payload, packet.caveats), (40, 0, Caveats::NONE));
}

#[test]
fn extension_headers_are_stepped_over() {
    // Hop-by-hop 8, routing 24 (segment of one address), destination options 8, AH 24, then UDP with 10.
    let hop = [43, 0, 1, 4, 0, 0, 0, 0];
    let routing = join(&[&[60, 2, 4, 0, 0, 0, 0, 0], &B6]);
    let destination = [51, 0, 1, 4, 0, 0, 0, 0];
    let authentication = join(&[&[17, 4, 0, 0], &[7; 20]]);
    let chain = join(&[&hop, &routing, &destination, &authentication, &udp(18, 10)]);
    let packet = read(LinkType::RAW, &ip6(0, chain.len() as u16, &chain));
    assert_eq!((packet.protocol, packet.sport, packet.octets, packet.payload), (Protocol::UDP, 5353, 40 + 82, 10));
    // IPv4 with an authentication header.
    let body = join(&[&authentication, &udp(18, 10)]);
    let packet = read(LinkType::RAW, &ip4(51, 62, 0, &body));
    assert_eq!((packet.protocol, packet.dport, packet.octets, packet.payload), (Protocol::UDP, 53, 62, 10));
    // Behind it there are no headers of IPv6: the fields of RFC 791 say that this is no fragment, whatever seems to follow.
    for next in [0, 43, 44, 60] {
        let authentication = join(&[&[next, 4, 0, 0], &[7; 20]]);
        let body = join(&[&authentication, &[17, 0, 0xc7, 0x40, 0, 0, 0, 9], &udp(18, 10)]);
        let packet = read(LinkType::RAW, &ip4(51, 70, 0, &body));
        assert_eq!((packet.protocol, packet.fragment, packet.payload), (Protocol(next), None, 26));
        assert_eq!(packet.caveats, Caveats::NONE);
    }
    // Cut in the chain: the address counts, the payload is what is left of the lengths.
    let long = ip6(0, chain.len() as u16, &chain);
    let packet = dissect(LinkType::RAW, &long[..60], long.len() as u32).unwrap();
    assert_eq!((packet.protocol, packet.octets, packet.payload), (Protocol(43), 122, 74));
    assert_eq!(packet.caveats, caveats(&[Caveat::CutTransport, Caveat::Snapped]));
    // A mobility header that carries nothing is the protocol itself.
    let packet = read(LinkType::RAW, &ip6(135, 8, &[59, 0, 5, 0, 0, 0, 0, 0]));
    assert_eq!((packet.protocol, packet.payload), (Protocol(135), 8));
    // A chain without end is not followed for ever.
    let endless = [0, 0, 1, 4, 0, 0, 0, 0].repeat(100);
    let packet = read(LinkType::RAW, &ip6(0, 800, &endless));
    assert_eq!((packet.octets, packet.caveats), (840, caveats(&[Caveat::CutTransport])));
}

#[test]
fn fragments_are_counted_and_only_the_first_has_ports() {
    // A datagram of 3008: 1480, 1480, 48.
    let first = read(LinkType::RAW, &ip4(17, 1500, 0x2000, &udp(3008, 1472)));
    assert_eq!((first.dport, first.octets, first.payload, first.caveats), (53, 1500, 1472, Caveats::NONE));
    let later = read(LinkType::RAW, &ip4(17, 1500, 0x20b9, &[0x5a; 1480]));
    assert_eq!((later.sport, later.dport, later.octets, later.payload), (0, 0, 1500, 1480));
    assert_eq!(later.caveats, caveats(&[Caveat::FragmentWithoutPorts]));
    let last = read(LinkType::RAW, &ip4(17, 68, 370, &[0x5a; 48]));
    assert_eq!((last.octets, last.payload), (68, 48));
    assert_eq!(first.payload + later.payload + last.payload, 3000);
    // ICMP has no ports to lose, and a later fragment no type.
    let echo = read(LinkType::RAW, &ip4(1, 120, 185, &[0; 100]));
    assert_eq!((echo.icmp_type, echo.payload, echo.caveats), (None, 100, Caveats::NONE));
    // IPv6: the fragment header has 8 octets; an atomic fragment is whole (RFC 6946).
    let atomic = join(&[&[17, 0, 0, 0, 0, 0, 0, 9], &udp(18, 10)]);
    let packet = read(LinkType::RAW, &ip6(44, 26, &atomic));
    assert_eq!((packet.dport, packet.payload, packet.caveats), (53, 10, Caveats::NONE));
    let later = join(&[&[17, 0, 0x05, 0xc8, 0, 0, 0, 9], &[0x5a; 64]]);
    let packet = read(LinkType::RAW, &ip6(44, 72, &later));
    assert_eq!((packet.protocol, packet.dport, packet.octets, packet.payload), (Protocol::UDP, 0, 112, 64));
    assert_eq!(packet.caveats, caveats(&[Caveat::FragmentWithoutPorts]));
}

#[test]
fn payload_is_what_the_transport_header_leaves() {
    let payload = |protocol, body: &[u8]| {
        let total = 20 + body.len() as u16;
        let packet = read(LinkType::RAW, &ip4(protocol, total, 0, body));
        (packet.payload, packet.icmp_type)
    };
    assert_eq!(payload(6, &tcp(15, 2, 0)), (0, None));
    assert_eq!(payload(6, &tcp(5, 0x18, 7)), (7, None));
    let mut tiny = tcp(5, 0x18, 7);
    tiny[12] = 0x10;
    assert_eq!(payload(6, &tiny), (7, None), "a header length below the least is the least");
    tiny[12] = 0xf0;
    assert_eq!(payload(6, &tiny), (0, None), "a header length past the end leaves nothing");
    assert_eq!(payload(17, &udp(18, 10)), (10, None));
    assert_eq!(payload(17, &udp(12, 10)), (4, None), "the datagram is shorter than the packet");
    assert_eq!(payload(17, &udp(0, 10)), (10, None), "no length");
    assert_eq!(payload(17, &udp(7, 10)), (10, None), "an impossible length");
    assert_eq!(payload(17, &udp(600, 10)), (10, None), "a length past the end");
    assert_eq!(payload(1, &[8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3]), (3, Some(8)));
    assert_eq!(payload(1, &[0; 8]), (0, Some(0)));
    assert_eq!(payload(132, &[0x12; 40]), (28, None));
    assert_eq!(payload(50, &[0x12; 40]), (40, None), "ESP: all that follows");
    assert_eq!(payload(47, &[0; 40]), (40, None), "GRE: a flow of its own protocol");
}

/// The number of octets after which nothing more is read of the packets below.
const HEADERS: usize = 14 + 4 + 40 + 8 + 20;

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let transport = prop_oneof![
        (5..=15_u8, any::<u8>(), 0..2000_usize).prop_map(|(words, flags, payload)| (6, tcp(words, flags, payload))),
        (any::<u16>(), 0..2000_usize).prop_map(|(length, payload)| (17, udp(length, payload))),
        (any::<u8>(), 8..2000_usize).prop_map(|(kind, length)| {
            let mut body = vec![0; length];
            body[0] = kind;
            (1, body)
        }),
        (12..500_usize).prop_map(|length| (132, vec![3; length])),
    ];
    let network = (transport, any::<bool>(), any::<bool>()).prop_map(|((protocol, body), six, extended)| {
        let length = body.len() as u16;
        match (six, extended) {
            (false, false) => (0x0800_u16, ip4(protocol, 20 + length, 0x4000, &body)),
            (false, true) => (0x0800, ip4(protocol, 0, 0x4000, &body)),
            (true, false) => (0x86dd, ip6(protocol, length, &body)),
            (true, true) => (0x86dd, ip6(60, 8 + length, &join(&[&[protocol, 0, 1, 4, 0, 0, 0, 0], &body]))),
        }
    });
    (network, any::<bool>()).prop_map(|((ether_type, ip), tagged)| {
        let [high, low] = ether_type.to_be_bytes();
        if tagged { ethernet(0x8100, &join(&[&[0, 1, high, low], &ip])) } else { ethernet(ether_type, &ip) }
    })
}

proptest! {
    #[test]
    fn a_snap_length_changes_no_count(frame in packet(), snap in HEADERS..2200) {
        let length = frame.len() as u32;
        let whole = dissect(LinkType::ETHERNET, &frame, length).unwrap();
        let cut = dissect(LinkType::ETHERNET, &frame[..snap.min(frame.len())], length).unwrap();
        let mut expected = whole;
        if snap < frame.len() {
            expected.caveats.set(Caveat::Snapped);
        }
        prop_assert_eq!(cut, expected);
    }

    #[test]
    fn padding_changes_no_count(frame in packet(), padding in 0..64_usize) {
        let whole = dissect(LinkType::ETHERNET, &frame, frame.len() as u32).unwrap();
        prop_assume!(!whole.caveats.has(Caveat::OffloadedLength));
        let padded = join(&[&frame, &vec![0xff; padding]]);
        prop_assert_eq!(dissect(LinkType::ETHERNET, &padded, padded.len() as u32).unwrap(), whole);
    }

    #[test]
    fn nothing_panics(
        link in prop_oneof![
            0..300_u32,
            any::<u32>(),
        ],
        octets in prop::collection::vec(any::<u8>(), 0..300),
        original_length: u32,
    ) {
        let _ = dissect(LinkType(link), &octets, original_length);
    }

    #[test]
    fn damaged_packets_do_not_panic(
        mut frame in packet(),
        damage in prop::collection::vec((0..120_usize, any::<u8>()), 0..8),
        length in 0..200_usize,
    ) {
        for (at, value) in damage {
            if let Some(octet) = frame.get_mut(at) {
                *octet = value;
            }
        }
        frame.truncate(length);
        if let Ok(packet) = dissect(LinkType::ETHERNET, &frame, 200) {
            prop_assert!(packet.payload <= packet.octets);
        }
    }
}
