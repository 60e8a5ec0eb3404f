//! What an input held and what of it could not be used, in words.

use super::{gaps, words};
use crate::model::{Caveat, FileDigest, InputCoverage, Report, Sampling, Skip};

/// How much weight a line about an input has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Traffic can hide behind it.
    Gap,
    /// Worth knowing.
    Note,
}

/// How the kinds of inputs begin that are JSON, or can be.
const JSON: [&str; 9] =
    ["aws-cloudwatch", "azure", "gcp", "hubble-json", "nfdump-json", "nprobe-json", "oci", "suricata", "zeek"];

/// What an input's positions are called: a capture has packets and frames, a log has records and lines.
pub(super) fn units(input: &InputCoverage) -> (&'static str, &'static str, &'static str) {
    let capture = !input.link_types.is_empty() || input.kind.starts_with("pcap") || input.kind == "live";
    if input.lost.is_some() {
        // Flow telemetry: records in messages, which are frames of a capture or are counted themselves.
        return ("record", "records", if input.kind.contains(" in pcap") { "frame" } else { "message" });
    }
    match &*input.kind {
        _ if capture => ("packet", "packets", "frame"),
        kind if kind.contains("parquet") => ("record", "records", "row"),
        // Objects stand a line each, or in an array.
        kind if JSON.iter().any(|json| kind.starts_with(json)) => ("record", "records", "line or element"),
        _ => ("record", "records", "line"),
    }
}

/// Whether all that the inputs held could be judged, in a phrase.
pub(super) fn completeness(report: &Report) -> String {
    let gaps = report.inputs.iter().filter(|input| !input.is_complete()).count() as u64;
    let all = report.inputs.len() as u64;
    match (gaps, all) {
        (_, 0) => "no input".to_owned(),
        (0, _) => "complete".to_owned(),
        (1, 1) => "incomplete".to_owned(),
        _ => format!("incomplete: {} of {} have gaps", words::number(gaps), words::several(all, "input", "inputs")),
    }
}

/// The control total of an input: what was read is what was used and what was not.
pub(super) fn control_total(input: &InputCoverage) -> String {
    let (one, many, _) = units(input);
    let skipped = skipped(input);
    let mut text = format!(
        "{} read ({}) = {} in flows + {} skipped",
        words::several(input.read.count, one, many),
        words::octets(input.read.octets),
        words::number(input.used.count),
        words::number(skipped),
    );
    let accounted = u128::from(input.used.count) + u128::from(skipped);
    if accounted != u128::from(input.read.count) {
        text.push_str(": this does not add up");
    }
    text
}

/// What names the content of an input.
pub(super) fn digest(digest: &FileDigest) -> String {
    format!("SHA-256 of the {} read: {}", words::several(digest.octets, "octet", "octets"), digest.sha256)
}

/// How much of an input is in no flow.
pub(super) fn skipped(input: &InputCoverage) -> u64 {
    input.skipped.values().fold(0, |sum, count| sum.saturating_add(count.total.count))
}

/// Everything that limits what an input shows, a line each.
pub(super) fn coverage_lines(input: &InputCoverage) -> Vec<(Weight, String)> {
    let (_, _, frame) = units(input);
    let first = |positions: &[u64]| {
        let texts: Vec<String> = positions.iter().map(u64::to_string).collect();
        if texts.is_empty() { String::new() } else { format!(", first at {frame} {}", texts.join(", ")) }
    };
    let mut lines = Vec::new();
    if let Some(error) = &input.error {
        lines.push((Weight::Gap, format!("reading ended early: {error}")));
    }
    if let Some(offset) = input.truncated_at {
        lines.push((
            Weight::Gap,
            format!("the input breaks off in the middle of a record, at offset {}", words::number(offset)),
        ));
    }
    match input.drops {
        Some(drops) if drops.kernel > 0 || drops.interface > 0 => lines.push((
            Weight::Gap,
            format!(
                "lost before it was written: {} by the capture's buffers, {} by the interface",
                words::several(drops.kernel, "packet", "packets"),
                words::number(drops.interface)
            ),
        )),
        Some(_) => lines.push((Weight::Note, "the input says that nothing was lost before it was written".to_owned())),
        None if input.lost.is_some() => {}
        None => {
            lines.push((
                Weight::Note,
                "the input does not say whether anything was lost before it was written".to_owned(),
            ));
        }
    }
    lines.extend(input.lost.map(gaps::lost));
    if let Some(sampling) = input.sampling.filter(Sampling::left_out) {
        lines.push((Weight::Gap, gaps::sampled(&sampling)));
    }
    for (reason, count) in &input.skipped {
        let weight = if Skip::hides_traffic(*reason) { Weight::Gap } else { Weight::Note };
        let (n, octets) = (words::number(count.total.count), words::octets(count.total.octets));
        lines.push((weight, format!("skipped {n} ({octets}): {}{}", reason.sentence(), first(&count.positions))));
    }
    for (reason, count) in &input.caveats {
        let n = words::number(count.total.count);
        let share = match reason {
            Caveat::OneSided if input.tcp_flows > 0 => {
                let all = words::several(input.tcp_flows, "tcp flow", "tcp flows");
                format!(" ({} of {all})", words::percent(count.total.count, input.tcp_flows))
            }
            _ => String::new(),
        };
        lines.push((Weight::Note, format!("{n}{share}: {}{}", reason.sentence(), first(&count.positions))));
    }
    if input.longest_window > 0 {
        let seconds = words::several(input.longest_window, "second", "seconds");
        lines.push((Weight::Note, format!("a record adds up what moved within up to {seconds}")));
    }
    for (mark, count) in &input.marks {
        let records = words::several(count.count, "record", "records");
        lines.push((Weight::Note, format!("{records} ({}) {}", words::octets(count.octets), mark.sentence())));
    }
    if !input.lacks.is_empty() {
        let lacks: Vec<&str> = input.lacks.iter().map(|lack| lack.sentence()).collect();
        lines.push((Weight::Note, format!("what the format does not tell: {}", lacks.join("; "))));
    }
    if !input.transit.is_empty() {
        lines.push((Weight::Note, gaps::transit(input)));
    }
    if !input.notes.is_empty() {
        let notes: Vec<&str> = input.notes.iter().map(String::as_str).collect();
        lines.push((Weight::Note, format!("not understood: {}", notes.join("; "))));
    }
    lines.extend(input.remarks.iter().map(|remark| (Weight::Note, remark.clone())));
    lines
}
