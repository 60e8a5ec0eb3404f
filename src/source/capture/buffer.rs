//! A window on a capture file that records are borrowed from.

use std::io::{self, Read};

use crate::source::SourceError;

/// The longest record that is read: 16 MiB of packet, as tshark allows for a pcapng block, and room for its header and
/// options. Links carry up to 64 KiB a packet, segmentation offload 512 KiB; what is longer is damage.
pub const MAX_RECORD: usize = (16 << 20) + (64 << 10);

/// How much is asked for at once: larger blocks fall out of the processor's cache, smaller ones cost calls.
const READ: usize = 256 << 10;

/// The octets of a file from the current record on, as far as they have been read.
///
/// It grows to hold one record, as its octets arrive: a length that only claims to be large costs nothing.
pub(in crate::source) struct Buffer {
    reader: Box<dyn Read + Send>,
    octets: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl Buffer {
    pub(in crate::source) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, octets: vec![0; READ], start: 0, end: 0, offset: 0 }
    }

    /// The offset in the file of the first octet that was not taken yet.
    pub(in crate::source) const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many octets are at hand.
    #[inline]
    pub(in crate::source) const fn available(&self) -> usize {
        self.end - self.start
    }

    /// Reads until `wanted` octets are at hand, and says whether they are: where not, the file ends before.
    #[inline]
    pub(in crate::source) fn has(&mut self, wanted: usize) -> Result<bool, SourceError> {
        if self.available() >= wanted { Ok(true) } else { self.fill(wanted) }
    }

    /// The first octets, without taking them; `None` where they are not at hand.
    #[inline]
    pub(in crate::source) fn peek<const N: usize>(&self) -> Option<&[u8; N]> {
        self.octets.get(self.start..self.end)?.first_chunk()
    }

    /// All octets that are at hand, without taking them.
    pub(in crate::source) fn head(&self) -> &[u8] {
        self.octets.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes `count` octets; those that are at hand where there are fewer.
    #[inline]
    pub(in crate::source) fn take(&mut self, count: usize) -> &[u8] {
        let count = count.min(self.available());
        self.start += count;
        self.offset += count as u64;
        self.taken(count)
    }

    /// The `count` octets that were taken last, until more is read.
    #[inline]
    pub(in crate::source) fn taken(&self, count: usize) -> &[u8] {
        self.octets.get(self.start.saturating_sub(count)..self.start).unwrap_or_default()
    }

    #[cold]
    fn fill(&mut self, wanted: usize) -> Result<bool, SourceError> {
        self.octets.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            if self.end == self.octets.len() {
                let double = self.octets.len() * 2;
                self.octets.resize(double.min(wanted.next_multiple_of(READ)), 0);
            }
            let room = self.octets.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::reading(self.offset + self.end as u64, error)),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_what_arrives_not_by_what_is_claimed() {
        let mut short = Buffer::new(Box::new(io::repeat(7).take(1000)));
        assert!(!short.has(MAX_RECORD).unwrap());
        assert_eq!((short.available(), short.octets.len()), (1000, READ));

        let mut long = Buffer::new(Box::new(io::repeat(7)));
        for _ in 0..3 {
            assert!(long.has(MAX_RECORD).unwrap());
            assert_eq!(long.take(MAX_RECORD).len(), MAX_RECORD);
        }
        assert_eq!(long.offset(), 3 * MAX_RECORD as u64);
        assert_eq!(long.octets.len(), MAX_RECORD.next_multiple_of(READ));
    }
}
