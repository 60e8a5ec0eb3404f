//! What a field of a log holds, whether it stood in a column of text or in JSON.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{Addr, Protocol, Timestamp};

/// A value of a field that is set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Unsigned(u64),
    /// Every other number: below zero, or with a fraction.
    Float(f64),
    Bool(bool),
    /// An element of a JSON array begins.
    Item,
}

/// The largest second whose nanoseconds can be kept.
const MAX_SECS: u64 = u64::MAX / Timestamp::SECOND - 1;

impl Value<'_> {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A count: digits, or a JSON number that is none below zero and has no fraction.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Text(text) => digits(text),
            Self::Unsigned(count) => Some(*count),
            Self::Float(number) => {
                (*number >= 0.0 && number.fract() == 0.0 && *number < 9.0e15).then_some(*number as u64)
            }
            Self::Bool(_) | Self::Item => None,
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        u16::try_from(self.count()?).ok()
    }

    pub(super) fn address(&self) -> Option<Addr> {
        self.text()?.parse::<IpAddr>().ok().map(Addr::from)
    }

    /// A span of time in decimal seconds, in nanoseconds. As JSON number it is a double, kept to the microsecond, which is
    /// what sensors write.
    pub(super) fn seconds(&self) -> Option<u64> {
        match self {
            Self::Text(text) => decimal(text),
            Self::Unsigned(secs) => (*secs <= MAX_SECS).then(|| *secs * Timestamp::SECOND),
            Self::Float(secs) => (*secs >= 0.0 && *secs < MAX_SECS as f64).then(|| (*secs * 1e6).round() as u64 * 1000),
            Self::Bool(_) | Self::Item => None,
        }
    }

    /// A time: seconds since the epoch, or ISO 8601. Where ISO 8601 says no zone, [`Zone::Unknown`] says so, and it is
    /// taken for UTC.
    pub(super) fn time(&self) -> Option<(Timestamp, Zone)> {
        if let Self::Text(text) = self
            && text.as_bytes().get(4) == Some(&b'-')
        {
            return iso_8601(text);
        }
        Some((Timestamp(self.seconds()?), Zone::Known))
    }

    /// A protocol by its number, or by a name of those that sensors write.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        if let Self::Text(text) = self
            && digits(text).is_none()
        {
            return protocol(text);
        }
        u8::try_from(self.count()?).ok().map(Protocol)
    }
}

/// Whether a time says of which zone it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Known,
    Unknown,
}

fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Decimal seconds in nanoseconds; what is finer is cut off.
fn decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let secs = digits(whole).filter(|secs| *secs <= MAX_SECS)?;
    digits(fraction.get(..fraction.len().min(18))?)?;
    if !fraction.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let nanos =
        fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
    Some(secs * Timestamp::SECOND + nanos)
}

fn iso_8601(text: &str) -> Option<(Timestamp, Zone)> {
    let (stamp, zone) = match text.parse::<jiff::Timestamp>() {
        Ok(stamp) => (stamp, Zone::Known),
        Err(_) => (text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(), Zone::Unknown),
    };
    Some((Timestamp(u64::try_from(stamp.as_nanosecond()).ok()?), zone))
}

/// Names of protocols beside those of [`Protocol::from_name`], in lower case: what nfdump, Suricata and nProbe write
/// (the registry of the IANA and the C library's `/etc/protocols` have the numbers).
const NAMES: &[(&str, u8)] = &[
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("icmp-v6", 58),
    ("ipv4", 4),
    ("ip-in-ip", 4),
    ("ggp", 3),
    ("st", 5),
    ("egp", 8),
    ("igp", 9),
    ("idp", 22),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipcomp", 108),
    ("isis", 124),
    ("fc", 133),
    ("udplite", 136),
    ("udplt", 136),
    ("mpls", 137),
    ("mpls-in-ip", 137),
    ("hopopt", 0),
];

/// The longest name of a protocol.
const MAX_PROTOCOL: usize = 16;

fn protocol(text: &str) -> Option<Protocol> {
    let text = text.trim();
    if text.len() > MAX_PROTOCOL {
        return None;
    }
    let name = text.to_ascii_lowercase();
    // Suricata writes the number of what it has no name for as `PROTO:047`.
    if let Some(number) = name.strip_prefix("proto:") {
        return number.parse().ok().map(Protocol);
    }
    let other = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| Protocol(*number));
    other.or_else(|| Protocol::from_name(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn times_are_seconds_or_iso_8601() {
        let time = |written: &str| text(written).time().map(|(time, zone)| (time.to_string(), zone));
        let known = |told: &str| Some((told.to_owned(), Zone::Known));
        assert_eq!(time("1379288667.706265"), known("2013-09-15T23:44:27.706265Z"));
        assert_eq!(time("147.026993"), known("1970-01-01T00:02:27.026993Z"));
        assert_eq!(time("2009-12-10T10:54:25.232194+0000"), known("2009-12-10T10:54:25.232194Z"));
        assert_eq!(time("2021-06-06T15:57:37.272281+0200"), known("2021-06-06T13:57:37.272281Z"));
        assert_eq!(time("2009-11-18T09:14:20.452515999Z"), known("2009-11-18T09:14:20.452515999Z"));
        let unknown = Some(("2018-01-12T15:37:30.942Z".to_owned(), Zone::Unknown));
        assert_eq!(time("2018-01-12 15:37:30.942"), unknown);
        assert_eq!(time("2018-01-12T15:37:30.942"), unknown);
        for wrong in [
            "",
            "-",
            "-1.0",
            "1.",
            ".5",
            "1.5x",
            "1e9",
            "0000-00-00 00:00:00.000",
            "99999999999999999999",
            "2018-13-01 00:00:00",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        assert_eq!(Value::Float(1_575_413_096.052_279).seconds(), Some(1_575_413_096_052_279_000));
        assert_eq!((Value::Float(-1.0).seconds(), Value::Float(f64::NAN).seconds()), (None, None));
    }

    #[test]
    fn protocols_have_names_and_numbers() {
        let number = |written: &str| text(written).protocol().map(|protocol| protocol.0);
        let known = ["TCP", "6", "IPv6-ICMP", "ICMP6", "udp", "PROTO:047", "UDPLT"].map(number);
        assert_eq!(known, [6, 6, 58, 58, 17, 47, 136].map(Some));
        assert_eq!([number("256"), number("tcpx"), number("")], [None; 3]);
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!([text("12").count(), Value::Float(12.0).count(), Value::Unsigned(12).count()], [Some(12); 3]);
        for wrong in
            [text("1.2"), text("-1"), text(""), text("1.2 M"), Value::Float(1.5), Value::Float(-1.0), Value::Bool(true)]
        {
            assert_eq!(wrong.count(), None, "{wrong:?}");
        }
    }
}
