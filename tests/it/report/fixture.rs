//! Reports made by hand. The facts of the first are those of the Citizen Lab report of 3 April 2020: a meeting client in
//! Toronto, whose keys came from 52.81.151.250 in Beijing.

use landfall::model::{
    Addr, Asn, Assumption, Authority, Axis, Caveat, Contact, Count, Counters, Country, CountrySet, Decision, Doubt,
    Drops, Endpoint, Evidence, ExampleFlow, Finding, FindingWaiver, HorizonSummary, InputCoverage, InventoryRow,
    LocationSource, Lost, NameSource, Opener, Outcome, PartySummary, PolicySummary, Proof, Report, RuleSummary,
    Sampling, SetSummary, Severity, Skip, Standing, Subject, Timestamp, Tool, Totals, Tripped, TripwireResult,
    WaiverSummary, ZoneSummary,
};

pub(super) fn set(codes: &str) -> CountrySet {
    codes.split(',').filter_map(Country::from_code).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time of the fixture")
}

pub(super) fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<std::net::IpAddr>().expect("an address of the fixture"))
}

fn sent(octets: u64, packets: u64, payload: u64) -> Counters {
    Counters { octets, packets, payload }
}

fn count(count: u64, octets: u64) -> Count {
    Count { count, octets }
}

pub(super) fn endpoint(places: CountrySet, standing: Standing, asn: u32, organisation: &str) -> Endpoint {
    Endpoint {
        places,
        standing,
        asn: Some(Asn(asn)),
        organisation: Some(organisation.to_owned()),
        party: None,
        zone: None,
    }
}

fn china() -> Endpoint {
    let operator = "Beijing Guanghuan Xinwang Digital Technology co.Ltd.";
    Endpoint { party: Some("zoom".into()), ..endpoint(set("CN"), Standing::Agreed, 55960, operator) }
}

/// The fail-over itself: two attempts at home, and the answer from Beijing.
fn failover() -> TripwireResult {
    let since = at("2020-03-30T14:59:31Z");
    TripwireResult {
        id: "fail-over".into(),
        kind: "failover".into(),
        title: "No fail-over out of North America".into(),
        severity: Severity::High,
        basis: vec!["customer contract".into()],
        why: "A list of secondaries can hold a data centre that nobody meant.".into(),
        tripped: vec![Tripped {
            sentence: "2 attempts of 10.20.1.9 to reach party zoom in US, CA went unanswered".into(),
            since,
            last: at("2020-03-30T15:00:12Z"),
            zone: "meeting-clients".into(),
            to: Some(china()),
            flows: 3,
            sent: sent(2100, 18, 1200),
            examples: vec![key_flow(sent(2_938, 18, 2_100))],
        }],
        remarks: vec!["More things were to be kept".into()],
    }
}

fn unknown() -> Endpoint {
    Endpoint {
        places: CountrySet::ANYWHERE,
        standing: Standing::Unknown,
        asn: None,
        organisation: None,
        party: None,
        zone: None,
    }
}

fn anycast() -> Endpoint {
    endpoint(CountrySet::ANYWHERE, Standing::Anycast, 13335, "Cloudflare, Inc.")
}

fn key_flow(carried: Counters) -> ExampleFlow {
    ExampleFlow {
        start: at("2020-03-30T15:00:00.000001Z"),
        end: at("2020-03-30T15:00:02.5Z"),
        near: addr("10.20.1.9"),
        near_port: 50123,
        far: addr("52.81.151.250"),
        far_port: 443,
        protocol: "tcp".into(),
        name: Some("us04web.zoom.us".into()),
        name_from: Some(NameSource::Sni),
        sent: carried,
        input: "captures/toronto.pcapng".into(),
        position: 12,
    }
}

fn key_finding(id: &str, contact: Contact, carried: Counters) -> Finding {
    Finding {
        id: id.into(),
        decision: Decision::Forbid,
        rule: Some("no-china".into()),
        title: "Meeting keys never come from or go to China".into(),
        severity: Severity::Critical,
        basis: vec!["contract: MSA s.7".into()],
        axis: Axis::Place,
        contact,
        opened_by: Opener::Local,
        zone: "meeting-clients".into(),
        to: china(),
        uniflows: 1,
        sent: carried,
        first: at("2020-03-30T15:00:00.000001Z"),
        last: at("2020-03-30T15:00:02.5Z"),
        near_addresses: (1, true),
        far_addresses: (1, true),
        evidence: vec![Evidence {
            address: addr("52.81.151.250"),
            network: "52.81.0.0/16".into(),
            places: set("CN"),
            source: "dbip-country-lite".into(),
            authority: Authority::Indicative,
            region: None,
            note: None,
        }],
        horizon: Vec::new(),
        examples: vec![key_flow(carried)],
        limits: Vec::new(),
        waiver: None,
        tunnel: None,
    }
}

