//! Sampled packets: the head of a packet stands for as many as were not looked at (sFlow, RFC 5476).

use super::record::opened_by_icmp;
use super::sampling::Rate;
use super::sink::Sink;
use crate::model::{
    BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, Protocol, Provenance, Timestamp,
};
use crate::source::opened;
use crate::wire::{Caveats, Dissected, Inside, Packet, Unread};

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

/// The record of a sampled packet, scaled.
pub(super) fn packet(packet: &Packet, time: Timestamp, rate: Rate, provenance: Provenance) -> (FlowRecord, Caveats) {
    let mut caveats = packet.caveats;
    // Sampled packets are heads on purpose.
    caveats.clear(Caveat::Snapped);
    let mut record = FlowRecord::new(packet.src, packet.dst, packet.protocol, time, provenance);
    (record.sport, record.dport) = (packet.sport, packet.dport);
    record.tunnel = packet.tunnel;
    record.sampling_interval = rate.interval();
    record.forward =
        rate.scale_all(Counters { octets: packet.octets.into(), packets: 1, payload: packet.payload.into() });
    record.flags.set(FlowFlags::ONE_DIRECTION);
    if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
        caveats.set(Caveat::FragmentWithoutPorts);
    }
    if packet.tcp_flags & (FIN | RST) != 0 {
        record.end_reason = FlowEndReason::EndOfFlow;
    }
    let told = match packet.icmp_type {
        Some(kind) => opened_by_icmp(packet.protocol, kind),
        None if packet.protocol != Protocol::TCP => None,
        None => match packet.tcp_flags & (SYN | ACK) {
            SYN => Some(BiflowDirection::Initiator),
            both if both == SYN | ACK => Some(BiflowDirection::ReverseInitiator),
            _ => None,
        },
    };
    record.direction = told.unwrap_or_else(|| opened::by_ports(&record));
    if told.is_none() {
        caveats.set(Caveat::InitiatorGuessed);
    }
    (record, caveats)
}

/// Takes a sampled frame, and what is inside it.
pub(super) fn frame(
    dissected: Result<Dissected<'_>, Unread>,
    size: u32,
    (at, span): (Timestamp, Option<(Timestamp, Timestamp)>),
    rate: Option<Rate>,
    fate: Fate,
    sink: &mut Sink<'_>,
) {
    let scale = rate.unwrap_or(Rate::ALL_SEEN);
    let mut found = match dissected {
        Ok(found) => found,
        Err(unread) => {
            if let Some(note) = unread.note {
                sink.coverage.note(note.to_string());
            }
            return sink.skip(unread.skip, scale.scale(size.into()));
        }
    };
    let made = |found: &Dissected<'_>, sink: &Sink<'_>| {
        let (mut record, mut caveats) = packet(&found.packet, at, scale, sink.provenance());
        if matches!(found.inside, Inside::Tunnelled(_)) {
            record.flags.set(FlowFlags::INSIDE_COUNTED);
        }
        if rate.is_none() {
            caveats.set(Caveat::SamplingUnknown);
        }
        if span.is_none() {
            caveats.set(Caveat::NoTime);
        }
        if fate == Fate::Dropped {
            record.flags.set(FlowFlags::REJECTED);
            caveats.set(Caveat::Rejected);
        }
        (record, caveats)
    };
    let mut opened = found.open();
    let (record, caveats) = made(&found, sink);
    sink.keep(record, caveats, span);
    loop {
        match opened {
            Ok(None) => return,
            Ok(Some(inner)) => found = inner,
            Err(_) => return sink.caveat(Caveat::TunnelUnread, scale.scale(found.packet.octets.into())),
        }
        opened = found.open();
        let (record, caveats) = made(&found, sink);
        sink.beside(record, caveats, span);
    }
}

/// What became of a sampled packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Forwarded,
    Dropped,
}
