//! Tunnels, written by hand from their specifications, and fragments through the meter.

use landfall::meter::{Frame, Meter, MeterConfig};
use landfall::model::{
    Addr, Batch, Caveat, FlowEndReason, FlowRecord, Inner, InputCoverage, InputId, Protocol, Timestamp, Tunnel,
};
use landfall::wire::{Inside, LinkType, dissect};
use proptest::prelude::*;

const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [198, 51, 100, 2];
const INNER_A: [u8; 4] = [10, 0, 0, 1];
const INNER_B: [u8; 4] = [10, 0, 0, 2];

/// An IPv4 packet; `word` is that of flags and fragment offset.
fn ip4(from: [u8; 4], to: [u8; 4], protocol: u8, word: u16, rest: &[u8]) -> Vec<u8> {
    let [t0, t1] = (20 + rest.len() as u16).to_be_bytes();
    let [f0, f1] = word.to_be_bytes();
    [&[0x45, 0, t0, t1, 0, 7, f0, f1, 64, protocol, 0, 0], &from[..], &to[..], rest].concat()
}

fn ip6(next: u8, rest: &[u8]) -> Vec<u8> {
    let [l0, l1] = (rest.len() as u16).to_be_bytes();
    let addr = |last: u8| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&[0x60, 0, 0, 0, l0, l1, next, 64], &addr(1)[..], &addr(2)[..], rest].concat()
}

fn udp(sport: u16, dport: u16, rest: &[u8]) -> Vec<u8> {
    let length = 8 + rest.len() as u16;
    [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &length.to_be_bytes(), &[0, 0], rest].concat()
}

fn ethernet(ether_type: u16, rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes()[..], rest].concat()
}

/// What every tunnel here carries: 20 + 8 + 5 octets.
fn inner() -> Vec<u8> {
    ip4(INNER_A, INNER_B, 17, 0, &udp(40000, 53, b"hello"))
}

fn over_udp(port: u16, head: &[u8], rest: &[u8]) -> Vec<u8> {
    ip4(A, B, 17, 0, &udp(50000, port, &[head, rest].concat()))
}

fn over_ip(protocol: u8, head: &[u8], rest: &[u8]) -> Vec<u8> {
    ip4(A, B, protocol, 0, &[head, rest].concat())
}

