//! The server name in a `ClientHello` (RFC 8446 section 4.1.2, RFC 6066 section 3), and whether another is hidden in it
//! (RFC 9849).
//!
//! Read by hand, and not by a crate: three fields are wanted, and they are wanted from a hello whose end was not captured
//! too, which crates refuse for good reason.

use super::cursor::Cursor;
use super::host::{self, Rejected};

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The longest record (RFC 5246 section 6.2.3; less in TLS 1.3).
const MAX_RECORD: usize = (1 << 14) + 2048;

/// Header of a handshake message.
const MESSAGE_HEADER: usize = 4;

const SERVER_NAME: u16 = 0;
/// Of RFC 9849.
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// Of the drafts before it, which hid the server name alone (draft-ietf-tls-esni-02).
const ENCRYPTED_SERVER_NAME: u16 = 0xffce;

/// What a `ClientHello` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Hello {
    /// The server name.
    pub(super) name: Option<Result<Box<str>, Rejected>>,
    /// An encrypted hello is within, or what looks the same (GREASE): the name can be that of a front.
    pub(super) encrypted: bool,
}

/// What came of reading the octets that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It cannot be whole before there are this many octets in all.
    More(usize),
    Whole(Hello),
    /// It is something else.
    Other,
}

/// The handshake messages at the start of records, one after the other, and whether there may be more of them.
pub(super) fn messages(records: &[u8]) -> (Vec<u8>, Joined) {
    let (mut cursor, mut messages) = (Cursor::new(records), Vec::new());
    loop {
        match record(&mut cursor) {
            Record::Whole(part) => messages.extend_from_slice(part),
            Record::Part(part) => {
                messages.extend_from_slice(part);
                return (messages, Joined::Goes);
            }
            Record::Other => return (messages, Joined::Ends),
        }
    }
}

/// How the hello is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Tls,
    /// With a cookie (RFC 9147 section 5.3).
    Dtls,
}

/// Whether octets begin as a record with a `ClientHello` does, as far as they go.
pub(super) fn begins(octets: &[u8]) -> bool {
    begins_with(CLIENT_HELLO, octets)
}

/// Whether octets begin as a record with a handshake message of a kind does, as far as they go.
pub(super) fn begins_with(kind: u8, octets: &[u8]) -> bool {
    let mut cursor = Cursor::new(octets);
    let like = |octet: Option<u8>, wanted: fn(u8) -> bool| octet.is_none_or(wanted);
    if octets.is_empty()
        || !like(cursor.u8(), |kind| kind == HANDSHAKE_RECORD)
        || !like(cursor.u8(), |major| major == 3)
        || !like(cursor.u8(), |minor| minor <= 4)
    {
        return false;
    }
    let Some(length) = cursor.u16() else { return true };
    (1..=MAX_RECORD).contains(&usize::from(length))
        && cursor.u8().is_none_or(|message| message == kind)
        // The length of a hello, in three octets, is less than 2^16; it can stand in the next record.
        && (length == 1 || like(cursor.u8(), |length| length == 0))
}

/// Reads the records at the start of a stream.
pub(super) fn read(records: &[u8]) -> Read {
    let mut buffer = Vec::new();
    match message(records, &mut buffer) {
        Some((message, Joined::Goes)) => read_message(message, Layout::Tls, records.len()),
        Some((message, Joined::Ends)) => match read_message(message, Layout::Tls, records.len()) {
            Read::More(_) => Read::Other,
            read => read,
        },
        None => Read::Other,
    }
}

/// What the records at the start of a stream say, where no more of them will be had.
pub(super) fn read_part(records: &[u8]) -> Hello {
    let mut buffer = Vec::new();
    let message = message(records, &mut buffer).map(|(message, _)| message).unwrap_or_default();
    read_message_part(message, Layout::Tls)
}

/// Reads a handshake message. `had` is how many octets it was made from.
pub(super) fn read_message(message: &[u8], layout: Layout, had: usize) -> Read {
    let mut cursor = Cursor::new(message);
    let header = cursor.u8().zip(cursor.u24());
    let Some((kind, length)) = header else { return Read::More(had + MESSAGE_HEADER - message.len()) };
    if kind != CLIENT_HELLO {
        return Read::Other;
    }
    let wanted = length as usize;
    match cursor.take(wanted) {
        Some(body) => Read::Whole(hello(body, layout)),
        None => Read::More(had.saturating_add(wanted - cursor.rest().len())),
    }
}

