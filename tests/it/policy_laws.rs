//! The laws of policies: the compiled policy against a reference that takes one country at a time, and what must hold of
//! any policy whatever.

use std::fmt::Write as _;

use jiff::civil::{Date, date};
use landfall::model::{
    Addr, Asn, Axis, Country, CountrySet, Decision, Location, Opener, Protocol, Reason, Standing, Timestamp, ZoneId,
};
use landfall::policy::{Judgement, Library, Policy, Selector, Spent};
use proptest::prelude::*;

const CODES: [&str; 6] = ["BR", "CN", "DE", "FR", "JP", "US"];
const DAYS: [Date; 4] = [date(2019, 1, 1), date(2020, 3, 1), date(2021, 3, 1), date(2022, 1, 1)];

/// Members of `@dated`: code, from, until, and whether there is a condition.
const DATED: [(&str, Option<Date>, Option<Date>, bool); 5] = [
    ("BR", None, None, true),
    ("FR", None, Some(date(2021, 1, 1)), false),
    ("JP", Some(date(2020, 1, 1)), None, true),
    ("US", Some(date(2020, 1, 1)), Some(date(2021, 1, 1)), true),
    ("US", Some(date(2021, 6, 1)), None, false),
];

const LIBRARY: &str = r#"
[[set]]
name = "dated"
title = "A set"
authority = "A test"
citation = "none"
reviewed-on = 2020-01-01
review-due = 2021-01-01
general-knowledge = true
members = [
    { codes = ["BR"], condition = "certified" },
    { codes = ["FR"], until = 2021-01-01 },
    { codes = ["JP"], from = 2020-01-01, condition = "certified" },
    { codes = ["US"], from = 2020-01-01, until = 2021-01-01, condition = "certified" },
    { codes = ["US"], from = 2021-06-01 },
]
"#;

#[derive(Clone, Debug)]
struct RefRule {
    permit: bool,
    control: bool,
    zones: Vec<&'static str>,
    to: Vec<&'static str>,
    party: Option<Vec<&'static str>>,
    service: Option<&'static str>,
    movement: Option<&'static str>,
    initiator: &'static str,
    contact: bool,
    from: Option<Date>,
    until: Option<Date>,
}

#[derive(Clone, Debug)]
struct RefPolicy {
    forbids: bool,
    /// The date whose law holds; `None` for that of each flow.
    law: Option<Date>,
    rules: Vec<RefRule>,
}

#[derive(Clone, Debug)]
struct RefFlow {
    zone: &'static str,
    party: &'static str,
    day: Date,
    outward: bool,
    moved: bool,
    opener: Opener,
    protocol: Protocol,
    ports: Vec<u16>,
    place: CountrySet,
    control: Option<CountrySet>,
}

impl RefRule {
    fn fits(&self, flow: &RefFlow, opener: Opener) -> bool {
        let service = |name: &str| match name {
            "web" => flow.protocol == Protocol::TCP && flow.ports.contains(&443),
            _ => flow.protocol != Protocol::SCTP && flow.ports.iter().any(|port| (400..=500).contains(port)),
        };
        self.zones.contains(&flow.zone)
            && self.party.as_ref().is_none_or(|parties| parties.contains(&flow.party))
            && self.service.is_none_or(service)
            && match self.movement.unwrap_or(if self.permit { "either" } else { "out" }) {
                "out" => flow.outward,
                "in" => !flow.outward,
                _ => true,
            }
            && match self.initiator {
                "local" => opener == Opener::Local,
                "remote" => opener == Opener::Remote,
                _ => true,
            }
            && (flow.moved || self.contact)
            && self.from.is_none_or(|from| from <= flow.day)
            && self.until.is_none_or(|until| flow.day < until)
    }

    fn names(&self, code: &str, flow: &RefFlow) -> bool {
        let day = flow.day;
        let named = self.party.is_some() && flow.party != "unlisted";
        let counts = |condition: bool| !condition || !self.permit || named;
        self.to.iter().any(|entry| match *entry {
            "*" => true,
            "@dated" => DATED.iter().any(|(member, from, until, condition)| {
                *member == code
                    && from.is_none_or(|from| from <= day)
                    && until.is_none_or(|until| day < until)
                    && counts(*condition)
            }),
            "@own" => code == "CN" || code == "DE",
            written => written == code,
        })
    }
}

