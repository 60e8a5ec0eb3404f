//! The host of an HTTP/1 request (RFC 9110 section 7.2, RFC 9112 section 3.2).
//!
//! Read by hand: one field is wanted, from requests that are cut too, and nothing is checked that a server would check.

use super::host::{self, Rejected};

/// Methods of the IANA registry and of `UPnP`, each with the space that follows it.
const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PATCH ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"SEARCH ",
    b"REPORT ",
    b"MKCALENDAR ",
    b"NOTIFY ",
    b"SUBSCRIBE ",
    b"UNSUBSCRIBE ",
    b"M-SEARCH ",
];

/// The longest request line (RFC 9112 section 3 asks for 8000 octets at least).
const MAX_LINE: usize = 8192;

/// The most fields before the host. Servers refuse some hundred.
const MAX_FIELDS: usize = 128;

/// What came of reading the octets that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The header goes on.
    More,
    Request(Request),
    /// It is no request.
    Other,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) host: Option<Result<Box<str>, Rejected>>,
    /// A tunnel was asked for: what comes through it can name the far end better.
    pub(super) tunnel: bool,
}

/// Whether octets begin as a request does, as far as they go.
pub(super) fn begins(octets: &[u8]) -> bool {
    !octets.is_empty() && METHODS.iter().any(|method| method.iter().zip(octets).all(|(wanted, octet)| wanted == octet))
}

/// Reads the request at the start of a stream.
pub(super) fn read(octets: &[u8]) -> Read {
    let mut lines = Lines(octets);
    let Some(line) = lines.next() else {
        return if octets.len() > MAX_LINE { Read::Other } else { Read::More };
    };
    let Some((method, target)) = request_line(line) else { return Read::Other };
    let tunnel = method == b"CONNECT";
    // The target prevails where it has a host (RFC 9112 section 3.2.2).
    if let Some(authority) = if tunnel { Some(target) } else { authority(target) } {
        return Read::Request(Request { host: Some(host_of(authority)), tunnel });
    }
    for (at, line) in lines.enumerate() {
        if at >= MAX_FIELDS {
            return Read::Other;
        }
        if line.is_empty() {
            return Read::Request(Request { host: None, tunnel });
        }
        if let Some(value) = value_of_host(line) {
            return Read::Request(Request { host: (!value.is_empty()).then(|| host_of(value)), tunnel });
        }
    }
    Read::More
}

/// Lines that are whole, without their ends.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// Method and target of a request line.
fn request_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut words = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (method, target) = (words.next()?, words.next()?);
    let version = words.next()?;
    version.starts_with(b"HTTP/1.").then_some((method, target))
}

/// The authority of a target in absolute form.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(target.get(..target.len().min(16))?, b"://")?;
    if target.starts_with(b"/") {
        return None;
    }
    let rest = target.get(at + 3..)?;
    let authority = rest.split(|octet| matches!(octet, b'/' | b'?' | b'#')).next()?;
    // RFC 3986 section 3.2.1: what stands before an at sign is a user.
    let host = authority.rsplit(|octet| *octet == b'@').next()?;
    (!host.is_empty()).then_some(host)
}

fn value_of_host(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(5)?;
    name.eq_ignore_ascii_case(b"host:").then(|| value.trim_ascii())
}

/// A host without its port.
pub(super) fn host_of(authority: &[u8]) -> Result<Box<str>, Rejected> {
    let end = authority.iter().rposition(|octet| *octet == b':');
    let host = match end.and_then(|end| authority.split_at_checked(end)) {
        Some((host, port))
            if port.iter().skip(1).all(u8::is_ascii_digit) && (!host.contains(&b':') || host.ends_with(b"]")) =>
        {
            host
        }
        _ => authority,
    };
    host::name(host)
}
