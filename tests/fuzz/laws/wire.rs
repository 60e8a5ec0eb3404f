//! Laws of headers and of what is counted by them.

use std::collections::BTreeMap;
use std::io::Cursor;

use landfall::meter::{Early, Frame, Meter, MeterConfig};
use landfall::model::{Addr, Batch, Caveat, FlowEndReason, InputCoverage, InputId, Skip, Timestamp};
use landfall::source::capture::{Capture, CaptureFormat, Next};
use landfall::source::compression::unwrap;
use landfall::wire::{Dissected, Inside, LinkType, Note, Unread, dissect};

use super::input::Input;
use super::readings;

/// The most tunnels that are looked into, as the documentation of `wire` says.
const MAX_TUNNELS: usize = 4;

/// The most frames of a capture that become seeds.
const SEEDS: usize = 40;

/// The longest frame that becomes a seed.
const LONGEST_SEED: usize = 2048;

/// A frame of any link type: what is read of it lies within it and is no more than it says; what is captured of it changes no
/// number; and where a second reading finds the packet, it is that packet.
pub fn link(octets: &[u8]) {
    let mut input = Input(octets);
    let link = LinkType(input.two().into());
    let (octets, original) = frame(link, &mut input);
    if let Some(at) = readings::ip_at(link.0, octets) {
        let framed = dissect(link, octets, original).map(|found| found.packet);
        let bare = dissect(LinkType(101), &octets[at..], original - at as u32).map(|found| found.packet);
        assert_eq!(framed, bare, "the packet begins {at} octets after the frame");
    }
    if link == LinkType::ETHERNET {
        behind_more(octets, original);
    }
}

/// What more headers between an Ethernet header and what follows it change: nothing.
fn behind_more(frame: &[u8], original: u32) {
    let Some((addresses, rest)) = frame.split_first_chunk::<12>() else { return };
    let read = |octets: &[u8], original| dissect(LinkType::ETHERNET, octets, original).map(|found| found.packet);
    let bare = read(frame, original);
    let inserted = |more: &[u8], from: &[u8]| {
        let octets = [&addresses[..], more, from].concat();
        // What was not captured stays as much.
        read(&octets, original - frame.len() as u32 + octets.len() as u32)
    };
    let is_nested = |read: &Result<_, Unread>| matches!(read, Err(Unread { note: Some(Note::Nested), .. }));
    if rest.is_empty() || is_nested(&bare) {
        return;
    }
    // Customer, service and older tags (IEEE 802.1Q, IEEE 802.1ad), and two of them.
    for tags in
        [&[0x81, 0, 0x0f, 0xff][..], &[0x88, 0xa8, 0, 7], &[0x91, 0, 0, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0x2f, 9]]
    {
        let tagged = inserted(tags, rest);
        assert!(tagged == bare || is_nested(&tagged), "{tags:02x?}: {tagged:?} is not {bare:?}");
    }
    // A session of PPPoE (RFC 2516), PPP with its address and control, and labels (RFC 3032), where the packet says its version.
    let (kind, ppp) = match rest {
        [0x08, 0x00, first, ..] if first >> 4 == 4 => (&rest[2..], 0x21),
        [0x86, 0xdd, first, ..] if first >> 4 == 6 => (&rest[2..], 0x57),
        _ => return,
    };
    let shims = [
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, ppp][..],
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0xff, 3, 0, ppp],
        &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, ppp],
        &[0x88, 0x47, 0, 0x10, 0x01, 64],
        &[0x88, 0x48, 0, 0x10, 0x00, 64, 0, 0x20, 0x01, 64],
    ];
    for shim in shims {
        assert_eq!(inserted(shim, kind), bare, "{shim:02x?}");
    }
}

/// A packet of raw IP: as [`link`], and as the first octets of RFC 791 and RFC 8200 say.
pub fn ip(octets: &[u8]) {
    let mut input = Input(octets);
    let (packet, original) = frame(LinkType(101), &mut input);
    as_specified(packet, original);
}

