//! The report for a terminal: findings, then where the traffic landed, then what was seen and what was not.

use std::io;

use super::inputs::{self, Weight};
use super::landing::{self, Landing, Sums};
use super::layout::{Column, Ink, Kind, LINE, Painter};
use super::view::{self, Group, Section};
use super::visible::visible;
use super::{Style, horizon, words};
use crate::model::{Contact, Decision, ExampleFlow, InputCoverage, Outcome, Report, Severity, Standing};

/// The most groups of findings of one decision that are shown.
const MAX_GROUPS: usize = 10;
/// The most rows of the inventory.
const MAX_LANDINGS: usize = 20;
/// The most inputs that are shown one by one.
const MAX_INPUTS: usize = 10;
/// The most things that tripped one tripwire, and the most of its remarks.
const MAX_TRIPPED: usize = 8;
/// The most proofs by round-trip time beside those of findings.
const MAX_PROOFS: usize = 10;
/// The most addresses, names, claims and flows of a group.
const MAX_SHOWN: usize = 3;
/// From this width on, the inventory has a column for the organisation.
const WIDE: usize = 110;

pub(super) fn write(report: &Report, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut painter = Painter::new(out, style);
    let ink = match report.outcome {
        Outcome::Forbidden => Ink::Forbidden,
        Outcome::Incomplete | Outcome::Indeterminate => Ink::Doubt,
        Outcome::Clean if report.policy.is_some() => Ink::Good,
        Outcome::Clean => Ink::Strong,
    };
    painter.paragraph(0, ink, &view::headline(report))?;
    if let (Some(first), Some(last)) = (report.first, report.last) {
        let coverage = inputs::completeness(report);
        painter.paragraph(0, Ink::Faint, &format!("Observed {}; coverage {coverage}.", words::span(first, last)))?;
    }
    for section in [Section::Forbidden, Section::Undecided, Section::Waived] {
        findings(&mut painter, report, section)?;
    }
    tripwires(&mut painter, report)?;
    inventory(&mut painter, report)?;
    proofs(&mut painter, report)?;
    coverage(&mut painter, report)?;
    grounds(&mut painter, report)?;
    if !report.warnings.is_empty() {
        painter.heading("Warnings", "what someone should mend")?;
        for warning in &report.warnings {
            painter.item(0, "!", Ink::Doubt, warning)?;
        }
    }
    if !report.limits.is_empty() {
        painter.heading("Limits", "what this report cannot show")?;
        for limit in &report.limits {
            painter.item(0, "-", Ink::Plain, limit)?;
        }
    }
    painter.blank()?;
    let stamp = report.stamp.map(|at| format!(", written {}", words::time(at))).unwrap_or_default();
    let Report { tool, schema, version, .. } = report;
    painter.paragraph(0, Ink::Faint, &format!("{} {}, {schema} version {version}{stamp}", tool.name, tool.version))?;
    painter.finish()
}

fn findings(painter: &mut Painter<'_>, report: &Report, section: Section) -> io::Result<()> {
    let groups = view::groups(report, section);
    if groups.is_empty() {
        return Ok(());
    }
    let all: usize = groups.iter().map(|group| group.findings.len()).sum();
    let (title, about) = match section {
        Section::Undecided => ("Could not be decided", "the evidence does not say whether the policy allows it"),
        Section::Forbidden => ("Findings", "what the policy forbids"),
        Section::Waived => ("Waived", "findings that someone has accepted for a time; they do not fail the run"),
    };
    painter.heading(title, about)?;
    for (place, group) in groups.iter().take(MAX_GROUPS).enumerate() {
        if place > 0 {
            painter.blank()?;
        }
        finding(painter, report, group, place + 1)?;
    }
    if groups.len() > MAX_GROUPS {
        let shown: usize = groups.iter().take(MAX_GROUPS).map(|group| group.findings.len()).sum();
        let text = format!(
            "and {} in {}, see --format json",
            words::several((all - shown) as u64, "more finding", "more findings"),
            words::several((groups.len() - MAX_GROUPS) as u64, "group", "groups"),
        );
        painter.blank()?;
        painter.paragraph(0, Ink::Strong, &text)?;
    }
    Ok(())
}