#[test]
fn tunnels_are_named_and_looked_into() {
    let ip = inner();
    let frame = ethernet(0x0800, &ip);
    let ppp = [&[0xff, 0x03, 0x00, 0x21], &ip[..]].concat();
    let wireless = [&[0x01, 0x08], &[0; 22][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &ip].concat();
    let cases = [
        (Tunnel::IpInIp, over_ip(4, &[], &ip)),
        (Tunnel::Gre, over_ip(47, &[0, 0, 8, 0], &ip)),
        // Checksum, key and sequence number.
        (Tunnel::Gre, over_ip(47, &[0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], &ip)),
        // A route of one entry, and the end of it.
        (Tunnel::Gre, over_ip(47, &[0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 192, 0, 2, 9, 0, 0, 0, 0], &ip)),
        (Tunnel::Gre, over_ip(47, &[0, 0, 0x65, 0x58], &frame)),
        // Of PPTP: key, sequence and acknowledgement.
        (Tunnel::Gre, over_ip(47, &[0x30, 0x81, 0x88, 0x0b, 0, 37, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], &ppp)),
        (Tunnel::Gre, over_ip(47, &[0, 0, 0x88, 0x3e], &ip)),
        (Tunnel::Gre, over_ip(47, &[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &ip)),
        (Tunnel::Gre, over_udp(4754, &[0, 0, 8, 0], &ip)),
        (Tunnel::Erspan, over_ip(47, &[0, 0, 0x88, 0xbe], &frame)),
        (Tunnel::Erspan, over_ip(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0], &frame)),
        (
            Tunnel::Erspan,
            over_ip(47, &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &frame),
        ),
        (
            Tunnel::Erspan,
            over_ip(
                47,
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                &frame,
            ),
        ),
        (Tunnel::EtherIp, over_ip(97, &[0x30, 0], &frame)),
        (Tunnel::EtherIp, over_ip(143, &[], &frame)),
        (Tunnel::Mpls, over_ip(137, &[0, 1, 0x41, 64], &ip)),
        (Tunnel::Mpls, over_udp(6635, &[0, 1, 0x41, 64], &ip)),
        (Tunnel::Pim, over_ip(103, &[0x21, 0, 0, 0, 0, 0, 0, 0], &ip)),
        (Tunnel::Vxlan, over_udp(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &frame)),
        (Tunnel::Vxlan, over_udp(8472, &[8, 0, 0, 0, 0, 0, 9, 0], &frame)),
        (Tunnel::Vxlan, over_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 9, 0], &ip)),
        (Tunnel::Vxlan, over_udp(4790, &[0x0c, 0, 0, 4, 0, 0, 9, 0, 0x0f, 0xc2, 2, 1, 0, 0, 1, 255], &ip)),
        (Tunnel::Geneve, over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 9, 0], &frame)),
        (Tunnel::Geneve, over_udp(6081, &[2, 0, 0x08, 0, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0], &ip)),
        (Tunnel::GtpU, over_udp(2152, &[0x30, 255, 0, 33, 0, 0, 0, 1], &ip)),
        // A sequence number, then an extension of one word.
        (Tunnel::GtpU, over_udp(2152, &[0x36, 255, 0, 41, 0, 0, 0, 1, 0, 1, 0, 0x85, 1, 0, 9, 0], &ip)),
        (Tunnel::GtpU, over_udp(3386, &[&[0x1e, 255, 0, 33][..], &[0; 16]].concat(), &ip)),
        (Tunnel::Gre, over_ip(47, &[0, 0, 0x82, 0x10], &wireless)),
        (Tunnel::L2tp, over_udp(1701, &[0x00, 2, 0, 1, 0, 1], &ppp)),
        (Tunnel::L2tp, over_udp(1701, &[0x4a, 2, 0, 59, 0, 1, 0, 1, 0, 1, 0, 1, 0, 2, 0, 0], &ppp)),
        (Tunnel::Lisp, over_udp(4341, &[0x80, 0, 0, 0, 0, 0, 0, 0], &ip)),
        (Tunnel::Capwap, over_udp(5247, &[0, 0x10, 0x03, 0, 0, 0, 0, 0], &wireless)),
        (Tunnel::Capwap, over_udp(5247, &[0, 0x10, 0x02, 0, 0, 0, 0, 0], &frame)),
    ];
    for (tunnel, octets) in cases {
        let outer = dissect(LinkType::RAW, &octets, octets.len() as u32).unwrap();
        assert_eq!((outer.packet.tunnel, outer.packet.octets), (tunnel, octets.len() as u32));
        let Inside::Tunnelled(inside) = outer.inside else { panic!("{tunnel:?} {octets:02x?}: {:?}", outer.inside) };
        let found = inside.dissect().map_err(|unread| (tunnel, unread)).unwrap();
        let packet = found.packet;
        let seen = (packet.src, packet.dst, packet.dport, packet.octets, found.payload);
        assert_eq!(seen, (Addr::v4(INNER_A), Addr::v4(INNER_B), 53, 33, &b"hello"[..]), "{tunnel:?}");
        assert!(packet.caveats.iter().eq([Caveat::Tunnelled]), "{tunnel:?} {:?}", packet.caveats);
        assert_eq!(packet.tunnel, Tunnel::None);
    }
    let ip = ip6(17, &udp(40000, 53, b"hello"));
    let cases = [
        (Tunnel::IpInIp, over_ip(41, &[], &ip)),
        (Tunnel::Teredo, over_udp(3544, &[], &ip)),
        (Tunnel::Teredo, over_udp(3544, &[&[0, 1, 0, 0][..], &[0; 9], &[0, 0, 0, 1, 1, 2, 3, 4]].concat(), &ip)),
        // An identity of sixteen octets, a signature of twenty.
        (Tunnel::Ayiya, over_udp(5072, &[&[0x41, 0x52, 0x11, 41, 0, 0, 0, 0][..], &[0; 36]].concat(), &ip)),
    ];
    for (tunnel, octets) in cases {
        let outer = dissect(LinkType::RAW, &octets, octets.len() as u32).unwrap();
        let Inside::Tunnelled(inside) = outer.inside else { panic!("{tunnel:?}: {:?}", outer.inside) };
        let found = inside.dissect().map_err(|unread| (tunnel, unread)).unwrap();
        assert_eq!((outer.packet.tunnel, found.packet.dport, found.packet.octets), (tunnel, 53, 53));
    }
}