/// What could not be decided: payload to an anycast address.
fn undecided() -> Finding {
    Finding {
        id: "0badcafe0002".into(),
        decision: Decision::Indeterminate,
        rule: None,
        title: "No rule of the policy speaks of this, and its default is to forbid".into(),
        severity: Severity::Medium,
        basis: Vec::new(),
        to: anycast(),
        uniflows: 41,
        sent: sent(98_304, 310, 81_920),
        near_addresses: (4, true),
        far_addresses: (40, false),
        evidence: vec![
            Evidence {
                address: addr("104.16.1.1"),
                network: "104.16.0.0/13".into(),
                places: CountrySet::ANYWHERE,
                source: "anycast-list".into(),
                authority: Authority::Provider,
                region: Some("cdn:global".into()),
                note: None,
            },
            Evidence {
                address: addr("104.16.1.1"),
                network: "104.16.0.0/12".into(),
                places: set("CA"),
                source: "dbip-country-lite".into(),
                authority: Authority::Indicative,
                region: None,
                note: None,
            },
        ],
        horizon: Vec::new(),
        examples: vec![ExampleFlow {
            far: addr("104.16.1.1"),
            name: Some("cdn.example".into()),
            name_from: Some(NameSource::Dns),
            position: 40,
            ..key_flow(sent(2400, 8, 2000))
        }],
        ..key_finding("", Contact::Sent, sent(0, 0, 0))
    }
}

fn row(to: Endpoint, decision: Option<Decision>, flows: u64, out: u64, back: u64, far: (u64, bool)) -> InventoryRow {
    InventoryRow {
        zone: "meeting-clients".into(),
        to,
        decision,
        flows,
        sent: sent(out, out / 500 + 1, out / 10 * 9),
        received: sent(back, back / 900 + 1, back / 10 * 9),
        first: at("2020-03-30T14:58:00Z"),
        last: at("2020-03-30T15:20:00Z"),
        far_addresses: far,
        tunnel: None,
    }
}

fn inputs() -> Vec<InputCoverage> {
    let mut whole = InputCoverage::new("captures/toronto.pcapng", "pcapng");
    whole.link_types.insert(1, 5000);
    whole.read = count(5000, 4_200_000);
    whole.used = count(4966, 4_100_000);
    whole.drops = Some(Drops::default());
    for frame in [3, 9, 12, 700] {
        whole.skip(Skip::NotIp, frame, 60);
    }
    for frame in 0..30 {
        whole.skip(Skip::NotIp, 1000 + frame, 60);
    }
    whole.caveat(Caveat::InitiatorGuessed, 1, 1500);
    whole.saw(at("2020-03-30T14:58:00Z"));
    whole.saw(at("2020-03-30T15:20:00Z"));
    let mut cut = InputCoverage::new("captures/cut.pcap", "pcap");
    cut.link_types.insert(1, 10);
    cut.read = count(10, 9_000);
    cut.used = count(8, 8_000);
    cut.skip(Skip::CutHeader, 4, 20);
    cut.skip(Skip::BadHeader, 5, 60);
    cut.truncated_at = Some(9_876);
    cut.error = Some("captures/cut.pcap: the record at offset 9876 is cut".into());
    cut.drops = Some(Drops { kernel: 17, interface: 0 });
    cut.note("ethernet type 0x88cc");
    cut.saw(at("2020-03-30T14:59:00Z"));
    vec![whole, cut]
}

/// The report on flow telemetry of which something was lost and most was not looked at.
pub(super) fn telemetry() -> Report {
    let mut sampled = InputCoverage::new("captures/exports.pcap", "telemetry in pcap");
    sampled.read = count(41, 4_000_000);
    sampled.used = count(40, 4_000_000);
    sampled.skip(Skip::Duplicate, 7, 0);
    sampled.lost = Some(Lost { datagrams: 3, records: 1, samples: 0 });
    sampled.sampling = Some(Sampling { least: 1000, greatest: 1000, records: count(40, 4_000_000) });
    sampled.crossed(Asn(64500), 1000);
    sampled.crossed(Asn(64501), 2_000_000);
    Report { outcome: Outcome::Incomplete, inputs: vec![sampled], findings: Vec::new(), ..zoom() }
}