fn finding(painter: &mut Painter<'_>, report: &Report, group: &Group<'_>, number: usize) -> io::Result<()> {
    let lead = group.lead;
    let mark = format!("{number:>2}");
    let indent = 3;
    let ink = match (lead.decision, group.severity()) {
        _ if lead.is_waived() => Ink::Strong,
        (Decision::Forbid, Severity::High | Severity::Critical) => Ink::Forbidden,
        (Decision::Forbid, _) => Ink::Strong,
        _ => Ink::Doubt,
    };
    let rule = match &lead.rule {
        Some(rule) => format!("{}, rule {rule}: {}", words::severity(group.severity()), lead.title),
        None => format!("{}, the policy's default: {}", words::severity(group.severity()), lead.title),
    };
    painter.item(0, &mark, ink, &rule)?;
    let country = view::zone(report, &lead.zone).and_then(|zone| zone.country);
    let country = country.map(|set| format!(", {}", words::countries(&set))).unwrap_or_default();
    painter.fact(indent, "from", &format!("zone {}{country}: {}", lead.zone, group.near(MAX_SHOWN)))?;
    painter.fact(
        indent,
        "to",
        &format!("{}: {}", words::places(&lead.to.places, lead.to.standing), group.far(MAX_SHOWN)),
    )?;
    painter.fact(indent, "operator", &view::operator(&lead.to))?;
    if let Some(outer) = lead.tunnel {
        painter.fact(indent, "tunnel", &words::inside(outer))?;
    }
    if let Some(set) = lead.to.party.as_ref().and_then(|party| view::party(report, party)?.controlled_from) {
        painter.fact(indent, "answers to", &words::countries(&set))?;
    }
    painter.fact(indent, "name", &group.names(MAX_SHOWN).join(", "))?;
    for finding in &group.findings {
        let what = format!(
            "{}; {}, {}",
            words::volume(finding.sent, finding.contact),
            words::several(finding.uniflows, "flow", "flows"),
            words::opener(finding.opened_by),
        );
        let label = match finding.contact {
            Contact::Sent | Contact::Received => words::contact(finding.contact),
            Contact::SentNothing => "contact >",
            Contact::ReceivedNothing => "contact <",
        };
        painter.fact(indent, label, &what)?;
    }
    let (first, last) = group.seen();
    painter.fact(indent, "seen", &words::span(first, last))?;
    painter.fact(indent, "waived by", &group.waiver().unwrap_or_default())?;
    for (place, limit) in group.limits().iter().enumerate() {
        painter.fact(indent, if place == 0 { "limit" } else { "" }, limit)?;
    }
    painter.fact(indent, "basis", &lead.basis.join("; "))?;
    for (place, claim) in group.evidence(report, MAX_SHOWN).iter().enumerate() {
        painter.fact(indent, if place == 0 { "evidence" } else { "" }, claim)?;
    }
    for (place, proof) in group.horizon(report, MAX_SHOWN).iter().enumerate() {
        painter.fact(indent, if place == 0 { "horizon" } else { "" }, proof)?;
    }
    for (place, flow) in group.examples(MAX_SHOWN).into_iter().enumerate() {
        painter.fact(indent, if place == 0 { "look at" } else { "" }, &where_to_look(report, flow))?;
    }
    let ids: Vec<&str> = group.findings.iter().map(|finding| finding.id.as_str()).collect();
    painter.fact(indent, if ids.len() == 1 { "id" } else { "ids" }, &ids.join(", "))?;
    if lead.decision == Decision::Indeterminate {
        painter.fact(indent, "decided by", words::would_decide(lead.axis, lead.to.standing))?;
    }
    Ok(())
}

