//! Tests of policies whose flows are seen together: limits add up, tripwires trip, and taking either out is noticed.

use std::cell::RefCell;

use landfall::audit::rehearse;
use landfall::diag::{Code, Colour, Diagnostic, render_text};
use landfall::policy::{Library, Policy};

const HEAD: &str = r#"
[policy]
id      = "together"
default = "forbid"

[zone.office]
networks = ["10.1.0.0/16"]
country  = "DE"

[party.meet]
match = [{ networks = ["198.51.100.0/26"] }]

[party.desk]
match = [{ networks = ["198.51.100.64/26"] }]

[[rule]]
id       = "tickets"
effect   = "permit"
from     = ["office"]
to       = ["US", "CA"]
movement = "either"
basis    = ["contract"]
limit    = { octets = "1000", per = "24h" }
"#;

/// A flow at a time of 2 March 2026 (UTC).
fn flow(time: &str, to: &str, place: &str, sent: u64, received: u64) -> String {
    format!(
        "  {{ at = 2026-03-{time}Z, from = \"10.1.0.9\", to = \"{to}\", in = [\"{place}\"], service = \"tcp/443\", initiator = \"local\", \
         sent = {sent}, received = {received} }},\n"
    )
}

fn test(flows: &[String], expect: &str) -> String {
    format!("\n[[test]]\nname = \"t\"\nflows = [\n{}]\nexpect = {{ {expect} }}\n", flows.concat())
}

/// What is said of a policy: when it is read, and by its tests.
fn said(text: &str) -> (Vec<Code>, String) {
    let parsed = Policy::parse("t.toml", text, Library::embedded());
    let mut said = parsed.diagnostics;
    said.retain(Diagnostic::is_error);
    if let Some(policy) = parsed.policy {
        said.extend(rehearse(&policy).into_iter().filter_map(|run| run.failure));
    }
    (said.iter().map(|one| one.code).collect(), render_text("t.toml", text, &said, Colour::Never))
}

fn passes(text: &str) {
    let (codes, drawn) = said(text);
    assert_eq!(codes, [], "{drawn}");
}

fn fails(text: &str, with: &[&str]) {
    let (codes, drawn) = said(text);
    assert_eq!(codes, [Code::TestFailed], "{drawn}");
    for part in with {
        assert!(drawn.contains(part), "{part} is not in\n{drawn}");
    }
}

#[test]
fn limits_add_up_over_their_windows() {
    let far = "198.51.100.7";
    let day = [flow("02T09:00:00", far, "US", 600, 0), flow("02T18:00:00", far, "CA", 300, 100)];
    passes(&format!("{HEAD}{}", test(&day, "decision = \"permit\"")));
    let over = [flow("02T09:00:00", far, "US", 600, 0), flow("02T18:00:00", far, "CA", 300, 101)];
    passes(&format!("{HEAD}{}", test(&over, "decision = \"forbid\"")));
    let two_days = [flow("02T23:59:59", far, "US", 1000, 0), flow("03T00:00:00", far, "CA", 0, 1000)];
    passes(&format!("{HEAD}{}", test(&two_days, "decision = \"permit\"")));
    fails(
        &format!("{HEAD}{}", test(&over, "decision = \"permit\"")),
        &["expected permit, came forbid", "each by itself, the flows come to permit, permit\n"],
    );
    // Sixteen are told of many.
    let many = |count: usize| test(&vec![flow("02T09:00:00", far, "US", 1, 0); count], "decision = \"forbid\"");
    let all = ["permit"; 16].join(", ");
    fails(&format!("{HEAD}{}", many(16)), &[&format!("the flows come to {all}\n")]);
    fails(&format!("{HEAD}{}", many(17)), &[&format!("the flows come to {all}, …\n")]);
    // As many as are read: 1,024 octets are over the limit of 1,000.
    passes(&format!("{HEAD}{}", many(1024)));
}