#[test]
fn what_cannot_be_read_is_a_tunnel_all_the_same() {
    let sealed = [0xc5; 32];
    let unread = [
        (Tunnel::Esp, over_ip(50, &[], &sealed)),
        (Tunnel::Esp, over_udp(4500, &[], &sealed)),
        (Tunnel::IpComp, over_ip(108, &[], &sealed)),
        (Tunnel::L2tp, over_ip(115, &[0, 0, 0, 9], &sealed)),
        (Tunnel::WireGuard, over_udp(51820, &[4, 0, 0, 0], &sealed)),
        (Tunnel::WireGuard, over_udp(443, &[1, 0, 0, 0], &[0x5a; 144])),
        (Tunnel::OpenVpn, over_udp(1194, &[0x38], &sealed)),
        (Tunnel::Capwap, over_udp(5247, &[1, 0, 0, 0], &sealed)),
        (Tunnel::Gre, over_ip(47, &[0, 7, 8, 0], &sealed)),
    ];
    for (tunnel, octets) in unread {
        let found = dissect(LinkType::RAW, &octets, octets.len() as u32).unwrap();
        assert_eq!(found.packet.tunnel, tunnel);
        assert!(matches!(found.inside, Inside::Unread), "{tunnel:?}");
    }
    // Signalling, key exchange, and what only has the port in common.
    for octets in [
        over_udp(4500, &[0, 0, 0, 0], &sealed),
        over_udp(4500, &[0xff], &[]),
        over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0], &[]),
        over_udp(4789, &[0, 0, 0, 0, 0, 0, 0, 0], &sealed),
        over_udp(3544, &[], &sealed),
        over_udp(1194, &[], &[0; 20]),
        over_udp(443, &[1, 0, 0, 0], &[0x5a; 140]),
        over_udp(6081, &[0xc0, 0, 0x65, 0x58, 0, 0, 0, 0], &sealed),
    ] {
        let found = dissect(LinkType::RAW, &octets, octets.len() as u32).unwrap();
        assert_eq!(found.packet.tunnel, Tunnel::None, "{octets:02x?}");
        assert!(matches!(found.inside, Inside::Nothing));
    }
}

/// Each frame of raw IP, at its second.
fn metered(frames: &[(u64, Vec<u8>)]) -> (Vec<FlowRecord>, InputCoverage) {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::new("test", "pcap"), Batch::default());
    for (number, (second, octets)) in (1..).zip(frames) {
        let time = Some(Timestamp::from_secs(*second));
        let frame = Frame { time, number, link: LinkType::RAW, octets, original_length: octets.len() as u32 };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    (batch.records, coverage)
}

fn caveat(coverage: &InputCoverage, caveat: Caveat) -> u64 {
    coverage.caveats.get(&caveat).map_or(0, |seen| seen.total.count)
}

#[test]
fn inside_and_outside_are_flows_and_a_frame_is_used_once() {
    let vxlan = over_udp(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(0x0800, &inner()));
    let whole = vxlan.len() as u64;
    let (records, coverage) = metered(&[(1, vxlan.clone()), (2, vxlan)]);
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.dport, record.tunnel, record.forward.packets, record.forward.octets))
        .collect();
    assert_eq!(seen, [(4789, Tunnel::Vxlan, 2, 2 * whole), (53, Tunnel::None, 2, 66)]);
    assert_eq!((coverage.read.count, coverage.used.count, coverage.used.octets), (2, 2, 2 * whole));
    assert_eq!((caveat(&coverage, Caveat::Tunnelled), caveat(&coverage, Caveat::TunnelUnread)), (2, 0));
    let arp = over_udp(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(0x0806, &[0; 28]));
    let (records, coverage) = metered(&[(1, arp), (1, over_ip(50, &[], &[0xc5; 32]))]);
    assert_eq!(records.iter().map(|record| record.tunnel).collect::<Vec<_>>(), [Tunnel::Vxlan, Tunnel::Esp]);
    assert_eq!(caveat(&coverage, Caveat::TunnelUnread), 1, "ESP, and not ARP");
    assert!(records.iter().all(|record| record.outer().is_some_and(|outer| outer.inside == Inner::Unread)));
    assert_eq!(caveat(&coverage, Caveat::Tunnelled), 0);
}

