//! Tunnels: what a packet carries when that is another packet.
//!
//! A tunnel over UDP is known by its registered port and by a header that makes sense; one whose header does not is no
//! tunnel. What is encrypted is a tunnel all the same: that it goes somewhere is seen, what is in it is not.

use super::link::{Layer, Version};
use crate::model::{Protocol, Tunnel};

/// What follows the header of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carried<'a> {
    /// No packet.
    Nothing,
    /// Encrypted, or not read.
    Unread,
    Layer(Layer, &'a [u8]),
}

type Found<'a> = (Tunnel, Carried<'a>);

const NONE: Found<'static> = (Tunnel::None, Carried::Nothing);

const IPV6_LAYER: Layer = Layer::Ip(Version::Six);

/// What is announced by an Ethernet type in GRE that needs more than [`Layer::Type`].
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
const REDIRECTED: u16 = 0x883e;

/// Looks for a tunnel in a packet with `payload` captured of `length` octets.
#[inline]
pub(super) fn find(protocol: Protocol, ports: (u16, u16), payload: &[u8], length: u32) -> Found<'_> {
    match protocol {
        Protocol::TCP => match ports {
            // Over TCP a length comes first.
            (1194, _) | (_, 1194) => payload.get(2..).and_then(open_vpn).unwrap_or(NONE),
            _ => NONE,
        },
        Protocol::UDP => over_udp(ports, payload, length),
        Protocol::ICMP | Protocol::ICMPV6 | Protocol::SCTP => NONE,
        _ => over_ip(protocol, payload).unwrap_or(NONE),
    }
}

/// By the protocol numbers of the IANA registry.
fn over_ip(protocol: Protocol, payload: &[u8]) -> Option<Found<'_>> {
    Some(match protocol.0 {
        4 => (Tunnel::IpInIp, Carried::Layer(Layer::IP, payload)),
        41 => (Tunnel::IpInIp, Carried::Layer(IPV6_LAYER, payload)),
        47 => gre(payload).unwrap_or((Tunnel::Gre, Carried::Unread)),
        50 => (Tunnel::Esp, Carried::Unread),
        // RFC 3378: version three in four bits, then zeros.
        97 => match payload {
            [0x30, _, frame @ ..] => (Tunnel::EtherIp, Carried::Layer(Layer::ETHERNET, frame)),
            _ => (Tunnel::EtherIp, Carried::Unread),
        },
        // RFC 7761 section 4.9: a register message holds a packet.
        103 => match payload {
            [0x21, _, _, _, _, _, _, _, packet @ ..] => (Tunnel::Pim, Carried::Layer(Layer::IP, packet)),
            _ => NONE,
        },
        108 => (Tunnel::IpComp, Carried::Unread),
        // RFC 3931 section 4.1.1: a session of zero is control. How long the cookie is, nobody says.
        115 => (Tunnel::L2tp, if payload.starts_with(&[0; 4]) { Carried::Nothing } else { Carried::Unread }),
        137 => (Tunnel::Mpls, Carried::Layer(Layer::Type(0x8847), payload)),
        143 => (Tunnel::EtherIp, Carried::Layer(Layer::ETHERNET, payload)),
        _ => return None,
    })
}

#[inline]
fn over_udp((sport, dport): (u16, u16), payload: &[u8], length: u32) -> Found<'_> {
    by_port(dport, payload).or_else(|| by_port(sport, payload)).unwrap_or_else(|| wire_guard(payload, length))
}

/// By the registered ports of tunnels. `None` where the port is none, or what comes there is no tunnel.
fn by_port(port: u16, payload: &[u8]) -> Option<Found<'_>> {
    match port {
        1194 => open_vpn(payload),
        1701 => l2tp(payload),
        2152 | 3386 => gtp_u(payload),
        3544 => teredo(payload),
        4341 => Some((Tunnel::Lisp, Carried::Layer(ip_at(payload.get(8..)?)?, payload.get(8..)?))),
        4500 => esp_in_udp(payload),
        4754 => gre(payload),
        // IANA's; that of Linux before it; that of the generic extension.
        4789 | 8472 | 4790 => vxlan(port, payload),
        5072 => ayiya(payload),
        5247 => capwap(payload),
        6081 => geneve(payload),
        6635 => Some((Tunnel::Mpls, Carried::Layer(Layer::Type(0x8847), payload))),
        51820 => match payload {
            [1..=4, 0, 0, 0, ..] => Some((Tunnel::WireGuard, Carried::Unread)),
            _ => None,
        },
        _ => None,
    }
}

/// An IP header, by its version.
fn ip_at(octets: &[u8]) -> Option<Layer> {
    match octets.first()? >> 4 {
        4 => Some(Layer::Ip(Version::Four)),
        6 => Some(IPV6_LAYER),
        _ => None,
    }
}

