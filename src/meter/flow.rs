//! A flow in the table: its key, what it carried, and who opened it on what evidence.

use std::net::IpAddr;

use crate::model::{
    Addr, BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, InputId, Protocol, Provenance,
    Timestamp, Tunnel,
};
use crate::wire::{Inside, Packet};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;
/// The flags that tell the steps of a handshake apart.
pub(super) const HANDSHAKE: u8 = SYN | RST | ACK;
const SYN_ACK: u8 = SYN | ACK;

/// Registered ports of services in common use (IANA service names registry, and the makers' documents), beside those
/// below 1024, sorted.
const SERVICES: [u16; 47] = [
    1080, 1194, 1433, 1521, 1701, 1723, 1812, 1813, 1883, 1900, 2049, 2055, 2181, 2222, 2375, 2376, 2379, 3128, 3260,
    3306, 3389, 3478, 4433, 4500, 4739, 4789, 5060, 5061, 5222, 5349, 5353, 5432, 5671, 5672, 5900, 5985, 6343, 6379,
    6443, 8000, 8080, 8443, 8883, 9092, 9200, 11211, 27017,
];

/// Whether a port is a service's: the less, the more.
fn rank(port: u16) -> u8 {
    match port {
        1..1024 => 0,
        _ if SERVICES.binary_search(&port).is_ok() => 1,
        _ => 2,
    }
}

/// One of the two ends of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Low,
    High,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// What makes packets one flow, the same in both directions: the smaller end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) low: Addr,
    pub(super) high: Addr,
    pub(super) low_port: u16,
    pub(super) high_port: u16,
    pub(super) protocol: Protocol,
}

impl Key {
    /// The key of a packet, and which end sent it.
    #[inline]
    pub(super) fn of(packet: &Packet) -> (Self, Side) {
        Self::between((packet.src, packet.sport), (packet.dst, packet.dport), packet.protocol)
    }

    /// The key of what goes from one end to another, and which end the first is.
    #[inline]
    pub(super) fn between((src, sport): (Addr, u16), (dst, dport): (Addr, u16), protocol: Protocol) -> (Self, Side) {
        let (from, to) = (src.as_u128(), dst.as_u128());
        if from < to || (from == to && sport <= dport) {
            (Self { low: src, high: dst, low_port: sport, high_port: dport, protocol }, Side::Low)
        } else {
            (Self { low: dst, high: src, low_port: dport, high_port: sport, protocol }, Side::High)
        }
    }

    /// The addresses of both ends, that of `side` first.
    pub(super) const fn ends(&self, side: Side) -> (Addr, Addr) {
        match side {
            Side::Low => (self.low, self.high),
            Side::High => (self.high, self.low),
        }
    }

    fn has_no_ports(&self) -> bool {
        self.low_port == 0 && self.high_port == 0
    }
}

/// What tells who opened a flow: the greater prevails, and among equals the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Evidence {
    /// The sender of the first packet.
    First,
    /// One port is a service's, or one address is a group's.
    Ports,
    /// An ICMP reply: its receiver asked.
    Reply,
    /// An ICMP request.
    Request,
    /// A SYN with ACK: its receiver sent the SYN.
    SynAck,
    /// A SYN.
    Syn,
}

/// What is known of a flow that has not ended: two cache lines side by side, since a table holds millions.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
pub(super) struct Flow {
    pub(super) key: Key,
    evidence: Evidence,
    tunnel: Tunnel,
    marks: u16,
    /// Where its round-trip times are measured.
    pub(super) rtt: u32,
    pub(super) start: Timestamp,
    end: Timestamp,
    /// What the meter's clock read at the last packet.
    pub(super) touched: u64,
    /// The number of the first frame since the last record.
    pub(super) first_frame: u64,
    low: Counters,
    high: Counters,
}

const _: () = assert!(size_of::<Flow>() == 128, "with 8 octets of links and 11 to 21 of index: about 150");