fn frame<'a>(link: LinkType, input: &mut Input<'a>) -> (&'a [u8], u32) {
    let more = u32::from(input.octet());
    let cuts = [input.two(), input.two()];
    let frame = input.0;
    let original = frame.len() as u32 + more;
    let whole = dissect(link, frame, original);
    if let Ok(found) = &whole {
        nested(found, frame, original);
        assert_eq!(found.packet.caveats.has(Caveat::Snapped), more > 0, "snapped is what was not captured whole");
    }
    for cut in cuts {
        let part = &frame[..usize::from(cut).min(frame.len())];
        if !part.is_empty() && part.len() < frame.len() {
            snapped(&whole, &dissect(link, part, original));
        }
    }
    (frame, original)
}

/// Checks a packet and those in it.
fn nested(outermost: &Dissected<'_>, frame: &[u8], original: u32) {
    headers(outermost, frame, original);
    let mut around = *outermost;
    let mut depth = 0;
    while let Inside::Tunnelled(within) = around.inside {
        depth += 1;
        assert!(depth <= MAX_TUNNELS, "tunnels are looked into no deeper than the limit");
        let Ok(inner) = within.dissect() else { return };
        assert!(inner.packet.caveats.has(Caveat::Tunnelled));
        headers(&inner, around.payload, around.packet.payload);
        around = inner;
    }
}

/// What is said of a packet that lies in `within`, which was `on_wire` octets.
fn headers(found: &Dissected<'_>, within: &[u8], on_wire: u32) {
    let packet = &found.packet;
    if !found.payload.is_empty() {
        let (outer, inner) = (within.as_ptr_range(), found.payload.as_ptr_range());
        assert!(outer.start <= inner.start && inner.end <= outer.end, "payload lies within the frame");
    }
    assert!(found.payload.len() <= packet.payload as usize, "no more payload is captured than there was: {packet:?}");
    assert!(packet.payload <= packet.octets, "payload is part of the packet: {packet:?}");
    assert!(
        packet.octets <= on_wire || packet.caveats.has(Caveat::ShortPacket),
        "more octets than the {on_wire} on the wire, and nothing said: {packet:?}"
    );
    if packet.caveats.has(Caveat::OffloadedLength) {
        assert!(packet.octets <= on_wire.max(40), "without a length it is what was on the wire: {packet:?}");
    }
    if let Some(fragment) = packet.fragment {
        assert!(fragment.length <= packet.octets, "a fragment is part of its packet: {packet:?}");
        assert!(fragment.offset < 1 << 16, "an offset has thirteen bits of eight octets: {packet:?}");
        assert!(fragment.offset > 0 || !fragment.is_last, "one that is first and last is none: {packet:?}");
        assert!(fragment.offset == 0 || (packet.sport, packet.dport) == (0, 0), "a later fragment has no ports");
    }
    assert!(packet.protocol.has_ports() || (packet.sport, packet.dport) == (0, 0), "no ports but where there are some");
}

/// What the same frame says where less of it was captured: the same, or less.
fn snapped(whole: &Result<Dissected<'_>, Unread>, part: &Result<Dissected<'_>, Unread>) {
    let (Ok(whole), Ok(part)) = (whole, part) else {
        if let (Err(whole), Ok(part)) = (whole, part) {
            panic!("what is not read whole ({whole:?}) is read in part: {:?}", part.packet);
        }
        return;
    };
    let (whole, part) = (&whole.packet, &part.packet);
    assert_eq!((whole.src, whole.dst), (part.src, part.dst), "addresses do not depend on the snap length");
    if !part.caveats.has(Caveat::OffloadedLength) && !whole.caveats.has(Caveat::OffloadedLength) {
        assert_eq!(whole.octets, part.octets, "nor do octets");
    }
    assert!(part.caveats.has(Caveat::Snapped));
    if !part.caveats.has(Caveat::CutTransport) {
        assert_eq!(
            (whole.protocol, whole.sport, whole.dport),
            (part.protocol, part.sport, part.dport),
            "nor do ports, where they were captured"
        );
    }
}

