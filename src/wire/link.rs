//! Link layers: from a frame to the IP header in it.
//!
//! A frame is read header by header; each says what the next one is. Numbers of Ethernet types are of the IEEE registry
//! (as IANA repeats it) and of the makers who use them; the layouts of link types are of their pages at tcpdump.org.

use super::shim;
use super::wireless;
use super::{LinkType, Note, Unread};
use crate::model::Skip;

/// The most headers that are stepped over before IP. A stack of provider tags and labels has a dozen at most.
const MAX_HEADERS: usize = 64;

/// The largest value of the type field that is a length (IEEE 802.3).
pub(super) const MAX_LENGTH: u16 = 1500;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// Which IP header is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
    /// The header says it itself.
    Either,
}

/// What the next octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// A frame of a link type.
    Link(LinkType),
    /// What an Ethernet type announces, or a length where it is one.
    Type(u16),
    /// IEEE 802.2.
    LogicalLink,
    /// A network layer protocol identifier (ISO/IEC TR 9577, RFC 2427).
    Nlpid,
    /// PPP, with or without address and control (RFC 1661, RFC 1662).
    Ppp,
    /// IEEE 802.11 as CAPWAP carries it: the two octets of frame control may have changed places.
    Capwap80211,
    /// An IP header.
    Ip(Version),
}

impl Layer {
    pub(super) const ETHERNET: Self = Self::Link(LinkType::ETHERNET);
    pub(super) const IP: Self = Self::Ip(Version::Either);
}

/// What a header says that follows, and the octets of it.
pub(super) type Next<'a> = Result<(Layer, &'a [u8]), Unread>;

pub(super) const CUT: Unread = Unread::new(Skip::CutHeader);
pub(super) const NOT_IP: Unread = Unread::new(Skip::NotIp);

/// The first octets, or that they were not captured.
#[inline]
pub(super) fn head<const N: usize>(octets: &[u8]) -> Result<(&[u8; N], &[u8]), Unread> {
    octets.split_first_chunk().ok_or(CUT)
}

/// What is left after `length` octets.
#[inline]
pub(super) fn after(octets: &[u8], length: usize) -> Result<&[u8], Unread> {
    octets.get(length..).ok_or(CUT)
}

/// Steps over everything before the IP header.
#[inline]
pub(super) fn strip(layer: Layer, octets: &[u8]) -> Result<(Version, &[u8]), Unread> {
    // Nearly every frame there is.
    if layer == Layer::ETHERNET
        && let Some((&[.., high, low], rest)) = octets.split_first_chunk::<14>()
    {
        match u16::from_be_bytes([high, low]) {
            IPV4 => return Ok((Version::Four, rest)),
            IPV6 => return Ok((Version::Six, rest)),
            other => return walk(Layer::Type(other), rest),
        }
    }
    walk(layer, octets)
}

fn walk(layer: Layer, octets: &[u8]) -> Result<(Version, &[u8]), Unread> {
    let (mut layer, mut rest) = (layer, octets);
    for _ in 0..MAX_HEADERS {
        (layer, rest) = match layer {
            Layer::Ip(version) => return Ok((version, rest)),
            Layer::Link(link) => by_link(link, rest)?,
            Layer::Type(ether_type) => by_type(ether_type, rest)?,
            Layer::LogicalLink => logical_link(rest)?,
            Layer::Nlpid => nlpid(rest)?,
            Layer::Ppp => shim::ppp(rest)?,
            Layer::Capwap80211 => wireless::capwap(rest)?,
        };
    }
    Err(Unread::noted(Skip::Encapsulated, Note::Nested))
}