/// Octets may be left out of a sum where all of them are in other records, and only there.
#[test]
fn an_outer_header_knows_whether_all_inside_was_counted() {
    let vxlan = |rest: &[u8]| over_udp(4789, &[8, 0, 0, 0, 0, 0, 9, 0], rest);
    let (read, arp) = (vxlan(&ethernet(0x0800, &inner())), vxlan(&ethernet(0x0806, &[0; 28])));
    // An IPv4 header that says that it is one of IPv6.
    let broken = vxlan(&ethernet(0x0800, &[0x65; 40]));
    let inside = |frames: &[&Vec<u8>]| {
        let frames: Vec<_> = frames.iter().map(|frame| (1, (*frame).clone())).collect();
        let (records, _) = metered(&frames);
        let outer: Vec<_> = records.iter().filter_map(FlowRecord::outer).collect();
        assert_eq!(outer.len(), 1);
        (outer[0].kind, outer[0].inside)
    };
    assert_eq!(inside(&[&read, &read]), (Tunnel::Vxlan, Inner::Counted));
    assert_eq!(inside(&[&read, &arp]), (Tunnel::Vxlan, Inner::Counted), "what is not IP is in no flow anyway");
    assert_eq!(inside(&[&arp]), (Tunnel::Vxlan, Inner::Unread), "nothing of it is counted elsewhere");
    assert_eq!(inside(&[&read, &broken]), (Tunnel::Vxlan, Inner::Unread));
    assert_eq!(inside(&[&broken, &read]), (Tunnel::Vxlan, Inner::Unread));
    let (records, _) = metered(&[(1, inner())]);
    assert_eq!(records[0].outer(), None);
}

#[test]
fn tunnels_in_tunnels_are_followed_for_a_while() {
    let nested = (0..40).fold(inner(), |packet, _| over_ip(4, &[], &packet));
    let (records, coverage) = metered(&[(1, nested.clone())]);
    // All between the same two addresses: one flow of the outermost and the four inside it that are read.
    assert_eq!(records.iter().map(|record| record.forward.packets).collect::<Vec<_>>(), [5]);
    assert_eq!((caveat(&coverage, Caveat::Tunnelled), caveat(&coverage, Caveat::TunnelUnread)), (4, 1));
    assert_eq!(coverage.used.octets, nested.len() as u64);
}

/// A datagram of 3008 octets in three parts.
fn parts() -> [Vec<u8>; 3] {
    let head = [&50000_u16.to_be_bytes()[..], &53_u16.to_be_bytes(), &3008_u16.to_be_bytes(), &[0, 0]].concat();
    [
        ip4(A, B, 17, 0x2000, &[&head[..], &[0x5a; 1472]].concat()),
        ip4(A, B, 17, 0x20b9, &[0x5a; 1480]),
        ip4(A, B, 17, 0x0172, &[0x5a; 48]),
    ]
}

#[test]
fn later_fragments_have_the_ports_of_the_first() {
    let [first, second, last] = parts();
    let (records, coverage) = metered(&[(1, first.clone()), (1, second.clone()), (2, last.clone())]);
    assert_eq!(records.len(), 1);
    let sent = records[0].forward;
    assert_eq!((records[0].dport, sent.packets, sent.octets, sent.payload), (53, 3, 1500 + 1500 + 68, 3000));
    assert!(coverage.caveats.is_empty(), "{:?}", coverage.caveats);
    // In any order after the first.
    assert_eq!(metered(&[(1, first.clone()), (1, last.clone()), (2, second.clone())]).0.len(), 1);
    // Before the first, by less than a second; too late after it; after the datagram was whole; of another datagram.
    let (records, coverage) = metered(&[(1, last.clone()), (1, first.clone())]);
    assert_eq!((records.len(), caveat(&coverage, Caveat::FragmentWithoutPorts)), (1, 0));
    let (records, coverage) = metered(&[(1, last.clone()), (2, first.clone())]);
    assert_eq!((records.len(), caveat(&coverage, Caveat::FragmentWithoutPorts)), (2, 1));
    let (records, coverage) = metered(&[(1, first.clone()), (32, second.clone())]);
    assert_eq!((records.len(), caveat(&coverage, Caveat::FragmentWithoutPorts)), (2, 1));
    let mut other = second.clone();
    other[5] = 8;
    assert_eq!(metered(&[(1, first.clone()), (1, other)]).0.len(), 2);
    let again = [(1, first.clone()), (1, second.clone()), (1, last), (1, second.clone())];
    let (records, coverage) = metered(&again);
    assert_eq!((records.len(), caveat(&coverage, Caveat::FragmentWithoutPorts)), (2, 1));
    // Repeated before it is whole.
    let (records, coverage) = metered(&[(1, first.clone()), (1, second.clone()), (1, second), (1, first)]);
    assert_eq!((records.len(), caveat(&coverage, Caveat::OverlappingFragment)), (1, 2));
}

