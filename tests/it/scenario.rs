//! One scenario in every format: the same findings as from the capture, but for what a format cannot carry, which is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall::audit::{Audit, Grounds, Local};
use landfall::locate::{Atlas, SourceFile};
use landfall::model::{Caveat, FindingKey, InputCoverage, Opener, Protocol};
use landfall::policy::{Library, Policy};
use landfall::run::batch::{self, Advance};
use landfall::source::Options;

use crate::fixtures::exports::{self, Exchange};
use crate::fixtures::logs::read;
use crate::log_scenario;

/// What a format cannot carry, and what makes up for it here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lack {
    /// It counts no payload: movement is what exceeds the headers. Decisions are the same.
    Payload(Caveat),
    /// It counts payload alone: volumes are those of payload.
    Headers,
    /// It does not say who sent the first packet: ports tell for TCP and UDP, nothing for ICMP.
    IcmpOpener,
    /// It has no room for IPv6 addresses.
    Ipv6,
    /// It does not say that a flow was refused: it looks like one that was not answered, which is contact too.
    Refusal,
}

/// What each format cannot carry, with the reason:
///
/// - Clouds and telemetry count packets and octets at a virtual switch or router, below the transport layer: no payload.
///   Google counts payload and nothing else (`bytes_sent`), and logs no flow that a firewall refused.
/// - AWS, OCI and Google log neither type nor code of ICMP. Version 5 has them in the destination port, by convention of
///   some exporters, which nobody can rely on. Azure, Zeek and Suricata name the source of the first packet as the source.
/// - Version 5 has fields of four octets for addresses, and neither forwarding status nor firewall event.
/// - Captures, Zeek and Suricata see packets, not verdicts.
const LACKS: [(&str, &[Lack]); 9] = [
    ("netflow9", &[Lack::Payload(Caveat::PayloadEstimated)]),
    ("ipfix", &[Lack::Payload(Caveat::PayloadEstimated)]),
    ("netflow5", &[Lack::Payload(Caveat::PayloadEstimated), Lack::IcmpOpener, Lack::Ipv6, Lack::Refusal]),
    ("aws", &[Lack::Payload(Caveat::PayloadEstimated), Lack::IcmpOpener]),
    ("azure", &[Lack::Payload(Caveat::LinkOctets)]),
    ("gcp", &[Lack::Headers, Lack::IcmpOpener, Lack::Refusal]),
    ("oci", &[Lack::Payload(Caveat::PayloadEstimated), Lack::IcmpOpener]),
    ("zeek", &[Lack::Refusal]),
    ("suricata", &[Lack::Payload(Caveat::PayloadEstimated), Lack::Refusal]),
];

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

/// Flows, packets, and octets or payload of every finding.
fn findings(audit: &Audit, lacks: &[Lack]) -> BTreeMap<FindingKey, (u64, u64, u64)> {
    let mut findings = BTreeMap::new();
    for (key, tally) in &audit.findings {
        let exemplars = tally.exemplars();
        let is = |of: fn(Protocol) -> bool| exemplars.iter().any(|one| of(one.protocol));
        let mut key = *key;
        if lacks.contains(&Lack::IcmpOpener) && is(|protocol| protocol == Protocol::ICMP) {
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

#[test]
fn every_format_has_the_findings_of_the_capture() {
    let grounds = grounds();
    let octets = exports::scenario();
    let capture = read(&octets);
    let exchanges = Exchange::all(&capture.records);
    assert_eq!(exchanges.len(), 6);
    let (original, coverage) = audit(&[("scenario.pcap", octets)], &grounds);
    assert!(coverage.is_complete());

    // By hand, as `talk.rs` lays packets out: what went out and what came back.
    let volumes = |places: &str| {
        let of = |(key, tally): (&FindingKey, &landfall::model::Tally)| {
            (key.places.to_string() == places).then_some((tally.sent.packets, tally.sent.octets))
        };
        original.findings.iter().filter_map(of).collect::<BTreeSet<_>>()
    };
    // SYN, ACK, 1000 octets, two acknowledgements of three segments, FIN, ACK; SYN-ACK, ACK, 3000 octets in three, FIN.
    assert_eq!(volumes("AQ"), BTreeSet::from([(7, 60 + 52 + 1052 + 2 * 52 + 2 * 52), (6, 60 + 52 + 3156 + 52)]));
    assert_eq!(volumes("CN"), BTreeSet::from([(1, 28 + 100), (1, 28 + 300)]));
    // SYN, ACK, 500 octets, ACK, FIN, ACK; SYN-ACK, ACK, 700 octets, FIN; headers are 72 and 80.
    assert_eq!(volumes("SE"), BTreeSet::from([(6, 80 + 72 + 572 + 72 + 2 * 72), (4, 80 + 72 + 772 + 72)]));
    // An echo request and its reply, of 56 octets each.
    assert_eq!(volumes("US"), BTreeSet::from([(1, 84)]));
    assert_eq!(original.findings.len(), 8, "both directions of four conversations: an attempt is none");

    for (format, lacks) in LACKS {
        let files = match format {
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
        let expected = findings(&original, lacks);
        assert_eq!(findings(&found, lacks), expected, "{format}: {coverage:#?}");
        assert!(coverage.is_complete(), "{format}: {coverage:#?}");
        // What a format cannot carry is in the report.
        for lack in lacks {
            match lack {
                Lack::Payload(caveat) => assert!(coverage.caveats.contains_key(caveat), "{format}"),
                Lack::Headers => assert!(coverage.caveats.contains_key(&Caveat::PayloadOctets), "{format}"),
                Lack::IcmpOpener => assert!(coverage.caveats.contains_key(&Caveat::InitiatorGuessed), "{format}"),
                // Nothing is left out of what the format was given: of those flows it knows nothing.
                Lack::Ipv6 | Lack::Refusal => {}
            }
        }
        let refused = coverage.caveats.get(&Caveat::Rejected).map_or(0, |met| met.total.count);
        assert_eq!(refused, u64::from(!lacks.contains(&Lack::Refusal)), "{format}: one attempt was refused");
    }
}