fn by_link(link: LinkType, octets: &[u8]) -> Next<'_> {
    match link {
        LinkType::ETHERNET => {
            let (&[.., high, low], rest) = head::<14>(octets)?;
            Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
        }
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok((Layer::IP, octets)),
        LinkType::IPV4 => Ok((Layer::Ip(Version::Four), octets)),
        LinkType::IPV6 => Ok((Layer::Ip(Version::Six), octets)),
        LinkType::NULL => {
            let (family, rest) = head::<4>(octets)?;
            Ok((by_family(host_order(*family))?, rest))
        }
        LinkType::LOOP => {
            let (family, rest) = head::<4>(octets)?;
            Ok((by_family(u32::from_be_bytes(*family))?, rest))
        }
        LinkType::LINUX_SLL => {
            let (&[_, _, hardware_high, hardware_low, .., high, low], rest) = head::<16>(octets)?;
            let hardware = u16::from_be_bytes([hardware_high, hardware_low]);
            Ok((cooked(hardware, u16::from_be_bytes([high, low]))?, rest))
        }
        LinkType::LINUX_SLL2 => {
            let (&[high, low, _, _, _, _, _, _, hardware_high, hardware_low, ..], rest) = head::<20>(octets)?;
            let hardware = u16::from_be_bytes([hardware_high, hardware_low]);
            Ok((cooked(hardware, u16::from_be_bytes([high, low]))?, rest))
        }
        LinkType::PPP | LinkType::PPP_HDLC => match octets {
            // The address octets of Cisco HDLC, which captures of serial lines have under this number too.
            [0x0f | 0x8f, 0, ..] => Ok((Layer::Link(LinkType::C_HDLC), octets)),
            _ => Ok((Layer::Ppp, octets)),
        },
        // The direction comes first.
        LinkType::PPP_PPPD | LinkType::PPP_WITH_DIR => Ok((Layer::Ppp, after(octets, 1)?)),
        LinkType::PPP_ETHER => shim::pppoe(octets),
        LinkType::C_HDLC => {
            let (&[_, _, high, low], rest) = head::<4>(octets)?;
            match u16::from_be_bytes([high, low]) {
                0..=MAX_LENGTH => Err(NOT_IP),
                ether_type => Ok((Layer::Type(ether_type), rest)),
            }
        }
        LinkType::FRAME_RELAY => frame_relay(octets),
        LinkType::IEEE802_5 => token_ring(octets),
        LinkType::FDDI => {
            let (&[control, ..], rest) = head::<13>(octets)?;
            // The format bits say what is carried: 01 is IEEE 802.2, the others are of the ring itself (ISO 9314-2).
            if control & 0x30 == 0x10 { Ok((Layer::LogicalLink, rest)) } else { Err(NOT_IP) }
        }
        LinkType::ARCNET_BSD => arcnet(after(octets, 2)?),
        LinkType::ARCNET_LINUX => arcnet(after(octets, 4)?),
        LinkType::ATM_RFC1483 => Ok((Layer::LogicalLink, octets)),
        LinkType::SUNATM => {
            let (&[flags, ..], rest) = head::<4>(octets)?;
            if flags & 0x0f == 2 {
                Ok((Layer::LogicalLink, rest))
            } else {
                Err(Unread::noted(Skip::Encapsulated, Note::LinkType(link)))
            }
        }
        // RFC 2625: two network addresses of eight octets.
        LinkType::IP_OVER_FC => Ok((Layer::LogicalLink, after(octets, 16)?)),
        LinkType::IP_OVER_1394 => {
            let (&[.., high, low], rest) = head::<18>(octets)?;
            Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
        }
        LinkType::IPOIB => {
            // The global routing header of InfiniBand, then RFC 4391: a type and two octets of nothing.
            let (&[.., high, low, _, _], rest) = head::<44>(octets)?;
            Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
        }
        LinkType::IPNET => {
            let (&[_, family, ..], rest) = head::<24>(octets)?;
            match family {
                2 => Ok((Layer::Ip(Version::Four), rest)),
                26 => Ok((Layer::Ip(Version::Six), rest)),
                _ => Err(Unread::noted(Skip::Encapsulated, Note::Family(family.into()))),
            }
        }
        LinkType::PFLOG => {
            let &[length, family, ..] = octets else { return Err(CUT) };
            Ok((by_family(family.into())?, after(octets, usize::from(length).next_multiple_of(4))?))
        }
        LinkType::ENC => {
            let (&[a, b, c, d, ..], rest) = head::<12>(octets)?;
            Ok((by_family(host_order([a, b, c, d]))?, rest))
        }
        LinkType::NFLOG => nflog(octets),
        LinkType::PKTAP | LinkType::PKTAP_DARWIN => {
            let (&[a, b, c, d, _, _, _, _, e, f, g, h], _) = head::<12>(octets)?;
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            // The header itself ends after the link type at the soonest.
            Ok((Layer::Link(LinkType(u32::from_le_bytes([e, f, g, h]))), after(octets, length.max(12))?))
        }
        // A header of the card that captured; with a preamble under the second number.
        LinkType::NETANALYZER => Ok((Layer::ETHERNET, after(octets, 4)?)),
        LinkType::NETANALYZER_TRANSPARENT => Ok((Layer::ETHERNET, after(octets, 12)?)),
        LinkType::PPI => {
            let (&[_, _, low, high, a, b, c, d], _) = head::<8>(octets)?;
            let length = usize::from(u16::from_le_bytes([low, high]));
            Ok((Layer::Link(LinkType(u32::from_le_bytes([a, b, c, d]))), after(octets, length.max(8))?))
        }
        LinkType::IEEE802_11 => wireless::frame(octets),
        LinkType::RADIOTAP => wireless::radiotap(octets),
        LinkType::PRISM => wireless::prism(octets),
        LinkType::AVS => wireless::avs(octets),
        _ if link.carries_no_ip() => Err(Unread::noted(Skip::NotIp, Note::LinkType(link))),
        _ => Err(Unread::noted(Skip::UnknownLinkType, Note::LinkType(link))),
    }
}