/// What came of the packet in a tunnel's packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// There is none.
    Nothing,
    /// It is a packet of its own.
    Read,
    /// It could not be read.
    Unread,
}

impl From<&Inside<'_>> for Reading {
    fn from(inside: &Inside<'_>) -> Self {
        match inside {
            Inside::Nothing => Self::Nothing,
            Inside::Tunnelled(_) => Self::Read,
            Inside::Unread => Self::Unread,
        }
    }
}

impl Flow {
    const OPENED_BY_HIGH: u16 = 1;
    const FIN_LOW: u16 = 1 << 1;
    const FIN_HIGH: u16 = 1 << 2;
    const FIN_BOTH: u16 = Self::FIN_LOW | Self::FIN_HIGH;
    const CLOSED: u16 = 1 << 3;
    /// Of a tunnel: the packet in one was read, and the packet in one was not.
    const INSIDE_READ: u16 = 1 << 4;
    const INSIDE_UNREAD: u16 = 1 << 13;
    const MOVED_LOW: u16 = 1 << 5;
    const MOVED_HIGH: u16 = 1 << 6;
    const CONTINUED: u16 = 1 << 7;
    const SEEN_LOW: u16 = 1 << 8;
    const SEEN_HIGH: u16 = 1 << 9;
    const SEEN_BOTH: u16 = Self::SEEN_LOW | Self::SEEN_HIGH;
    /// More than SYN and RST of one side: the other side must have answered.
    const ANSWERED: u16 = 1 << 10;
    /// Its first payload is not reported: it waits for a name.
    const OWED_LOW: u16 = 1 << 11;
    const OWED_HIGH: u16 = 1 << 12;

    /// A flow that `packet`, sent by `side`, is the first of; it is not counted yet.
    pub(super) fn new(key: Key, side: Side, packet: &Packet) -> Self {
        let mut flow = Self {
            key,
            evidence: Evidence::First,
            tunnel: Tunnel::None,
            marks: 0,
            rtt: 0,
            start: Timestamp(0),
            end: Timestamp(0),
            touched: 0,
            first_frame: 0,
            low: Counters::default(),
            high: Counters::default(),
        };
        let (evidence, opener) = by_ports(packet, side);
        flow.opened_by(opener, evidence);
        flow
    }

    /// Counts a packet.
    #[inline]
    pub(super) fn count(&mut self, packet: &Packet, inside: Reading, side: Side, time: Timestamp, number: u64) {
        if self.is_empty() {
            (self.start, self.end, self.first_frame) = (time, time, number);
        } else {
            self.start = self.start.min(time);
            self.end = self.end.max(time);
            // A fragment that had to wait for its first comes after it.
            self.first_frame = self.first_frame.min(number);
        }
        let (counters, seen) = match side {
            Side::Low => (&mut self.low, Self::SEEN_LOW),
            Side::High => (&mut self.high, Self::SEEN_HIGH),
        };
        self.marks |= seen;
        if packet.tcp_flags & (ACK | RST) == ACK {
            self.marks |= Self::ANSWERED;
        }
        counters.add(Counters { octets: packet.octets.into(), packets: 1, payload: packet.payload.into() });
        if packet.payload > 0 {
            self.marks |= Self::moved(side);
        }
        if packet.caveats.has(Caveat::FragmentWithoutPorts) {
            self.marks |= Self::INSIDE_UNREAD;
        }
        if packet.tunnel != Tunnel::None {
            self.tunnel = packet.tunnel;
            self.marks |= match inside {
                Reading::Nothing => 0,
                Reading::Read => Self::INSIDE_READ,
                Reading::Unread => Self::INSIDE_UNREAD,
            };
        }
        if packet.tcp_flags & (SYN | FIN | RST) != 0 {
            self.tcp(packet.tcp_flags, side);
        } else if let Some(kind) = packet.icmp_type
            && self.evidence < Evidence::Request
        {
            self.icmp(packet.protocol, kind, side);
        }
    }

