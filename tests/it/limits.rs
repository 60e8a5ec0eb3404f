//! Limits of permit rules: what counts, in which window, for whom; and that a split of the input makes no difference.
//!
//! The far ends are the samples' documentation addresses ([`flows`]).

use std::collections::BTreeMap;

use landfall::audit::{Auditor, Grounds, MAX_WINDOWS};
use landfall::locate::{Horizon, Medium};
use landfall::model::{
    Counters, Decision, Finding, FlowRecord, LimitId, LimitSet, Outcome, Report, RoundTrip, Timestamp, Totals,
};
use landfall::policy::{Library, Policy};
use proptest::prelude::*;

use crate::fixtures::flows::{self, opened, packet, report};

const HEAD: &str = r#"
[policy]
id      = "limits"
default = "forbid"

[zone.office]
networks = ["10.1.0.0/16"]
country  = "CA"

[zone.lab]
networks = ["10.2.0.0/16"]
country  = "US"

[party.desk]
match = [{ networks = ["198.51.100.0/28"] }]

[party.mill]
match = [{ networks = ["198.51.100.16/28"] }]
"#;

/// A thousand octets an hour to the United States.
const HOURLY: &str = "[[rule]]\nid = \"hourly\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\"]\nbasis = [\"art. 1\"]\n\
                      severity = \"high\"\nlimit = { octets = \"1000\", per = \"1h\" }\n";

fn grounds(rules: &str) -> Grounds {
    flows::grounds(flows::policy(&format!("{HEAD}\n{rules}")))
}

/// A flow that our side opened, with the IP octets that it sent; all but twenty of them are payload.
fn flow(at: &str, near: &str, far: &str, octets: u64) -> FlowRecord {
    let mut record = opened(at, near, far);
    record.forward = packet(octets, 20);
    record
}

/// How many records were permitted, could not be decided and were forbidden.
fn came(totals: &Totals) -> [u64; 3] {
    [totals.permit.count, totals.indeterminate.count, totals.forbid.count]
}

/// What a finding says of a limit: rule, party, and what moved in each window from when.
type Exceeded = (String, Option<String>, Vec<(String, u64)>);

/// What the findings say of limits.
fn exceeded(report: &Report) -> Vec<Exceeded> {
    let limits = report.findings.iter().flat_map(|finding: &Finding| &finding.limits);
    let windows = |limit: &landfall::model::ExceededLimit| {
        limit.windows.iter().map(|window| (window.from.to_string(), window.moved)).collect()
    };
    limits.map(|limit| (limit.rule.clone(), limit.party.clone(), windows(limit))).collect()
}

fn said(rule: &str, party: Option<&str>, windows: &[(&str, u64)]) -> (String, Option<String>, Vec<(String, u64)>) {
    let windows = windows.iter().map(|(from, moved)| ((*from).to_owned(), *moved)).collect();
    (rule.to_owned(), party.map(str::to_owned), windows)
}

#[test]
fn exactly_the_limit_is_not_more() {
    let grounds = grounds(HOURLY);
    let exact = [
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.7", 400),
        flow("2026-03-01T10:59:59Z", "10.1.0.8", "198.51.100.40", 600),
    ];
    let within = report(&grounds, &exact);
    assert_eq!((came(&within.totals), within.outcome), ([2, 0, 0], Outcome::Clean));
    let mut over = exact;
    over[0].reverse = Counters { octets: 1, packets: 1, payload: 1 };
    let over = report(&grounds, &over);
    // The first like the last, in both directions.
    assert_eq!((came(&over.totals), over.outcome), ([0, 0, 2], Outcome::Forbidden));
    let window = said("hourly", None, &[("2026-03-01T10:00:00Z", 1001)]);
    assert!(!over.findings.is_empty() && exceeded(&over).iter().all(|one| *one == window), "{:?}", exceeded(&over));
    for finding in &over.findings {
        assert_eq!((finding.rule.as_deref(), finding.decision), (None, Decision::Forbid));
        assert!(finding.title.contains("limit of `hourly`"), "{}", finding.title);
        assert_eq!((finding.severity.name(), finding.basis.join(",").as_str()), ("high", "art. 1"));
        assert_eq!((finding.limits[0].octets, finding.limits[0].per), (1000, 3600));
    }
}

