//! Two reports on the same inputs, compared: which findings and results of tripwires appear, which vanish, which change.
//!
//! Findings are the same where the rule, the axis, the zone, what went which way, who opened it and the far end are; what
//! is compared is the decision, the severity, the waiver, the party and how much there was. Tripwires are the same where their
//! identifiers are; what is compared is the kind, the severity and everything that tripped them.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::layout::{Ink, Painter};
use super::{Style, view, words};
use crate::model::{Contact, Counters, Decision, Finding, Outcome, Report, Totals, Tripped, TripwireResult};

/// What is different between two reports.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// `landfall.comparison`.
    pub schema: &'static str,
    /// 1.
    pub version: u32,
    /// The first report.
    pub before: Side,
    /// The second.
    pub after: Side,
    /// Findings that only the second has.
    pub appeared: Vec<Finding>,
    /// Findings that only the first has.
    pub vanished: Vec<Finding>,
    /// Findings that both have, and not alike.
    pub changed: Vec<Change>,
    /// How many findings both have alike.
    pub unchanged: usize,
    /// Tripwires that only one has, or that came to something else, by identifier.
    pub tripwires: Vec<TripwireChange>,
}

/// A tripwire that did not come to the same in both reports.
#[derive(Clone, Debug, Serialize)]
pub struct TripwireChange {
    /// Its identifier.
    pub id: String,
    /// In the first; `None` where its policy has no such tripwire.
    pub before: Option<TripwireResult>,
    /// In the second; `None` where its policy has no such tripwire.
    pub after: Option<TripwireResult>,
}

/// One of the reports.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Side {
    /// Where its policy was read.
    pub origin: String,
    /// The policy's identifier.
    pub policy: String,
    /// The policy's version.
    pub policy_version: String,
    /// SHA-256 of the policy's text.
    pub digest: String,
    /// What it came to.
    pub outcome: Outcome,
    /// How many flows came to which end.
    pub totals: Totals,
    /// Its warnings; what the law was supposed to be without is among them.
    pub warnings: Vec<String>,
}

/// A finding that is not alike in both reports; there are several on a side where a waiver covers a part of it.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// In the first.
    pub before: Vec<Finding>,
    /// In the second.
    pub after: Vec<Finding>,
}

impl Comparison {
    /// Whether no finding, no tripwire and no total is different.
    pub fn is_empty(&self) -> bool {
        self.appeared.is_empty()
            && self.vanished.is_empty()
            && self.changed.is_empty()
            && self.tripwires.is_empty()
            && self.before.totals == self.after.totals
            && self.before.outcome == self.after.outcome
    }
}

/// Compares two reports.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let (mut old, new) = (by_kind(before), by_kind(after));
    let mut comparison = Comparison {
        schema: "landfall.comparison",
        version: 1,
        before: side(before),
        after: side(after),
        appeared: Vec::new(),
        vanished: Vec::new(),
        changed: Vec::new(),
        unchanged: 0,
        tripwires: tripwires(before, after),
    };
    for (kind, after) in new {
        let clone = |findings: &[&Finding]| findings.iter().map(|finding| (*finding).clone()).collect();
        match old.remove(&kind) {
            None => comparison.appeared.extend(after.into_iter().cloned()),
            Some(before) if before.iter().map(|one| facts(one)).eq(after.iter().map(|one| facts(one))) => {
                comparison.unchanged += after.len();
            }
            Some(before) => comparison.changed.push(Change { before: clone(&before), after: clone(&after) }),
        }
    }
    comparison.vanished.extend(old.into_values().flatten().cloned());
    comparison
}

/// The tripwires that came to something else, and those that only one report has.
fn tripwires(before: &Report, after: &Report) -> Vec<TripwireChange> {
    let mut both: BTreeMap<&str, [Option<&TripwireResult>; 2]> = BTreeMap::new();
    for (side, report) in [before, after].into_iter().enumerate() {
        for result in &report.tripwires {
            if let Some(place) = both.entry(&result.id).or_default().get_mut(side) {
                *place = Some(result);
            }
        }
    }
    let came = |result: &TripwireResult| (result.kind.clone(), result.severity, result.tripped.clone());
    let changed = both.into_iter().filter(|(_, [before, after])| before.map(came) != after.map(came));
    changed
        .map(|(id, [before, after])| TripwireChange {
            id: id.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        })
        .collect()
}

