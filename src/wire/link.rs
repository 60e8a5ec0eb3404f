//! Link layers: from a frame to the IP header in it.
//!
//! Numbers of Ethernet types are of the IEEE registry (as IANA repeats it) and of the makers who use them; those of
//! cooked captures of the LINKTYPE pages of tcpdump.org and of Linux (`if_arp.h`, `if_ether.h`).

use super::{LinkType, Note, Unread};
use crate::model::Skip;

/// The most tags (IEEE 802.1Q, 802.1ad) and SNAP headers that are stepped over in a frame.
const MAX_TAGS: usize = 8;

/// The largest value of the type field that is a length (IEEE 802.3).
const MAX_LENGTH: u16 = 1500;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Which IP header is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
    /// The header says it itself.
    Either,
}

/// What a header announces: an Ethernet type, and what follows.
type Typed<'a> = (u16, &'a [u8]);
type Carried<'a> = (Version, &'a [u8]);

const CUT: Unread = Unread::new(Skip::CutHeader);
const NOT_IP: Unread = Unread::new(Skip::NotIp);

/// Steps over the link layer of a frame.
#[inline]
pub(super) fn strip(link: LinkType, octets: &[u8]) -> Result<Carried<'_>, Unread> {
    match link {
        LinkType::ETHERNET => {
            let (&[.., high, low], rest) = octets.split_first_chunk::<14>().ok_or(CUT)?;
            by_type(u16::from_be_bytes([high, low]), rest)
        }
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok((Version::Either, octets)),
        LinkType::IPV4 => Ok((Version::Four, octets)),
        LinkType::IPV6 => Ok((Version::Six, octets)),
        LinkType::NULL => {
            let (family, rest) = octets.split_first_chunk::<4>().ok_or(CUT)?;
            let family = u32::from_le_bytes(*family);
            // A family is a small number: where it is not, it was written in the other byte order.
            by_family(if family > 0xffff { family.swap_bytes() } else { family }, rest)
        }
        LinkType::LOOP => {
            let (family, rest) = octets.split_first_chunk::<4>().ok_or(CUT)?;
            by_family(u32::from_be_bytes(*family), rest)
        }
        LinkType::LINUX_SLL => {
            let (&[_, _, hardware_high, hardware_low, .., high, low], rest) =
                octets.split_first_chunk::<16>().ok_or(CUT)?;
            cooked(u16::from_be_bytes([hardware_high, hardware_low]), u16::from_be_bytes([high, low]), rest)
        }
        LinkType::LINUX_SLL2 => {
            let (header, rest) = octets.split_first_chunk::<20>().ok_or(CUT)?;
            let &[high, low, _, _, _, _, _, _, hardware_high, hardware_low, ..] = header;
            cooked(u16::from_be_bytes([hardware_high, hardware_low]), u16::from_be_bytes([high, low]), rest)
        }
        _ => Err(Unread::new(Skip::UnknownLinkType)),
    }
}

/// Follows an Ethernet type, or a length where it is one, through tags and SNAP to an IP header.
#[inline]
fn by_type(ether_type: u16, octets: &[u8]) -> Result<Carried<'_>, Unread> {
    let (mut ether_type, mut rest) = (ether_type, octets);
    for _ in 0..=MAX_TAGS {
        match ether_type {
            IPV4 => return Ok((Version::Four, rest)),
            IPV6 => return Ok((Version::Six, rest)),
            // IEEE 802.1Q, IEEE 802.1ad, and what came before it.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let (&[_, _, high, low], after) = rest.split_first_chunk::<4>().ok_or(CUT)?;
                (ether_type, rest) = (u16::from_be_bytes([high, low]), after);
            }
            0..=MAX_LENGTH => (ether_type, rest) = logical_link(rest)?,
            _ => return Err(unread(ether_type)),
        }
    }
    Err(Unread::noted(Skip::Encapsulated, Note::EtherType(ether_type)))
}

