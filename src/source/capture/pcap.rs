//! The format of libpcap (draft-ietf-opsawg-pcap).

use super::Next;
use super::buffer::Buffer;
use super::clock::ByteOrder;
use crate::meter::Frame;
use crate::model::Timestamp;
use crate::source::SourceError;
use crate::wire::LinkType;

/// Octets of the file header.
const FILE_HEADER: usize = 24;

/// The longest packet that is plausible where the file does not announce longer ones: the largest snap length that
/// libpcap grants (`MAXIMUM_SNAPLEN`). Real files go beyond the length in their own header, so that alone says nothing.
const PLAUSIBLE_SNAPLEN: u32 = 262_144;

/// The longest packet that is read even where the file announces longer ones.
const MAX_SNAPLEN: u32 = 16 << 20;

/// Bits of the link type field that must be zero: all between the link type and the length of the frame check sequence.
const RESERVED: u32 = 0x03ff_0000;

/// What the first four octets say.
struct Variant {
    order: ByteOrder,
    nanos_per_unit: u64,
    record_header: usize,
}

impl Variant {
    fn of(magic: [u8; 4]) -> Option<Self> {
        let of = |order, nanos_per_unit, record_header| Some(Self { order, nanos_per_unit, record_header });
        match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => of(ByteOrder::Little, 1000, 16),
            [0xa1, 0xb2, 0xc3, 0xd4] => of(ByteOrder::Big, 1000, 16),
            [0x4d, 0x3c, 0xb2, 0xa1] => of(ByteOrder::Little, 1, 16),
            [0xa1, 0xb2, 0x3c, 0x4d] => of(ByteOrder::Big, 1, 16),
            // Kuznetzov's libpcap of 1998: interface, protocol and packet type after the usual header.
            [0x34, 0xcd, 0xb2, 0xa1] => of(ByteOrder::Little, 1000, 24),
            [0xa1, 0xb2, 0xcd, 0x34] => of(ByteOrder::Big, 1000, 24),
            _ => None,
        }
    }
}

/// The order in which a record gives its two lengths, which changed with version 2.3.
#[derive(Clone, Copy)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// Either: the captured length is the smaller one.
    Unsure,
}

/// Whether content begins with `magic` that is read here.
pub(super) fn is_magic(magic: [u8; 4]) -> bool {
    Variant::of(magic).is_some()
}

/// The frames of a pcap file.
pub(super) struct Pcap {
    buffer: Buffer,
    variant: Variant,
    lengths: Lengths,
    link: LinkType,
    longest: u32,
    frames: u64,
}

impl Pcap {
    pub(super) fn open(mut buffer: Buffer) -> Result<Self, SourceError> {
        if !buffer.has(FILE_HEADER)? {
            let reason = format!("file header cut short: {} of {FILE_HEADER} octets", buffer.available());
            return Err(SourceError::format(0, reason));
        }
        let parsed = buffer.peek::<FILE_HEADER>().and_then(|header| {
            let [m0, m1, m2, m3, a0, a1, i0, i1, _, _, _, _, _, _, _, _, s0, s1, s2, s3, n0, n1, n2, n3] = *header;
            let variant = Variant::of([m0, m1, m2, m3])?;
            let order = variant.order;
            let version = (order.u16([a0, a1]), order.u16([i0, i1]));
            Some((version, order.u32([s0, s1, s2, s3]), order.u32([n0, n1, n2, n3]), variant))
        });
        let Some((version, snaplen, network, variant)) = parsed else {
            return Err(SourceError::format(0, "unknown first octets"));
        };
        let lengths = match version {
            (2, 0..=2) => Lengths::OriginalFirst,
            (2, 3) => Lengths::Unsure,
            // 2.4 is the last that there is. A later minor version would be readable by what reads this one.
            (2, _) => Lengths::CapturedFirst,
            (major, minor) => {
                return Err(SourceError::format(4, format!("pcap version {major}.{minor} is not read, only 2")));
            }
        };
        if network & RESERVED != 0 {
            return Err(SourceError::format(
                20,
                format!("reserved bits of the link type are not zero ({network:#010x})"),
            ));
        }
        buffer.take(FILE_HEADER);
        let longest = snaplen.clamp(PLAUSIBLE_SNAPLEN, MAX_SNAPLEN);
        Ok(Self { buffer, variant, lengths, link: LinkType(network & 0xffff), longest, frames: 0 })
    }

    #[inline]
    pub(super) fn next_frame(&mut self) -> Result<Next<'_>, SourceError> {
        let order = self.variant.order;
        let header = self.variant.record_header;
        let offset = self.buffer.offset();
        if !self.buffer.has(header)? {
            return Ok(if self.buffer.available() == 0 { Next::End } else { Next::Cut { offset } });
        }
        let Some(&[s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, o0, o1, o2, o3]) = self.buffer.peek::<16>() else {
            return Ok(Next::Cut { offset });
        };
        let (first, second) = (order.u32([c0, c1, c2, c3]), order.u32([o0, o1, o2, o3]));
        let (captured, original_length) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::OriginalFirst => (second, first),
            Lengths::Unsure => (first.min(second), first.max(second)),
        };
        if captured > self.longest {
            let longest = self.longest;
            let reason = format!("a packet of {captured} captured octets, where {longest} is the most");
            return Err(SourceError::format(offset, reason));
        }
        let length = header + captured as usize;
        if !self.buffer.has(length)? {
            return Ok(Next::Cut { offset });
        }
        self.frames += 1;
        let seconds = Timestamp::from_secs(u64::from(order.u32([s0, s1, s2, s3])));
        let fraction = u64::from(order.u32([f0, f1, f2, f3])) * self.variant.nanos_per_unit;
        Ok(Next::Frame(Frame {
            time: Some(Timestamp(seconds.0 + fraction)),
            number: self.frames,
            link: self.link,
            octets: self.buffer.take(length).get(header..).unwrap_or_default(),
            original_length,
        }))
    }
}