fn sources() -> Vec<LocationSource> {
    vec![
        LocationSource {
            name: "anycast-list".into(),
            origin: "lists/anycast.csv".into(),
            kind: "anycast list".into(),
            authority: Authority::Provider,
            as_of: None,
            digest: "b".repeat(64),
            licence: None,
            attribution: None,
            networks: 1,
            publisher: Some("landfall".into()),
            subjects: vec![Subject::Networks],
        },
        LocationSource {
            name: "dbip-country-lite".into(),
            origin: "embedded".into(),
            kind: "embedded".into(),
            authority: Authority::Indicative,
            as_of: Some("2026-06-01".into()),
            digest: "a".repeat(64),
            licence: Some("CC BY 4.0".into()),
            attribution: Some("IP Geolocation by DB-IP (https://db-ip.com)".into()),
            networks: 701_563,
            publisher: Some("DB-IP".into()),
            subjects: vec![Subject::Places],
        },
    ]
}

fn policy() -> PolicySummary {
    PolicySummary {
        id: "acme-meetings".into(),
        title: "Video meetings: media and keys stay in North America".into(),
        version: "2026.11.1".into(),
        owner: "privacy@acme.example".into(),
        digest: "c".repeat(64),
        origin: "rules/acme-meetings.toml".into(),
        default: "forbid".into(),
        zones: vec![ZoneSummary {
            name: "meeting-clients".into(),
            country: Some(set("CA")),
            networks: vec!["10.20.0.0/16".into(), "2001:db8:20::/48".into()],
        }],
        parties: vec![PartySummary {
            name: "zoom".into(),
            title: Some("Zoom Communications, Inc.".into()),
            controlled_from: Some(set("US")),
        }],
        rules: vec![
            RuleSummary {
                id: "no-china".into(),
                title: "Meeting keys never come from or go to China".into(),
                effect: "forbid".into(),
                severity: Severity::Critical,
                basis: vec!["contract: MSA s.7".into()],
                why: "Whoever operates the key server can decrypt the meeting.".into(),
            },
            RuleSummary {
                id: "north-america".into(),
                title: "Meetings stay in North America".into(),
                effect: "permit".into(),
                severity: Severity::Medium,
                basis: vec!["contract: MSA s.7".into()],
                why: String::new(),
            },
        ],
        sets: vec![SetSummary {
            general_knowledge: CountrySet::NOWHERE,
            name: "us-doj.china".into(),
            title: "China with Hong Kong and Macao (28 CFR 202.601)".into(),
            members: set("CN,HK,MO"),
            reviewed_on: "2026-07-01".into(),
            review_due: "2027-01-01".into(),
        }],
    }
}

/// A key from Beijing, media in the United States, and one of everything else that a report can hold.
pub(super) fn zoom() -> Report {
    let totals = Totals {
        permit: count(1200, 3_900_000),
        indeterminate: count(41, 120_000),
        forbid: count(1, 8_520),
        contact: count(3, 180),
        internal: count(7, 900),
        local_only: count(12, 1_400),
        ..Totals::default()
    };
    Report {
        schema: Report::SCHEMA.into(),
        version: Report::VERSION,
        tool: Tool { name: "landfall".into(), version: "0.1.0".into() },
        stamp: Some(at("2026-11-22T04:00:00Z")),
        outcome: Outcome::Forbidden,
        first: Some(at("2020-03-30T14:58:00Z")),
        last: Some(at("2020-03-30T15:20:00Z")),
        policy: Some(policy()),
        totals,
        counted_inside: Totals::default(),
        findings: vec![
            key_finding("0badcafe0001", Contact::Sent, sent(2_938, 18, 2_100)),
            key_finding("0badcafe0003", Contact::Received, sent(5_981, 17, 5_249)),
            undecided(),
        ],
        tripwires: vec![failover()],
        inventory: vec![
            row(
                endpoint(set("US"), Standing::Agreed, 30103, "Zoom Video Communications, Inc"),
                Some(Decision::Permit),
                1100,
                1_400_000,
                2_100_000,
                (73, false),
            ),
            row(
                endpoint(set("CA,US"), Standing::Disputed, 7018, "AT&T Enterprises, LLC"),
                Some(Decision::Permit),
                80,
                120_000,
                190_000,
                (9, true),
            ),
            row(
                endpoint(set("CA"), Standing::Agreed, 812, "Rogers Communications Canada Inc."),
                Some(Decision::Permit),
                20,
                40_000,
                50_000,
                (3, true),
            ),
            row(anycast(), Some(Decision::Indeterminate), 40, 98_304, 20_000, (40, false)),
            row(china(), Some(Decision::Forbid), 1, 2_938, 5_981, (1, true)),
            row(
                endpoint(set("DE"), Standing::Agreed, 680, "DFN-Verein"),
                None,
                3,
                180,
                0,
                (3, true),
            ),
            row(unknown(), Some(Decision::Indeterminate), 1, 100, 100, (1, true)),
        ],
        waivers: Vec::new(),
        warnings: Vec::new(),
        location_sources: sources(),
        gazetteer: "d".repeat(64),
        local: Assumption::Zones,
        inputs: inputs(),
        horizon: None,
        limits: vec![
            "A packet shows that octets went to a machine in a place. Whether they were personal data is not on the wire.".into(),
            "Only what passed the observation points is here.".into(),
        ],
    }
}

