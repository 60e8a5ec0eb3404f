//! Tests that a policy carries: a flow, and what is expected of it.
//!
//! The flow is judged as an audit judges it: the zone and the party from addresses, number and name, both directions, the
//! worse decision. `sent` and `received` are octets of payload; a direction without is contact. `rule` must be among what
//! decided, `rules` must be all of it; `default` stands for the policy's default. `waived` asks whether waivers cover all
//! that is not permitted.
//!
//! A test is one flow and nothing before it: a `limit` is exceeded where what this flow alone carries is more, `sent` and
//! `received` counted as they are written. That limits add up over a window is for an audit to see.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::document::{FlowText, TestText};
use super::lower::{Uses, unknown};
use super::networks::{is_private, parse_network};
use super::party::region_pattern;
use super::places::countries;
use super::syntax::Sink;
use super::terms::Expected;
use super::{Judgement, Policy, Selector, Spent, Waivable, service};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{
    Addr, Asn, Axis, CountrySet, Decision, LimitId, LimitSet, Location, Opener, PartyId, Reason, RuleId, Timestamp,
    Waived, ZoneId,
};

/// A test of a policy, resolved.
#[derive(Clone, Debug)]
pub(super) struct Test {
    name: String,
    flow: Flow,
    expected: Expected,
    /// The place of the expected decision.
    span: Range<usize>,
    /// What must be among what decided.
    among: Vec<(Reason, Range<usize>)>,
    /// What must be all that decided.
    exactly: Option<(BTreeSet<Reason>, Range<usize>)>,
    /// Whether a waiver must cover all that is not permitted.
    waived: Option<(Waiving, Range<usize>)>,
}

/// Whether waivers cover what is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiving {
    All,
    NotAll,
}

#[derive(Clone, Debug)]
struct Flow {
    at: Timestamp,
    zone: ZoneId,
    far: Addr,
    to_zone: Option<ZoneId>,
    location: Location,
    party: Option<PartyId>,
    service: u16,
    opener: Opener,
    sent: u64,
    received: u64,
}

impl Flow {
    fn selector(&self, epoch: u16, outward: bool, spent: Spent) -> Selector {
        Selector {
            zone: self.zone,
            epoch,
            outward,
            moved: if outward { self.sent > 0 } else { self.received > 0 },
            opened_by: self.opener,
            party: self.party,
            service: self.service,
            spent,
        }
    }
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// The test's name.
    pub name: String,
    /// Why it failed, with the place in the policy's text; `None` where it passed.
    pub failure: Option<Diagnostic>,
}

/// What the policy says of a flow.
struct Outcome {
    result: Expected,
    deciding: BTreeSet<Reason>,
    /// A sentence on each direction.
    directions: Vec<String>,
    waived: Waiving,
}

pub(super) fn lower(
    written: &TestText,
    policy: &Policy,
    uses: &mut Uses,
    tested: &mut BTreeSet<String>,
    sink: &mut Sink,
) -> Option<Test> {
    let expect = written.expect.as_ref();
    let (mut among, mut exactly) = (Vec::new(), None);
    let mut resolve = |name: &Spanned<String>, sink: &mut Sink| {
        tested.insert(name.get_ref().clone());
        if name.get_ref() == "default" {
            return Some((Reason::Default, name.span()));
        }
        let found = policy.rule_named(name.get_ref());
        if found.is_none() {
            let ids: Vec<String> = policy.summaries.iter().map(|rule| rule.id.clone()).collect();
            sink.push(unknown(Code::UnknownRule, "rule", name, &ids.iter()));
        }
        Some((Reason::Rule(found?), name.span()))
    };
    if let Some(rule) = expect.and_then(|expect| expect.rule.as_ref()) {
        among.extend(resolve(rule, sink));
    }
    if let Some(rules) = expect.and_then(|expect| expect.rules.as_ref()) {
        let reasons = rules.get_ref().iter().filter_map(|rule| resolve(rule, sink)).map(|(reason, _)| reason);
        exactly = Some((reasons.collect(), rules.span()));
    }
    let flow = lower_flow(written.flow.as_ref()?, policy, sink);
    uses.parties.extend(flow.as_ref().and_then(|flow| flow.party));
    let expected = expect?.decision.as_ref()?;
    if matches!(expected.get_ref(), Expected::Contact | Expected::NotInForce | Expected::Internal)
        && let Some(place) =
            among.first().map(|(_, span)| span.clone()).or(exactly.as_ref().map(|(_, span)| span.clone()))
    {
        let message = format!("no rule decides where `{}` is expected", expected.get_ref().name());
        sink.push(
            Diagnostic::error(Code::BadExpectation, message)
                .at(place, "this rule is not asked")
                .with(expected.span(), "expected here"),
        );
    }
    Some(Test {
        name: written.name.as_ref().map(|name| name.get_ref().clone())?,
        flow: flow?,
        expected: *expected.get_ref(),
        span: expected.span(),
        among,
        exactly,
        waived: expect
            .and_then(|expect| expect.waived.as_ref())
            .map(|waived| (if *waived.get_ref() { Waiving::All } else { Waiving::NotAll }, waived.span())),
    })
}

