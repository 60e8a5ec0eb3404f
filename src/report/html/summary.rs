//! The summary of the page: counts, bars, and where the traffic landed at a glance.

use std::collections::{BTreeMap, BTreeSet};

use super::super::view::{Landing, Sums};
use super::super::words;
use super::Tone;
use crate::model::{Decision, Report};

/// The most places in the chart.
const MAX_PLACES: usize = 8;
/// The least width of a part of a bar, in percent. What is there can be seen, however little it is: widths are for the
/// eye, the numbers stand beside them.
const LEAST: f64 = 0.8;

pub(super) struct Tile {
    pub(super) tone: Tone,
    pub(super) number: String,
    pub(super) word: String,
    pub(super) note: String,
}

/// A bar of 100 units, with a part for each tone.
pub(super) struct Bar {
    pub(super) label: &'static str,
    pub(super) spoken: String,
    pub(super) parts: Vec<(Tone, String, String)>,
}

pub(super) struct PlaceBar {
    pub(super) place: String,
    pub(super) tone: Tone,
    pub(super) width: String,
    pub(super) octets: String,
    pub(super) share: String,
}

/// Flows and octets by tone: forbidden, undecided, permitted, and what was not judged.
fn by_tone(report: &Report) -> [(Tone, u64, u64); 4] {
    let totals = report.totals;
    let mut rest = (0_u64, 0_u64);
    for (_, count) in totals.each().iter().filter(|(name, _)| !["forbid", "indeterminate", "permit"].contains(name)) {
        rest = (rest.0.saturating_add(count.count), rest.1.saturating_add(count.octets));
    }
    [
        (Tone::Forbid, totals.forbid.count, totals.forbid.octets),
        (Tone::Doubt, totals.indeterminate.count, totals.indeterminate.octets),
        (Tone::Permit, totals.permit.count, totals.permit.octets),
        (Tone::Quiet, rest.0, rest.1),
    ]
}

const fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Forbid => "forbidden",
        Tone::Doubt => "could not be decided",
        Tone::Permit => "permitted",
        Tone::Quiet => "not judged",
    }
}

/// What it came to, by decision; without a policy, what there was.
pub(super) fn tiles(report: &Report, landings: &[Landing<'_>]) -> Vec<Tile> {
    if report.policy.is_some() {
        let tile = |(tone, flows, octets)| Tile {
            tone,
            number: words::number(flows),
            word: format!("{} {}", if flows == 1 { "flow" } else { "flows" }, tone_word(tone)),
            note: words::octets(octets),
        };
        return by_tone(report).into_iter().map(tile).collect();
    }
    let sums = Sums::of(landings);
    let countries: BTreeSet<_> = landings.iter().filter_map(|landing| landing.to.places.only()).collect();
    let tile =
        |number: String, word: &str, note: String| Tile { tone: Tone::Quiet, number, word: word.to_owned(), note };
    let unknown = words::percent(sums.unknown_flows, sums.flows);
    vec![
        tile(words::number(sums.flows), "flows to or from elsewhere", String::new()),
        tile(words::number(countries.len() as u64), "countries", format!("{unknown} of the flows could be anywhere")),
        tile(words::octets(sums.sent), "sent", String::new()),
        tile(words::octets(sums.received), "received", String::new()),
    ]
}

/// How much came to which end; nothing where there was no policy to judge by.
pub(super) fn bars(report: &Report) -> Vec<Bar> {
    if report.policy.is_none() {
        return Vec::new();
    }
    let tones = by_tone(report);
    let bar = |label, measure: fn(&(Tone, u64, u64)) -> u64| {
        let all = tones.iter().fold(0, |sum: u64, part| sum.saturating_add(measure(part)));
        if all == 0 {
            return None;
        }
        let shares: Vec<f64> = tones
            .iter()
            .map(|part| match measure(part) {
                0 => 0.0,
                n => (n as f64 / all as f64 * 100.0).max(LEAST),
            })
            .collect();
        let wide: f64 = shares.iter().sum();
        let mut at = 0.0;
        let mut parts = Vec::new();
        let mut spoken = Vec::new();
        for ((tone, ..), (part, share)) in tones.iter().zip(tones.iter().zip(&shares)) {
            if *share > 0.0 {
                let width = share / wide * 100.0;
                parts.push((*tone, format!("{at:.2}"), format!("{width:.2}")));
                spoken.push(format!("{} {}", words::percent(measure(part), all), tone_word(*tone)));
                at += width;
            }
        }
        Some(Bar { label, spoken: spoken.join(", "), parts })
    };
    [bar("flows", |part| part.1), bar("octets", |part| part.2)].into_iter().flatten().collect()
}

pub(super) fn places(landings: &[Landing<'_>]) -> Vec<PlaceBar> {
    let mut places: Vec<(String, u64, Option<Decision>)> = Vec::new();
    let mut index = BTreeMap::new();
    for landing in landings {
        let key = (landing.to.places, landing.to.standing);
        let at = *index.entry(key).or_insert_with(|| {
            places.push((words::places(&landing.to.places, landing.to.standing), 0, None));
            places.len() - 1
        });
        if let Some((_, octets, decision)) = places.get_mut(at) {
            *octets = octets.saturating_add(landing.octets());
            *decision = (*decision).max(landing.decision);
        }
    }
    places.sort_by_key(|(_, octets, _)| std::cmp::Reverse(*octets));
    let all = places.iter().fold(0, |sum: u64, (_, octets, _)| sum.saturating_add(*octets));
    if places.len() > MAX_PLACES {
        let rest = places.split_off(MAX_PLACES - 1);
        let octets = rest.iter().fold(0, |sum: u64, (_, octets, _)| sum.saturating_add(*octets));
        let worst = rest.iter().filter_map(|(_, _, decision)| *decision).max();
        places.push((format!("{} other places", rest.len()), octets, worst));
    }
    let largest = places.iter().map(|(_, octets, _)| *octets).max().unwrap_or_default();
    places
        .into_iter()
        .map(|(place, octets, decision)| PlaceBar {
            place,
            tone: decision.into(),
            width: bar_width(octets, largest),
            octets: words::octets(octets),
            share: words::percent(octets, all),
        })
        .collect()
}

pub(super) fn bar_width(part: u64, largest: u64) -> String {
    let share = if largest == 0 { 0.0 } else { part as f64 / largest as f64 * 100.0 };
    format!("{:.2}", if part > 0 { share.max(LEAST) } else { 0.0 })
}
