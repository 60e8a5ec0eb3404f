//! Amounts and spans of time as people write them: `50 GiB`, `24h`.

use toml::Spanned;

use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::Timestamp;

/// Octets with an optional unit, decimal (`kB MB GB TB`) or binary (`KiB MiB GiB TiB`); the case of units means nothing.
pub fn octets(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let (number, unit) = split(text)?;
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

/// A span of time in nanoseconds: a number and one of `s`, `m`, `h`, `d`, `w`. Not zero, and at most [`MAX_SPAN`].
pub fn span(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
    let (number, unit) = split(text)?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let span = number.checked_mul(*factor)?.checked_mul(Timestamp::SECOND)?;
    (span > 0 && span <= MAX_SPAN).then_some(span)
}

/// The longest span of time that a policy can say, in nanoseconds: ten years.
pub const MAX_SPAN: u64 = 3660 * 86_400 * Timestamp::SECOND;

/// A span of nanoseconds in the largest unit that fits it whole: `day`, `2 weeks`.
pub fn spell(nanoseconds: u64) -> String {
    let seconds = nanoseconds / Timestamp::SECOND;
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "second"));
    match seconds / unit {
        1 => name.to_owned(),
        many => format!("{many} {name}s"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

/// [`octets`] of a value in a policy; what is none is said.
pub(super) fn octets_of(written: &Spanned<String>, sink: &mut Sink) -> Option<u64> {
    let found = octets(written.get_ref());
    if found.is_none() {
        wrong(
            written,
            "an amount of octets",
            "write a number and a unit: `\"50 GiB\"`, `\"500 MB\"`, `\"1200\"`",
            sink,
        );
    }
    found
}

/// [`span`] of a value in a policy; what is none is said.
pub(super) fn span_of(written: &Spanned<String>, sink: &mut Sink) -> Option<u64> {
    let found = span(written.get_ref());
    if found.is_none() {
        wrong(
            written,
            "a span of time",
            "write a number and `s`, `m`, `h`, `d` or `w`: `\"60s\"`, `\"24h\"`, `\"30d\"`",
            sink,
        );
    }
    found
}

fn wrong(written: &Spanned<String>, wanted: &str, help: &str, sink: &mut Sink) {
    let message = format!("{} is not {wanted}", quoted(written.get_ref()));
    sink.push(Diagnostic::error(Code::BadValue, message).at(written.span(), format!("expected {wanted}")).help(help));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_spans_have_units() {
        assert_eq!((octets("64GiB"), octets("5 kB"), octets("7")), (Some(64 << 30), Some(5000), Some(7)));
        assert_eq!(
            (octets("3KiB"), octets("2 mib"), octets("1TiB")),
            (Some(3_072), Some(2_097_152), Some(1_099_511_627_776))
        );
        assert!(octets("GiB").is_none() && octets("1 parsec").is_none() && octets("99999999TiB").is_none());
        assert_eq!((span("60s"), span("24 h")), (Some(60_000_000_000), Some(86_400_000_000_000)));
        assert!(span("0s").is_none() && span("5").is_none() && span("11y").is_none() && span("600w").is_none());
        assert!(span("3660d").is_some() && span("3661d").is_none(), "ten years and a little");
    }
}
