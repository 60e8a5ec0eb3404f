//! Initial packets of QUIC (RFC 9000 section 17.2.2) and the protection that is taken off them (RFC 9001 section 5,
//! RFC 9369 section 3.3).
//!
//! The keys follow from a salt that is public and from a field of the packet: this hides nothing from whoever knows the
//! version, and is so meant. A packet that was taken for an Initial and is none fails the authentication.

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use super::cursor::Cursor;

/// The longest connection identifier (RFC 9000 section 17.2).
const MAX_CONNECTION_ID: u8 = 20;

/// Octets of the authentication tag.
const TAG: usize = 16;

/// A version that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    salt: [u8; 20],
    labels: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Labels {
    One,
    /// With labels and packet types of its own (RFC 9369 sections 3.2 and 3.3).
    Two,
}

/// draft-ietf-quic-tls-21 section 5.2.
const SALT_DRAFT_21: [u8; 20] = [
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64,
    0x4a,
];
/// draft-ietf-quic-tls-23 section 5.2.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5,
    0x02,
];
/// draft-ietf-quic-tls-29 section 5.2.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
];
/// RFC 9001 section 5.2.
const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
/// RFC 9369 section 3.3.1.
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
];

impl Version {
    /// The version of a number, where it is read.
    pub(super) const fn of(number: u32) -> Option<Self> {
        let (salt, labels) = match number {
            // Drafts 33 and 34 have the salt of version 1.
            0x0000_0001 | 0xff00_0021 | 0xff00_0022 => (SALT_1, Labels::One),
            0x6b33_43cf => (SALT_2, Labels::Two),
            // Drafts 29 to 32.
            0xff00_001d..=0xff00_0020 => (SALT_DRAFT_29, Labels::One),
            // Drafts 23 to 28, and Facebook's of draft 27.
            0xff00_0017..=0xff00_001c | 0xface_b002 => (SALT_DRAFT_23, Labels::One),
            // Drafts 21 and 22, and Facebook's of draft 22.
            0xff00_0015 | 0xff00_0016 | 0xface_b001 => (SALT_DRAFT_21, Labels::One),
            _ => return None,
        };
        Some(Self { salt, labels })
    }
}

/// What a packet with a long header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    /// 0-RTT or handshake: of no use here.
    Other,
}

/// A packet with a long header, still protected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protected<'a> {
    pub(super) version: Version,
    pub(super) kind: Kind,
    /// The receiver's connection identifier.
    pub(super) to: &'a [u8],
    /// The packet from its first octet to its last.
    octets: &'a [u8],
    /// Where the packet number begins.
    number_at: usize,
}

/// Whether a datagram begins with a long header of a version that is read.
pub(super) fn begins(datagram: &[u8]) -> bool {
    match datagram.first_chunk() {
        Some(&[first, a, b, c, d]) => first & 0x80 != 0 && Version::of(u32::from_be_bytes([a, b, c, d])).is_some(),
        None => false,
    }
}

/// Takes the next packet off a datagram (RFC 9000 section 12.2); `None` where there is no more that is whole, and after
/// Retry and version negotiation, which have no length.
pub(super) fn next<'a>(datagram: &mut &'a [u8]) -> Option<Protected<'a>> {
    let mut cursor = Cursor::new(datagram);
    let first = cursor.u8()?;
    let version = Version::of(cursor.u32()?)?;
    if first & 0x80 == 0 {
        return None;
    }
    let to = connection_id(&mut cursor)?;
    connection_id(&mut cursor)?;
    let kind = match (version.labels, first >> 4 & 3) {
        (Labels::One, 0) | (Labels::Two, 1) => Kind::Initial,
        (Labels::One, 3) | (Labels::Two, 0) => return None,
        _ => Kind::Other,
    };
    if kind == Kind::Initial {
        let token = usize::try_from(cursor.varint()?).ok()?;
        cursor.take(token)?;
    }
    let length = usize::try_from(cursor.varint()?).ok()?;
    let number_at = datagram.len() - cursor.rest().len();
    cursor.take(length)?;
    let (octets, rest) = datagram.split_at_checked(number_at + length)?;
    *datagram = rest;
    Some(Protected { version, kind, to, octets, number_at })
}

fn connection_id<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.u8().filter(|length| *length <= MAX_CONNECTION_ID)?;
    cursor.take(length.into())
}

/// The keys of one side's Initial packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

impl Keys {
    /// The client's keys, from the connection identifier that it chose for the server (RFC 9001 section 5.2).
    pub(super) fn of_client(version: Version, to: &[u8]) -> Self {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&version.salt), to);
        let secret: [u8; 32] = expand(&initial, b"client in");
        let (mut key, mut iv, mut header) = ([0; 16], [0; 12], [0; 16]);
        if let Ok(secret) = Hkdf::<Sha256>::from_prk(&secret) {
            (key, iv, header) = match version.labels {
                Labels::One => (expand(&secret, b"quic key"), expand(&secret, b"quic iv"), expand(&secret, b"quic hp")),
                Labels::Two => {
                    (expand(&secret, b"quicv2 key"), expand(&secret, b"quicv2 iv"), expand(&secret, b"quicv2 hp"))
                }
            };
        }
        Self { key, iv, header }
    }

    /// Takes the protection off a packet and gives its frames; `None` where it is not of these keys.
    pub(super) fn open(&self, packet: &Protected<'_>) -> Option<Vec<u8>> {
        // Header protection: RFC 9001 section 5.4. The sample is taken as if the packet number had four octets.
        let sample: [u8; 16] = *packet.octets.get(packet.number_at + 4..)?.first_chunk()?;
        let mut mask = sample.into();
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        let (first_mask, number_mask) = mask.split_first()?;
        let first = packet.octets.first()? ^ (first_mask & 0x0f);
        let number_length = usize::from(first & 3) + 1;
        let (header, payload) = packet.octets.split_at_checked(packet.number_at + number_length)?;
        let mut header = header.to_vec();
        *header.first_mut()? = first;
        let mut number: u32 = 0;
        for (octet, mask) in header.get_mut(packet.number_at..)?.iter_mut().zip(number_mask) {
            *octet ^= mask;
            number = number << 8 | u32::from(*octet);
        }
        // Packet protection: RFC 9001 section 5.3. Numbers of Initial packets are small: they are what is written.
        let mut nonce = self.iv;
        for (octet, number) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *octet ^= number;
        }
        let (sealed, tag) = payload.split_at_checked(payload.len().checked_sub(TAG)?)?;
        let tag: [u8; TAG] = tag.try_into().ok()?;
        let mut frames = sealed.to_vec();
        let cipher = Aes128Gcm::new(&self.key.into());
        let buffer = InOutBuf::from(frames.as_mut_slice());
        cipher.decrypt_inout_detached(&nonce.into(), &header, buffer, &tag.into()).ok()?;
        Some(frames)
    }
}

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446 section 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    const PREFIX: &[u8] = b"tls13 ";
    let mut info = vec![0, N as u8, (PREFIX.len() + label.len()) as u8];
    info.extend_from_slice(PREFIX);
    info.extend_from_slice(label);
    info.push(0);
    let mut output = [0; N];
    // Fails for outputs longer than 255 hashes alone.
    secret.expand(&info, &mut output).map_or([0; N], |()| output)
}