/// Follows an Ethernet type, or a length where it is one.
#[inline]
fn by_type(ether_type: u16, rest: &[u8]) -> Next<'_> {
    match ether_type {
        IPV4 => Ok((Layer::Ip(Version::Four), rest)),
        IPV6 => Ok((Layer::Ip(Version::Six), rest)),
        // IEEE 802.1Q, IEEE 802.1ad, and what came before it.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            let (&[_, _, high, low], rest) = head::<4>(rest)?;
            Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
        }
        0..=MAX_LENGTH => Ok((Layer::LogicalLink, rest)),
        _ => shim::by_type(ether_type, rest).unwrap_or_else(|| Err(unread(ether_type))),
    }
}

/// IEEE 802.2: SNAP (RFC 1042) has an Ethernet type; the service access point 6 is IP itself; nothing else is.
fn logical_link(octets: &[u8]) -> Next<'_> {
    let (sap, rest) = head::<3>(octets)?;
    match sap {
        [0x06, 0x06, 0x03] => Ok((Layer::Ip(Version::Four), rest)),
        // RFC 2684 section 5.1: routed ISO protocols.
        [0xfe, 0xfe, 0x03] => Ok((Layer::Nlpid, rest)),
        [0xaa | 0xab, 0xaa | 0xab, 0x03] => snap(rest),
        _ => Err(NOT_IP),
    }
}

fn snap(octets: &[u8]) -> Next<'_> {
    let (&[a, b, c, high, low], rest) = head::<5>(octets)?;
    let (organisation, number) = (u32::from_be_bytes([0, a, b, c]), u16::from_be_bytes([high, low]));
    match organisation {
        // RFC 1042, and IEEE 802.1H for what a bridge translated.
        0x00_00_00 | 0x00_00_f8 if number > MAX_LENGTH => Ok((Layer::Type(number), rest)),
        // RFC 2684, RFC 2427: bridged frames of another medium.
        0x00_80_c2 => Err(Unread::noted(Skip::Encapsulated, Note::Snap(organisation, number))),
        _ => Err(NOT_IP),
    }
}

