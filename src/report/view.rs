//! A report arranged for people: what belongs together in one group, what is largest first, and what it came to in a
//! sentence. Nothing is judged here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::landing::{self, Sums};
use super::{horizon, words};
use crate::model::{
    Addr, Asn, Authority, Axis, Contact, CountrySet, Decision, Endpoint, Evidence, ExampleFlow, Finding, FindingWaiver,
    InputCoverage, LocationSource, Outcome, Outer, PartySummary, Report, RuleSummary, Severity, Standing, Timestamp,
    TripwireResult, ZoneSummary,
};

/// Findings under one rule, from one zone to one kind of far end: both directions, whoever opened the conversation.
pub(super) struct Group<'r> {
    /// The findings: what was sent, then what was received.
    pub(super) findings: Vec<&'r Finding>,
    /// The first of them, which stands for what they share.
    pub(super) lead: &'r Finding,
}

type GroupKey<'r> = (
    (&'r Option<String>, &'r str),
    Axis,
    &'r str,
    (CountrySet, Standing, Option<Asn>, &'r Option<String>, &'r Option<String>),
    Option<Outer>,
);

/// The parts of a report that hold findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// What the policy forbids and nobody has accepted.
    Forbidden,
    /// What could not be decided and nobody has accepted.
    Undecided,
    /// What a waiver covers, whichever of the two it is.
    Waived,
}

impl Section {
    fn of(finding: &Finding) -> Self {
        match finding.decision {
            _ if finding.is_waived() => Self::Waived,
            Decision::Forbid => Self::Forbidden,
            Decision::Indeterminate | Decision::Permit => Self::Undecided,
        }
    }
}

/// The groups of one section, gravest first, then by octets.
pub(super) fn groups(report: &Report, section: Section) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(Decision, &Option<FindingWaiver>, GroupKey<'_>), Group<'_>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| Section::of(finding) == section) {
        let Endpoint { places, standing, asn, party, zone, .. } = &finding.to;
        let to = (*places, *standing, *asn, party, zone);
        // The title tells what is beyond a limit from what no rule speaks of.
        let rule = (&finding.rule, finding.title.as_str());
        let key = (rule, finding.axis, finding.zone.as_str(), to, finding.tunnel);
        let key = (finding.decision, &finding.waiver, key);
        groups.entry(key).or_insert_with(|| Group { findings: Vec::new(), lead: finding }).findings.push(finding);
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    for group in &mut groups {
        group.findings.sort_by_key(|finding| (finding.contact, finding.opened_by));
    }
    // Stable, and the map was sorted: what is alike in both stays in the order of its key.
    groups.sort_by_key(|group| Reverse((group.severity(), group.octets())));
    groups
}