/// A second reading, of the fixed fields alone.
fn as_specified(packet: &[u8], original: u32) {
    let Ok(Dissected { packet: read, .. }) = dissect(LinkType(101), packet, original) else { return };
    let field = |at: usize| u32::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    let (octets, addresses) = if packet[0] >> 4 == 4 {
        let least = u32::from(packet[0] & 0x0f) * 4;
        assert!(packet.len() as u32 >= least && least >= 20, "the header is whole");
        (if field(2) == 0 { original } else { field(2) }, [&packet[12..16], &packet[16..20]])
    } else {
        assert!(packet[0] >> 4 == 6 && packet.len() >= 40, "the header is whole");
        // A length of zero is that of a jumbo payload, of one segmented later, or of none.
        let octets = if field(4) == 0 { read.octets } else { field(4) + 40 };
        (octets, [&packet[8..24], &packet[24..40]])
    };
    assert_eq!(read.octets, octets, "octets are what the header says");
    readings::transport(packet, &read);
    for (read, written) in [read.src, read.dst].into_iter().zip(addresses) {
        let read = match read.to_ip() {
            std::net::IpAddr::V4(read) => read.octets().to_vec(),
            std::net::IpAddr::V6(read) => read.octets().to_vec(),
        };
        // An IPv4 address in IPv6 is the same to a policy.
        assert!(read == written || written.ends_with(&read), "addresses are those of the header");
    }
}

