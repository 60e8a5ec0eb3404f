//! sFlow version 5 (<https://sflow.org/sflow_version_5.txt>): sampled packets, with what the agent knows of their way.
//!
//! A sample is the head of a packet that stands for as many as its rate says. Octets are those of the IP header, times the
//! rate: the frame length that the agent gives holds link-layer headers and checksum too.

use std::collections::BTreeMap;

use super::octets::Octets;
use super::sampled::{self, Fate};
use super::sampling::Rate;
use super::sink::Sink;
use super::{Datagram, Message};
use crate::model::{Addr, Asn, BiflowDirection, Caveat, Counters, FlowFlags, FlowRecord, Protocol, Skip, Timestamp};
use crate::source::opened;
use crate::wire::{self, Caveats, LinkType};

/// The most parts of a path that are read; a path has some dozen.
const MAX_PATH: usize = 256;

/// The most data sources of agents whose losses are followed.
const MAX_SOURCES: usize = 4096;

/// An interface that is not one: the packet was discarded (in the two high bits of a compact interface).
const DISCARDED: u32 = 1;

/// What a datagram says before its samples.
pub(super) struct Head {
    pub(super) agent: Addr,
    pub(super) sub_agent: u32,
    pub(super) sequence: u32,
    samples: u32,
}

impl Head {
    /// Reads the head; the version was taken before.
    pub(super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let agent = address(octets)?;
        let (sub_agent, sequence) = (octets.u32()?, octets.u32()?);
        let _uptime = octets.u32()?;
        Some(Self { agent, sub_agent, sequence, samples: octets.u32()? })
    }
}

fn address(octets: &mut Octets<'_>) -> Option<Addr> {
    match octets.u32()? {
        1 => octets.array().map(Addr::v4),
        2 => octets.array().map(Addr::v6),
        _ => None,
    }
}

/// What agents have said of their losses, and in which directions they sample.
#[derive(Debug, Default)]
pub(super) struct Agents {
    drops: BTreeMap<(Addr, u32, u64), u32>,
    sides: BTreeMap<Addr, Sides>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    in_ones: u32,
    out_ones: u32,
}

impl Agents {
    /// Takes a counter of samples that were lost for want of resources; says how many are new.
    fn lost(&mut self, agent: Addr, sub_agent: u32, source: u64, drops: u32) -> u32 {
        let key = (agent, sub_agent, source);
        if self.drops.len() >= MAX_SOURCES && !self.drops.contains_key(&key) {
            return 0;
        }
        // Where following begins nothing is known to be lost; a counter that went back has begun again.
        let before = self.drops.insert(key, drops).unwrap_or(drops);
        drops.checked_sub(before).unwrap_or(drops)
    }

    /// Takes note of where a packet was sampled, and says whether the agent samples in both directions.
    fn sampled_at(&mut self, agent: Addr, source: u64, input: u32, output: u32) -> Option<Caveat> {
        if self.sides.len() >= MAX_SOURCES && !self.sides.contains_key(&agent) {
            return None;
        }
        let sides = self.sides.entry(agent).or_default();
        match (source == u64::from(input), source == u64::from(output)) {
            (true, false) => sides.in_ones = sides.in_ones.saturating_add(1),
            (false, true) => sides.out_ones = sides.out_ones.saturating_add(1),
            _ => {}
        }
        (sides.in_ones > 0 && sides.out_ones > 0).then_some(Caveat::SeenElsewhere)
    }
}

/// A sample of any kind, before its records.
struct Sample {
    rate: Option<Rate>,
    source: u64,
    drops: Option<u32>,
    input: u32,
    output: u32,
    fate: Fate,
    records: u32,
}

/// Reads the samples of a datagram.
pub(super) fn samples(
    head: &Head,
    datagram: &Datagram<'_>,
    octets: &mut Octets<'_>,
    agents: &mut Agents,
    sink: &mut Sink<'_>,
) {
    for _ in 0..head.samples {
        let (Some(format), Some(length)) = (octets.u32(), octets.u32()) else {
            return sink.skip(Skip::BadMessage, octets.len() as u64);
        };
        let Some(body) = usize::try_from(length).ok().and_then(|length| octets.take(length)) else {
            return sink.skip(Skip::BadMessage, octets.len() as u64);
        };
        let mut body = Octets(body);
        let sample = match format {
            1 => flow_sample(&mut body),
            3 => expanded_sample(&mut body),
            5 => discarded_packet(&mut body),
            // Counters of interfaces, and what makers have added.
            2 | 4 => continue,
            other => {
                sink.coverage.note(format!("sFlow samples of enterprise {}, format {}", other >> 12, other & 0xfff));
                continue;
            }
        };
        let read = sample.and_then(|sample| {
            if let Some(drops) = sample.drops {
                let lost = agents.lost(head.agent, head.sub_agent, sample.source, drops);
                sink.coverage.lost.get_or_insert_default().samples += u64::from(lost);
            }
            let twice = agents.sampled_at(head.agent, sample.source, sample.input, sample.output);
            records(&sample, twice, datagram, &mut body, sink)
        });
        if read.is_none() {
            sink.skip(Skip::BadMessage, length.into());
        }
    }
}

