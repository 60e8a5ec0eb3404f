//! From what a template's record says to a flow record.

use super::element::{Slot, Version};
use super::sampling::Rate;
use super::template::{Template, Values};
use super::times::Clock;
use crate::model::{
    Addr, BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, Protocol, Provenance, Timestamp,
    Tunnel,
};
use crate::source::opened;
use crate::wire::Caveats;

/// Octets of the link-layer header that counters with link-layer headers hold for each packet: Ethernet without tags.
const ETHERNET_HEADER: u64 = 14;

/// The firewall event of a flow that was denied (IE 233).
const DENIED: u64 = 3;

/// The status of a packet that was dropped, in the two high bits of the octet (IE 89, RFC 7270 section 4.12).
const DROPPED: u64 = 2;

/// Bits of tcpControlBits (IE 6).
const FIN: u64 = 1;
const SYN: u64 = 2;
const RST: u64 = 4;
const ACK: u64 = 16;

/// A flow record and what limits it.
pub(super) struct Told {
    pub(super) record: FlowRecord,
    pub(super) caveats: Caveats,
    /// When it was, where the record or the head of its message says so.
    pub(super) is_timed: bool,
    /// The protocol is not among the fields.
    pub(super) without_protocol: bool,
}

/// Reads a flow record; `None` where it has no addresses.
#[inline]
pub(super) fn flow(
    version: Version,
    template: &Template,
    values: &Values<'_>,
    clock: &Clock,
    rate: Option<Rate>,
    provenance: Provenance,
) -> Option<Told> {
    let mut caveats = Caveats::NONE;
    let (src, dst, carries) = addresses(template, values)?;
    let times = clock.times(values);
    let (start, end) = times.unwrap_or((clock.export, clock.export));
    if times.is_none() {
        caveats.set(Caveat::NoTime);
    }
    let protocol = values.get(Slot::Protocol).and_then(|number| u8::try_from(number).ok());
    let mut record = FlowRecord::new(src, dst, Protocol(protocol.unwrap_or(0)), start, provenance);
    record.end = end;
    if carries {
        // The record is that of the packet; the packet in it is told of and not counted.
        record.tunnel = Tunnel::IpInIp;
        caveats.set(Caveat::TunnelUnread);
    }
    if record.protocol.has_ports() {
        let port = |slot| values.get(slot).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        (record.sport, record.dport) = (port(Slot::SrcPort), port(Slot::DstPort));
    }
    count(version, values, &mut record, &mut caveats);
    match rate {
        Some(rate) => {
            record.sampling_interval = rate.interval();
            record.forward = rate.scale_all(record.forward);
            record.reverse = rate.scale_all(record.reverse);
        }
        None => caveats.set(Caveat::SamplingUnknown),
    }
    let dropped = values.get(Slot::Forwarding).is_some_and(|status| (status & 0xff) >> 6 == DROPPED);
    if dropped || values.get(Slot::Firewall) == Some(DENIED) {
        record.flags.set(FlowFlags::REJECTED);
        caveats.set(Caveat::Rejected);
    }
    let tcp_flags = values.get(Slot::TcpFlags).filter(|_| record.protocol == Protocol::TCP).unwrap_or(0);
    record.end_reason = end_reason(values, tcp_flags);
    let told = opened_by(values, &record, tcp_flags);
    record.direction = told.unwrap_or_else(|| opened::by_ports(&record));
    if told.is_none() {
        caveats.set(Caveat::InitiatorGuessed);
    }
    Some(Told { record, caveats, is_timed: times.is_some(), without_protocol: protocol.is_none() })
}

/// The ends of the packet, and whether the record tells of a packet in it too.
#[inline]
fn addresses(template: &Template, values: &Values<'_>) -> Option<(Addr, Addr, bool)> {
    let four = values.four(Slot::Src4).zip(values.four(Slot::Dst4));
    let six = values.six(Slot::Src6).zip(values.six(Slot::Dst6));
    // Templates for both families fill the one that a flow is not of with zeros.
    let of_four = || four.map(|(src, dst)| (Addr::v4(src), Addr::v4(dst)));
    let of_six = || six.map(|(src, dst)| (Addr::v6(src), Addr::v6(dst)));
    let has_four = four.is_some_and(|ends| ends != ([0; 4], [0; 4]));
    let has_six = six.is_some_and(|ends| ends != ([0; 16], [0; 16]));
    let (ends, both) = match (has_four, has_six) {
        (true, true) => (if template.six_first() { of_six() } else { of_four() }, true),
        (true, false) => (of_four(), false),
        (false, true) => (of_six(), false),
        (false, false) => (of_four().or_else(of_six), false),
    };
    let (src, dst) = ends?;
    Some((src, dst, both || template.has_inner_addresses()))
}