/// Frames of a flow table that is too small for them: each is in a record or skipped, and so is each of its octets.
pub fn meter(octets: &[u8]) {
    let mut input = Input(octets);
    let choice = input.octet();
    let config = MeterConfig {
        idle_timeout: Timestamp::SECOND * (1 + u64::from(choice & 3) * 40),
        active_timeout: Timestamp::SECOND * (2 + u64::from(choice >> 2 & 3) * 100),
        flows_max: 1 + usize::from(choice >> 4 & 7),
        early: if choice & 0x80 == 0 { Early::No } else { Early::FirstPayload },
        hash_seed: 1,
    };
    let mut meter = Meter::new(InputId(0), config);
    let (mut coverage, mut batch) = (InputCoverage::new("frames", "frames"), Batch::default());
    let (mut now, mut number) = (1_000 * Timestamp::SECOND, 0);
    // What the frames hold, told apart here.
    let (mut packets, mut sums, mut skips) = (0_u64, [0_u64; 2], BTreeMap::<Skip, u64>::new());
    let mut pairs = Pairs::new();
    let mut last: &[u8] = &[];
    while !input.0.is_empty() {
        number += 1;
        let (how, step) = (input.octet(), input.octet());
        let link = [LinkType(101), LinkType(1), LinkType(113), LinkType(0)][usize::from(how & 3)];
        // Steps of the clock forward and, seldom, back.
        let step = u64::from(step & 0x3f) * if step & 0x40 == 0 { 10_000_000 } else { 3 * Timestamp::SECOND };
        now = if how & 0x1c == 0x1c { now.saturating_sub(step) } else { now + step };
        let octets = if how & 0x20 == 0 { input.piece() } else { last };
        last = octets;
        let original_length = octets.len() as u32 + u32::from(how >> 7);
        let time = (how & 0x40 == 0).then_some(Timestamp(now));
        match dissect(link, octets, original_length) {
            Ok(found) => {
                let mut around = found;
                packets += 1;
                sums = add(sums, &found, &mut pairs);
                while let Inside::Tunnelled(within) = around.inside {
                    let Ok(inner) = within.dissect() else { break };
                    packets += 1;
                    sums = add(sums, &inner, &mut pairs);
                    around = inner;
                }
            }
            Err(unread) => *skips.entry(unread.skip).or_default() += 1,
        }
        meter.observe(&Frame { time, number, link, octets, original_length }, &mut coverage, &mut batch);
        assert!(meter.flows() <= config.flows_max, "the table stays within its bound");
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    assert_eq!(meter.flows(), 0);
    let skipped: BTreeMap<_, _> = coverage.skipped.iter().map(|(skip, found)| (*skip, found.total.count)).collect();
    assert_eq!(skipped, skips, "skipped are those that are not read");
    assert_eq!(coverage.read.count, number);
    balance(&coverage);
    let sum = |of: fn(&landfall::model::Counters) -> u64| -> u64 {
        batch.records.iter().map(|record| of(&record.forward) + of(&record.reverse)).sum()
    };
    assert_eq!(sum(|count| count.packets), packets, "every packet is in one record");
    assert_eq!(sum(|count| count.octets), sums[0], "and so are its octets");
    assert_eq!(sum(|count| count.payload), sums[1], "and its payload");
    let mut told = Pairs::new();
    for record in &batch.records {
        for (ends, sent) in [((record.src, record.dst), record.forward), ((record.dst, record.src), record.reverse)] {
            if sent.packets > 0 {
                let sum = told.entry(ends).or_default();
                *sum = [sum[0] + sent.packets, sum[1] + sent.octets, sum[2] + sent.payload];
            }
        }
    }
    assert_eq!(told, pairs, "and each is told of who sent it to whom");
    for record in &batch.records {
        assert!(record.start <= record.end, "{record:?}");
        assert!((1..=number).contains(&record.provenance.position()), "{record:?}");
        assert!(record.forward.packets + record.reverse.packets > 0, "no record is empty: {record:?}");
        if let Some(name) = record.name.and_then(|name| batch.name(name)) {
            super::names::is_clean(&name.text);
        }
    }
}

/// Packets, octets and payload, by who sent them to whom.
type Pairs = BTreeMap<(Addr, Addr), [u64; 3]>;

fn add([octets, payload]: [u64; 2], found: &Dissected<'_>, pairs: &mut Pairs) -> [u64; 2] {
    let packet = &found.packet;
    let added = [u64::from(packet.octets), u64::from(packet.payload)];
    let sum = pairs.entry((packet.src, packet.dst)).or_default();
    *sum = [sum[0] + 1, sum[1] + added[0], sum[2] + added[1]];
    [octets + added[0], payload + added[1]]
}

/// Packets read are packets in flows and packets skipped by reason.
pub(crate) fn balance(coverage: &InputCoverage) {
    let skipped: u64 = coverage.skipped.values().map(|found| found.total.count).sum();
    assert_eq!(coverage.read.count, coverage.used.count + skipped, "read = used + skipped: {coverage:?}");
    assert!(coverage.notes.len() <= InputCoverage::MAX_NOTES && coverage.remarks.len() <= InputCoverage::MAX_NOTES);
    assert!(coverage.first <= coverage.last);
}

/// The first frames of a capture, with their link types; none where it is no capture.
pub(crate) fn frames(file: &[u8]) -> Vec<(LinkType, Vec<u8>)> {
    let mut frames = Vec::new();
    let Ok(input) = unwrap(Box::new(Cursor::new(file.to_vec())), 1 << 24) else { return frames };
    let Some(format) = CaptureFormat::of(&input.head) else { return frames };
    let Ok(mut capture) = Capture::open(format, input.reader) else { return frames };
    while let Ok(Next::Frame(frame)) = capture.next_frame() {
        if frame.octets.len() <= LONGEST_SEED {
            frames.push((frame.link, frame.octets.to_vec()));
        }
        if frames.len() == SEEDS {
            break;
        }
    }
    frames
}

/// What the packets of a capture carry, outermost, with their ports.
pub(crate) fn payloads(file: &[u8]) -> Vec<([u16; 2], Vec<u8>)> {
    let mut payloads = Vec::new();
    for (link, octets) in frames(file) {
        if let Ok(found) = dissect(link, &octets, octets.len() as u32)
            && !found.payload.is_empty()
        {
            payloads.push(([found.packet.sport, found.packet.dport], found.payload.to_vec()));
        }
    }
    payloads
}

pub(crate) fn link_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let seed = |(link, octets): (LinkType, Vec<u8>)| {
        let link = u16::try_from(link.0).unwrap_or(u16::MAX);
        [&link.to_be_bytes()[..], &[0, 0, 60, 0, 90], &octets].concat()
    };
    frames(file).into_iter().take(8).map(seed).collect()
}

pub(crate) fn ip_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (link, octets) in frames(file).into_iter().take(8) {
        let strip = match link.0 {
            1 => 14,
            0 => 4,
            113 => 16,
            _ => 0,
        };
        let packet = octets.get(strip..).unwrap_or_default();
        seeds.push([&[0, 0, 40, 0, 60][..], packet].concat());
    }
    seeds
}

pub(crate) fn meter_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut seed = vec![0x11];
    for (link, octets) in frames(file).into_iter().take(12) {
        let how = match link.0 {
            1 => 1,
            113 => 2,
            0 => 3,
            _ => 0,
        };
        seed.extend([how, 1]);
        seed.extend((octets.len() as u16).to_be_bytes());
        seed.extend(octets);
    }
    if seed.len() > 1 { vec![seed] } else { Vec::new() }
}
