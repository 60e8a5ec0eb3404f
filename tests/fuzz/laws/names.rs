//! Laws of names: of TLS and requests over TCP, and of the domain name system.

use landfall::model::{Addr, NameSource, Timestamp};
use landfall::wire::name::{Carrier, Data, DnsStream, Limits, Names, Record, Response, Segment, Watch, Way};

use super::input::Input;
use super::readings;
use super::wire::payloads;

/// The longest name in text (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

/// The most records of a message that are kept, as the documentation says.
const MAX_RECORDS: usize = 1024;

/// The most aliases that are followed, as the documentation says.
const MAX_ALIASES: usize = 16;

/// So little that segments made up at random reach it.
const FEW: Limits = Limits { octets_max: 4000, answers_max: 4, hash_seed: 0 };

/// A name that a report may repeat: labels of RFC 1035 in lower case with the marks that `wire` documents, or an address.
pub(crate) fn is_clean(name: &str) {
    assert!((1..=LONGEST_NAME).contains(&name.len()), "a name of {} octets: {name:?}", name.len());
    let is_literal = || {
        let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok())
    };
    let is_mark = |octet: u8| b"-_:+/=*~@".contains(&octet);
    let is_label = |label: &str| {
        let known = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || is_mark(octet);
        (1..=63).contains(&label.len()) && label.bytes().all(known)
    };
    assert!(name.split('.').all(is_label) || is_literal(), "no name: {name:?}");
    assert!(!name.bytes().any(|octet| octet.is_ascii_uppercase()), "not in lower case: {name:?}");
}

/// A segment of the one flow of these laws.
pub(crate) fn segment(way: Way, carrier: Carrier, payload: &[u8]) -> Segment<'_> {
    let ends = [(Addr::v4([192, 0, 2, 1]), 40000), (Addr::v4([198, 51, 100, 1]), 443)];
    let [(src, sport), (dst, dport)] = if way == Way::There { ends } else { [ends[1], ends[0]] };
    Segment { way, carrier, src, dst, sport, dport, payload, missing: 0, time: Timestamp::from_secs(1000) }
}

/// Shows a flow its segments and ends it: the names that were sighted.
pub(crate) fn look<'a>(segments: impl IntoIterator<Item = Segment<'a>>) -> Vec<(String, NameSource)> {
    look_within(Limits::default(), segments)
}

/// The same where little can be held.
pub(crate) fn look_at_noise<'a>(segments: impl IntoIterator<Item = Segment<'a>>) {
    look_within(FEW, segments);
}

/// Each name is clean, no more is held than may be, and nothing is left behind.
fn look_within<'a>(limits: Limits, segments: impl IntoIterator<Item = Segment<'a>>) -> Vec<(String, NameSource)> {
    let (mut names, mut watch, mut found) = (Names::new(limits), Watch::default(), Vec::new());
    for segment in segments {
        found.extend(names.see(&mut watch, &segment));
        assert!(names.held() <= limits.octets_max, "{} octets are held", names.held());
        assert!(names.answers().len() <= limits.answers_max);
    }
    found.extend(names.forget(watch));
    assert_eq!(names.held(), 0, "nothing is held of a flow that has ended");
    for seen in &found {
        is_clean(&seen.name.text);
    }
    found.into_iter().map(|seen| (seen.name.text.into(), seen.name.from)).collect()
}

/// What stands in a hello's extensions, read a second time: the first host name of the first list (RFC 6066 section 3).
fn server_name(mut extensions: &[u8]) -> Option<String> {
    fn take<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = from.split_at_checked(count)?;
        *from = rest;
        Some(taken)
    }
    fn vector<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
        let length = take(from, 2)?;
        take(from, usize::from(u16::from_be_bytes([length[0], length[1]])))
    }
    loop {
        let kind = take(&mut extensions, 2)?;
        let data = &mut vector(&mut extensions)?;
        if kind == [0, 0] {
            let mut list = vector(data)?;
            return match take(&mut list, 1)? {
                [0] => Some(String::from_utf8_lossy(vector(&mut list)?).to_ascii_lowercase()),
                _ => None,
            };
        }
    }
}

/// A `ClientHello` with these extensions as a handshake message (RFC 8446 section 4.1.2).
pub(crate) fn hello(extensions: &[u8]) -> Vec<u8> {
    let extensions = &extensions[..extensions.len().min(12_000)];
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[1, a, b, c][..], &body].concat()
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
}

