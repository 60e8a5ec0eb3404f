//! The packed form of a table of numbers by address.
//!
//! A location database in the MMDB form is a tree, and costs a file of 8 MB where the same facts as runs of equal values
//! cost 600 kB. The generator (`embed`) and the library share this file.
//!
//! ```text
//! file      = "LFT1" raw-length(u32, little endian) zstd-frame(raw)
//! raw       = dictionary family(IPv4) family(IPv6) names
//! dictionary= 3 x (count, ascending numbers as differences): one, two and three octets in the value stream
//! family    = count, count shifts (one octet each), count starts, count values
//! start     = ((start before >> shift) + difference) << shift
//! value     = place in the dictionary, from one; 0 says nothing
//! names     = count, ascending numbers as differences, then the names, a line each
//! ```
//!
//! All numbers but the shifts are variable-length: seven bits an octet, lowest first. Shifts are multiples of eight, so
//! that most boundaries, which lie on octets, have small differences.

use std::collections::BTreeMap;

use super::super::runs::{Key, Runs};

const MAGIC: &[u8; 4] = b"LFT1";

/// The most octets that a packed table may hold when it is unpacked.
pub const MAX_RAW: usize = 64 << 20;

/// How many values have a place of one octet, and of two.
const SHORT: [usize; 2] = [0x7f, 0x3fff - 0x7f];

/// What is wrong with a packed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Not such a table, or one of another version.
    #[error("it does not begin as a packed table does")]
    Magic,
    /// zstd refuses it, or its checksum does not hold.
    #[error("it cannot be unpacked")]
    Unpack,
    /// It ends before its last item.
    #[error("it ends early")]
    Short,
    /// A number is out of range, or out of order.
    #[error("a number in it is out of range")]
    Range,
    /// A name is not UTF-8.
    #[error("a name in it is not text")]
    Text,
    /// Larger than [`MAX_RAW`].
    #[error("it is too large")]
    Size,
}

/// A number for every address, and names of numbers: AS numbers and their holders, or countries as two letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// IPv4; zero says nothing.
    pub v4: Runs<u32, u32>,
    /// IPv6; zero says nothing.
    pub v6: Runs<u128, u32>,
    /// The numbers that have names, ascending.
    pub named: Vec<u32>,
    /// Their names, a line each.
    pub names: String,
}

/// Packs a table, always to the same octets.
pub fn encode(table: &Numbers) -> Result<Vec<u8>, CodecError> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for value in table.v4.values().iter().chain(table.v6.values()) {
        if *value != 0 {
            *counts.entry(*value).or_default() += 1;
        }
    }
    // Frequent values get short places; within a class they ascend, so that the dictionary itself is small.
    let mut ranked: Vec<(usize, u32)> = counts.into_iter().map(|(value, count)| (count, value)).collect();
    ranked.sort_by_key(|(count, value)| (std::cmp::Reverse(*count), *value));
    let mut ranked: Vec<u32> = ranked.into_iter().map(|(_, value)| value).collect();
    let (mut raw, mut places) = (Vec::new(), BTreeMap::new());
    for size in [SHORT[0], SHORT[1], usize::MAX] {
        let mut class: Vec<u32> = ranked.drain(..size.min(ranked.len())).collect();
        class.sort_unstable();
        put(&mut raw, class.len() as u128);
        put_ascending(&mut raw, &class);
        for value in class {
            places.insert(value, places.len() as u128 + 1);
        }
    }
    put_family(&mut raw, &table.v4, &places);
    put_family(&mut raw, &table.v6, &places);
    put(&mut raw, table.named.len() as u128);
    put_ascending(&mut raw, &table.named);
    raw.extend_from_slice(table.names.as_bytes());
    pack(*MAGIC, &raw)
}

/// A file of one kind: its magic, the length of what it holds, and that, packed.
pub(in crate::locate) fn pack(magic: [u8; 4], raw: &[u8]) -> Result<Vec<u8>, CodecError> {
    if raw.len() > MAX_RAW {
        return Err(CodecError::Size);
    }
    let mut file = magic.to_vec();
    file.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    let packed = || {
        let mut encoder = zstd::Encoder::new(file, 22)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(raw.len() as u64))?;
        std::io::Write::write_all(&mut encoder, raw)?;
        encoder.finish()
    };
    packed().map_err(|_: std::io::Error| CodecError::Unpack)
}

/// What a packed file of one kind holds.
pub(in crate::locate) fn unpack(magic: [u8; 4], file: &[u8]) -> Result<Vec<u8>, CodecError> {
    let body = file.strip_prefix(&magic).ok_or(CodecError::Magic)?;
    let (length, frame) = body.split_first_chunk::<4>().ok_or(CodecError::Short)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_RAW {
        return Err(CodecError::Size);
    }
    zstd::bulk::decompress(frame, length).map_err(|_| CodecError::Unpack)
}