/// IEEE 802.2: SNAP (RFC 1042) has an Ethernet type; the service access point 6 is IP itself; nothing else is.
fn logical_link(octets: &[u8]) -> Result<Typed<'_>, Unread> {
    let (sap, rest) = octets.split_first_chunk::<3>().ok_or(CUT)?;
    match sap {
        [0x06, 0x06, 0x03] => Ok((IPV4, rest)),
        [0xaa | 0xab, 0xaa | 0xab, 0x03] => {
            let (&[a, b, c, high, low], rest) = rest.split_first_chunk::<5>().ok_or(CUT)?;
            let (organisation, number) = (u32::from_be_bytes([0, a, b, c]), u16::from_be_bytes([high, low]));
            match organisation {
                // RFC 1042, and IEEE 802.1H for what a bridge translated.
                0x00_00_00 | 0x00_00_f8 if number > MAX_LENGTH => Ok((number, rest)),
                // RFC 2684, RFC 2427: bridged frames of another medium.
                0x00_80_c2 => Err(Unread::noted(Skip::Encapsulated, Note::Snap(organisation, number))),
                _ => Err(NOT_IP),
            }
        }
        _ => Err(NOT_IP),
    }
}

/// BSD address families: 2 is IPv4 everywhere; IPv6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on
/// Linux.
fn by_family(family: u32, rest: &[u8]) -> Result<Carried<'_>, Unread> {
    match family {
        2 => Ok((Version::Four, rest)),
        10 | 24 | 28 | 30 => Ok((Version::Six, rest)),
        _ => Err(Unread::noted(Skip::Encapsulated, Note::Family(family))),
    }
}

/// Linux cooked captures: for most hardware types the protocol is an Ethernet type or one of Linux's own below 1536.
fn cooked(hardware: u16, protocol: u16, rest: &[u8]) -> Result<Carried<'_>, Unread> {
    match hardware {
        // Netlink: messages of the kernel.
        824 => return Err(NOT_IP),
        // Frame relay, and IEEE 802.11 in its several forms: the protocol field says nothing.
        770 | 801..=805 => return Err(Unread::noted(Skip::Encapsulated, Note::Hardware(hardware))),
        _ => {}
    }
    match protocol {
        // IEEE 802.2 without a length before it.
        0x0004 => {
            let (ether_type, rest) = logical_link(rest)?;
            by_type(ether_type, rest)
        }
        // IPX in bare IEEE 802.3, and CAN.
        0x0001 | 0x000c..=0x000e => Err(NOT_IP),
        0..=MAX_LENGTH => Err(Unread::noted(Skip::Encapsulated, Note::EtherType(protocol))),
        _ => by_type(protocol, rest),
    }
}

/// Why an Ethernet type leads to no IP header. A type that is not in the list may carry IP for all that is known here:
/// it is not passed over as if it could not.
fn unread(ether_type: u16) -> Unread {
    match ether_type {
        // Xerox PUP, IPX, AppleTalk, AARP, DECnet, SNA, ARP, RARP, wake-on-LAN, loopback test, Realtek, LLTD.
        0x0200 | 0x0201 | 0x0a00 | 0x0a01 | 0x0806 | 0x0842 | 0x6000..=0x6009 | 0x8035 | 0x809b | 0x80d5 | 0x80f3
        | 0x8137 | 0x8138 | 0x88d9 | 0x8899 | 0x9000
        // MAC control, slow protocols, PPPoE discovery, EAPOL, LLDP, MRP, MVRP, MMRP, PTP, CFM, 802.11 data tunnelled, RSTP of Cisco.
        | 0x8808 | 0x8809 | 0x8863 | 0x888e | 0x88c7 | 0x88cc | 0x88e3 | 0x88f5 | 0x88f6 | 0x88f7 | 0x8902 | 0x890d | 0x8911
        // Industrial, storage, power line and substation protocols: PROFINET, EtherCAT, AoE, HyperSCSI, POWERLINK, GOOSE,
        // GSE, sampled values, HomePlug, SERCOS, FCoE and its initialisation, RoCE, high-availability seamless redundancy.
        | 0x8892 | 0x88a2 | 0x88a4 | 0x889a | 0x88ab | 0x88b8 | 0x88b9 | 0x88ba | 0x887b | 0x88e1 | 0x88cd | 0x8906 | 0x8914
        | 0x8915 | 0x88fb
        // IS-IS and link state of TRILL, WAVE short messages, audio and video transport, time-sensitive networking.
        | 0x22f0 | 0x22f4 | 0x22ea | 0x88dc => NOT_IP,
        // MPLS, PPPoE session, MAC-in-MAC, VN-tag, E-tag, FabricPath, TRILL, MACsec, bridged Ethernet, NSH and all the rest.
        _ => Unread::noted(Skip::Encapsulated, Note::EtherType(ether_type)),
    }
}