/// What a failing test says of the rules that decided: those that are missing, those that are too many, and both.
#[test]
fn a_failing_test_says_which_reason_is_missing_or_too_many() {
    let rules = "[[rule]]\nid = \"no-china\"\neffect = \"forbid\"\nfrom = [\"office\"]\nto = [\"CN\"]\n\
                 [[rule]]\nid = \"no-asia\"\neffect = \"forbid\"\nfrom = [\"office\"]\nto = [\"CN\", \"JP\"]\n";
    let to = |place: &str, sent: u64, expect: &str| {
        let one = flow("02T09:00:00", "198.51.100.200", place, sent, 0);
        let one = one.trim().trim_end_matches(',');
        format!("{HEAD}{rules}[[test]]\nname = \"t\"\nflow = {one}\nexpect = {{ {expect} }}\n")
    };
    passes(&to("CN", 1, "decision = \"forbid\", rules = [\"no-china\", \"no-asia\"]"));
    passes(&to("CN", 1, "decision = \"forbid\", rule = \"no-asia\""));
    fails(&to("CN", 1, "decision = \"forbid\", rules = [\"no-china\"]"), &["^ `no-asia` decided too\n"]);
    let more = "decision = \"forbid\", rules = [\"no-china\", \"no-asia\"]";
    fails(&to("JP", 1, more), &["^ `no-china` did not decide\n"]);
    fails(
        &to("JP", 1, "decision = \"forbid\", rules = [\"no-china\"]"),
        &["^ `no-china` did not decide, `no-asia` decided too\n"],
    );
    // Where nothing was sent, the help says so of both directions.
    fails(
        &to("JP", 0, "decision = \"forbid\""),
        &["expected forbid, came contact", "sent nothing: not judged; received nothing: not judged"],
    );
}

/// The default decides where octets moved that no rule speaks of; of a direction in which nothing moved it decides nothing.
#[test]
fn the_default_permits_what_moved() {
    let text = "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.1.0.0/16\"]\n\
                [[rule]]\nid = \"mail\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"US\"]\nbasis = [\"contract\"]\nmovement = \"out\"\n\
                [[rule]]\nid = \"probes\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]\nmovement = \"either\"\ncontact = true\n";
    let test = |received: u64, rules: &str| {
        let one = flow("02T09:00:00", "198.51.100.200", "US", 5, received);
        let one = one.trim().trim_end_matches(',');
        format!("{text}[[test]]\nname = \"t\"\nflow = {one}\nexpect = {{ decision = \"permit\", rules = {rules} }}\n")
    };
    passes(&test(0, "[\"mail\"]"));
    passes(&test(1, "[\"mail\", \"default\"]"));
    fails(&test(1, "[\"mail\"]"), &["the default decided too"]);
}

#[test]
fn the_decision_of_several_flows_is_the_worst() {
    let permitted = flow("02T09:00:00", "198.51.100.7", "US", 1, 0);
    let contact = flow("02T09:00:00", "198.51.100.7", "CN", 0, 0);
    let forbidden = flow("02T09:00:00", "198.51.100.7", "CN", 1, 0);
    let decided = |flows: &[String], decision: &str| {
        passes(&format!("{HEAD}{}", test(flows, &format!("decision = \"{decision}\""))));
    };
    decided(std::slice::from_ref(&contact), "contact");
    decided(&[permitted.clone(), contact.clone()], "permit");
    decided(&[forbidden, contact, permitted], "forbid");
}

#[test]
fn a_tripwire_that_does_not_trip_or_trips_too_is_told() {
    let wire = "[[tripwire]]\nid = \"quiet\"\nkind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"00:00-06:00\"\ntime-zone = \"UTC\"\n";
    let night = [flow("02T03:00:00", "198.51.100.7", "US", 1, 0)];
    let noon = [flow("02T12:00:00", "198.51.100.7", "US", 1, 0)];
    passes(&format!("{HEAD}{wire}{}", test(&night, "tripwires = [\"quiet\"]")));
    passes(&format!("{HEAD}{wire}{}", test(&noon, "tripwires = []")));
    fails(&format!("{HEAD}{wire}{}", test(&noon, "tripwires = [\"quiet\"]")), &["`quiet` did not trip"]);
    let trips = ["`quiet` tripped too", "1 octets moved between zone office and party meet in US in the quiet hours"];
    fails(&format!("{HEAD}{wire}{}", test(&night, "tripwires = []")), &trips);
    // Nothing is asked of tripwires where none are expected.
    passes(&format!("{HEAD}{wire}{}", test(&night, "decision = \"permit\"")));
    // One flow can be asked for both.
    let one = night[0].trim().trim_end_matches(',').to_owned();
    let both = format!(
        "{HEAD}{wire}[[test]]\nname = \"t\"\nflow = {one}\nexpect = {{ decision = \"permit\", rule = \"tickets\", tripwires = [\"quiet\"] }}\n"
    );
    passes(&both);
}