pub(in crate::locate) fn put(raw: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        raw.push(number as u8 | 0x80);
        number >>= 7;
    }
    raw.push(number as u8);
}

fn put_ascending(raw: &mut Vec<u8>, numbers: &[u32]) {
    let mut before = 0;
    for number in numbers {
        put(raw, u128::from(number - before));
        before = *number;
    }
}

fn put_family<K: Key>(raw: &mut Vec<u8>, runs: &Runs<K, u32>, places: &BTreeMap<u32, u128>) {
    put(raw, runs.starts().len() as u128);
    let shift = |start: K| start.zeros().min(K::BITS - 8) & !7;
    raw.extend(runs.starts().iter().map(|start| shift(*start) as u8));
    let mut before = K::ZERO;
    for start in runs.starts() {
        let shift = shift(*start);
        put(raw, (*start >> shift).wide() - (before >> shift).wide());
        before = *start;
    }
    for value in runs.values() {
        put(raw, places.get(value).copied().unwrap_or(0));
    }
}

/// Unpacks a table. A damaged one is an error, never a panic.
pub fn decode(file: &[u8]) -> Result<Numbers, CodecError> {
    let raw = unpack(*MAGIC, file)?;
    let mut reader = Reader { rest: &raw };

    let mut dictionary = vec![0];
    for _ in 0..=SHORT.len() {
        let count = reader.count()?;
        reader.ascending(count, &mut dictionary)?;
    }
    let v4 = reader.family(&dictionary)?;
    let v6 = reader.family(&dictionary)?;
    let count = reader.count()?;
    let mut named = Vec::with_capacity(count);
    reader.ascending(count, &mut named)?;
    let names = std::str::from_utf8(reader.rest).map_err(|_| CodecError::Text)?.to_owned();
    Ok(Numbers { v4, v6, named, names })
}

/// Reads numbers and octets of an unpacked file.
pub(in crate::locate) struct Reader<'a> {
    pub(in crate::locate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(in crate::locate) fn number(&mut self) -> Result<u128, CodecError> {
        // Nearly all numbers have up to three octets.
        let (number, rest) = match self.rest {
            [a @ 0..0x80, rest @ ..] => (u32::from(*a), rest),
            [a, b @ 0..0x80, rest @ ..] => (u32::from(a & 0x7f) | u32::from(*b) << 7, rest),
            [a, b, c @ 0..0x80, rest @ ..] => {
                (u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(*c) << 14, rest)
            }
            _ => return self.long_number(),
        };
        self.rest = rest;
        Ok(u128::from(number))
    }

    fn long_number(&mut self) -> Result<u128, CodecError> {
        let (mut number, mut shift) = (0_u128, 0);
        loop {
            let (octet, rest) = self.rest.split_first().ok_or(CodecError::Short)?;
            self.rest = rest;
            number |= u128::from(octet & 0x7f).checked_shl(shift).ok_or(CodecError::Range)?;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// How many items follow: each takes at least one octet, so that a damaged count cannot reserve memory.
    pub(in crate::locate) fn count(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(self.number()?).map_err(|_| CodecError::Range)?;
        if count > self.rest.len() { Err(CodecError::Short) } else { Ok(count) }
    }

    pub(in crate::locate) fn octets(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (octets, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(octets)
    }

    fn ascending(&mut self, count: usize, into: &mut Vec<u32>) -> Result<(), CodecError> {
        let mut before = 0_u32;
        for _ in 0..count {
            let difference = u32::try_from(self.number()?).map_err(|_| CodecError::Range)?;
            before = before.checked_add(difference).ok_or(CodecError::Range)?;
            into.push(before);
        }
        Ok(())
    }

    fn family<K: Key>(&mut self, dictionary: &[u32]) -> Result<Runs<K, u32>, CodecError> {
        let count = self.count()?;
        let shifts = self.octets(count)?;
        let mut starts = Vec::with_capacity(count);
        let mut before = K::ZERO;
        for shift in shifts {
            let shift = u32::from(*shift);
            if shift >= K::BITS {
                return Err(CodecError::Range);
            }
            let high = (before >> shift).wide().checked_add(self.number()?).ok_or(CodecError::Range)?;
            let high = K::narrow(high).ok_or(CodecError::Range)?;
            before = high << shift;
            if before >> shift != high {
                return Err(CodecError::Range);
            }
            starts.push(before);
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let place = usize::try_from(self.number()?).map_err(|_| CodecError::Range)?;
            values.push(*dictionary.get(place).ok_or(CodecError::Range)?);
        }
        Runs::from_parts(starts, values).ok_or(CodecError::Range)
    }
}
