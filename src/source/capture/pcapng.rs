//! pcapng (draft-ietf-opsawg-pcapng): blocks in sections, each section with its byte order and its interfaces.

use std::ops::Range;

use super::Next;
use super::buffer::{Buffer, MAX_RECORD};
use super::clock::{ByteOrder, Clock};
use crate::meter::Frame;
use crate::model::{Drops, Timestamp};
use crate::source::SourceError;
use crate::wire::LinkType;

/// A section header block, the same in either byte order.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const INTERFACE: u32 = 1;
/// The packet block of early files, obsolete.
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Octets of a block before its body: type and length.
const BLOCK_HEADER: usize = 8;
/// The least length of a block: type, length, and length again.
const LEAST_BLOCK: usize = 12;
/// Octets of an enhanced or old packet block's body before the packet.
const PACKET_HEADER: usize = 20;

/// The most interfaces of a section: a machine has some dozens, and each costs us memory.
const MAX_INTERFACES: usize = 65_536;

/// `opt_endofopt`.
const END_OF_OPTIONS: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
const EPB_DROPCOUNT: u16 = 4;

/// Whether content begins with `magic` that is read here.
pub(super) fn is_magic(magic: [u8; 4]) -> bool {
    magic == SECTION
}

/// An interface of a section.
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    /// What its statistics say; the last block counts, since they are totals.
    ifdrop: Option<u64>,
    osdrop: Option<u64>,
    /// What its packets say was lost between them, in sum.
    lost_between: Option<u64>,
}

impl Interface {
    /// Statistics are totals of the capture program; only without them the sum of what packets say is taken.
    fn drops(&self) -> Option<Drops> {
        if self.ifdrop.is_none() && self.osdrop.is_none() {
            return self.lost_between.map(|kernel| Drops { kernel, interface: 0 });
        }
        Some(Drops { kernel: self.osdrop.unwrap_or(0), interface: self.ifdrop.unwrap_or(0) })
    }
}

/// The frames of a pcapng file.
pub(super) struct Pcapng {
    buffer: Buffer,
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Drops of the sections before.
    earlier_drops: Option<Drops>,
    frames: u64,
    /// In nanoseconds, of the interfaces so far.
    clock_step: u64,
}

/// What a block comes to.
enum Block {
    /// A packet, where it lies in the block.
    Packet { time: Option<Timestamp>, link: LinkType, original_length: u32, octets: Range<usize> },
    /// It contradicts itself but can be stepped over.
    Bad,
    /// Nothing that concerns flows.
    Other,
}

impl Pcapng {
    pub(super) fn open(buffer: Buffer) -> Result<Self, SourceError> {
        let mut pcapng = Self {
            buffer,
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            earlier_drops: None,
            frames: 0,
            clock_step: 0,
        };
        let length = pcapng.block_length()?;
        let at_hand = pcapng.buffer.available();
        match length {
            Some(length) if at_hand >= length => {
                pcapng.read_block(0, length)?;
                Ok(pcapng)
            }
            _ => Err(SourceError::format(0, format!("file header cut short after {at_hand} octets"))),
        }
    }

