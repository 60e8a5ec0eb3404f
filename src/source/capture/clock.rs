//! Byte order and time in captures.

use crate::model::Timestamp;

/// The byte order of the machine that wrote a file or a section of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    #[inline]
    pub(super) const fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(octets),
            Self::Big => u16::from_be_bytes(octets),
        }
    }

    #[inline]
    pub(super) const fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(octets),
            Self::Big => u32::from_be_bytes(octets),
        }
    }

    #[inline]
    pub(super) const fn u64(self, octets: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(octets),
            Self::Big => u64::from_be_bytes(octets),
        }
    }
}

/// How a pcapng interface counts time (`if_tsresol` and `if_tsoffset`, draft-ietf-opsawg-pcapng section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    offset_nanos: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// This many nanoseconds.
    Nanos(u64),
    /// This many units make a nanosecond.
    PerNano(u64),
    /// Two to the power of minus this, in seconds.
    Binary(u32),
}

impl Clock {
    /// Microseconds: what holds where the interface does not say.
    pub(super) const MICROSECONDS: Self = Self { unit: Unit::Nanos(1000), offset_nanos: 0 };

    /// Sets the resolution: a negative power of two where the high bit is set, of ten where not.
    pub(super) fn set_resolution(&mut self, tsresol: u8) {
        let power = u32::from(tsresol & 0x7f);
        self.unit = if tsresol & 0x80 != 0 {
            Unit::Binary(power)
        } else if power <= 9 {
            Unit::Nanos(10_u64.saturating_pow(9 - power))
        } else {
            // All the 64 bits of a time are less than a nanosecond from 10^-29 on, and much less at 2^-127.
            10_u64.checked_pow(power - 9).map_or(Unit::Binary(127), Unit::PerNano)
        };
    }

    /// Sets the seconds that are to be added.
    pub(super) fn set_offset(&mut self, seconds: i64) {
        self.offset_nanos = i128::from(seconds) * i128::from(Timestamp::SECOND);
    }

    /// A unit in nanoseconds, rounded up.
    pub(super) fn step(&self) -> u64 {
        match self.unit {
            Unit::Nanos(nanos) => nanos,
            Unit::PerNano(_) => 1,
            Unit::Binary(power) => (Timestamp::SECOND >> power.min(63)).saturating_add(1),
        }
    }

    /// The time of a count of units, rounded down to nanoseconds; `None` where it is before 1970 or after 2554.
    #[inline]
    pub(super) fn at(&self, ticks: u64) -> Option<Timestamp> {
        let ticks = i128::from(ticks);
        let nanos = match self.unit {
            Unit::Nanos(nanos) => ticks * i128::from(nanos),
            Unit::PerNano(units) => ticks / i128::from(units),
            Unit::Binary(power) => (ticks * i128::from(Timestamp::SECOND)) >> power,
        };
        u64::try_from(nanos + self.offset_nanos).ok().map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tsresol: u8, ticks: u64, seconds: i64) -> Option<u64> {
        let mut clock = Clock::MICROSECONDS;
        clock.set_resolution(tsresol);
        clock.set_offset(seconds);
        clock.at(ticks).map(|time| time.0)
    }

    #[test]
    fn decimal_resolutions_are_exact() {
        assert_eq!(Clock::MICROSECONDS.at(1_500_000), Some(Timestamp(1_500_000_000)));
        assert_eq!(at(0, 7, 0), Some(7_000_000_000));
        assert_eq!(at(3, 7, 0), Some(7_000_000));
        assert_eq!(at(9, 1_234_567_890_123_456_789, 0), Some(1_234_567_890_123_456_789));
        assert_eq!(at(12, 1_999, 0), Some(1), "picoseconds are cut off, not rounded up");
        assert_eq!(at(28, u64::MAX, 0), Some(1), "2^64 units of 10^-28 s are 1.84 ns");
        assert_eq!(at(29, u64::MAX, 0), Some(0));
        assert_eq!(at(127, u64::MAX, 0), Some(0));
    }

    #[test]
    fn binary_resolutions_are_exact() {
        assert_eq!(at(0x80, 3, 0), Some(3_000_000_000));
        assert_eq!(at(0x81, 3, 0), Some(1_500_000_000));
        assert_eq!(at(0x9e, (1 << 30) + 1, 0), Some(1_000_000_000), "one unit of 2^-30 s is 0.93 ns");
        assert_eq!(at(0xff, u64::MAX, 0), Some(0));
    }

    #[test]
    fn offsets_add_and_times_out_of_range_are_no_times() {
        assert_eq!(at(6, 1, 10), Some(10_000_001_000));
        assert_eq!(at(6, 11_000_000, -10), Some(1_000_000_000));
        assert_eq!(at(6, 0, -1), None);
        assert_eq!(at(0, u64::MAX, 0), None);
        assert_eq!(at(0, u64::MAX, i64::MIN), at(0, u64::MAX - i64::MIN.unsigned_abs(), 0));
        assert_eq!(
            at(0, 20_000_000_000, -10_000_000_000),
            Some(10_000_000_000_000_000_000),
            "beyond 64 bits on the way"
        );
    }
}
