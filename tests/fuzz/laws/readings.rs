//! Second readings of the same octets, each by the shortest way to what the specification says, to hold the parsers against.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use landfall::model::Addr;
use landfall::wire::{Fragment, Packet};

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|two| u16::from_be_bytes(*two))
}

/// A message of the domain name system: the name that is asked for, and the records.
pub(crate) struct DnsMessage {
    pub(crate) question: Option<String>,
    pub(crate) records: Vec<DnsRecord>,
}

/// Owner, time to live, an address or an alias, and whether it is an answer.
pub(crate) type DnsRecord = (String, u32, Result<Addr, String>, bool);

/// RFC 1035 section 4.1: a response to a query with one question at least, up to what is malformed; A, AAAA and CNAME of the
/// Internet, of owners that are host names.
pub(crate) fn dns(message: &[u8]) -> Option<DnsMessage> {
    let flags = u16_at(message, 2).filter(|_| message.len() >= 12)?;
    let questions = u16_at(message, 4)?;
    if flags & 0xf800 != 0x8000 || questions == 0 {
        return None;
    }
    let (question, end) = dns_name(message, 12)?;
    u16_at(message, end + 2)?;
    let mut found = DnsMessage { question, records: Vec::new() };
    dns_records(message, questions, &mut found.records);
    Some(found)
}

fn dns_records(message: &[u8], questions: u16, records: &mut Vec<DnsRecord>) -> Option<()> {
    let mut at = 12;
    for _ in 0..questions {
        // Where the name of another question points does not matter.
        at = dns_end(message, at)? + 4;
        message.get(..at)?;
    }
    for section in [6, 8, 10] {
        for _ in 0..u16_at(message, section)? {
            let (owner, end) = dns_name(message, at)?;
            let (kind, class) = (u16_at(message, end)?, u16_at(message, end + 2)?);
            let ttl = u32::from(u16_at(message, end + 4)?) << 16 | u32::from(u16_at(message, end + 6)?);
            let (begin, length) = (end + 10, usize::from(u16_at(message, end + 8)?));
            at = begin + length;
            let data = match (kind, message.get(begin..at)?) {
                _ if class != 1 => None,
                (1, data) => data.try_into().ok().map(|data: [u8; 4]| Ok(IpAddr::V4(Ipv4Addr::from(data)).into())),
                (28, data) => data.try_into().ok().map(|data: [u8; 16]| Ok(IpAddr::V6(Ipv6Addr::from(data)).into())),
                (5, _) => {
                    dns_name(&message[..at], begin).filter(|(_, end)| *end == at).and_then(|(name, _)| name.map(Err))
                }
                _ => None,
            };
            if let (Some(owner), Some(data)) = (owner, data) {
                if records.len() == 1024 {
                    return None;
                }
                records.push((owner, ttl, data, section == 6));
            }
        }
    }
    Some(())
}

/// Where a name ends, without a look at what it points to.
fn dns_end(message: &[u8], mut at: usize) -> Option<usize> {
    let begin = at;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            192.. => return message.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
        if at - begin >= 255 {
            return None;
        }
    }
}

/// A name, where it is a host's, and where it ends; `None` where it cannot be read (RFC 1035 section 4.1.4).
fn dns_name(message: &[u8], mut at: usize) -> Option<(Option<String>, usize)> {
    let (mut labels, mut length, mut end, mut pointers) = (Vec::<&[u8]>::new(), 0, None, 0);
    loop {
        match *message.get(at)? {
            0 => break,
            count @ 1..=63 => {
                let count = usize::from(count);
                labels.push(message.get(at + 1..at + 1 + count)?);
                (at, length) = (at + 1 + count, length + 1 + count);
            }
            high @ 192.. => {
                let to = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                end = end.or(Some(at + 2));
                pointers += 1;
                if to >= at || pointers > 255 {
                    return None;
                }
                at = to;
            }
            _ => return None,
        }
        if length >= 255 {
            return None;
        }
    }
    let is_host = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_:+/=*~@".contains(octet);
    let name = labels.iter().all(|label| label.iter().all(is_host)).then(|| labels.join(&b'.').to_ascii_lowercase());
    let name = name.filter(|name| !name.is_empty()).map(|name| String::from_utf8(name).expect("ASCII"));
    Some((name, end.unwrap_or(at + 1)))
}

/// The time in nanoseconds, the captured octets and the length on the wire of each packet of a pcap file of version 2.4
/// (draft-ietf-opsawg-pcap), up to what does not fit; `None` where it is none.
pub(crate) fn pcap(file: &[u8]) -> Option<Vec<(u64, &[u8], u32)>> {
    let (header, mut rest) = file.split_first_chunk::<24>()?;
    let (little, unit) = match header[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1),
        _ => return None,
    };
    let version = if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] };
    let mut packets = Vec::new();
    while let Some((head, more)) = rest.split_first_chunk::<16>().filter(|_| header[4..8] == version) {
        let word = |at: usize| {
            let word = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            if little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) }
        };
        let Some((octets, more)) = more.split_at_checked(word(8) as usize) else { break };
        packets.push((u64::from(word(0)) * 1_000_000_000 + u64::from(word(4)) * unit, octets, word(12)));
        rest = more;
    }
    (header[4..8] == version).then_some(packets)
}