/// Everything of a finding that can be different between two policies.
fn facts(finding: &Finding) -> impl PartialEq + use<'_> {
    let Finding { decision, severity, waiver, uniflows, sent, first, last, to, .. } = finding;
    (decision, severity, waiver, uniflows, sent, first, last, &to.party)
}

type Kind = [String; 11];

/// Findings by what makes two the same, in the order of the report.
fn by_kind(report: &Report) -> BTreeMap<Kind, Vec<&Finding>> {
    let mut kinds: BTreeMap<Kind, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        let Finding { rule, axis, zone, contact, opened_by, to, tunnel, .. } = finding;
        let kind = [
            rule.clone().unwrap_or_default(),
            format!("{axis:?}"),
            zone.clone(),
            format!("{contact:?}"),
            format!("{opened_by:?}"),
            to.places.to_string(),
            format!("{:?}", to.standing),
            format!("{:?}", to.asn),
            to.organisation.clone().unwrap_or_default(),
            to.zone.clone().unwrap_or_default(),
            tunnel.map(words::tunnel).unwrap_or_default(),
        ];
        kinds.entry(kind).or_default().push(finding);
    }
    kinds
}

fn side(report: &Report) -> Side {
    let policy = report.policy.as_ref();
    let text = |of: fn(&crate::model::PolicySummary) -> &String| policy.map(of).cloned().unwrap_or_default();
    Side {
        origin: text(|policy| &policy.origin),
        policy: text(|policy| &policy.id),
        policy_version: text(|policy| &policy.version),
        digest: text(|policy| &policy.digest),
        outcome: report.outcome,
        totals: report.totals,
        warnings: report.warnings.clone(),
    }
}

/// Writes a comparison for people.
pub fn write_comparison(comparison: &Comparison, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let Comparison { before, after, appeared, vanished, changed, unchanged, .. } = comparison;
    let mut painter = Painter::new(out, style);
    let summary = if comparison.is_empty() {
        format!("Nothing is different: {} alike", words::several(*unchanged as u64, "finding", "findings"))
    } else {
        let [came, went, differ, alike] =
            [appeared.len(), vanished.len(), changed.len(), *unchanged].map(|n| words::number(n as u64));
        let tripwires = match comparison.tripwires.len() {
            0 => String::new(),
            n => format!("; tripwires that change: {}", words::number(n as u64)),
        };
        format!(
            "Findings that appear: {came}; that vanish: {went}; that change: {differ}; alike in both: {alike}{tripwires}"
        )
    };
    painter.paragraph(0, Ink::Strong, &summary)?;
    for (label, side) in [("before", before), ("after", after)] {
        let version =
            if side.policy_version.is_empty() { String::new() } else { format!(", version {}", side.policy_version) };
        let outcome = words::outcome(side.outcome);
        painter.fact(0, label, &format!("{} ({}{version}): {outcome}", side.origin, side.policy))?;
        for warning in &side.warnings {
            painter.fact(0, "", warning)?;
        }
    }
    let totals =
        before.totals.each().into_iter().zip(after.totals.each()).filter(|((_, one), (_, other))| one != other);
    for (place, ((name, one), (_, other))) in totals.enumerate() {
        let text = format!(
            "{}: {} to {} flows, {} to {}",
            words::total(name),
            words::number(one.count),
            words::number(other.count),
            words::octets(one.octets),
            words::octets(other.octets)
        );
        painter.fact(0, if place == 0 { "totals" } else { "" }, &text)?;
    }
    for (title, about, mark, findings) in
        [("Appear", "only after", "+", appeared), ("Vanish", "only before", "-", vanished)]
    {
        if findings.is_empty() {
            continue;
        }
        painter.heading(title, about)?;
        for finding in findings.iter().take(MAX_SHOWN) {
            painter.item(0, mark, ink(finding), &line(finding))?;
        }
        rest(&mut painter, findings.len())?;
    }
    if !changed.is_empty() {
        painter.heading("Change", "in both, and not alike")?;
        for Change { before, after } in changed.iter().take(MAX_SHOWN) {
            for (mark, finding) in before.iter().map(|one| ("-", one)).chain(after.iter().map(|one| ("+", one))) {
                painter.item(0, mark, ink(finding), &line(finding))?;
            }
        }
        rest(&mut painter, changed.len())?;
    }
    if !comparison.tripwires.is_empty() {
        painter.heading("Tripwires", "in one alone, or not alike")?;
        for change in &comparison.tripwires {
            write_tripwire(change, &mut painter)?;
        }
    }
    painter.finish()
}

