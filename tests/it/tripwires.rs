//! Tripwires: each kind trips on what it watches for and on nothing else, in any split and order of the flows.
//!
//! The far ends are the samples' documentation addresses ([`flows`]).

use std::path::PathBuf;

use landfall::audit::{Grounds, MAX_ADDRESSES, rehearse};
use landfall::diag::{Colour, render_text};
use landfall::locate::{Gazetteer, Horizon, Medium};
use landfall::model::{
    BiflowDirection, Counters, FlowFlags, FlowRecord, Outcome, Report, RoundTrip, Timestamp, TripwireResult,
};
use landfall::policy::register::Register;
use landfall::policy::{Library, Policy};

use crate::fixtures::flows::{self, audit, grounds, opened, packet};

const POLICY: &str = r#"
[policy]
id      = "wires"
default = "permit"

[zone.office]
networks = ["10.1.0.0/16"]
country  = "CA"

[zone.lab]
networks = ["10.2.0.0/16"]
country  = "CA"

[party.meet]
name  = "Meetings, Inc."
match = [{ networks = ["198.51.100.0/26", "203.0.113.0/26"] }]

[party.partner]
name  = "Partner GmbH"
match = [{ networks = ["198.51.100.64/26"] }]
"#;

fn policy(tripwire: &str) -> Policy {
    flows::policy(&format!("{POLICY}\n[[tripwire]]\nid = \"w\"\n{tripwire}\n"))
}

/// A flow that our side opened: when, whom, and how much payload went and came.
fn flow(at: &str, near: &str, far: &str, sent: u64, received: u64) -> FlowRecord {
    let mut record = opened(at, near, far);
    record.forward = packet(sent + 40, 40);
    record.reverse = if received > 0 { packet(received + 40, 40) } else { Counters::default() };
    record
}

fn report(policy: Policy, flows: &[FlowRecord]) -> Report {
    flows::report(&grounds(policy), flows)
}

fn wire(tripwire: &str, flows: &[FlowRecord]) -> TripwireResult {
    let mut report = report(policy(tripwire), flows);
    let result = report.tripwires.remove(0);
    let fails = !result.tripped.is_empty();
    assert_eq!(report.outcome == Outcome::Forbidden, fails, "what trips fails the run, and nothing else does here");
    result
}

const FAILOVER: &str =
    "kind = \"failover\"\nfrom = [\"office\"]\ninside = [\"US\", \"CA\"]\nattempts = 2\nwithin = \"60s\"";

/// Two attempts in the United States, and then an answer from China: the fault of 2020.
fn fault() -> Vec<FlowRecord> {
    vec![
        flow("2020-03-30T15:00:00Z", "10.1.0.9", "198.51.100.7", 0, 0),
        flow("2020-03-30T15:00:20Z", "10.1.0.9", "198.51.100.8", 0, 0),
        flow("2020-03-30T15:00:41Z", "10.1.0.9", "203.0.113.7", 900, 4000),
    ]
}

#[test]
fn a_fail_over_is_attempts_inside_and_an_answer_from_outside() {
    let result = wire(FAILOVER, &fault());
    assert_eq!(result.tripped.len(), 1);
    let tripped = &result.tripped[0];
    assert_eq!(tripped.since.to_string(), "2020-03-30T15:00:00Z");
    assert_eq!(tripped.flows, 3);
    assert!(tripped.sentence.contains("2 attempts of 10.1.0.9"), "{}", tripped.sentence);
    assert!(tripped.sentence.contains("41.0 s after the first"), "{}", tripped.sentence);
    assert!(tripped.sentence.contains("CN"), "{}", tripped.sentence);
}

#[test]
fn a_fail_over_needs_all_of_it() {
    let quiet = |change: &dyn Fn(&mut Vec<FlowRecord>), why: &str| {
        let mut flows = fault();
        change(&mut flows);
        assert_eq!(wire(FAILOVER, &flows).tripped, [], "{why}");
    };
    quiet(
        &|flows| {
            flows.remove(0);
        },
        "one attempt is not two",
    );
    quiet(
        &|flows| {
            flows.pop();
        },
        "nobody outside answered",
    );
    quiet(
        &|flows| flows[1] = flow("2020-03-30T15:00:20Z", "10.1.0.9", "198.51.100.8", 10, 10),
        "one of them was answered",
    );
    quiet(&|flows| flows[1] = flow("2020-03-30T15:00:20Z", "10.1.0.8", "198.51.100.8", 0, 0), "another host");
    quiet(&|flows| flows[1] = flow("2020-03-30T15:00:20Z", "10.1.0.9", "198.51.100.70", 0, 0), "another party");
    quiet(&|flows| flows[2] = flow("2020-03-30T15:01:01Z", "10.1.0.9", "203.0.113.7", 900, 4000), "a minute is over");
    quiet(&|flows| flows[2] = flow("2020-03-30T15:00:41Z", "10.1.0.9", "198.51.100.9", 900, 4000), "inside answered");
    quiet(&|flows| flows[2] = flow("2020-03-30T15:00:41Z", "10.1.0.9", "203.0.113.7", 900, 0), "nothing came back");
    quiet(
        &|flows| flows.iter_mut().for_each(|flow| flow.direction = BiflowDirection::Arbitrary),
        "nobody knows who called",
    );
    quiet(
        &|flows| flows.iter_mut().for_each(|flow| flow.flags.set(FlowFlags::ONE_DIRECTION)),
        "an empty reverse says nothing where the source reports directions apart",
    );
    let mut in_time = fault();
    in_time[2] = flow("2020-03-30T15:01:00Z", "10.1.0.9", "203.0.113.7", 900, 4000);
    assert_eq!(wire(FAILOVER, &in_time).tripped.len(), 1, "sixty seconds after the first is within sixty seconds");
}