impl<'r> Group<'r> {
    /// The gravest severity.
    pub(super) fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or_default()
    }

    /// All octets.
    pub(super) fn octets(&self) -> u64 {
        self.findings.iter().fold(0, |sum, finding| sum.saturating_add(finding.sent.octets))
    }

    /// The first and the last packet.
    pub(super) fn seen(&self) -> (Timestamp, Timestamp) {
        let times = |finding: &Finding| (finding.first, finding.last);
        self.findings
            .iter()
            .map(|finding| times(finding))
            .fold(times(self.lead), |(first, last), (one, other)| (first.min(one), last.max(other)))
    }

    /// The earliest flows of all findings, one for each frame or line.
    pub(super) fn examples(&self, most: usize) -> Vec<&'r ExampleFlow> {
        let mut examples: Vec<&ExampleFlow> = self.findings.iter().flat_map(|finding| &finding.examples).collect();
        examples
            .sort_by_key(|flow| (flow.start, flow.input.as_str(), flow.position, flow.near, flow.far, flow.far_port));
        examples.dedup_by_key(|flow| (flow.input.as_str(), flow.position, flow.near, flow.far));
        examples.truncate(most);
        examples
    }

    /// Our addresses in the examples, and how many there are in all, where that is more.
    pub(super) fn near(&self, most: usize) -> String {
        let shown = self.findings.iter().flat_map(|finding| &finding.examples).map(|flow| flow.near);
        addresses(&shown.collect(), self.findings.iter().map(|finding| finding.near_addresses), most)
    }

    /// The far addresses, in the same way.
    pub(super) fn far(&self, most: usize) -> String {
        let shown = self.findings.iter().flat_map(|finding| &finding.examples).map(|flow| flow.far);
        addresses(&shown.collect(), self.findings.iter().map(|finding| finding.far_addresses), most)
    }

    /// The names by which the far end was asked for, and how they were seen.
    pub(super) fn names(&self, most: usize) -> Vec<String> {
        let flows = self.findings.iter().flat_map(|finding| &finding.examples);
        let names: BTreeSet<_> =
            flows.filter_map(|flow| flow.name.as_deref().map(|name| (name, flow.name_from))).collect();
        let all = names.len();
        let mut texts: Vec<String> = names
            .into_iter()
            .take(most)
            .map(|(name, from)| match from {
                Some(from) => format!("{name} ({})", words::name_source(from)),
                None => name.to_owned(),
            })
            .collect();
        if all > most {
            texts.push(format!("and {} more", all - most));
        }
        texts
    }

    /// What the sources say, a sentence each.
    pub(super) fn evidence(&self, report: &Report, most: usize) -> Vec<String> {
        let all: BTreeSet<&Evidence> = self.findings.iter().flat_map(|finding| &finding.evidence).collect();
        let mut texts: Vec<String> = all.iter().take(most).map(|evidence| says(report, evidence)).collect();
        if all.len() > most {
            texts.push(format!("and {} more claims", all.len() - most));
        }
        texts
    }

    /// What round-trip times did to what is claimed, a sentence each.
    pub(super) fn horizon(&self, report: &Report, most: usize) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for proof in self.findings.iter().flat_map(|finding| &finding.horizon) {
            let text = horizon::proof(report, proof);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if texts.len() > most {
            let more = texts.len() - most;
            texts.truncate(most);
            texts.push(format!("and {more} more proofs"));
        }
        texts
    }

    /// The rule, where one decided.
    pub(super) fn rule(&self, report: &'r Report) -> Option<&'r RuleSummary> {
        let id = self.lead.rule.as_ref()?;
        report.policy.as_ref()?.rules.iter().find(|rule| rule.id == *id)
    }

    /// Whether payload moved in any of them.
    pub(super) fn moved(&self) -> Contact {
        self.lead_contact(Contact::moved).unwrap_or(self.lead.contact)
    }

    fn lead_contact(&self, is: fn(Contact) -> bool) -> Option<Contact> {
        self.findings.iter().map(|finding| finding.contact).find(|contact| is(*contact))
    }

    /// The waiver that covers all of the group, or did until it expired, in words.
    pub(super) fn waiver(&self) -> Option<String> {
        self.lead.waiver.as_ref().map(words::waiver)
    }

    /// The limits that were exceeded, a sentence each.
    pub(super) fn limits(&self) -> Vec<String> {
        let texts: BTreeSet<String> =
            self.findings.iter().flat_map(|finding| &finding.limits).map(words::limit).collect();
        texts.into_iter().collect()
    }

    /// What was seen and what the policy says of it, as a clause.
    pub(super) fn clause(&self, report: &Report) -> String {
        clause(report, self.lead, &self.findings)
    }
}

fn addresses(shown: &BTreeSet<Addr>, counts: impl Iterator<Item = (u64, bool)>, most: usize) -> String {
    let texts: Vec<String> = shown.iter().take(most).map(Addr::to_string).collect();
    let all = counts.max().unwrap_or_default();
    match usize::try_from(all.0) {
        Ok(all) if all <= texts.len() => texts.join(", "),
        _ if texts.is_empty() => format!("{} addresses", words::about(all)),
        _ => format!("{} and others, {} in all", texts.join(", "), words::about(all)),
    }
}

