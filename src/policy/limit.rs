//! Limits: how much a permit rule permits in a window of time.
//!
//! Here is what a limit says and which window a moment is in. How much moved is known when all was seen: the auditor counts
//! it, and asks again with the limits that were [`Spent`].

use std::ops::Range;

use toml::Spanned;

use super::Policy;
use super::document::RuleText;
use super::measure::{octets_of, span_of};
use super::syntax::{Fields, Sink};
use super::terms::Effect;
use super::zone::Rule;
use crate::diag::{Code, Diagnostic};
use crate::model::{Limit, LimitId, LimitSet, LimitedTo, RuleId, Timestamp};

/// A limit as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LimitText {
    pub(super) octets: u64,
    /// In nanoseconds.
    pub(super) per: u64,
}

/// Which limits no longer permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spent {
    /// Those that were exceeded: their rules permit nothing.
    pub over: LimitSet,
    /// Those of which it is not known whether they were. Both are judged: if they come to the same decision, that is it, else
    /// it is indeterminate.
    pub unmeasured: LimitSet,
}

/// Reads the limit of a rule.
pub(super) fn read(fields: &mut Fields<'_, '_>, sink: &mut Sink) -> Option<Spanned<LimitText>> {
    let value = fields.take("limit")?;
    let span = value.span();
    let mut fields = Fields::of("a limit", value, sink)?;
    let (octets, per) = (fields.text("octets", sink), fields.text("per", sink));
    for (key, help) in [
        ("octets", "say how much the rule permits: `limit = { octets = \"50 GiB\", per = \"24h\" }`"),
        ("per", "say in how long a time: `limit = { octets = \"50 GiB\", per = \"24h\" }`"),
    ] {
        if !fields.has(key) {
            fields.missing(key, help, sink);
        }
    }
    fields.finish(sink);
    let nothing = octets.as_ref().map(Spanned::span);
    let octets = octets.and_then(|text| octets_of(&text, sink));
    let per = per.and_then(|text| span_of(&text, sink));
    if octets == Some(0) {
        sink.push(
            Diagnostic::error(Code::BadValue, "the limit is nothing")
                .at(nothing.unwrap_or(span.clone()), "expected one octet or more")
                .help("a rule that permits nothing is no rule: take it out"),
        );
    }
    Some(Spanned::new(span, LimitText { octets: octets?, per: per? }))
}

/// Says where a limit limits nothing: on a forbid, or where the default permits all the same.
pub(super) fn check(rule: &RuleText, default: Option<&Spanned<Effect>>, sink: &mut Sink) {
    let (Some(limit), Some(effect)) = (&rule.limit, &rule.effect) else { return };
    let label =
        |span: Range<usize>| Diagnostic::error(Code::BadValue, "the limit changes nothing").at(span, "no effect");
    if *effect.get_ref() == Effect::Forbid {
        let said = label(limit.span()).with(effect.span(), "forbidden however little it is");
        sink.push(said.help("a limit is how much a permit permits: write it on a permit"));
    } else if let Some(default) = default.filter(|default| *default.get_ref() == Effect::Permit) {
        let said = label(limit.span()).with(default.span(), "beyond the limit the default permits it all the same");
        sink.push(said.help("write `default = \"forbid\"`, and a permit for everything else"));
    }
}

/// Gathers the limits of the rules, which are in the order of their identifiers, and numbers them.
pub(super) fn gather(rules: &mut [Rule], written: &[Option<LimitText>], sink: &mut Sink) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (index, (rule, written)) in rules.iter_mut().zip(written).enumerate() {
        let Some(LimitText { octets, per }) = *written else { continue };
        rule.limit = LimitId::new(limits.len());
        let each = if rule.parties.is_some() { LimitedTo::EachParty } else { LimitedTo::Everyone };
        limits.push(Limit { rule: RuleId(index as u16), octets, per, each });
    }
    if limits.len() > LimitSet::MAX {
        let message = format!("{} rules have a limit; at most {} are counted", limits.len(), LimitSet::MAX);
        sink.push(Diagnostic::error(Code::TooLarge, message));
    }
    limits
}

impl Policy {
    /// The limits of permit rules, in the order of the rules: the place of each is its [`LimitId`].
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// A limit by its place.
    pub fn limit(&self, limit: LimitId) -> Option<&Limit> {
        self.limits.get(limit.index())
    }

    /// When the span of time begins that lies in one window of each of these limits, and that `at` lies in: two moments with
    /// the same beginning are in the same windows. `None` without a limit.
    pub fn window(&self, limits: LimitSet, at: Timestamp) -> Option<Timestamp> {
        let spans = limits.iter().filter_map(|limit| self.limit(limit)).map(|limit| limit.per);
        // Windows begin at multiples of their length: so do those of a length that divides them all.
        let common = spans.reduce(greatest_common_divisor)?.max(1);
        Some(Timestamp(at.0 - at.0 % common))
    }
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}