#[test]
fn a_new_edge_is_a_country_that_was_not_there_before() {
    let edge = "kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-02-01";
    let before = flow("2026-01-10T00:00:00Z", "10.1.0.9", "198.51.100.7", 100, 100);
    let probe = flow("2026-02-03T00:00:00Z", "10.1.0.9", "203.0.113.70", 0, 0);
    let known = flow("2026-02-04T00:00:00Z", "10.1.0.9", "198.51.100.140", 100, 100);
    let result = wire(edge, &[before, probe, known]);
    assert_eq!(result.tripped.len(), 1, "one packet is enough, and another operator in a known country is nothing new");
    assert!(result.tripped[0].sentence.starts_with("AQ was reached first at 2026-02-03"), "{:?}", result.tripped);
    assert_eq!(result.remarks, Vec::<String>::new());

    let result = wire(edge, &[probe, known]);
    assert_eq!(result.tripped, [], "without a time before, nothing is new");
    assert!(result.remarks[0].contains("hold nothing of zone office before 2026-02-01"), "{:?}", result.remarks);

    let nowhere = flow("2026-02-03T00:00:00Z", "10.1.0.9", "203.0.113.200", 10, 0);
    let result = wire(edge, &[before, nowhere]);
    assert_eq!((result.tripped.len(), result.remarks.len()), (0, 1), "an unknown place is said and is no edge");

    let elsewhere = flow("2026-02-03T00:00:00Z", "10.2.0.9", "203.0.113.70", 10, 0);
    assert_eq!(wire(edge, &[before, elsewhere]).tripped, [], "another zone is not watched");
}

#[test]
fn a_new_edge_can_be_a_party() {
    let edge = "kind = \"new-edge\"\nfrom = [\"*\"]\nby = \"party\"\nbaseline = 2026-02-01T00:00:00Z";
    let before = flow("2026-01-31T23:59:59Z", "10.1.0.9", "198.51.100.7", 100, 100);
    let same = flow("2026-02-01T00:00:00Z", "10.1.0.9", "203.0.113.7", 100, 100);
    let new = flow("2026-02-01T00:00:00Z", "10.1.0.9", "198.51.100.70", 100, 100);
    let result = wire(edge, &[before, same, new]);
    assert_eq!(result.tripped.len(), 1);
    assert!(result.tripped[0].sentence.contains("party partner"), "{:?}", result.tripped);
}

/// Days of traffic with the partner, so many octets of payload a day in one packet each, from 1 January 2026.
fn days(amounts: &[u64]) -> Vec<FlowRecord> {
    let flows = amounts.iter().zip(1..).filter(|(amount, _)| **amount > 0);
    flows
        .map(|(amount, day)| flow(&format!("2026-01-{day:02}T10:00:00Z"), "10.1.0.9", "198.51.100.70", *amount, 0))
        .collect()
}

#[test]
fn a_volume_is_over_its_budget_since_a_day() {
    let volume = "kind = \"volume\"\nfrom = [\"office\"]\nparty = [\"partner\"]\nper = \"24h\"\nbudget = \"1 kB\"";
    // 40 octets of headers come on top.
    assert_eq!(wire(volume, &days(&[960, 960, 900])).tripped, [], "a thousand octets are not more than 1 kB");
    let result = wire(volume, &days(&[960, 961, 100, 5000]));
    assert_eq!(result.tripped.len(), 1, "one row a party, however long it goes on");
    assert_eq!(result.tripped[0].since.to_string(), "2026-01-02T00:00:00Z");
    assert_eq!(result.tripped[0].sent.octets, 961 + 40 + 5000 + 40);
    assert!(result.tripped[0].sentence.contains("1001 octets"), "{:?}", result.tripped);
    assert!(result.tripped[0].sentence.contains("2 periods"), "{:?}", result.tripped);

    let halves = [
        flow("2026-01-01T10:00:00Z", "10.1.0.9", "198.51.100.70", 500, 0),
        flow("2026-01-01T20:00:00Z", "10.1.0.8", "198.51.100.71", 500, 0),
    ];
    assert_eq!(wire(volume, &halves).tripped.len(), 1, "hosts and addresses of a party are summed");
    let apart = [
        flow("2026-01-01T23:59:59Z", "10.1.0.9", "198.51.100.70", 500, 0),
        flow("2026-01-02T00:00:00Z", "10.1.0.8", "198.51.100.71", 500, 0),
    ];
    assert_eq!(wire(volume, &apart).tripped, [], "two days are two periods");
    let others = [flow("2026-01-01T23:59:59Z", "10.1.0.9", "198.51.100.7", 5000, 0)];
    assert_eq!(wire(volume, &others).tripped, [], "another party is not watched");
}