fn flow_sample(body: &mut Octets<'_>) -> Option<Sample> {
    let _sequence = body.u32()?;
    let source = body.u32()?;
    let rate = body.u32()?;
    let _pool = body.u32()?;
    let drops = body.u32()?;
    let (input, output) = (body.u32()?, body.u32()?);
    let fate = if output >> 30 == DISCARDED { Fate::Dropped } else { Fate::Forwarded };
    Some(Sample {
        rate: Rate::one_in(rate.into()),
        source: (source & 0x00ff_ffff).into(),
        drops: Some(drops),
        input,
        output,
        fate,
        records: body.u32()?,
    })
}

fn expanded_sample(body: &mut Octets<'_>) -> Option<Sample> {
    let _sequence = body.u32()?;
    let (_class, source) = (body.u32()?, body.u32()?);
    let rate = body.u32()?;
    let _pool = body.u32()?;
    let drops = body.u32()?;
    let (_, input) = (body.u32()?, body.u32()?);
    let (format, output) = (body.u32()?, body.u32()?);
    let fate = if format == DISCARDED { Fate::Dropped } else { Fate::Forwarded };
    Some(Sample {
        rate: Rate::one_in(rate.into()),
        source: source.into(),
        drops: Some(drops),
        input,
        output,
        fate,
        records: body.u32()?,
    })
}

/// A packet that was discarded, whole and not sampled (<https://sflow.org/sflow_drops.txt>).
fn discarded_packet(body: &mut Octets<'_>) -> Option<Sample> {
    let _sequence = body.u32()?;
    let (_class, source) = (body.u32()?, body.u32()?);
    let drops = body.u32()?;
    let (input, output) = (body.u32()?, body.u32()?);
    let _reason = body.u32()?;
    Some(Sample {
        rate: Some(Rate::ALL_SEEN),
        source: source.into(),
        drops: Some(drops),
        input,
        output,
        fate: Fate::Dropped,
        records: body.u32()?,
    })
}

/// Reads the records of a sample: one of them is the packet, others are what is known of its way. `None` where they
/// contradict themselves.
fn records(
    sample: &Sample,
    twice: Option<Caveat>,
    datagram: &Datagram<'_>,
    body: &mut Octets<'_>,
    sink: &mut Sink<'_>,
) -> Option<()> {
    let scale = sample.rate.unwrap_or(Rate::ALL_SEEN);
    let first = sink.batch.records.len();
    let (mut link_layer, mut path, mut has_packet) = (None, Vec::new(), false);
    for _ in 0..sample.records {
        let format = body.u32()?;
        let length = usize::try_from(body.u32()?).ok()?;
        let mut record = Octets(body.take(length)?);
        match format {
            1 if !has_packet => {
                raw_header(sample, datagram, &mut record, sink)?;
                has_packet = true;
            }
            3 | 4 if !has_packet => {
                let (record, caveats) = sampled_ip(format, sample, datagram, &mut record, sink)?;
                sink.keep(record, caveats, datagram.received.map(|at| (at, at)));
                has_packet = true;
            }
            2 => link_layer = record.u32(),
            1003 => path = as_path(&mut record)?,
            _ => {}
        }
    }
    if !has_packet && let Some(length) = link_layer {
        sink.skip(Skip::NotIp, scale.scale(length.into()));
    }
    // What is in a tunnel crossed the same networks, and is not counted again.
    if let Some(record) = sink.batch.records.get(first) {
        let octets = record.forward.octets;
        for system in path {
            sink.coverage.crossed(Asn(system), octets);
        }
        if let Some(caveat) = twice {
            sink.caveat(caveat, octets);
        }
    }
    Some(())
}