impl RefPolicy {
    /// Whether one country is forbidden on one axis, if `opener` opened the conversation.
    fn forbids(&self, flow: &RefFlow, opener: Opener, control: bool, code: &str) -> bool {
        let speaking: Vec<&RefRule> =
            self.rules.iter().filter(|rule| rule.control == control && rule.fits(flow, opener)).collect();
        if speaking.iter().any(|rule| !rule.permit && rule.names(code, flow)) {
            return true;
        }
        let asked = !control || speaking.iter().any(|rule| rule.permit);
        let permitted = speaking.iter().any(|rule| rule.permit && rule.names(code, flow));
        self.forbids && flow.moved && asked && !permitted
    }

    fn decide_axis(&self, flow: &RefFlow, opener: Opener, control: bool, possible: &CountrySet) -> Decision {
        let forbidden: Vec<bool> =
            possible.iter().map(|country| self.forbids(flow, opener, control, country.code())).collect();
        match (forbidden.iter().any(|one| *one), forbidden.iter().all(|one| *one)) {
            (false, _) => Decision::Permit,
            (_, true) => Decision::Forbid,
            _ => Decision::Indeterminate,
        }
    }

    /// The flow on the day whose law holds.
    fn on_the_day(&self, flow: &RefFlow) -> RefFlow {
        RefFlow { day: self.law.unwrap_or(flow.day), ..flow.clone() }
    }

    /// Every reason, by the rule's name or `default`, where it is known who opened the conversation.
    fn reasons(&self, flow: &RefFlow) -> Vec<(Axis, String, Decision)> {
        let flow = &self.on_the_day(flow);
        let control = flow.control.unwrap_or(CountrySet::ANYWHERE);
        let mut reasons = Vec::new();
        for (axis, possible) in [(Axis::Place, flow.place), (Axis::Control, control)] {
            let on_control = axis == Axis::Control;
            let decision = self.decide_axis(flow, flow.opener, on_control, &possible);
            if decision == Decision::Permit {
                continue;
            }
            let forbids = |index: usize, code: &str| {
                let rule = &self.rules[index];
                !rule.permit && rule.control == on_control && rule.fits(flow, flow.opener) && rule.names(code, flow)
            };
            // What each reason covers of the possible places, one country at a time.
            let covers = |covered: &dyn Fn(&str) -> bool| {
                let each: Vec<bool> = possible.iter().map(|country| covered(country.code())).collect();
                match (each.contains(&true), each.contains(&false)) {
                    (false, _) => Decision::Permit,
                    (true, true) => Decision::Indeterminate,
                    (true, false) => Decision::Forbid,
                }
            };
            let by_default = |code: &str| {
                self.forbids(flow, flow.opener, on_control, code)
                    && !(0..self.rules.len()).any(|index| forbids(index, code))
            };
            let mut here: Vec<(String, Decision)> = (0..self.rules.len())
                .map(|index| (format!("r{index}"), covers(&|code| forbids(index, code))))
                .collect();
            here.push(("default".to_owned(), covers(&by_default)));
            here.retain(|(_, alone)| *alone != Decision::Permit);
            if decision == Decision::Forbid && !here.iter().any(|(_, alone)| *alone == Decision::Forbid) {
                let completed = here.iter().any(|(name, _)| name == "default");
                for (name, alone) in &mut here {
                    if !completed || name == "default" {
                        *alone = Decision::Forbid;
                    }
                }
            }
            reasons.extend(here.into_iter().map(|(name, alone)| (axis, name, alone)));
        }
        reasons
    }

