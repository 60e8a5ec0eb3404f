//! A policy as it is written: every value with its place, types right, nothing resolved.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::flow::{FlowText, read_flow};
use super::limit::{self, LimitText};
use super::meant::meant_word;
use super::measure::span_of;
use super::syntax::{Fields, Sink, integer, wrong_type};
use super::terms::{Effect, Expected, Initiator, Movement, Period};
use super::tripwire::{self, TripwireText};
use super::waiver::{self, WaiverText};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Severity, Timestamp};

/// Nanoseconds in a day.
const DAY: u64 = 86_400 * Timestamp::SECOND;

/// The most flows that one test sees together.
const MAX_FLOWS: usize = 1024;

pub(super) type Texts = Option<Spanned<Vec<Spanned<String>>>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    pub(super) id: Option<Spanned<String>>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) default: Option<Spanned<Effect>>,
    pub(super) in_force: Period,
    pub(super) law: Option<Date>,
    pub(super) max_age: Option<u32>,
    pub(super) vantage: Option<VantageText>,
    pub(super) sets: Vec<SetText>,
    pub(super) zones: Vec<ZoneText>,
    pub(super) parties: Vec<PartyText>,
    pub(super) services: Vec<ServiceText>,
    pub(super) rules: Vec<RuleText>,
    pub(super) tripwires: Vec<TripwireText>,
    pub(super) waivers: Vec<WaiverText>,
    pub(super) tests: Vec<TestText>,
    /// Kinds of things that are written in a way that cannot be read: that one of them is not there is no mistake of its own.
    pub(super) unread: BTreeSet<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct VantageText {
    pub(super) country: Option<Spanned<String>>,
    /// Degrees north and east.
    pub(super) point: Option<Spanned<(f64, f64)>>,
}

#[derive(Clone, Debug)]
pub(super) struct SetText {
    pub(super) name: Spanned<String>,
    pub(super) members: Vec<Spanned<String>>,
}

#[derive(Clone, Debug)]
pub(super) struct ZoneText {
    pub(super) name: Spanned<String>,
    pub(super) networks: Vec<Spanned<String>>,
    pub(super) country: Texts,
    pub(super) holds: Texts,
}

#[derive(Clone, Debug)]
pub(super) struct PartyText {
    pub(super) name: Spanned<String>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) controlled_from: Texts,
    pub(super) matches: Vec<MatchText>,
}

#[derive(Clone, Debug)]
pub(super) struct MatchText {
    pub(super) asn: Vec<Spanned<u64>>,
    pub(super) names: Vec<Spanned<String>>,
    pub(super) networks: Vec<Spanned<String>>,
    pub(super) regions: Vec<Spanned<String>>,
}

#[derive(Clone, Debug)]
pub(super) struct ServiceText {
    pub(super) name: Spanned<String>,
    pub(super) ports: Vec<Spanned<String>>,
}

#[derive(Clone, Debug)]
pub(super) struct RuleText {
    pub(super) span: Range<usize>,
    pub(super) id: Option<Spanned<String>>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) effect: Option<Spanned<Effect>>,
    pub(super) from: Texts,
    pub(super) to: Texts,
    pub(super) to_control: Texts,
    /// Whether `to` or `to-control` is written at all, even where its value cannot be used.
    pub(super) says_where: bool,
    pub(super) party: Texts,
    pub(super) service: Texts,
    pub(super) movement: Option<Spanned<Movement>>,
    pub(super) initiator: Option<Spanned<Initiator>>,
    pub(super) contact: bool,
    pub(super) in_force: Period,
    pub(super) severity: Option<Spanned<Severity>>,
    pub(super) basis: Texts,
    pub(super) why: Option<Spanned<String>>,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) document: Option<(String, Option<String>)>,
    pub(super) limit: Option<Spanned<LimitText>>,
}

#[derive(Clone, Debug)]
pub(super) struct TestText {
    pub(super) name: Option<Spanned<String>>,
    pub(super) flows: FlowsText,
    pub(super) expect: Option<ExpectText>,
}

/// What a test looks at.
#[derive(Clone, Debug)]
pub(super) enum FlowsText {
    /// Nothing that can be read.
    Nothing,
    /// `flow`: one, by itself.
    One(Box<FlowText>),
    /// `flows`: several, seen together.
    Together(Vec<FlowText>),
}

