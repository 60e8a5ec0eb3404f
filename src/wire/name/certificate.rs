//! The name in the certificate that a server of TLS up to version 1.2 sends in clear (RFC 5246 section 7.4.2, RFC 5280).
//!
//! Nothing is checked: no signature, no date, no chain. It is what the server says of itself.

use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::cursor::Cursor;
use super::host::{self, Rejected};
use super::tls::{self, Joined};

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// `id-ce-subjectAltName`, 2.5.29.17 (RFC 5280 section 4.2.1.6).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// `dNSName` among general names.
const DNS_NAME: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(2) };
/// The extensions of a certificate.
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
/// Its version.
const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// What came of reading the octets that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It cannot be said before there are this many octets in all.
    More(usize),
    /// The server has said its name, or that it says none.
    Name(Option<Result<Box<str>, Rejected>>),
}

/// Whether octets begin as a record with a `ServerHello` does, as far as they go. The first octet alone is not enough to tell
/// it from what a client says.
pub(super) fn begins(octets: &[u8]) -> bool {
    octets.len() > 5 && tls::begins_with(SERVER_HELLO, octets)
}

/// Reads the records at the start of what a server says.
pub(super) fn read(records: &[u8]) -> Read {
    let (messages, joined) = tls::messages(records);
    let mut cursor = Cursor::new(&messages);
    let more = |missing: usize| match joined {
        Joined::Goes => Read::More(records.len().saturating_add(missing.max(1))),
        Joined::Ends => Read::Name(None),
    };
    loop {
        let Some((kind, length)) = cursor.u8().zip(cursor.u24()) else { return more(1) };
        let missing = (length as usize).saturating_sub(cursor.rest().len());
        match kind {
            SERVER_HELLO if missing > 0 => return more(missing),
            SERVER_HELLO => {
                cursor.take(length as usize);
            }
            CERTIFICATE => break,
            _ => return Read::Name(None),
        }
    }
    // The length of the list, and that of the server's own.
    let Some((_, length)) = cursor.u24().zip(cursor.u24()) else { return more(6) };
    match cursor.take(length as usize) {
        Some(certificate) => Read::Name(name(certificate).map(host::name)),
        None => more(length as usize - cursor.rest().len()),
    }
}

/// The first DNS name of a certificate; where it has none, its common name, if that can be a host's.
fn name(certificate: &[u8]) -> Option<&[u8]> {
    let signed = elements(elements(certificate).next()?.value()).next()?;
    let mut fields = elements(signed.value()).skip_while(|field| field.tag() == VERSION);
    // After serial number, signature algorithm, issuer and validity.
    let subject = fields.nth(4)?;
    let extensions = fields.find(|field| field.tag() == EXTENSIONS);
    let alternative = extensions.and_then(|extensions| alternative(extensions.value()));
    alternative.or_else(|| common(subject.value()).filter(|name| host::name(name).is_ok()))
}

/// The first DNS name among the alternative names of the subject.
fn alternative(extensions: &[u8]) -> Option<&[u8]> {
    let all = elements(extensions).next()?.value();
    let mut own = elements(all)
        .filter(|extension| elements(extension.value()).next().is_some_and(|kind| kind.value() == SUBJECT_ALT_NAME));
    // After the identifier, and perhaps whether it is critical, an octet string holds the names.
    let octets = elements(own.next()?.value()).find(|field| field.tag() == Tag::OctetString)?.value();
    let names = elements(octets).next()?.value();
    elements(names).find(|name| name.tag() == DNS_NAME).map(AnyRef::value)
}

/// The common name of a subject: sets of attributes, each a type and a value.
fn common(subject: &[u8]) -> Option<&[u8]> {
    let attributes = elements(subject).flat_map(|set| elements(set.value()));
    attributes
        .filter_map(|attribute| {
            let mut attribute = elements(attribute.value());
            let kind = attribute.next()?;
            Some(attribute.next()?.value()).filter(|_| kind.value() == COMMON_NAME)
        })
        .last()
}

/// What is in a value, one after the other, as far as it can be read.
fn elements(octets: &[u8]) -> impl Iterator<Item = AnyRef<'_>> {
    let mut reader = SliceReader::new(octets).ok();
    std::iter::from_fn(move || {
        let reader = reader.as_mut().filter(|reader| !reader.is_finished())?;
        AnyRef::decode(reader).ok()
    })
}