fn nlpid(octets: &[u8]) -> Next<'_> {
    match octets {
        [0xcc, rest @ ..] => Ok((Layer::Ip(Version::Four), rest)),
        [0x8e, rest @ ..] => Ok((Layer::Ip(Version::Six), rest)),
        [0x80, rest @ ..] => snap(rest),
        [0xcf, rest @ ..] => Ok((Layer::Ppp, rest)),
        [] => Err(CUT),
        _ => Err(NOT_IP),
    }
}

/// An address of two to four octets of which the last has its least bit set (ITU-T Q.922), then RFC 2427; or an Ethernet
/// type, as Cisco's routers write it.
fn frame_relay(octets: &[u8]) -> Next<'_> {
    let length = octets.iter().take(4).position(|octet| octet & 1 == 1).ok_or(CUT)? + 1;
    match after(octets, length)? {
        // A pad makes the length even.
        [0x03, 0x00, rest @ ..] | [0x03, rest @ ..] => Ok((Layer::Nlpid, rest)),
        [high, low, rest @ ..] => match u16::from_be_bytes([*high, *low]) {
            0..=MAX_LENGTH => Err(NOT_IP),
            ether_type => Ok((Layer::Type(ether_type), rest)),
        },
        _ => Err(CUT),
    }
}

/// IEEE 802.5: access and frame control, addresses, and a route where the source address has its first bit set.
fn token_ring(octets: &[u8]) -> Next<'_> {
    let (&[_, control, _, _, _, _, _, _, source, ..], rest) = head::<14>(octets)?;
    if control & 0xc0 != 0x40 {
        return Err(NOT_IP);
    }
    let route = match (source & 0x80, rest) {
        (0, _) => 0,
        (_, [first, ..]) => usize::from(first & 0x1f),
        _ => return Err(CUT),
    };
    Ok((Layer::LogicalLink, after(rest, route)?))
}

/// What follows the addresses: a protocol, and in RFC 1201 a flag and number of the parts that a packet is split into.
fn arcnet(octets: &[u8]) -> Next<'_> {
    let (&[protocol], rest) = head::<1>(octets)?;
    let version = match protocol {
        // RFC 1051 has no split.
        0xf0 => return Ok((Layer::Ip(Version::Four), rest)),
        0xd4 => Version::Four,
        0xc4 => Version::Six,
        _ => return Err(NOT_IP),
    };
    let (mut split, mut rest) = head::<3>(rest)?;
    if split[0] == 0xff {
        // An exception frame: pads a length that the hardware cannot send.
        (split, rest) = head::<3>(after(rest, 1)?)?;
    }
    // Odd is the first of several, even but zero a later one.
    if split[0] == 0 || split[0] & 1 == 1 {
        Ok((Layer::Ip(version), rest))
    } else {
        Err(Unread::noted(Skip::Encapsulated, Note::LinkType(LinkType::ARCNET_LINUX)))
    }
}

/// Linux netfilter log: attributes with a length and a type in the order of the host that captured, of which 9 is the
/// packet and 1 has its Ethernet type.
fn nflog(octets: &[u8]) -> Next<'_> {
    let (&[family, ..], mut rest) = head::<4>(octets)?;
    let mut ether_type = 0;
    loop {
        let (&[a, b, c, d], body) = head::<4>(rest)?;
        let (mut length, mut kind) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        // The types are small: where one is not, it was written in the other order.
        if kind > 0xff {
            (length, kind) = (length.swap_bytes(), kind.swap_bytes());
        }
        match (kind & 0x7fff, body) {
            (9, _) => {
                let layer = match family {
                    2 => Layer::Ip(Version::Four),
                    10 => Layer::Ip(Version::Six),
                    _ if ether_type > MAX_LENGTH => Layer::Type(ether_type),
                    _ => return Err(Unread::noted(Skip::Encapsulated, Note::Family(family.into()))),
                };
                return Ok((layer, body));
            }
            (1, &[high, low, ..]) => ether_type = u16::from_be_bytes([high, low]),
            _ => {}
        }
        rest = after(rest, usize::from(length.max(4)).next_multiple_of(4))?;
    }
}