    /// The rules that permit any of the possible places, where it is known who opened the conversation.
    fn permits(&self, flow: &RefFlow) -> Vec<String> {
        let flow = &self.on_the_day(flow);
        let speaks = |rule: &RefRule| {
            let names = |country: Country| rule.names(country.code(), flow);
            rule.permit && !rule.control && rule.fits(flow, flow.opener) && flow.place.iter().any(names)
        };
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| speaks(rule));
        rules.map(|(index, _)| format!("r{index}")).collect()
    }

    /// `None` where nothing moved and no rule judges contact.
    fn decide(&self, flow: &RefFlow) -> Option<Decision> {
        let flow = &self.on_the_day(flow);
        let openers = match flow.opener {
            Opener::Unknown => vec![Opener::Local, Opener::Remote],
            known => vec![known],
        };
        if !flow.moved && !openers.iter().any(|opener| self.rules.iter().any(|rule| rule.fits(flow, *opener))) {
            return None;
        }
        let control = flow.control.unwrap_or(CountrySet::ANYWHERE);
        let decisions: Vec<Decision> = openers
            .into_iter()
            .map(|opener| {
                let place = self.decide_axis(flow, opener, false, &flow.place);
                place.max(self.decide_axis(flow, opener, true, &control))
            })
            .collect();
        let agree = decisions.iter().all(|decision| *decision == decisions[0]);
        // Nothing moved, nothing forbids it, and no rule permits it: contact and no more.
        let openers =
            if flow.opener == Opener::Unknown { vec![Opener::Local, Opener::Remote] } else { vec![flow.opener] };
        let permits = |rule: &RefRule| {
            let possible = if rule.control { &control } else { &flow.place };
            rule.permit
                && openers.iter().any(|opener| rule.fits(flow, *opener))
                && possible.iter().any(|country| rule.names(country.code(), flow))
        };
        if !flow.moved && agree && decisions[0] == Decision::Permit && !self.rules.iter().any(permits) {
            return None;
        }
        Some(if agree { decisions[0] } else { Decision::Indeterminate })
    }

    fn text(&self, backwards: bool) -> String {
        let default = if self.forbids { "forbid" } else { "permit" };
        let law = self.law.map(|day| format!("law = {day}\n")).unwrap_or_default();
        let mut parts = vec![
            format!("[policy]\nid = \"p\"\ndefault = \"{default}\"\n{law}"),
            "[zone.a]\nnetworks = [\"10.1.0.0/16\"]\n".to_owned(),
            "[zone.b]\nnetworks = [\"10.2.0.0/16\"]\n".to_owned(),
            "[party.x]\nmatch = [{ asn = [1] }]\n".to_owned(),
            "[party.y]\nmatch = [{ asn = [2] }]\n".to_owned(),
            "[service.web]\nports = [\"tcp/443\"]\n".to_owned(),
            "[service.wide]\nports = [\"udp/400-500\", \"tcp/400-500\"]\n".to_owned(),
            "[sets]\nown = [\"CN\", \"DE\"]\n".to_owned(),
        ];
        parts.extend(self.rules.iter().enumerate().map(|(index, rule)| rule.text(index)));
        if backwards {
            parts.reverse();
        }
        parts.join("\n")
    }
}

impl RefRule {
    fn text(&self, index: usize) -> String {
        let list = |items: &[&str]| items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ");
        let mut text = format!("[[rule]]\nid = \"r{index}\"\n");
        let _ = writeln!(text, "effect = \"{}\"", if self.permit { "permit" } else { "forbid" });
        let _ = writeln!(text, "from = [{}]", list(&self.zones));
        let _ = writeln!(text, "{} = [{}]", if self.control { "to-control" } else { "to" }, list(&self.to));
        if let Some(party) = &self.party {
            let _ = writeln!(text, "party = [{}]", list(party));
        }
        if let Some(service) = self.service {
            let _ = writeln!(text, "service = [\"{service}\"]");
        }
        if let Some(movement) = self.movement {
            let _ = writeln!(text, "movement = \"{movement}\"");
        }
        let _ = writeln!(text, "initiator = \"{}\"\ncontact = {}", self.initiator, self.contact);
        let ends: Vec<String> = [("from", self.from), ("until", self.until)]
            .iter()
            .filter_map(|(key, day)| day.map(|day| format!("{key} = {day}")))
            .collect();
        let _ = writeln!(text, "in-force = {{ {} }}", ends.join(", "));
        text
    }
}

fn parse(text: &str, library: &Library) -> Policy {
    let parsed = Policy::parse("law.toml", text, library);
    parsed.policy.unwrap_or_else(|| panic!("{:?}\n{text}", parsed.diagnostics))
}

fn library() -> Library {
    let (library, said) = Library::parse(&[("l.toml", LIBRARY)]);
    assert!(said.is_empty(), "{said:?}");
    library
}

