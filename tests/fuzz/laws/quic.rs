//! Laws of names in QUIC. The packets are sealed here with the client's keys of the examples in RFC 9001 and RFC 9369, as no
//! fuzzer guesses an authentication tag.

use aes_gcm::aead::AeadInOut;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes128Gcm, KeyInit};
use landfall::model::NameSource;
use landfall::wire::name::{Carrier, Way};

use super::input::Input;
use super::names::{hello, look, look_at_noise, segment};
use super::wire::payloads;

/// The client's keys for the connection identifier `8394c8f03e515708`, from appendix A.1 of each document.
pub struct Keys {
    first: u8,
    version: [u8; 4],
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

const CONNECTION: u64 = 0x8394_c8f0_3e51_5708;

/// Of version 1 and version 2.
pub const VERSIONS: [Keys; 2] = [
    Keys {
        first: 0xc3,
        version: [0, 0, 0, 1],
        key: 0x1f36_9613_dd76_d546_7730_efcb_e3b1_a22d_u128.to_be_bytes(),
        iv: [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c],
        header: 0x9f50_449e_04a0_e810_283a_1e99_33ad_edd2_u128.to_be_bytes(),
    },
    Keys {
        first: 0xd3,
        version: [0x6b, 0x33, 0x43, 0xcf],
        key: 0x8b1a_0bc1_2128_4290_a29e_0971_b5cd_045d_u128.to_be_bytes(),
        iv: [0x91, 0xf7, 0x3e, 0x23, 0x51, 0xd8, 0xfa, 0x91, 0x66, 0x0e, 0x90, 0x9f],
        header: 0x45b9_5e15_235d_6f45_a6b1_9cbc_b029_4ba9_u128.to_be_bytes(),
    },
];

impl Keys {
    /// An Initial packet with these frames (RFC 9001 section 5), the other way round than in the program.
    pub fn seal(&self, number: u32, frames: &[u8]) -> Vec<u8> {
        self.seal_as(3, number, frames)
    }