/// A family is a small number: where it is not, it was written in the other byte order.
fn host_order(family: [u8; 4]) -> u32 {
    let family = u32::from_le_bytes(family);
    if family > 0xffff { family.swap_bytes() } else { family }
}

/// BSD address families: 2 is IPv4 everywhere; IPv6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on
/// Linux.
fn by_family(family: u32) -> Result<Layer, Unread> {
    match family {
        2 => Ok(Layer::Ip(Version::Four)),
        10 | 24 | 28 | 30 => Ok(Layer::Ip(Version::Six)),
        _ => Err(Unread::noted(Skip::Encapsulated, Note::Family(family))),
    }
}

/// Linux cooked captures: for most hardware types the protocol is an Ethernet type or one of Linux's own below 1536
/// (`if_arp.h`, `if_ether.h`).
fn cooked(hardware: u16, protocol: u16) -> Result<Layer, Unread> {
    match hardware {
        // Netlink: messages of the kernel.
        824 => return Err(NOT_IP),
        // Here the protocol says nothing, and a header of another link type follows.
        770 => return Ok(Layer::Link(LinkType::FRAME_RELAY)),
        801 => return Ok(Layer::Link(LinkType::IEEE802_11)),
        802 => return Ok(Layer::Link(LinkType::PRISM)),
        803 => return Ok(Layer::Link(LinkType::RADIOTAP)),
        804 | 805 => return Err(Unread::noted(Skip::Encapsulated, Note::Hardware(hardware))),
        _ => {}
    }
    match protocol {
        // IEEE 802.2 without a length before it.
        0x0004 => Ok(Layer::LogicalLink),
        // IPX in bare IEEE 802.3, and CAN.
        0x0001 | 0x000c..=0x000e => Err(NOT_IP),
        0..=MAX_LENGTH => Err(Unread::noted(Skip::Encapsulated, Note::EtherType(protocol))),
        _ => Ok(Layer::Type(protocol)),
    }
}

/// Why an Ethernet type leads to no IP header. A type that is not in the list may carry IP for all that is known here:
/// it is not passed over as if it could not.
fn unread(ether_type: u16) -> Unread {
    match ether_type {
        // Xerox PUP, IPX, AppleTalk, AARP, DECnet, SNA, ARP, RARP, wake-on-LAN, loopback test, Realtek, LLTD, NHRP, CDP.
        0x0200 | 0x0201 | 0x0a00 | 0x0a01 | 0x0806 | 0x0842 | 0x2000 | 0x2001 | 0x6000..=0x6009 | 0x8035 | 0x809b | 0x80d5
        | 0x80f3 | 0x8137 | 0x8138 | 0x88d9 | 0x8899 | 0x9000
        // MAC control, slow protocols, PPPoE discovery, EAPOL, LLDP, MRP, MVRP, MMRP, PTP, CFM, 802.11 data tunnelled, RSTP of Cisco.
        | 0x8808 | 0x8809 | 0x8863 | 0x888e | 0x88c7 | 0x88cc | 0x88e3 | 0x88f5 | 0x88f6 | 0x88f7 | 0x8902 | 0x890d | 0x8911
        // Industrial, storage, power line and substation protocols: PROFINET, EtherCAT, AoE, HyperSCSI, POWERLINK, GOOSE,
        // GSE, sampled values, HomePlug, SERCOS, FCoE and its initialisation, RoCE, high-availability seamless redundancy.
        | 0x8892 | 0x88a2 | 0x88a4 | 0x889a | 0x88ab | 0x88b8 | 0x88b9 | 0x88ba | 0x887b | 0x88e1 | 0x88cd | 0x8906 | 0x8914
        | 0x8915 | 0x88fb
        // IS-IS and link state of TRILL, WAVE short messages, audio and video transport, time-sensitive networking, OSI.
        | 0x22f0 | 0x22f4 | 0x22ea | 0x88dc | 0xfefe => NOT_IP,
        _ => Unread::noted(Skip::Encapsulated, Note::EtherType(ether_type)),
    }
}