    #[inline]
    pub(super) fn next_frame(&mut self) -> Result<Next<'_>, SourceError> {
        loop {
            let offset = self.buffer.offset();
            let Some(length) = self.block_length()? else {
                return Ok(if self.buffer.available() == 0 { Next::End } else { Next::Cut { offset } });
            };
            match self.read_block(offset, length)? {
                Block::Packet { time, link, original_length, octets } => {
                    self.frames += 1;
                    let octets = self.buffer.taken(length).get(octets).unwrap_or_default();
                    return Ok(Next::Frame(Frame { time, number: self.frames, link, octets, original_length }));
                }
                Block::Bad => {
                    self.frames += 1;
                    return Ok(Next::BadBlock { number: self.frames, octets: length as u64 });
                }
                Block::Other => {}
            }
        }
    }

    /// A step of the coarsest clock of the interfaces so far, in nanoseconds.
    pub(super) const fn clock_step(&self) -> u64 {
        self.clock_step
    }

    /// What the file says so far was dropped, over all interfaces of all sections.
    pub(super) fn drops(&self) -> Option<Drops> {
        self.interfaces.iter().filter_map(Interface::drops).chain(self.earlier_drops).reduce(add)
    }

    /// The length of the next block, once all of it is at hand; `None` where the file ends before.
    #[inline]
    fn block_length(&mut self) -> Result<Option<usize>, SourceError> {
        let offset = self.buffer.offset();
        if !self.buffer.has(LEAST_BLOCK)? {
            return Ok(None);
        }
        let Some(&[t0, t1, t2, t3, l0, l1, l2, l3, m0, m1, m2, m3]) = self.buffer.peek::<LEAST_BLOCK>() else {
            return Ok(None);
        };
        if [t0, t1, t2, t3] == SECTION {
            self.order = match [m0, m1, m2, m3] {
                [0x4d, 0x3c, 0x2b, 0x1a] => ByteOrder::Little,
                [0x1a, 0x2b, 0x3c, 0x4d] => ByteOrder::Big,
                _ => return Err(SourceError::format(offset, "a section header without its byte order mark")),
            };
        }
        let length = self.order.u32([l0, l1, l2, l3]);
        let plausible = usize::try_from(length).ok().filter(|length| (LEAST_BLOCK..=MAX_RECORD).contains(length));
        let Some(length) = plausible.filter(|length| length % 4 == 0) else {
            let reason = format!(
                "a block of {length} octets, where a multiple of 4 from {LEAST_BLOCK} to {MAX_RECORD} is possible"
            );
            return Err(SourceError::format(offset, reason));
        };
        Ok(self.buffer.has(length)?.then_some(length))
    }

    /// Takes a block that is at hand.
    #[inline]
    fn read_block(&mut self, offset: u64, length: usize) -> Result<Block, SourceError> {
        let order = self.order;
        let block = self.buffer.take(length);
        let malformed = |reason: &str| SourceError::format(offset, reason);
        let (Some((kind, rest)), Some((body, trailer))) =
            (block.split_first_chunk::<4>(), block.split_last_chunk::<4>())
        else {
            return Err(malformed("a block without its header"));
        };
        if rest.first_chunk::<4>() != Some(trailer) {
            return Err(malformed("the length at the end of the block is not that at its start"));
        }
        let body = body.get(BLOCK_HEADER..).unwrap_or_default();
        if *kind == SECTION {
            check_section(order, body).map_err(|reason| SourceError::format(offset, reason))?;
            self.earlier_drops = self.drops();
            self.interfaces.clear();
            return Ok(Block::Other);
        }
        Ok(match order.u32(*kind) {
            ENHANCED_PACKET => enhanced_packet(order, body, &mut self.interfaces).unwrap_or(Block::Bad),
            OLD_PACKET => old_packet(order, body, &mut self.interfaces).unwrap_or(Block::Bad),
            SIMPLE_PACKET => simple_packet(order, body, &self.interfaces).unwrap_or(Block::Bad),
            STATISTICS => statistics(order, body, &mut self.interfaces).unwrap_or(Block::Bad),
            INTERFACE => {
                // Later blocks name interfaces by their number: a lost one would shift them all.
                let interface = interface(order, body).ok_or_else(|| malformed("an interface that is malformed"))?;
                if self.interfaces.len() == MAX_INTERFACES {
                    let reason = format!("more than {MAX_INTERFACES} interfaces");
                    return Err(SourceError::format(offset, reason));
                }
                self.clock_step = self.clock_step.max(interface.clock.step());
                self.interfaces.push(interface);
                Block::Other
            }
            // Names, secrets, custom and unknown blocks.
            _ => Block::Other,
        })
    }
}

fn add(a: Drops, b: Drops) -> Drops {
    Drops { kernel: a.kernel.saturating_add(b.kernel), interface: a.interface.saturating_add(b.interface) }
}

fn check_section(order: ByteOrder, body: &[u8]) -> Result<(), String> {
    let Some(&[_, _, _, _, a0, a1, i0, i1, _, _, _, _, _, _, _, _]) = body.first_chunk::<16>() else {
        return Err("a section header that is cut short".to_owned());
    };
    // 1.2 was written by some programs and is the same (draft-ietf-opsawg-pcapng section 4.1).
    match (order.u16([a0, a1]), order.u16([i0, i1])) {
        (1, 0 | 2) => Ok(()),
        (major, minor) => Err(format!("pcapng version {major}.{minor} is not read, only 1.0")),
    }
}

fn interface(order: ByteOrder, body: &[u8]) -> Option<Interface> {
    let (&[l0, l1, _, _, s0, s1, s2, s3], options) = body.split_first_chunk::<8>()?;
    let mut clock = Clock::MICROSECONDS;
    for option in (OptionList { order, rest: options }) {
        match option? {
            (IF_TSRESOL, value) => clock.set_resolution(*value.first()?),
            (IF_TSOFFSET, value) => clock.set_offset(order.u64(*value.first_chunk()?).cast_signed()),
            _ => {}
        }
    }
    Some(Interface {
        link: LinkType(u32::from(order.u16([l0, l1]))),
        snaplen: order.u32([s0, s1, s2, s3]),
        clock,
        ifdrop: None,
        osdrop: None,
        lost_between: None,
    })
}