/// The first report with one of the findings waived, and the other under a waiver that has expired.
pub(super) fn waived() -> Report {
    let mut report = zoom();
    let waiver = |holds| FindingWaiver {
        owner: "ciso@acme.example".into(),
        reason: "accepted until the vendor's fix, CHG-1042".into(),
        expires: "2020-06-01".into(),
        holds,
    };
    for (finding, holds) in report.findings.iter_mut().zip([true, false]) {
        finding.waiver = Some(waiver(holds));
    }
    report.waivers = vec![WaiverSummary {
        rule: "no-china".into(),
        from: vec!["meeting-clients".into()],
        to: vec!["52.81.0.0/16".into()],
        party: Some("zoom".into()),
        expires: "2020-06-01".into(),
        owner: "ciso@acme.example".into(),
        reason: "accepted until the vendor's fix, CHG-1042".into(),
        waived: 1,
        lapsed: 1,
    }];
    for set in report.policy.iter_mut().flat_map(|policy| &mut policy.sets) {
        set.general_knowledge = set.members;
    }
    report.warnings = vec!["The waiver of no-china had expired.".into()];
    report
}

/// No policy: where the traffic landed, and nothing else.
pub(super) fn inventory_only() -> Report {
    let mut report = zoom();
    report.policy = None;
    report.findings.clear();
    report.outcome = Outcome::Clean;
    report.local = Assumption::Private(vec!["10.0.0.0/8".into(), "fc00::/7".into()]);
    report.totals = Totals { unjudged: count(1245, 4_028_503), ..Totals::default() };
    report.inputs.truncate(1);
    for row in &mut report.inventory {
        row.zone = "local".into();
        row.decision = None;
    }
    report
}

/// Zoom seen from Frankfurt: one claim refuted, and an edge proven flow by flow; or times that are in doubt.
pub(super) fn measured(doubt: Option<Doubt>) -> Report {
    let mut report = zoom();
    let proof = |flows| Proof {
        address: Addr::v4([52, 81, 151, 250]),
        rtt_us: 4_120,
        samples: 9,
        km: 412,
        claimed: set("CN"),
        claimed_standing: Standing::Agreed,
        left: set("AT,BE,CH,DE"),
        standing: Standing::Refuted,
        flows,
    };
    let edge = Proof {
        address: Addr::v4([198, 51, 100, 1]),
        claimed: CountrySet::ANYWHERE,
        claimed_standing: Standing::Anycast,
        standing: Standing::Anycast,
        ..proof(Some(1_200))
    };
    report.findings[0].horizon = vec![proof(None)];
    report.horizon = Some(HorizonSummary {
        vantage: "50.11,8.68".into(),
        medium: "fibre".into(),
        km_per_ms: 100,
        margin_km: 15,
        least_us: 50,
        min_samples: 3,
        shapes: "5d".repeat(32),
        measured: 12,
        changed: 2,
        refuted: 1,
        without_room: Count { count: 0, octets: 0 },
        doubt,
        proofs: if doubt.is_some() { Vec::new() } else { vec![proof(None), edge] },
    });
    report
}

