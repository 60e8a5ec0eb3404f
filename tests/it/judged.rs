//! Single flow records and what comes of each, by hand from the sentences of the policy format.
//!
//! The far ends are the samples' documentation addresses: 198.51.100.0/26 is in the US, .64/26 in DE, 203.0.113.0/26 in CN.

use std::path::PathBuf;

use landfall::audit::{Auditor, Grounds, Local};
use landfall::diag::{Colour, render_text};
use landfall::locate::Gazetteer;
use landfall::model::{
    Addr, BiflowDirection, Count, Counters, FlowRecord, InputId, Protocol, Provenance, Report, Timestamp, Totals,
};
use landfall::policy::{Library, Policy};

const HEAD: &str = "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
                    [zone.lab]\nnetworks = [\"192.168.0.0/16\"]\ncountry = \"CN\"\n";

/// Grounds with the rules; with none, without a policy.
fn grounds(rules: Option<&str>, local: Local) -> Grounds {
    let policy = rules.map(|rules| {
        let text = format!("{HEAD}{rules}");
        let parsed = Policy::parse("p.toml", &text, Library::embedded());
        let said = render_text("p.toml", &text, &parsed.diagnostics, Colour::Never);
        parsed.policy.unwrap_or_else(|| panic!("{said}"))
    });
    let places = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/places.mmdb");
    let gazetteer = Gazetteer::open(&[places]).expect("the samples' places");
    Grounds { policy, atlas: gazetteer.into(), local, horizon: None }
}

fn addr(text: &str) -> Addr {
    text.parse::<std::net::IpAddr>().expect("an address").into()
}

/// A hundred octets and no answer; of them so many are payload.
fn flow(from: &str, to: &str, direction: BiflowDirection, payload: u64) -> FlowRecord {
    let start: Timestamp = "2026-03-01T10:00:00Z".parse().expect("a time");
    let mut record = FlowRecord::new(addr(from), addr(to), Protocol::TCP, start, Provenance::new(InputId(0), 1));
    record.forward = Counters { octets: 100, packets: 1, payload };
    record.direction = direction;
    (record.sport, record.dport) = (50_000, 443);
    record
}

fn report(grounds: &Grounds, flows: &[FlowRecord]) -> Report {
    let mut auditor = Auditor::new(grounds);
    for flow in flows {
        auditor.observe(flow, None);
    }
    auditor.finish().report(grounds, None)
}

/// The totals that are not zero.
fn came(totals: &Totals) -> Vec<(&'static str, u64)> {
    totals
        .each()
        .into_iter()
        .filter(|(_, count)| *count != Count::default())
        .map(|(name, one)| (name, one.count))
        .collect()
}

const NO_CHINA: &str = "[[rule]]\nid = \"no-china\"\neffect = \"forbid\"\nfrom = [\"*\"]\nto = [\"CN\"]\n";

#[test]
fn what_cannot_leave_the_link_is_counted_apart_whichever_end_it_is() {
    let grounds = grounds(Some(NO_CHINA), Local::Zones);
    // Multicast of the link to one of ours, and from it; broadcast; RFC 3927.
    let opened = BiflowDirection::Initiator;
    for (from, to) in [("10.0.0.1", "224.0.0.251"), ("169.254.7.7", "10.0.0.1"), ("10.0.0.1", "255.255.255.255")] {
        assert_eq!(came(&report(&grounds, &[flow(from, to, opened, 50)]).totals), [("local-only", 1)], "{from} {to}");
    }
}

#[test]
fn without_a_private_end_the_side_that_opened_is_ours() {
    let grounds = grounds(None, Local::private(&[]));
    let row = |direction| {
        let report = report(&grounds, &[flow("198.51.100.7", "203.0.113.7", direction, 50)]);
        let row = &report.inventory[0];
        (row.to.places.to_string(), row.sent.octets, row.received.octets)
    };
    assert_eq!(row(BiflowDirection::Initiator), ("CN".to_owned(), 100, 0));
    assert_eq!(row(BiflowDirection::ReverseInitiator), ("US".to_owned(), 0, 100));
    assert_eq!(row(BiflowDirection::Arbitrary), ("CN".to_owned(), 100, 0));
}

/// Sentence 5: a direction in which no payload went is contact; `contact = true` on a rule judges it.
#[test]
fn contact_is_judged_by_the_rules_that_ask_for_it_and_by_no_other() {
    let asks = format!("{NO_CHINA}contact = true\n");
    let permits = format!(
        "{NO_CHINA}[[rule]]\nid = \"knock\"\neffect = \"permit\"\nfrom = [\"*\"]\nto = [\"US\"]\ncontact = true\nbasis = [\"x\"]\n"
    );
    let came = |rules: &str, to: &str| {
        let grounds = grounds(Some(rules), Local::Zones);
        came(&report(&grounds, &[flow("10.0.0.1", to, BiflowDirection::Initiator, 0)]).totals)
    };
    assert_eq!(came(NO_CHINA, "203.0.113.7"), [("contact", 1)]);
    assert_eq!(came(&asks, "203.0.113.7"), [("forbid", 1)]);
    assert_eq!(came(&asks, "198.51.100.7"), [("contact", 1)], "the rule is asked, and does not speak of this place");
    assert_eq!(came(&permits, "198.51.100.7"), [("permit", 1)]);
    assert_eq!(came(&permits, "198.51.100.70"), [("contact", 1)]);
}

/// Sentence 1: flows between zones are judged by the zones' own countries, from each side.
#[test]
fn between_zones_the_worse_of_both_sides_counts() {
    let grounds = grounds(Some(NO_CHINA), Local::Zones);
    let opened = BiflowDirection::Initiator;
    let to_the_lab = report(&grounds, &[flow("10.0.0.1", "192.168.0.1", opened, 50)]);
    assert_eq!(came(&to_the_lab.totals), [("forbid", 1)]);
    assert_eq!(to_the_lab.findings.len(), 1);
    let finding = &to_the_lab.findings[0];
    assert_eq!((finding.zone.as_str(), finding.to.zone.as_deref()), ("z", Some("lab")));
    assert!(finding.evidence.is_empty(), "the policy itself says where its zones are");
    // What the lab sends goes to a zone of which nobody says where it is: that may be China, and may not.
    let back = report(&grounds, &[flow("192.168.0.1", "10.0.0.1", opened, 50)]);
    assert_eq!(came(&back.totals), [("indeterminate", 1)]);
    assert_eq!(came(&report(&grounds, &[flow("10.0.0.1", "10.0.0.2", opened, 50)]).totals), [("internal", 1)]);
}
