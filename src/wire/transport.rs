//! Transport headers: ports, TCP flags, ICMP types, and how much payload follows.
//!
//! Payload is reckoned from lengths, so that what a snap length cut off still counts.

use super::Timestamps;
use crate::model::Protocol;

const TCP_HEADER: u32 = 20;
const UDP_HEADER: u32 = 8;
const SCTP_HEADER: u32 = 12;
const ICMP_HEADER: u32 = 8;

/// What a transport header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) sport: u16,
    pub(super) dport: u16,
    pub(super) payload: u32,
    /// TCP sequence number, or those of an ICMP echo, or zero.
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) timestamps: Option<Timestamps>,
    pub(super) checksum: u16,
    pub(super) tcp_flags: u8,
    pub(super) icmp_type: Option<u8>,
    /// Octets of the header.
    pub(super) header: u32,
    /// The protocol has ports, and they were not captured; or it is TCP, and the length of its header was not.
    pub(super) cut: bool,
}

impl Segment {
    /// Payload, and no header.
    pub(super) const fn data(payload: u32) -> Self {
        Self {
            sport: 0,
            dport: 0,
            payload,
            sequence: 0,
            acknowledgement: 0,
            timestamps: None,
            checksum: 0,
            tcp_flags: 0,
            icmp_type: None,
            header: 0,
            cut: false,
        }
    }
}

/// Reads a transport header in `octets`, which is what was captured of `length` octets.
#[inline]
pub(super) fn read(protocol: Protocol, octets: &[u8], length: u32) -> Segment {
    match protocol {
        Protocol::TCP => tcp(octets, length),
        Protocol::UDP => udp(octets, length),
        Protocol::SCTP => with_ports(octets, SCTP_HEADER, length),
        Protocol::ICMP | Protocol::ICMPV6 => icmp(octets, length),
        _ => Segment::data(length),
    }
}

#[inline]
fn with_ports(octets: &[u8], header: u32, length: u32) -> Segment {
    let segment = Segment { header, ..Segment::data(length.saturating_sub(header)) };
    match octets.first_chunk::<4>() {
        Some(&[a, b, c, d]) => {
            Segment { sport: u16::from_be_bytes([a, b]), dport: u16::from_be_bytes([c, d]), ..segment }
        }
        None => Segment { cut: true, ..segment },
    }
}

/// RFC 792, RFC 4443. Where what follows type, code and checksum is not captured, it is read as zero.
fn icmp(octets: &[u8], length: u32) -> Segment {
    let word = |at: usize| octets.get(at..).and_then(|rest| rest.first_chunk()).copied();
    Segment {
        icmp_type: octets.first().copied(),
        checksum: word(2).map_or(0, u16::from_be_bytes),
        sequence: octets.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word)),
        header: ICMP_HEADER,
        ..Segment::data(length.saturating_sub(ICMP_HEADER))
    }
}

/// RFC 9293 section 3.1. A header whose length is not known, or below the least, is taken to have no options.
#[inline]
fn tcp(octets: &[u8], length: u32) -> Segment {
    let Some(&[.., offset, flags]) = octets.first_chunk::<14>() else {
        return Segment { cut: true, ..with_ports(octets, TCP_HEADER, length) };
    };
    let (words, _) = octets.as_chunks();
    let word = |at: usize| words.get(at).map_or(0, |word| u32::from_be_bytes(*word));
    let header = (u32::from(offset >> 4) * 4).max(TCP_HEADER);
    let options = octets.get(TCP_HEADER as usize..).unwrap_or_default();
    Segment {
        sequence: word(1),
        acknowledgement: word(2),
        timestamps: timestamps(options.get(..(header - TCP_HEADER) as usize).unwrap_or(options)),
        checksum: (word(4) >> 16) as u16,
        tcp_flags: flags,
        ..with_ports(octets, header, length)
    }
}

/// RFC 7323 section 3.2, among the options of RFC 9293 section 3.2.
#[inline]
fn timestamps(mut options: &[u8]) -> Option<Timestamps> {
    while let &[kind, ref after @ ..] = options {
        match kind {
            0 => return None,
            1 => options = after,
            8 => {
                let (length, both) = after.split_first()?;
                let ([value, echo, ..], _) = both.as_chunks() else { return None };
                let stamps = Timestamps { value: u32::from_be_bytes(*value), echo: u32::from_be_bytes(*echo) };
                return (*length == 10).then_some(stamps);
            }
            _ => options = options.get(usize::from(*after.first()?).max(2)..)?,
        }
    }
    None
}

/// RFC 768. The length field bounds the payload where it is plausible: it is zero in jumbograms and offloaded segments, and
/// that of the whole datagram in a first fragment.
#[inline]
fn udp(octets: &[u8], length: u32) -> Segment {
    let (says, checksum) = match octets.first_chunk::<8>() {
        Some(&[.., high, low, sum_high, sum_low]) => {
            (u32::from(u16::from_be_bytes([high, low])), u16::from_be_bytes([sum_high, sum_low]))
        }
        None => match octets.first_chunk::<6>() {
            Some(&[.., high, low]) => (u32::from(u16::from_be_bytes([high, low])), 0),
            None => (0, 0),
        },
    };
    let length = if says < UDP_HEADER { length } else { says.min(length) };
    Segment { checksum, ..with_ports(octets, UDP_HEADER, length) }
}
