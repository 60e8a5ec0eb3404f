//! Time as it was observed.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since the Unix epoch, as observed: never the time of processing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds in a second.
    pub const SECOND: u64 = 1_000_000_000;

    /// A time in whole seconds since the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(Self::SECOND))
    }

    /// Midnight UTC at the start of `date`; dates before 1970 are the epoch.
    pub fn at_midnight(date: Date) -> Self {
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC);
        let secs = zoned.map_or(0, |zoned| zoned.timestamp().as_second());
        Self::from_secs(u64::try_from(secs).unwrap_or(0))
    }

    /// The civil date, in UTC.
    pub fn date(self) -> Date {
        self.civil().map_or(Date::MAX, jiff::civil::DateTime::date)
    }

    /// Nanoseconds from `earlier` to this; zero where the clock went backwards.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn civil(self) -> Option<jiff::civil::DateTime> {
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(self.0)).ok()?;
        Some(jiff::tz::TimeZone::UTC.to_datetime(stamp))
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC, with as many digits of a second as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => f.pad(&stamp.to_string()),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let nanos = text.parse::<jiff::Timestamp>()?.as_nanosecond();
        Ok(Self(u64::try_from(nanos).unwrap_or(0)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        let time: Timestamp = "2020-03-30T15:00:00.000001Z".parse().unwrap();
        assert_eq!(time.to_string(), "2020-03-30T15:00:00.000001Z");
        assert_eq!(Timestamp::at_midnight(jiff::civil::date(2020, 3, 30)).to_string(), "2020-03-30T00:00:00Z");
        assert_eq!(time.date(), jiff::civil::date(2020, 3, 30));
    }
}
