//! Tests that a policy carries: a flow, and what is expected of it.
//!
//! The flow is judged as an audit judges it: the zone and the party from addresses, number and name, both directions, the
//! worse decision. `sent` and `received` are octets of payload; a direction without is contact. `rule` must be among what
//! decided, `rules` must be all of it; `default` stands for the policy's default. `waived` asks whether waivers cover all
//! that is not permitted.
//!
//! `flow` is one flow and nothing before it: a `limit` is exceeded where what this flow alone carries is more, `sent` and
//! `received` counted as they are written. `flows` are seen together, by an audit: limits add up over their windows,
//! `decision` is the worst that any of them comes to, and `tripwires` are those that trip, all of them. What several flows come
//! to has many reasons, so that rules and waivers are asked of one `flow` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::document::{FlowsText, TestText};
use super::flow::{StatedFlow, lower_flow};
use super::lower::Uses;
use super::names::Names;
use super::syntax::Sink;
use super::terms::Expected;
use super::{Judgement, Policy, Spent, Waivable};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Axis, CountrySet, Decision, LimitId, LimitSet, Reason, RuleId, Waived};

/// Of how many flows of a test it is told what each comes to.
const MAX_TOLD: usize = 16;

/// A test of a policy, resolved.
#[derive(Clone, Debug)]
pub(super) struct Test {
    name: String,
    flows: Flows,
    /// The expected decision, and its place.
    expected: Option<(Expected, Range<usize>)>,
    /// What must be among what decided.
    among: Vec<(Reason, Range<usize>)>,
    /// What must be all that decided.
    exactly: Option<(BTreeSet<Reason>, Range<usize>)>,
    /// Whether a waiver must cover all that is not permitted.
    waived: Option<(Waiving, Range<usize>)>,
    /// The identifiers of the tripwires that must trip, and no other.
    tripwires: Option<(BTreeSet<String>, Range<usize>)>,
}

/// What a test looks at.
#[derive(Clone, Debug)]
enum Flows {
    One(Box<StatedFlow>),
    Together(Vec<StatedFlow>),
}

impl Flows {
    fn all(&self) -> &[StatedFlow] {
        match self {
            Self::One(flow) => std::slice::from_ref(flow),
            Self::Together(flows) => flows,
        }
    }
}

/// Whether waivers cover what is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiving {
    All,
    NotAll,
}

/// What an audit of several flows came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The worst that any of them came to.
    pub decision: Expected,
    /// The tripwires that tripped, with what tripped each, in a sentence.
    pub tripped: BTreeMap<String, String>,
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
    names: &Names,
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
            names.say_unknown((Code::UnknownRule, "rule"), name, &ids.iter(), sink);
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
    let tripwires = expect.and_then(|expect| expect.tripwires.as_ref()).map(|list| {
        for id in list.get_ref() {
            if !policy.tripwires.iter().any(|tripwire| tripwire.id == *id.get_ref()) {
                let ids: Vec<&String> = policy.tripwires.iter().map(|tripwire| &tripwire.id).collect();
                names.say_unknown((Code::UnknownTripwire, "tripwire"), id, &ids.into_iter(), sink);
            }
        }
        (list.get_ref().iter().map(|id| id.get_ref().clone()).collect(), list.span())
    });
    let flows = match &written.flows {
        FlowsText::Nothing => None,
        FlowsText::One(flow) => lower_flow(flow, policy, names, sink).map(|flow| Flows::One(Box::new(flow))),
        FlowsText::Together(all) => {
            let asked = among.first().map(|(_, span)| span.clone());
            let asked = asked.or(exactly.as_ref().map(|(_, span)| span.clone()));
            let waived = expect.and_then(|expect| expect.waived.as_ref()).map(Spanned::span);
            if let Some(place) = asked.or(waived) {
                sink.push(
                    Diagnostic::error(Code::BadExpectation, "rules and waivers are not asked of several flows")
                        .at(place, "each flow has reasons of its own")
                        .help("expect a `decision` or `tripwires` here, and the rule in a test with one `flow`"),
                );
            }
            let flows: Vec<Option<StatedFlow>> = all.iter().map(|flow| lower_flow(flow, policy, names, sink)).collect();
            flows.into_iter().collect::<Option<Vec<StatedFlow>>>().map(Flows::Together)
        }
    };
    uses.parties.extend(flows.iter().flat_map(Flows::all).filter_map(|flow| flow.party));
    let expected = expect?.decision.as_ref();
    if let Some(expected) = expected
        && matches!(expected.get_ref(), Expected::Contact | Expected::NotInForce | Expected::Internal)
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
        flows: flows?,
        expected: expected.map(|expected| (*expected.get_ref(), expected.span())),
        among,
        exactly,
        tripwires,
        waived: expect
            .and_then(|expect| expect.waived.as_ref())
            .map(|waived| (if *waived.get_ref() { Waiving::All } else { Waiving::NotAll }, waived.span())),
    })
}

impl Policy {
    /// Runs the tests that the policy carries, in the order of the file. `audit` says what flows come to that are seen
    /// together; it is asked for tests with `flows` or `tripwires`.
    pub fn run_tests(&self, audit: &dyn Fn(&[StatedFlow]) -> Seen) -> Vec<TestRun> {
        self.tests.iter().map(|test| TestRun { name: test.name.clone(), failure: test.run(self, audit) }).collect()
    }