#[test]
fn a_volume_is_over_its_own_median() {
    let volume = "kind = \"volume\"\nfrom = [\"office\"]\nper = \"1d\"\ntimes = 2.5\ntrailing = 3";
    // The median of 140, 100 and 200 octets is 140; 2.5 times that is 350.
    assert_eq!(wire(volume, &days(&[100, 60, 160, 310])).tripped, [], "350 is not more than 350");
    let result = wire(volume, &days(&[100, 60, 160, 311]));
    assert_eq!(result.tripped.len(), 1);
    assert_eq!(result.tripped[0].since.to_string(), "2026-01-04T00:00:00Z");
    assert!(result.tripped[0].sentence.contains("the median of the 3 periods before is 140"), "{:?}", result.tripped);
    assert_eq!(wire(volume, &days(&[100, 60, 9000])).tripped, [], "the series has not gone on for three periods");
    // 100, 0 and 200: a day without traffic counts as nothing.
    assert_eq!(wire(volume, &days(&[60, 0, 160, 211])).tripped.len(), 1, "251 is more than 2.5 times 100");
    assert_eq!(wire(volume, &days(&[60, 0, 160, 210])).tripped, []);
    assert_eq!(wire(volume, &days(&[60, 0, 0, 9000])).tripped, [], "nothing is a multiple of nothing");
}

/// Quiet is not the same as looked at: whoever is seen too seldom for a median is named.
#[test]
fn a_volume_says_what_it_did_not_compare() {
    let volume = "kind = \"volume\"\nfrom = [\"office\"]\nper = \"1d\"\ntimes = 2.5\ntrailing = 3";
    let remarks = |amounts: &[u64]| wire(volume, &days(amounts)).remarks;
    let office = "Zone office and party partner:";
    assert_eq!(
        remarks(&[60, 0, 0, 0, 60]),
        [format!("{office} nothing was compared, because nothing moved in most of the 3 periods before")]
    );
    assert_eq!(
        remarks(&[60, 60, 60, 60, 0, 0, 60]),
        [format!("{office} 1 period was not compared, because nothing moved in most of the 3 periods before")]
    );
    assert_eq!(
        remarks(&[60, 60, 60, 60, 0, 0, 60, 60]),
        [format!("{office} 2 periods were not compared, because nothing moved in most of the 3 periods before")]
    );
    assert_eq!(
        remarks(&[60, 60, 60]),
        [format!("{office} nothing was compared, because the input does not hold 3 periods before")]
    );
    assert_eq!(remarks(&[60, 60, 60, 60]), Vec::<String>::new());
    let budget = "kind = \"volume\"\nfrom = [\"office\"]\nper = \"1d\"\nbudget = \"1 GB\"";
    assert_eq!(wire(budget, &days(&[60])).remarks, Vec::<String>::new(), "a budget needs no history");
}

#[test]
fn quiet_hours_are_local() {
    // Addis Ababa is three hours ahead of UTC, without summer time: midnight to two there is 21:00 to 23:00 UTC.
    let schedule =
        "kind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"00:00-02:00\"\ntime-zone = \"Africa/Addis_Ababa\"";
    let at = |time: &str| flow(time, "10.1.0.9", "203.0.113.7", 100, 0);
    assert_eq!(wire(schedule, &[at("2015-06-01T20:59:59Z"), at("2015-06-01T23:00:00Z")]).tripped, []);
    let result = wire(schedule, &[at("2015-06-01T21:00:00Z"), at("2015-06-01T22:59:59Z")]);
    assert_eq!(result.tripped.len(), 1, "one row a far end");
    assert_eq!(result.tripped[0].sent.octets, 280);
    let budget = format!("{schedule}\nbudget = \"280\"");
    let result = wire(&budget, &[at("2015-06-01T21:00:00Z"), at("2015-06-01T22:59:59Z")]);
    assert_eq!((result.tripped.len(), result.remarks.len()), (0, 1), "within the budget it is told beside");
    // Berlin: 22:00 to 06:00 is 20:00 to 04:00 UTC in summer, and 21:00 to 05:00 in winter.
    let night = "kind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"22:00-06:00\"\ntime-zone = \"Europe/Berlin\"";
    for (time, trips) in [
        ("2026-07-01T20:00:00Z", true),
        ("2026-07-01T19:59:59Z", false),
        ("2026-01-01T20:00:00Z", false),
        ("2026-01-01T21:00:00Z", true),
        ("2026-01-01T04:59:59Z", true),
        ("2026-01-01T05:00:00Z", false),
    ] {
        assert_eq!(!wire(night, &[at(time)]).tripped.is_empty(), trips, "{time}");
    }
}

#[test]
fn quiet_hours_have_minutes() {
    let night = "kind = \"schedule\"\nfrom = [\"office\"]\ntime-zone = \"UTC\"\nquiet = ";
    let trips = |quiet: &str, time: &str| {
        let at = flow(&format!("2026-01-01T{time}Z"), "10.1.0.9", "203.0.113.7", 100, 0);
        !wire(&format!("{night}\"{quiet}\""), &[at]).tripped.is_empty()
    };
    for (quiet, time, quietly) in [
        ("22:30-06:15", "22:29:59", false),
        ("22:30-06:15", "22:30:00", true),
        ("22:30-06:15", "06:14:59", true),
        ("22:30-06:15", "06:15:00", false),
        ("12:05-12:06", "12:04:59", false),
        ("12:05-12:06", "12:05:30", true),
        ("12:05-12:06", "12:06:00", false),
        ("00:00-23:59", "23:58:59", true),
    ] {
        assert_eq!(trips(quiet, time), quietly, "{quiet} at {time}");
    }
    for wrong in [
        "24:00-06:00",
        "22:60-06:00",
        "2:00-06:00",
        "022:00-06:00",
        "22:00-22:00",
        "22:00",
        "22:0-06:00",
        "-1:00-06:00",
    ] {
        let text = format!("{POLICY}\n[[tripwire]]\nid = \"w\"\n{night}\"{wrong}\"\n");
        assert!(Policy::parse("wires.toml", &text, Library::embedded()).policy.is_none(), "{wrong}");
    }
}