#[test]
fn mistakes_in_tests_of_several_flows_have_a_place() {
    let flows = [flow("02T03:00:00", "198.51.100.7", "US", 1, 0)];
    let one = flows[0].trim().trim_end_matches(',').to_owned();
    for (text, code, help) in [
        (test(&flows, "decision = \"permit\", rule = \"tickets\""), Code::BadExpectation, "in a test with one `flow`"),
        (test(&flows, "decision = \"permit\", waived = true"), Code::BadExpectation, "in a test with one `flow`"),
        (test(&flows, "tripwires = [\"quite\"]"), Code::UnknownTripwire, "the policy has no tripwire at all"),
        (
            "[[tripwire]]\nid = \"quiet\"\nkind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [\"10.1.0.1\"]\n"
                .to_owned()
                + &test(&flows, "tripwires = [\"quite\"]"),
            Code::UnknownTripwire,
            "did you mean `quiet`?",
        ),
        (
            "[[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"office\"]\nto = [\"CN\"]\nparty = [\"everywhere\"]\n"
                .to_owned(),
            Code::UnknownParty,
            "the policy has `desk`, `meet`",
        ),
        (
            "[[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"everywhere\"]\nto = [\"CN\"]\n".to_owned(),
            Code::UnknownZone,
            "every zone is `*`",
        ),
        (test(&flows, ""), Code::MissingKey, "say what should come"),
        (test(&[], "decision = \"permit\""), Code::EmptyList, "nothing here"),
        (
            format!("[[test]]\nname = \"t\"\nflow = {one}\nflows = [{one}]\nexpect = {{ decision = \"permit\" }}\n"),
            Code::BadValue,
            "write two tests",
        ),
        ("[[test]]\nname = \"t\"\nexpect = { decision = \"permit\" }\n".to_owned(), Code::MissingKey, "a `flow`"),
        (test(&vec![flows[0].clone(); 1025], "decision = \"permit\""), Code::TooLarge, "at most 1024"),
    ] {
        let (codes, drawn) = said(&format!("{HEAD}{text}"));
        assert_eq!(codes, [code], "{drawn}");
        assert!(drawn.contains(help), "{drawn}");
    }
}

