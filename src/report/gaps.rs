//! What flow telemetry could not show, in words: what was lost on the way, what sampling left out, and whose networks it
//! crossed.

use std::cmp::Reverse;

use super::inputs::Weight;
use super::words;
use crate::model::{Asn, Count, InputCoverage, Lost, Sampling};

/// What flow exporters had sent and was lost, by their sequence numbers.
pub(super) fn lost(lost: Lost) -> (Weight, String) {
    if lost == Lost::default() {
        return (Weight::Note, "by the exporters' sequence numbers nothing was lost on the way".to_owned());
    }
    let counts = [
        (lost.datagrams, "datagram", "datagrams of unknown content"),
        (lost.records, "flow record", "flow records"),
        (lost.samples, "sampled packet", "sampled packets"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| words::several(*n, one, many)).collect();
    (Weight::Gap, format!("lost before it was received, by the exporters' sequence numbers: {}", parts.join(", ")))
}

/// How packets were sampled, and what that can have left out.
pub(super) fn sampled(sampling: &Sampling) -> String {
    let interval = if sampling.least == sampling.greatest {
        format!("1 packet in {}", words::number(sampling.greatest.into()))
    } else {
        format!("1 packet in {} to {}", words::number(sampling.least.into()), words::number(sampling.greatest.into()))
    };
    format!(
        "packets were sampled, {interval}: {} ({}) are estimates; an exchange of fewer than {} packets can have gone unnoticed (with a probability of more than 5 %)",
        words::several(sampling.records.count, "record", "records"),
        words::octets(sampling.records.octets),
        words::number(sampling.noticed_from()),
    )
}

/// The systems that most traffic crossed.
pub(super) fn transit(input: &InputCoverage) -> String {
    const SHOWN: usize = 5;
    let mut systems: Vec<(&Asn, &Count)> = input.transit.iter().collect();
    systems.sort_by_key(|(_, count)| Reverse(count.octets));
    let more = systems.len().saturating_sub(SHOWN);
    let mut texts: Vec<String> = systems
        .iter()
        .take(SHOWN)
        .map(|(system, count)| format!("{system} ({})", words::octets(count.octets)))
        .collect();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    format!("on the way, by the routes of those who report: {}", texts.join(", "))
}
