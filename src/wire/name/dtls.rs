//! The `ClientHello` of DTLS (RFC 6347, RFC 9147): fragments of a message in records of their own.

use std::ops::ControlFlow;

use super::cursor::Cursor;
use super::order::Order;
use super::tls::{self, Hello, Layout, Read};

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The longest hello that is put together.
const MAX_HELLO: usize = 1 << 14;

/// What is known of a `ClientHello` that is not whole.
#[derive(Debug)]
pub(super) struct Dtls {
    sequence: u16,
    order: Order,
    /// The message as it would be in TLS: its header, then its body.
    message: Vec<u8>,
}

/// A fragment of a `ClientHello`.
struct Fragment<'a> {
    /// The number of the message: a second hello, after `HelloVerifyRequest`, has another.
    sequence: u16,
    length: u32,
    offset: u32,
    data: &'a [u8],
}

/// Whether a datagram begins with a fragment of a `ClientHello`.
pub(super) fn begins(datagram: &[u8]) -> bool {
    // A plain record (epoch zero), and the type of the message after the rest of its header.
    matches!(datagram, [HANDSHAKE_RECORD, 0xfe, 0xfc..=0xff, 0, 0, _, _, _, _, _, _, _, _, CLIENT_HELLO, ..])
}

impl Dtls {
    /// Begins with a datagram that [`begins`] says yes to.
    pub(super) fn new() -> Self {
        Self { sequence: 0, order: Order::at(0), message: Vec::new() }
    }

    /// Takes a datagram; gives the hello when it is whole.
    pub(super) fn put(&mut self, datagram: &[u8]) -> Option<Hello> {
        let mut cursor = Cursor::new(datagram);
        while let Some(fragment) = next(&mut cursor) {
            if fragment.length as usize > MAX_HELLO {
                return None;
            }
            if self.message.is_empty() || fragment.sequence > self.sequence {
                let [_, a, b, c] = fragment.length.to_be_bytes();
                *self = Self { sequence: fragment.sequence, order: Order::at(0), message: vec![CLIENT_HELLO, a, b, c] };
            }
            if fragment.sequence < self.sequence {
                continue;
            }
            let message = &mut self.message;
            // What does not fit is left out: then the hello does not become whole.
            let _ = self.order.put(fragment.offset, fragment.data, MAX_HELLO, |octets| {
                message.extend_from_slice(octets);
                ControlFlow::Continue(())
            });
            if let Read::Whole(hello) = tls::read_message(&self.message, Layout::Dtls, self.message.len()) {
                return Some(hello);
            }
            if self.message.len() > MAX_HELLO {
                return None;
            }
        }
        None
    }

    /// What the hello says as far as it goes.
    pub(super) fn part(&self) -> Hello {
        tls::read_message_part(&self.message, Layout::Dtls)
    }

    /// Octets that are held.
    pub(super) fn held(&self) -> usize {
        self.order.held() + self.message.capacity()
    }
}

fn next<'a>(cursor: &mut Cursor<'a>) -> Option<Fragment<'a>> {
    if !begins(cursor.rest()) {
        return None;
    }
    // Type, version, epoch, sequence number.
    cursor.take(1 + 2 + 2 + 6)?;
    let length = cursor.u16()?;
    let mut record = Cursor::new(cursor.take_most(length.into()));
    record.u8()?;
    let (length, sequence, offset, own) = (record.u24()?, record.u16()?, record.u24()?, record.u24()?);
    Some(Fragment { sequence, length, offset, data: record.take_most(own as usize) })
}
