//! IEEE 802.11, and the headers that capture programs put before it.

use super::link::{CUT, Layer, NOT_IP, Next, after, head};
use super::{LinkType, Note, Unread};
use crate::model::Skip;

/// Bits of the second octet of frame control (IEEE 802.11-2020 section 9.2.4.1).
const TO_AND_FROM_DISTRIBUTION: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// Bits of the first.
const KIND: u8 = 0x0f;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const QUALITY: u8 = 0x80;

/// The addresses and length before each part of an aggregate.
const SUBFRAME: usize = 14;

/// How the header is followed by what it carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    None,
    /// Some drivers fill the header up to a multiple of four octets.
    ToFour,
}

pub(super) fn frame(octets: &[u8]) -> Next<'_> {
    let &[first, second, ..] = octets else { return Err(CUT) };
    data(first, second, octets, Padding::None)
}

/// RFC 5416 carries frames of 802.11 as they are; Cisco's access points write the octets of frame control the other way
/// round. Nothing but data between the distribution system and a station goes through the tunnel, so that one of the two
/// orders makes no sense.
pub(super) fn capwap(octets: &[u8]) -> Next<'_> {
    let &[first, second, ..] = octets else { return Err(CUT) };
    let (first, second) = if first & KIND == DATA { (first, second) } else { (second, first) };
    data(first, second, octets, Padding::None)
}

fn data(first: u8, second: u8, octets: &[u8], padding: Padding) -> Next<'_> {
    // Management, control, and data frames that carry none.
    if first & KIND != DATA || first & WITHOUT_DATA != 0 {
        return Err(NOT_IP);
    }
    if second & PROTECTED != 0 {
        return Err(Unread::noted(Skip::Encapsulated, Note::Encrypted80211));
    }
    let quality_at = if second & TO_AND_FROM_DISTRIBUTION == TO_AND_FROM_DISTRIBUTION { 30 } else { 24 };
    let mut length = quality_at;
    let mut aggregate = false;
    if first & QUALITY != 0 {
        aggregate = octets.get(quality_at).ok_or(CUT)? & 0x80 != 0;
        length += if second & ORDER == 0 { 2 } else { 6 };
    }
    if padding == Padding::ToFour {
        length = length.next_multiple_of(4);
    }
    let body = after(octets, length)?;
    if !aggregate {
        return Ok((Layer::LogicalLink, body));
    }
    // An aggregate is read where it has a single part: a frame is one packet here.
    let (&[.., high, low], part) = head::<SUBFRAME>(body)?;
    let parted = usize::from(u16::from_be_bytes([high, low])) + SUBFRAME;
    if body.len() > parted.next_multiple_of(4) + SUBFRAME {
        return Err(Unread::noted(Skip::Encapsulated, Note::Aggregate80211));
    }
    Ok((Layer::LogicalLink, part))
}

/// radiotap.org: a version, a length, and which fields follow, in an order and alignment of their own. One is needed: the flags.
pub(super) fn radiotap(octets: &[u8]) -> Next<'_> {
    const EXTENDED: u8 = 0x80;
    const PADDED: u8 = 0x20;
    let (&[_, _, low, high, present, ..], _) = head::<8>(octets)?;
    let body = after(octets, usize::from(u16::from_le_bytes([low, high])).max(8))?;
    // Each word of fields says in its last bit whether there is another.
    let words = octets.get(4..).unwrap_or_default().chunks_exact(4);
    let more = words.take_while(|word| word.last().is_some_and(|octet| octet & EXTENDED != 0)).count();
    let mut flags_at = 8 + more * 4;
    if present & 1 != 0 {
        flags_at = flags_at.next_multiple_of(8) + 8;
    }
    let flags = if present & 2 == 0 { 0 } else { octets.get(flags_at).copied().unwrap_or(0) };
    let &[first, second, ..] = body else { return Err(CUT) };
    data(first, second, body, if flags & PADDED == 0 { Padding::None } else { Padding::ToFour })
}

/// The monitor header of Prism cards: a message number, a length, the rest of no use here. Some drivers write that of
/// AVS under this number, which begins with a version.
pub(super) fn prism(octets: &[u8]) -> Next<'_> {
    let (&[a, b, c, _, e, f, g, h], _) = head::<8>(octets)?;
    if [a, b, c] == [0x80, 0x21, 0x10] {
        return avs(octets);
    }
    let length = [e, f, g, h];
    let length = u32::from_le_bytes(length).min(u32::from_be_bytes(length)) as usize;
    Ok((Layer::Link(LinkType::IEEE802_11), after(octets, length.max(8))?))
}

/// The AVS capture header: a version and a length.
pub(super) fn avs(octets: &[u8]) -> Next<'_> {
    let (&[_, _, _, _, e, f, g, h], _) = head::<8>(octets)?;
    let length = u32::from_be_bytes([e, f, g, h]) as usize;
    Ok((Layer::Link(LinkType::IEEE802_11), after(octets, length.max(8))?))
}