    /// The same with a header of any shape: its first two bits are the length of the packet number less one, the next three
    /// that of a token, and the rest that of the source's connection identifier.
    fn seal_as(&self, shape: u8, number: u32, frames: &[u8]) -> Vec<u8> {
        let [digits, token, source] =
            [usize::from(shape & 3) + 1, usize::from(shape >> 2 & 7), usize::from(shape >> 5)];
        let first = self.first & 0xfc | shape & 3;
        let mut header = [&[first][..], &self.version, &[8], &CONNECTION.to_be_bytes()].concat();
        header.push(source as u8);
        header.extend(&[0x5c; 8][..source]);
        // A number in two octets, as a token's length can be, and in one.
        header.extend(if token > 4 { vec![0x40, token as u8] } else { vec![token as u8] });
        header.extend(&[0x7e; 8][..token]);
        header.extend((0x4000 | (frames.len() + digits + 16) as u16).to_be_bytes());
        let number_at = header.len();
        header.extend(&number.to_be_bytes()[4 - digits..]);
        let mut nonce = self.iv;
        nonce.iter_mut().skip(8).zip(number.to_be_bytes()).for_each(|(octet, number)| *octet ^= number);
        let mut sealed = frames.to_vec();
        let cipher = Aes128Gcm::new(&self.key.into());
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &header, sealed.as_mut_slice().into()).unwrap();
        let mut packet = [&header[..], &sealed, &tag].concat();
        let sample: [u8; 16] = packet[number_at + 4..][..16].try_into().unwrap();
        let mut mask = sample.into();
        Aes128::new(&self.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        (0..digits).for_each(|at| packet[number_at + at] ^= mask[1 + at]);
        packet
    }
}

/// A hello whose extensions are made up, in CRYPTO frames cut anywhere and in any order, over several packets of any shape, alone
/// in their datagrams or with others: the same name as in one frame, and as in TLS. Or frames as they come; or datagrams as they come.
pub fn quic(octets: &[u8]) {
    let mut input = Input(octets);
    let choice = input.octet();
    let keys = &VERSIONS[usize::from(choice >> 4 & 1)];
    match choice % 3 {
        0 => hello_in_frames(keys, &mut input),
        1 => {
            let mut packets = Vec::new();
            while !input.0.is_empty() && packets.len() < 20 {
                let frames = input.piece();
                // A sample needs four octets of frames.
                packets.push(keys.seal(packets.len() as u32, &[&frames[..frames.len().min(4000)], &[0; 4]].concat()));
            }
            look_at_noise(packets.iter().map(|packet| segment(Way::There, Carrier::Udp, packet)));
        }
        _ => {
            let mut datagrams = Vec::new();
            while !input.0.is_empty() && datagrams.len() < 40 {
                let way = if input.octet() & 1 == 0 { Way::There } else { Way::Back };
                datagrams.push(segment(way, Carrier::Udp, input.piece()));
            }
            look_at_noise(datagrams);
        }
    }
}

fn hello_in_frames(keys: &Keys, input: &mut Input<'_>) {
    let mut plan = Input(input.piece());
    let extensions = &input.0[..input.0.len().min(8000)];
    let message = hello(extensions);
    let whole = [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat();
    let mut over_tls = look([segment(Way::There, Carrier::Tcp(0), &whole)]);
    for (_, from) in &mut over_tls {
        *from = if *from == NameSource::Sni { NameSource::Quic } else { NameSource::OuterQuic };
    }
    let mut frames: Vec<_> =
        plan.overlapping(20, message.len()).into_iter().map(|range| crypto(&message, range)).collect();
    plan.shuffle(&mut frames);
    let mut packets = Vec::new();
    for (number, range) in (0_u32..).zip(plan.cuts(6, frames.len())) {
        // Acknowledgements, without and with counts of congestion marks, and a PING (RFC 9000 section 19).
        let between =
            [&[][..], &[2, 5, 0, 0, 0], &[3, 0x40, 9, 1, 1, 2, 0, 1, 7, 8, 9], &[1]][usize::from(plan.octet() & 3)];
        let mut plain = frames[range].join(between);
        plain.splice(..0, between.iter().copied());
        plain.extend([1, 2, 5, 0, 0, 0, 0, 0]);
        packets.push(keys.seal_as(plan.octet(), number, &plain));
    }
    plan.shuffle(&mut packets);
    // Several packets can lie in one datagram, behind each other (RFC 9000 section 12.2).
    let datagrams: Vec<_> = plan.cuts(6, packets.len()).into_iter().map(|range| packets[range].concat()).collect();
    let datagrams = datagrams.iter().map(|datagram| segment(Way::There, Carrier::Udp, datagram));
    assert_eq!(look(datagrams), over_tls, "the name over QUIC is that over TLS");
}

/// A CRYPTO frame (RFC 9000 section 19.6), its numbers in two octets.
fn crypto(message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let number = |value: usize| (0x4000 | value as u16).to_be_bytes();
    [&[6][..], &number(range.start), &number(range.len()), &message[range]].concat()
}

pub(crate) fn seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (ports, payload) in payloads(file) {
        let length = (payload.len() as u16).to_be_bytes();
        if ports.contains(&443) && payload.first().is_some_and(|first| first & 0x80 != 0) {
            seeds.push([&[2, 0][..], &length, &payload].concat());
        }
        if payload.starts_with(&[22, 3])
            && let Some(at) = payload.windows(4).position(|four| four[..2] == [0, 0] && four[2] == 0 && four[3] > 4)
        {
            let plan = [3, 0, 9, 0, 70, 1, 0, 5, 2, 1, 1, 1];
            seeds.push([&[0, 0, plan.len() as u8][..], &plan, &payload[at..]].concat());
            seeds.push([&[0x11][..], &length, &[6, 0x40, 0, 0x44, 0], &payload[5..]].concat());
        }
    }
    seeds.truncate(6);
    seeds
}
