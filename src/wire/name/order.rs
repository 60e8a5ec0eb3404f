//! Pieces of a stream put in order: segments of TCP by their sequence numbers, and frames by their offsets.

use std::ops::ControlFlow;

/// The most pieces that wait for what comes before them. Clients that cut their `ClientHello` into many frames on purpose
/// (Chrome) use some tens.
const MAX_WAITING: usize = 128;

/// Pieces in order as they can be had.
///
/// Where pieces overlap, what was there first stays. Positions are modulo 2^32, as those of TCP are (RFC 9293
/// section 3.4).
#[derive(Debug)]
pub(super) struct Order {
    /// The position of the next octet.
    next: u32,
    waiting: Vec<(u32, Box<[u8]>)>,
}

/// There is no room for the piece, or it lies too far ahead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Order {
    /// Begins at a position.
    pub(super) const fn at(next: u32) -> Self {
        Self { next, waiting: Vec::new() }
    }

    /// Octets that wait.
    pub(super) fn held(&self) -> usize {
        self.waiting.iter().map(|(_, piece)| piece.len()).sum()
    }

    /// What waits.
    pub(super) fn into_waiting(self) -> Vec<(u32, Box<[u8]>)> {
        self.waiting
    }

    /// Takes a piece and hands on, in order, whatever has its turn with it. Pieces before the beginning and further ahead
    /// than `window` are no part of the stream.
    pub(super) fn put(
        &mut self,
        position: u32,
        piece: &[u8],
        window: usize,
        mut to: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), TooMuch> {
        // What is behind by less than half of the circle was there before; what of it is new has its turn.
        let behind = self.next.wrapping_sub(position) as usize;
        if behind < 1 << 31 {
            let Some(new) = piece.get(behind..).filter(|new| !new.is_empty()) else { return Ok(()) };
            self.next = self.next.wrapping_add(new.len() as u32);
            if to(new).is_break() {
                return Ok(());
            }
            self.go_on(&mut to);
            return Ok(());
        }
        let ahead = position.wrapping_sub(self.next) as usize;
        if ahead.saturating_add(piece.len()) > window {
            return Err(TooMuch);
        }
        if piece.is_empty() || self.waiting.iter().any(|(at, held)| *at == position && held.len() >= piece.len()) {
            return Ok(());
        }
        if self.waiting.len() >= MAX_WAITING || self.held().saturating_add(piece.len()) > window {
            return Err(TooMuch);
        }
        self.waiting.push((position, piece.into()));
        Ok(())
    }

    fn go_on(&mut self, to: &mut impl FnMut(&[u8]) -> ControlFlow<()>) {
        // Each round takes a piece away.
        while let Some(at) = self.waiting.iter().position(|(at, _)| (self.next.wrapping_sub(*at) as usize) < 1 << 31) {
            let (position, piece) = self.waiting.swap_remove(at);
            let behind = self.next.wrapping_sub(position) as usize;
            if let Some(new) = piece.get(behind..).filter(|new| !new.is_empty()) {
                self.next = self.next.wrapping_add(new.len() as u32);
                if to(new).is_break() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(next: u32, pieces: &[(u32, &[u8])]) -> Vec<u8> {
        let (mut order, mut whole) = (Order::at(next), Vec::new());
        for (position, piece) in pieces {
            let _ = order.put(*position, piece, 1000, |new| {
                whole.extend_from_slice(new);
                ControlFlow::Continue(())
            });
        }
        whole
    }

    #[test]
    fn pieces_are_put_in_order() {
        assert_eq!(ordered(0, &[(3, b"def"), (6, b"g"), (0, b"abc")]), b"abcdefg");
        assert_eq!(
            ordered(u32::MAX - 1, &[(1, b"def"), (u32::MAX - 1, b"abc")]),
            b"abcdef",
            "past the end of the circle"
        );
        assert_eq!(ordered(10, &[(10, b"abc"), (10, b"XYZd"), (9, b"?ABCDe")]), b"abcde", "repeated and overlapping");
        assert_eq!(ordered(0, &[(2, b"c"), (2, b"cd"), (0, b"ab"), (4, b"e")]), b"abcde");
        assert_eq!(ordered(0, &[(2000, b"far"), (0, b"a")]), b"a");
    }
}