/// Names over TCP. Either a hello whose extensions are made up, over records and segments cut anywhere, overlapping, and in any
/// order but for the first: the same name as in one piece, and the one that a second reading finds. Or octets as they come, in one
/// piece and cut: what the first piece is whole enough for is found in both. Or segments as they come.
pub fn tls(octets: &[u8]) {
    let mut input = Input(octets);
    match input.octet() % 3 {
        0 => hello_in_pieces(&mut input),
        1 => stream_in_pieces(&mut input),
        _ => look_at_noise(segments(&mut input)),
    }
}

/// An extension with a server name (RFC 6066 section 3).
const OTHER_NAME: &[u8] = b"\0\0\0\x12\0\x10\0\0\x0dother.example";

fn hello_in_pieces(input: &mut Input<'_>) {
    let mut plan = Input(input.piece());
    // The first name counts, where another comes behind it.
    let more = if plan.octet() & 1 == 0 { OTHER_NAME } else { &[] };
    let extensions = [input.0, more].concat();
    let message = hello(&extensions);
    let stream: Vec<u8> = plan.cuts(6, message.len()).into_iter().flat_map(|range| record(&message[range])).collect();
    let mut ranges = plan.overlapping(12, stream.len());
    let start = u32::from(plan.two()) << 16 | u32::from(plan.two());
    plan.shuffle(&mut ranges[1..]);
    let at = |range: &std::ops::Range<usize>| Carrier::Tcp(start.wrapping_add(range.start as u32));
    let pieces = ranges.iter().map(|range| segment(Way::There, at(range), &stream[range.clone()]));
    let whole = look([segment(Way::There, Carrier::Tcp(start), &record(&message))]);
    assert_eq!(look(pieces), whole, "cut into {ranges:?}");
    if let [(name, _)] = &whole[..]
        && let Some(written) = server_name(&extensions)
    {
        assert_eq!(*name, written.strip_suffix('.').unwrap_or(&written), "the name is the one that is written");
    }
    assert!(whole.len() <= 1);
}

fn stream_in_pieces(input: &mut Input<'_>) {
    let mut plan = Input(input.piece());
    let stream = &input.0[..input.0.len().min(1 << 15)];
    let (mut names, mut watch) = (Names::new(Limits::default()), Watch::default());
    let whole = names.see(&mut watch, &segment(Way::There, Carrier::Tcp(9), stream));
    let ranges = plan.overlapping(8, stream.len());
    // What a few octets begin as, they need not be.
    if ranges.first().is_none_or(|first| first.len() < 18) {
        return;
    }
    let at = |range: &std::ops::Range<usize>| Carrier::Tcp(9 + range.start as u32);
    let pieces = look(ranges.iter().map(|range| segment(Way::There, at(range), &stream[range.clone()])));
    if let Some(whole) = whole {
        is_clean(&whole.name.text);
        let whole = (whole.name.text.into(), whole.name.from);
        assert_eq!(pieces.first(), Some(&whole), "cut into {ranges:?}");
    }
}

/// Segments of one flow as they come.
pub(crate) fn segments<'a>(input: &mut Input<'a>) -> Vec<Segment<'a>> {
    let mut segments = Vec::new();
    while !input.0.is_empty() && segments.len() < 200 {
        let (how, at) = (input.octet(), u32::from(input.two()));
        let way = if how & 1 == 0 { Way::There } else { Way::Back };
        let carrier = if how & 2 == 0 { Carrier::Tcp(at.wrapping_sub(100)) } else { Carrier::Udp };
        let mut shown = segment(way, carrier, input.piece());
        if how & 4 != 0 {
            let dns = if way == Way::There { &mut shown.dport } else { &mut shown.sport };
            *dns = 53;
        }
        shown.missing = u32::from(how & 0x38 == 0x38);
        shown.time = Timestamp::from_secs(1000 + u64::from(how >> 6) * 100);
        segments.push(shown);
    }
    segments
}

/// Answers of the domain name system: what is read of a message is what a second reading finds in it, and so is what it binds;
/// what is read of a message that is cut is the beginning of what is read of it whole; and a stream of messages gives the same
/// in one piece and in any others, each message once.
pub fn dns(octets: &[u8]) {
    let mut input = Input(octets);
    let mut plan = Input(input.piece());
    let message = input.0;
    let whole = Response::read(message);
    let again = readings::dns(message);
    assert_eq!(whole.is_some(), again.is_some(), "a response: {whole:?}");
    if let (Some(whole), Some(again)) = (&whole, &again) {
        response(whole, again);
        let cut = usize::from(plan.two()) % (message.len() + 1);
        if let Some(part) = Response::read(&message[..cut]) {
            assert_eq!(part.question, whole.question);
            // A name before the cut may point behind it, so that a record can be lost before the end: never another read.
            assert!(whole.records.starts_with(&part.records), "{part:?} is no beginning of {whole:?}");
        }
    }
    let stream = [&(message.len() as u16).to_be_bytes()[..], message].concat().repeat(2);
    let mut ranges = plan.overlapping(8, stream.len());
    let once = messages(&stream, std::slice::from_ref(&(0..stream.len())));
    let twice: Vec<_> = whole.iter().chain(&whole).cloned().collect();
    if message.len() < 1 << 15 {
        assert_eq!(once.as_ref(), Some(&twice), "each message once");
    }
    plan.shuffle(&mut ranges);
    assert_eq!(messages(&stream, &ranges), once, "cut into {ranges:?}");
    let all = [(Way::Back, Carrier::Udp, message), (Way::Back, Carrier::Tcp(0), &stream)];
    look_at_noise(all.map(|(way, carrier, payload)| Segment { sport: 53, ..segment(way, carrier, payload) }));
}