/// A country is new whoever was reached in it: what trips speaks of no party and of no operator.
#[test]
fn a_new_country_is_nobodys() {
    let edge = "kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-02-01";
    let before = flow("2026-01-10T00:00:00Z", "10.1.0.9", "198.51.100.7", 100, 100);
    let partner = flow("2026-02-03T00:00:00Z", "10.1.0.9", "198.51.100.70", 10, 5);
    let result = wire(edge, &[before, partner]);
    assert_eq!(result.tripped[0].sent.octets, 50 + 45, "what went and what came");
    let to = result.tripped[0].to.as_ref().expect("a far end");
    assert_eq!((to.places.to_string().as_str(), to.party.as_deref(), to.asn), ("DE", None, None));
}

/// A party is new where its zone was seen before; a period alone is not several; and what is declared anywhere is
/// declared.
#[test]
fn what_does_not_trip_is_not_said() {
    let edge = "kind = \"new-edge\"\nfrom = [\"*\"]\nby = \"party\"\nbaseline = 2026-02-01T00:00:00Z";
    let partner = flow("2026-02-01T00:00:00Z", "10.1.0.9", "198.51.100.70", 100, 100);
    let elsewhere = flow("2026-01-31T23:59:59Z", "10.2.0.9", "198.51.100.7", 100, 100);
    let result = wire(edge, &[elsewhere, partner]);
    assert_eq!(result.tripped, []);
    assert_eq!(
        result.remarks,
        ["The inputs hold nothing of zone office before 2026-02-01T00:00:00Z: what is new cannot be told"]
    );

    let volume = "kind = \"volume\"\nfrom = [\"office\"]\nparty = [\"partner\"]\nper = \"24h\"\nbudget = \"1 kB\"";
    let once = wire(volume, &days(&[960, 961])).tripped.remove(0).sentence;
    assert!(!once.contains("periods since then"), "{once}");
    // Of 100, 140, 200 and 300 octets the median is 170; 2.5 times that is 425.
    let median = "kind = \"volume\"\nfrom = [\"office\"]\nper = \"1d\"\ntimes = 2.5\ntrailing = ";
    assert_eq!(wire(&format!("{median}4"), &days(&[60, 100, 160, 260, 385])).tripped, []);
    assert_eq!(wire(&format!("{median}4"), &days(&[60, 100, 160, 260, 386])).tripped.len(), 1);
    // Of the three days before, two had no traffic: what was before them does not count.
    assert_eq!(wire(&format!("{median}3"), &days(&[9000, 9000, 9000, 0, 0, 60, 30_000])).tripped, []);

    let schedule =
        "kind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"00:00-02:00\"\ntime-zone = \"UTC\"\nbudget = \"1 kB\"";
    assert_eq!(wire(schedule, &[partner]).remarks.len(), 1, "at midnight");
    let noon = flow("2026-02-01T12:00:00Z", "10.1.0.9", "198.51.100.70", 100, 100);
    assert_eq!(wire(schedule, &[noon]).remarks, Vec::<String>::new());

    let mut declared = policy("kind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"register.csv\"");
    declared.read_registers(|_| Ok(b"recipient,countries\npartner,\n".to_vec())).expect("a register");
    assert_eq!(report(declared, &[partner]).tripwires[0].tripped, []);
}

#[test]
fn places_that_are_none_are_called_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let anycast = folder.path().join("anycast.txt");
    std::fs::write(&anycast, "198.51.100.128/26\n").expect("a list");
    let places = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/places.mmdb");
    let gazetteer = Gazetteer::open(&[places, anycast]).expect("the samples' places and a list");
    let choke = policy("kind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [\"10.2.0.0/24\"]");
    let grounds = Grounds { atlas: gazetteer.into(), ..grounds(choke) };
    let flows = ["198.51.100.7", "198.51.100.140", "203.0.113.200"]
        .map(|far| flow("2026-01-01T00:00:00Z", "10.1.0.9", far, 100, 0));
    let report = audit(&grounds, &flows).report(&grounds, None);
    let said: Vec<&str> = report.tripwires[0].tripped.iter().map(|tripped| tripped.sentence.as_str()).collect();
    for place in [" in US past", " in an anycast network past", " in a place that no source knows past"] {
        assert_eq!(said.iter().filter(|sentence| sentence.contains(place)).count(), 1, "{place}: {said:?}");
    }
}

#[test]
fn as_many_attempts_are_counted_as_are_asked_for() {
    let many = FAILOVER.replace("attempts = 2", "attempts = 9");
    let mut flows: Vec<FlowRecord> =
        (0..9).map(|second| flow(&format!("2020-03-30T15:00:0{second}Z"), "10.1.0.9", "198.51.100.7", 0, 0)).collect();
    let answer = flow("2020-03-30T15:00:30Z", "10.1.0.9", "203.0.113.7", 900, 4000);
    flows.push(answer);
    let result = wire(&many, &flows);
    assert_eq!((result.tripped.len(), result.tripped[0].flows), (1, 10));
    assert!(result.tripped[0].sentence.starts_with("9 attempts"), "{}", result.tripped[0].sentence);
    assert_eq!(wire(&many, &flows[1..]).tripped, [], "eight are not nine");
}