/// What the tripwires came to: conditions over everything that was seen.
fn tripwires(painter: &mut Painter<'_>, report: &Report) -> io::Result<()> {
    if report.tripwires.is_empty() {
        return Ok(());
    }
    painter.heading("Tripwires", "conditions over everything that was seen")?;
    for (place, tripwire) in view::tripwires(report).enumerate() {
        if place > 0 {
            painter.blank()?;
        }
        let quiet = tripwire.tripped.is_empty();
        let ink = match tripwire.severity {
            _ if quiet => Ink::Plain,
            Severity::High | Severity::Critical => Ink::Forbidden,
            Severity::Info | Severity::Low | Severity::Medium => Ink::Strong,
        };
        let (mark, state) = if quiet { (" -", "quiet") } else { (" !", words::severity(tripwire.severity)) };
        painter.item(0, mark, ink, &format!("{state}, {} {}: {}", tripwire.kind, tripwire.id, tripwire.title))?;
        for tripped in tripwire.tripped.iter().take(MAX_TRIPPED) {
            painter.fact(3, "tripped", &tripped.sentence)?;
            painter.fact(3, "seen", &words::span(tripped.since, tripped.last))?;
            for flow in tripped.examples.iter().take(MAX_SHOWN) {
                painter.fact(3, "look at", &where_to_look(report, flow))?;
            }
        }
        if tripwire.tripped.len() > MAX_TRIPPED {
            painter.fact(3, "", &format!("and {} more, see --format json", tripwire.tripped.len() - MAX_TRIPPED))?;
        }
        for remark in tripwire.remarks.iter().take(MAX_TRIPPED) {
            painter.fact(3, "beside", remark)?;
        }
        if tripwire.remarks.len() > MAX_TRIPPED {
            painter.fact(3, "", &format!("and {} more, see --format json", tripwire.remarks.len() - MAX_TRIPPED))?;
        }
        if !quiet {
            painter.fact(3, "basis", &tripwire.basis.join("; "))?;
        }
    }
    Ok(())
}

/// An example flow: the place in the input, and who spoke to whom.
pub(super) fn where_to_look(report: &Report, flow: &ExampleFlow) -> String {
    let input = report.inputs.iter().find(|input| input.name == flow.input);
    let (_, _, frame) = input.map_or(("", "", "position"), inputs::units);
    let end = |addr: crate::model::Addr, port: u16| match (port, addr.is_v4()) {
        (0, _) => addr.to_string(),
        (_, true) => format!("{addr}:{port}"),
        (_, false) => format!("[{addr}]:{port}"),
    };
    let (near, far) = (end(flow.near, flow.near_port), end(flow.far, flow.far_port));
    format!(
        "{} {frame} {}: {near} and {far}, {}, {}",
        flow.input,
        flow.position,
        flow.protocol,
        words::time(flow.start)
    )
}

fn inventory(painter: &mut Painter<'_>, report: &Report) -> io::Result<()> {
    let landings = landing::landings(report);
    if landings.is_empty() {
        return Ok(());
    }
    painter.heading("Where the traffic landed", "IP octets by country and organisation, largest first")?;
    let wide = painter.width >= WIDE;
    let column = |title, kind| Column { title, kind };
    let mut columns = vec![column("Place", Kind::Text)];
    columns.extend(wide.then(|| column("Organisation", Kind::Text)));
    columns.extend([
        column("Sent", Kind::Number),
        column("Received", Kind::Number),
        column("Flows", Kind::Number),
        column("Addresses", Kind::Number),
    ]);
    let judged = report.policy.is_some();
    columns.extend(judged.then(|| column("Decision", Kind::Word)));
    let row = |first: [String; 2], numbers: [String; 4], decision: &str| {
        let [place, who] = first.map(|text| visible(&text).into_owned());
        let mut cells = if wide {
            vec![place, who]
        } else if who.is_empty() {
            vec![place]
        } else {
            vec![format!("{place}{LINE}  {who}")]
        };
        cells.extend(numbers);
        cells.extend(judged.then(|| decision.to_owned()));
        cells
    };
    let mut rows: Vec<(Ink, Vec<String>)> =
        landings.iter().take(MAX_LANDINGS).map(|landing| landed(landing, row)).collect();
    if landings.len() > MAX_LANDINGS {
        let rest = landings.iter().skip(MAX_LANDINGS);
        let mut sums = (0_u64, 0_u64, 0_u64);
        for landing in rest {
            let (sent, received) = landing.counted();
            sums.0 = sums.0.saturating_add(sent);
            sums.1 = sums.1.saturating_add(received);
            sums.2 = sums.2.saturating_add(landing.flows);
        }
        let more = format!("and {} more, see --format json", words::number((landings.len() - MAX_LANDINGS) as u64));
        let numbers = [words::octets(sums.0), words::octets(sums.1), words::number(sums.2), String::new()];
        rows.push((Ink::Plain, row([more, String::new()], numbers, "")));
    }
    let sums = Sums::of(&landings);
    let numbers = [words::octets(sums.sent), words::octets(sums.received), words::number(sums.flows), String::new()];
    rows.push((Ink::Plain, row(["Total".to_owned(), String::new()], numbers, "")));
    painter.table(&columns, &rows)?;
    painter.blank()?;
    painter.paragraph(0, Ink::Plain, &sums.unknown())?;
    let ends: Vec<String> = report
        .totals
        .each()
        .iter()
        .filter(|(_, count)| count.count > 0)
        .map(|(name, count)| {
            format!("{} {} ({})", words::number(count.count), words::total(name), words::octets(count.octets))
        })
        .collect();
    painter.paragraph(0, Ink::Plain, &format!("All flows: {}.", ends.join(", ")))?;
    match words::counted_inside(report.counted_inside) {
        Some(text) => painter.paragraph(0, Ink::Plain, &text),
        None => Ok(()),
    }
}