#[derive(Clone, Debug)]
pub(super) struct ExpectText {
    pub(super) decision: Option<Spanned<Expected>>,
    pub(super) rule: Option<Spanned<String>>,
    pub(super) rules: Texts,
    /// Whether a waiver covers all of what decided.
    pub(super) waived: Option<Spanned<bool>>,
    /// The tripwires that trip, all of them.
    pub(super) tripwires: Texts,
}

const EFFECTS: [(&str, Effect); 2] = [("permit", Effect::Permit), ("forbid", Effect::Forbid)];

/// Reads a tree into a document; what is wrong with it is said and left out.
pub(super) fn read(tree: &DeTable<'_>, sink: &mut Sink) -> Document {
    let mut document = Document::default();
    let mut top = Fields::new("a policy", tree, 0..0);
    match top.take("policy") {
        Some(value) => {
            if let Some(fields) = Fields::of("`[policy]`", value, sink) {
                read_header(fields, &mut document, sink);
            }
        }
        None => {
            sink.push(Diagnostic::error(Code::MissingKey, "the policy has no `[policy]` table").help(
                "begin the file with `[policy]`, an `id` and a `default`; `landfall policy init` writes an example",
            ));
        }
    }
    for (name, value) in top.named("sets", "set", sink) {
        if let Some(members) = set_members(value, sink) {
            document.sets.push(SetText { name, members });
        }
    }
    // What is no table has its name all the same: to say of that name that it stands for nothing would be an echo.
    for (name, value) in top.named("zone", "zone", sink) {
        document.zones.push(match Fields::of("a zone", value, sink) {
            Some(fields) => read_zone(name, fields, sink),
            None => ZoneText { name, networks: Vec::new(), country: None, holds: None },
        });
    }
    if !top.has("zone") && !top.has("zones") {
        sink.push(
            Diagnostic::error(Code::MissingKey, "the policy has no zone").help(
                "add a table `[zone.NAME]` with the `networks` that are yours: a policy judges what they exchange",
            ),
        );
    }
    for (name, value) in top.named("party", "party", sink) {
        document.parties.push(match Fields::of("a party", value, sink) {
            Some(fields) => read_party(name, fields, sink),
            None => PartyText { name, title: None, controlled_from: None, matches: Vec::new() },
        });
    }
    for (name, value) in top.named("service", "service", sink) {
        document.services.push(match Fields::of("a service", value, sink) {
            Some(fields) => read_service(name, fields, sink),
            None => ServiceText { name, ports: Vec::new() },
        });
    }
    for fields in top.listed("rule", "a rule", sink) {
        document.rules.push(read_rule(fields, sink));
    }
    for fields in top.listed("waiver", "a waiver", sink) {
        document.waivers.push(waiver::read(fields, sink));
    }
    for fields in top.listed("test", "a test", sink) {
        document.tests.push(read_test(fields, sink));
    }
    for fields in top.listed("tripwire", "a tripwire", sink) {
        document.tripwires.push(tripwire::read(fields, sink));
    }
    let empty = [
        ("zone", document.zones.is_empty()),
        ("party", document.parties.is_empty()),
        ("service", document.services.is_empty()),
        ("rule", document.rules.is_empty()),
        ("tripwire", document.tripwires.is_empty()),
    ];
    // A plural is told as the key that it is not.
    let written = |key: &str| top.has(key) || top.has(&format!("{key}s")) || (key == "party" && top.has("parties"));
    document.unread.extend(empty.into_iter().filter(|(key, empty)| *empty && written(key)).map(|(key, _)| key));
    top.finish(sink);
    document
}