#[test]
fn a_hundred_are_listed_and_of_more_is_said_how_many() {
    let one = FAILOVER.replace("attempts = 2", "attempts = 1");
    let times = |count: u64| -> Vec<FlowRecord> {
        let each = |hour: u64| {
            let mut attempt = flow("2020-03-30T15:00:00Z", "10.1.0.9", "198.51.100.7", 0, 0);
            let mut answer = flow("2020-03-30T15:00:00Z", "10.1.0.9", "203.0.113.7", 900, 4000);
            attempt.start = Timestamp(attempt.start.0 + hour * 3600 * Timestamp::SECOND);
            answer.start = Timestamp(attempt.start.0 + Timestamp::SECOND);
            (attempt.end, answer.end) = (attempt.start, answer.start);
            [attempt, answer]
        };
        (0..count).flat_map(each).collect()
    };
    let hundred = wire(&one, &times(100));
    assert_eq!((hundred.tripped.len(), hundred.remarks.len()), (100, 0));
    let more = wire(&one, &times(103));
    assert_eq!((more.tripped.len(), more.remarks.as_slice()), (100, &["3 more are not listed".to_owned()][..]));
    assert!(more.tripped.is_sorted_by_key(|tripped| tripped.since), "the earliest are listed");

    let text = "kind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"register.csv\"";
    let remarks = |ghosts: usize| {
        let mut policy = policy(text);
        let rows: Vec<String> = (0..ghosts).map(|n| format!("Ghost {n} Ltd,GB")).collect();
        let register = format!("recipient,countries\n{}\n", rows.join("\n"));
        policy.read_registers(|_| Ok(register.clone().into_bytes())).expect("a register");
        report(policy, &[]).tripwires.remove(0).remarks
    };
    assert_eq!(remarks(100).len(), 100);
    let many = remarks(104);
    assert_eq!((many.len(), many[100].as_str()), (101, "4 more remarks are left out"));
}

#[test]
fn a_choke_point_has_no_way_past_it() {
    let choke = "kind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [\"198.51.100.7\", \"10.2.0.0/24\"]";
    let through = flow("2026-01-01T00:00:00Z", "10.1.0.9", "198.51.100.7", 100, 100);
    let to_gateway = flow("2026-01-01T00:00:00Z", "10.1.0.9", "10.2.0.9", 100, 100);
    assert_eq!(wire(choke, &[through, to_gateway]).tripped, []);
    let past = flow("2026-01-02T00:00:00Z", "10.1.0.9", "198.51.100.8", 0, 0);
    let result = wire(choke, &[through, to_gateway, past]);
    assert_eq!(result.tripped.len(), 1, "already the packet that leaves");
    assert_eq!(result.tripped[0].since.to_string(), "2026-01-02T00:00:00Z");
}

#[test]
fn a_register_is_held_against_what_was_seen() {
    let text = "kind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"register.csv\"\ncolumns = { recipient = \"Processor\", countries = \"Where\" }";
    let register = "No,Processor,Where\n1,partner,DE; FR\n2,\"Meetings, Inc.\",United States\n3,Ghost Ltd,GB\n";
    let flows = [
        flow("2026-01-01T00:00:00Z", "10.1.0.9", "198.51.100.70", 100, 0),
        flow("2026-01-02T00:00:00Z", "10.1.0.9", "198.51.100.7", 100, 0),
        flow("2026-01-03T00:00:00Z", "10.1.0.9", "203.0.113.7", 100, 0),
        flow("2026-01-04T00:00:00Z", "10.1.0.9", "198.51.100.140", 100, 0),
        flow("2026-01-05T00:00:00Z", "10.1.0.9", "192.0.2.7", 0, 500),
    ];
    let mut policy = policy(text);
    let before = policy.digest().to_owned();
    policy
        .read_registers(|path| {
            assert_eq!(path, "register.csv");
            Ok(register.as_bytes().to_vec())
        })
        .expect("a register");
    assert_ne!(policy.digest(), before, "an audit rests on what the register says");
    let result = report(policy, &flows).tripwires.remove(0);
    let said: Vec<&str> = result.tripped.iter().map(|tripped| tripped.sentence.as_str()).collect();
    assert_eq!(
        said,
        [
            "Meetings, Inc. receives data in CN: the register declares US",
            "Example Analytics, Inc. in US receives data and is not in the register",
        ],
        "declared by key or by name, in the countries that are declared; who only sends to us is no recipient"
    );
    assert_eq!(result.remarks, ["Ghost Ltd is declared in GB and was not seen"]);
}