    /// The words for what decided.
    fn reason_name(&self, reason: Reason) -> String {
        match reason {
            Reason::Rule(rule) => format!("`{}`", self.rule(rule).id),
            Reason::Default => "the default".to_owned(),
        }
    }

    fn outcome(&self, flow: &StatedFlow) -> Outcome {
        let Some(epoch) = self.epoch(flow.at) else { return Outcome::nothing(Expected::NotInForce) };
        if flow.to_zone == Some(flow.zone) {
            return Outcome::nothing(Expected::Internal);
        }
        let control = flow.party.and_then(|party| self.controlled_from(party));
        let spent = self.spent_by(flow, epoch, control);
        let mut judged: Vec<Judgement> = Vec::new();
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
                    judged.push(judgement);
                }
            }
        }
        let Some(worst) = judged.iter().map(|judgement| judgement.decision).max() else {
            return Outcome { directions, ..Outcome::nothing(Expected::Contact) };
        };
        let mut deciding: BTreeSet<Reason> = BTreeSet::new();
        for judgement in judged.iter().filter(|judgement| judgement.decision == worst) {
            if worst == Decision::Permit {
                deciding.extend(judgement.permitted_by.iter().map(|rule| Reason::Rule(*rule)));
                deciding.extend(judgement.permitted_by.is_empty().then_some(Reason::Default));
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
        let waived = self.waiving(flow, judged.iter().flat_map(|judgement| &judgement.reasons).map(|(_, why, _)| *why));
        Outcome { result, deciding, directions, waived }
    }

    /// The limits that the flow exceeds by itself.
    fn spent_by(&self, flow: &StatedFlow, epoch: u16, control: Option<CountrySet>) -> Spent {
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

    fn waiving(&self, flow: &StatedFlow, reasons: impl Iterator<Item = Reason>) -> Waiving {
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
    fn run(&self, policy: &Policy, audit: &dyn Fn(&[StatedFlow]) -> Seen) -> Option<Diagnostic> {
        let together = matches!(self.flows, Flows::Together(_)) || self.tripwires.is_some();
        let seen = together.then(|| audit(self.flows.all()));
        let (outcome, mut help) = match (&self.flows, &seen) {
            (Flows::Together(flows), Some(seen)) => (Outcome::nothing(seen.decision), Some(apart(policy, flows))),
            (flows, _) => {
                // INVARIANT: what is not several flows is one.
                let flow = flows.all().first()?;
                let outcome = policy.outcome(flow);
                let help = flow.told(policy, &outcome);
                (outcome, help)
            }
        };
        let mut wrong: Vec<(String, Range<usize>)> = Vec::new();
        if let Some((expected, span)) = &self.expected
            && outcome.result != *expected
        {
            wrong.push((format!("expected {}, came {}", expected.name(), outcome.result.name()), span.clone()));
        }
        if let (Some((expected, span)), Some(seen)) = (&self.tripwires, &seen) {
            let quiet: Vec<String> =
                expected.iter().filter(|id| !seen.tripped.contains_key(*id)).map(|id| quoted(id)).collect();
            let more = seen.tripped.iter().filter(|(id, _)| !expected.contains(*id));
            let (more, sentences): (Vec<String>, Vec<&str>) =
                more.map(|(id, sentence)| (quoted(id), sentence.as_str())).unzip();
            let said = [(quiet, "did not trip"), (more, "tripped too")].into_iter().filter(|(ids, _)| !ids.is_empty());
            let label: Vec<String> = said.map(|(ids, what)| format!("{} {what}", ids.join(", "))).collect();
            if !label.is_empty() {
                wrong.push((label.join(", "), span.clone()));
                help = Some(sentences.join("; ")).filter(|text| !text.is_empty()).or(help);
            }
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
        if let Some(help) = help {
            failure = failure.help(help);
        }
        Some(failure)
    }
}

/// What each of several flows comes to by itself, for whoever has to mend a test.
fn apart(policy: &Policy, flows: &[StatedFlow]) -> String {
    let some: Vec<&str> = flows.iter().take(MAX_TOLD).map(|flow| policy.outcome(flow).result.name()).collect();
    let more = if flows.len() > MAX_TOLD { ", …" } else { "" };
    format!("each by itself, the flows come to {}{more}", some.join(", "))
}

impl Outcome {
    fn nothing(result: Expected) -> Self {
        Self { result, deciding: BTreeSet::new(), directions: Vec::new(), waived: Waiving::NotAll }
    }
}

impl StatedFlow {
    /// What each direction came to, for whoever has to mend a test.
    fn told(&self, policy: &Policy, outcome: &Outcome) -> Option<String> {
        if outcome.directions.is_empty() {
            return None;
        }
        let party = self.party.map_or_else(String::new, |party| format!(", `{}`", policy.party_name(party)));
        let to = self.location.possible();
        let to = if to.is_anywhere() { "anywhere".to_owned() } else { format!("in {to}") };
        let near = policy.zone_name(self.zone);
        Some(format!("from `{near}` to a far end {to}{party}: {}", outcome.directions.join("; ")))
    }
}