/// The fields that enhanced and old packet blocks share: time, captured and original length.
#[inline]
fn packet(order: ByteOrder, interface: &Interface, fields: [u8; 16], body: &[u8]) -> Option<Block> {
    let [h0, h1, h2, h3, t0, t1, t2, t3, c0, c1, c2, c3, o0, o1, o2, o3] = fields;
    let ticks = (u64::from(order.u32([h0, h1, h2, h3])) << 32) | u64::from(order.u32([t0, t1, t2, t3]));
    let captured = usize::try_from(order.u32([c0, c1, c2, c3])).ok()?;
    if captured > body.len().checked_sub(PACKET_HEADER)? {
        return None;
    }
    let start = BLOCK_HEADER + PACKET_HEADER;
    Some(Block::Packet {
        time: interface.clock.at(ticks),
        link: interface.link,
        original_length: order.u32([o0, o1, o2, o3]),
        octets: start..start + captured,
    })
}

#[inline]
fn enhanced_packet(order: ByteOrder, body: &[u8], interfaces: &mut [Interface]) -> Option<Block> {
    let (id, rest) = body.split_first_chunk::<4>()?;
    let interface = interfaces.get_mut(usize::try_from(order.u32(*id)).ok()?)?;
    let (fields, rest) = rest.split_first_chunk::<16>()?;
    let block = packet(order, interface, *fields, body)?;
    if let Block::Packet { octets, .. } = &block
        && let Some(options) = rest.get(octets.len().next_multiple_of(4)..)
        && !options.is_empty()
    {
        // The packet stands on its own: what is wrong with its options does not matter to it.
        for (code, value) in (OptionList { order, rest: options }).map_while(|option| option) {
            if let (EPB_DROPCOUNT, Some(count)) = (code, value.first_chunk()) {
                let sum = interface.lost_between.get_or_insert(0);
                *sum = sum.saturating_add(order.u64(*count));
            }
        }
    }
    Some(block)
}

#[inline(never)]
fn old_packet(order: ByteOrder, body: &[u8], interfaces: &mut [Interface]) -> Option<Block> {
    let (&[i0, i1, d0, d1], rest) = body.split_first_chunk::<4>()?;
    let interface = interfaces.get_mut(usize::from(order.u16([i0, i1])))?;
    let block = packet(order, interface, *rest.first_chunk()?, body)?;
    // All ones: not known (draft-ietf-opsawg-pcapng appendix A).
    let drops = order.u16([d0, d1]);
    if drops != u16::MAX {
        let sum = interface.lost_between.get_or_insert(0);
        *sum = sum.saturating_add(u64::from(drops));
    }
    Some(block)
}

/// A simple packet block: interface 0, no time, captured up to the snap length.
#[inline(never)]
fn simple_packet(order: ByteOrder, body: &[u8], interfaces: &[Interface]) -> Option<Block> {
    let interface = interfaces.first()?;
    let (original, data) = body.split_first_chunk::<4>()?;
    let original_length = order.u32(*original);
    let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
    let captured = usize::try_from(original_length.min(snaplen)).ok()?;
    if captured > data.len() {
        return None;
    }
    let start = BLOCK_HEADER + 4;
    Some(Block::Packet { time: None, link: interface.link, original_length, octets: start..start + captured })
}

#[inline(never)]
fn statistics(order: ByteOrder, body: &[u8], interfaces: &mut [Interface]) -> Option<Block> {
    let (&[i0, i1, i2, i3, _, _, _, _, _, _, _, _], options) = body.split_first_chunk::<12>()?;
    let interface = interfaces.get_mut(usize::try_from(order.u32([i0, i1, i2, i3])).ok()?)?;
    for option in (OptionList { order, rest: options }) {
        match option? {
            (ISB_IFDROP, value) => interface.ifdrop = Some(order.u64(*value.first_chunk()?)),
            (ISB_OSDROP, value) => interface.osdrop = Some(order.u64(*value.first_chunk()?)),
            _ => {}
        }
    }
    Some(Block::Other)
}

/// The options at the end of a block: code, length, value padded to four octets. Gives `None`, once, for what is malformed.
struct OptionList<'a> {
    order: ByteOrder,
    rest: &'a [u8],
}

impl<'a> Iterator for OptionList<'a> {
    type Item = Option<(u16, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let Some((&[c0, c1, l0, l1], rest)) = rest.split_first_chunk::<4>() else { return Some(None) };
        let code = self.order.u16([c0, c1]);
        if code == END_OF_OPTIONS {
            return None;
        }
        let length = usize::from(self.order.u16([l0, l1]));
        let Some(value) = rest.get(..length) else { return Some(None) };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Some((code, value)))
    }
}