fn set_members(value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Vec<Spanned<String>>> {
    let DeValue::Array(array) = value.get_ref() else {
        wrong_type(sink, "a set", "a list of texts", value.get_ref(), value.span());
        return None;
    };
    if array.is_empty() {
        // It is a set all the same: whoever names it makes no second mistake.
        sink.error(Code::EmptyList, "the set is an empty list", value.span(), "nothing here");
    }
    Some(array.iter().filter_map(|entry| super::syntax::text("a member of a set", entry, sink)).collect())
}

fn read_header(mut fields: Fields<'_, '_>, document: &mut Document, sink: &mut Sink) {
    document.id = fields.text("id", sink);
    if !fields.has("id") {
        fields.missing("id", "give the policy a name that reports can cite: `id = \"acme-residency\"`", sink);
    }
    document.title = fields.text("title", sink);
    document.version = fields.text("version", sink);
    document.owner = fields.text("owner", sink);
    document.default = fields.word("default", &EFFECTS, sink);
    if !fields.has("default") {
        let help = "what no rule speaks of has to be decided by someone: `default = \"forbid\"` or `\"permit\"`";
        fields.missing("default", help, sink);
    }
    document.in_force = period("in-force", &mut fields, sink);
    document.law = read_law(&mut fields, sink);
    document.vantage = fields.take("vantage").and_then(|value| {
        let span = value.span();
        let mut fields = Fields::of("`vantage`", value, sink)?;
        let mut within = |key, limit: f64, sink: &mut Sink| {
            let number = fields.number(key, sink)?;
            if number.get_ref().abs() <= limit {
                return Some(number);
            }
            let message = format!("`{key}` is out of range");
            let expected = format!("expected degrees, from -{limit} to {limit}");
            sink.error(Code::BadValue, message, number.span(), &expected);
            None
        };
        let named = |key: &str| value.get_ref().as_table().is_some_and(|table| table.contains_key(key));
        let whole = named("lat") == named("lon") && (named("lat") || named("country"));
        let (latitude, longitude) = (within("lat", 90.0, sink), within("lon", 180.0, sink));
        let country = fields.text("country", sink);
        fields.finish(sink);
        if !whole {
            let message = "`vantage` needs `lat` and `lon`, or a `country`";
            sink.error(Code::MissingKey, message, span, "does not say where the observation point stands");
            return None;
        }
        let point = latitude.zip(longitude).map(|(latitude, longitude)| {
            let span = latitude.span().start.min(longitude.span().start)..latitude.span().end.max(longitude.span().end);
            Spanned::new(span, (latitude.into_inner(), longitude.into_inner()))
        });
        Some(VantageText { country, point })
    });
    document.max_age = read_max_age(&mut fields, sink);
    fields.finish(sink);
}

/// A span of whole days, as `180d`.
fn read_max_age(fields: &mut Fields<'_, '_>, sink: &mut Sink) -> Option<u32> {
    let text = fields.text("max-age", sink)?;
    let span = span_of(&text, sink)?;
    let days = span.is_multiple_of(DAY).then(|| u32::try_from(span / DAY).ok()).flatten();
    if days.is_none() {
        let message = format!("{} is no value of `max-age`: location data is dated by days", quoted(text.get_ref()));
        let help = "write a number of days or weeks, such as `max-age = \"180d\"`";
        sink.push(Diagnostic::error(Code::BadValue, message).at(text.span(), "not whole days").help(help));
    }
    days
}

fn read_law(fields: &mut Fields<'_, '_>, sink: &mut Sink) -> Option<Date> {
    let value = fields.take("law")?;
    match value.get_ref() {
        DeValue::String(word) if word == "flow-time" => None,
        DeValue::String(word) => {
            let help = match meant_word(word, &["flow-time"].into_iter()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write `\"flow-time\"`, or a date without quotation marks".to_owned(),
            };
            let message = format!("{} is no value of `law`", quoted(word));
            sink.push(Diagnostic::error(Code::UnknownWord, message).at(value.span(), "").help(help));
            None
        }
        _ => fields.date("law", sink).map(Spanned::into_inner),
    }
}

fn period(key: &'static str, fields: &mut Fields<'_, '_>, sink: &mut Sink) -> Period {
    let Some(value) = fields.take(key) else { return Period::default() };
    let Some(mut fields) = Fields::of("a period", value, sink) else { return Period::default() };
    let (from, until) = (fields.date("from", sink), fields.date("until", sink));
    fields.finish(sink);
    if let (Some(from), Some(until)) = (&from, &until)
        && from.get_ref() >= until.get_ref()
    {
        sink.push(
            Diagnostic::error(Code::EmptyPeriod, format!("`{key}` ends before it begins"))
                .at(until.span(), "the day after the last")
                .with(from.span(), "the first day")
                .help("`until` is the first day that is no longer in force: a period of one day ends on the next"),
        );
        return Period::default();
    }
    Period { from: from.map(Spanned::into_inner), until: until.map(Spanned::into_inner) }
}

fn read_zone(name: Spanned<String>, mut fields: Fields<'_, '_>, sink: &mut Sink) -> ZoneText {
    let networks = fields.texts("networks", sink);
    if !fields.has("networks") {
        fields.missing("networks", "say which addresses are in the zone: `networks = [\"10.20.0.0/16\"]`", sink);
    }
    let country = fields.text_or_texts("country", sink);
    let holds = fields.texts("holds", sink);
    fields.finish(sink);
    let networks = networks.map(Spanned::into_inner).unwrap_or_default();
    ZoneText { name, networks, country, holds }
}

fn read_party(name: Spanned<String>, mut fields: Fields<'_, '_>, sink: &mut Sink) -> PartyText {
    let title = fields.text("name", sink);
    let controlled_from = fields.text_or_texts("controlled-from", sink);
    let matches: Vec<MatchText> =
        fields.listed("match", "a way to recognise the party", sink).into_iter().map(|f| read_match(f, sink)).collect();
    if !fields.has("match") {
        let help = "say how the party is recognised: `match = [{ asn = [64500] }, { names = [\"*.example.com\"] }]`";
        fields.missing("match", help, sink);
    }
    fields.finish(sink);
    PartyText { name, title, controlled_from, matches }
}

fn read_match(mut fields: Fields<'_, '_>, sink: &mut Sink) -> MatchText {
    let span = fields.span();
    let mut asn = Vec::new();
    if let Some(value) = fields.take("asn") {
        match value.get_ref() {
            DeValue::Array(array) => asn.extend(array.iter().filter_map(|entry| as_number(entry, sink))),
            DeValue::Integer(_) | DeValue::String(_) => asn.extend(as_number(value, sink)),
            other => wrong_type(sink, "asn", "a list of whole numbers", other, value.span()),
        }
    }
    let names = fields.texts("names", sink).map(Spanned::into_inner).unwrap_or_default();
    let networks = fields.texts("networks", sink).map(Spanned::into_inner).unwrap_or_default();
    let regions = fields.text_or_texts("region", sink).map(Spanned::into_inner).unwrap_or_default();
    if ["asn", "names", "networks", "region"].iter().all(|key| !fields.has(key)) {
        sink.push(
            Diagnostic::error(Code::MissingKey, "a way to recognise a party says nothing")
                .at(span, "expected `asn`, `names`, `networks` or `region`")
                .help("between tables any will do; inside a table all must fit"),
        );
    }
    fields.finish(sink);
    MatchText { asn, names, networks, regions }
}

/// The number of an autonomous system; `"AS64500"` is told what it should be.
fn as_number(value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<u64>> {
    if let DeValue::String(text) = value.get_ref() {
        let number = text.trim_start_matches(['A', 'S', 'a', 's']).trim();
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            let said = Diagnostic::error(Code::WrongType, "`asn` is a whole number, not a text");
            sink.push(
                said.at(value.span(), "expected a whole number").help(format!("write the number alone: `{number}`")),
            );
            return None;
        }
    }
    integer("asn", value, sink)
}

fn read_service(name: Spanned<String>, mut fields: Fields<'_, '_>, sink: &mut Sink) -> ServiceText {
    let ports = fields.texts("ports", sink);
    if !fields.has("ports") {
        fields.missing("ports", "name protocols and ports: `ports = [\"tcp/443\", \"udp/8801-8802\"]`", sink);
    }
    fields.finish(sink);
    ServiceText { name, ports: ports.map(Spanned::into_inner).unwrap_or_default() }
}

fn read_rule(mut fields: Fields<'_, '_>, sink: &mut Sink) -> RuleText {
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let movements = [Movement::Out, Movement::In, Movement::Either].map(|movement| (movement.name(), movement));
    let initiators = [Initiator::Any, Initiator::Local, Initiator::Remote].map(|who| (who.name(), who));
    let mut rule = RuleText {
        span: fields.span(),
        id: fields.text("id", sink),
        title: fields.text("title", sink),
        effect: fields.word("effect", &EFFECTS, sink),
        from: fields.texts("from", sink),
        to: fields.texts("to", sink),
        to_control: fields.texts("to-control", sink),
        says_where: false,
        party: fields.text_or_texts("party", sink),
        service: fields.text_or_texts("service", sink),
        movement: fields.word("movement", &movements, sink),
        initiator: fields.word("initiator", &initiators, sink),
        contact: fields.boolean("contact", sink).is_some_and(Spanned::into_inner),
        in_force: period("in-force", &mut fields, sink),
        severity: fields.word("severity", &severities, sink),
        basis: fields.text_or_texts("basis", sink),
        why: fields.text("why", sink),
        owner: fields.text("owner", sink),
        document: read_reference(&mut fields, sink),
        limit: limit::read(&mut fields, sink),
    };
    let places = ["to", "to-control"];
    rule.says_where = places.iter().any(|key| fields.has(key)) || fields.seems_to_have(&places);
    if !fields.has("id") {
        fields.missing("id", "name the rule: findings, tests and waivers refer to it", sink);
    }
    if !fields.has("effect") {
        fields.missing("effect", "write `effect = \"permit\"` or `effect = \"forbid\"`", sink);
    }
    if !fields.has("from") {
        fields.missing("from", "name the zones that the rule speaks of; `from = [\"*\"]` is every zone", sink);
    }
    fields.finish(sink);
    rule
}

fn read_reference(fields: &mut Fields<'_, '_>, sink: &mut Sink) -> Option<(String, Option<String>)> {
    let value = fields.take("document")?;
    let mut fields = Fields::of("a document", value, sink)?;
    let reference = fields.text("ref", sink);
    let digest = fields.text("sha256", sink);
    if let Some(written) = &digest
        && (written.get_ref().len() != 64 || !written.get_ref().bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let message = format!("{} is no SHA-256", quoted(written.get_ref()));
        sink.push(
            Diagnostic::warning(Code::BadValue, message)
                .at(written.span(), "expected 64 hexadecimal digits")
                .help("write what `sha256sum` prints for the document, so that nobody can exchange it"),
        );
    }
    if !fields.has("ref") {
        fields.missing("ref", "say what the document is called where it is kept", sink);
    }
    fields.finish(sink);
    Some((reference?.into_inner(), digest.map(Spanned::into_inner)))
}

fn read_test(mut fields: Fields<'_, '_>, sink: &mut Sink) -> TestText {
    let name = fields.text("name", sink);
    let flow = fields.take("flow").map(|value| (value.span(), Fields::of("a flow", value, sink)));
    if let Some(value) =
        fields.take("flows").filter(|value| value.get_ref().as_array().is_some_and(|all| all.is_empty()))
    {
        sink.error(Code::EmptyList, "`flows` is an empty list", value.span(), "nothing here");
    }
    let together = fields.listed("flows", "a flow", sink);
    let flows = match flow {
        Some((span, flow)) => {
            if fields.has("flows") {
                sink.push(
                    Diagnostic::error(Code::BadValue, "a test has both `flow` and `flows`")
                        .at(span, "one by itself")
                        .help("`flow` is judged by itself, `flows` are seen together: write two tests"),
                );
            }
            flow.map_or(FlowsText::Nothing, |flow| FlowsText::One(Box::new(read_flow(flow, sink))))
        }
        None if together.len() > MAX_FLOWS => {
            let message = format!("a test has {} flows; at most {MAX_FLOWS} are read", together.len());
            sink.push(Diagnostic::error(Code::TooLarge, message).at(fields.span(), "this test"));
            FlowsText::Nothing
        }
        None => FlowsText::Together(together.into_iter().map(|flow| read_flow(flow, sink)).collect()),
    };
    let expect = fields.take("expect").and_then(|value| {
        let mut fields = Fields::of("an expectation", value, sink)?;
        let decision = fields.word("decision", &Expected::WORDS, sink);
        let tripwires = fields.texts_or_none("tripwires", sink);
        if !fields.has("decision") && !fields.has("tripwires") {
            fields.missing("decision", "say what should come: `decision = \"forbid\"`", sink);
        }
        let (rule, rules) = (fields.text("rule", sink), fields.texts("rules", sink));
        let expect = ExpectText { decision, rule, rules, waived: fields.boolean("waived", sink), tripwires };
        fields.finish(sink);
        Some(expect)
    });
    let example = "a test has a `name`, a `flow` and what to `expect` of it";
    for key in ["name", "expect"] {
        if !fields.has(key) {
            fields.missing(key, example, sink);
        }
    }
    if !fields.has("flow") && !fields.has("flows") {
        fields.missing("flow", example, sink);
    }
    fields.finish(sink);
    TestText { name, flows, expect }
}