/// One claim as a sentence: who says what of which address, and of what date that is.
pub(super) fn says(report: &Report, evidence: &Evidence) -> String {
    let dated = report
        .location_sources
        .iter()
        .find(|source| source.name == evidence.source)
        .and_then(|source| source.as_of.as_deref());
    let date = dated.map_or_else(|| ", undated,".to_owned(), |date| format!(" {date}"));
    let region = evidence.region.as_deref().map(|region| format!(", {region}")).unwrap_or_default();
    let note = evidence.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
    let says = if evidence.authority == Authority::Registry { "says registered in" } else { "says" };
    format!(
        "{}{date} {says} {} for {} ({}{region}){note}",
        evidence.source,
        words::codes(&evidence.places),
        evidence.address,
        evidence.network,
    )
}

/// The zone of a name, as the policy describes it.
pub(super) fn zone<'r>(report: &'r Report, name: &str) -> Option<&'r ZoneSummary> {
    report.policy.as_ref()?.zones.iter().find(|zone| zone.name == name)
}

/// The party of a name, as the policy describes it.
pub(super) fn party<'r>(report: &'r Report, name: &str) -> Option<&'r PartySummary> {
    report.policy.as_ref()?.parties.iter().find(|party| party.name == name)
}

/// Who runs the far end, as far as that is known: `AS55960 Beijing Guanghuan, party zoom`.
pub(super) fn operator(to: &Endpoint) -> String {
    let asn = to.asn.map(|asn| asn.to_string());
    let who = [asn, to.organisation.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let who = if who.is_empty() { "operator not known".to_owned() } else { who };
    let party = to.party.as_ref().map(|party| format!("party {party}"));
    let zone = to.zone.as_ref().map(|zone| format!("zone {zone}"));
    if let (Some(zone), None) = (&zone, to.asn) {
        return zone.clone();
    }
    [Some(who), party, zone].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn clause(report: &Report, lead: &Finding, findings: &[&Finding]) -> String {
    let place = match (lead.axis, &lead.to.party) {
        (Axis::Place, _) => words::places_in_sentence(&lead.to.places, lead.to.standing),
        (Axis::Control, Some(name)) => match party(report, name).and_then(|party| party.controlled_from) {
            Some(set) => format!("party `{name}`, which answers to {}", words::countries(&set)),
            None => format!("party `{name}`, of which the policy does not say whom it answers to"),
        },
        (Axis::Control, None) => "an operator of which it is not known whom it answers to".to_owned(),
    };
    let has = |contact| findings.iter().any(|finding| finding.contact == contact);
    let zone = format!("zone `{}`", lead.zone);
    let seen = match (has(Contact::Sent), has(Contact::Received)) {
        (true, true) => format!("payload moved both ways between {zone} and {place}"),
        (true, false) => format!("payload left {zone} for {place}"),
        (false, true) => format!("payload came into {zone} from {place}"),
        (false, false) => format!("{zone} was in contact with {place}, without payload"),
    };
    let said = match (lead.decision, &lead.rule) {
        (Decision::Indeterminate, Some(rule)) => format!("where rule `{rule}` may forbid it"),
        (Decision::Indeterminate, None) => "where it may be that no rule permits it".to_owned(),
        (_, Some(rule)) => format!("which rule `{rule}` forbids"),
        (_, None) => "which no rule of the policy permits".to_owned(),
    };
    format!("{seen}, {said}")
}

/// The tripwires, those that tripped first, gravest first.
pub(super) fn tripwires(report: &Report) -> impl Iterator<Item = &TripwireResult> {
    let mut tripwires: Vec<&TripwireResult> = report.tripwires.iter().collect();
    tripwires.sort_by_key(|tripwire| Reverse((!tripwire.tripped.is_empty(), tripwire.severity)));
    tripwires.into_iter()
}

/// What the report came to, in a sentence without a full stop.
pub(super) fn headline(report: &Report) -> String {
    let forbidden = groups(report, Section::Forbidden);
    let undecided = groups(report, Section::Undecided);
    let accepted = words::waived(report.findings.iter().filter(|finding| finding.is_waived()).count() as u64);
    let judged: u64 = report.totals.each().iter().fold(0, |sum, (_, count)| sum.saturating_add(count.count));
    let unseen = report.inputs.iter().filter(|input| !input.is_complete()).count() as u64;
    let is_sampled = |input: &&InputCoverage| input.sampling.is_some_and(|sampling| sampling.left_out());
    let sampled = report.inputs.iter().filter(is_sampled).count() as u64;
    let incomplete = || match (unseen, report.inputs.len()) {
        (0, _) => "not everything was seen".to_owned(),
        (n, _) if n == sampled => "packets were sampled, so that not everything was seen".to_owned(),
        (1, 1) => "the input could not be read in full".to_owned(),
        (n, all) => format!("{n} of {all} inputs could not be read in full"),
    };
    if let Some(top) = forbidden.first() {
        let count: u64 = forbidden.iter().map(|group| group.findings.len() as u64).sum();
        let gravest = if forbidden.len() == 1 { "" } else { ", the gravest" };
        let all = words::several(count, "finding", "findings");
        return format!("{all}{accepted}{gravest}: {}", top.clause(report));
    }
    let tripped: Vec<&TripwireResult> = tripwires(report).filter(|tripwire| !tripwire.tripped.is_empty()).collect();
    if report.outcome == Outcome::Forbidden
        && let Some(top) = tripped.iter().max_by_key(|tripwire| tripwire.severity)
    {
        let first = top.tripped.first().map(|first| first.sentence.as_str()).unwrap_or_default();
        let count = words::several(tripped.len() as u64, "tripwire", "tripwires");
        return format!("{count} tripped, and no rule forbids it: `{}`, {first}", top.id);
    }
    if judged == 0 {
        let what = if report.inputs.is_empty() { "there was no input" } else { "no flow was observed" };
        return format!(
            "Nothing to judge: {what}{}",
            if unseen > 0 { format!(", and {}", incomplete()) } else { String::new() }
        );
    }
    if report.policy.is_none() {
        let landed = landing::landings(report);
        let countries: BTreeSet<_> = landed.iter().filter_map(|landing| landing.to.places.only()).collect();
        let seen = if unseen > 0 { format!("; {}", incomplete()) } else { String::new() };
        return format!(
            "{} went to or came from {}; no policy was given, so nothing was judged{seen}",
            words::several(Sums::of(&landed).flows, "flow", "flows"),
            words::several(countries.len() as u64, "country", "countries"),
        );
    }
    match report.outcome {
        Outcome::Forbidden => "The policy forbids some of what was observed".to_owned(),
        Outcome::Incomplete => {
            let more = undecided_clause(&undecided).map(|clause| format!(", and {clause}")).unwrap_or_default();
            format!("Nothing forbidden was found{accepted}, but {}{more}", incomplete())
        }
        Outcome::Indeterminate => {
            let clause = undecided_clause(&undecided).unwrap_or_else(|| "not everything could be decided".to_owned());
            format!("Nothing forbidden was found{accepted}, but {clause}")
        }
        Outcome::Clean => format!(
            "Nothing forbidden was found{accepted}: {} observed, everything was read and nothing was left undecided",
            words::several(judged, "flow", "flows")
        ),
    }
}

fn undecided_clause(undecided: &[Group<'_>]) -> Option<String> {
    let count: u64 = undecided.iter().map(|group| group.findings.len() as u64).sum();
    (count > 0).then(|| format!("{} could not be decided", words::several(count, "finding", "findings")))
}

/// A source of locations in a line: date, kind, size, weight.
pub(super) fn source_facts(source: &LocationSource) -> String {
    let date = source.as_of.as_deref().map_or_else(|| "undated".to_owned(), |date| format!("of {date}"));
    format!(
        "{date}, {}, {}; {}",
        source.kind,
        words::several(source.networks, "network", "networks"),
        words::authority(source.authority)
    )
}

/// Which addresses were taken to be ours, in a sentence.
pub(super) fn taken_as_ours(report: &Report) -> String {
    use crate::model::Assumption;
    match &report.local {
        Assumption::Zones => "Ours are the networks of the policy's zones.".to_owned(),
        Assumption::Stated(networks) => {
            format!("Ours are the networks that were named for this run: {}.", networks.join(", "))
        }
        Assumption::Private(networks) => format!(
            "Nobody said which networks are ours, so private networks were taken to be: {}. Where neither end of a flow is in one, the side that opened it was taken.",
            networks.join(", ")
        ),
    }
}
