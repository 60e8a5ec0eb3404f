//! What round-trip times do to an audit: rules of evidence, hazards, and the whole against brute force.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;

use landfall::audit::{Audit, Grounds, Local};
use landfall::locate::horizon::MIN_SAMPLES;
use landfall::locate::{Atlas, Gazetteer, Horizon, Medium, SourceFile};
use landfall::model::{
    Addr, BiflowDirection, Counters, CountrySet, Decision, DoubtKind, FlowRecord, InputId, Location, Opener, Outcome,
    Protocol, Provenance, Report, RoundTrip, Scope, Standing, Timestamp,
};
use landfall::policy::{Library, Policy, Selector, Spent};
use proptest::prelude::*;

use super::fixtures::mmdb::{self, Row};
use super::fixtures::{S, at};
use super::laws::{FRANKFURT, Observed, audit_of, config, observed};

const NO_CHINA: &str = r#"
[policy]
id = "no-china"
title = "Not to China"
version = "1"
owner = "tests@example.org"
default = "permit"
vantage = { country = "DE", lat = 50.11, lon = 8.68 }

[zone.office]
networks = ["10.0.0.0/8"]
country = "DE"

[[rule]]
id = "no-china"
effect = "forbid"
from = ["office"]
to = ["CN"]
"#;

/// 203.0.113.0/24 and many networks of 100.128.0.0/10 are said to be in China, 198.51.100.0/24 to be announced from many
/// sites.
fn gazetteer() -> Gazetteer {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    };
    let feed = write("feed.csv", "203.0.113.0/24,CN,,,\n100.128.0.0/10,CN,,,\n192.0.0.0/20,DE,,,\n");
    let anycast = write("anycast.txt", "198.51.100.0/24\n");
    Gazetteer::open(&[feed, anycast]).unwrap()
}

fn grounds(policy: &str, horizon: impl FnOnce(Option<landfall::model::Vantage>) -> Option<Horizon>) -> Grounds {
    let parsed = Policy::parse("horizon.toml", policy, Library::embedded());
    assert!(parsed.policy.is_some(), "{:#?}", parsed.diagnostics);
    let horizon = horizon(parsed.policy.as_ref().and_then(Policy::vantage));
    Grounds { policy: parsed.policy, atlas: gazetteer().into(), local: Local::Zones, horizon }
}

fn fibre(vantage: Option<landfall::model::Vantage>) -> Option<Horizon> {
    vantage.map(|vantage| Horizon::new(vantage, Medium::Fibre))
}

fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<IpAddr>().unwrap())
}

/// A flow that the office opened to `far`, with the round-trip times to both ends.
fn flow(far: &str, number: u64, near: (u32, u8), there: (u32, u8)) -> Observed {
    let start: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
    let provenance = Provenance::new(InputId(0), number);
    let mut record = FlowRecord::new(addr("10.0.0.7"), addr(far), Protocol::TCP, start, provenance);
    record.direction = BiflowDirection::Initiator;
    (record.sport, record.dport) = (50_000, 443);
    record.forward = Counters { octets: 1_200, packets: 8, payload: 800 };
    record.reverse = Counters { octets: 4_200, packets: 9, payload: 3_800 };
    let measured = |(us, samples)| RoundTrip::new(us, samples).unwrap_or_default();
    (record.src_rtt, record.dst_rtt) = (measured(near), measured(there));
    (record, None)
}

fn report(grounds: &Grounds, flows: &[Observed]) -> Report {
    audit_of(grounds, flows).report(grounds, None)
}

const NOT: (u32, u8) = (0, 0);