fn lower_flow(written: &FlowText, policy: &Policy, sink: &mut Sink) -> Option<Flow> {
    let address = |text: &Option<Spanned<String>>, sink: &mut Sink| {
        let text = text.as_ref()?;
        let parsed = text.get_ref().parse::<IpAddr>().ok();
        if parsed.is_none() {
            let message = format!("{} is not an IP address", quoted(text.get_ref()));
            let help = parse_network(text.get_ref())
                .map_or("write for example `10.20.1.9` or `2001:db8::1`", |_| "a flow has one address on each side");
            sink.push(Diagnostic::error(Code::BadAddress, message).at(text.span(), "").help(help));
        }
        Some((Addr::from(parsed?), text.span()))
    };
    let from = address(&written.from, sink);
    let to = address(&written.to, sink);
    let zone = from.clone().and_then(|(addr, span)| {
        let zone = policy.zone_of(addr);
        if zone.is_none() {
            let message = format!("`{addr}` is in no zone");
            let help = to.as_ref().filter(|(to, _)| policy.zone_of(*to).is_some()).map_or(
                "`from` is our side: an address of a zone",
                |_| "`from` is our side and `to` the far end, whoever opened the conversation: exchange them",
            );
            sink.push(Diagnostic::error(Code::TestOutsideZones, message).at(span, "our side").help(help));
        }
        zone
    });
    let places = written.places.as_ref().map(|list| {
        if list.get_ref().iter().any(|code| code.get_ref() == "*") {
            CountrySet::ANYWHERE
        } else {
            countries(list.get_ref(), "the place of a flow's far end", sink)
        }
    });
    let service = written.service.as_ref().and_then(|text| {
        let range = service::ports(text, sink)?;
        if range.protocol.has_ports() && range.first != range.last {
            let message = format!("{} is more than one port", quoted(text.get_ref()));
            sink.error(Code::BadPort, message, text.span(), "a flow has one service port");
            return None;
        }
        Some(policy.service_class(range.protocol, &[range.first]))
    });
    let asn = written.asn.as_ref().and_then(|number| {
        let parsed = u32::try_from(*number.get_ref()).ok();
        if parsed.is_none() {
            let message = format!("`{}` is not the number of an autonomous system", number.get_ref());
            sink.error(Code::BadValue, message, number.span(), "expected a number of 32 bits");
        }
        parsed.map(Asn)
    });
    let regions: Vec<String> =
        written.region.iter().flat_map(Spanned::get_ref).map(|one| one.get_ref().clone()).collect();
    for region in written.region.iter().flat_map(Spanned::get_ref) {
        if region_pattern(region, sink).is_some() && region.get_ref().ends_with('*') {
            let message = format!("{} is more than one region", quoted(region.get_ref()));
            sink.error(Code::BadRegion, message, region.span(), "an address is in one region");
        }
    }
    let (to, to_span) = to?;
    let to_zone = policy.zone_of(to);
    if to_zone.is_none() && parse_network(&to.to_string()).is_ok_and(|network| is_private(&network)) {
        sink.push(
            Diagnostic::warning(Code::PrivateNetwork, format!("`{to}` is a private address in no zone"))
                .at(to_span, "no machine of the Internet has it")
                .help("test with the address that the far end has outside, or add its network to a zone"),
        );
    }
    let location = match (places, to_zone) {
        (Some(places), _) => Location::stated(places),
        (None, Some(zone)) => policy.zone_country(zone).map_or(Location::UNKNOWN, Location::stated),
        (None, None) => Location::UNKNOWN,
    };
    Some(Flow {
        at: *written.at.as_ref()?.get_ref(),
        zone: zone?,
        far: to,
        to_zone,
        location,
        party: policy.party_of(to, asn, written.name.as_ref().map(|name| name.get_ref().as_str()), &regions),
        service: service.unwrap_or(0),
        opener: written.initiator.as_ref().map_or(Opener::Unknown, |opener| *opener.get_ref()),
        sent: written.sent,
        received: written.received,
    })
}