/// The captured octets and the length on the wire of each packet in enhanced packet blocks of a pcapng file
/// (draft-ietf-opsawg-pcapng), up to the first block that is not whole.
pub(crate) fn enhanced_packets(file: &[u8]) -> Vec<(&[u8], u32)> {
    let (mut rest, mut little, mut packets) = (file, true, Vec::new());
    loop {
        let Some(head) = rest.first_chunk::<12>() else { return packets };
        if head[..4] == [0x0a, 0x0d, 0x0d, 0x0a] {
            little = head[8..] == [0x4d, 0x3c, 0x2b, 0x1a];
        }
        let word = |at: usize| {
            let word = rest.get(at..)?.first_chunk()?;
            Some(if little { u32::from_le_bytes(*word) } else { u32::from_be_bytes(*word) })
        };
        let length = word(4).unwrap_or_default() as usize;
        let Some((block, after)) = rest.split_at_checked(length).filter(|(block, _)| block.len() >= 12) else {
            return packets;
        };
        if word(0) == Some(6)
            && let (Some(captured), Some(original)) = (word(20), word(24))
            && let Some(octets) = block.get(28..).and_then(|body| body.get(..captured as usize))
        {
            packets.push((octets, original));
        }
        rest = after;
    }
}

/// Source, destination, ports, packets and octets of a flow.
pub(crate) type Flow = (Addr, Addr, u16, u16, u64, u64);

/// The flows of a datagram of `NetFlow` version 5 (Cisco's tables B-3 and B-4), scaled by the sampling interval of its head;
/// ports where the protocol has them. `None` where it is none.
pub(crate) fn netflow5(datagram: &[u8]) -> Option<Vec<Flow>> {
    let (head, records) = datagram.split_first_chunk::<24>()?;
    let word = |octets: &[u8], at| Some(u64::from(u16_at(octets, at)?) << 16 | u64::from(u16_at(octets, at + 2)?));
    let interval = u64::from(u16_at(head, 22)? & 0x3fff).max(1);
    let flow = |record: &[u8]| {
        let addr = |at: usize| Addr::v4([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let port = |at| u16_at(record, at).filter(|_| matches!(record[38], 6 | 17 | 132)).unwrap_or(0);
        let [packets, octets] = [word(record, 16)? * interval, word(record, 20)? * interval];
        Some((addr(0), addr(4), port(32), port(34), packets, octets))
    };
    let count = usize::from(u16_at(head, 2)?);
    (head[..2] == [0, 5]).then(|| records.chunks_exact(48).take(count).filter_map(flow).collect())
}

/// Where the IP header of a frame begins, for link types of one fixed header, with tags, labels and `PPPoE` behind it (IEEE 802.3,
/// IEEE 802.1Q, RFC 3032, RFC 2516; tcpdump.org for link types): `None` for all others.
pub(crate) fn ip_at(link: u32, frame: &[u8]) -> Option<usize> {
    let (mut at, mut kind) = match link {
        1 => (14, u16_at(frame, 12)?),
        // Cooked captures of Ethernet.
        113 if u16_at(frame, 2)? == 1 => (16, u16_at(frame, 14)?),
        276 if u16_at(frame, 8)? == 1 => (20, u16_at(frame, 0)?),
        _ => return None,
    };
    // More than the program steps over is another matter.
    for _ in 0..60 {
        let version = frame.get(at)? >> 4;
        (at, kind) = match kind {
            0x0800 => return (version == 4).then_some(at),
            0x86dd => return (version == 6).then_some(at),
            0x8100 | 0x88a8 => (at + 4, u16_at(frame, at + 2)?),
            0x8847 => {
                while frame.get(at + 2)? & 1 == 0 {
                    at += 4;
                }
                let kind = match frame.get(at + 4)? >> 4 {
                    4 => 0x0800,
                    6 => 0x86dd,
                    _ => return None,
                };
                (at + 4, kind)
            }
            0x8864 if frame.get(at + 1)? == &0 => match u16_at(frame, at + 6)? {
                0x0021 => (at + 8, 0x0800),
                0x0057 => (at + 8, 0x86dd),
                _ => return None,
            },
            _ => return None,
        };
    }
    None
}

/// Holds a packet against its headers: the fragment of IPv4 (RFC 791), and ports and payload of TCP and UDP where nothing is
/// between them and the IP header (RFC 9293, RFC 768).
pub(crate) fn transport(packet: &[u8], read: &Packet) {
    let (at, protocol, total) = if packet[0] >> 4 == 4 {
        let field = u16_at(packet, 6).expect("a whole header");
        let fragment = read.fragment.map(|Fragment { offset, is_last, .. }| (offset, is_last));
        let is_part = field & 0x3fff != 0;
        assert_eq!(fragment, is_part.then_some((u32::from(field & 0x1fff) * 8, field & 0x2000 == 0)));
        if field & 0x1fff != 0 {
            return;
        }
        (usize::from(packet[0] & 0x0f) * 4, packet[9], read.octets)
    } else {
        (40, packet[6], read.octets)
    };
    let (length, rest) = (total - at as u32, &packet[at..]);
    if length < 20 || !matches!(protocol, 6 | 17) || rest.len() < 14 {
        return;
    }
    assert_eq!(read.protocol.0, protocol);
    assert_eq!((Some(read.sport), Some(read.dport)), (u16_at(rest, 0), u16_at(rest, 2)), "ports");
    let payload = if protocol == 6 {
        length.checked_sub(u32::from(rest[12] >> 4) * 4).filter(|_| rest[12] >> 4 >= 5)
    } else {
        // A length that cannot be is none.
        let says = u16_at(rest, 4).map(u32::from).filter(|says| (8..=length).contains(says));
        Some(says.unwrap_or(length) - 8)
    };
    assert!(payload.is_none_or(|payload| payload == read.payload), "payload: {read:?}");
}