#[test]
fn an_answer_in_four_milliseconds_is_not_from_china() {
    let grounds = grounds(NO_CHINA, fibre);
    let flows = [
        flow("203.0.113.9", 1, NOT, (4_000, 2)),
        // The least of all flows counts, and their samples together.
        flow("203.0.113.9", 2, NOT, (9_000, 1)),
        flow("203.0.113.9", 3, NOT, NOT),
    ];
    let told = report(&grounds, &flows);
    assert_eq!((told.outcome, told.totals.forbid.count, told.totals.permit.count), (Outcome::Clean, 0, 3));
    assert!(told.findings.is_empty());
    let summary = told.horizon.unwrap();
    assert_eq!((summary.measured, summary.changed, summary.refuted), (1, 1, 1));
    let [proof] = summary.proofs.as_slice() else { panic!("{:?}", summary.proofs) };
    assert_eq!((proof.rtt_us, proof.samples, proof.km), (4_000, 3, 400));
    assert_eq!((proof.claimed.to_string().as_str(), proof.standing), ("CN", Standing::Refuted));
    let left = |code: &str| proof.left.contains(code.parse().unwrap());
    // 400 km around Frankfurt: Zurich and Amsterdam, not London (640 km; Kent is 527) nor Rome.
    assert!(left("DE") && left("CH") && left("NL") && !left("GB") && !left("CN"));
    let row = &told.inventory[0];
    assert_eq!((row.to.places, row.to.standing, row.decision), (proof.left, Standing::Refuted, Some(Decision::Permit)));
    assert!(told.limits.iter().any(|limit| limit.contains("invisible")), "{:?}", told.limits);
}

/// What is no evidence changes nothing: the claim stands.
#[test]
fn what_is_no_evidence_refutes_nothing() {
    let with = grounds(NO_CHINA, fibre);
    let hazards: [(&str, Vec<Observed>); 6] = [
        ("the time to our own side", vec![flow("203.0.113.9", 1, (4_000, 200), NOT)]),
        ("not measured", vec![flow("203.0.113.9", 1, NOT, NOT)]),
        ("too few samples", vec![flow("203.0.113.9", 1, NOT, (4_000, MIN_SAMPLES - 1))]),
        ("sooner than light on the same wire", vec![flow("203.0.113.9", 1, NOT, (49, 200))]),
        (
            "one that is too soon among others",
            vec![flow("203.0.113.9", 1, NOT, (20, 1)), flow("203.0.113.9", 2, NOT, (4_000, 9))],
        ),
        ("a high time", vec![flow("203.0.113.9", 1, NOT, (180_000, 200))]),
    ];
    for (name, flows) in &hazards {
        let told = report(&with, flows);
        assert_eq!(told.outcome, Outcome::Forbidden, "{name}");
        let finding = &told.findings[0];
        assert_eq!((finding.to.places.to_string().as_str(), finding.to.standing), ("CN", Standing::Agreed), "{name}");
        let summary = told.horizon.as_ref().unwrap();
        assert!(finding.horizon.is_empty() && summary.changed == 0, "{name}");
        assert_eq!(summary.measured, u64::from(*name == "a high time"), "{name}: what is evidence counts as measured");
        // Nothing was cut down, and nothing left out: no sentence says what that is worth.
        for part in ["A round-trip time proves", "far addresses: ", "Distances follow from"] {
            assert!(!told.limits.iter().any(|limit| limit.contains(part)), "{name}: {:?}", told.limits);
        }
    }
    // Where the capture was taken is not known: no horizon, and the report is silent about one.
    let without = grounds(&NO_CHINA.replace("vantage =", "#vantage ="), fibre);
    let told = report(&without, &[flow("203.0.113.9", 1, NOT, (4_000, 200))]);
    assert!(told.outcome == Outcome::Forbidden && told.horizon.is_none());
}