fn raw_header(sample: &Sample, datagram: &Datagram<'_>, record: &mut Octets<'_>, sink: &mut Sink<'_>) -> Option<()> {
    let protocol = record.u32()?;
    let length = record.u32()?;
    let stripped = record.u32()?;
    let captured = usize::try_from(record.u32()?).ok()?;
    let header = record.take(captured)?;
    let on_wire = length.saturating_sub(stripped);
    let (at, span) = (datagram.received.unwrap_or_default(), datagram.received.map(|at| (at, at)));
    // An Ethernet header in front of a label: there is no link type of labels.
    let labelled;
    let (link, header) = match protocol {
        1 => (LinkType::ETHERNET, header),
        3 => (LinkType::IEEE802_5, header),
        4 => (LinkType::FDDI, header),
        5 => (LinkType::FRAME_RELAY, header),
        7 | 14 => (LinkType::PPP, header),
        11 => (LinkType::IPV4, header),
        12 => (LinkType::IPV6, header),
        13 => {
            labelled = [&[0; 12], &[0x88, 0x47][..], header].concat();
            (LinkType::ETHERNET, labelled.as_slice())
        }
        15 => (LinkType::IEEE802_11, header),
        other => {
            sink.coverage.note(format!("sFlow header protocol {other}"));
            sink.skip(Skip::UnknownLinkType, sample.rate.unwrap_or(Rate::ALL_SEEN).scale(length.into()));
            return Some(());
        }
    };
    sampled::frame(wire::dissect(link, header, on_wire), length, (at, span), sample.rate, sample.fate, sink);
    Some(())
}

/// An IP header in the agent's own words (`sampled_ipv4`, `sampled_ipv6`).
fn sampled_ip(
    format: u32,
    sample: &Sample,
    datagram: &Datagram<'_>,
    fields: &mut Octets<'_>,
    sink: &Sink<'_>,
) -> Option<(FlowRecord, Caveats)> {
    let length = fields.u32()?;
    let protocol = Protocol(u8::try_from(fields.u32()?).ok()?);
    let (src, dst) = if format == 3 {
        (Addr::v4(fields.array()?), Addr::v4(fields.array()?))
    } else {
        (Addr::v6(fields.array()?), Addr::v6(fields.array()?))
    };
    let (sport, dport) = (fields.u32()?, fields.u32()?);
    let flags = fields.u32()?;
    let at: Timestamp = datagram.received.unwrap_or_default();
    let mut caveats = Caveats::NONE;
    let mut record = FlowRecord::new(src, dst, protocol, at, sink.provenance());
    if protocol.has_ports() {
        (record.sport, record.dport) = (u16::try_from(sport).ok()?, u16::try_from(dport).ok()?);
    }
    let scale = sample.rate.unwrap_or(Rate::ALL_SEEN);
    record.sampling_interval = scale.interval();
    record.forward = scale.scale_all(Counters { octets: length.into(), packets: 1, payload: 0 });
    record.flags.set(FlowFlags::ONE_DIRECTION);
    record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
    caveats.set(Caveat::PayloadEstimated);
    if sample.rate.is_none() {
        caveats.set(Caveat::SamplingUnknown);
    }
    if datagram.received.is_none() {
        caveats.set(Caveat::NoTime);
    }
    if sample.fate == Fate::Dropped {
        record.flags.set(FlowFlags::REJECTED);
        caveats.set(Caveat::Rejected);
    }
    let told = match (protocol, flags & 0x12) {
        (Protocol::TCP, 0x02) => Some(BiflowDirection::Initiator),
        (Protocol::TCP, 0x12) => Some(BiflowDirection::ReverseInitiator),
        _ => None,
    };
    record.direction = told.unwrap_or_else(|| opened::by_ports(&record));
    if told.is_none() {
        caveats.set(Caveat::InitiatorGuessed);
    }
    Some((record, caveats))
}

/// The systems on the way to the destination (`extended_gateway`), but for the last, which is the destination's own.
fn as_path(fields: &mut Octets<'_>) -> Option<Vec<u32>> {
    address(fields)?;
    let (_own, _source, _source_peer) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let mut path = Vec::new();
    for _ in 0..fields.u32()? {
        let _kind = fields.u32()?;
        for _ in 0..fields.u32()? {
            let system = fields.u32()?;
            if path.len() < MAX_PATH && !path.contains(&system) {
                path.push(system);
            }
        }
    }
    path.pop();
    Some(path)
}

/// How long a datagram is, by the lengths in it.
pub(super) fn length(octets: &[u8]) -> Message {
    const BAD: Message = Message::Bad("an sFlow datagram whose head is malformed");
    let mut rest = Octets(octets);
    let _version = rest.u32();
    let agent = match rest.u32() {
        Some(1) => 4,
        Some(2) => 16,
        Some(_) => return BAD,
        None => return Message::More,
    };
    let (Some(_), Some(samples)) = (rest.take(agent + 12), rest.u32()) else { return Message::More };
    for _ in 0..samples {
        let (Some(_), Some(length)) = (rest.u32(), rest.u32()) else { return Message::More };
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= super::MAX_MESSAGE) else {
            return Message::Bad("an sFlow sample longer than a datagram can be");
        };
        if rest.take(length).is_none() {
            return Message::More;
        }
    }
    Message::Whole(octets.len() - rest.len())
}