/// What round-trip times showed.
fn proofs(painter: &mut Painter<'_>, report: &Report) -> io::Result<()> {
    let Some(summary) = &report.horizon else { return Ok(()) };
    painter.heading("Horizon", "what round-trip times refute and prove")?;
    for line in horizon::summary(summary) {
        painter.paragraph(0, Ink::Plain, &line)?;
    }
    for proof in summary.proofs.iter().take(MAX_PROOFS) {
        let ink = if proof.standing == Standing::Refuted { Ink::Strong } else { Ink::Plain };
        painter.item(0, "-", ink, &horizon::proof(report, proof))?;
    }
    let more = summary.proofs.len().saturating_sub(MAX_PROOFS) as u64;
    if more > 0 {
        let text = format!("and {}, see --format json", words::several(more, "more proof", "more proofs"));
        painter.paragraph(0, Ink::Strong, &text)?;
    }
    Ok(())
}

fn landed(landing: &Landing<'_>, row: impl Fn([String; 2], [String; 4], &str) -> Vec<String>) -> (Ink, Vec<String>) {
    let ink = match landing.decision {
        Some(Decision::Forbid) => Ink::Forbidden,
        Some(Decision::Indeterminate) => Ink::Doubt,
        Some(Decision::Permit) => Ink::Good,
        None => Ink::Faint,
    };
    let numbers = [
        words::octets(landing.sent.octets),
        words::octets(landing.received.octets),
        words::number(landing.flows),
        words::about(landing.addresses),
    ];
    let place = words::places(&landing.to.places, landing.to.standing);
    (ink, row([place, landing.who()], numbers, words::decision(landing.decision)))
}

fn coverage(painter: &mut Painter<'_>, report: &Report) -> io::Result<()> {
    painter.heading("Coverage", "what was read, and what of it could not be used")?;
    if report.inputs.is_empty() {
        return painter.paragraph(0, Ink::Doubt, "There was no input.");
    }
    let gaps = report.inputs.iter().filter(|input| !input.is_complete()).count();
    let all = report.inputs.len();
    let (ink, text) = match gaps {
        0 => (Ink::Good, "Complete: nothing that a policy speaks of was left out.".to_owned()),
        _ => (
            Ink::Doubt,
            format!(
                "Incomplete: of {}, {} held traffic that could not be judged.",
                inputs(all),
                words::number(gaps as u64)
            ),
        ),
    };
    painter.paragraph(0, ink, &text)?;
    // Those with gaps first; otherwise in their own order.
    let ordered = report.inputs.iter().filter(|input| !input.is_complete());
    let ordered = ordered.chain(report.inputs.iter().filter(|input| input.is_complete()));
    for input in ordered.take(MAX_INPUTS) {
        covered(painter, input)?;
    }
    if all > MAX_INPUTS {
        let read = report.inputs.iter().fold(0, |sum: u64, input| sum.saturating_add(input.read.count));
        let used = report.inputs.iter().fold(0, |sum: u64, input| sum.saturating_add(input.used.count));
        let skipped = report.inputs.iter().fold(0, |sum: u64, input| sum.saturating_add(inputs::skipped(input)));
        let [read, used, skipped] = [read, used, skipped].map(words::number);
        let more = words::several((all - MAX_INPUTS) as u64, "input", "inputs");
        let text = format!(
            "and {more} more, see --format json; all together: {read} read = {used} in flows + {skipped} skipped"
        );
        painter.paragraph(0, Ink::Strong, &text)?;
    }
    Ok(())
}