#[test]
fn a_flow_counts_where_it_began() {
    let grounds = grounds(HOURLY);
    let mut flows = [
        flow("2026-03-01T10:59:59.999999999Z", "10.1.0.9", "198.51.100.7", 600),
        flow("2026-03-01T11:00:00Z", "10.1.0.9", "198.51.100.7", 600),
        flow("2026-03-01T12:00:00Z", "10.1.0.9", "198.51.100.7", 1001),
    ];
    flows[0].end = "2026-03-01T13:00:00Z".parse().expect("a time");
    let report = report(&grounds, &flows);
    assert_eq!(came(&report.totals), [2, 0, 1]);
    assert_eq!(exceeded(&report), [said("hourly", None, &[("2026-03-01T12:00:00Z", 1001)])]);
    assert_eq!(report.findings[0].first.to_string(), "2026-03-01T12:00:00Z");
}

#[test]
fn zones_and_named_parties_have_limits_of_their_own() {
    let of_each = |far: [&str; 3], rules: &str| {
        let flows = [
            flow("2026-03-01T10:00:00Z", "10.1.0.9", far[0], 700),
            flow("2026-03-01T10:10:00Z", "10.1.0.9", far[1], 700),
            flow("2026-03-01T10:20:00Z", "10.2.0.9", far[2], 700),
        ];
        report(&grounds(rules), &flows)
    };
    let (desk, mill) = ("198.51.100.3", "198.51.100.19");
    // Parties that no rule names are counted together, zones are not.
    let together = of_each([desk, mill, desk], HOURLY);
    assert_eq!(came(&together.totals), [1, 0, 2]);
    let named = format!("{HOURLY}party = [\"desk\", \"mill\"]\n");
    assert_eq!(came(&of_each([desk, mill, desk], &named).totals), [3, 0, 0]);
    let twice = of_each([desk, desk, mill], &named);
    assert_eq!(came(&twice.totals), [1, 0, 2]);
    assert_eq!(exceeded(&twice), [said("hourly", Some("desk"), &[("2026-03-01T10:00:00Z", 1400)])]);
}

#[test]
fn only_what_the_rule_permits_counts() {
    let out = format!(
        "{HOURLY}movement = \"out\"\n[[rule]]\nid = \"in\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"*\"]\nmovement = \"in\"\nbasis = [\"x\"]\n\
         [[rule]]\nid = \"no\"\neffect = \"forbid\"\nfrom = [\"*\"]\nto = [\"US\"]\nparty = [\"mill\"]\n"
    );
    let mut flows = [
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.3", 1000),
        // Another place, and a forbidden party: neither is permitted by the rule.
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "203.0.113.7", 5000),
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.19", 5000),
    ];
    flows[0].reverse = Counters { octets: 90_000, packets: 60, payload: 80_000 };
    let report = report(&grounds(&out), &flows);
    assert_eq!(came(&report.totals), [1, 0, 2]);
    assert_eq!(exceeded(&report), []);
}

