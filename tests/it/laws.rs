//! The laws of the auditor, as properties.
//!
//! Each of them must kill its mutation: exemplars unsorted, a field forgotten in a merge, unknown taken as the empty set,
//! a round-trip time taken as proof.

use std::sync::LazyLock;

use landfall::audit::{Audit, Auditor, Grounds, Local};
use landfall::locate::{Atlas, Horizon, Medium};
use landfall::model::{
    Addr, Authority, BiflowDirection, Caveat, Counters, Country, CountrySet, Decision, FlowFlags, FlowRecord,
    InputCoverage, InputId, Location, Name, NameSource, Outer, Protocol, Provenance, PublisherId, RoundTrip, Skip,
    Standing, Timestamp, Tunnel,
};
use landfall::policy::{Library, Policy};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

pub(crate) const POLICY: &str = r#"
[policy]
id = "laws"
title = "A policy with a bit of everything"
version = "1"
owner = "tests@example.org"
default = "forbid"
in-force = { from = 2020-01-01 }

[zone.inside]
networks = ["10.0.0.0/8"]
country = "CA"

[zone.lab]
networks = ["10.9.0.0/16", "192.168.0.0/16"]
country = "DE"

[party.search]
name = "A search engine"
controlled-from = ["US"]
match = [{ asn = [15169] }, { names = ["*.search.example"] }]

[service.web]
ports = ["tcp/443", "tcp/80"]

[[rule]]
id = "home"
effect = "permit"
from = ["inside", "lab"]
to = ["US", "CA", "IE"]
basis = ["contract"]

[[rule]]
id = "no-china"
effect = "forbid"
from = ["inside"]
to = ["CN", "HK"]
movement = "either"
severity = "critical"

[[rule]]
id = "no-remote-access"
effect = "forbid"
from = ["lab"]
to = ["*"]
initiator = "remote"
movement = "either"
contact = true

[[rule]]
id = "operators"
effect = "forbid"
from = ["inside"]
party = ["search"]
service = ["web"]
to-control = ["US"]

[[waiver]]
finding = { rule = "no-china", from = "inside", to = "52.81.0.0/16" }
owner = "ciso@example.org"
reason = "until the move"
expires = 2020-01-10

[[waiver]]
finding = { rule = "default", from = "*", to = ["DE", "2a05::/16"] }
owner = "dpo@example.org"
reason = "a study"
expires = 2020-06-01
"#;

fn grounds(policy: Option<&str>, local: Local) -> Grounds {
    let parsed = policy.map(|text| Policy::parse("laws.toml", text, Library::embedded()));
    if let Some(parsed) = &parsed {
        assert!(parsed.policy.is_some(), "{:#?}", parsed.diagnostics);
    }
    Grounds {
        policy: parsed.and_then(|parsed| parsed.policy),
        atlas: Atlas::embedded().expect("the embedded table is whole"),
        local,
        horizon: None,
    }
}

static JUDGED: LazyLock<Grounds> = LazyLock::new(|| grounds(Some(POLICY), Local::Zones));
/// The same without its waivers.
static BARE: LazyLock<Grounds> =
    LazyLock::new(|| grounds(POLICY.split_once("[[waiver]]").map(|(rules, _)| rules), Local::Zones));
static BARE_FRANKFURT: LazyLock<Grounds> =
    LazyLock::new(|| at_frankfurt(POLICY.split_once("[[waiver]]").map(|(rules, _)| rules), Local::Zones));
static INVENTORY: LazyLock<Grounds> = LazyLock::new(|| grounds(None, Local::private(&[])));
pub(crate) static FRANKFURT: LazyLock<Grounds> = LazyLock::new(|| at_frankfurt(Some(POLICY), Local::Zones));
static FRANKFURT_INVENTORY: LazyLock<Grounds> = LazyLock::new(|| at_frankfurt(None, Local::private(&[])));

/// The same grounds with a vantage, so that round-trip times count.
fn at_frankfurt(policy: Option<&str>, local: Local) -> Grounds {
    let vantage = "50.11,8.68".parse().expect("a vantage");
    Grounds { horizon: Some(Horizon::new(vantage, Medium::Fibre)), ..grounds(policy, local) }
}

fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<std::net::IpAddr>().expect("an address"))
}

/// Addresses on both sides, from several countries, unknown, multicast and of both families.
fn any_addr() -> impl Strategy<Value = Addr> {
    let known = [
        "10.1.2.3",
        "10.1.2.4",
        "10.9.1.1",
        "192.168.7.7",
        "8.8.8.8",
        "52.81.151.250",
        "3.5.140.2",
        "203.0.113.9",
        "224.0.0.251",
        "2a05:d018::1",
        "2001:4860:4860::8888",
        "fe80::1",
        "172.16.0.9",
        "47.91.0.1",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(addr),
        1 => any::<[u8; 4]>().prop_map(Addr::v4),
    ]
}