/// What each direction carried.
#[inline]
fn count(version: Version, values: &Values<'_>, record: &mut FlowRecord, caveats: &mut Caveats) {
    let get = |slot| values.get(slot);
    // Version 9 has one pair of counters for packets as they go out and for the other direction: beside the counters of the
    // same direction they can only be the other's, as nProbe has them.
    let post_is_reverse = version == Version::Nine && get(Slot::Octets).is_some();
    let post = |slot| get(slot).filter(|_| !post_is_reverse);
    let packets = get(Slot::Packets).or_else(|| get(Slot::TotalPackets)).or_else(|| post(Slot::PostPackets));
    let (mut forward, mut reverse) = (Counters::default(), Counters::default());
    record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
    let mut is_counted = true;
    if let Some(octets) = get(Slot::Octets).or_else(|| get(Slot::TotalOctets)).or_else(|| post(Slot::PostOctets)) {
        forward = Counters { octets, packets: packets.unwrap_or(0), payload: 0 };
        if get(Slot::Octets).is_none() && get(Slot::TotalOctets).is_some() {
            caveats.set(Caveat::TotalCounters);
        }
    } else if let Some(octets) = get(Slot::LinkOctets) {
        let packets = packets.unwrap_or(0);
        forward = Counters { octets: without_link(octets, packets), packets, payload: 0 };
        caveats.set(Caveat::LinkOctets);
    } else if let Some(payload) = get(Slot::InitiatorOctets) {
        let packets = packets.or_else(|| get(Slot::InitiatorPackets)).unwrap_or(0);
        forward = Counters { octets: payload, packets, payload };
        record.flags = FlowFlags::default();
        caveats.set(Caveat::PayloadOctets);
    } else {
        forward.packets = packets.unwrap_or(0);
        record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        is_counted = false;
    }
    let packets = get(Slot::ReversePackets).or_else(|| get(Slot::ReverseTotalPackets));
    let mut has_reverse = true;
    if let Some(octets) = get(Slot::ReverseOctets).or_else(|| get(Slot::ReverseTotalOctets)) {
        reverse = Counters { octets, packets: packets.unwrap_or(0), payload: 0 };
    } else if let Some(octets) = get(Slot::ReverseLinkOctets) {
        let packets = packets.unwrap_or(0);
        reverse = Counters { octets: without_link(octets, packets), packets, payload: 0 };
        caveats.set(Caveat::LinkOctets);
    } else if let Some(payload) = get(Slot::ResponderOctets) {
        let packets = packets.or_else(|| get(Slot::ResponderPackets)).unwrap_or(0);
        reverse = Counters { octets: payload, packets, payload: 0 };
        if !record.flags.has(FlowFlags::PAYLOAD_UNKNOWN) {
            reverse.payload = payload;
        }
        caveats.set(Caveat::PayloadOctets);
    } else if let Some(octets) = get(Slot::PostOctets).filter(|_| post_is_reverse) {
        reverse = Counters { octets, packets: get(Slot::PostPackets).unwrap_or(0), payload: 0 };
    } else {
        has_reverse = false;
    }
    if !has_reverse {
        record.flags.set(FlowFlags::ONE_DIRECTION);
    }
    if !is_counted || (forward.packets == 0 && forward.octets > 0) {
        caveats.set(Caveat::CountersUnknown);
    }
    if record.flags.has(FlowFlags::PAYLOAD_UNKNOWN) {
        caveats.set(Caveat::PayloadEstimated);
    }
    (record.forward, record.reverse) = (forward, reverse);
}

fn without_link(octets: u64, packets: u64) -> u64 {
    octets.saturating_sub(packets.saturating_mul(ETHERNET_HEADER))
}

fn end_reason(values: &Values<'_>, tcp_flags: u64) -> FlowEndReason {
    match values.get(Slot::EndReason) {
        Some(2) => FlowEndReason::ActiveTimeout,
        Some(3) => FlowEndReason::EndOfFlow,
        Some(4) => FlowEndReason::ForcedEnd,
        Some(5) => FlowEndReason::LackOfResources,
        _ if tcp_flags & (FIN | RST) != 0 => FlowEndReason::EndOfFlow,
        _ => FlowEndReason::IdleTimeout,
    }
}

/// Who opened the conversation, where the record tells. Flags are the OR of all packets of a direction: both ends of an
/// answered conversation have SYN and ACK, and only an unanswered one is told from them.
fn opened_by(values: &Values<'_>, record: &FlowRecord, tcp_flags: u64) -> Option<BiflowDirection> {
    match values.get(Slot::BiflowDirection) {
        Some(1) => return Some(BiflowDirection::Initiator),
        Some(2) => return Some(BiflowDirection::ReverseInitiator),
        _ => {}
    }
    if values.get(Slot::InitiatorOctets).is_some() {
        return Some(BiflowDirection::Initiator);
    }
    if tcp_flags & (SYN | ACK) == SYN {
        return Some(BiflowDirection::Initiator);
    }
    let kind = values
        .get(Slot::IcmpType)
        .or_else(|| values.get(Slot::IcmpTypeCode).map(|both| both >> 8))
        .and_then(|kind| u8::try_from(kind).ok())?;
    opened_by_icmp(record.protocol, kind)
}

/// Requests are sent by who opens (RFC 792, RFC 4443).
pub(super) fn opened_by_icmp(protocol: Protocol, kind: u8) -> Option<BiflowDirection> {
    match (protocol, kind) {
        (Protocol::ICMP, 8 | 13 | 15 | 17) | (Protocol::ICMPV6, 128) => Some(BiflowDirection::Initiator),
        (Protocol::ICMP, 0 | 14 | 16 | 18) | (Protocol::ICMPV6, 129) => Some(BiflowDirection::ReverseInitiator),
        _ => None,
    }
}

/// The span of a record, for the coverage; `None` where it has no time of its own.
pub(super) fn span(told: &Told) -> Option<(Timestamp, Timestamp)> {
    told.is_timed.then_some((told.record.start, told.record.end))
}