fn inputs(n: usize) -> String {
    words::several(n as u64, "input", "inputs")
}

fn covered(painter: &mut Painter<'_>, input: &InputCoverage) -> io::Result<()> {
    let when = input.first.zip(input.last).map(|(first, last)| format!(", {}", words::span(first, last)));
    painter.paragraph(0, Ink::Strong, &format!("{} ({}){}", input.name, input.kind, when.unwrap_or_default()))?;
    painter.paragraph(2, Ink::Plain, &inputs::control_total(input))?;
    if let Some(digest) = &input.digest {
        painter.item(2, "-", Ink::Plain, &inputs::digest(digest))?;
    }
    for (weight, line) in inputs::coverage_lines(input) {
        let ink = if weight == Weight::Gap { Ink::Doubt } else { Ink::Plain };
        painter.item(2, "-", ink, &line)?;
    }
    Ok(())
}

fn grounds(painter: &mut Painter<'_>, report: &Report) -> io::Result<()> {
    painter.heading("Grounds", "what the decisions rest on")?;
    match &report.policy {
        None => painter.fact(0, "policy", "none: nothing was judged")?,
        Some(policy) => {
            let version =
                if policy.version.is_empty() { String::new() } else { format!(", version {}", policy.version) };
            let owner = if policy.owner.is_empty() { String::new() } else { format!(", owner {}", policy.owner) };
            painter.fact(0, "policy", &format!("{}{version}: {}{owner}", policy.id, policy.title))?;
            let rules = words::several(policy.rules.len() as u64, "rule", "rules");
            painter.fact(
                0,
                "",
                &format!("{rules}; what no rule speaks of: {}; read from {}", policy.default, policy.origin),
            )?;
            painter.fact(0, "SHA-256", &policy.digest)?;
            for (place, set) in policy.sets.iter().enumerate() {
                let text = format!(
                    "@{}: {}, {}; reviewed {}, due again {}{}",
                    set.name,
                    set.title,
                    words::several(set.members.len() as u64, "country", "countries"),
                    set.reviewed_on,
                    set.review_due,
                    words::known_only(set),
                );
                painter.fact(0, if place == 0 { "law" } else { "" }, &text)?;
            }
        }
    }
    for (place, waiver) in report.waivers.iter().enumerate() {
        let [what, owner, expires, reason, covered] = words::waiver_row(waiver);
        let text = format!("{what}; {owner}, until before {expires}: {reason}; covered {covered}");
        painter.fact(0, if place == 0 { "waivers" } else { "" }, &text)?;
    }
    painter.fact(0, "ours", &view::taken_as_ours(report))?;
    for zone in report.policy.iter().flat_map(|policy| &policy.zones) {
        let place = zone.country.map(|set| format!(" ({})", words::countries(&set))).unwrap_or_default();
        painter.fact(0, "", &format!("zone {}{place}: {}", zone.name, zone.networks.join(", ")))?;
    }
    for (place, source) in report.location_sources.iter().enumerate() {
        let label = if place == 0 { "locations" } else { "" };
        painter.fact(0, label, &format!("{} {}", source.name, view::source_facts(source)))?;
        let licence = source.licence.as_ref().map(|licence| format!("licence {licence}"));
        let facts = [source.attribution.clone(), licence, Some(format!("read from {}", source.origin))];
        painter.fact(0, "", &facts.into_iter().flatten().collect::<Vec<_>>().join("; "))?;
        painter.fact(0, "SHA-256", &source.digest)?;
    }
    if report.location_sources.is_empty() {
        painter.fact(0, "locations", "no source")?;
    }
    painter.fact(0, "", "all of it together:")?;
    painter.fact(0, "SHA-256", &report.gazetteer)
}
