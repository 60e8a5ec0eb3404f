//! What a report says of its own limits: a sentence where it holds, and none where it does not.

use landfall::audit::{Auditor, Grounds, Local};
use landfall::model::{Caveat, FlowRecord, InputCoverage, InputId, Report};

use crate::fixtures::flows::{addr, grounds, opened, packet, policy};

/// An inventory of the flows with what was met in each input.
fn inventory(inputs: &[InputCoverage], flows: &[FlowRecord]) -> Report {
    let judged = grounds(policy("[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n"));
    let grounds = Grounds { policy: None, local: Local::private(&[]), ..judged };
    let mut auditor = Auditor::new(&grounds);
    for flow in flows {
        auditor.observe(flow, None);
    }
    for (number, coverage) in (0..).zip(inputs) {
        auditor.cover(InputId(number), coverage.clone());
    }
    auditor.finish().report(&grounds, None)
}

/// An input with so many TCP connections, of some of which one direction alone was captured.
fn connections(name: &str, all: u64, one_sided: u64) -> InputCoverage {
    let mut coverage = InputCoverage::new(name, "capture");
    coverage.read.add(all);
    coverage.tcp_flows = all;
    for flow in 0..one_sided {
        coverage.caveat(Caveat::OneSided, flow, 100);
    }
    coverage
}

fn says<'r>(report: &'r Report, part: &str) -> Option<&'r str> {
    report.limits.iter().map(String::as_str).find(|limit| limit.contains(part))
}

#[test]
fn connections_of_one_direction_are_counted_over_all_inputs() {
    let alone = "one direction alone was captured";
    assert_eq!(says(&inventory(&[connections("a", 7, 0)], &[]), alone), None);
    let several = [connections("a", 3, 2), connections("b", 5, 3), connections("c", 11, 0)];
    let report = inventory(&several, &[]);
    assert!(says(&report, alone).unwrap().starts_with("Of 5 of 19 TCP connections one direction"), "{report:?}");
    // Where connections are not counted, neither are those of one direction.
    let report =
        inventory(&[connections("a", 3, 2), { InputCoverage { tcp_flows: 0, ..connections("b", 0, 4) } }], &[]);
    assert!(says(&report, alone).unwrap().starts_with("Of 2 of 3 TCP connections one direction"), "{report:?}");
    let report = inventory(&[connections("a", 0, 2)], &[]);
    assert!(says(&report, alone).unwrap().starts_with("Of some connections one direction"), "{report:?}");
}

#[test]
fn taking_the_opener_for_ours_is_said() {
    let assumed = "the side that opened them was taken as ours";
    let mut inside = opened("2026-01-01T00:00:00Z", "10.1.0.9", "198.51.100.7");
    inside.forward = packet(100, 40);
    assert_eq!(says(&inventory(&[connections("a", 1, 0)], &[inside]), assumed), None);
    let mut outside = connections("a", 1, 0);
    outside.caveat(Caveat::LocalAssumed, 1, 100);
    assert!(says(&inventory(&[outside], &[]), assumed).is_some());
}

#[test]
fn places_that_nobody_knows_are_said() {
    let unknown = "they could be anywhere";
    let flow = |far| {
        let mut flow = opened("2026-01-01T00:00:00Z", "10.1.0.9", far);
        flow.forward = packet(100, 40);
        flow
    };
    assert_eq!(says(&inventory(&[], &[flow("198.51.100.7")]), unknown), None, "it is in the US");
    assert!(says(&inventory(&[], &[flow("198.51.100.7"), flow("20.1.2.3")]), unknown).is_some());
}

/// The networks of RFC 1918, RFC 4193 and RFC 6598, and of the host what is in none of them.
#[test]
fn the_addresses_of_the_host_are_ours() {
    let networks = |host: &[&str]| {
        let host: Vec<_> = host.iter().map(|text| text.parse().unwrap()).collect();
        Local::private(&host).networks().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    assert_eq!(networks(&[]), private);
    let of_host = ["10.1.2.3/32", "203.0.113.5/32", "fd00::1/128", "2001:db8::5/128"];
    assert_eq!(networks(&of_host), [&private[..], &["203.0.113.5/32", "2001:db8::5/128"]].concat());
    let ip = addr("203.0.113.5").to_ip();
    assert!(Local::private(&[]).networks().iter().all(|network| !network.contains(&ip)));
}
