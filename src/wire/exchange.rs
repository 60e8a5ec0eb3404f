//! Questions and answers that name each other: what a packet asks to be answered, and what it answers.
//!
//! For round-trip times. An answer counts where it holds something that its sender can only know from the question: the
//! identifier of a transaction, a time stamp given back, a connection identifier. TCP has its own in every segment
//! ([`Packet::timestamps`]).
//!
//! - DNS (RFC 1035 section 4.1.1): the identifier and the question, which an answer repeats.
//! - NTP (RFC 5905 section 8): the transmit time stamp, which comes back as the origin time stamp.
//! - STUN (RFC 8489 section 5): the transaction identifier of requests and responses.
//! - QUIC (RFC 9000 section 7.2): each side takes the other's source connection identifier for its destination. That holds
//!   for Retry, for Version Negotiation, and for the client's next packets, whose destination the server has chosen.
//! - DTLS (RFC 6347 section 4.2.1): the answer to a `ClientHello` has its message number; the next `ClientHello` holds the
//!   cookie of the answer before it.
//! - ICMP and `ICMPv6` echo (RFC 792, RFC 4443 section 4): identifier and sequence number.

use super::Packet;
use super::name::{Cursor, DNS_PORT};
use crate::model::{Protocol, Tunnel};

const NTP_PORT: u16 = 123;

/// RFC 8489 section 5.
const STUN_COOKIE: u32 = 0x2112_a442;

const QUIC_1: u32 = 1;
/// RFC 9369 section 3.1.
const QUIC_2: u32 = 0x6b33_43cf;

/// The longest connection identifier (RFC 9000 section 17.2).
const MAX_CONNECTION_ID: u8 = 20;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_6: u8 = 128;
const ECHO_REPLY_6: u8 = 129;

/// What a question and its answer have in common, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(u32);

/// What a packet asks and answers; it can do both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What the other side will repeat.
    pub asks: Option<Token>,
    /// What the other side has asked.
    pub answers: Option<Token>,
    /// How the question is put.
    pub put: Put,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// In one packet: a second with the same token is a repetition.
    Once,
    /// In as many as it takes, one right after the other: the hello of QUIC.
    InABurst,
}

/// What `packet` asks and answers, by what was captured of its payload. `None` where that is nothing that is known.
#[inline]
pub fn exchange(packet: &Packet, payload: &[u8]) -> Option<Exchange> {
    match packet.protocol {
        Protocol::UDP if packet.tunnel == Tunnel::None && packet.fragment.is_none_or(|part| part.offset == 0) => {
            over_udp(packet, payload)
        }
        Protocol::ICMP | Protocol::ICMPV6 => echo(packet),
        _ => None,
    }
}

fn asks(token: Token) -> Exchange {
    Exchange { asks: Some(token), answers: None, put: Put::Once }
}

fn answers(token: Token) -> Exchange {
    Exchange { asks: None, answers: Some(token), put: Put::Once }
}

fn echo(packet: &Packet) -> Option<Exchange> {
    let token = Token(packet.sequence);
    match (packet.protocol, packet.icmp_type?) {
        (Protocol::ICMP, ECHO_REQUEST) | (Protocol::ICMPV6, ECHO_REQUEST_6) => Some(asks(token)),
        (Protocol::ICMP, ECHO_REPLY) | (Protocol::ICMPV6, ECHO_REPLY_6) => Some(answers(token)),
        _ => None,
    }
}

fn over_udp(packet: &Packet, payload: &[u8]) -> Option<Exchange> {
    let ports = [packet.sport, packet.dport];
    if ports.contains(&DNS_PORT) {
        return dns(payload);
    }
    if ports.contains(&NTP_PORT) {
        return ntp(payload);
    }
    match *payload.first()? {
        0..=3 => stun(payload),
        22 => dtls(payload),
        0x80.. => quic(payload),
        _ => None,
    }
}

/// A token of a kind from octets, by the hash of Fowler, Noll and Vo (RFC 9923, FNV-1a of 64 bits).
fn token(kind: u8, octets: &[u8]) -> Token {
    token_of(kind, octets.iter())
}

fn token_of<'a>(kind: u8, octets: impl Iterator<Item = &'a u8>) -> Token {
    let step = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = octets.fold(step(0xcbf2_9ce4_8422_2325, &kind), step);
    Token((hash >> 32) as u32 ^ hash as u32)
}

fn dns(message: &[u8]) -> Option<Exchange> {
    let mut cursor = Cursor::new(message);
    let identifier = cursor.take(2)?;
    let flags = cursor.u8()?;
    // One question of a standard query.
    if flags & 0x78 != 0 || !matches!(cursor.take(9)?, [_, 0, 1, ..]) {
        return None;
    }
    let rest = cursor.rest();
    loop {
        match cursor.u8()? {
            0 => break,
            length @ 1..=63 => cursor.take(length.into())?,
            _ => return None,
        };
    }
    cursor.take(4)?;
    let question = rest.get(..rest.len() - cursor.rest().len())?;
    let token = token_of(b'D', identifier.iter().chain(question));
    Some(if flags & 0x80 == 0 { asks(token) } else { answers(token) })
}