#[test]
fn other_permits_and_other_limits_decide_beyond_one() {
    let other = format!(
        "{HOURLY}[[rule]]\nid = \"desk\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\"]\nparty = [\"desk\"]\nbasis = [\"x\"]\n"
    );
    let flows = [
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.3", 1000),
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.40", 30),
    ];
    // What another rule permits counts all the same, and stays permitted.
    assert_eq!(came(&report(&grounds(&other), &flows).totals), [1, 0, 1]);
    let daily = format!(
        "{HOURLY}[[rule]]\nid = \"daily\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\"]\nbasis = [\"x\"]\nlimit = {{ octets = \"3 kB\", per = \"1d\" }}\n"
    );
    let mut flows = vec![
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.3", 1500),
        flow("2026-03-01T12:00:00Z", "10.1.0.9", "198.51.100.3", 900),
    ];
    let within = report(&grounds(&daily), &flows);
    assert_eq!(came(&within.totals), [2, 0, 0], "beyond the hour, within the day");
    flows.push(flow("2026-03-01T23:00:00Z", "10.1.0.9", "198.51.100.3", 601));
    flows.push(flow("2026-03-02T00:00:00Z", "10.1.0.9", "198.51.100.3", 1001));
    let both = report(&grounds(&daily), &flows);
    assert_eq!(came(&both.totals), [3, 0, 1], "only the hour that is too much on the day that is too much");
    assert_eq!(
        exceeded(&both),
        [
            said("daily", None, &[("2026-03-01T00:00:00Z", 3001)]),
            said("hourly", None, &[("2026-03-01T10:00:00Z", 1500)])
        ]
    );
}

#[test]
fn between_zones_each_side_has_its_limit() {
    // The lab is in the United States, the office in Canada: what the office exchanges with the lab is limited, and not the
    // other way round, where another rule speaks.
    let rules = format!(
        "{HOURLY}[[rule]]\nid = \"home\"\neffect = \"permit\"\nfrom = [\"lab\"]\nto = [\"CA\"]\nbasis = [\"x\"]\n"
    );
    let flows = |octets| {
        vec![
            flow("2026-03-01T10:00:00Z", "10.1.0.9", "10.2.0.9", 500),
            flow("2026-03-01T10:10:00Z", "10.2.0.9", "10.1.0.9", octets),
        ]
    };
    let grounds = grounds(&rules);
    assert_eq!(came(&report(&grounds, &flows(500)).totals), [2, 0, 0]);
    let over = report(&grounds, &flows(501));
    assert_eq!(came(&over.totals), [0, 0, 2]);
    assert_eq!(over.totals.forbid.octets, 1001, "each record once");
    assert!(over.findings.iter().all(|finding| finding.zone == "office" && !finding.limits.is_empty()));
}

#[test]
fn what_a_round_trip_time_refutes_counts_for_no_limit() {
    let mut grounds = grounds(HOURLY);
    let vantage = "50.11,8.68".parse().expect("a vantage");
    grounds.horizon = Some(Horizon::new(vantage, Medium::Fibre));
    let mut flows = vec![
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.3", 900),
        flow("2026-03-01T10:10:00Z", "10.1.0.9", "198.51.100.19", 900),
    ];
    assert_eq!(came(&report(&grounds, &flows).totals), [0, 0, 2]);
    // Within 2 ms of Frankfurt nothing is in the United States.
    flows[1].dst_rtt = RoundTrip::new(2_000, 5).expect("a time");
    let refuted = report(&grounds, &flows);
    assert_eq!(came(&refuted.totals), [1, 0, 1]);
    assert_eq!(exceeded(&refuted), []);
}

#[test]
fn later_windows_than_are_kept_are_not_decided() {
    let grounds = grounds(HOURLY);
    let mut flows: Vec<FlowRecord> = (0..MAX_WINDOWS as u64 + 2)
        .map(|hour| {
            let mut flow = flow("1970-01-01T00:00:00Z", "10.1.0.9", "198.51.100.3", 40);
            flow.start = Timestamp(hour * 3600 * Timestamp::SECOND);
            flow.end = flow.start;
            flow
        })
        .collect();
    flows[7].forward.octets = 1001;
    let report = report(&grounds, &flows);
    assert_eq!(came(&report.totals), [MAX_WINDOWS as u64 - 1, 2, 1]);
    assert!(report.limits.iter().any(|limit| limit.contains("concerns 2 flow records")), "{:?}", report.limits);
}