/// The changes of tripwires and limits that are tried, and which of them survive without any test.
#[test]
fn every_part_of_a_tripwire_and_of_a_limit_is_changed_once() {
    let wires = r#"
[[tripwire]]
id       = "a"
kind     = "failover"
from     = ["office"]
party    = ["meet"]
inside   = ["US", "CA"]
attempts = 2
within   = "60s"

[[tripwire]]
id       = "b"
kind     = "new-edge"
from     = ["office"]
by       = "country"
baseline = 2026-01-01

[[tripwire]]
id       = "c"
kind     = "volume"
from     = ["office"]
movement = "out"
per      = "24h"
budget   = "1 GB"
times    = 3
trailing = 3

[[tripwire]]
id        = "d"
kind      = "schedule"
from      = ["office"]
quiet     = "22:00-06:00"
time-zone = "Europe/Berlin"
budget    = "1 MB"

[[tripwire]]
id       = "e"
kind     = "choke-point"
from     = ["office"]
gateways = ["198.51.100.1", "198.51.100.2"]
"#;
    let text = format!("{HEAD}{wires}");
    let found =
        Policy::mutate("m.toml", &text, Library::embedded(), None, &|policy| rehearse(&policy)).expect("a policy");
    let told: Vec<&str> =
        found.survivors.iter().map(|one| one.message.trim_start_matches("no test notices that ")).collect();
    for part in [
        "the rule `tickets` has no limit",
        "the rule `tickets` has its limit in half the time",
        "the rule `tickets` has ten times the limit",
        "the tripwire `a` is taken out",
        "the tripwire `a` watches every party",
        "the tripwire `a` loses `US`",
        "the tripwire `a` asks for one attempt more",
        "the tripwire `a` asks for one attempt less",
        "the tripwire `a` waits ten times as long",
        "the tripwire `a` waits a tenth as long",
        "the tripwire `b` is taken out",
        "the tripwire `b` watches for parties",
        "the tripwire `b` takes a year more to be known",
        "the tripwire `c` has the movement `in`",
        "the tripwire `c` has the movement `either`",
        "the tripwire `c` has periods twice as long",
        "the tripwire `c` has ten times the budget",
        "the tripwire `c` lets twice as many times the median move",
        "the tripwire `c` compares with no median",
        "the tripwire `c` takes the median over twice as many periods",
        "the tripwire `d` is quiet an hour later",
        "the tripwire `d` has the hours of UTC",
        "the tripwire `d` has ten times the budget",
        "the tripwire `e` is taken out",
        "the tripwire `e` loses `198.51.100.2`",
        "the tripwire `e` knows no gateway",
    ] {
        assert!(told.contains(&part), "{part} is not in\n{told:#?}");
    }
    assert_eq!((found.idle, found.left_out), (0, 0), "everything that is changed matters");
    // What each change makes of it, as it is listed then.
    let listings = RefCell::new(String::new());
    let listed = |policy: Policy| {
        let text = policy.listing(jiff::civil::date(2026, 3, 2));
        listings.borrow_mut().push_str(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        Vec::new()
    };
    Policy::mutate("m.toml", &text, Library::embedded(), None, &listed).expect("a policy");
    let listings = listings.into_inner();
    for part in [
        "limit 1000 octets in every 12 hours",
        "limit 10000 octets in every day",
        "3 attempts of a host to reach a party in US, CA go unanswered and, within minute of",
        "1 attempts of a host",
        "2 attempts of a host to reach a party in US, CA go unanswered and, within 10 minutes of",
        "2 attempts of a host to reach a party in US, CA go unanswered and, within 6 seconds of",
        "packets are exchanged with a party with which none were before 2026-01-01",
        "packets are exchanged with a country with which none were before 2027-01-01",
        "more than 1000000000 octets, or more than 3 times the median of the 3 periods before go out in 2 days",
        "more than 10000000000 octets, or more than 3 times the median of the 3 periods before go out in 1 day",
        "more than 1000000000 octets, or more than 6 times the median of the 3 periods before go out in 1 day",
        "more than 1000000000 octets, or more than 3 times the median of the 6 periods before go out in 1 day",
        "more than 1000000000 octets go out in 1 day",
        "the hours 23:00-07:00 Europe/Berlin",
        "the hours 22:00-06:00 UTC",
        "more than 10000000 octets in all",
    ] {
        assert!(listings.contains(part), "{part} is not in\n{listings}");
    }
    // A test that comes near to the budget notices what moves it, and nothing else.
    let budget = test(
        &[
            flow("02T03:00:00", "198.51.100.1", "US", 600, 0),
            flow("02T04:00:00", "198.51.100.1", "US", 1_000_000_000, 0),
        ],
        "tripwires = [\"c\", \"d\"]",
    );
    let noticed =
        Policy::mutate("m.toml", &format!("{text}{budget}"), Library::embedded(), None, &|policy| rehearse(&policy));
    let noticed = noticed.expect("its test passes").survivors;
    let left = |part: &str| noticed.iter().any(|one| one.message.ends_with(part));
    assert!(!left("the tripwire `c` has ten times the budget") && !left("the tripwire `c` is taken out"));
    assert!(left("the tripwire `c` takes the median over twice as many periods"));
}

/// A policy whose register declares recipients, one a line; `tests` are its tests. What no test notices of the register.
fn register_survivors(parties: &str, rows: &str, tests: &str) -> (Vec<String>, usize) {
    let text = format!(
        "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.office]\nnetworks = [\"10.1.0.0/16\"]\n{parties}\
         [[tripwire]]\nid = \"w\"\nkind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"r.csv\"\n{tests}"
    );
    let register = format!("recipient,countries\n{rows}");
    let mut read = Policy::parse("m.toml", &text, Library::embedded()).policy.expect("a policy");
    read.read_registers(|_| Ok(register.clone().into_bytes())).expect("a register");
    let found = Policy::mutate("m.toml", &text, Library::embedded(), Some(&read), &|policy| rehearse(&policy));
    let found = found.expect("its tests pass");
    let of_register = "no test notices that the register `r.csv` ";
    let told = found.survivors.iter().filter_map(|one| one.message.strip_prefix(of_register).map(str::to_owned));
    (told.collect(), found.unseen)
}

fn sent_to(asn: u32, country: &str, trips: &str) -> String {
    format!(
        "[[test]]\nname = \"{asn} {country}\"\nflow = {{ at = 2026-01-01T09:00:00Z, from = \"10.1.0.9\", to = \"192.0.2.1\", \
         in = [\"{country}\"], asn = {asn}, sent = 10 }}\nexpect = {{ tripwires = {trips} }}\n"
    )
}

#[test]
fn a_row_of_a_register_that_no_test_misses_survives() {
    let parties = "[party.one]\nname = \"One Ltd\"\nmatch = [{ asn = [1] }]\n[party.two]\nmatch = [{ asn = [2] }]\n";
    let rows = "One Ltd,DE; US\ntwo,US\nGhost Ltd,GB\n";
    let untested = ["loses DE of `One Ltd`", "loses US of `One Ltd`", "loses `One Ltd`", "loses `two`"];
    let unsaid = ["no longer says where `One Ltd` is", "no longer says where `two` is"];
    let (mut told, unseen) = register_survivors(parties, rows, &sent_to(3, "FR", "[\"w\"]"));
    told.sort();
    assert_eq!((told, unseen), ([&untested[..], &unsaid].concat().into_iter().map(str::to_owned).collect(), 1));

    // In a declared country the row is missed, and that country of it; elsewhere the countries are.
    let tests = sent_to(1, "DE", "[]") + &sent_to(1, "FR", "[\"w\"]");
    let (mut told, _) = register_survivors(parties, rows, &tests);
    told.sort();
    assert_eq!(told, ["loses US of `One Ltd`", "loses `two`", "no longer says where `two` is"]);
    let all = tests + &sent_to(1, "US", "[]") + &sent_to(2, "US", "[]") + &sent_to(2, "FR", "[\"w\"]");
    assert_eq!(register_survivors(parties, rows, &all).0, Vec::<String>::new());
}

/// Tests that name every row of a long register would be that register again.
#[test]
fn a_long_register_is_changed_row_by_row_at_its_head_alone() {
    let lines = |line: fn(u32) -> String| (100..140).map(line).collect::<Vec<_>>().concat();
    let parties = lines(|n| format!("[party.p{n}]\nmatch = [{{ asn = [{n}] }}]\n"));
    let rows = lines(|n| format!("p{n},DE\n"));
    let (told, _) = register_survivors(&parties, &rows, &sent_to(3, "FR", "[\"w\"]"));
    assert_eq!(told.len(), 32 * 2 + 2, "two changes for each of 32, and two for the other eight together");
    let told = |tests: &str| register_survivors(&parties, &rows, tests).0;
    let rest = ["loses 8 recipients after the first 32", "no longer says where 8 recipients after the first 32 are"];
    let left = told(&sent_to(139, "DE", "[]"));
    assert!(!left.iter().any(|one| one == rest[0]) && left.iter().any(|one| one == rest[1]), "{left:?}");
    let left = told(&(sent_to(131, "DE", "[]") + &sent_to(132, "FR", "[\"w\"]")));
    assert!(!left.iter().any(|one| one == rest[1]) && !left.iter().any(|one| one == "loses `p131`"), "{left:?}");
}

/// Each tripwire is held against its own register, and against its own columns of one that another reads too.
#[test]
fn every_register_is_its_own() {
    let wire = |id: &str, register: &str, more: &str| {
        format!(
            "[[tripwire]]\nid = \"{id}\"\nkind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"{register}\"\n{more}"
        )
    };
    let text = [
        "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.office]\nnetworks = [\"10.1.0.0/16\"]\n[party.one]\nmatch = [{ asn = [1] }]\n".to_owned(),
        wire("first", "r.csv", ""),
        wire("other", "s.csv", ""),
        wire("same", "r.csv", "columns = { countries = \"home\" }\n"),
        sent_to(1, "DE", "[\"other\", \"same\"]"),
        sent_to(1, "FR", "[\"first\"]"),
    ]
    .concat();
    let mut read = Policy::parse("m.toml", &text, Library::embedded()).policy.expect("a policy");
    let register = |path: &str| match path {
        "r.csv" => "recipient,countries,home\none,DE,FR\n",
        _ => "recipient,countries\none,FR\n",
    };
    read.read_registers(|path| Ok(register(path).as_bytes().to_vec())).expect("registers");
    assert!(rehearse(&read).iter().all(|run| run.failure.is_none()), "as it is read");
    let found = Policy::mutate("m.toml", &text, Library::embedded(), Some(&read), &|policy| rehearse(&policy));
    assert!(found.is_some(), "and as it is read for changes");
}