fn word(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// RFC 2784, RFC 2890, RFC 1701 for the route, RFC 2637 for version one.
fn gre(octets: &[u8]) -> Option<Found<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTE: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let (flags, kind) = (word(octets, 0)?, word(octets, 2)?);
    let version = flags & 7;
    if version > 1 {
        return None;
    }
    let has = |bit: u16| usize::from(flags & bit != 0) * 4;
    let fixed = 4 + if flags & (CHECKSUM | ROUTE) == 0 { 0 } else { 4 } + has(KEY) + has(SEQUENCE);
    let mut rest = octets.get(fixed + if version == 1 { has(ACKNOWLEDGEMENT) } else { 0 }..)?;
    if flags & ROUTE != 0 {
        // Source route entries, until one of no family and no length.
        while let &[a, b, _, length, ..] = rest {
            rest = rest.get(4 + usize::from(length)..)?;
            if [a, b, length] == [0; 3] {
                break;
            }
        }
    }
    let content = |layer, octets| Some((Tunnel::Gre, Carried::Layer(layer, octets)));
    match kind {
        // A keep-alive, or an acknowledgement alone.
        _ if kind <= 1500 || rest.is_empty() => Some((Tunnel::Gre, Carried::Nothing)),
        ERSPAN | ERSPAN_3 => {
            let (layer, frame) = erspan(flags & SEQUENCE != 0, kind, rest)?;
            Some((Tunnel::Erspan, Carried::Layer(layer, frame)))
        }
        // WCCP: its second version has four octets before the packet.
        REDIRECTED => match ip_at(rest) {
            Some(layer) => content(layer, rest),
            None => content(ip_at(rest.get(4..)?)?, rest.get(4..)?),
        },
        // Aruba's access points and their controllers, a number for each radio and queue.
        0x8200..=0x8370 if kind.is_multiple_of(16) => content(Layer::Controlled80211, rest),
        _ => content(Layer::Type(kind), rest),
    }
}

/// draft-foschiano-erspan: of type one there is no header, of type two one of eight octets, of type three one of twelve and
/// perhaps eight more.
fn erspan(numbered: bool, kind: u16, octets: &[u8]) -> Option<(Layer, &[u8])> {
    let version = octets.first()? >> 4;
    if kind == ERSPAN && !numbered {
        return Some((Layer::ETHERNET, octets));
    }
    if version == 1 {
        return Some((Layer::ETHERNET, octets.get(8..)?));
    }
    let (header, rest) = octets.split_first_chunk::<12>()?;
    let &[.., kind, last] = header;
    let rest = if last & 1 == 0 { rest } else { rest.get(8..)? };
    match kind >> 2 & 0x1f {
        0 => Some((Layer::ETHERNET, rest)),
        2 => Some((ip_at(rest)?, rest)),
        _ => None,
    }
}

/// RFC 7348; the generic extension (draft-ietf-nvo3-vxlan-gpe) says what follows where it is not Ethernet.
fn vxlan(port: u16, octets: &[u8]) -> Option<Found<'_>> {
    let (&[flags, _, _, next, ..], rest) = octets.split_first_chunk::<8>()?;
    if flags & 0x08 == 0 {
        return None;
    }
    let layer = match next {
        _ if port != 4790 || flags & 0x04 == 0 => Layer::ETHERNET,
        1 => Layer::Ip(Version::Four),
        2 => IPV6_LAYER,
        3 => Layer::ETHERNET,
        4 => Layer::Type(0x894f),
        5 => Layer::Type(0x8847),
        _ => return Some((Tunnel::Vxlan, Carried::Unread)),
    };
    Some((Tunnel::Vxlan, Carried::Layer(layer, rest)))
}

/// RFC 8926 section 3.4.
fn geneve(octets: &[u8]) -> Option<Found<'_>> {
    let (&[first, flags, ..], _) = octets.split_first_chunk::<8>()?;
    let kind = word(octets, 2)?;
    if first >> 6 != 0 {
        return None;
    }
    let rest = octets.get(8 + usize::from(first & 0x3f) * 4..)?;
    let carried =
        if flags & 0x80 != 0 || kind <= 1500 { Carried::Nothing } else { Carried::Layer(Layer::Type(kind), rest) };
    Some((Tunnel::Geneve, carried))
}

/// 3GPP TS 29.281 section 5.1: user data are messages of type 255; the rest is signalling. The first version (3GPP TS 09.60)
/// has a header of twenty octets and nothing more.
fn gtp_u(octets: &[u8]) -> Option<Found<'_>> {
    let (&[flags, kind, ..], _) = octets.split_first_chunk::<8>()?;
    let mut length = match flags & 0xf0 {
        0x10 => 20,
        0x30 => 8,
        _ => return None,
    };
    if kind != 255 {
        return None;
    }
    if length == 8 && flags & 0x07 != 0 {
        length = 12;
        let mut next = *octets.get(11)?;
        // Extension headers say their length in words of four octets, and in their last octet what is next.
        while next != 0 {
            let words = usize::from(*octets.get(length)?).max(1);
            length += words * 4;
            next = *octets.get(length - 1)?;
        }
    }
    let rest = octets.get(length..)?;
    Some((Tunnel::GtpU, ip_at(rest).map_or(Carried::Unread, |layer| Carried::Layer(layer, rest))))
}