impl Policy {
    /// Runs the tests that the policy carries, in the order of the file.
    pub fn run_tests(&self) -> Vec<TestRun> {
        self.tests.iter().map(|test| TestRun { name: test.name.clone(), failure: test.run(self) }).collect()
    }

    /// The words for what decided.
    fn reason_name(&self, reason: Reason) -> String {
        match reason {
            Reason::Rule(rule) => format!("`{}`", self.rule(rule).id),
            Reason::Default => "the default".to_owned(),
        }
    }

    fn outcome(&self, flow: &Flow) -> Outcome {
        let nothing =
            |result| Outcome { result, deciding: BTreeSet::new(), directions: Vec::new(), waived: Waiving::NotAll };
        let Some(epoch) = self.epoch(flow.at) else { return nothing(Expected::NotInForce) };
        if flow.to_zone == Some(flow.zone) {
            return nothing(Expected::Internal);
        }
        let control = flow.party.and_then(|party| self.controlled_from(party));
        let spent = self.spent_by(flow, epoch, control);
        let mut judged: Vec<(Judgement, u64)> = Vec::new();
        let mut directions = Vec::new();
        for (outward, octets) in [(true, flow.sent), (false, flow.received)] {
            let word = if outward { "sent" } else { "received" };
            match self.borders(&flow.selector(epoch, outward, spent)) {
                None => directions.push(format!("{word} nothing: not judged")),
                Some(borders) if borders.is_contact(&flow.location, control) => {
                    directions.push(format!("{word} nothing: no rule judges it"));
                }
                Some(borders) => {
                    let judgement = borders.decide(&flow.location, control);
                    directions.push(format!("{word} {octets}: {}", self.describe(&judgement)));
                    judged.push((judgement, octets));
                }
            }
        }
        let Some(worst) = judged.iter().map(|(judgement, _)| judgement.decision).max() else {
            return Outcome { directions, ..nothing(Expected::Contact) };
        };
        let mut deciding: BTreeSet<Reason> = BTreeSet::new();
        for (judgement, octets) in judged.iter().filter(|(judgement, _)| judgement.decision == worst) {
            if worst == Decision::Permit {
                deciding.extend(judgement.permitted_by.iter().map(|rule| Reason::Rule(*rule)));
                deciding.extend((judgement.permitted_by.is_empty() && *octets > 0).then_some(Reason::Default));
            } else {
                // Every reason on an axis that came to the decision, also one that could not have decided it alone.
                let grave =
                    |axis: Axis| judgement.reasons.iter().any(|(other, _, alone)| *other == axis && *alone == worst);
                deciding
                    .extend(judgement.reasons.iter().filter(|(axis, ..)| grave(*axis)).map(|(_, reason, _)| *reason));
            }
        }
        let result = match worst {
            Decision::Permit => Expected::Permit,
            Decision::Indeterminate => Expected::Indeterminate,
            Decision::Forbid => Expected::Forbid,
        };
        let waived =
            self.waiving(flow, judged.iter().flat_map(|(judgement, _)| &judgement.reasons).map(|(_, why, _)| *why));
        Outcome { result, deciding, directions, waived }
    }

    /// The limits that the flow exceeds by itself.
    fn spent_by(&self, flow: &Flow, epoch: u16, control: Option<CountrySet>) -> Spent {
        let mut moved: BTreeMap<LimitId, u64> = BTreeMap::new();
        for (outward, octets) in [(true, flow.sent), (false, flow.received)] {
            let borders = self.borders(&flow.selector(epoch, outward, Spent::default()));
            for limit in borders.map_or(LimitSet::NONE, |borders| borders.counting(&flow.location, control)).iter() {
                let sum = moved.entry(limit).or_default();
                *sum = sum.saturating_add(octets);
            }
        }
        let over = |(limit, sum): &(LimitId, u64)| self.limit(*limit).is_some_and(|limit| *sum > limit.octets);
        let over = moved.into_iter().filter(over).fold(LimitSet::NONE, |set, (limit, _)| set.with(limit));
        Spent { over, unmeasured: LimitSet::NONE }
    }