fn messages(stream: &[u8], ranges: &[std::ops::Range<usize>]) -> Option<Vec<Response>> {
    let (mut reader, mut found) = (DnsStream::at(0), Vec::new());
    for range in ranges {
        // What lies too far ahead loses the stream, which is another law's.
        if reader.put(range.start as u32, &stream[range.clone()], |response| found.push(response)).is_err() {
            return None;
        }
        assert!(reader.held() <= 3 << 16, "{} octets are held", reader.held());
    }
    Some(found)
}

fn response(response: &Response, again: &readings::DnsMessage) {
    assert!(response.records.len() <= MAX_RECORDS);
    response.question.iter().for_each(|name| is_clean(name));
    for record in &response.records {
        is_clean(&record.owner);
        if let Data::Alias(name) = &record.data {
            is_clean(name);
        }
    }
    assert_eq!(response.question.as_deref(), again.question.as_deref(), "the name that is asked for");
    let records: Vec<_> = response.records.iter().map(written).collect();
    assert_eq!(records, again.records, "the records");
    // From the question to its addresses, by way of the first alias of each name.
    let (mut names, mut leasts, mut addresses) = (Vec::from_iter(again.question.clone()), vec![u32::MAX], Vec::new());
    while let Some((name, least)) = names.last().zip(leasts.last()).filter(|_| names.len() <= MAX_ALIASES + 1) {
        let own: Vec<_> = again.records.iter().filter(|(owner, _, _, is_answer)| *is_answer && owner == name).collect();
        let told = own.iter().filter_map(|(_, ttl, data, _)| Some((*data.as_ref().ok()?, *least.min(ttl))));
        addresses.extend(told);
        let alias = own.iter().find_map(|(_, ttl, data, _)| Some((data.as_ref().err()?.clone(), *least.min(ttl))));
        let Some((alias, ttl)) = alias.filter(|(alias, _)| !names.contains(alias)) else { break };
        names.push(alias);
        leasts.push(ttl);
    }
    let binding = response.binding();
    assert_eq!(binding.addresses, addresses, "what is bound to {names:?}");
    assert!(
        binding.aliases.iter().map(|name| &**name).eq(names.iter().skip(1).map(String::as_str)),
        "{binding:?} {names:?}"
    );
}

fn written(record: &Record) -> readings::DnsRecord {
    let data = match &record.data {
        Data::Address(address) => Ok(*address),
        Data::Alias(name) => Err(String::from(&**name)),
    };
    (String::from(&*record.owner), record.ttl, data, record.is_answer)
}

pub(crate) fn tls_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (ports, payload) in payloads(file) {
        if ports.contains(&53) {
            continue;
        }
        let length = (payload.len() as u16).to_be_bytes();
        if payload.starts_with(&[22, 3]) {
            // The extensions of a hello without a session identifier to speak of lie somewhere behind; noise before them does
            // no harm, and a seed that begins with the list itself does good.
            if let Some(at) = payload.windows(4).position(|four| four[..2] == [0, 0] && four[2] == 0 && four[3] > 4) {
                seeds.push([&[0, 0, 6, 2, 0, 9, 0, 70, 1][..], &payload[at..]].concat());
            }
        }
        if payload.starts_with(&[22, 3]) || payload.first().is_some_and(u8::is_ascii_uppercase) {
            seeds.push([&[1, 0, 3, 1, 0, 40][..], &payload].concat());
            seeds.push([&[2, 0, 0, 200][..], &length, &payload].concat());
        }
    }
    seeds.truncate(6);
    seeds
}

pub(crate) fn dns_seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let of_dns = payloads(file).into_iter().filter(|(ports, _)| ports.contains(&53) || ports.contains(&5353));
    of_dns.take(6).map(|(_, payload)| [&[0, 6, 0, 60, 2, 0, 5, 0][..], &payload].concat()).collect()
}