/// Nothing at all.
pub(super) fn empty() -> Report {
    Report {
        outcome: Outcome::Clean,
        stamp: None,
        first: None,
        last: None,
        policy: None,
        totals: Totals::default(),
        counted_inside: Totals::default(),
        findings: Vec::new(),
        tripwires: Vec::new(),
        inventory: Vec::new(),
        location_sources: Vec::new(),
        local: Assumption::Stated(vec!["192.0.2.0/24".into()]),
        inputs: Vec::new(),
        waivers: Vec::new(),
        warnings: Vec::new(),
        limits: Vec::new(),
        ..zoom()
    }
}

/// `n` findings to as many networks, each a little larger than the one before.
pub(super) fn many(n: u32) -> Report {
    let mut report = zoom();
    report.findings = (0..n)
        .map(|i| Finding {
            id: format!("{i:012x}"),
            to: endpoint(set("CN"), Standing::Agreed, 100_000 + i, &format!("Network {i}")),
            severity: if i == 0 { Severity::Critical } else { Severity::Low },
            sent: sent(1000 + u64::from(i), 2, 900),
            ..key_finding("", Contact::Sent, sent(0, 0, 0))
        })
        .collect();
    let rows = (0..n).map(|i| {
        let to = endpoint(set("CN"), Standing::Agreed, 100_000 + i, &format!("Network {i}"));
        row(to, Some(Decision::Forbid), 1, 1000 + u64::from(i), 0, (1, true))
    });
    report.inventory = rows.rev().collect();
    report
}

/// Every text that a stranger can choose is an attack.
pub(super) const ATTACK: &str = "<script>alert(1)</script>\u{1b}[2J\u{9b}31m\u{202e}gnp.exe\u{200b}\n\"'&";

/// The first report with [`ATTACK`] wherever a name can stand.
pub(super) fn hostile() -> Report {
    let mut report = waived();
    let attack = || ATTACK.to_owned();
    for finding in &mut report.findings {
        finding.title = attack();
        finding.zone = attack();
        finding.id = attack();
        finding.basis = vec![attack()];
        finding.to.organisation = Some(attack());
        finding.to.party = Some(attack());
        finding.to.zone = Some(attack());
        finding.rule = Some(attack());
        if let Some(waiver) = &mut finding.waiver {
            (waiver.owner, waiver.reason, waiver.expires) = (attack(), attack(), attack());
        }
        for evidence in &mut finding.evidence {
            evidence.source = attack();
            evidence.network = attack();
        }
        for flow in &mut finding.examples {
            flow.name = Some(attack());
            flow.input = attack();
            flow.protocol = attack();
        }
    }
    for waiver in &mut report.waivers {
        (waiver.owner, waiver.reason, waiver.rule) = (attack(), attack(), attack());
        (waiver.from, waiver.to, waiver.party) = (vec![attack()], vec![attack()], Some(attack()));
    }
    report.warnings = vec![attack()];
    for row in &mut report.inventory {
        row.zone = attack();
        row.to.organisation = Some(attack());
        row.to.zone = Some(attack());
    }
    for input in &mut report.inputs {
        input.name = attack();
        input.kind = attack();
        input.error = Some(attack());
        input.notes = [attack()].into();
        input.remarks = [attack()].into();
    }
    for source in &mut report.location_sources {
        source.name = attack();
        source.origin = attack();
        source.kind = attack();
        source.as_of = Some(attack());
        source.digest = attack();
        source.licence = Some(attack());
        source.attribution = Some(format!("{} https://evil.example/\"onmouseover=\"x javascript:alert(1)", attack()));
    }
    if let Some(policy) = &mut report.policy {
        let texts = [
            &mut policy.id,
            &mut policy.title,
            &mut policy.version,
            &mut policy.owner,
            &mut policy.digest,
            &mut policy.origin,
            &mut policy.default,
        ];
        for text in texts {
            *text = attack();
        }
        policy.zones[0].name = attack();
        policy.zones[0].networks = vec![attack()];
        policy.parties[0].name = attack();
        policy.parties[0].title = Some(attack());
        for rule in &mut policy.rules {
            rule.id = attack();
            rule.title = attack();
            rule.effect = attack();
            rule.basis = vec![attack()];
            rule.why = attack();
        }
        for set in &mut policy.sets {
            set.name = attack();
            set.title = attack();
            set.reviewed_on = attack();
            set.review_due = attack();
        }
    }
    report.tool.name = attack();
    report.tool.version = attack();
    report.gazetteer = attack();
    report.local = Assumption::Stated(vec![attack()]);
    report.limits = vec![attack()];
    report
}