/// RFC 4380 section 5.1.1: perhaps authentication, perhaps the origin, then IPv6.
fn teredo(octets: &[u8]) -> Option<Found<'_>> {
    let mut rest = octets;
    if let [0, 1, client, value, ..] = rest {
        rest = rest.get(13 + usize::from(*client) + usize::from(*value)..)?;
    }
    if let [0, 0, _, _, _, _, _, _, packet @ ..] = rest {
        rest = packet;
    }
    (rest.first()? >> 4 == 6).then_some((Tunnel::Teredo, Carried::Layer(IPV6_LAYER, rest)))
}

/// draft-massar-v6ops-ayiya section 3.1: lengths of identity and signature in four bits each, then an IP protocol.
fn ayiya(octets: &[u8]) -> Option<Found<'_>> {
    let (&[identity, signature, operation, next, ..], _) = octets.split_first_chunk::<8>()?;
    let length = 8 + (1 << (identity >> 4)) + usize::from(signature >> 4) * 4;
    let rest = octets.get(length..)?;
    match (operation & 0x0f, next) {
        (1, 4 | 41) => Some((Tunnel::Ayiya, Carried::Layer(ip_at(rest)?, rest))),
        (0..=5, 59) => Some((Tunnel::Ayiya, Carried::Nothing)),
        _ => None,
    }
}

/// RFC 5415 section 4.3: a length in words, whether a frame is in the form of its medium, and which medium that is. Parts of
/// a frame after the first cannot be read alone.
fn capwap(octets: &[u8]) -> Option<Found<'_>> {
    let &[preamble, a, b, c, ..] = octets else { return None };
    match preamble {
        0 => {}
        1 => return Some((Tunnel::Capwap, Carried::Unread)),
        _ => return None,
    }
    let bits = u32::from_be_bytes([0, a, b, c]);
    let (words, medium) = ((bits >> 19) as usize, bits >> 9 & 0x1f);
    let (is_native, is_part, is_keep_alive) = (bits & 0x100 != 0, bits & 0x80 != 0, bits & 0x08 != 0);
    let is_first = word(octets, 6).is_some_and(|offset| offset >> 3 == 0);
    let rest = octets.get(words.max(2) * 4..)?;
    let carried = match medium {
        _ if is_keep_alive => Carried::Nothing,
        _ if is_part && !is_first => Carried::Unread,
        1 if is_native => Carried::Layer(Layer::Controlled80211, rest),
        _ if is_native => Carried::Unread,
        _ => Carried::Layer(Layer::ETHERNET, rest),
    };
    Some((Tunnel::Capwap, carried))
}

/// RFC 2661 section 3.1: control messages have the first bit set; data has what the other bits say, then PPP.
fn l2tp(octets: &[u8]) -> Option<Found<'_>> {
    let flags = word(octets, 0)?;
    match flags & 0x000f {
        2 => {}
        3 => return Some((Tunnel::L2tp, if flags & 0x8000 == 0 { Carried::Unread } else { Carried::Nothing })),
        _ => return None,
    }
    if flags & 0x8000 != 0 {
        return Some((Tunnel::L2tp, Carried::Nothing));
    }
    let mut length = if flags & 0x4000 == 0 { 6 } else { 8 };
    if flags & 0x0800 != 0 {
        length += 4;
    }
    if flags & 0x0200 != 0 {
        length += 2 + usize::from(word(octets, length)?);
    }
    Some((Tunnel::L2tp, Carried::Layer(Layer::Ppp, octets.get(length..)?)))
}

/// RFC 3948 section 2: four zeros are key exchange, one octet is a keep-alive, the rest is ESP.
fn esp_in_udp(octets: &[u8]) -> Option<Found<'_>> {
    match octets {
        [0, 0, 0, 0, ..] => None,
        [_, _, _, _, _, _, _, _, ..] => Some((Tunnel::Esp, Carried::Unread)),
        _ => None,
    }
}

/// What the documentation of the protocol calls an opcode, in five bits, is 1 to 11.
fn open_vpn(octets: &[u8]) -> Option<Found<'_>> {
    matches!(octets.first()? >> 3, 1..=11).then_some((Tunnel::OpenVpn, Carried::Unread))
}

/// The handshake has its own lengths and a type with three zeros (wireguard.com/protocol), so that it is known on every port.
fn wire_guard(octets: &[u8], length: u32) -> Found<'_> {
    match (length, octets) {
        (148, [1, 0, 0, 0, ..]) | (92, [2, 0, 0, 0, ..]) => (Tunnel::WireGuard, Carried::Unread),
        _ => NONE,
    }
}