/// Switzerland is 257 km from Frankfurt: refuted at 2.2 ms by fibre, and not by light in empty space.
#[test]
fn vacuum_is_the_stricter_proof() {
    let policy = NO_CHINA.replace(r#"to = ["CN"]"#, r#"to = ["CH"]"#).replace("no-china", "no-swiss");
    let flows = [flow("192.0.2.1", 1, NOT, (2_200, 9))];
    let by = |medium| {
        let mut grounds = grounds(&policy, |vantage| vantage.map(|vantage| Horizon::new(vantage, medium)));
        let folder = tempfile::tempdir().unwrap();
        let feed = folder.path().join("feed.csv");
        std::fs::write(&feed, "192.0.2.0/24,CH,,,\n").unwrap();
        grounds.atlas = Gazetteer::open(&[feed]).unwrap().into();
        report(&grounds, &flows).outcome
    };
    assert_eq!((by(Medium::Fibre), by(Medium::Vacuum)), (Outcome::Clean, Outcome::Forbidden));

    // The stricter one has no need to say so.
    for (medium, said) in [(Medium::Fibre, true), (Medium::Vacuum, false)] {
        let grounds = grounds(NO_CHINA, |vantage| vantage.map(|vantage| Horizon::new(vantage, medium)));
        let told = report(&grounds, &[flow("203.0.113.9", 1, NOT, (4_000, 5))]);
        assert_eq!(told.horizon.as_ref().unwrap().refuted, 1);
        let has = |part: &str| told.limits.iter().any(|limit| limit.contains(part));
        assert!(has("A round-trip time proves") && has("judge with --horizon vacuum") == said, "{:?}", told.limits);
    }
}

/// What is refuted is told first, then by address.
#[test]
fn proofs_that_refute_come_first() {
    let grounds = grounds(NO_CHINA, fibre);
    let flows = [
        flow("198.51.100.1", 1, NOT, (3_000, 3)),
        flow("203.0.113.9", 2, NOT, (4_000, 5)),
        flow("203.0.113.7", 3, NOT, (4_000, 5)),
    ];
    let summary = report(&grounds, &flows).horizon.unwrap();
    let order: Vec<String> = summary.proofs.iter().map(|proof| proof.address.to_string()).collect();
    assert_eq!(order, ["203.0.113.7", "203.0.113.9", "198.51.100.1"]);
}

/// Editions of a database, each of which puts one network into China and knows no other; they are read from the folder when
/// a flow asks for them.
fn in_china(editions: &[(&str, &str)]) -> (tempfile::TempDir, Atlas) {
    let folder = tempfile::tempdir().unwrap();
    let edition = |(day, network): &(&str, &str)| {
        let row = Row { country: "CN", asn: 64_500, holder: "Example" };
        let built = at(&format!("{day}T00:00:00Z")) / S;
        let path = folder.path().join(format!("{day}.mmdb"));
        let octets = mmdb::write("DBIP-Country-Lite", "test", built, &[(network.parse().unwrap(), row)]);
        std::fs::write(&path, octets).unwrap();
        SourceFile::from(path)
    };
    let editions: Vec<SourceFile> = editions.iter().map(edition).collect();
    let atlas = Atlas::open(&editions, None, None).unwrap();
    (folder, atlas)
}

/// Once a database said China, and once it said nothing: a near answer refutes the one and cuts down the other to the same
/// countries. Each finding prints its own derivation.
#[test]
fn a_finding_prints_the_proof_of_its_own_standing() {
    let policy = NO_CHINA.replace(r#"to = ["CN"]"#, r#"to = ["CH"]"#);
    let (_folder, atlas) = in_china(&[("2026-05-01", "203.0.113.0/24"), ("2026-07-01", "192.0.2.0/24")]);
    let grounds = Grounds { atlas, ..grounds(&policy, fibre) };
    let mut later = flow("203.0.113.9", 2, NOT, (4_000, 5));
    later.0.start = "2026-07-01T12:00:00Z".parse().unwrap();
    let told = report(&grounds, &[flow("203.0.113.9", 1, NOT, (4_000, 5)), later]);
    let mut derived: Vec<_> = told
        .findings
        .iter()
        .map(|finding| (finding.to.standing, finding.horizon.iter().map(|proof| proof.standing).collect::<Vec<_>>()))
        .collect();
    derived.sort();
    let expected = [Standing::Unknown, Standing::Refuted].map(|standing| (standing, vec![standing]));
    assert_eq!(derived.len(), 2);
    assert!(expected.iter().all(|one| derived.contains(one)), "{derived:?}");
    assert_eq!(told.findings[0].to.places, told.findings[1].to.places);
}

/// The limit of a report that speaks of places that nobody knows holds where round-trip times left all of them.
#[test]
fn what_is_in_reach_is_not_anywhere() {
    let (_folder, atlas) = in_china(&[("2026-05-01", "192.0.2.0/24")]);
    let grounds = Grounds { atlas, ..grounds(NO_CHINA, fibre) };
    let anywhere = |measured| {
        let told = report(&grounds, &[flow("203.0.113.9", 1, NOT, measured)]);
        assert_eq!(told.inventory[0].to.standing, Standing::Unknown);
        told.limits.iter().any(|limit| limit.contains("they could be anywhere"))
    };
    assert_eq!((anywhere(NOT), anywhere((4_000, 5))), (true, false));
}

const EUROPE_ALONE: &str = r#"
[policy]
id = "near"
title = "What is in reach"
version = "1"
owner = "tests@example.org"
default = "forbid"
vantage = { country = "DE", lat = 50.11, lon = 8.68 }

[zone.office]
networks = ["10.0.0.0/8"]
country = "DE"

[[rule]]
id = "near"
effect = "permit"
from = ["office"]
to = ["AT", "BE", "CH", "CZ", "DE", "DK", "FR", "GB", "IT", "LI", "LU", "NL", "PL"]
movement = "either"
basis = ["contract"]
"#;

/// An edge whose place nobody knows is proven to be inside a set that the policy permits; each flow speaks for itself.
#[test]
fn an_anycast_edge_is_judged_flow_by_flow() {
    let grounds = grounds(EUROPE_ALONE, fibre);
    let near = flow("198.51.100.1", 1, NOT, (3_000, 3));
    let told = report(&grounds, std::slice::from_ref(&near));
    assert_eq!((told.outcome, told.totals.permit.count), (Outcome::Clean, 1));
    let summary = told.horizon.unwrap();
    let [proof] = summary.proofs.as_slice() else { panic!("{:?}", summary.proofs) };
    assert_eq!((proof.flows, proof.claimed_standing, proof.standing), (Some(1), Standing::Anycast, Standing::Anycast));
    assert!(proof.claimed.is_anywhere() && proof.left.len() < 14);

    // The next flow may have reached another site, and two samples of each do not make four.
    let flows = [near, flow("198.51.100.1", 2, NOT, (3_000, 2)), flow("198.51.100.1", 3, NOT, (90_000, 9))];
    let told = report(&grounds, &flows);
    assert_eq!((told.totals.permit.count, told.totals.indeterminate.count), (1, 2));
    let finding = &told.findings[0];
    assert!(finding.to.places.is_anywhere() || finding.to.places.len() > 100);

    // Where it cannot be decided, the finding says what each flow alone has shown.
    let swiss = grounds_of_no_swiss();
    let told = report(&swiss, &flows[..1]);
    let [proof] = told.findings[0].horizon.as_slice() else { panic!("{:?}", told.findings) };
    assert_eq!((proof.flows, proof.rtt_us, proof.claimed_standing), (Some(1), 3_000, Standing::Anycast));
}

fn grounds_of_no_swiss() -> Grounds {
    grounds(&NO_CHINA.replace(r#"to = ["CN"]"#, r#"to = ["CH"]"#), fibre)
}

/// Tripwires take each flow to an announced address for itself as well.
#[test]
fn tripwires_judge_an_anycast_edge_flow_by_flow() {
    let policy = |tripwire: &str| format!("{NO_CHINA}\n[[tripwire]]\nid = \"w\"\nfrom = [\"office\"]\n{tripwire}\n");
    let at = |mut observed: Observed, day: &str| {
        observed.0.start = format!("2026-{day}T12:00:00Z").parse().unwrap();
        observed.0.end = observed.0.start;
        observed
    };
    let edge = grounds(&policy("kind = \"new-edge\"\nbaseline = 2026-02-01"), fibre);
    let flows = [
        at(flow("192.0.0.1", 1, NOT, NOT), "01-10"),
        at(flow("198.51.100.1", 2, NOT, (3_000, 3)), "02-03"),
        at(flow("198.51.100.1", 3, NOT, NOT), "02-04"),
    ];
    let mut told = report(&edge, &flows);
    let remarks = told.tripwires.remove(0).remarks;
    assert!(
        remarks.iter().any(|remark| remark.starts_with("1 flows went to places that no source knows")),
        "{remarks:?}"
    );
    assert!(remarks.iter().any(|remark| remark.starts_with("1 flows of zone office went to one of")), "{remarks:?}");

    // Light goes half around the world in 101 ms: more than that leaves every country, as no time does.
    let past = grounds(&policy("kind = \"choke-point\"\ngateways = [\"10.0.0.1\"]"), fibre);
    let flows = [flow("198.51.100.1", 1, NOT, NOT), flow("198.51.100.1", 2, NOT, (400_000, 5))];
    let tripped = report(&past, &flows).tripwires.remove(0).tripped;
    assert_eq!(tripped.iter().map(|tripped| tripped.flows).collect::<Vec<_>>(), [2]);
}

#[test]
fn many_networks_in_one_tiny_time_are_a_proxy() {
    let grounds = grounds(NO_CHINA, fibre);
    let networks = |times: &dyn Fn(u32) -> u32| -> Vec<Observed> {
        (0..12).map(|n| flow(&format!("100.128.{n}.1"), u64::from(n) + 1, NOT, (times(n), 9))).collect()
    };
    let told = report(&grounds, &networks(&|n| 300 + n % 3));
    assert_eq!((told.outcome, told.totals.forbid.count), (Outcome::Forbidden, 12));
    let summary = told.horizon.unwrap();
    let doubt = summary.doubt.unwrap();
    assert_eq!((doubt.kind, doubt.networks, doubt.of, doubt.least_us), (DoubtKind::Proxy, 12, 12, Some(300)));
    assert!(summary.proofs.is_empty() && summary.changed == 0);
    assert!(told.limits.iter().any(|limit| limit.contains("proxy near the observation point")));

    // An anycast edge is not proven by such a time either.
    let mut with_edge = networks(&|_| 300);
    with_edge.push(flow("198.51.100.1", 99, NOT, (300, 9)));
    assert_eq!(report(&grounds, &with_edge).totals.indeterminate.count, 1);

    // Times as different as machines are, or no tiny ones, or few networks: no proxy. But where times refute what is
    // claimed of most networks, it is the vantage that is in doubt, or the clock, or a proxy further away.
    for times in
        [&(|n: u32| 200 + 400 * n) as &dyn Fn(u32) -> u32, &|_| 4_000, &|n| if n < 7 { 300 } else { 3_000 * n }]
    {
        let mut flows = networks(times);
        let told = report(&grounds, &flows);
        let doubt = told.horizon.unwrap().doubt.unwrap();
        assert_eq!((doubt.kind, doubt.networks, doubt.of), (DoubtKind::Contradicted, 12, 12));
        assert_eq!(told.totals.forbid.count, 12);
        assert!(told.limits.iter().any(|limit| limit.contains("the vantage 50.11,8.68 or the clock")));
        // Where as many claims hold, the others are refuted.
        flows
            .extend((0..12).map(|n| flow(&format!("192.0.{}.1", 2 + n), u64::from(50 + n), NOT, (9_000 + n * 100, 9))));
        let told = report(&grounds, &flows);
        assert!(told.horizon.unwrap().doubt.is_none() && told.totals.forbid.count == 0);
    }
}

/// The bounds of both doubts, as [`landfall::audit::Cases::doubt`] states them: eight networks and half of all, times
/// below a millisecond that are 50 us or a quarter apart; and networks are /24 of IPv4 and /48 of IPv6.
#[test]
fn doubt_has_its_bounds() {
    let grounds = grounds(NO_CHINA, fibre);
    let horizon = grounds.horizon.as_ref().unwrap();
    // Addresses with the time of each, in networks that are claimed to be in China.
    let doubt = |times: &[(String, u32)]| {
        let flows: Vec<Observed> =
            (1..).zip(times).map(|(number, (far, us))| flow(far, number, NOT, (*us, 9))).collect();
        audit_of(&grounds, &flows).cases.doubt(horizon).map(|doubt| (doubt.kind, doubt.networks, doubt.of))
    };
    let china = |from: u32, count: u32, us: u32| (from..from + count).map(move |n| (format!("100.128.{n}.1"), us));
    // Networks in Germany, as far from Frankfurt as they are said to be.
    let germany = |count: u32| (0..count).map(|n| (format!("192.0.{n}.1"), 9_000 + n * 1_500));
    let of = |parts: Vec<(String, u32)>| doubt(&parts);
    let proxy = |networks, of| Some((DoubtKind::Proxy, networks, of));
    let vantage = |networks, of| Some((DoubtKind::Contradicted, networks, of));
    assert_eq!(of(china(0, 7, 300).collect()), None);
    assert_eq!(of(china(0, 8, 300).collect()), proxy(8, 8));
    assert_eq!(of(china(0, 8, 300).chain(germany(8)).collect()), proxy(8, 16));
    assert_eq!(of(china(0, 8, 300).chain(germany(9)).collect()), None);
    // A quarter of 800 us is 200 us, of 600 us 150 us.
    assert_eq!(of(china(0, 4, 800).chain(china(4, 4, 999)).collect()), proxy(8, 8));
    assert_eq!(of(china(0, 4, 600).chain(china(4, 4, 750)).collect()), proxy(8, 8));
    assert_eq!(of(china(0, 4, 600).chain(china(4, 4, 751)).collect()), vantage(8, 8));
    // 50 us where a quarter is less.
    assert_eq!(of(china(0, 4, 100).chain(china(4, 4, 150)).collect()), proxy(8, 8));
    // From a millisecond on it is no local proxy.
    assert_eq!(of(china(0, 8, 999).collect()), proxy(8, 8));
    assert_eq!(of(china(0, 8, 1_000).collect()), vantage(8, 8));
    // Refuted claims: more than half of those that have claims.
    assert_eq!(of(china(0, 9, 5_000).chain(germany(7)).collect()), vantage(9, 16));
    assert_eq!(of(china(0, 8, 5_000).chain(germany(8)).collect()), None);
    assert_eq!(of(china(0, 7, 5_000).collect()), None);
    // Two addresses of one network are one.
    let twice = |text: &str| vec![(text.replace('#', "1"), 300), (text.replace('#', "2"), 310)];
    assert_eq!(of(china(0, 7, 300).chain(twice("100.128.9.#")).collect()), proxy(8, 8));
    let six = |count: u32| (0..count).map(|n| (format!("2001:db8:{n:x}:5::1"), 300)).collect::<Vec<_>>();
    assert_eq!(of(six(8)), proxy(8, 8));
    assert_eq!(of(six(7).into_iter().chain(twice("2001:db8:0:#::1")).collect()), None);
}

/// Flows to one announced address are evidence each alone; what holds for all of them is the slowest with the fewest samples.
#[test]
fn flows_to_an_edge_are_told_together_by_the_weakest() {
    let grounds = grounds(EUROPE_ALONE, fibre);
    let flows = [
        flow("198.51.100.1", 1, NOT, (3_000, 9)),
        flow("198.51.100.1", 2, NOT, (4_000, 4)),
        flow("198.51.100.1", 3, NOT, (2_000, 5)),
    ];
    let summary = report(&grounds, &flows).horizon.unwrap();
    let proofs: Vec<_> = summary.proofs.iter().map(|proof| (proof.rtt_us, proof.samples, proof.flows)).collect();
    assert_eq!(proofs, [(4_000, 4, Some(3))]);
    assert_eq!((summary.measured, summary.changed, summary.refuted), (1, 1, 0));
}

/// A claim that is cut down and does not go away: the finding says by what.
#[test]
fn a_finding_prints_its_derivation_in_every_format() {
    let policy = NO_CHINA.replace(r#"to = ["CN"]"#, r#"to = ["CH", "AT", "DE"]"#);
    let grounds = grounds(&policy, fibre);
    let told = report(&grounds, &[flow("203.0.113.9", 1, NOT, (2_000, 5))]);
    let finding = &told.findings[0];
    assert_eq!((finding.decision, finding.to.standing), (Decision::Indeterminate, Standing::Refuted));
    let [proof] = finding.horizon.as_slice() else { panic!("{:?}", finding.horizon) };
    assert_eq!((proof.rtt_us, proof.samples, proof.km, proof.flows), (2_000, 5, 200, None));
    let sum = ["203.0.113.9 answered within 2 ms, the least of 5 samples", "within 200 km of 50.11,8.68", "China (CN)"];
    for format in ["text", "html"] {
        let mut out = Vec::new();
        let format = landfall::report::Format::from_name(format).unwrap();
        landfall::report::write(&told, format, landfall::report::Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for part in sum {
            assert!(text.contains(part), "{format:?} has no `{part}`");
        }
    }
    let mut out = Vec::new();
    landfall::report::write(&told, landfall::report::Format::Json, landfall::report::Style::default(), &mut out)
        .unwrap();
    assert_eq!(landfall::report::read_json(&out).unwrap(), told);
    let mut out = Vec::new();
    landfall::report::explain::write(&told, finding, landfall::report::Style::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    for part in sum.iter().chain(&["rule no-china", "feed, undated, says CN", "could not be decided"]) {
        assert!(text.contains(part), "explain has no `{part}`:\n{text}");
    }
}

/// Settling by brute force: two passes over all records, one country at a time, by the policy's own rules.
fn by_hand(grounds: &Grounds, records: &[Observed]) -> (BTreeMap<&'static str, u64>, BTreeMap<String, u64>) {
    let (policy, horizon) = (grounds.policy.as_ref().unwrap(), grounds.horizon.as_ref().unwrap());
    let seen_from = |record: &FlowRecord| {
        let outside = |end: Addr| policy.zone_of(end).is_none() && end.scope() != Scope::LocalOnly;
        match (policy.zone_of(record.src), policy.zone_of(record.dst)) {
            (Some(zone), None) if outside(record.dst) && record.src.scope() != Scope::LocalOnly => {
                Some((zone, record.dst, record.dst_rtt, true))
            }
            (None, Some(zone)) if outside(record.src) && record.dst.scope() != Scope::LocalOnly => {
                Some((zone, record.src, record.src_rtt, false))
            }
            _ => None,
        }
    };
    let mut least: BTreeMap<Addr, (u32, u32)> = BTreeMap::new();
    for (record, _) in records {
        if let Some((_, far, rtt, _)) = seen_from(record)
            && let Some(us) = rtt.least_us()
        {
            let known = least.entry(far).or_insert((u32::MAX, 0));
            *known = (known.0.min(us), known.1 + u32::from(rtt.samples()));
        }
    }
    let cut = |location: Location, measured: Option<(u32, u32)>| match measured {
        Some((us, samples)) if us >= 50 && samples >= 3 => {
            let near: CountrySet = landfall::model::Country::all()
                .filter(|country| horizon.distance(*country) <= us.div_ceil(10))
                .collect();
            location.within_reach(near)
        }
        _ => location,
    };
    let (mut totals, mut findings) = (BTreeMap::new(), BTreeMap::new());
    for (record, name) in records {
        let Some((zone, far, rtt, source)) = seen_from(record) else { continue };
        let place = grounds.atlas.at(Timestamp(0)).locate(far);
        let own = rtt.least_us().map(|us| (us, u32::from(rtt.samples())));
        let anycast = place.location.standing() == Standing::Anycast;
        let location = cut(place.location, if anycast { own } else { least.get(&far).copied() });
        let asked = name.as_ref().filter(|_| source).map(|name| &*name.text);
        let party = policy.party_of(far, place.operator, asked, &[]);
        let Some(epoch) = policy.epoch(record.start) else {
            *totals.entry("not-in-force").or_insert(0) += 1;
            continue;
        };
        let [forward, reverse] = record.uniflows();
        let (sent, received) = if source { (forward, reverse) } else { (reverse, forward) };
        let opened_by = match sent.opened {
            Some(true) => Opener::Local,
            Some(false) => Opener::Remote,
            None => Opener::Unknown,
        };
        let (near_port, far_port) = if source { (record.sport, record.dport) } else { (record.dport, record.sport) };
        let ports = match opened_by {
            Opener::Local => vec![far_port],
            Opener::Remote => vec![near_port],
            Opener::Unknown => vec![far_port, near_port],
        };
        let service = policy.service_class(record.protocol, &ports);
        let mut worst: Option<Decision> = None;
        for (uniflow, outward) in [(sent, true), (received, false)] {
            let moved = uniflow.moved();
            let selector = Selector { zone, epoch, outward, moved, opened_by, party, service, spent: Spent::default() };
            let Some(borders) = policy.borders(&selector).filter(|_| !uniflow.is_empty()) else { continue };
            let judgement = borders.decide(&location, party.and_then(|party| policy.controlled_from(party)));
            worst = worst.max(Some(judgement.decision));
            for (axis, reason, decision) in judgement.reasons {
                let key = format!(
                    "{decision:?} {reason:?} {axis:?} {zone:?} {outward} {moved} {opened_by:?} {} {:?} {:?} {party:?}",
                    location.possible(),
                    location.standing(),
                    place.operator
                );
                *findings.entry(key).or_insert(0) += uniflow.sent.octets;
            }
        }
        let total = match worst {
            None => "contact",
            Some(Decision::Permit) => "permit",
            Some(Decision::Indeterminate) => "indeterminate",
            Some(Decision::Forbid) => "forbid",
        };
        *totals.entry(total).or_insert(0) += 1;
    }
    (totals, findings)
}

fn as_by_hand(audit: &Audit) -> BTreeMap<String, u64> {
    let mut findings = BTreeMap::new();
    for (key, tally) in &audit.findings {
        let outward = key.contact.outward();
        let text = format!(
            "{:?} {:?} {:?} {:?} {outward} {} {:?} {} {:?} {:?} {:?}",
            key.decision,
            key.reason,
            key.axis,
            key.zone,
            key.contact.moved(),
            key.opened_by,
            key.places,
            key.standing,
            key.operator,
            key.party
        );
        *findings.entry(text).or_insert(0) += tally.sent.octets;
    }
    findings
}

proptest! {
    #![proptest_config(config())]

    /// Cases that are settled at the end come to what two passes over all records come to.
    #[test]
    fn settling_is_two_passes(records in prop::collection::vec(observed(), 0..60)) {
        let grounds: &Grounds = &FRANKFURT;
        // Flows between two zones are not held, and are the other law's.
        let zone = |end: Addr| grounds.policy.as_ref().unwrap().zone_of(end);
        let records: Vec<Observed> = records
            .into_iter()
            .filter(|(record, _)| zone(record.src).is_some() != zone(record.dst).is_some())
            .collect();
        let audit = audit_of(grounds, &records);
        prop_assume!(audit.cases.doubt(grounds.horizon.as_ref().unwrap()).is_none());
        let settled = audit.settled(grounds);
        let (totals, findings) = by_hand(grounds, &records);
        for (name, count) in settled.totals.each() {
            let expected = if name == "local-only" { count.count } else { totals.get(name).copied().unwrap_or(0) };
            prop_assert_eq!(count.count, expected, "{}", name);
        }
        prop_assert_eq!(as_by_hand(&settled), findings);
    }
}

/// Audits with a vantage and without, or with another, are not one.
#[test]
fn vantages_do_not_merge() {
    let (one, other) = (grounds(NO_CHINA, fibre), grounds(NO_CHINA, |_| None));
    assert!(Audit::of_nothing(one.basis()).merge(Audit::of_nothing(other.basis())).is_err());
    let vacuum = grounds(NO_CHINA, |vantage| vantage.map(|vantage| Horizon::new(vantage, Medium::Vacuum)));
    assert!(Audit::of_nothing(one.basis()).merge(Audit::of_nothing(vacuum.basis())).is_err());
}