#[test]
fn later_fragments_of_ipv6_have_the_protocol_of_the_first_too() {
    // Destination options come between the fragment header and UDP: later parts announce them, and have none.
    let first =
        ip6(44, &[&[60, 0, 0, 1, 0, 0, 0, 9][..], &[17, 0, 1, 4, 0, 0, 0, 0], &udp(50000, 53, &[1; 8])].concat());
    let later = ip6(44, &[&[60, 0, 0, 24, 0, 0, 0, 9][..], &[1; 16]].concat());
    let (records, coverage) = metered(&[(1, first), (1, later)]);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].protocol, records[0].dport, records[0].forward.packets), (Protocol::UDP, 53, 2));
    assert!(coverage.caveats.is_empty(), "{:?}", coverage.caveats);
}

#[test]
fn a_flood_of_fragments_pushes_out_fragments_alone() {
    let [first, second, _] = parts();
    let numbered = |part: &[u8], number: u16| {
        let mut part = part[..48.min(part.len())].to_vec();
        part[4..6].copy_from_slice(&number.to_be_bytes());
        part
    };
    let mut frames: Vec<_> = (0..u16::MAX).map(|number| (1, numbered(&first, number))).collect();
    frames.extend((0..u16::MAX).map(|number| (1, numbered(&second, number))));
    let (records, coverage) = metered(&frames);
    let total: u64 = records.iter().map(|record| record.forward.packets).sum();
    assert_eq!((records.len(), total), (2, 2 * 65535));
    // 1024 sets of four: no more than so many are remembered, and nearly so many are.
    let found = 65535 - caveat(&coverage, Caveat::FragmentWithoutPorts);
    assert!((4000..=4096).contains(&found), "{found}");
}

proptest! {
    #[test]
    fn nothing_inside_a_tunnel_panics(
        port in prop::sample::select(vec![1194_u16, 1701, 2152, 3544, 4341, 4500, 4754, 4789, 4790, 5072, 5247, 6081, 6635]),
        protocol in prop::sample::select(vec![4_u8, 17, 17, 17, 41, 47, 97, 103, 115, 137, 143]),
        octets in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(vec![0_u8, 0x08, 0x30, 0x45, 0xff])], 0..300),
        original_length: u32,
    ) {
        let carried = if protocol == 17 { udp(50000, port, &octets) } else { octets };
        let octets = ip4(A, B, protocol, 0, &carried);
        let mut found = dissect(LinkType::RAW, &octets, original_length).unwrap();
        let mut depth = 0;
        while let Inside::Tunnelled(inside) = found.inside {
            depth += 1;
            match inside.dissect() {
                Ok(next) => found = next,
                Err(_) => break,
            }
        }
        prop_assert!(depth <= 4);
    }
}

/// RFC 8200 section 4.5: extension headers of the fragmentable part are in the first fragment, and its fragment header names
/// the first of them in every fragment.
#[test]
fn fragments_before_their_first_find_the_protocol_behind_extension_headers() {
    let fragment = |word: u16, rest: &[u8]| {
        let [w0, w1] = word.to_be_bytes();
        ip6(44, &[&[60, 0, w0, w1, 0, 0, 0, 9], rest].concat())
    };
    // Destination options of eight octets, then 16 octets of UDP: the later fragment begins at octet 24.
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let datagram = udp(50000, 53, &[7; 16]);
    let first = fragment(1, &[&options, &datagram[..16]].concat());
    let last = fragment(24, &datagram[16..]);
    for frames in [[first.clone(), last.clone()], [last.clone(), first]] {
        let (records, coverage) = metered(&[(1, frames[0].clone()), (1, frames[1].clone())]);
        let seen: Vec<_> =
            records.iter().map(|record| (record.protocol, record.dport, record.forward.packets)).collect();
        assert_eq!(seen, [(Protocol::UDP, 53, 2)]);
        assert_eq!(caveat(&coverage, Caveat::FragmentWithoutPorts), 0);
    }
    let (records, coverage) = metered(&[(1, last)]);
    assert_eq!((records[0].protocol, records.len()), (Protocol(60), 1));
    assert_eq!(caveat(&coverage, Caveat::FragmentWithoutPorts), 1);
}
