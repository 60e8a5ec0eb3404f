//! The derivation of one finding, from the report alone: what was seen, what the rule says, what the claims and the
//! round-trip times come to, and what follows.

use std::io;

use super::layout::{Ink, Painter};
use super::{Style, horizon, text, view, words};
use crate::model::{Axis, Decision, Finding, Report};

/// The findings whose identifier is `id` or begins with it.
pub fn find<'r>(report: &'r Report, id: &str) -> Vec<&'r Finding> {
    report.findings.iter().filter(|finding| !id.is_empty() && finding.id.starts_with(id)).collect()
}

/// Writes the derivation of a finding of a report. The only errors are those of `out`.
pub fn write(report: &Report, finding: &Finding, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut painter = Painter::new(out, style);
    let ink = if finding.decision == Decision::Forbid { Ink::Forbidden } else { Ink::Doubt };
    let title = format!("{} {}: {}", finding.id, words::decision(Some(finding.decision)), finding.title);
    painter.paragraph(0, ink, &title)?;

    painter.heading("Seen", "what the inputs show")?;
    let to = &finding.to;
    painter.fact(0, "from", &format!("zone {}", finding.zone))?;
    painter.fact(0, "to", &format!("{}, {}", words::places(&to.places, to.standing), view::operator(to)))?;
    if let Some(outer) = finding.tunnel {
        painter.fact(0, "tunnel", &words::inside(outer))?;
    }
    let contact = words::contact(finding.contact);
    let flows = words::several(finding.uniflows, "flow", "flows");
    let volume = words::volume(finding.sent, finding.contact);
    painter.fact(0, contact, &format!("{volume}; {flows}, {}", words::opener(finding.opened_by)))?;
    painter.fact(0, "seen", &words::span(finding.first, finding.last))?;
    for (place, flow) in finding.examples.iter().enumerate() {
        painter.fact(0, if place == 0 { "look at" } else { "" }, &text::where_to_look(report, flow))?;
        if let (Some(name), Some(from)) = (&flow.name, flow.name_from) {
            painter.fact(0, "", &format!("asked for as {name} ({})", words::name_source(from)))?;
        }
    }

    painter.heading("Claims", "who says where it is")?;
    for evidence in &finding.evidence {
        painter.item(0, "-", Ink::Plain, &view::says(report, evidence))?;
        painter.paragraph(2, Ink::Faint, words::authority(evidence.authority))?;
    }
    let stated = to.zone.as_ref().map(|zone| format!("The far end is in zone {zone}, whose place the policy states."));
    let none = stated.unwrap_or_else(|| "No source speaks of the addresses of the examples.".to_owned());
    if finding.evidence.is_empty() {
        painter.paragraph(0, Ink::Plain, &none)?;
    }
    if to.zone.is_none() {
        painter.paragraph(0, Ink::Plain, words::weighed(to.standing))?;
    }

    if let Some(summary) = &report.horizon {
        painter.heading("Horizon", "what round-trip times show")?;
        for proof in &finding.horizon {
            painter.item(0, "-", Ink::Strong, &format!("{}.", horizon::proof(report, proof)))?;
        }
        if finding.horizon.is_empty() {
            painter.paragraph(0, Ink::Plain, "Nothing more than the claims, for the addresses of the examples.")?;
        }
        for line in horizon::summary(summary) {
            painter.paragraph(0, Ink::Faint, &line)?;
        }
    }

    painter.heading("Rule", "what the policy says")?;
    let rule = finding.rule.as_ref().and_then(|id| report.policy.as_ref()?.rules.iter().find(|rule| rule.id == *id));
    match (&finding.rule, rule) {
        (Some(id), Some(rule)) => {
            painter.fact(0, "rule", &format!("{id}, {}: {}", rule.effect, rule.title))?;
            painter.fact(0, "why", &rule.why)?;
        }
        (Some(id), None) => painter.fact(0, "rule", id)?,
        (None, _) if !finding.limits.is_empty() => {
            painter.fact(0, "rule", "none within its limit: the default forbids")?;
        }
        (None, _) => painter.fact(0, "rule", "none: the policy's default forbids what no rule speaks of")?,
    }
    for limit in &finding.limits {
        painter.fact(0, "limit", &words::limit(limit))?;
    }
    painter.fact(0, "basis", &finding.basis.join("; "))?;
    painter.fact(0, "severity", words::severity(finding.severity))?;
    if let Some(policy) = &report.policy {
        painter.fact(
            0,
            "policy",
            &format!("{}, version {}, read from {}", policy.id, policy.version, policy.origin),
        )?;
        painter.fact(0, "SHA-256", &policy.digest)?;
    }

    painter.heading("Decision", "what follows")?;
    painter.paragraph(0, ink, &decided(report, finding))?;
    if finding.decision == Decision::Indeterminate {
        painter.fact(0, "decided by", words::would_decide(finding.axis, to.standing))?;
    }
    painter.paragraph(0, Ink::Plain, words::human_must_decide(finding.decision, finding.contact))?;
    painter.finish()
}

/// The last step, in a sentence.
fn decided(report: &Report, finding: &Finding) -> String {
    let (what, set) = match finding.axis {
        Axis::Place => ("The far end can be in", words::countries(&finding.to.places)),
        Axis::Control => {
            let party = finding.to.party.as_ref().and_then(|name| view::party(report, name));
            let whom = party.and_then(|party| party.controlled_from);
            (
                "Its operator answers to",
                whom.map_or_else(|| "nobody knows whom".to_owned(), |set| words::countries(&set)),
            )
        }
    };
    let by = finding.rule.as_ref().map_or_else(|| "the policy's default".to_owned(), |rule| format!("rule {rule}"));
    match finding.decision {
        Decision::Forbid => format!("{what} {set}: {by} forbids every one of these, so it is forbidden."),
        Decision::Indeterminate | Decision::Permit => {
            format!("{what} {set}: {by} forbids some of these and not others, so it could not be decided.")
        }
    }
}