/// Clients and symmetric peers ask; servers and symmetric peers answer. Zero is no time stamp.
fn ntp(message: &[u8]) -> Option<Exchange> {
    let mut cursor = Cursor::new(message);
    let mode = cursor.u8()? & 7;
    cursor.take(23)?;
    let origin = cursor.take(8)?;
    cursor.take(8)?;
    let transmit = cursor.take(8)?;
    let stamped = |octets: &[u8]| octets.iter().any(|octet| *octet != 0).then(|| token(b'N', octets));
    let exchange = Exchange {
        asks: stamped(transmit).filter(|_| (1..=3).contains(&mode)),
        answers: stamped(origin).filter(|_| matches!(mode, 1 | 2 | 4)),
        put: Put::Once,
    };
    (exchange.asks.is_some() || exchange.answers.is_some()).then_some(exchange)
}

fn stun(message: &[u8]) -> Option<Exchange> {
    let mut cursor = Cursor::new(message);
    let (kind, length, cookie) = (cursor.u16()?, cursor.u16()?, cursor.u32()?);
    if length % 4 != 0 || cookie != STUN_COOKIE {
        return None;
    }
    let token = token(b'S', cursor.take(12)?);
    match kind & 0x0110 {
        0x0000 => Some(asks(token)),
        0x0100 | 0x0110 => Some(answers(token)),
        _ => None,
    }
}

fn dtls(record: &[u8]) -> Option<Exchange> {
    const CLIENT_HELLO: u8 = 1;
    const SERVER_HELLO: u8 = 2;
    const HELLO_VERIFY_REQUEST: u8 = 3;
    let mut cursor = Cursor::new(record);
    // A handshake record that is not encrypted: type, version, epoch, sequence number, length.
    if !matches!(cursor.take(13)?, [22, 0xfe, 0xfc..=0xff, 0, 0, ..]) {
        return None;
    }
    let (kind, _length, sequence, offset) = (cursor.u8()?, cursor.u24()?, cursor.u16()?, cursor.u24()?);
    if offset != 0 {
        return None;
    }
    let numbered = |kind, sequence: u16| Some(token(kind, &sequence.to_be_bytes()));
    let exchange = match kind {
        CLIENT_HELLO => {
            let before = sequence.checked_sub(1).and_then(|before| numbered(b'v', before));
            Exchange { asks: numbered(b'h', sequence), answers: before, put: Put::Once }
        }
        // In DTLS 1.3 the server asks for a second hello with a hello of its own.
        SERVER_HELLO | HELLO_VERIFY_REQUEST => {
            Exchange { asks: numbered(b'v', sequence), answers: numbered(b'h', sequence), put: Put::Once }
        }
        _ => return None,
    };
    Some(exchange)
}

fn quic(packet: &[u8]) -> Option<Exchange> {
    let mut cursor = Cursor::new(packet);
    let (first, version) = (cursor.u8()?, cursor.u32()?);
    let mut identifier = || {
        let length = cursor.u8().filter(|length| *length <= MAX_CONNECTION_ID)?;
        cursor.take(length.into())
    };
    let (destination, source) = (identifier()?, identifier()?);
    let known = match version {
        // Version Negotiation: what follows it need not have heard of it.
        0 => return Some(answers(token(b'Q', destination))),
        QUIC_1 | QUIC_2 => true,
        // The drafts.
        _ => (0xff00_0015..=0xff00_0022).contains(&version),
    };
    // The fixed bit need not be set (RFC 9287): the version is sure enough.
    (known && first & 0x80 != 0).then(|| Exchange {
        asks: Some(token(b'Q', source)),
        answers: Some(token(b'Q', destination)),
        put: Put::InABurst,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_repeats_what_was_asked() {
        let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
        let mut answer = query.to_vec();
        answer[2] |= 0x80;
        answer.extend(b"rest");
        let asked = dns(query).unwrap().asks;
        assert!(asked.is_some() && asked == dns(&answer).unwrap().answers);
        let mut other = answer;
        other[1] ^= 1;
        assert_ne!(asked, dns(&other).unwrap().answers, "another identifier");
        let mut client = [0; 48];
        (client[0], client[47]) = (0x23, 7);
        let mut server = [0; 48];
        (server[0], server[31], server[47]) = (0x24, 7, 9);
        assert_eq!(ntp(&client).unwrap().asks, ntp(&server).unwrap().answers);
        assert_eq!((ntp(&client).unwrap().answers, ntp(&server).unwrap().asks), (None, None));
        let initial = b"\xc0\0\0\0\x01\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00";
        let reply = b"\xc0\0\0\0\x01\x00\x04\x0a\x0b\x0c\x0d";
        let next = b"\xe0\0\0\0\x01\x04\x0a\x0b\x0c\x0d\x00";
        assert_eq!(quic(initial).unwrap().asks, quic(reply).unwrap().answers);
        assert_eq!(quic(reply).unwrap().asks, quic(next).unwrap().answers);
        assert_ne!(quic(reply).unwrap().asks, quic(initial).unwrap().answers);
    }

    #[test]
    fn what_is_cut_or_foreign_is_no_exchange() {
        for octets in [&b""[..], b"\x12", b"\xc0\0\0\0\x01\xff", b"\x16\xfe\xfd\0\0", b"\0\x01\0\0\x21\x12\xa4\x42"] {
            let found = [dns(octets), ntp(octets), stun(octets), dtls(octets), quic(octets)];
            assert!(found.iter().all(Option::is_none), "{octets:?}");
        }
        assert!(quic(b"\xc0Q050\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00").is_none(), "gQUIC");
    }
}
