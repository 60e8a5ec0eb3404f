//! The summary of the page: counts, bars, and where the traffic landed at a glance.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::landing::{Landing, Sums};
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
    pub(super) parts: Vec<(Tone, String, String)>,
    pub(super) octets: String,
    pub(super) share: String,
}

/// Flows and octets by tone: forbidden, undecided, permitted, and what was not judged.
fn by_tone(report: &Report) -> [(Tone, u64, u64); 4] {
    let mut tones = [(Tone::Forbid, 0, 0), (Tone::Doubt, 0, 0), (Tone::Permit, 0, 0), (Tone::Quiet, 0, 0_u64)];
    for ((name, all), (_, twice)) in report.totals.each().into_iter().zip(report.counted_inside.each()) {
        let at = match name {
            "forbid" => Tone::Forbid,
            "indeterminate" => Tone::Doubt,
            "permit" => Tone::Permit,
            _ => Tone::Quiet,
        };
        for (tone, flows, octets) in &mut tones {
            if *tone == at {
                *flows = all.count.saturating_add(*flows);
                *octets = all.octets.saturating_sub(twice.octets).saturating_add(*octets);
            }
        }
    }
    tones
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

/// Where the octets went to or came from, largest first, each in parts by decision.
pub(super) fn places(landings: &[Landing<'_>]) -> Vec<PlaceBar> {
    type Octets = BTreeMap<Reverse<Option<Decision>>, u64>;
    let mut places: Vec<(String, Octets)> = Vec::new();
    let mut index = BTreeMap::new();
    let add = |sums: &mut Octets, decision, octets| {
        let sum = sums.entry(decision).or_default();
        *sum = sum.saturating_add(octets);
    };
    let whole = |sums: &Octets| sums.values().fold(0, |sum: u64, octets| sum.saturating_add(*octets));
    for landing in landings {
        let at = *index.entry((landing.to.places, landing.to.standing)).or_insert_with(|| {
            places.push((words::places(&landing.to.places, landing.to.standing), Octets::new()));
            places.len() - 1
        });
        if let Some((_, sums)) = places.get_mut(at) {
            add(sums, Reverse(landing.decision), landing.counted_octets());
        }
    }
    places.sort_by_key(|(_, sums)| Reverse(whole(sums)));
    let all = places.iter().fold(0, |sum: u64, (_, sums)| sum.saturating_add(whole(sums)));
    if places.len() > MAX_PLACES {
        let rest = places.split_off(MAX_PLACES - 1);
        let name = format!("{} other places", rest.len());
        let mut sums = Octets::new();
        rest.into_iter().flat_map(|(_, sums)| sums).for_each(|(decision, octets)| add(&mut sums, decision, octets));
        places.push((name, sums));
    }
    let largest = places.iter().map(|(_, sums)| whole(sums)).max().unwrap_or_default();
    let bar = |(place, sums): (String, Octets)| {
        let octets = whole(&sums);
        let mut at = 0.0;
        let mut parts = Vec::new();
        for (decision, part) in sums.into_iter().filter(|(_, part)| *part > 0) {
            let width = share(part, largest);
            parts.push((decision.0.into(), format!("{at:.2}"), format!("{width:.2}")));
            at += width;
        }
        PlaceBar { place, parts, octets: words::octets(octets), share: words::percent(octets, all) }
    };
    places.into_iter().map(bar).collect()
}

/// How wide a part of a bar is, in percent of the largest.
fn share(part: u64, largest: u64) -> f64 {
    if part == 0 || largest == 0 { 0.0 } else { (part as f64 / largest as f64 * 100.0).max(LEAST) }
}

/// The same, as it stands in the page.
pub(super) fn bar_width(part: u64, largest: u64) -> String {
    format!("{:.2}", share(part, largest))
}