#[test]
fn registers_that_cannot_be_used_say_why() {
    let text = "kind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"r.csv\"";
    let error = |octets: &[u8]| {
        let (path, error) = policy(text).read_registers(|_| Ok(octets.to_vec())).expect_err("no register");
        assert_eq!(path, "r.csv");
        error.to_string()
    };
    assert_eq!(
        error(b"Processor,Countries\nx,DE\n"),
        "the register has no column `recipient`: it has `Processor`, `Countries`"
    );
    assert_eq!(
        error(b"recipient,countries\nx,DE\ny,Atlantis\n"),
        "line 3: `Atlantis` is neither the code nor the English name of a country"
    );
    assert!(error(b"\xff\xfer\x00\x00\xd8").contains("UTF-16"), "half a pair is no letter (RFC 2781, 2.2)");
    let missing = policy(text).read_registers(|_| Err(std::io::ErrorKind::NotFound.into()));
    assert_eq!(missing.expect_err("no file").1.to_string(), "the register cannot be read");
    let quiet = report(policy(text), &[flow("2026-01-01T00:00:00Z", "10.1.0.9", "198.51.100.70", 100, 0)]);
    assert_eq!(quiet.tripwires[0].remarks, ["The register was not read: nothing was compared"]);
}

#[test]
fn the_largest_register_is_read() {
    let columns = ["recipient".to_owned(), "countries".to_owned()];
    let read = |text: String| Register::read(text.as_bytes(), &columns).is_ok();
    let sized = |octets: usize| {
        let text = "recipient,countries\nx,DE\n";
        format!("{text}{}", "\n".repeat(octets - text.len()))
    };
    assert!(read(sized(16 << 20)) && !read(sized((16 << 20) + 1)));
    let rows = |count: u32| {
        let rows = (0..count).map(|n| format!("{n},\n")).collect::<Vec<_>>().concat();
        format!("recipient,countries\n{rows}")
    };
    assert!(read(rows(100_000)) && !read(rows(100_001)));
}

#[test]
fn what_is_worth_knowing_does_not_fail_a_run() {
    for (severity, fails) in [("info", false), ("low", false), ("medium", true), ("high", true), ("critical", true)] {
        let report = report(policy(&format!("{FAILOVER}\nseverity = \"{severity}\"")), &fault());
        assert_eq!(report.tripwires[0].tripped.len(), 1);
        assert_eq!(report.outcome == Outcome::Forbidden, fails, "{severity}");
    }
}

/// The observation point stands in Frankfurt.
fn in_frankfurt(tripwire: &str) -> Grounds {
    let vantage = "50.11,8.68".parse().expect("a vantage");
    Grounds { horizon: Some(Horizon::new(vantage, Medium::Fibre)), ..grounds(policy(tripwire)) }
}

/// The same flow, answered within 2 ms: no further than 200 km away.
fn near(mut flow: FlowRecord) -> FlowRecord {
    flow.dst_rtt = RoundTrip::new(2_000, 5).expect("a time");
    flow
}

fn from_frankfurt(tripwire: &str, flows: &[FlowRecord]) -> TripwireResult {
    flows::report(&in_frankfurt(tripwire), flows).tripwires.remove(0)
}

