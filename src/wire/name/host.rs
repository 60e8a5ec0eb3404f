//! Which octets are a name.

/// The longest name in text (RFC 1035 section 2.3.4: 255 octets in a message are 253 characters).
const MAX_NAME: usize = 253;

/// The longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// What labels hold beside letters and digits. Host names have the hyphen (RFC 1123 section 2.1). The rest is what clients
/// ask for all the same: the underscore of services, a port after the name, the encoded data of tunnels over DNS.
const MARKS: &[u8] = b"-_:+/=*~@";

/// The octets are no name: empty, too long, or with characters that a report should not repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejected;

/// A name in lower case, without a final dot. The octets come from strangers and go into reports, so that everything is
/// refused that is not a letter, a digit or one of a few marks. An address in place of a name is taken as it is.
pub(super) fn name(octets: &[u8]) -> Result<Box<str>, Rejected> {
    let octets = octets.strip_suffix(b".").unwrap_or(octets);
    if octets.len() > MAX_NAME {
        return Err(Rejected);
    }
    if !octets.split(|octet| *octet == b'.').all(is_label) && !is_literal(octets) {
        return Err(Rejected);
    }
    let text = std::str::from_utf8(octets).map_err(|_| Rejected)?;
    Ok(text.to_ascii_lowercase().into())
}

/// Whether `octets` are a label that a name can have.
pub(super) fn is_label(octets: &[u8]) -> bool {
    (1..=MAX_LABEL).contains(&octets.len())
        && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || MARKS.contains(octet))
}

/// An IPv6 address in brackets (RFC 3986 section 3.2.2).
fn is_literal(octets: &[u8]) -> bool {
    let inside = octets.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inside.and_then(|inside| std::str::from_utf8(inside).ok()?.parse::<std::net::Ipv6Addr>().ok()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_clean_or_refused() {
        assert_eq!(name(b"WWW.Example.COM."), Ok("www.example.com".into()));
        assert_eq!(name(b"[2001:DB8::1]"), Ok("[2001:db8::1]".into()));
        assert_eq!(name(b"_sip._tcp.example"), Ok("_sip._tcp.example".into()));
        for hostile in
            [&b""[..], b".", b"a..b", b".a", b"a\nb", b"a b", b"<script>", b"\x1b[31m", b"\xff\xfe", b"[::1]]"]
        {
            assert_eq!(name(hostile), Err(Rejected), "{hostile:?}");
        }
        let long = |labels: usize| vec!["a".repeat(63); labels].join(".");
        assert!(name(long(3).as_bytes()).is_ok());
        assert_eq!(name(long(4).as_bytes()), Err(Rejected));
        assert_eq!(name("a".repeat(64).as_bytes()), Err(Rejected));
    }
}