    fn tcp(&mut self, flags: u8, side: Side) {
        match flags & HANDSHAKE {
            SYN => self.opened_by(side, Evidence::Syn),
            SYN_ACK => self.opened_by(side.other(), Evidence::SynAck),
            _ => {}
        }
        if flags & FIN != 0 {
            self.marks |= match side {
                Side::Low => Self::FIN_LOW,
                Side::High => Self::FIN_HIGH,
            };
        }
        if flags & RST != 0 || self.marks & Self::FIN_BOTH == Self::FIN_BOTH {
            self.marks |= Self::CLOSED;
        }
    }

    /// Requests and replies: echo, timestamp, information and address mask (RFC 792, RFC 950); echo (RFC 4443),
    /// router and neighbour discovery (RFC 4861).
    fn icmp(&mut self, protocol: Protocol, kind: u8, side: Side) {
        match (protocol, kind) {
            (Protocol::ICMP, 8 | 13 | 15 | 17) | (Protocol::ICMPV6, 128 | 133 | 135) => {
                self.opened_by(side, Evidence::Request);
            }
            (Protocol::ICMP, 0 | 14 | 16 | 18) | (Protocol::ICMPV6, 129 | 134 | 136) => {
                self.opened_by(side.other(), Evidence::Reply);
            }
            _ => {}
        }
    }

    fn opened_by(&mut self, side: Side, evidence: Evidence) {
        if evidence > self.evidence || evidence == Evidence::First {
            self.evidence = evidence;
            match side {
                Side::Low => self.marks &= !Self::OPENED_BY_HIGH,
                Side::High => self.marks |= Self::OPENED_BY_HIGH,
            }
        }
    }

    /// Who is believed to have opened it.
    pub(super) const fn opener(&self) -> Side {
        if self.marks & Self::OPENED_BY_HIGH == 0 { Side::Low } else { Side::High }
    }

    const fn moved(side: Side) -> u16 {
        match side {
            Side::Low => Self::MOVED_LOW,
            Side::High => Self::MOVED_HIGH,
        }
    }

    /// Whether `packet`, which is not counted yet, is the first with payload from `side`.
    pub(super) fn begins_to_move(&self, packet: &Packet, side: Side) -> bool {
        packet.payload > 0 && self.marks & Self::moved(side) == 0
    }

    /// Has the early record of what `side` sent wait.
    pub(super) fn owe(&mut self, side: Side) {
        self.marks |= match side {
            Side::Low => Self::OWED_LOW,
            Side::High => Self::OWED_HIGH,
        };
    }

    /// The side whose early record waits.
    pub(super) const fn owed(&self) -> Option<Side> {
        match self.marks & (Self::OWED_LOW | Self::OWED_HIGH) {
            0 => None,
            Self::OWED_HIGH => Some(Side::High),
            _ => Some(Side::Low),
        }
    }

    /// Takes what one side sent since the last record out of the flow, as a flow of its own.
    ///
    /// What the other side sent stays until it is known whether payload is among it: a record is movement or contact as a
    /// whole, and an early record must not make contact of what will be movement.
    pub(super) fn split_off(&mut self, side: Side) -> Self {
        let mut part = *self;
        match side {
            Side::Low => (part.high, self.low) = (Counters::default(), Counters::default()),
            Side::High => (part.low, self.high) = (Counters::default(), Counters::default()),
        }
        self.marks |= Self::CONTINUED;
        self.marks &= match side {
            Side::Low => !Self::OWED_LOW,
            Side::High => !Self::OWED_HIGH,
        };
        part
    }

    /// Forgets what was reported; the flow goes on.
    pub(super) fn begin_again(&mut self) {
        self.marks |= Self::CONTINUED;
        self.marks &= !(Self::OWED_LOW | Self::OWED_HIGH | Self::INSIDE_READ | Self::INSIDE_UNREAD);
        (self.low, self.high) = (Counters::default(), Counters::default());
    }

