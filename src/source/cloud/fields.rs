//! Fields of a line, found by position, and the numbers and addresses in them, without allocation.

use std::net::Ipv6Addr;

use crate::model::Addr;

/// The most columns of a line that are told apart.
pub(super) const MAX_COLUMNS: usize = 128;

/// Where the fields of a line end.
pub(super) struct Fields {
    ends: [u32; MAX_COLUMNS],
    count: usize,
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { ends: [0; MAX_COLUMNS], count: 0 }
    }

    /// Finds the fields of a line: what is between single spaces.
    pub(super) fn split(&mut self, line: &[u8]) {
        let (blocks, rest) = line.as_chunks::<64>();
        let mut last = [0; 64];
        for (octet, of_rest) in last.iter_mut().zip(rest) {
            *octet = *of_rest;
        }
        let mut count = 0;
        for (index, block) in blocks.iter().chain([&last]).enumerate() {
            let mut found = spaces(block);
            while found != 0 {
                if let Some(end) = self.ends.get_mut(count) {
                    *end = index as u32 * 64 + found.trailing_zeros();
                }
                count += 1;
                found &= found - 1;
            }
        }
        if let Some(end) = self.ends.get_mut(count) {
            *end = line.len() as u32;
        }
        self.count = count + 1;
    }

    /// How many fields there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// A field of the line that was split, by its column from zero.
    pub(super) fn get<'a>(&self, line: &'a [u8], column: usize) -> Option<&'a [u8]> {
        let begin = match column.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize + 1,
            None => 0,
        };
        line.get(begin..*self.ends.get(column)? as usize)
    }
}

/// Which octets of a block are spaces, a bit each. Eight octets at a time, by the exact form of the test for a zero octet
/// in a word (Warren, Hacker's Delight, section 6-1); the product gathers the high bits of the octets in the highest one.
/// A loop over the octets costs a mispredicted branch for most fields.
fn spaces(block: &[u8; 64]) -> u64 {
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |found, word| {
        let differing = u64::from_le_bytes(*word) ^ SPACES;
        let hits = !(((differing & LOW) + LOW) | differing | LOW);
        found << 8 | (hits >> 7).wrapping_mul(GATHER) >> 56
    })
}

/// A decimal number without a sign.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    if digits.is_empty() {
        return None;
    }
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// An IPv4 address in dotted decimal (RFC 6943 section 3.1.1, the strict form: four numbers, no leading zero) or an IPv6
/// address (RFC 4291 section 2.2, without a zone).
pub(super) fn address(text: &[u8]) -> Option<Addr> {
    let mut octets = [0u8; 4];
    let mut place = 0;
    let mut value = 0u32;
    let mut digits = 0;
    for octet in text {
        let digit = octet.wrapping_sub(b'0');
        if digit <= 9 {
            if digits > 0 && value == 0 {
                return ipv6(text);
            }
            value = value * 10 + u32::from(digit);
            digits += 1;
            if value > 255 {
                return ipv6(text);
            }
        } else if *octet == b'.' && digits > 0 && place < 3 {
            *octets.get_mut(place)? = value as u8;
            (place, value, digits) = (place + 1, 0, 0);
        } else {
            return ipv6(text);
        }
    }
    if place != 3 || digits == 0 {
        return None;
    }
    *octets.last_mut()? = value as u8;
    Some(Addr::v4(octets))
}

#[cold]
fn ipv6(text: &[u8]) -> Option<Addr> {
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Addr::v6(address.octets()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn fields_are_what_is_between_spaces() {
        let mut fields = Fields::new();
        let long = "seven77 eight888 nine99999 ".repeat(12);
        let full = "x".repeat(64) + " ";
        for line in [
            &long,
            &full,
            "",
            " ",
            "a",
            "a b",
            "eight888 eight888",
            "a  b ",
            " 1234567 12345678 123456789 1\x1f!\u{a0} x",
        ] {
            fields.split(line.as_bytes());
            let found: Vec<_> = (0..fields.count()).map(|n| fields.get(line.as_bytes(), n).unwrap()).collect();
            assert_eq!(found, line.split(' ').map(str::as_bytes).collect::<Vec<_>>(), "{line:?}");
            assert!(fields.count() > MAX_COLUMNS || fields.get(line.as_bytes(), MAX_COLUMNS).is_none());
        }
        fields.split("x ".repeat(1000).as_bytes());
        assert_eq!(fields.count(), 1001);
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "-", "+1", "-1", "1.0", "0x1", " 1", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    /// The standard library's parser is the twin.
    #[test]
    fn addresses_are_as_the_standard_library_reads_them() {
        let texts = "0.0.0.0 255.255.255.255 10.0.0.62 1.2.3 1.2.3.4.5 256.1.1.1 01.2.3.4 1.02.3.4 1.2.3.00 1..2.3 .1.2.3 1.2.3. \
             :: ::1 2001:db8::5 2606:4700::6810:84e5 ::ffff:10.0.0.1 12:: 300::1 100:: 0:: 0064:ff9b::1 00::1 fe80::1%eth0 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 - 1234 999 x";
        for text in texts.split_ascii_whitespace().chain(["", "1.2.3.4 ", "\u{660}"]) {
            let expected = text.parse::<IpAddr>().ok().map(Addr::from);
            assert_eq!(address(text.as_bytes()), expected, "{text}");
        }
    }
}
