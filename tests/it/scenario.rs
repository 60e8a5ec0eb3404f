//! One scenario in every format: the same findings as from the capture, but for what a format cannot carry, which is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall::audit::{Audit, Grounds, Local};
use landfall::locate::{Atlas, SourceFile};
use landfall::model::{Caveat, FindingKey, InputCoverage, Lack, Opener, Protocol, Tally};
use landfall::policy::{Library, Policy};
use landfall::run::batch::{self, Advance};
use landfall::source::Options;

use crate::fixtures::exports::{self, Exchange};
use crate::fixtures::logs::read;
use crate::log_scenario;

/// The formats, and whether they say that a firewall refused a flow: captures, Zeek and Suricata see packets, not verdicts,
/// and neither `NetFlow` version 5 nor Google has a field for it.
const FORMATS: [(&str, Refusals); 10] = [
    ("pcap", Refusals::Untold),
    ("netflow9", Refusals::Told),
    ("ipfix", Refusals::Told),
    ("netflow5", Refusals::Untold),
    ("aws", Refusals::Told),
    ("azure", Refusals::Told),
    ("gcp", Refusals::Untold),
    ("oci", Refusals::Told),
    ("zeek", Refusals::Untold),
    ("suricata", Refusals::Untold),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusals {
    Told,
    Untold,
}

/// What goes to and comes from the places of the conversations is forbidden.
const POLICY: &str = r#"
[policy]
id = "scenario"
title = "Nothing to or from four countries"
version = "1"
owner = "privacy@example.com"
default = "permit"

[zone.hosts]
networks = ["10.0.0.0/8", "2001:db8:30::/48"]

[[rule]]
id = "neither-way"
title = "Neither way"
effect = "forbid"
from = ["hosts"]
to = ["AQ", "CN", "SE", "US"]
movement = "either"
why = "Both directions are to be seen."
"#;

fn grounds() -> Grounds {
    let made = Policy::parse("scenario", POLICY, Library::embedded());
    let places = SourceFile::from(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/places.mmdb"));
    let atlas = Atlas::open(&[places], None, None).unwrap();
    Grounds { policy: Some(made.policy.unwrap()), atlas, local: Local::Zones, horizon: None }
}

fn audit(files: &[(&str, Vec<u8>)], grounds: &Grounds) -> (Audit, InputCoverage) {
    let folder = tempfile::tempdir().unwrap();
    for (name, octets) in files {
        fs::write(folder.path().join(name), octets).unwrap();
    }
    let (inputs, errors) = batch::plan(&[PathBuf::from(folder.path())]);
    assert!(errors.is_empty());
    let audit = batch::audit(&inputs, grounds, &Options::default(), 1, &Arc::new(Advance::default()));
    let mut all = InputCoverage::default();
    for input in audit.coverage.inputs.values() {
        all.merge(input.clone());
    }
    (audit, all)
}

/// Flows, packets, and octets or payload of every finding, as a format that lacks some things leads to them.
fn findings(audit: &Audit, lacks: &BTreeSet<Lack>) -> BTreeMap<FindingKey, (u64, u64, u64)> {
    let mut findings = BTreeMap::new();
    for (key, tally) in &audit.findings {
        let exemplars = tally.exemplars();
        let mut key = *key;
        if lacks.contains(&Lack::Opener) && exemplars.iter().any(|one| one.protocol == Protocol::ICMP) {
            key.opened_by = Opener::Unknown;
        }
        if lacks.contains(&Lack::Ipv6) && exemplars.iter().any(|one| !one.far.0.is_v4()) {
            continue;
        }
        let sent = tally.sent;
        let volume = if lacks.contains(&Lack::Headers) { sent.payload } else { sent.octets };
        findings.insert(key, (tally.uniflows, sent.packets, volume));
    }
    findings
}

/// The findings on a place.
fn of<'a>(audit: &'a Audit, places: &'static str) -> impl Iterator<Item = (&'a FindingKey, &'a Tally)> {
    audit.findings.iter().filter(move |(key, _)| key.places.to_string() == places)
}

/// Whether something that a capture tells is missing, as it can be seen in what came of the scenario.
fn is_missing(lack: Lack, audit: &Audit) -> bool {
    let sum = |volume: fn(&Tally) -> u64| of(audit, "CN").map(|(_, tally)| volume(tally)).sum::<u64>();
    let mut examples = audit.findings.values().flat_map(Tally::exemplars);
    match lack {
        Lack::Payload => sum(|tally| tally.sent.payload) == 0,
        Lack::Headers => sum(|tally| tally.sent.octets) == 100 + 300,
        Lack::Volume => sum(|tally| tally.sent.octets) == 0,
        Lack::Opener => of(audit, "US").any(|(key, _)| key.opened_by == Opener::Unknown),
        Lack::Ipv6 => of(audit, "SE").next().is_none(),
        Lack::RefusedInbound => !audit.inventory.keys().any(|row| row.places.to_string() == "DE"),
        Lack::Names => examples.all(|one| one.name.is_none()),
        Lack::RoundTrips => examples.all(|one| one.round_trip.least_us().is_none()),
    }
}

#[test]
fn every_format_has_the_findings_of_the_capture() {
    let grounds = grounds();
    let octets = exports::scenario();
    let capture = read(&octets);
    let exchanges = Exchange::all(&capture.records);
    assert_eq!(exchanges.len(), 7);
    let (original, coverage) = audit(&[("scenario.pcap", octets.clone())], &grounds);
    assert!(coverage.is_complete() && coverage.lacks.is_empty());

    // By hand, as `talk.rs` lays packets out: what went out and what came back.
    let volumes = |places| of(&original, places).map(|(_, tally)| (tally.sent.packets, tally.sent.octets));
    let volumes = |places| volumes(places).collect::<BTreeSet<_>>();
    // SYN, ACK, the hello, two acknowledgements of three segments, FIN, ACK; SYN-ACK, ACK, 3000 octets in three, FIN.
    let hello = 52 + exports::hello().len() as u64;
    assert_eq!(volumes("AQ"), BTreeSet::from([(7, 60 + 52 + hello + 2 * 52 + 2 * 52), (6, 60 + 52 + 3156 + 52)]));
    assert_eq!(volumes("CN"), BTreeSet::from([(1, 28 + 100), (1, 28 + 300)]));
    // SYN, ACK, 500 octets, ACK, FIN, ACK; SYN-ACK, ACK, 700 octets, FIN; headers are 72 and 80.
    assert_eq!(volumes("SE"), BTreeSet::from([(6, 80 + 72 + 572 + 72 + 2 * 72), (4, 80 + 72 + 772 + 72)]));
    // An echo request and its reply, of 56 octets each.
    assert_eq!(volumes("US"), BTreeSet::from([(1, 84)]));
    assert_eq!(original.findings.len(), 8, "both directions of four conversations: an attempt is none");

    for (format, refusals) in FORMATS {
        let files = match format {
            "pcap" => vec![("scenario.pcap", octets.clone())],
            "netflow9" => vec![("netflow9", exports::netflow9(&exchanges))],
            "ipfix" => vec![("ipfix", exports::ipfix(&exchanges))],
            "netflow5" => vec![("netflow5", exports::netflow5(&exchanges))],
            "aws" => vec![("aws.log", exports::aws(&exchanges))],
            "azure" => vec![("PT1H.json", exports::azure(&exchanges))],
            "gcp" => vec![("gcp.json", exports::gcp(&exchanges))],
            "oci" => vec![("oci.json", exports::oci(&exchanges))],
            "zeek" => log_scenario::zeek(&capture),
            _ => log_scenario::suricata(&capture),
        };
        let (found, coverage) = audit(&files, &grounds);
        // What the format cannot tell is in the report, all of it is true, and nothing else differs.
        for lack in Lack::ALL {
            assert_eq!(is_missing(*lack, &found), coverage.lacks.contains(lack), "{format}: {lack:?}");
        }
        let lacks = &coverage.lacks;
        assert_eq!(findings(&found, lacks), findings(&original, lacks), "{format}: {coverage:#?}");
        assert!(coverage.is_complete(), "{format}: {coverage:#?}");
        // By which rule movement was told, and of how many flows who opened them was not.
        let rules = [Caveat::PayloadEstimated, Caveat::LinkOctets];
        let by_rule = rules.iter().any(|caveat| coverage.caveats.contains_key(caveat));
        assert_eq!(by_rule, lacks.contains(&Lack::Payload), "{format}");
        assert_eq!(coverage.caveats.contains_key(&Caveat::PayloadOctets), lacks.contains(&Lack::Headers), "{format}");
        assert!(!lacks.contains(&Lack::Opener) || coverage.caveats.contains_key(&Caveat::InitiatorGuessed), "{format}");
        let refused = coverage.caveats.get(&Caveat::Rejected).map_or(0, |met| met.total.count);
        assert_eq!(refused, if refusals == Refusals::Told { 2 } else { 0 }, "{format}");
    }
}