    fn waiving(&self, flow: &Flow, reasons: impl Iterator<Item = Reason>) -> Waiving {
        let covered: Vec<bool> = reasons
            .map(|reason| {
                let what = Waivable {
                    reason,
                    zone: flow.zone,
                    places: flow.location.possible(),
                    party: flow.party,
                    view: self.waiver_view(flow.far, flow.at),
                };
                self.waiver_of(&what).is_some_and(Waived::holds)
            })
            .collect();
        if !covered.is_empty() && covered.iter().all(|one| *one) { Waiving::All } else { Waiving::NotAll }
    }

    fn describe(&self, judgement: &Judgement) -> String {
        let rules: BTreeSet<Reason> = if judgement.decision == Decision::Permit {
            judgement.permitted_by.iter().map(|rule: &RuleId| Reason::Rule(*rule)).collect()
        } else {
            judgement.reasons.iter().map(|(_, reason, _)| *reason).collect()
        };
        format!("{} by {}", judgement.decision.name(), self.reason_names(&rules))
    }

    fn reason_names(&self, reasons: &BTreeSet<Reason>) -> String {
        if reasons.is_empty() {
            return "the default".to_owned();
        }
        reasons.iter().map(|reason| self.reason_name(*reason)).collect::<Vec<_>>().join(", ")
    }
}

impl Test {
    fn run(&self, policy: &Policy) -> Option<Diagnostic> {
        let outcome = policy.outcome(&self.flow);
        let mut wrong: Vec<(String, Range<usize>)> = Vec::new();
        if outcome.result != self.expected {
            wrong.push((
                format!("expected {}, came {}", self.expected.name(), outcome.result.name()),
                self.span.clone(),
            ));
        }
        let came =
            if outcome.deciding.is_empty() { "nothing".to_owned() } else { policy.reason_names(&outcome.deciding) };
        for (reason, span) in &self.among {
            if !outcome.deciding.contains(reason) {
                let label = format!("{} did not decide: it was {came}", policy.reason_name(*reason));
                wrong.push((label, span.clone()));
            }
        }
        if let Some((exactly, span)) = &self.exactly
            && *exactly != outcome.deciding
        {
            let list = |set: BTreeSet<Reason>| policy.reason_names(&set);
            let missing: BTreeSet<Reason> = exactly.difference(&outcome.deciding).copied().collect();
            let more: BTreeSet<Reason> = outcome.deciding.difference(exactly).copied().collect();
            let mut parts = Vec::new();
            if !missing.is_empty() {
                parts.push(format!("{} did not decide", list(missing)));
            }
            if !more.is_empty() {
                parts.push(format!("{} decided too", list(more)));
            }
            wrong.push((parts.join(", "), span.clone()));
        }
        if let Some((waived, span)) = &self.waived
            && *waived != outcome.waived
        {
            let label = match outcome.waived {
                Waiving::All => "a waiver covers all of it",
                Waiving::NotAll => "no waiver covers all of it on this day",
            };
            wrong.push((label.to_owned(), span.clone()));
        }
        let (first, rest) = wrong.split_first()?;
        let mut failure = Diagnostic::error(Code::TestFailed, format!("the test {} failed", quoted(&self.name)))
            .at(first.1.clone(), first.0.clone());
        for (label, span) in rest {
            failure = failure.with(span.clone(), label.clone());
        }
        if !outcome.directions.is_empty() {
            let party = self.flow.party.map_or_else(String::new, |party| format!(", `{}`", policy.party_name(party)));
            let to = self.flow.location.possible();
            let to = if to.is_anywhere() { "anywhere".to_owned() } else { format!("in {to}") };
            let near = policy.zone_name(self.flow.zone);
            let how = outcome.directions.join("; ");
            failure = failure.help(format!("from `{near}` to a far end {to}{party}: {how}"));
        }
        Some(failure)
    }
}