fn counters() -> impl Strategy<Value = Counters> {
    prop_oneof![
        1 => Just(Counters::default()),
        1 => (1u64..5).prop_map(|packets| Counters { octets: packets * 60, packets, payload: 0 }),
        3 => (1u64..50, 0u64..5000).prop_map(|(packets, payload)| Counters { octets: packets * 40 + payload, packets, payload }),
    ]
}

pub(crate) type Observed = (FlowRecord, Option<Name>);

/// Round-trip times that are no evidence, that are, and that reach everywhere.
fn round_trip() -> impl Strategy<Value = RoundTrip> {
    let times = prop::sample::select(vec![30u32, 60, 300, 900, 2_500, 4_000, 40_000, 60_000, 250_000]);
    prop::option::weighted(0.7, (times, 1u8..5))
        .prop_map(|measured| measured.and_then(|(us, samples)| RoundTrip::new(us, samples)).unwrap_or_default())
}

pub(crate) fn observed() -> impl Strategy<Value = Observed> {
    let names = prop::option::weighted(0.3, prop::sample::select(vec!["www.search.example", "cdn.example", "a"]));
    let flow = (any_addr(), any_addr(), counters(), counters(), 0u64..6, 1u64..40, names);
    let rest = (
        round_trip(),
        round_trip(),
        0u8..3,
        0u8..16,
        prop::sample::select(vec![6u8, 17, 1, 47]),
        prop::sample::select(vec![443u16, 22, 50_000]),
        0u32..3,
        -400i64..400,
    );
    (flow, rest).prop_map(
        |(
            (src, dst, forward, reverse, start, position, name),
            (src_rtt, dst_rtt, direction, flags, protocol, dport, input, days),
        )| {
            let day = 86_400 * Timestamp::SECOND;
            let around = Timestamp::at_midnight(jiff::civil::date(2020, 1, 1)).0;
            let time = Timestamp(around.saturating_add_signed(days * day.cast_signed()) + start * Timestamp::SECOND);
            let mut record =
                FlowRecord::new(src, dst, Protocol(protocol), time, Provenance::new(InputId(input), position));
            (record.forward, record.reverse) = (forward, reverse);
            record.end = Timestamp(time.0 + position * 1_000_000);
            (record.sport, record.dport) = (50_001, dport);
            (record.src_rtt, record.dst_rtt) = (src_rtt, dst_rtt);
            record.direction =
                [BiflowDirection::Arbitrary, BiflowDirection::Initiator, BiflowDirection::ReverseInitiator]
                    [usize::from(direction)];
            record.flags = FlowFlags(flags);
            if protocol == 47 {
                record.tunnel = Tunnel::Gre;
            }
            (record, name.map(|text| Name { text: text.into(), from: NameSource::Sni }))
        },
    )
}

fn coverage_of(input: u32, part: usize) -> InputCoverage {
    let mut coverage = InputCoverage::new(format!("input-{input}"), "test");
    coverage.read.add(100);
    coverage.skip(Skip::NotIp, part as u64 + 1, 42);
    coverage.caveat(Caveat::Snapped, 9 - part as u64 % 9, 1);
    coverage.saw(Timestamp(part as u64 * 1000));
    coverage
}

