//! When a flow was: every way in which exporters say it (RFC 3954, RFC 7011 section 6.1, RFC 7012).

use super::element::Slot;
use super::template::Values;
use crate::model::Timestamp;

const MILLI: u64 = 1_000_000;
const MICRO: u64 = 1000;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What the head of a message says of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// When it was sent, by the exporter's clock.
    pub(super) export: Timestamp,
    /// The exporter's uptime at that moment, in milliseconds modulo 2^32.
    pub(super) uptime: Option<u32>,
    /// When the exporter began, in milliseconds of the epoch (IE 160).
    pub(super) began: Option<u64>,
}

impl Clock {
    /// The time of an uptime in milliseconds, which wraps after 49.7 days: the last one before the export.
    pub(super) fn at_uptime(&self, uptime: u32) -> Option<Timestamp> {
        if let Some(now) = self.uptime {
            return self.export.0.checked_add_signed(-ago(now, uptime) * MILLI.cast_signed()).map(Timestamp);
        }
        let began = self.began.filter(|began| *began > 0)?;
        let since = (self.export.0 / MILLI).saturating_sub(began) as u32;
        let at = (self.export.0 / MILLI).checked_add_signed(-ago(since, uptime))?;
        at.checked_mul(MILLI).map(Timestamp)
    }

    /// The first and the last packet of a flow; `None` where the record does not say.
    #[inline]
    pub(super) fn times(&self, values: &Values<'_>) -> Option<(Timestamp, Timestamp)> {
        let began = values.get(Slot::InitTime).or(self.began);
        let clock = Self { began, ..*self };
        let start = clock.side(
            values,
            [Slot::StartMs, Slot::StartUptime, Slot::StartSecs, Slot::StartMicros, Slot::StartNanos, Slot::StartDelta],
        );
        let end = clock.side(
            values,
            [Slot::EndMs, Slot::EndUptime, Slot::EndSecs, Slot::EndMicros, Slot::EndNanos, Slot::EndDelta],
        );
        let lasted = || {
            let millis = values.get(Slot::DurationMs).map(|millis| millis.saturating_mul(MILLI));
            millis.or_else(|| Some(values.get(Slot::DurationMicros)?.saturating_mul(MICRO))).unwrap_or(0)
        };
        let (start, end) = match (start, end) {
            (Some(start), Some(end)) => (start, end),
            (Some(start), None) => {
                // A firewall says when a flow began and when it tells of its end.
                let end = Timestamp(start.0.saturating_add(lasted()));
                (start, observed(values).map_or(end, |at| end.max(at)))
            }
            (None, Some(end)) => (Timestamp(end.0.saturating_sub(lasted())), end),
            (None, None) => {
                let at = observed(values)?;
                (at, at)
            }
        };
        let reverse = |slot| values.get(slot).filter(|at| *at > 0).and_then(|at| at.checked_mul(MILLI)).map(Timestamp);
        let start = reverse(Slot::ReverseStartMs).map_or(start, |other| start.min(other));
        let end = reverse(Slot::ReverseEndMs).map_or(end, |other| end.max(other));
        Some((start.min(end), start.max(end)))
    }

    /// The time of the first or the last packet, by the elements that can say it.
    #[inline]
    fn side(&self, values: &Values<'_>, slots: [Slot; 6]) -> Option<Timestamp> {
        let [millis, uptime, secs, micros, nanos, delta] = slots;
        let get = |slot| values.get(slot).filter(|value| *value > 0);
        if let Some(at) = get(millis) {
            return at.checked_mul(MILLI).map(Timestamp);
        }
        // Both zero is what exporters without a clock send.
        let has_uptime = get(Slot::StartUptime).is_some() || get(Slot::EndUptime).is_some();
        if let Some(at) = values.get(uptime).filter(|_| has_uptime).and_then(|at| u32::try_from(at).ok()) {
            return self.at_uptime(at);
        }
        if let Some(at) = get(secs) {
            return at.checked_mul(Timestamp::SECOND).map(Timestamp);
        }
        if let Some(at) = get(nanos).or_else(|| get(micros)) {
            return ntp(at);
        }
        let before = values.get(delta)?.checked_mul(MICRO)?;
        self.export.0.checked_sub(before).map(Timestamp)
    }
}

/// How many milliseconds before `now` an uptime was. Both wrap. A flow can end a moment after the head of its message was
/// written; what would be later than that was before the wrap.
fn ago(now: u32, uptime: u32) -> i64 {
    const LATE: u32 = 10_000;
    let ahead = uptime.wrapping_sub(now);
    if ahead <= LATE { -i64::from(ahead) } else { i64::from(now.wrapping_sub(uptime)) }
}

/// When a sampled packet was seen (RFC 5477 section 8.5.3).
fn observed(values: &Values<'_>) -> Option<Timestamp> {
    let get = |slot| values.get(slot).filter(|value| *value > 0);
    if let Some(at) = get(Slot::ObservedMs) {
        return at.checked_mul(MILLI).map(Timestamp);
    }
    if let Some(at) = get(Slot::ObservedSecs) {
        return at.checked_mul(Timestamp::SECOND).map(Timestamp);
    }
    get(Slot::ObservedNanos).or_else(|| get(Slot::ObservedMicros)).and_then(ntp)
}

/// A time of NTP (RFC 5905 section 6): seconds since 1900 and 2^32nds of a second. Seconds in the lower half are of the era
/// that begins in 2036.
fn ntp(time: u64) -> Option<Timestamp> {
    let (secs, fraction) = (time >> 32, time & u64::from(u32::MAX));
    let era = if secs >> 31 == 0 { 1 << 32 } else { 0 };
    let nanos = (fraction * Timestamp::SECOND) >> 32;
    (secs + era).checked_sub(NTP_TO_UNIX)?.checked_mul(Timestamp::SECOND)?.checked_add(nanos).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn by_header(uptime: u32) -> Clock {
        Clock { export: Timestamp::from_secs(1_000_000), uptime: Some(uptime), began: None }
    }

    #[test]
    fn uptime_wraps_after_49_days() {
        let at = |clock: Clock, uptime| clock.at_uptime(uptime).unwrap().0 / MILLI;
        assert_eq!(at(by_header(10_000), 4_000), 1_000_000_000 - 6_000);
        assert_eq!(at(by_header(1_000), u32::MAX - 999), 1_000_000_000 - 2_000, "it began before the wrap");
        assert_eq!(at(by_header(u32::MAX), 499), 1_000_000_000 + 500, "it ended after the head was written");
        let clock = Clock { export: Timestamp(5 * (1 << 32) * MILLI), uptime: None, began: Some(HOUR) };
        let now = (5 * (1_u64 << 32) - HOUR) as u32;
        assert_eq!(at(clock, now.wrapping_sub(7)), 5 * (1 << 32) - 7);
        assert_eq!(Clock { began: None, ..clock }.at_uptime(1), None);
    }

    #[test]
    fn ntp_has_eras() {
        assert_eq!(ntp(NTP_TO_UNIX << 32), Some(Timestamp(0)));
        assert_eq!(ntp((NTP_TO_UNIX + 1) << 32 | 1 << 31), Some(Timestamp(1_500_000_000)));
        // RFC 5905 section 6: era 1 begins on 2036-02-07 at 06:28:16.
        assert_eq!(ntp(0).unwrap().to_string(), "2036-02-07T06:28:16Z");
        assert_eq!(ntp(1 << 63), None, "before 1970");
    }
}
