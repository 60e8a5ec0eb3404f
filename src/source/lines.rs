//! Lines of a text log, read in large blocks and lent without a copy.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter};

/// How much is read at once. Blocks of 128 to 512 KiB cost least where the file is in the page cache.
const BLOCK: usize = 256 * 1024;

/// The longest line that is read, without its end. Longer ones are stepped over and counted.
pub(super) const MAX_LINE: usize = 1024 * 1024;

/// A line, without its end (`\n` or `\r\n`).
#[derive(Clone, Copy)]
pub(super) enum Line<'a> {
    /// ASCII without NUL.
    Plain(&'a [u8]),
    /// Anything else: what it holds is still to be checked.
    Unchecked(&'a [u8]),
    /// A line longer than [`MAX_LINE`].
    TooLong,
}

/// Whether there can be more lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    Perhaps,
    /// Nothing now: the reader would block (an input that grows).
    Later,
    No,
}

/// Reads lines.
pub(super) struct Lines {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// How much of the buffer holds the beginning of a line.
    held: usize,
    /// How many octets were read.
    offset: u64,
    /// How many lines were given.
    number: u64,
    /// In the middle of a line that is too long.
    stepping_over: Option<u64>,
    ended: bool,
}

impl Lines {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; MAX_LINE + BLOCK];
        Self { reader, buffer, held: 0, offset: 0, number: 0, stepping_over: None, ended: false }
    }

    /// How many octets were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the line begins of which a part was read and not its end.
    pub(super) fn pending(&self) -> Option<u64> {
        let held = (self.held > 0).then(|| self.offset - self.held as u64);
        self.stepping_over.or(held)
    }

    /// Reads a block and gives every line that ends in it, with its number, from one. At the end of the input what is left
    /// is a line; where reading fails it is not, since it may be cut in the middle of a number.
    pub(super) fn read(&mut self, mut give: impl FnMut(u64, Line<'_>)) -> io::Result<More> {
        if self.ended {
            return Ok(More::No);
        }
        let space = self.buffer.get_mut(self.held..).unwrap_or_default();
        let space = space.get_mut(..BLOCK).unwrap_or_default();
        let count = loop {
            match self.reader.read(space) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(More::Later),
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        };
        self.offset += count as u64;
        if count == 0 {
            self.ended = true;
            if let Some(last) = self.buffer.get(..self.held).filter(|last| !last.is_empty()) {
                self.number += 1;
                give(self.number, told(last, Plainness::Unknown));
            }
            self.held = 0;
            return Ok(More::No);
        }
        let filled = self.held + count;
        let held = self.buffer.get(..filled).unwrap_or_default();
        let mut begin = 0;
        if self.stepping_over.is_some() {
            let Some(end) = memchr(b'\n', held) else { return Ok(More::Perhaps) };
            self.stepping_over = None;
            begin = end + 1;
        }
        let plainness = Plainness::of(held);
        let rest = held.get(begin..).unwrap_or_default();
        let first = begin;
        for end in memchr_iter(b'\n', rest) {
            let end = first + end;
            self.number += 1;
            give(self.number, told(held.get(begin..end).unwrap_or_default(), plainness));
            begin = end + 1;
        }
        self.held = filled - begin;
        if self.held > MAX_LINE {
            self.number += 1;
            give(self.number, Line::TooLong);
            self.stepping_over = Some(self.offset - self.held as u64);
            self.held = 0;
        } else {
            self.buffer.copy_within(begin..filled, 0);
        }
        Ok(More::Perhaps)
    }
}

/// Whether a block is known to be ASCII without NUL, so that its lines need no check of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plainness {
    Plain,
    Unknown,
}

impl Plainness {
    fn of(block: &[u8]) -> Self {
        if block.is_ascii() && memchr(0, block).is_none() { Self::Plain } else { Self::Unknown }
    }
}

fn told(line: &[u8], plainness: Plainness) -> Line<'_> {
    if line.len() > MAX_LINE {
        return Line::TooLong;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match plainness {
        Plainness::Plain => Line::Plain(line),
        Plainness::Unknown => Line::Unchecked(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many octets at a time as it is told to.
    struct Chunked(Vec<u8>, usize, usize);

    impl Read for Chunked {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.2.min(into.len()).min(self.0.len() - self.1);
            into[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 += count;
            Ok(count)
        }
    }

    fn lines(text: &[u8], chunk: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(Box::new(Chunked(text.to_vec(), 0, chunk)));
        let mut all = Vec::new();
        while lines
            .read(|number, line| match line {
                Line::Plain(line) | Line::Unchecked(line) => all.push((number, Some(line.to_vec()))),
                Line::TooLong => all.push((number, None)),
            })
            .unwrap()
            == More::Perhaps
        {}
        all
    }

    #[test]
    fn blocks_mean_nothing() {
        let text = b"one\r\n\ntwo\xff\nlast";
        let whole = [&b"one"[..], b"", b"two\xff", b"last"];
        for chunk in [1, 2, 3, 7, 100] {
            let read = lines(text, chunk);
            assert_eq!(read.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
            assert!(read.iter().map(|(_, line)| line.as_deref().unwrap()).eq(whole.iter().copied()), "{chunk}");
        }
    }

    #[test]
    fn long_lines_are_stepped_over() {
        let mut text = b"a\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE]);
        text.push(b'\n');
        text.extend(vec![b'y'; 3 * MAX_LINE]);
        text.extend(b"\nz\n");
        text.extend(vec![b'y'; MAX_LINE + 1]);
        for chunk in [10_007, 1 << 16, 1 << 30] {
            let read = lines(&text, chunk);
            let lengths: Vec<_> = read.iter().map(|(_, line)| line.as_ref().map(Vec::len)).collect();
            assert_eq!(lengths, [Some(1), Some(MAX_LINE), None, Some(1), None], "{chunk}");
        }
    }
}
