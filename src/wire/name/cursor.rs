//! Fields read off octets of strangers, from the front and never past the end.

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(in crate::wire) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(in crate::wire) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(in crate::wire) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next `length` octets. Nothing is taken where there are fewer.
    pub(in crate::wire) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `length` octets, or what there is of them.
    pub(in crate::wire) fn take_most(&mut self, length: usize) -> &'a [u8] {
        self.take(length.min(self.0.len())).unwrap_or_default()
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    pub(in crate::wire) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(u8::from_be_bytes)
    }

    pub(in crate::wire) fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(in crate::wire) fn u24(&mut self) -> Option<u32> {
        self.chunk().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    pub(in crate::wire) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// An integer of variable length (RFC 9000 section 16).
    pub(in crate::wire) fn varint(&mut self) -> Option<u64> {
        let first = *self.0.first()?;
        let octets = self.take(1 << (first >> 6))?;
        let value = octets.iter().fold(0, |value: u64, octet| value << 8 | u64::from(*octet));
        Some(value & (u64::MAX >> (66 - 8 * octets.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9000 appendix A.1.
    #[test]
    fn integers_of_variable_length() {
        let read = |octets: &[u8]| Cursor::new(octets).varint();
        assert_eq!(read(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]), Some(151_288_809_941_952_652));
        assert_eq!(read(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(read(&[0x7b, 0xbd]), Some(15293));
        assert_eq!(read(&[0x25]), Some(37));
        assert_eq!(read(&[0x40, 0x25]), Some(37));
        assert_eq!(read(&[0x9d, 0x7f, 0x3e]), None);
    }
}