fn selector(policy: &Policy, flow: &RefFlow) -> Selector {
    let addr = |text: &str| Addr::from(text.parse::<std::net::IpAddr>().unwrap());
    let zone: ZoneId = policy.zone_of(addr(if flow.zone == "a" { "10.1.2.3" } else { "10.2.2.3" })).unwrap();
    let number = match flow.party {
        "x" => 1,
        "y" => 2,
        _ => 3,
    };
    Selector {
        zone,
        epoch: policy.epoch(Timestamp(Timestamp::at_midnight(flow.day).0 + 1)).unwrap(),
        outward: flow.outward,
        moved: flow.moved,
        opened_by: flow.opener,
        party: policy.party_of(addr("198.51.100.1"), Some(Asn(number)), None, &[]),
        service: policy.service_class(flow.protocol, &flow.ports),
        spent: Spent::default(),
    }
}

fn judge(policy: &Policy, flow: &RefFlow) -> Option<Judgement> {
    let borders = policy.borders(&selector(policy, flow))?;
    let place = Location::stated(flow.place);
    (!borders.is_contact(&place, flow.control)).then(|| borders.decide(&place, flow.control))
}

fn places() -> impl Strategy<Value = CountrySet> {
    let some = proptest::sample::subsequence(CODES.to_vec(), 1..=3);
    prop_oneof![
        3 => some.prop_map(|codes| codes.into_iter().filter_map(Country::from_code).collect()),
        1 => Just(CountrySet::ANYWHERE),
    ]
}

fn rule() -> impl Strategy<Value = RefRule> {
    let to = proptest::sample::subsequence(vec!["*", "@dated", "@own", "BR", "CN", "DE", "FR", "JP", "US"], 1..=3);
    let zones = prop_oneof![Just(vec!["a"]), Just(vec!["b"]), Just(vec!["a", "b"])];
    let party = proptest::option::weighted(0.3, proptest::sample::subsequence(vec!["unlisted", "x", "y"], 1..=2));
    let service = proptest::option::weighted(0.3, prop_oneof![Just("web"), Just("wide")]);
    let movement = proptest::option::of(prop_oneof![Just("out"), Just("in"), Just("either")]);
    let initiator = prop_oneof![3 => Just("any"), 1 => Just("local"), 1 => Just("remote")];
    let from = proptest::option::weighted(0.2, Just(date(2020, 2, 1)));
    let until = proptest::option::weighted(0.2, Just(date(2021, 2, 1)));
    let first = (any::<bool>(), proptest::bool::weighted(0.25), zones, to, party, service);
    let second = (movement, initiator, proptest::bool::weighted(0.25), from, until);
    (first, second).prop_map(|(first, second)| {
        let (permit, control, zones, to, party, service) = first;
        let (movement, initiator, contact, from, until) = second;
        RefRule { permit, control, zones, to, party, service, movement, initiator, contact, from, until }
    })
}

fn policy() -> impl Strategy<Value = RefPolicy> {
    let law = proptest::option::weighted(0.3, proptest::sample::select(DAYS.to_vec()));
    let parts = (any::<bool>(), law, proptest::collection::vec(rule(), 0..6));
    parts.prop_map(|(forbids, law, rules)| RefPolicy { forbids, law, rules })
}

