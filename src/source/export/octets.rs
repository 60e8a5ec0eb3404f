//! Numbers and parts of what a stranger sent, taken from the front.

/// What is left of some octets. Everything in flow telemetry is in network byte order.
#[derive(Clone, Copy)]
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    /// Takes the first octets; `None` where there are fewer.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }
}

/// An unsigned number of one to eight octets (RFC 7011 section 6.2, reduced-size encoding); of more octets, none.
#[inline]
pub(super) fn number(octets: &[u8]) -> Option<u64> {
    match *octets {
        [a] => Some(u64::from(a)),
        [a, b] => Some(u64::from(u16::from_be_bytes([a, b]))),
        [a, b, c, d] => Some(u64::from(u32::from_be_bytes([a, b, c, d]))),
        [] => None,
        ref other => match other.try_into() {
            Ok(eight) => Some(u64::from_be_bytes(eight)),
            Err(_) if other.len() < 8 => Some(other.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet))),
            Err(_) => None,
        },
    }
}