/// What the beginning of a handshake message says.
pub(super) fn read_message_part(message: &[u8], layout: Layout) -> Hello {
    let mut cursor = Cursor::new(message);
    match cursor.u8().zip(cursor.u24()) {
        Some((CLIENT_HELLO, length)) => hello(cursor.take_most(length as usize), layout),
        _ => Hello::default(),
    }
}

/// Whether there may be more of a message after the records at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    Goes,
    /// A record of another kind follows.
    Ends,
}

/// The handshake message at the start of records, as far as they go: in the records themselves where one holds it, else
/// joined in `buffer`. `None` where this is no record of a handshake.
fn message<'a>(records: &'a [u8], buffer: &'a mut Vec<u8>) -> Option<(&'a [u8], Joined)> {
    let mut cursor = Cursor::new(records);
    let first = match record(&mut cursor) {
        Record::Part(part) => return Some((part, Joined::Goes)),
        Record::Whole(first) => first,
        Record::Other => return None,
    };
    let length = first.first_chunk().map(|&[_, a, b, c]| u32::from_be_bytes([0, a, b, c]) as usize + MESSAGE_HEADER);
    if length.is_some_and(|length| length <= first.len()) || cursor.is_empty() {
        return Some((first, Joined::Goes));
    }
    buffer.extend_from_slice(first);
    loop {
        match record(&mut cursor) {
            Record::Whole(part) => buffer.extend_from_slice(part),
            Record::Part(part) => {
                buffer.extend_from_slice(part);
                return Some((buffer, Joined::Goes));
            }
            Record::Other => return Some((buffer, Joined::Ends)),
        }
    }
}

enum Record<'a> {
    Whole(&'a [u8]),
    /// What there is of it.
    Part(&'a [u8]),
    /// Of another kind, or none.
    Other,
}

fn record<'a>(cursor: &mut Cursor<'a>) -> Record<'a> {
    if !cursor.rest().starts_with(&[HANDSHAKE_RECORD]) && !cursor.is_empty() {
        return Record::Other;
    }
    let length = (|| {
        cursor.take(3)?;
        cursor.u16()
    })();
    let Some(length) = length.map(usize::from) else {
        *cursor = Cursor::new(&[]);
        return Record::Part(&[]);
    };
    if !(1..=MAX_RECORD).contains(&length) {
        return Record::Other;
    }
    match cursor.take(length) {
        Some(whole) => Record::Whole(whole),
        None => Record::Part(cursor.take_most(length)),
    }
}

/// Reads the body of a `ClientHello` as far as it goes.
fn hello(body: &[u8], layout: Layout) -> Hello {
    let mut hello = Hello::default();
    // Where a field is missing, what was found before it stands.
    let _ = extensions(body, layout).and_then(|extensions| each(extensions, &mut hello));
    hello
}

fn extensions(body: &[u8], layout: Layout) -> Option<&[u8]> {
    let mut cursor = Cursor::new(body);
    // Version and random.
    cursor.take(2 + 32)?;
    // Session identifier.
    let length = cursor.u8()?;
    cursor.take(length.into())?;
    if layout == Layout::Dtls {
        let length = cursor.u8()?;
        cursor.take(length.into())?;
    }
    // Cipher suites, compression methods.
    let length = cursor.u16()?;
    cursor.take(length.into())?;
    let length = cursor.u8()?;
    cursor.take(length.into())?;
    let length = cursor.u16()?;
    Some(cursor.take_most(length.into()))
}

fn each(extensions: &[u8], hello: &mut Hello) -> Option<()> {
    let mut cursor = Cursor::new(extensions);
    while !cursor.is_empty() {
        let (kind, length) = (cursor.u16()?, cursor.u16()?);
        if matches!(kind, ENCRYPTED_CLIENT_HELLO | ENCRYPTED_SERVER_NAME) {
            hello.encrypted = true;
        }
        let data = cursor.take_most(length.into());
        if kind == SERVER_NAME && hello.name.is_none() {
            hello.name = server_name(data).map(host::name);
        }
        if data.len() < usize::from(length) {
            return None;
        }
    }
    Some(())
}

/// The first host name of a list (RFC 6066 section 3).
fn server_name(list: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(list);
    let length = cursor.u16()?;
    let mut names = Cursor::new(cursor.take_most(length.into()));
    loop {
        let (kind, length) = (names.u8()?, names.u16()?);
        let name = names.take(length.into())?;
        if kind == 0 {
            return Some(name);
        }
    }
}