#[test]
fn what_round_trip_times_refute_is_no_answer_from_outside() {
    // Everything within 200 km of Frankfurt is among these.
    let inside =
        FAILOVER.replace(r#"["US", "CA"]"#, r#"["US", "CA", "DE", "FR", "BE", "NL", "LU", "CH", "AT", "CZ", "LI"]"#);
    assert_eq!(from_frankfurt(&inside, &fault()).tripped.len(), 1, "without a time nothing is refuted");
    let mut answered = fault();
    answered[2] = near(answered[2]);
    assert_eq!(from_frankfurt(&inside, &answered).tripped, [], "what claims put in China answered from near Frankfurt");
    // Any flow of the address is evidence for all of them, before and after.
    for at in ["2020-03-30T14:00:00Z", "2020-03-30T16:00:00Z"] {
        let mut flows = fault();
        flows.push(near(flow(at, "10.1.0.7", "203.0.113.7", 10, 10)));
        assert_eq!(from_frankfurt(&inside, &flows).tripped, [], "another flow refutes it");
    }
    // Neither are attempts that went elsewhere than claims say.
    let mut flows = fault();
    flows.push(near(flow("2020-03-30T14:00:00Z", "10.1.0.7", "198.51.100.8", 10, 10)));
    assert_eq!(from_frankfurt(FAILOVER, &flows).tripped, [], "one of the two attempts did not go to North America");
    // And what is nowhere by claims can be shown to be outside.
    let mut flows = fault();
    flows[2] = near(flow("2020-03-30T15:00:41Z", "10.1.0.9", "203.0.113.7", 900, 4000));
    assert_eq!(from_frankfurt(FAILOVER, &flows).tripped.len(), 1, "near Frankfurt is not in North America");
}

#[test]
fn a_country_that_is_refuted_is_no_new_edge() {
    let edge = "kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-02-01";
    let before = near(flow("2026-01-10T00:00:00Z", "10.1.0.9", "203.0.113.7", 100, 100));
    let claimed = flow("2026-02-03T00:00:00Z", "10.1.0.9", "203.0.113.70", 10, 10);
    let said = from_frankfurt(edge, &[before, claimed]).tripped;
    assert!(said.len() == 1 && said[0].sentence.starts_with("AQ was reached first"), "{said:?}");
    let shown = flow("2026-02-04T00:00:00Z", "10.1.0.9", "203.0.113.70", 10, 10);
    assert_eq!(from_frankfurt(edge, &[before, claimed, near(shown)]).tripped, [], "both are near Frankfurt");
}

/// What can be in a country that was never seen was not seen there: of several possible countries, all must be new.
#[test]
fn a_new_edge_is_new_wherever_it_leads() {
    let flow = |day: u32, places: &str| {
        format!(
            "{{ at = 2026-01-{day:02}T09:00:00Z, from = \"10.1.0.9\", to = \"192.0.2.{day}\"{places}, initiator = \"local\", sent = 10 }}"
        )
    };
    let after = |before: &str, later: &str, trips: &str| {
        let edge = "id = \"w\"\nkind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-01-10";
        let flows = format!("[{}, {}]", flow(1, before), flow(20, later));
        let test = format!(
            "[[test]]\nname = \"t\"\nflows = {flows}\nexpect = {{ decision = \"permit\", tripwires = {trips} }}"
        );
        let runs = rehearse(&flows::policy(&format!("{POLICY}\n[[tripwire]]\n{edge}\n{test}\n")));
        assert_eq!(runs.len(), 1);
        assert!(runs[0].failure.is_none(), "before{before}, then{later}: {:?}", runs[0].failure);
    };
    let [de, nl, both] = [", in = [\"DE\"]", ", in = [\"NL\"]", ", in = [\"DE\", \"NL\"]"];
    after(de, nl, "[\"w\"]");
    after(de, both, "[]");
    after(both, de, "[]");
    after(both, both, "[]");
    after(", in = [\"FR\"]", both, "[\"w\"]");
    after(both, ", in = [\"NL\", \"FR\"]", "[]");
    after(both, ", in = [\"BE\", \"FR\"]", "[\"w\"]");
    after(de, "", "[]");
    after("", de, "[\"w\"]");
}

/// What cannot be told is said beside what trips.
#[test]
fn a_new_edge_says_what_it_cannot_tell() {
    let edge = "kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-02-01";
    let german = flow("2026-01-10T00:00:00Z", "10.1.0.9", "198.51.100.70", 100, 100);
    let around = near(flow("2026-02-03T00:00:00Z", "10.1.0.9", "203.0.113.7", 10, 10));
    let result = from_frankfurt(edge, &[german, around]);
    assert_eq!(
        (result.tripped.len(), result.remarks.len()),
        (0, 1),
        "within 200 km of Frankfurt, Germany among others"
    );
    let remark = &result.remarks[0];
    assert!(
        remark.starts_with("1 flows of zone office went to one of ") && remark.contains("would be new"),
        "{remark}"
    );
    let (possible, new) = remark.split_once(", of which ").expect("both lists");
    assert!(possible.contains("DE") && !new.contains("DE"), "{remark}");

    let nowhere = flow("2026-01-10T00:00:00Z", "10.1.0.9", "203.0.113.200", 10, 0);
    let later = flow("2026-02-03T00:00:00Z", "10.1.0.9", "198.51.100.70", 10, 10);
    let result = wire(edge, &[nowhere, later]);
    assert_eq!((result.tripped.len(), result.remarks.len()), (1, 1));
    assert!(result.remarks[0].contains("1 flows before 2026-02-01T00:00:00Z went to places"), "{:?}", result.remarks);
    let american = flow("2026-01-10T00:00:00Z", "10.1.0.9", "198.51.100.7", 100, 100);
    let result = from_frankfurt(edge, &[american, around]);
    assert!(result.tripped[0].sentence.starts_with("One of "), "{:?}", result.tripped);
    assert!(result.tripped[0].sentence.contains("exchanged with any of them before"), "{:?}", result.tripped);
}

#[test]
fn a_register_is_held_against_where_recipients_can_be() {
    let text = "kind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"r.csv\"";
    let said = |flows: &[FlowRecord]| {
        let mut grounds = in_frankfurt(text);
        let policy = grounds.policy.as_mut().expect("a policy");
        let register = b"recipient,countries\npartner,DE\nmeet,US\n";
        policy.read_registers(|_| Ok(register.to_vec())).expect("a register");
        let result = flows::report(&grounds, flows).tripwires.remove(0);
        result.tripped.into_iter().map(|tripped| tripped.sentence).collect::<Vec<_>>()
    };
    let china = flow("2026-01-01T00:00:00Z", "10.1.0.9", "203.0.113.7", 100, 0);
    assert_eq!(said(&[china]), ["meet receives data in CN: the register declares US"]);
    let shown = said(&[china, near(flow("2026-01-02T00:00:00Z", "10.1.0.9", "203.0.113.7", 100, 10))]);
    assert!(shown.len() == 1 && shown[0].contains("DE") && !shown[0].contains("CN"), "{shown:?}");
}

/// Of more addresses than are kept the claims decide, and the same ones in any split.
#[test]
fn addresses_beyond_those_that_are_kept_have_the_place_of_their_claims() {
    let grounds = in_frankfurt("kind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [\"10.2.0.9\"]");
    let count = MAX_ADDRESSES as u32 + 50;
    let flows: Vec<FlowRecord> = (0..count)
        .map(|number| {
            let mut one = near(flow("2026-01-01T00:00:00Z", "10.1.0.9", "203.0.113.7", 10, 10));
            one.dst = landfall::model::Addr::v4([20, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
            one
        })
        .collect();
    let whole = audit(&grounds, &flows);
    let (one, other) = flows.split_at(40_000);
    let mut merged = audit(&grounds, other);
    merged.merge(audit(&grounds, one)).expect("the same grounds");
    assert_eq!(merged, whole);
    let mut report = whole.report(&grounds, None);
    let said = format!("There were more than {MAX_ADDRESSES} far addresses: 50 flows were judged without");
    assert!(report.limits.iter().any(|limit| limit.starts_with(&said)), "{:?}", report.limits);
    let result = report.tripwires.remove(0);
    let counts: Vec<(bool, u64)> = result
        .tripped
        .iter()
        .map(|tripped| (tripped.sentence.contains("a place that no source knows"), tripped.flows))
        .collect();
    assert_eq!(counts.iter().map(|(_, flows)| flows).sum::<u64>(), u64::from(count));
    assert!(counts.contains(&(true, 50)) && counts.contains(&(false, MAX_ADDRESSES as u64)), "{counts:?}");
}

/// Attempts that nobody answers, one a second from 2026 on.
fn attempts(count: u64) -> Vec<FlowRecord> {
    let first = flow("2026-01-01T00:00:00Z", "10.1.0.9", "198.51.100.7", 0, 0);
    let at = |second: u64| Timestamp(first.start.0 + second * Timestamp::SECOND);
    (0..count).map(|second| FlowRecord { start: at(second), end: at(second), ..first }).collect()
}

/// More cells than are kept: the earliest stay, in any split, and the rest is said.
#[test]
fn a_flood_is_bounded_and_said() {
    let grounds = grounds(policy(FAILOVER));
    let count = landfall::audit::MAX_CELLS as u64 + 100;
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut flows = attempts(count);
    let full = audit(&grounds, &flows[..landfall::audit::MAX_CELLS]).report(&grounds, None).tripwires.remove(0);
    assert_eq!(full.remarks, Vec::<String>::new(), "all that there is room for is kept");
    // The answer from outside comes early enough to be kept.
    let mut answer = flow("2026-01-01T00:00:00Z", "10.1.0.9", "203.0.113.7", 900, 4000);
    answer.start = Timestamp(start.0 + 30 * Timestamp::SECOND + 1);
    flows.push(answer);
    let whole = audit(&grounds, &flows);
    let (one, other) = flows.split_at(flows.len() / 2);
    let mut merged = audit(&grounds, other);
    merged.merge(audit(&grounds, one)).expect("the same grounds");
    assert_eq!(merged, whole);
    let result = whole.report(&grounds, None).tripwires.remove(0);
    assert_eq!(result.tripped.len(), 1);
    assert!(result.remarks[0].starts_with("More than 65536"), "{:?}", result.remarks);
}

/// With round-trip times attempts wait for those of their addresses: as many as there are cells, and more is said.
#[test]
fn a_flood_of_attempts_that_wait_is_bounded_and_said() {
    let grounds = in_frankfurt(FAILOVER);
    let flows = attempts(landfall::audit::MAX_CELLS as u64 + 1);
    let said = |flows: &[FlowRecord]| audit(&grounds, flows).report(&grounds, None).tripwires.remove(0).remarks;
    assert_eq!(said(&flows[1..]), Vec::<String>::new(), "all that there is room for is kept");
    let remarks = said(&flows);
    assert!(remarks.len() == 1 && remarks[0].starts_with("More than 65536"), "{remarks:?}");
}

#[test]
fn mistakes_have_a_place() {
    for (lines, said) in [
        ("kind = \"failovr\"\nfrom = [\"office\"]", "did you mean `failover`?"),
        ("kind = \"failover\"\nfrom = [\"office\"]\ninside = [\"US\"]", "`within` is required"),
        ("kind = \"failover\"\nfrom = [\"office\"]\ninside = [\"UK\"]\nwithin = \"1m\"", "did you mean `GB`"),
        ("kind = \"failover\"\nfrom = [\"office\"]\ninside = [\"US\"]\nwithin = \"soon\"", "expected a span of time"),
        ("kind = \"failover\"\nfrom = [\"offic\"]\ninside = [\"US\"]\nwithin = \"1m\"", "did you mean `office`?"),
        ("kind = \"failover\"\nfrom = [\"office\"]\ninside = [\"US\"]\nwithin = \"1m\"\nattempts = 0", "from 1 to 100"),
        ("kind = \"volume\"\nfrom = [\"office\"]\nper = \"24h\"", "`budget` is required"),
        ("kind = \"volume\"\nfrom = [\"office\"]\nper = \"24h\"\nbudget = \"much\"", "expected an amount of octets"),
        ("kind = \"volume\"\nfrom = [\"office\"]\nper = \"24h\"\ntimes = 0.5", "from 1 to 1000"),
        ("kind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"22-6\"\ntime-zone = \"UTC\"", "expected hours"),
        (
            "kind = \"schedule\"\nfrom = [\"office\"]\nquiet = \"22:00-06:00\"\ntime-zone = \"Mars/Base\"",
            "unknown time zone",
        ),
        ("kind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [\"nowhere\"]", "nowhere"),
        ("kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = \"2026-01-01\"", "without quotation marks"),
        ("kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-01-01\nby = \"asn\"", "`by` is one of"),
        ("kind = \"undeclared\"\nfrom = [\"office\"]", "`register` is required"),
        ("kind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2026-01-01\nbudget = \"1 GB\"", "unknown key"),
        ("from = [\"office\"]", "`kind` is required"),
    ] {
        let text = format!("{POLICY}\n[[tripwire]]\nid = \"w\"\n{lines}\n");
        let parsed = Policy::parse("wires.toml", &text, Library::embedded());
        let drawn = render_text("wires.toml", &text, &parsed.diagnostics, Colour::Never);
        assert!(parsed.policy.is_none() && drawn.contains(said), "{lines}\n{drawn}");
    }
}