/// What a tripwire came to before and after, and what trips it on one side alone.
fn write_tripwire(change: &TripwireChange, painter: &mut Painter<'_>) -> io::Result<()> {
    let came = |result: &Option<TripwireResult>| match result {
        None => "not in the policy".to_owned(),
        Some(result) if result.tripped.is_empty() => "nothing trips it".to_owned(),
        Some(result) => {
            let things = words::several(result.tripped.len() as u64, "thing trips", "things trip");
            format!("{things} it, {}", words::severity(result.severity))
        }
    };
    let text = format!("{}: {} before; {} after", change.id, came(&change.before), came(&change.after));
    painter.paragraph(0, Ink::Strong, &text)?;
    let tripped = |result: &Option<TripwireResult>| {
        result.iter().flat_map(|result| result.tripped.clone()).collect::<Vec<Tripped>>()
    };
    let (before, after) = (tripped(&change.before), tripped(&change.after));
    let gone = before.iter().filter(|one| !after.contains(one)).map(|one| ("-", one));
    let new = after.iter().filter(|one| !before.contains(one)).map(|one| ("+", one));
    let lines: Vec<(&str, &Tripped)> = gone.chain(new).collect();
    for (mark, one) in lines.iter().take(MAX_SHOWN) {
        let ink = if *mark == "+" { Ink::Forbidden } else { Ink::Plain };
        painter.item(0, mark, ink, &format!("since {}: {}", words::time(one.since), one.sentence))?;
    }
    rest(painter, lines.len())
}

/// The most findings of a kind that are shown.
const MAX_SHOWN: usize = 50;

fn rest(painter: &mut Painter<'_>, all: usize) -> io::Result<()> {
    if all <= MAX_SHOWN {
        return Ok(());
    }
    let more = words::number((all - MAX_SHOWN) as u64);
    painter.paragraph(0, Ink::Strong, &format!("and {more} more, see --format json"))
}

fn ink(finding: &Finding) -> Ink {
    match finding.decision {
        _ if finding.is_waived() => Ink::Plain,
        Decision::Forbid => Ink::Forbidden,
        Decision::Indeterminate | Decision::Permit => Ink::Doubt,
    }
}

fn line(finding: &Finding) -> String {
    let Counters { octets, .. } = finding.sent;
    let rule = finding.rule.as_ref().map_or_else(|| "the default".to_owned(), |rule| format!("rule {rule}"));
    let way = match finding.contact {
        Contact::Sent => "sent to",
        Contact::Received => "received from",
        Contact::SentNothing => "sent no payload to",
        Contact::ReceivedNothing => "received no payload from",
    };
    let waiver = finding.waiver.as_ref().map(|waiver| format!("; waived by {}", words::waiver(waiver)));
    format!(
        "{} {} by {rule}, {}: zone {} {way} {}, {}; {}, {}, {} to {}{}",
        finding.id,
        words::decision(Some(finding.decision)),
        words::severity(finding.severity),
        finding.zone,
        words::places(&finding.to.places, finding.to.standing),
        view::operator(&finding.to),
        words::several(finding.uniflows, "flow", "flows"),
        words::octets(octets),
        words::time(finding.first),
        words::time(finding.last),
        waiver.unwrap_or_default(),
    )
}
