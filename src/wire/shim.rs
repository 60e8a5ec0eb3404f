//! Headers between Ethernet and IP: labels, tags, PPP, and Ethernet in Ethernet.

use super::link::{IPV4, IPV6, Layer, NOT_IP, Next, Version, after, head};
use super::{Note, Unread};
use crate::model::Skip;

/// The label of a message about a label-switched path (RFC 5586).
const GENERIC_ASSOCIATED_CHANNEL: u32 = 13;

const ADDRESSES: usize = 12;

/// What an Ethernet type of such a header announces; `None` for every other.
pub(super) fn by_type(ether_type: u16, octets: &[u8]) -> Option<Next<'_>> {
    Some(match ether_type {
        0x8847 | 0x8848 => mpls(octets),
        0x8864 => pppoe(octets),
        // PPP in GRE (RFC 2637).
        0x880b => Ok((Layer::Ppp, octets)),
        // Ethernet in GRE and others (RFC 1701).
        0x6558 => Ok((Layer::ETHERNET, octets)),
        // MAC-in-MAC (IEEE 802.1ah): a service tag and two addresses.
        0x88e7 => tag(octets, 4 + ADDRESSES),
        // VN-tag of Cisco, E-tag (IEEE 802.1BR).
        0x8926 => tag(octets, 4),
        0x893f => tag(octets, 6),
        // FabricPath of Cisco: a forwarding tag, then Ethernet.
        0x8903 => after(octets, 2).map(|rest| (Layer::ETHERNET, rest)),
        0x22f3 => trill(octets),
        0x88e5 => mac_security(octets),
        0x894f => service_header(octets),
        0xd28b => arista(octets),
        _ => return None,
    })
}

/// A tag of `length` octets and an Ethernet type.
fn tag(octets: &[u8], length: usize) -> Next<'_> {
    let (&[high, low], rest) = head::<2>(after(octets, length)?)?;
    Ok((Layer::Type(u16::from_be_bytes([high, low])), rest))
}

/// RFC 3032. The label does not say what follows the bottom of the stack: the first four bits do, as RFC 4928 and RFC 4385
/// foresee; a pseudowire without a control word is known by the Ethernet type in it.
fn mpls(octets: &[u8]) -> Next<'_> {
    let mut rest = octets;
    loop {
        let (&entry, below) = head::<4>(rest)?;
        rest = below;
        let entry = u32::from_be_bytes(entry);
        if entry & 0x100 == 0 {
            continue;
        }
        let announced = match rest.first().map(|first| first >> 4) {
            Some(4) => Layer::Ip(Version::Four),
            Some(6) => Layer::Ip(Version::Six),
            _ if entry >> 12 == GENERIC_ASSOCIATED_CHANNEL => return Err(NOT_IP),
            Some(1) => return Err(NOT_IP),
            Some(0) if is_ethernet(after(rest, 4)?) || !is_ethernet(rest) => {
                return Ok((Layer::ETHERNET, after(rest, 4)?));
            }
            Some(_) if is_ethernet(rest) => Layer::ETHERNET,
            _ => return Err(Unread::noted(Skip::Encapsulated, Note::EtherType(0x8847))),
        };
        return Ok((announced, rest));
    }
}

/// Whether there is an Ethernet type of IP, of ARP or of a tag where one belongs.
fn is_ethernet(octets: &[u8]) -> bool {
    let after_addresses = octets.get(ADDRESSES..).unwrap_or_default();
    match after_addresses {
        [high, low, next, ..] => match u16::from_be_bytes([*high, *low]) {
            IPV4 => next >> 4 == 4,
            IPV6 => next >> 4 == 6,
            0x0806 | 0x8100 | 0x88a8 => true,
            _ => false,
        },
        _ => false,
    }
}

/// RFC 2516.
pub(super) fn pppoe(octets: &[u8]) -> Next<'_> {
    let (&[_, code, ..], rest) = head::<6>(octets)?;
    if code == 0 { Ok((Layer::Ppp, rest)) } else { Err(NOT_IP) }
}

/// RFC 1661, with the numbers of the IANA registry of PPP. Address and control are left out where both sides agreed, and so is
/// the first octet of the protocol where it is zero.
pub(super) fn ppp(octets: &[u8]) -> Next<'_> {
    let octets = match octets {
        [0xff, 0x03, rest @ ..] | [0x03, rest @ ..] => rest,
        _ => octets,
    };
    let (&[first], short) = head::<1>(octets)?;
    let (protocol, rest) = if first & 1 == 1 {
        (u16::from(first), short)
    } else {
        let (&protocol, rest) = head::<2>(octets)?;
        (u16::from_be_bytes(protocol), rest)
    };
    match protocol {
        0x0021 => Ok((Layer::Ip(Version::Four), rest)),
        0x0057 => Ok((Layer::Ip(Version::Six), rest)),
        0x0281 | 0x0283 => Ok((Layer::Type(0x8847), rest)),
        // Of the link and of the network protocols: they set up and carry nothing.
        0x8000.. => Err(NOT_IP),
        _ => Err(Unread::noted(Skip::Encapsulated, Note::Ppp(protocol))),
    }
}

/// RFC 6325 section 3: version and options, two nicknames, the options, then Ethernet.
fn trill(octets: &[u8]) -> Next<'_> {
    let (&[first, second, ..], rest) = head::<6>(octets)?;
    let words = u16::from_be_bytes([first, second]) >> 6 & 0x1f;
    Ok((Layer::ETHERNET, after(rest, usize::from(words) * 4)?))
}

/// IEEE 802.1AE: integrity alone leaves what follows in the clear.
fn mac_security(octets: &[u8]) -> Next<'_> {
    let (&[control, ..], rest) = head::<6>(octets)?;
    if control & 0x0c != 0 {
        return Err(Unread::noted(Skip::Encapsulated, Note::EtherType(0x88e5)));
    }
    tag(rest, if control & 0x20 == 0 { 0 } else { 8 })
}

/// RFC 8300: the length in words of four octets, and what follows.
pub(super) fn service_header(octets: &[u8]) -> Next<'_> {
    let (&[_, length, _, next], _) = head::<4>(octets)?;
    let rest = after(octets, (usize::from(length & 0x3f) * 4).max(8))?;
    let layer = match next {
        1 => Layer::Ip(Version::Four),
        2 => Layer::Ip(Version::Six),
        3 => Layer::ETHERNET,
        4 => Layer::Type(0x894f),
        5 => Layer::Type(0x8847),
        _ => return Err(Unread::noted(Skip::Encapsulated, Note::EtherType(0x894f))),
    };
    Ok((layer, rest))
}

/// A time stamp of Arista's switches in 64 or 48 bits.
fn arista(octets: &[u8]) -> Next<'_> {
    let (&[kind_high, kind_low, _, version], _) = head::<4>(octets)?;
    match (u16::from_be_bytes([kind_high, kind_low]), version) {
        (1, 0x10) => tag(octets, 12),
        (1, 0x20) => tag(octets, 10),
        _ => Err(Unread::noted(Skip::Encapsulated, Note::EtherType(0xd28b))),
    }
}
