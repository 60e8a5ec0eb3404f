//! Transport headers: ports, TCP flags, ICMP types, and how much payload follows.
//!
//! Payload is reckoned from lengths, so that what a snap length cut off still counts.

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
    /// TCP sequence number, or zero.
    pub(super) sequence: u32,
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
        Self { sport: 0, dport: 0, payload, sequence: 0, tcp_flags: 0, icmp_type: None, header: 0, cut: false }
    }
}

/// Reads a transport header in `octets`, which is what was captured of `length` octets.
#[inline]
pub(super) fn read(protocol: Protocol, octets: &[u8], length: u32) -> Segment {
    match protocol {
        Protocol::TCP => tcp(octets, length),
        Protocol::UDP => udp(octets, length),
        Protocol::SCTP => with_ports(octets, SCTP_HEADER, length),
        Protocol::ICMP | Protocol::ICMPV6 => Segment {
            icmp_type: octets.first().copied(),
            header: ICMP_HEADER,
            ..Segment::data(length.saturating_sub(ICMP_HEADER))
        },
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

/// RFC 9293 section 3.1. A header whose length is not known, or below the least, is taken to have no options.
#[inline]
fn tcp(octets: &[u8], length: u32) -> Segment {
    let Some(&[_, _, _, _, a, b, c, d, .., offset, flags]) = octets.first_chunk::<14>() else {
        return Segment { cut: true, ..with_ports(octets, TCP_HEADER, length) };
    };
    let header = (u32::from(offset >> 4) * 4).max(TCP_HEADER);
    let sequence = u32::from_be_bytes([a, b, c, d]);
    Segment { sequence, tcp_flags: flags, ..with_ports(octets, header, length) }
}

/// RFC 768. The length field bounds the payload where it is plausible: it is zero in jumbograms and offloaded segments, and
/// that of the whole datagram in a first fragment.
#[inline]
fn udp(octets: &[u8], length: u32) -> Segment {
    let says = match octets.first_chunk::<6>() {
        Some(&[.., high, low]) => u32::from(u16::from_be_bytes([high, low])),
        None => 0,
    };
    with_ports(octets, UDP_HEADER, if says < UDP_HEADER { length } else { says.min(length) })
}