    /// Whether nothing was counted since the last record.
    pub(super) fn is_empty(&self) -> bool {
        self.low.packets == 0 && self.high.packets == 0
    }

    /// Whether it had its RST, or FIN from both sides.
    pub(super) fn is_closed(&self) -> bool {
        self.marks & Self::CLOSED != 0
    }

    /// Whether neither SYN nor SYN with ACK was seen.
    pub(super) fn is_guessed(&self) -> bool {
        self.evidence < Evidence::SynAck
    }

    /// Whether one side alone was seen of a TCP connection that must have had two: an acknowledgement has something to
    /// acknowledge, but that of a SYN can be a scan's.
    pub(super) fn is_one_sided(&self) -> bool {
        self.key.protocol == Protocol::TCP
            && self.marks & Self::SEEN_BOTH != Self::SEEN_BOTH
            && self.marks & Self::ANSWERED != 0
    }

    /// Whether an earlier record has the beginning.
    pub(super) fn is_continued(&self) -> bool {
        self.marks & Self::CONTINUED != 0
    }

    /// IP octets of both directions.
    pub(super) fn octets(&self) -> u64 {
        self.low.octets.saturating_add(self.high.octets)
    }

    /// The record of what was counted. The source is the believed initiator.
    pub(super) fn record(&self, input: InputId, reason: FlowEndReason) -> FlowRecord {
        let key = &self.key;
        let low = (key.low, key.low_port, self.low);
        let high = (key.high, key.high_port, self.high);
        let (src, dst) = if self.marks & Self::OPENED_BY_HIGH == 0 { (low, high) } else { (high, low) };
        let provenance = Provenance::new(input, self.first_frame);
        let mut record = FlowRecord::new(src.0, dst.0, key.protocol, self.start, provenance);
        (record.sport, record.dport) = (src.1, dst.1);
        (record.forward, record.reverse) = (src.2, dst.2);
        record.end = self.end;
        record.end_reason = reason;
        record.tunnel = self.tunnel;
        let portless = key.protocol.has_ports() && key.has_no_ports();
        record.direction = match self.evidence {
            Evidence::First if key.protocol == Protocol::TCP || portless => BiflowDirection::Arbitrary,
            _ => BiflowDirection::Initiator,
        };
        let (forward, reverse) = match self.marks & Self::OPENED_BY_HIGH {
            0 => (Self::MOVED_LOW, Self::MOVED_HIGH),
            _ => (Self::MOVED_HIGH, Self::MOVED_LOW),
        };
        if record.forward.payload == 0 && record.forward.packets > 0 && self.marks & forward != 0 {
            record.flags.set(FlowFlags::FORWARD_MOVED);
        }
        if record.reverse.payload == 0 && record.reverse.packets > 0 && self.marks & reverse != 0 {
            record.flags.set(FlowFlags::REVERSE_MOVED);
        }
        if self.marks & (Self::INSIDE_READ | Self::INSIDE_UNREAD) == Self::INSIDE_READ {
            record.flags.set(FlowFlags::INSIDE_COUNTED);
        }
        record
    }
}

/// Who opened a flow, by its first packet and its ports. A group is never who opened.
fn by_ports(packet: &Packet, side: Side) -> (Evidence, Side) {
    if is_group(packet.dst) {
        return (Evidence::Ports, side);
    }
    let (from, to) = (rank(packet.sport), rank(packet.dport));
    if !packet.protocol.has_ports() || from == to || (packet.sport == 0 && packet.dport == 0) {
        (Evidence::First, side)
    } else if from < to {
        (Evidence::Ports, side.other())
    } else {
        (Evidence::Ports, side)
    }
}

fn is_group(addr: Addr) -> bool {
    match addr.to_ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}
