//! Octets taken as choices.

use std::io::{self, Read};
use std::ops::Range;

/// Octets that choices are taken from. Where none are left, every choice is zero.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn two(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// The next `count` octets, or as many as there are.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Octets after their length.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = self.two();
        self.take(length.into())
    }

    /// Up to `most` places in `length` octets, sorted, as the ranges between them.
    pub(crate) fn cuts(&mut self, most: u8, length: usize) -> Vec<Range<usize>> {
        let count = self.octet() % (most + 1);
        let mut places: Vec<usize> = (0..count).map(|_| usize::from(self.two()) % (length + 1)).collect();
        places.extend([0, length]);
        places.sort_unstable();
        places.dedup();
        places.windows(2).map(|two| two[0]..two[1]).collect()
    }

    /// Up to `most` ranges that together are all of `length` octets, some of them overlapping.
    pub(crate) fn overlapping(&mut self, most: u8, length: usize) -> Vec<Range<usize>> {
        let mut ranges = self.cuts(most, length);
        for range in &mut ranges {
            range.start -= usize::from(self.octet() & 0x0f).min(range.start);
        }
        ranges
    }

    /// `things` in an order of its choice.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, usize::from(self.octet()) % (last + 1));
        }
    }
}

/// A reader that gives its content in pieces of given lengths, over and over; a length of zero is an interruption.
pub(crate) struct Pieces {
    content: io::Cursor<Vec<u8>>,
    lengths: Vec<u8>,
    turn: usize,
}

impl Pieces {
    pub(crate) fn new(content: &[u8], lengths: &[u8]) -> Self {
        // At least one length that is not zero, so that it ends.
        let lengths = lengths.iter().copied().chain([7]).collect();
        Self { content: io::Cursor::new(content.to_vec()), lengths, turn: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::from(self.lengths[self.turn % self.lengths.len()]);
        self.turn += 1;
        if length == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = length.min(buffer.len());
        self.content.read(&mut buffer[..room])
    }
}