pub(crate) fn audit_of<'a>(grounds: &Grounds, records: impl IntoIterator<Item = &'a Observed>) -> Audit {
    let mut auditor = Auditor::new(grounds);
    for (record, name) in records {
        auditor.observe(record, name.as_ref());
    }
    auditor.finish()
}

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 96,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// Any split and any order of the records gives the same audit, and the same report.
    #[test]
    fn an_audit_is_the_same_however_it_is_split(
        records in prop::collection::vec(observed(), 0..120),
        order in any::<u64>(),
        parts in 1usize..6,
        which in 0usize..4,
    ) {
        let grounds: &Grounds = [&*JUDGED, &*INVENTORY, &*FRANKFURT, &*FRANKFURT_INVENTORY][which];
        let mut whole = Auditor::new(grounds);
        for (record, name) in &records {
            whole.observe(record, name.as_ref());
        }
        for part in 0..parts {
            whole.cover(InputId(part as u32 % 2), coverage_of(part as u32 % 2, part));
        }
        let whole = whole.finish();

        // A shuffle that needs no more than the seed: sort by a hash of the position.
        let mut shuffled: Vec<(u64, &Observed)> = records
            .iter()
            .enumerate()
            .map(|(index, record)| ((index as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23), record))
            .collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let mut merged = Audit::of_nothing(grounds.basis());
        for part in (0..parts).rev() {
            let mine = shuffled.iter().enumerate().filter(|(index, _)| index % parts == part).map(|(_, (_, record))| *record);
            let mut auditor = Auditor::new(grounds);
            for (record, name) in mine {
                auditor.observe(record, name.as_ref());
            }
            auditor.cover(InputId(part as u32 % 2), coverage_of(part as u32 % 2, part));
            merged.merge(auditor.finish()).unwrap();
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(serde_json::to_string(&merged.report(grounds, None)).unwrap(), serde_json::to_string(&whole.report(grounds, None)).unwrap());
    }

    /// Every record is in exactly one total, and nothing that was decided is missing from the inventory.
    #[test]
    fn every_record_is_counted_once(records in prop::collection::vec(observed(), 0..60), judged in any::<bool>()) {
        let grounds: &Grounds = if judged { &JUDGED } else { &FRANKFURT };
        let audit = audit_of(grounds, &records);
        let audit = audit.settled(grounds);
        let counted: u64 = audit.totals.each().iter().map(|(_, count)| count.count).sum();
        prop_assert_eq!(counted, records.len() as u64);
        let octets: u64 = audit.totals.each().iter().map(|(_, count)| count.octets).sum();
        prop_assert_eq!(octets, records.iter().map(|(record, _)| record.forward.octets + record.reverse.octets).sum::<u64>());
        // What is left out of sums of octets is the outer headers whose inside is in records of its own, and nothing else.
        let outer = records.iter().map(|(record, _)| record).filter(|record| record.outer().is_some_and(Outer::is_counted_inside));
        let twice: Vec<_> = audit.counted_inside.each().iter().map(|(_, count)| *count).collect();
        prop_assert_eq!(twice.iter().map(|count| count.count).sum::<u64>(), outer.clone().count() as u64);
        prop_assert_eq!(
            twice.iter().map(|count| count.octets).sum::<u64>(),
            outer.map(|record| record.forward.octets + record.reverse.octets).sum::<u64>()
        );
        if audit.totals.forbid.count > 0 {
            prop_assert!(audit.findings.keys().any(|key| key.decision == Decision::Forbid));
        }
        // A waiver changes no decision: without waivers there are the same totals and the same inventory, and the findings
        // are those with waivers, put together again.
        let without: &Grounds = if judged { &BARE } else { &BARE_FRANKFURT };
        let bare = audit_of(without, &records);
        let bare = bare.settled(without);
        prop_assert_eq!(audit.totals, bare.totals);
        prop_assert_eq!(&audit.inventory, &bare.inventory);
        let mut joined = std::collections::BTreeMap::new();
        for (key, tally) in audit.findings.clone() {
            let key = landfall::model::FindingKey { waiver: None, ..key };
            match joined.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => { entry.insert(tally); }
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(tally),
            }
        }
        prop_assert_eq!(&joined, &bare.findings);
    }

    /// More reach settles and never overturns: once decided, a decision stays, unless everything that was claimed is
    /// refuted; and the order of the evidence means nothing as long as it leaves something.
    #[test]
    fn reach_settles_and_never_overturns(
        claimed in country_set(), first in country_set(), second in country_set(), forbidden in country_set(),
    ) {
        let before = Location::weigh_places(&[(Authority::Indicative, claimed, PublisherId(0))]);
        let after = before.within_reach(first);
        prop_assert!(!after.possible().is_empty());
        if after.standing() != Standing::Refuted {
            prop_assert!(after.possible().is_subset(&before.possible()));
            let (was, is) = (Decision::over(&before.possible(), &forbidden), Decision::over(&after.possible(), &forbidden));
            prop_assert!(was == Decision::Indeterminate || was == is);
        }
        let (one, other) = (after.within_reach(second), before.within_reach(second).within_reach(first));
        if one.standing() != Standing::Refuted && other.standing() != Standing::Refuted {
            prop_assert_eq!(one, other);
        }
    }

    /// The highest authority speaks alone, all that it says is possible, and the order of claims means nothing. Only among
    /// databases, where a registration is known and two publishers agree on another country, are others not heard.
    #[test]
    fn the_highest_authority_speaks_alone(claims in prop::collection::vec((0u8..4, country_set(), 0u16..3), 0..6)) {
        let authority = |number| match number {
            0 => Authority::Registry,
            1 => Authority::Indicative,
            2 => Authority::Provider,
            _ => Authority::Operator,
        };
        let claims: Vec<_> =
            claims.into_iter().map(|(number, places, publisher)| (authority(number), places, PublisherId(publisher))).collect();
        let weighed = Location::weigh_places(&claims);
        let reversed: Vec<_> = claims.iter().rev().copied().collect();
        prop_assert_eq!(weighed, Location::weigh_places(&reversed));
        let of = |wanted| claims.iter().filter(move |(authority, places, _)| *authority == wanted && !places.is_empty());
        let highest = claims.iter().filter(|(authority, places, _)| *authority > Authority::Registry && !places.is_empty()).map(|claim| claim.0).max();
        let expected = match highest {
            None => CountrySet::ANYWHERE,
            Some(highest) => of(highest).fold(CountrySet::NOWHERE, |all, (_, places, _)| all.union(*places)),
        };
        prop_assert!(weighed.possible().is_subset(&expected));
        if highest != Some(Authority::Indicative) || of(Authority::Registry).next().is_none() {
            prop_assert_eq!(weighed.possible(), expected);
        }
    }

    /// The decision in two masks is the decision one country at a time.
    #[test]
    fn two_masks_are_every_country(possible in country_set(), forbidden in country_set()) {
        prop_assume!(!possible.is_empty());
        let each: Vec<bool> = possible.iter().map(|country| forbidden.contains(country)).collect();
        let expected = match (each.contains(&true), each.contains(&false)) {
            (false, _) => Decision::Permit,
            (true, true) => Decision::Indeterminate,
            (true, false) => Decision::Forbid,
        };
        prop_assert_eq!(Decision::over(&possible, &forbidden), expected);
        let unknown = Decision::over(&Location::UNKNOWN.possible(), &forbidden);
        prop_assert_eq!(unknown == Decision::Permit, forbidden.is_empty(), "unknown is permitted only where everything is");
    }

    /// Set algebra against one country at a time.
    #[test]
    fn sets_are_sets(a in country_set(), b in country_set()) {
        for country in Country::all() {
            let (in_a, in_b) = (a.contains(country), b.contains(country));
            prop_assert_eq!(a.union(b).contains(country), in_a || in_b);
            prop_assert_eq!(a.intersection(b).contains(country), in_a && in_b);
            prop_assert_eq!(a.difference(b).contains(country), in_a && !in_b);
            prop_assert_eq!(a.complement().contains(country), !in_a);
        }
        prop_assert_eq!(a.iter().collect::<CountrySet>(), a);
        prop_assert_eq!(a.iter().count(), a.len());
        prop_assert_eq!(serde_json::from_str::<CountrySet>(&serde_json::to_string(&a).unwrap()).unwrap(), a);
    }
}

