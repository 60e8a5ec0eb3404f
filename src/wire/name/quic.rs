//! The `ClientHello` in Initial packets of QUIC (RFC 9000, RFC 9001, RFC 9369), and the server name in the one of Google's
//! QUIC before it.

use std::ops::ControlFlow;

use super::Way;
use super::cursor::Cursor;
use super::initial::{self, Keys, Kind};
use super::order::Order;
use super::tls::{self, Hello, Layout, Read};

/// The most Initial packets of a flow that are opened: each costs as much as some thousand octets of copying.
const MAX_PACKETS: u8 = 16;

/// The longest handshake message that is put together.
const MAX_HELLO: usize = 1 << 14;

/// What is known of a flow whose `ClientHello` is not whole.
#[derive(Debug)]
pub(super) struct Quic {
    /// Who sends it, and the keys of its packets, once one was opened.
    client: Option<(Way, Keys)>,
    order: Order,
    message: Vec<u8>,
    wanted: usize,
    packets: u8,
}

/// How a flow stands after a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Hello(Hello),
    /// There is nothing to be had any more.
    Over,
}

impl Default for Quic {
    fn default() -> Self {
        Self { client: None, order: Order::at(0), message: Vec::new(), wanted: 0, packets: 0 }
    }
}

impl Quic {
    /// Takes a datagram.
    pub(super) fn put(&mut self, way: Way, mut datagram: &[u8]) -> State {
        if self.client.as_ref().is_some_and(|(client, _)| *client != way) {
            return State::Waiting;
        }
        while let Some(packet) = initial::next(&mut datagram) {
            if packet.kind != Kind::Initial {
                continue;
            }
            if self.packets >= MAX_PACKETS {
                return State::Over;
            }
            self.packets += 1;
            // The identifier that the keys follow from is the client's first. After Retry it is another
            // (RFC 9001 section 5.2), and the hello begins again.
            let known = self.client.as_ref().and_then(|(_, keys)| keys.open(&packet));
            let frames = known.or_else(|| {
                let keys = Keys::of_client(packet.version, packet.to);
                let frames = keys.open(&packet)?;
                self.client = Some((way, keys));
                (self.order, self.message, self.wanted) = (Order::at(0), Vec::new(), 0);
                Some(frames)
            });
            // Where one is not the client's, nor are those after it.
            let Some(frames) = frames else { return State::Waiting };
            if let Some(state) = self.read_frames(&frames) {
                return state;
            }
        }
        State::Waiting
    }

    /// Who sends the hello, once that is known.
    pub(super) fn client(&self) -> Option<Way> {
        self.client.as_ref().map(|(way, _)| *way)
    }

    /// What the hello says as far as it goes.
    pub(super) fn part(&self) -> Hello {
        tls::read_message_part(&self.message, Layout::Tls)
    }

    /// Octets that are held.
    pub(super) fn held(&self) -> usize {
        self.order.held() + self.message.capacity()
    }

    fn read_frames(&mut self, frames: &[u8]) -> Option<State> {
        let mut cursor = Cursor::new(frames);
        while let Some((offset, data)) = next_crypto(&mut cursor) {
            let Ok(offset) = u32::try_from(offset) else { return Some(State::Over) };
            let message = &mut self.message;
            let put = self.order.put(offset, data, MAX_HELLO, |octets| {
                message.extend_from_slice(octets);
                ControlFlow::Continue(())
            });
            if put.is_err() || self.message.len() > MAX_HELLO {
                return Some(State::Over);
            }
        }
        if self.message.is_empty() || self.message.len() < self.wanted {
            return None;
        }
        match tls::read_message(&self.message, Layout::Tls, self.message.len()) {
            Read::Whole(hello) => Some(State::Hello(hello)),
            Read::More(wanted) if wanted <= MAX_HELLO => {
                self.wanted = wanted;
                None
            }
            Read::More(_) | Read::Other => Some(State::Over),
        }
    }
}

/// The next CRYPTO frame: its offset and its data. Frames that an Initial packet may have are stepped over (RFC 9000
/// section 12.4).
fn next_crypto<'a>(cursor: &mut Cursor<'a>) -> Option<(u64, &'a [u8])> {
    loop {
        match cursor.varint()? {
            // PADDING, PING.
            0 | 1 => {}
            // ACK, with counts of congestion marks or without.
            kind @ (2 | 3) => {
                let (_largest, _delay) = (cursor.varint()?, cursor.varint()?);
                let ranges = cursor.varint()?;
                cursor.varint()?;
                for _ in 0..ranges {
                    let (_gap, _length) = (cursor.varint()?, cursor.varint()?);
                }
                if kind == 3 {
                    let (_ect0, _ect1, _ce) = (cursor.varint()?, cursor.varint()?, cursor.varint()?);
                }
            }
            6 => {
                let (offset, length) = (cursor.varint()?, cursor.varint()?);
                return Some((offset, cursor.take(usize::try_from(length).ok()?)?));
            }
            _ => return None,
        }
    }
}

/// The server name in a `ClientHello` of Google's QUIC, versions Q024 to Q046, where it stands in clear: a table of tags
/// and values (QUIC Crypto, Langley and Chang). `None` where the datagram has no such thing.
pub(super) fn google_name(datagram: &[u8]) -> Option<&[u8]> {
    // The version follows the flags and a connection identifier of eight octets, or, from Q044 on, the flags alone.
    let versions = [datagram.get(1..5), datagram.get(9..13)];
    versions.into_iter().flatten().find(|version| is_google(version))?;
    let at = memchr::memmem::find(datagram, b"CHLO")?;
    let mut cursor = Cursor::new(datagram.get(at + 4..)?);
    let count =
        usize::from(cursor.take(2).and_then(|octets| octets.first_chunk()).map(|two| u16::from_le_bytes(*two))?);
    cursor.take(2)?;
    let mut index = Cursor::new(cursor.take(count * 8)?);
    let values = cursor.rest();
    let mut start = 0;
    while let Some(&[tag @ .., a, b, c, d]) = index.take(8).and_then(|entry| entry.first_chunk::<8>()) {
        let end = u32::from_le_bytes([a, b, c, d]) as usize;
        if tag == *b"SNI\0" {
            return values.get(start..end);
        }
        start = end;
    }
    None
}

/// Whether a version number is Google's, and of a packet in clear.
fn is_google(version: &[u8]) -> bool {
    matches!(version, [b'Q', b'0', b'2'..=b'4', b'0'..=b'9'])
}
