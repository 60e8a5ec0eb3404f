//! Policies: what they mean, what the library says, and what flags make.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::date;
use landfall::audit::rehearse;
use landfall::cli::policy::STARTER;
use landfall::diag::{Code, Colour, Level, render_text};
use landfall::model::{Addr, Asn, Axis, Country, CountrySet, Decision, Location, Opener, Protocol, Reason, Timestamp};
use landfall::policy::{Library, Member, Policy, Selector, Spent};

fn parse(text: &str) -> Policy {
    let parsed = Policy::parse("test.toml", text, Library::embedded());
    let drawn = render_text("test.toml", text, &parsed.diagnostics, Colour::Never);
    parsed.policy.unwrap_or_else(|| panic!("{drawn}"))
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn set(codes: &str) -> CountrySet {
    if codes == "*" {
        return CountrySet::ANYWHERE;
    }
    codes.split(',').filter(|code| !code.is_empty()).map(|code| code.parse::<Country>().unwrap()).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A policy with a zone and a rule, with which a test puts its own lines. Line 1 is `[policy]`.
pub(crate) fn with(lines: &str) -> String {
    format!("[policy]\nid = \"p\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n{lines}")
}

pub(crate) fn with_rule(lines: &str) -> String {
    with(&format!("[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\n{lines}"))
}

#[test]
fn the_starter_is_clean_and_its_tests_pass() {
    let parsed = Policy::parse("starter.toml", STARTER, Library::embedded());
    let drawn = render_text("starter.toml", STARTER, &parsed.diagnostics, Colour::Never);
    assert_eq!(drawn, "");
    let policy = parsed.policy.unwrap();
    let runs = rehearse(&policy);
    assert_eq!(runs.len(), STARTER.matches("\n[[test]]").count());
    for run in runs {
        let failure = run.failure.as_slice();
        assert!(failure.is_empty(), "{}", render_text("starter.toml", STARTER, failure, Colour::Never));
    }
}

#[test]
fn a_library_past_its_review_date_is_told_from_the_day_after() {
    let policy = parse(&with_rule("to = [\"@eea\"]"));
    let due = Library::embedded().get("eea").unwrap().review_due;
    assert_eq!(policy.overdue(due), []);
    let said = policy.overdue(due.tomorrow().unwrap());
    assert_eq!((said.len(), said[0].code, said[0].level), (1, Code::LibraryStale, Level::Warning));
}

/// A row of the adequacy table: code, first day, day after the last, condition, act, and whether it is from general
/// knowledge.
type Row = (String, String, String, String, String, bool);

/// The names of sets in the collected facts, and in the library.
const SET_NAMES: [(&str, &str); 17] = [
    ("eu.members", "eu.members"),
    ("eea.members", "eea"),
    ("eu.gdpr-area", "eu.gdpr-area"),
    ("eu.gdpr-area.assimilated", "eu.gdpr-area.assimilated"),
    ("norway.svalbard", "no.svalbard"),
    ("eu.not-eea-overseas", "eu.not-eea-overseas"),
    ("china.doj", "us-doj.china"),
    ("china.mainland", "cn.mainland"),
    ("us.and-territories", "us.and-territories"),
    ("doj.countries-of-concern", "us-doj.countries-of-concern"),
    ("padfa.foreign-adversary", "us-padfa.foreign-adversaries"),
    ("commerce.icts-foreign-adversary", "us-commerce.foreign-adversaries"),
    ("ofac.comprehensive", "us-ofac.comprehensive"),
    ("itar.126.1-plus-ru", "us-itar.126-1"),
    ("cjis.apb", "us-cjis.apb"),
    ("fl.ehr", "us-fl.ehr"),
    ("tx.ehr", "us-tx.ehr"),
];

#[test]
fn the_library_is_the_collected_facts() {
    let (library, said) = Library::parse(Library::embedded_files());
    assert!(said.is_empty(), "{said:?}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/law/regimes.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: {path} is not there");
        return;
    };
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let texts = |value: &serde_json::Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let known_only = |row: &serde_json::Value| texts(&row["src"]) == BTreeSet::from(["k".to_owned()]);
    assert_eq!(facts["sets"].as_object().unwrap().len(), SET_NAMES.len());
    for (theirs, ours) in SET_NAMES {
        let (row, set) = (&facts["sets"][theirs], library.get(ours).unwrap());
        // The collected facts are the members of the day; earlier and former ones have tests of their own.
        let today = set.on(set.reviewed_on);
        let mut codes: BTreeSet<String> = today.iter().map(|country| country.to_string()).collect();
        codes.extend(set.beyond_codes.iter().cloned());
        assert_eq!(codes, texts(&row["codes"]), "{ours}");
        assert_eq!(set.general_knowledge, known_only(row), "{ours}");
    }
    assert_eq!(library.get("eea.members"), library.get("eea"));
    // Every row of the adequacy table, by who decided.
    let mut rows: BTreeMap<String, BTreeSet<Row>> = BTreeMap::new();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
    for row in facts["adequacy"].as_array().unwrap().iter().filter(|row| !row["code"].is_null()) {
        rows.entry(text(&row["by"]).to_lowercase()).or_default().insert((
            text(&row["code"]),
            text(&row["effective_from"]),
            text(&row["effective_until"]),
            text(&row["condition"]),
            text(&row["citation"]),
            known_only(row),
        ));
    }
    assert_eq!(rows.len(), 6);
    for (by, rows) in rows {
        let set = library.get(&format!("{by}.adequate")).unwrap();
        let day = |day: Option<jiff::civil::Date>| day.map_or_else(String::new, |day| day.to_string());
        let ours = |member: &Member| {
            (
                member.country.to_string(),
                day(member.period.from),
                day(member.period.until),
                member.condition.clone().unwrap_or_default(),
                member.citation.clone().unwrap_or_default(),
                member.general_knowledge,
            )
        };
        assert_eq!(set.members.iter().map(ours).collect::<BTreeSet<_>>(), rows, "{by}");
    }
    for set in library.sets() {
        assert!(set.general_knowledge || !set.sources.is_empty(), "{}: a fact without a source", set.name);
        assert!(set.review_due > set.reviewed_on, "{}", set.name);
    }
}

#[test]
fn memberships_have_dates() {
    let adequate = Library::embedded().get("eu.adequate").unwrap();
    let us = Country::from_code("US").unwrap();
    // Safe Harbour was annulled on 2015-10-06, Privacy Shield held from 2016-07-12 to 2020-07-16, the Data Privacy
    // Framework has since 2023-07-10: the judgments C-362/14 and C-311/18, decision (EU) 2023/1795.
    for (day, member) in [
        (date(2015, 10, 5), true),
        (date(2015, 10, 6), false),
        (date(2016, 7, 12), true),
        (date(2020, 7, 15), true),
        (date(2020, 7, 16), false),
        (date(2023, 7, 9), false),
        (date(2023, 7, 10), true),
    ] {
        assert_eq!(adequate.on(day).contains(us), member, "{day}");
    }
}

/// Accessions and withdrawals, a day before and on the day: the treaties of accession, Art. 50 TEU and the Withdrawal
/// Agreement's Arts 126 and 185.
#[test]
fn members_of_the_union_have_their_dates() {
    let rows = [
        ("eu.members", "HR", date(2013, 7, 1), true),
        ("eu.members", "PL", date(2004, 5, 1), true),
        ("eu.members", "BG", date(2007, 1, 1), true),
        ("eu.members", "AT", date(1995, 1, 1), true),
        ("eu.members", "GB", date(1973, 1, 1), true),
        ("eu.members", "GB", date(2020, 2, 1), false),
        ("eea", "GB", date(2021, 1, 1), false),
        ("eea", "NO", date(1994, 1, 1), true),
        ("eea", "LI", date(1995, 5, 1), true),
        ("eea", "HR", date(2014, 4, 12), true),
        ("eu.gdpr-area", "GB", date(2021, 1, 1), false),
        ("eu.gdpr-area", "YT", date(2014, 1, 1), true),
        ("eu.gdpr-area", "BL", date(2012, 1, 1), false),
        ("us-ofac.comprehensive", "SY", date(2025, 7, 1), false),
    ];
    for (set, code, day, from_then_on) in rows {
        let members = |day| Library::embedded().get(set).unwrap().on(day).contains(code.parse().unwrap());
        assert_eq!(members(day), from_then_on, "{set} {code} on {day}");
        assert_eq!(members(day.yesterday().unwrap()), !from_then_on, "{set} {code} before {day}");
    }
    // How many members the Union had: six, nine, ten, twelve, fifteen, 25, 27, 28, 27.
    let union = Library::embedded().get("eu.members").unwrap();
    let years = [1958, 1973, 1981, 1986, 1995, 2005, 2008, 2014, 2021];
    assert_eq!(years.map(|year| union.on(date(year, 12, 31)).len()), [6, 9, 10, 12, 15, 25, 27, 28, 27]);
}

#[test]
fn the_most_specific_network_is_the_zone_and_the_most_specific_match_the_party() {
    let policy = parse(
        "[policy]\nid = \"p\"\ndefault = \"permit\"\n\
         [zone.all]\nnetworks = [\"10.0.0.0/8\", \"::/0\"]\ncountry = \"DE\"\n\
         [zone.lab]\nnetworks = [\"10.1.0.0/16\"]\ncountry = [\"FR\", \"DE\"]\n\
         [party.cloud]\ncontrolled-from = [\"US\"]\nmatch = [{ asn = [64500, 64501] }, { networks = [\"198.51.100.0/24\"] }]\n\
         [party.meet]\nmatch = [{ names = [\"*.meet.example\", \"meet.example\"] }]\n\
         [party.keys]\nmatch = [{ names = [\"keys.meet.example\"] }, { networks = [\"198.51.100.7/32\"], asn = [64500] }]\n\
         [party.strict]\nmatch = [{ asn = [64500], names = [\"*.strict.example\"] }]\n",
    );
    let zone = |text| policy.zone_of(addr(text)).map(|zone| policy.zone_name(zone).to_owned());
    assert_eq!(zone("10.2.0.1").as_deref(), Some("all"));
    assert_eq!(zone("10.1.255.255").as_deref(), Some("lab"));
    assert_eq!(zone("2001:db8::1").as_deref(), Some("all"));
    assert_eq!(zone("192.0.2.1"), None, "`::/0` is all of IPv6 and nothing of IPv4");
    let lab = policy.zone_of(addr("10.1.0.1")).unwrap();
    assert_eq!(policy.zone_country(lab), Some(set("DE,FR")));
    let party = |far, asn: u32, name: Option<&str>| {
        policy
            .party_of(addr(far), (asn > 0).then_some(Asn(asn)), name, &[])
            .map(|party| policy.party_name(party).to_owned())
    };
    assert_eq!(party("192.0.2.1", 64501, None).as_deref(), Some("cloud"));
    assert_eq!(party("192.0.2.1", 64502, None), None);
    assert_eq!(party("192.0.2.1", 64500, Some("a.meet.example")).as_deref(), Some("meet"), "a name before a number");
    assert_eq!(party("192.0.2.1", 0, Some("meet.example")).as_deref(), Some("meet"));
    assert_eq!(party("192.0.2.1", 0, Some("KEYS.meet.example.")).as_deref(), Some("keys"), "the longer name");
    assert_eq!(party("192.0.2.1", 0, Some("notmeet.example")), None);
    assert_eq!(party("198.51.100.9", 0, Some("meet.example")).as_deref(), Some("cloud"), "a network before a name");
    assert_eq!(party("198.51.100.7", 64500, None).as_deref(), Some("keys"), "the longer network");
    assert_eq!(party("198.51.100.7", 0, None).as_deref(), Some("cloud"), "inside a table all must fit");
    assert_eq!(party("192.0.2.1", 64500, Some("a.strict.example")).as_deref(), Some("strict"));
    assert_eq!(party("192.0.2.1", 0, Some("a.strict.example")), None);
    let cloud = policy.party_of(addr("192.0.2.1"), Some(Asn(64500)), None, &[]).unwrap();
    assert_eq!(policy.controlled_from(cloud), Some(set("US")));
}

#[test]
fn periods_are_half_open_in_utc() {
    let text = "[policy]\nid = \"p\"\ndefault = \"permit\"\nin-force = { from = 2020-01-01, until = 2021-01-01 }\n\
                [zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
                [[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]\nin-force = { from = 2020-06-01, until = 2020-07-01 }\n";
    let decision = |policy: &Policy, time: &str| {
        let epoch = policy.epoch(at(time))?;
        let selector = Selector {
            zone: policy.zone_of(addr("10.0.0.1")).unwrap(),
            epoch,
            outward: true,
            moved: true,
            opened_by: Opener::Local,
            party: None,
            service: policy.service_class(Protocol::TCP, &[443]),
            spent: Spent::default(),
        };
        Some(policy.borders(&selector).unwrap().decide(&Location::stated(set("CN")), None).decision)
    };
    let policy = parse(text);
    assert_eq!(decision(&policy, "2019-12-31T23:59:59.999999999Z"), None);
    assert_eq!(decision(&policy, "2020-01-01T00:00:00Z"), Some(Decision::Permit));
    assert_eq!(decision(&policy, "2020-05-31T23:59:59Z"), Some(Decision::Permit));
    assert_eq!(decision(&policy, "2020-06-01T00:00:00Z"), Some(Decision::Forbid));
    assert_eq!(decision(&policy, "2020-06-30T23:59:59.999999999Z"), Some(Decision::Forbid));
    assert_eq!(decision(&policy, "2020-07-01T00:00:00Z"), Some(Decision::Permit));
    assert_eq!(decision(&policy, "2021-01-01T00:00:00Z"), None);
    let fixed = parse(&text.replace("default =", "law = 2020-06-15\ndefault ="));
    assert_eq!(decision(&fixed, "2020-01-01T00:00:00Z"), Some(Decision::Forbid), "the law of 2020-06-15 holds");
    assert_eq!(decision(&fixed, "2021-01-01T00:00:00Z"), None, "the policy's own period is on the flow's day");
}

#[test]
fn conditional_members_permit_only_with_a_party() {
    let tests = "[[test]]\nname = \"unnamed\"\nflow = { at = 2024-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"US\"], sent = 1 }\nexpect = { decision = \"forbid\", rule = \"default\" }\n\
                 [[test]]\nname = \"named\"\nflow = { at = 2024-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"US\"], asn = 7, sent = 1 }\nexpect = { decision = \"permit\", rules = [\"n\"] }\n\
                 [[test]]\nname = \"named, after Privacy Shield\"\nflow = { at = 2021-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"US\"], asn = 7, sent = 1 }\nexpect = { decision = \"forbid\", rules = [\"default\"] }\n\
                 [[test]]\nname = \"unconditional\"\nflow = { at = 2024-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"CH\"], sent = 1 }\nexpect = { decision = \"permit\", rules = [\"r\"] }\n";
    let policy = parse(&with_rule(&format!(
        "to = [\"@eu.adequate\"]\n[party.certified]\nmatch = [{{ asn = [7] }}]\n\
         [[rule]]\nid = \"n\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"@eu.adequate\"]\nparty = [\"certified\"]\n{tests}"
    )));
    for run in rehearse(&policy) {
        assert_eq!(run.failure, None, "{}", run.name);
    }
}

#[test]
fn members_left_out_are_told_unless_another_permit_names_their_recipients() {
    let codes = |text: &str| {
        let parsed = Policy::parse("test.toml", text, Library::embedded());
        parsed.diagnostics.into_iter().filter(|said| said.code == Code::ConditionalMembers).count()
    };
    let rules = |second: &str| {
        with_rule(&format!(
            "to = [\"@eu.adequate\"]\n[party.certified]\nmatch = [{{ asn = [7] }}]\n\
             [[rule]]\nid = \"n\"\neffect = \"{second}\"\nfrom = [\"z\"]\nparty = [\"certified\"]\nto = "
        ))
    };
    assert_eq!(codes(&format!("{}[\"@eu.adequate\"]\n", rules("permit"))), 0);
    assert_eq!(codes(&format!("{}[\"US\"]\n", rules("permit"))), 1, "Canada, Japan and South Korea are left out still");
    assert_eq!(codes(&format!("{}[\"@eu.adequate\"]\n", rules("forbid"))), 1, "a forbid reaches nobody");
}

#[test]
fn a_test_that_fails_says_what_came_and_which_rule_is_missing() {
    let text = with_rule(
        "to = [\"US\"]\n[[rule]]\nid = \"s\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]\n\
         [[test]]\nname = \"wrong\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"192.0.2.1\", in = [\"US\"], sent = 5 }\nexpect = { decision = \"forbid\", rule = \"s\" }\n",
    );
    let policy = parse(&text);
    let runs = rehearse(&policy);
    let failure = runs[0].failure.clone().unwrap();
    let drawn = render_text("test.toml", &text, &[failure], Colour::Never);
    assert_eq!(
        drawn,
        "error[test-failed]: the test `wrong` failed\n\
        \x20 --> test.toml:19:23\n\
        \x20  |\n\
        19 | expect = { decision = \"forbid\", rule = \"s\" }\n\
        \x20  |                       ^^^^^^^^         --- `s` did not decide: it was `r`\n\
        \x20  |                       |\n\
        \x20  |                       expected forbid, came permit\n\
        \x20  |\n\
        \x20  = help: from `z` to a far end in US: sent 5: permit by `r`; received nothing: not judged\n"
    );
}

/// What a zone has sent in 2020 to somebody who is no party.
fn sent(policy: &Policy, opened_by: Opener) -> Selector {
    Selector {
        zone: policy.zone_of(addr("10.0.0.1")).unwrap(),
        epoch: policy.epoch(at("2020-01-01T00:00:00Z")).unwrap(),
        outward: true,
        moved: true,
        opened_by,
        party: None,
        service: 0,
        spent: Spent::default(),
    }
}

#[test]
fn control_and_place_are_two_decisions() {
    let policy = parse(&with(
        "[party.x]\ncontrolled-from = [\"CN\"]\nmatch = [{ asn = [1] }]\n\
         [[rule]]\nid = \"p\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"DE\"]\n\
         [[rule]]\nid = \"c\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto-control = [\"CN\"]\n",
    ));
    let borders = policy.borders(&sent(&policy, Opener::Local)).unwrap();
    let control = Reason::Rule(policy.rule_named("c").unwrap());
    let permit = policy.rule_named("p").unwrap();
    let in_germany = Location::stated(set("DE"));
    let judgement = borders.decide(&in_germany, Some(set("CN")));
    assert_eq!(judgement.decision, Decision::Forbid);
    assert_eq!(judgement.reasons, [(Axis::Control, control, Decision::Forbid)]);
    let judgement = borders.decide(&in_germany, None);
    assert_eq!(judgement.decision, Decision::Indeterminate, "nobody says whom it answers to");
    let judgement = borders.decide(&in_germany, Some(set("US")));
    assert_eq!((judgement.decision, judgement.permitted_by), (Decision::Permit, vec![permit]));
    let judgement = borders.decide(&Location::stated(set("FR,DE")), Some(set("CN")));
    assert_eq!(
        judgement.reasons,
        [(Axis::Place, Reason::Default, Decision::Indeterminate), (Axis::Control, control, Decision::Forbid)]
    );
}

/// Sentences 2, 3 and 4 where nobody knows who opened the conversation: it may have been either side, and both are judged.
#[test]
fn what_either_opener_forbids_is_forbidden_and_what_one_forbids_is_open() {
    let reasons = |rules: &str, possible: &str, control: &str| {
        let policy = parse(&with(rules).replace("default = \"forbid\"", "default = \"permit\""));
        let judgement = policy
            .borders(&sent(&policy, Opener::Unknown))
            .unwrap()
            .decide(&Location::stated(set(possible)), Some(set(control)));
        let named = |reason: &Reason| match reason {
            Reason::Rule(rule) => policy.rule(*rule).id.clone(),
            Reason::Default => "default".to_owned(),
        };
        let reasons: Vec<_> = judgement.reasons.iter().map(|(axis, why, how)| (*axis, named(why), *how)).collect();
        (judgement.decision, reasons)
    };
    let rule = |id: &str, opener: &str, to: &str| {
        format!("[[rule]]\nid = \"{id}\"\neffect = \"forbid\"\nfrom = [\"z\"]\ninitiator = \"{opener}\"\n{to}\n")
    };
    let (forbid, open) = (Decision::Forbid, Decision::Indeterminate);
    let said = |axis, id: &str, how| (axis, id.to_owned(), how);
    // If we opened it, its place forbids it; if they did, whom it answers to: forbidden whoever did, for both reasons.
    let (local, remote) = (rule("local", "local", "to = [\"CN\"]"), rule("remote", "remote", "to-control = [\"RU\"]"));
    assert_eq!(
        reasons(&format!("{local}{remote}"), "CN", "RU"),
        (forbid, vec![said(Axis::Place, "local", forbid), said(Axis::Control, "remote", forbid)])
    );
    // Whom it answers to forbids it either way. Of its place that is not known: only if we opened it.
    let always = rule("always", "any", "to-control = [\"RU\"]");
    assert_eq!(
        reasons(&format!("{local}{always}"), "CN", "RU"),
        (forbid, vec![said(Axis::Place, "local", open), said(Axis::Control, "always", forbid)])
    );
    // The same the other way round.
    let everywhere = rule("everywhere", "any", "to = [\"CN\"]");
    assert_eq!(
        reasons(&format!("{everywhere}{remote}"), "CN", "RU"),
        (forbid, vec![said(Axis::Place, "everywhere", forbid), said(Axis::Control, "remote", open)])
    );
    // One of them alone leaves it open; and what leaves a place open if we opened it does not forbid it.
    assert_eq!(reasons(&local, "CN", "DE"), (open, vec![said(Axis::Place, "local", open)]));
    assert_eq!(reasons(&everywhere, "CN,FR", "DE"), (open, vec![said(Axis::Place, "everywhere", open)]));
    // Permits of which either may speak: permitted by both, and by none where the default may speak.
    let permitted = |rules: &str| {
        let policy = parse(&with(rules));
        let judgement =
            policy.borders(&sent(&policy, Opener::Unknown)).unwrap().decide(&Location::stated(set("CN")), None);
        let names: Vec<String> = judgement.permitted_by.iter().map(|rule| policy.rule(*rule).id.clone()).collect();
        (judgement.decision, names)
    };
    let permit = |id: &str, opener: &str| rule(id, opener, "to = [\"CN\"]").replace("forbid", "permit");
    let (ours, theirs) = (permit("ours", "local"), permit("theirs", "remote"));
    assert_eq!(permitted(&format!("{ours}{theirs}")), (Decision::Permit, vec!["ours".to_owned(), "theirs".to_owned()]));
    assert_eq!(permitted(&ours), (open, vec![]));
    // Both forbid, by a rule each.
    let theirs = rule("theirs", "remote", "to = [\"CN\"]");
    assert_eq!(
        reasons(&format!("{local}{theirs}"), "CN", "DE"),
        (forbid, vec![said(Axis::Place, "local", forbid), said(Axis::Place, "theirs", forbid)])
    );
}

/// What was not checked against a public text is marked where a report shows it.
#[test]
fn general_knowledge_is_marked_by_set_and_by_member() {
    let set = |name: &str, mark: &str, due: &str| {
        format!(
            "[[set]]\nname = \"{name}\"\ntitle = \"t\"\nauthority = \"a\"\ncitation = \"c\"\nreviewed-on = 2020-01-01\nreview-due = {due}\n{mark}\
             members = [\"DE\", {{ codes = [\"FR\"], general-knowledge = true }}, {{ codes = [\"IT\"], until = 2010-01-01, general-knowledge = true }}]\n"
        )
    };
    let text = [set("checked", "", "2022-01-01"), set("known", "general-knowledge = true\n", "2021-06-01")].concat();
    let (library, said) = Library::parse(&[("l.toml", &text)]);
    assert_eq!(said, []);
    assert_eq!(library.review_due(), Some(date(2021, 6, 1)));
    let parsed = Policy::parse("p.toml", &with_rule("to = [\"@checked\", \"@known\"]"), &library);
    let summary = parsed.policy.unwrap().summary(Some((date(2020, 1, 1), date(2020, 1, 2))));
    let sets: Vec<_> = summary.sets.iter().map(|set| (set.name.as_str(), set.members, set.general_knowledge)).collect();
    assert_eq!(
        sets,
        [("checked", self::set("DE,FR"), self::set("FR")), ("known", self::set("DE,FR"), self::set("DE,FR"))]
    );
}

#[test]
fn a_policy_is_named_by_the_digest_of_its_text() {
    // By sha256sum.
    let policy = parse("[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n");
    assert_eq!(policy.digest(), "6f8a1c90837addf794bfc815bf1c96701d6a4a4b22f6d4260e13e5205b45f806");
    assert_eq!(policy.summary(None).digest, policy.digest());
}

#[test]
fn what_is_named_twice_in_a_rule_counts_once() {
    let policy = parse(&with(
        "[service.web]\nports = [\"tcp/443\"]\n[sets]\ntwice = [\"@eea\", \"@eea\", \"DE\"]\n\
         [[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"@twice\", \"@twice\"]\nservice = [\"web\", \"web\"]\n\
         [[test]]\nname = \"t\"\nflow = { at = 2026-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"DE\"], service = \"tcp/443\", sent = 1 }\nexpect = { decision = \"permit\", rules = [\"r\"] }\n",
    ));
    assert_eq!(rehearse(&policy)[0].failure, None);
}

#[test]
fn a_party_is_called_by_its_name_or_else_its_key() {
    let policy = parse(&with(
        "[party.a]\nname = \"A Company, Inc.\"\nmatch = [{ asn = [64500, 64501], names = [\"*.a.example\", \"a.example\"] }]\n\
         [party.b]\nmatch = [{ networks = [\"198.51.100.0/24\"], region = [\"oci:us-*\"] }]\n",
    ));
    let party = |number| policy.party_of(addr("192.0.2.1"), Some(Asn(number)), Some("x.a.example"), &[]).unwrap();
    assert_eq!((policy.party_name(party(64500)), policy.party_title(party(64501))), ("a", "A Company, Inc."));
    let b = policy.party_of(addr("198.51.100.1"), None, None, &["oci:us-phoenix-1".to_owned()]).unwrap();
    assert_eq!((policy.party_name(b), policy.party_title(b)), ("b", "b"));
    assert!(policy.asks_for_regions() && !parse(&with("")).asks_for_regions());
    let titles: Vec<Option<String>> = policy.summary(None).parties.into_iter().map(|party| party.title).collect();
    assert_eq!(titles, [Some("A Company, Inc.".to_owned()), None]);
    let listing = policy.listing(date(2026, 1, 1));
    for line in [
        "party a  A Company, Inc.",
        "party b",
        "  match     AS64500 or AS64501, and *.a.example or a.example",
        "  match     198.51.100.0/24, and oci:us-*",
    ] {
        assert!(listing.lines().any(|one| one == line), "{line}\n{listing}");
    }
}

#[test]
fn flags_make_a_policy() {
    let flags = |allow: &str, deny: &str| {
        let list = |text: &str| if text.is_empty() { vec![] } else { vec![text.to_owned()] };
        let local = ["10.0.0.0/8".to_owned(), "fc00::/7".to_owned()];
        Policy::from_flags(&list(allow), &list(deny), &local, Library::embedded())
    };
    let decide = |policy: &Policy, place: &str, outward: bool| {
        let selector = Selector {
            zone: policy.zone_of(addr("10.0.0.1")).unwrap(),
            epoch: policy.epoch(at("2026-01-01T00:00:00Z")).unwrap(),
            outward,
            moved: true,
            opened_by: Opener::Unknown,
            party: None,
            service: 0,
            spent: Spent::default(),
        };
        policy.borders(&selector).unwrap().decide(&Location::stated(set(place)), None).decision
    };
    let made = flags("@eea,CH", "");
    assert_eq!(made.diagnostics, []);
    assert_eq!(made.command, "--allow @eea,CH --local 10.0.0.0/8,fc00::/7");
    let policy = made.policy.unwrap();
    assert_eq!(decide(&policy, "CH", true), Decision::Permit);
    assert_eq!(decide(&policy, "US", true), Decision::Forbid);
    assert_eq!(decide(&policy, "US,CH", true), Decision::Indeterminate);
    assert_eq!(decide(&policy, "US", false), Decision::Permit, "flags judge what leaves");
    let again = Policy::parse("again", &made.text, Library::embedded()).policy.unwrap();
    assert_eq!(again.digest(), policy.digest());
    let policy = flags("", "CN").policy.unwrap();
    assert_eq!(decide(&policy, "CN", true), Decision::Forbid);
    assert_eq!(decide(&policy, "CN", false), Decision::Permit);
    assert_eq!(decide(&policy, "*", true), Decision::Indeterminate);
    let policy = flags("@us-doj.china", "HK").policy.unwrap();
    assert_eq!(decide(&policy, "CN", true), Decision::Permit);
    assert_eq!(decide(&policy, "HK", true), Decision::Forbid);
    assert_eq!(decide(&policy, "DE", true), Decision::Forbid);
    let summary = policy.summary(Some((date(2026, 1, 1), date(2026, 1, 1))));
    assert_eq!(summary.sets[0].members, set("CN,HK,MO"));
    assert!(summary.origin.starts_with("--allow @us-doj.china --deny HK"));

    let wrong = flags("DE,UK", "@us-doj.chnia");
    assert!(wrong.policy.is_none());
    let drawn = render_text("flags", &wrong.command, &wrong.diagnostics, Colour::Never);
    assert!(drawn.contains("--allow DE,UK") && drawn.contains("`GB`") && drawn.contains("`@us-doj.china`"), "{drawn}");
    let places: Vec<&str> = wrong.diagnostics.iter().map(|said| &wrong.command[said.span().unwrap()]).collect();
    assert_eq!(places, ["UK", "@us-doj.chnia"]);
    // As many entries as are read, and one more.
    let many = |allow: usize, deny: usize, local: usize| {
        let list = |count: usize, what: &dyn Fn(usize) -> String| (0..count).map(what).collect::<Vec<_>>();
        let code = |_: usize| "US".to_owned();
        let network = |n: usize| format!("10.{}.{}.0/24", n / 256, n % 256);
        Policy::from_flags(&list(allow, &code), &list(deny, &code), &list(local, &network), Library::embedded())
            .policy
            .is_some()
    };
    assert!(many(4095, 0, 1) && many(0, 4095, 1) && many(1, 0, 4095));
    assert!(!many(4096, 0, 1) && !many(0, 4096, 1) && !many(1, 0, 4096) && !many(2048, 2048, 1));
    let conditional = flags("@eu.adequate", "");
    assert_eq!(conditional.diagnostics[0].code, Code::ConditionalMembers);
    assert!(flags("", "").policy.is_none());
    assert!(flags("US\"]", "").policy.is_none(), "flags are not pasted into the text unread");
}

#[test]
fn summaries_span_the_days_of_the_flows() {
    let policy = parse(&with_rule("to = [\"@eu.adequate\"]"));
    let us = Country::from_code("US").unwrap();
    let member = |first, last| policy.summary(Some((first, last))).sets[0].members.contains(us);
    assert!(!member(date(2015, 10, 6), date(2016, 7, 11)));
    assert!(member(date(2015, 10, 6), date(2016, 7, 12)));
    assert!(member(date(2015, 10, 5), date(2015, 10, 5)));
}

mod command {
    //! `landfall policy` as its user runs it, but for the process.

    use clap::Parser;
    use landfall::cli::policy::{PolicyCommand, execute};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: PolicyCommand,
    }

    fn run(words: &[&str]) -> (u8, String) {
        let line = Line::parse_from(std::iter::once("policy").chain(words.iter().copied()));
        let mut out = Vec::new();
        let status = execute(&line.command, date(2026, 12, 1), Colour::Never, &mut out).unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    #[test]
    fn exit_codes_and_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (starter, bad) = (file("starter.toml", STARTER), file("bad.toml", &with_rule("to = [\"UK\"]")));
        let warned = file("warned.toml", &with_rule("to = [\"DE\"]"));
        let failing = file("failing.toml", &STARTER.replace("decision = \"permit\"", "decision = \"forbid\""));
        assert_eq!(run(&["check", &starter]), (0, format!("{starter}: nothing to say\n")));
        let (status, text) = run(&["check", &starter, &bad]);
        assert!(status == 2 && text.contains("bad.toml:10:7") && text.contains("1 error"), "{text}");
        assert_eq!(run(&["check", &warned]).0, 0);
        assert_eq!(run(&["check", "--deny-warnings", &warned]).0, 2);
        assert_eq!(run(&["check", &folder.path().join("none").display().to_string()]).0, 2);
        let (status, text) = run(&["check", "--format", "json", &bad]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 2);
        assert_eq!(value["files"][0]["diagnostics"][0]["code"], "unknown-country");
        assert_eq!(value["files"][0]["diagnostics"][0]["span"]["line"], 10);
        let (status, text) = run(&["test", &starter]);
        assert!(status == 0 && text.ends_with("24 passed, 0 failed\n"), "{text}");
        let (status, text) = run(&["test", &failing]);
        assert!(status == 1 && text.contains("expected forbid, came permit"), "{text}");
        assert_eq!(run(&["test", &failing, &bad]).0, 2);
        let (status, text) = run(&["show", "--on", "2026-03-01", &starter]);
        assert_eq!(status, 0);
        for part in [
            "rule no-china: forbid [critical]",
            "CN, HK, MO",
            "library set @eea",
            "reviewed  2026-11-22",
            "tripwire mailer-volume: volume [medium]",
            "more than 1000000000 octets go out in 1 day, with one party",
            "2000000000 octets in every day",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let (status, text) = run(&["show", "--library"]);
        assert!(status == 0 && text.contains("dpf-certified"), "{text}");
        assert_eq!(run(&["init"]), (0, STARTER.to_owned()));
        let new = folder.path().join("new.toml");
        assert_eq!(run(&["init", new.to_str().unwrap()]).0, 0);
        assert_eq!(std::fs::read_to_string(&new).unwrap(), STARTER);
        assert_eq!(run(&["init", new.to_str().unwrap()]).0, 2, "a file that exists is left alone");
    }
}

/// A whole region before all that begin with it, and of two beginnings the longer, whatever the parties are called.
#[test]
fn the_longest_region_names_the_party() {
    let party = |names: [&str; 3]| {
        let [whole, long, short] = names;
        let text = with(&format!(
            "[party.{whole}]\nmatch = [{{ region = [\"oci:us-ashburn-1\"] }}]\n\
             [party.{long}]\nmatch = [{{ region = [\"oci:us-ashburn-1*\"] }}]\n\
             [party.{short}]\nmatch = [{{ region = [\"oci:us-*\"] }}]\n"
        ));
        let policy = Policy::parse("p.toml", &text, Library::embedded()).policy.expect("a policy");
        ["oci:us-ashburn-1", "oci:us-ashburn-12", "oci:us-phoenix-1"].map(|region| {
            let found = policy.party_of(addr("198.51.100.1"), None, None, &[region.to_owned()]).expect("a party");
            policy.party_name(found).to_owned()
        })
    };
    for names in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["b", "a", "c"]] {
        assert_eq!(party(names), names);
    }
}

/// Of parties that share a network, the one whose table asks for more and gets it, whatever they are called.
#[test]
fn of_one_network_the_table_that_asks_for_more_names_the_party() {
    let network = "networks = [\"198.51.100.0/24\"]";
    for [plain, asking, asking_more] in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["b", "a", "c"]] {
        let text = with(&format!(
            "[party.{plain}]\nmatch = [{{ {network} }}]\n[party.{asking}]\nmatch = [{{ {network}, asn = [7] }}]\n\
             [party.{asking_more}]\nmatch = [{{ {network}, asn = [7], names = [\"x.example\"] }}]\n"
        ));
        let policy = Policy::parse("p.toml", &text, Library::embedded()).policy.expect("a policy");
        let party = |operator: Option<u32>, name: Option<&str>| {
            let found = policy.party_of(addr("198.51.100.1"), operator.map(Asn), name, &[]).expect("a party");
            policy.party_name(found).to_owned()
        };
        assert_eq!(party(None, None), plain);
        assert_eq!(party(Some(7), None), asking);
        assert_eq!(party(Some(7), Some("x.example")), asking_more);
        assert_eq!(party(Some(8), Some("x.example")), plain);
    }
}