fn flow() -> impl Strategy<Value = RefFlow> {
    let service = prop_oneof![
        Just((Protocol::TCP, vec![443])),
        Just((Protocol::TCP, vec![50_000, 443])),
        Just((Protocol::TCP, vec![450, 443])),
        Just((Protocol::UDP, vec![443])),
        Just((Protocol::UDP, vec![501])),
        Just((Protocol::SCTP, vec![443])),
        Just((Protocol::ICMP, vec![])),
    ];
    let opener = prop_oneof![Just(Opener::Local), Just(Opener::Remote), Just(Opener::Unknown)];
    let first = (
        prop_oneof![Just("a"), Just("b")],
        prop_oneof![Just("x"), Just("y"), Just("unlisted")],
        proptest::sample::select(DAYS.to_vec()),
        any::<bool>(),
        proptest::bool::weighted(0.8),
    );
    let second = (opener, service, places(), proptest::option::of(places()));
    (first, second).prop_map(|(first, second)| {
        let (zone, party, day, outward, moved) = first;
        let (opener, (protocol, ports), place, control) = second;
        RefFlow { zone, party, day, outward, moved, opener, protocol, ports, place, control }
    })
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn compiled_is_the_reference(policy in policy(), flow in flow()) {
        let library = library();
        let compiled = parse(&policy.text(false), &library);
        let judgement = judge(&compiled, &flow);
        prop_assert_eq!(judgement.as_ref().map(|judgement| judgement.decision), policy.decide(&flow));
        if let Some(judgement) = judgement {
            // Nothing but a permit has a reason, and every reason is no better than the decision says.
            prop_assert_eq!(judgement.reasons.is_empty(), judgement.decision == Decision::Permit);
            prop_assert!(judgement.reasons.is_sorted());
            // The decision alone, by masks, is the decision with its reasons.
            let borders = compiled.borders(&selector(&compiled, &flow)).unwrap();
            prop_assert_eq!(borders.decision(&Location::stated(flow.place), flow.control), judgement.decision);
            let worst = judgement.reasons.iter().map(|(.., decision)| *decision).max();
            prop_assert_eq!(worst.unwrap_or(Decision::Permit), judgement.decision);
            if flow.opener != Opener::Unknown {
                let name = |reason: &Reason| match reason {
                    Reason::Rule(rule) => compiled.rule(*rule).id.clone(),
                    Reason::Default => "default".to_owned(),
                };
                let ours: Vec<(Axis, String, Decision)> =
                    judgement.reasons.iter().map(|(axis, reason, decision)| (*axis, name(reason), *decision)).collect();
                prop_assert_eq!(ours, policy.reasons(&flow));
                let permits: Vec<String> =
                    judgement.permitted_by.iter().map(|rule| compiled.rule(*rule).id.clone()).collect();
                let permitted = judgement.decision == Decision::Permit;
                prop_assert_eq!(permits, if permitted { policy.permits(&flow) } else { Vec::new() });
            }
            for (axis, reason, _) in &judgement.reasons {
                let Reason::Rule(rule) = reason else { continue };
                let index: usize = compiled.rule(*rule).id[1..].parse().unwrap();
                let rule = &policy.rules[index];
                prop_assert!(!rule.permit && rule.control == (*axis == Axis::Control));
            }
            let on_the_day = policy.on_the_day(&flow);
            for rule in &judgement.permitted_by {
                let index: usize = compiled.rule(*rule).id[1..].parse().unwrap();
                let rule = &policy.rules[index];
                prop_assert!(rule.permit && flow.place.iter().any(|country| rule.names(country.code(), &on_the_day)));
            }
        }
    }

    #[test]
    fn the_order_of_the_file_means_nothing(policy in policy(), flow in flow()) {
        let library = library();
        let (one, other) = (parse(&policy.text(false), &library), parse(&policy.text(true), &library));
        prop_assert_eq!(selector(&one, &flow), selector(&other, &flow));
        prop_assert_eq!(judge(&one, &flow), judge(&other, &flow));
    }

    #[test]
    fn the_unknown_is_permitted_only_where_everything_is(policy in policy(), flow in flow()) {
        let compiled = parse(&policy.text(false), &library());
        let unknown = RefFlow { place: CountrySet::ANYWHERE, ..flow };
        let each = Country::all().map(|country| {
            judge(&compiled, &RefFlow { place: CountrySet::of(country), ..unknown.clone() })
        });
        let worst = each.map(|judgement| judgement.map(|judgement| judgement.decision)).max().unwrap();
        let decision = judge(&compiled, &unknown).map(|judgement| judgement.decision);
        prop_assert_eq!(decision == Some(Decision::Permit), worst == Some(Decision::Permit));
    }

    #[test]
    fn reach_settles_and_never_overturns(policy in policy(), flow in flow(), reach in places()) {
        let compiled = parse(&policy.text(false), &library());
        let Some(borders) = compiled.borders(&selector(&compiled, &flow)) else { return Ok(()) };
        let before = Location::stated(flow.place);
        let after = before.within_reach(reach);
        if after.standing() == Standing::Refuted {
            return Ok(());
        }
        let decide = |location: &Location| borders.decide(location, flow.control).decision;
        // Control does not depend on place: what it settles stays, and what it leaves open stays open at worst.
        let (was, is) = (decide(&before), decide(&after));
        if was != Decision::Indeterminate {
            prop_assert_eq!(was, is);
        }
    }
}
