//! The host of the first request of HTTP/2 with prior knowledge (RFC 9113 section 3.3): in clear, as between services.
//!
//! Read by hand: crates with a decoder of HPACK (RFC 7541) have not been kept for years, and of the first block of a
//! connection one field is wanted, for which nothing that it adds to the table of fields is needed.

use super::cursor::Cursor;
use super::http::{self, Read, Request};

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most frames before the first request: settings, window updates, priorities.
const MAX_FRAMES: usize = 32;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

/// Indices of the static table (RFC 7541 appendix A).
const AUTHORITY: u32 = 1;
const HOST: u32 = 38;

/// The symbols of the Huffman code that have 5, 6, 7 and 8 bits, in the order of their codes (RFC 7541 appendix B). All
/// that a name can have is among them.
const SYMBOLS: [&[u8]; 4] =
    [b"012aceiost", b" %-./3456789=A_bdfghlmnpru", b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", b"&*,;XZ"];

/// Whether octets begin as a connection does, as far as they go.
pub(super) fn begins(octets: &[u8]) -> bool {
    !octets.is_empty() && PREFACE.iter().zip(octets).all(|(wanted, octet)| wanted == octet)
}

/// Reads the beginning of a connection, up to its first request.
pub(super) fn read(octets: &[u8]) -> Read {
    let Some(frames) = octets.strip_prefix(PREFACE) else {
        return if begins(octets) && octets.len() < PREFACE.len() { Read::More } else { Read::Other };
    };
    let mut cursor = Cursor::new(frames);
    // The block of fields as far as it goes; it can go on in other frames, and those follow at once (section 6.10).
    let mut block: Option<Vec<u8>> = None;
    for _ in 0..MAX_FRAMES {
        let Some((length, kind, flags)) = frame_header(&mut cursor) else { return Read::More };
        let Some(payload) = cursor.take(length as usize) else { return Read::More };
        let part = match (kind, &block) {
            (HEADERS, None) => fragment(payload, flags),
            (CONTINUATION, Some(_)) => Some(payload),
            (_, None) => continue,
            (_, Some(_)) => None,
        };
        let Some(part) = part else { return Read::Request(Request { host: None, tunnel: false }) };
        let block = block.get_or_insert_default();
        block.extend_from_slice(part);
        let host = authority(block);
        if host.is_some() || flags & END_HEADERS != 0 {
            return Read::Request(Request { host: host.map(|host| http::host_of(&host)), tunnel: false });
        }
    }
    Read::Other
}

/// Length, type and flags (RFC 9113 section 4.1).
fn frame_header(cursor: &mut Cursor<'_>) -> Option<(u32, u8, u8)> {
    let header = (cursor.u24()?, cursor.u8()?, cursor.u8()?);
    cursor.u32()?;
    Some(header)
}

/// The block of fields, without padding and priority (RFC 9113 section 6.2).
fn fragment(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let mut cursor = Cursor::new(payload);
    let padding = if flags & PADDED == 0 { 0 } else { usize::from(cursor.u8()?) };
    if flags & PRIORITY != 0 {
        cursor.take(5)?;
    }
    let length = cursor.rest().len().checked_sub(padding)?;
    cursor.take(length)
}

/// The value of `:authority`, or of `host`.
fn authority(block: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(block);
    loop {
        let first = cursor.u8()?;
        // RFC 7541 section 6: an indexed field, a literal that is added to the table, a change of the table's size, a
        // literal that is not added.
        let bits = match first {
            0x80.. => {
                integer(&mut cursor, first, 7)?;
                continue;
            }
            0x40.. => 6,
            0x20.. => {
                integer(&mut cursor, first, 5)?;
                continue;
            }
            _ => 4,
        };
        let index = integer(&mut cursor, first, bits)?;
        let named = if index == 0 {
            matches!(string(&mut cursor)?.text().as_deref(), Some(b":authority" | b"host"))
        } else {
            matches!(index, AUTHORITY | HOST)
        };
        let value = string(&mut cursor)?;
        if named {
            return value.text();
        }
    }
}

/// An integer that begins in the last `bits` of an octet (RFC 7541 section 5.1).
fn integer(cursor: &mut Cursor<'_>, first: u8, bits: u32) -> Option<u32> {
    let most = (1_u32 << bits) - 1;
    let mut value = u32::from(first) & most;
    if value < most {
        return Some(value);
    }
    for shift in [0, 7, 14] {
        let octet = cursor.u8()?;
        value += u32::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A string (RFC 7541 section 5.2).
enum Text<'a> {
    Plain(&'a [u8]),
    Coded(&'a [u8]),
}

impl Text<'_> {
    /// Its octets; `None` where it has symbols that no name has.
    fn text(&self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(octets) => Some(octets.to_vec()),
            Self::Coded(octets) => huffman(octets),
        }
    }
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Option<Text<'a>> {
    let first = cursor.u8()?;
    let length = integer(cursor, first, 7)?;
    let octets = cursor.take(length as usize)?;
    Some(if first & 0x80 == 0 { Text::Plain(octets) } else { Text::Coded(octets) })
}

fn huffman(octets: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0_usize, 0);
    for octet in octets {
        for at in (0..8).rev() {
            code = code << 1 | usize::from(octet >> at & 1);
            length += 1;
            if let Some(symbol) = symbol(code, length) {
                text.push(symbol);
                (code, length) = (0, 0);
            } else if length > 8 {
                return None;
            }
        }
    }
    // What is left of the last octet is ones.
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

/// The symbol of a code of so many bits. Codes of one length follow each other, and those of the next go on from there.
fn symbol(code: usize, length: usize) -> Option<u8> {
    let mut first = 0;
    for (symbols, bits) in SYMBOLS.iter().zip(5..) {
        if bits == length {
            return symbols.get(code.checked_sub(first)?).copied();
        }
        first = (first + symbols.len()) << 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_fields_can_go_on() {
        let frame =
            |kind, flags, payload: &[u8]| [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1], payload].concat();
        let (head, tail) = b"\x82\x86\x84\x41\x0fwww.example.com".split_at(9);
        let whole = [PREFACE, &frame(4, 0, &[]), &frame(HEADERS, 0, head), &frame(9, END_HEADERS, tail)].concat();
        let Read::Request(request) = read(&whole) else { panic!("{whole:?}") };
        assert_eq!(request.host, Some(Ok("www.example.com".into())));
        assert!(matches!(read(&whole[..whole.len() - tail.len() - 9]), Read::More), "it goes on");
        let broken = [PREFACE, &frame(HEADERS, 0, head), &frame(4, 0, &[]), &frame(9, END_HEADERS, tail)].concat();
        assert!(matches!(read(&broken), Read::Request(Request { host: None, .. })));
    }

    /// RFC 7541 appendices C.4.1 and C.3.1: a first request, with Huffman code and without.
    #[test]
    fn first_requests_of_the_specification() {
        let coded =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(authority(&coded).as_deref(), Some(&b"www.example.com"[..]));
        let plain = b"\x82\x86\x84\x41\x0fwww.example.com";
        assert_eq!(authority(plain).as_deref(), Some(&b"www.example.com"[..]));
    }
}