#[test]
fn a_finding_lists_the_windows_that_were_too_much_and_no_others() {
    let flows = [("10", 1001), ("11", 1000), ("12", 1002)]
        .map(|(hour, octets)| flow(&format!("2026-03-01T{hour}:30:00Z"), "10.1.0.9", "198.51.100.7", octets));
    let report = report(&grounds(HOURLY), &flows);
    assert_eq!(came(&report.totals), [1, 0, 2]);
    assert_eq!(
        exceeded(&report),
        [said("hourly", None, &[("2026-03-01T10:00:00Z", 1001), ("2026-03-01T12:00:00Z", 1002)])]
    );
}

/// What is forbidden within the limit too is not forbidden for its sake.
#[test]
fn a_finding_names_a_limit_only_where_it_would_be_none_within() {
    let rules = format!(
        "{HOURLY}[[rule]]\nid = \"no-desk\"\neffect = \"forbid\"\nfrom = [\"*\"]\nto-control = [\"CN\"]\nparty = [\"mill\"]\n"
    );
    let text = HEAD.replace("[party.mill]", "[party.mill]\ncontrolled-from = [\"CN\", \"US\"]");
    let parsed = Policy::parse("limits.toml", &format!("{text}\n{rules}"), Library::embedded());
    let grounds = Grounds { policy: Some(parsed.policy.expect("a policy")), ..grounds(HOURLY) };
    let flows = [
        flow("2026-03-01T10:00:00Z", "10.1.0.9", "198.51.100.3", 1001),
        flow("2026-03-01T10:10:00Z", "10.1.0.9", "198.51.100.19", 500),
    ];
    let report = report(&grounds, &flows);
    let limits_of = |rule: Option<&str>, party: &str| {
        let of =
            report.findings.iter().filter(|one| one.rule.as_deref() == rule && one.to.party.as_deref() == Some(party));
        of.map(|one| (one.decision, one.limits.len())).collect::<Vec<_>>()
    };
    assert_eq!(limits_of(None, "desk"), [(Decision::Forbid, 1)]);
    // Whom it answers to is not known, and was not before; of its place the limit no longer permits.
    assert_eq!(limits_of(Some("no-desk"), "mill"), [(Decision::Indeterminate, 0)]);
    assert_eq!(limits_of(None, "mill"), [(Decision::Forbid, 1)]);
}

/// Windows of several limits begin together where all of them begin.
#[test]
fn windows_of_two_lengths_have_beginnings_in_common() {
    let rule = |id: &str, per: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\"]\nbasis = [\"x\"]\nlimit = {{ octets = \"1\", per = \"{per}\" }}\n"
        )
    };
    let grounds = grounds(&[rule("a", "10h"), rule("b", "4h"), rule("c", "7s")].concat());
    let policy = grounds.policy.as_ref().expect("a policy");
    let limits =
        |ids: &[usize]| ids.iter().fold(LimitSet::NONE, |set, id| set.with(LimitId::new(*id).expect("a limit")));
    let window = |ids: &[usize], hours: u64, seconds: u64| {
        let at = Timestamp::from_secs(hours * 3600 + seconds);
        policy.window(limits(ids), at).map(|begin| begin.0 / Timestamp::SECOND)
    };
    assert_eq!(window(&[], 23, 0), None);
    assert_eq!(window(&[0], 23, 5), Some(20 * 3600));
    // Ten hours and four: every two hours one of them may end.
    assert_eq!(window(&[0, 1], 23, 5), Some(22 * 3600));
    assert_eq!(window(&[1, 0], 21, 3599), Some(20 * 3600));
    // Seven seconds are no part of an hour: every second.
    assert_eq!(window(&[0, 2], 1, 5), Some(3605));
}