fn country_set() -> impl Strategy<Value = CountrySet> {
    let some = prop::collection::vec(0usize..250, 0..6).prop_map(|picks| {
        Country::all().enumerate().filter(|(at, _)| picks.contains(at)).map(|(_, country)| country).collect()
    });
    prop_oneof![8 => some, 1 => Just(CountrySet::ANYWHERE), 1 => Just(CountrySet::NOWHERE)]
}

#[test]
fn audits_on_different_grounds_do_not_merge() {
    let mut one = Audit::of_nothing(JUDGED.basis());
    assert!(one.merge(Audit::of_nothing(INVENTORY.basis())).is_err());
}

/// What the laws are made of, once by hand: who sent what where, and why it is a finding.
#[test]
fn a_flow_to_china_is_a_finding_in_both_directions() {
    let start: Timestamp = "2020-03-30T15:00:00Z".parse().unwrap();
    let mut record =
        FlowRecord::new(addr("10.1.2.3"), addr("52.81.151.250"), Protocol::TCP, start, Provenance::new(InputId(0), 7));
    record.direction = BiflowDirection::Initiator;
    (record.sport, record.dport) = (50_000, 443);
    record.forward = Counters { octets: 2820, packets: 18, payload: 2100 };
    record.reverse = Counters { octets: 5880, packets: 17, payload: 5200 };
    let audit = audit_of(&JUDGED, &[(record, None)]);
    assert_eq!(audit.totals.forbid.count, 1);
    let report = audit.report(&JUDGED, None);
    let by_rule: Vec<(Option<&str>, u64, &str)> = report
        .findings
        .iter()
        .map(|finding| (finding.rule.as_deref(), finding.sent.payload, finding.zone.as_str()))
        .collect();
    assert!(by_rule.contains(&(Some("no-china"), 2100, "inside")), "{by_rule:?}");
    assert!(by_rule.contains(&(Some("no-china"), 5200, "inside")), "{by_rule:?}");
    // The default speaks only where no rule does.
    assert_eq!(by_rule.len(), 2);
    assert_eq!(report.findings[0].severity, landfall::model::Severity::Critical);
    assert_eq!(report.findings[0].to.places.to_string(), "CN");
}
