//! Writes pcapng (draft-ietf-opsawg-pcapng): one section, little-endian, times in nanoseconds.

use std::io::{self, Write};

use crate::model::Timestamp;
use crate::wire::LinkType;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;

/// The longest text of an option; its length has two octets.
const MAX_TEXT: usize = 4096;

/// The head of a file, with comments on all of it.
pub(super) fn section(out: &mut impl Write, comments: &[String]) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend(BYTE_ORDER.to_le_bytes());
    // Version 1.0, and a section whose length is not said.
    body.extend([1, 0, 0, 0]);
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, SHB_USERAPPL, concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).as_bytes());
    for comment in comments {
        option(&mut body, OPT_COMMENT, text(comment));
    }
    block(out, SECTION, body)
}

/// An interface, described by the input that its packets are from.
pub(super) fn interface(out: &mut impl Write, link: LinkType, description: &str) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend((link.0 as u16).to_le_bytes());
    // Reserved, and no snap length.
    body.extend([0; 6]);
    option(&mut body, IF_DESCRIPTION, text(description));
    option(&mut body, IF_TSRESOL, &[9]);
    block(out, INTERFACE, body)
}

/// A packet as it is written.
pub(super) struct Packet<'a> {
    pub(super) interface: u32,
    pub(super) time: Timestamp,
    pub(super) octets: &'a [u8],
    pub(super) original_length: u32,
    pub(super) comment: &'a str,
}

/// A packet. Returns how many octets it took.
pub(super) fn packet(out: &mut impl Write, packet: &Packet<'_>) -> io::Result<u64> {
    let mut body = Vec::with_capacity(packet.octets.len() + 128);
    body.extend(packet.interface.to_le_bytes());
    body.extend(((packet.time.0 >> 32) as u32).to_le_bytes());
    body.extend((packet.time.0 as u32).to_le_bytes());
    body.extend((packet.octets.len() as u32).to_le_bytes());
    body.extend(packet.original_length.to_le_bytes());
    body.extend(packet.octets);
    pad(&mut body);
    option(&mut body, OPT_COMMENT, text(packet.comment));
    let length = body.len() as u64 + 16;
    block(out, ENHANCED_PACKET, body)?;
    Ok(length)
}

/// A text that fits an option.
fn text(text: &str) -> &[u8] {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.as_bytes().get(..end).unwrap_or_default()
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A block, whose options end here.
fn block(out: &mut impl Write, kind: u32, mut body: Vec<u8>) -> io::Result<()> {
    body.extend([0; 4]);
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(&body)?;
    out.write_all(&length)
}