/// Between zones, what waits for one side's limit is not known where the window is not kept.
#[test]
fn later_windows_between_zones_are_counted_once() {
    let grounds = grounds(&format!(
        "{}[[rule]]\nid = \"home\"\neffect = \"permit\"\nfrom = [\"lab\"]\nto = [\"CA\"]\nbasis = [\"x\"]\n",
        HOURLY.replace("from = [\"*\"]", "from = [\"office\"]")
    ));
    let mut auditor = Auditor::new(&grounds);
    for hour in 0..MAX_WINDOWS as u64 + 2 {
        let mut flow = flow("1970-01-01T00:00:00Z", "10.1.0.9", "10.2.0.9", 40);
        flow.start = Timestamp(hour * 3600 * Timestamp::SECOND);
        flow.end = flow.start;
        auditor.observe(&flow, None);
    }
    let audit = auditor.finish();
    assert_eq!((audit.cases.unmeasured().count, audit.cases.unmeasured().octets), (2, 80));
}

/// Two limited rules, one of them for each party, and a permit without a limit.
const TWIN: &str = "[[rule]]\nid = \"a\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\", \"DE\"]\nmovement = \"out\"\nbasis = [\"x\"]\nlimit = { octets = \"2000\", per = \"2h\" }\n\
    [[rule]]\nid = \"b\"\neffect = \"permit\"\nfrom = [\"office\"]\nto = [\"US\"]\nparty = [\"desk\", \"unlisted\"]\nmovement = \"either\"\nbasis = [\"x\"]\nlimit = { octets = \"1500\", per = \"3h\" }\n\
    [[rule]]\nid = \"c\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"*\"]\nmovement = \"in\"\nbasis = [\"x\"]\n";

fn twin_flow() -> impl Strategy<Value = (usize, usize, u64, u64, u64)> {
    (0usize..2, 0usize..5, 0u64..12, 21u64..1500, prop_oneof![Just(0u64), 21..800u64])
}

const FAR: [(&str, &str, &str); 5] = [
    ("198.51.100.3", "US", "desk"),
    ("198.51.100.19", "US", "mill"),
    ("198.51.100.40", "US", "unlisted"),
    ("198.51.100.70", "DE", "unlisted"),
    ("203.0.113.7", "CN", "unlisted"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two passes by hand: sum up what each rule permits, then ask which of them still permit.
    #[test]
    fn settling_limits_is_two_passes(flows in prop::collection::vec(twin_flow(), 0..40)) {
        let speaks_a = |far: usize| FAR[far].1 != "CN";
        let speaks_b = |zone: usize, far: usize| zone == 0 && FAR[far].1 == "US" && FAR[far].2 != "mill";
        let mut moved: BTreeMap<(&str, usize, &str, u64), u64> = BTreeMap::new();
        for (zone, far, hour, sent, received) in &flows {
            if speaks_a(*far) {
                *moved.entry(("a", *zone, "", hour / 2)).or_default() += sent;
            }
            if speaks_b(*zone, *far) {
                *moved.entry(("b", *zone, FAR[*far].2, hour / 3)).or_default() += sent + received;
            }
        }
        let permitted = flows.iter().filter(|(zone, far, hour, ..)| {
            let a = speaks_a(*far) && moved[&("a", *zone, "", hour / 2)] <= 2000;
            let b = speaks_b(*zone, *far) && moved[&("b", *zone, FAR[*far].2, hour / 3)] <= 1500;
            a || b
        });
        let permitted = permitted.count() as u64;
        let records: Vec<FlowRecord> = flows
            .iter()
            .map(|(zone, far, hour, sent, received)| {
                let mut record = flow("1970-01-01T00:00:00Z", ["10.1.0.9", "10.2.0.9"][*zone], FAR[*far].0, *sent);
                record.start = Timestamp(hour * 3600 * Timestamp::SECOND + sent);
                record.end = record.start;
                if *received > 0 {
                    record.reverse = Counters { octets: *received, packets: 1, payload: received - 20 };
                }
                record
            })
            .collect();
        let report = report(&grounds(TWIN), &records);
        prop_assert_eq!(came(&report.totals), [permitted, 0, flows.len() as u64 - permitted]);
        for limit in report.findings.iter().flat_map(|finding| &finding.limits) {
            for window in &limit.windows {
                prop_assert!(window.moved > limit.octets && !limit.windows.is_empty());
            }
        }
    }
}
