//! Second readings of the same octets, each by the shortest way to what the specification says, to hold the parsers against.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|two| u16::from_be_bytes(*two))
}

/// A message of the domain name system: the name that is asked for, and the records.
pub(crate) struct DnsMessage {
    pub(crate) question: Option<String>,
    pub(crate) records: Vec<DnsRecord>,
}

/// Owner, time to live, an address or an alias, and whether it is an answer.
pub(crate) type DnsRecord = (String, u32, Result<IpAddr, String>, bool);

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
                (1, data) => data.try_into().ok().map(|data: [u8; 4]| Ok(Ipv4Addr::from(data).into())),
                (28, data) => data.try_into().ok().map(|data: [u8; 16]| Ok(Ipv6Addr::from(data).into())),
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
