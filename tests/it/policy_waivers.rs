//! Waivers, and parties by providers' regions: who accepts what until when, and what of it a report shows.

use std::fmt::Write as _;

use jiff::civil::date;
use landfall::audit::rehearse;
use landfall::audit::{Auditor, Grounds, Local};
use landfall::diag::{Code, Colour, Level, render_text};
use landfall::locate::Gazetteer;
use landfall::model::{
    Addr, BiflowDirection, Counters, CountrySet, FlowRecord, InputId, Outcome, Protocol, Provenance, Reason, Report,
    Timestamp, Waived,
};
use landfall::policy::{Library, Policy, Waivable};
use landfall::report::{Format, Style, write};

const RULES: &str = r#"
[policy]
id = "waived"
default = "permit"

[zone.office]
networks = ["10.1.0.0/16"]

[zone.lab]
networks = ["10.2.0.0/16"]

[party.vendor]
match = [{ networks = ["52.81.151.250/32"] }]

[[rule]]
id = "no-china"
effect = "forbid"
from = ["*"]
to = ["CN"]
movement = "either"
"#;

const WAIVER: &str = r#"
[[waiver]]
finding = { rule = "no-china", from = "office", to = "52.81.151.0/24", party = "vendor" }
owner   = "ciso@acme.example"
reason  = "accepted until the vendor's fix, CHG-1042"
expires = 2027-03-01
"#;

fn policy(text: &str) -> Policy {
    let parsed = Policy::parse("waived.toml", text, Library::embedded());
    let drawn = render_text("waived.toml", text, &parsed.diagnostics, Colour::Never);
    parsed.policy.unwrap_or_else(|| panic!("{drawn}"))
}

fn addr(text: &str) -> Addr {
    text.parse::<std::net::IpAddr>().unwrap().into()
}

fn flow(position: u64, from: &str, to: &str, at: &str) -> FlowRecord {
    let start: Timestamp = at.parse().unwrap();
    let mut record = FlowRecord::new(addr(from), addr(to), Protocol::TCP, start, Provenance::new(InputId(0), position));
    record.direction = BiflowDirection::Initiator;
    (record.sport, record.dport) = (50_000, 443);
    record.forward = Counters { octets: 1100, packets: 2, payload: 1000 };
    record
}

/// The report on flows: near, far, when. The embedded data has 52.80.0.0/14 in China.
fn report(text: &str, flows: &[(&str, &str, &str)]) -> Report {
    let grounds = Grounds {
        policy: Some(policy(text)),
        atlas: landfall::locate::Atlas::embedded().expect("the embedded table is whole"),
        local: Local::Zones,
        horizon: None,
    };
    let mut auditor = Auditor::new(&grounds);
    for (position, (from, to, at)) in flows.iter().enumerate() {
        auditor.observe(&flow(position as u64 + 1, from, to, at), None);
    }
    auditor.finish().report(&grounds, None)
}

fn drawn(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    write(report, format, Style::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const DAY_BEFORE: &str = "2027-02-28T23:59:59.999999999Z";
const DAY_OF_EXPIRY: &str = "2027-03-01T00:00:00Z";

#[test]
fn a_waived_finding_stays_in_every_format_and_does_not_fail_the_run() {
    let waived = report(&format!("{RULES}{WAIVER}"), &[("10.1.0.1", "52.81.151.250", DAY_BEFORE)]);
    assert_eq!(waived.outcome, Outcome::Clean);
    assert_eq!(waived.totals.forbid.count, 1, "a waiver changes no decision");
    assert_eq!(waived.findings.len(), 1);
    assert!(waived.findings[0].is_waived());
    assert_eq!((waived.waivers[0].waived, waived.waivers[0].lapsed), (1, 0));
    assert!(waived.warnings.is_empty(), "{:?}", waived.warnings);
    for format in [Format::Text, Format::Json, Format::Html] {
        let text = drawn(&waived, format).split_whitespace().collect::<Vec<_>>().join(" ");
        for fact in ["ciso@acme.example", "CHG-1042", "2027-03-01", &waived.findings[0].id] {
            assert!(text.contains(fact), "{format:?} without {fact}");
        }
    }
    let text = drawn(&waived, Format::Text);
    assert!(text.starts_with("Nothing forbidden was found beside 1 finding that is waived"), "{text}");
    // Without the waiver the same flow fails, under an identifier of its own.
    let bare = report(RULES, &[("10.1.0.1", "52.81.151.250", DAY_BEFORE)]);
    assert_eq!(bare.outcome, Outcome::Forbidden);
    assert_ne!(bare.findings[0].id, waived.findings[0].id);
    assert!(!drawn(&bare, Format::Json).contains("waiver"), "reports without waivers are what they were");
}

#[test]
fn from_the_day_of_expiry_on_it_fails_again() {
    let flows = [("10.1.0.1", "52.81.151.250", DAY_BEFORE), ("10.1.0.1", "52.81.151.250", DAY_OF_EXPIRY)];
    let report = report(&format!("{RULES}{WAIVER}"), &flows);
    assert_eq!(report.outcome, Outcome::Forbidden);
    let marks: Vec<bool> = report.findings.iter().map(|one| one.waiver.as_ref().unwrap().holds).collect();
    assert_eq!(marks.len(), 2);
    assert!(marks.contains(&true) && marks.contains(&false));
    assert_eq!((report.waivers[0].waived, report.waivers[0].lapsed), (1, 1));
    assert!(report.warnings.iter().any(|one| one.contains("had expired on 2027-03-01")), "{:?}", report.warnings);
    assert!(drawn(&report, Format::Text).contains("EXPIRED on 2027-03-01"));
}

#[test]
fn a_waiver_covers_what_it_names_and_nothing_else() {
    let waived = |flow| {
        let report = report(&format!("{RULES}{WAIVER}"), &[flow]);
        let unused = report.warnings.iter().any(|one| one.contains("covered nothing"));
        assert_eq!(unused, report.outcome == Outcome::Forbidden, "an unused waiver is told");
        report.outcome == Outcome::Clean
    };
    let at = "2020-03-30T15:00:00Z";
    assert!(waived(("10.1.0.1", "52.81.151.250", at)));
    assert!(!waived(("10.2.0.1", "52.81.151.250", at)), "another zone");
    assert!(!waived(("10.1.0.1", "52.81.151.251", at)), "in the network, and not the party");
    assert!(!waived(("10.1.0.1", "52.81.152.1", at)), "another network");
}

#[test]
fn a_country_covers_a_far_end_that_can_be_nowhere_else() {
    let text = format!(
        "{RULES}\n[[waiver]]\nfinding = {{ rule = \"no-china\", from = \"*\", to = \"CN\" }}\nowner = \"a\"\nreason = \"b\"\n\
         expires = 2021-01-01\n"
    );
    let policy = policy(&text);
    let china: CountrySet = ["CN"].iter().map(|code| code.parse().unwrap()).collect();
    let either: CountrySet = ["CN", "DE"].iter().map(|code| code.parse().unwrap()).collect();
    let asked = |places| {
        policy.waiver_of(&Waivable {
            reason: Reason::Rule(policy.rule_named("no-china").unwrap()),
            zone: policy.zone_of(addr("10.1.0.1")).unwrap(),
            places,
            party: None,
            view: policy.waiver_view(addr("203.0.113.1"), "2020-12-31T00:00:00Z".parse().unwrap()),
        })
    };
    assert!(matches!(asked(china), Some(Waived::Holds(_))));
    assert_eq!(asked(either), None);
    assert_eq!(asked(CountrySet::ANYWHERE), None);
    assert_eq!(asked(CountrySet::NOWHERE), None);
}

#[test]
fn expiry_is_at_most_a_year_from_the_day_of_the_run() {
    let policy = policy(&format!("{RULES}{WAIVER}"));
    let said = |year, month, day| {
        let said = policy.overdue(date(year, month, day));
        said.iter().filter(|one| one.code != Code::LibraryStale).map(|one| (one.code, one.level)).collect::<Vec<_>>()
    };
    assert_eq!(said(2026, 2, 28), [(Code::WaiverTooLong, Level::Error)]);
    assert_eq!(said(2026, 3, 1), [], "a year ahead to the day");
    assert_eq!(said(2027, 2, 28), []);
    assert_eq!(said(2027, 3, 1), [(Code::WaiverExpired, Level::Warning)]);
}

#[test]
fn tests_of_a_policy_can_ask_for_a_waiver() {
    let test = |name: &str, to: &str, at: &str, waived: bool| {
        format!(
            "\n[[test]]\nname = \"{name}\"\nflow = {{ at = {at}, from = \"10.1.0.1\", to = \"{to}\", in = [\"CN\"], sent = 9 }}\n\
             expect = {{ decision = \"forbid\", rule = \"no-china\", waived = {waived} }}\n"
        )
    };
    let text = format!(
        "{RULES}{WAIVER}{}{}{}{}",
        test("accepted", "52.81.151.250", "2027-02-28T12:00:00Z", true),
        test("expired", "52.81.151.250", "2027-03-01T12:00:00Z", false),
        test("elsewhere", "52.81.151.251", "2027-02-28T12:00:00Z", false),
        test("wrong", "52.81.151.251", "2027-02-28T12:00:00Z", true),
    );
    let runs = rehearse(&policy(&text));
    let passed: Vec<bool> = runs.iter().map(|run| run.failure.is_none()).collect();
    assert_eq!(passed, [true, true, true, false]);
    let why = runs[3].failure.as_ref().unwrap();
    assert!(why.labels.iter().any(|label| label.text.contains("no waiver")), "{why:?}");
}

#[test]
fn a_region_of_a_provider_recognises_a_party() {
    let policy = policy(
        "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
         [party.oracle]\nmatch = [{ asn = [31898] }]\n\
         [party.oracle-us]\nmatch = [{ asn = [31898], region = [\"oci:us-*\"] }]\n\
         [party.ashburn]\nmatch = [{ region = \"oci:us-ashburn-1\" }]\n\
         [party.named]\nmatch = [{ names = [\"*.named.example\"] }]\n\
         [party.networked]\nmatch = [{ networks = [\"192.0.2.0/24\"] }]\n",
    );
    assert!(policy.asks_for_regions());
    let party = |far, asn: u32, name: Option<&str>, regions: &[&str]| {
        let regions: Vec<String> = regions.iter().map(|one| (*one).to_owned()).collect();
        let asn = (asn > 0).then_some(landfall::model::Asn(asn));
        policy.party_of(addr(far), asn, name, &regions).map(|party| policy.party_name(party).to_owned())
    };
    let far = "203.0.113.1";
    assert_eq!(party(far, 31898, None, &[]).as_deref(), Some("oracle"));
    assert_eq!(party(far, 31898, None, &["oci:ap-singapore-1"]).as_deref(), Some("oracle"), "all must fit in a table");
    assert_eq!(
        party(far, 31898, None, &["oci:us-phoenix-1"]).as_deref(),
        Some("oracle-us"),
        "a region before a number"
    );
    assert_eq!(party(far, 64500, None, &["oci:us-phoenix-1"]), None);
    assert_eq!(party(far, 31898, None, &["oci:us-ashburn-1"]).as_deref(), Some("ashburn"), "the longer pattern");
    assert_eq!(party(far, 31898, None, &["OCI:US-Ashburn-1"]).as_deref(), Some("ashburn"));
    assert_eq!(party(far, 31898, None, &["oci:us-ashburn-11"]).as_deref(), Some("oracle-us"), "the whole name");
    assert_eq!(party(far, 0, None, &["aws:us-east-1", "oci:us-ashburn-1"]).as_deref(), Some("ashburn"), "any region");
    assert_eq!(party(far, 0, Some("a.named.example"), &["oci:us-ashburn-1"]).as_deref(), Some("named"));
    assert_eq!(party("192.0.2.1", 0, None, &["oci:us-ashburn-1"]).as_deref(), Some("networked"));
}

/// Regions come from providers' feeds: what a geofeed calls a region is anyone's word.
#[test]
fn regions_are_those_of_providers_feeds() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let oci = r#"{"last_updated_timestamp": "2026-01-01T00:00:00.000000", "regions": [
        {"region": "us-ashburn-1", "cidrs": [{"cidr": "129.213.0.128/25", "tags": ["OCI"]}]}]}"#;
    let geofeed = "129.213.4.0/24,US,US-VA,Ashburn,\n129.213.0.128/25,US,US-VA,Ashburn,\n";
    let paths = [file("oci.json", oci), file("feed.csv", geofeed)];
    let gazetteer = Gazetteer::open(&paths).unwrap();
    assert_eq!(gazetteer.provided_regions(addr("129.213.0.200")), ["oci:us-ashburn-1"]);
    assert!(gazetteer.provided_regions(addr("129.213.4.1")).is_empty());
    assert!(gazetteer.provided_regions(addr("10.0.0.1")).is_empty());
}

/// A party is recognised by its region in an audit, and where no feed is among the sources, the report says that none was.
#[test]
fn an_audit_asks_the_providers_feeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oci.json");
    let oci = r#"{"last_updated_timestamp": "2026-01-01T00:00:00.000000", "regions": [
        {"region": "us-ashburn-1", "cidrs": [{"cidr": "129.213.0.128/25", "tags": ["OCI"]}]}]}"#;
    std::fs::write(&path, oci).unwrap();
    let text = "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
                [party.ashburn]\nmatch = [{ region = [\"oci:us-*\"] }]\n\
                [[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"*\"]\nparty = [\"ashburn\"]\n";
    for (paths, outcome) in [(vec![path], Outcome::Forbidden), (Vec::new(), Outcome::Clean)] {
        let grounds = Grounds {
            policy: Some(policy(text)),
            atlas: Gazetteer::open(&paths).unwrap().into(),
            local: Local::Zones,
            horizon: None,
        };
        let mut auditor = Auditor::new(&grounds);
        auditor.observe(&flow(1, "10.0.0.1", "129.213.0.200", "2026-03-01T00:00:00Z"), None);
        let report = auditor.finish().report(&grounds, None);
        assert_eq!(report.outcome, outcome);
        let told = report.limits.iter().any(|limit| limit.contains("regions of cloud providers"));
        assert_eq!(told, paths.is_empty(), "{:?}", report.limits);
        let party = report.inventory[0].to.party.as_deref();
        assert_eq!(party, (!paths.is_empty()).then_some("ashburn"));
    }
}

/// Without a clock, a report knows the day on which it says that it was written, and the day of its last flow.
#[test]
fn a_library_past_its_review_is_in_the_report() {
    let grounds = Grounds {
        policy: Some(policy(&RULES.replace("\"CN\"", "\"@us-doj.china\""))),
        atlas: landfall::locate::Atlas::embedded().unwrap(),
        local: Local::Zones,
        horizon: None,
    };
    let due = Library::embedded().get("us-doj.china").unwrap().review_due;
    let audit = Auditor::new(&grounds).finish();
    let warned = |day: jiff::civil::Date| {
        let report = audit.report(&grounds, Some(Timestamp::at_midnight(day)));
        report.warnings.iter().any(|warning| warning.contains("@us-doj.china"))
    };
    assert!(!warned(due));
    assert!(warned(due.tomorrow().unwrap()));
    assert!(audit.report(&grounds, None).warnings.is_empty());
}

/// A waiver, as a test writes it: rule, zones, what it covers, party, and the day on which it ends.
type Written = (&'static str, &'static str, Vec<&'static str>, Option<&'static str>, u8);

/// A uniflow that is not permitted: rule, near and far address, places, whether the far end is the party, and the day.
type Asked = (&'static str, &'static str, &'static str, Vec<&'static str>, u8);

/// Every waiver in turn, by the words of the policy page: those that name the rule, the zone, the network or every place, and
/// the party; of them the one that ends last.
fn naive(waivers: &[Written], asked: &Asked) -> Option<(bool, u8)> {
    let (rule, near, far, places, day) = asked;
    let zone = if near.starts_with("10.1.") { "office" } else { "lab" };
    let within = |network: &str| {
        network.parse::<ipnet::IpNet>().is_ok_and(|net| net.contains(&far.parse::<std::net::IpAddr>().unwrap()))
    };
    let party = if *far == "52.81.151.250" { "vendor" } else { "unlisted" };
    let ends = waivers.iter().filter(|(of, from, to, whom, _)| {
        let named = places.iter().all(|place| *place != "*" && to.contains(place));
        of == rule
            && (*from == "*" || *from == zone)
            && (named || to.iter().any(|one| within(one)))
            && whom.is_none_or(|one| one == party)
    });
    let end = ends.map(|waiver| waiver.4).max()?;
    Some((*day < end, end))
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn waivers_are_the_reference(
        waivers in proptest::collection::vec(
            (
                proptest::sample::select(vec!["no-china", "default"]),
                proptest::sample::select(vec!["office", "lab", "*"]),
                proptest::sample::subsequence(vec!["CN", "HK", "52.81.151.0/24", "52.81.151.250/32", "2001:db8::/32"], 1..=3),
                proptest::option::of(proptest::sample::select(vec!["vendor", "unlisted"])),
                1u8..28,
            ),
            0..6,
        ),
        asked in (
            proptest::sample::select(vec!["no-china", "default"]),
            proptest::sample::select(vec!["10.1.0.1", "10.2.0.1"]),
            proptest::sample::select(vec!["52.81.151.250", "52.81.151.251", "203.0.113.1", "2001:db8::1"]),
            proptest::sample::subsequence(vec!["CN", "HK", "DE"], 1..=2),
            1u8..28,
        ),
        backwards in proptest::bool::ANY,
    ) {
        let mut texts: Vec<String> = waivers
            .iter()
            .map(|(rule, from, to, party, day)| {
                let to: Vec<String> = to.iter().map(|one| format!("\"{one}\"")).collect();
                let party = party.map(|party| format!(", party = \"{party}\"")).unwrap_or_default();
                format!(
                    "\n[[waiver]]\nfinding = {{ rule = \"{rule}\", from = \"{from}\", to = [{}]{party} }}\nowner = \"o\"\nreason = \"r\"\nexpires = 2026-01-{day:02}\n",
                    to.join(", ")
                )
            })
            .collect();
        if backwards {
            texts.reverse();
        }
        let policy = policy(&format!("{}{}", RULES.replace("\"permit\"", "\"forbid\""), texts.concat()));
        let (rule, near, far, places, day) = &asked;
        let far_addr = addr(far);
        let found = policy.waiver_of(&Waivable {
            reason: policy.rule_named(rule).map_or(Reason::Default, Reason::Rule),
            zone: policy.zone_of(addr(near)).unwrap(),
            places: places.iter().map(|code| code.parse::<landfall::model::Country>().unwrap()).collect(),
            party: policy.party_of(far_addr, None, None, &[]),
            view: policy.waiver_view(far_addr, format!("2026-01-{day:02}T12:00:00Z").parse().unwrap()),
        });
        let found = found.map(|waived| {
            let expires = policy.waiver(waived.id()).unwrap().expires.clone();
            (waived.holds(), expires[8..].parse().unwrap())
        });
        proptest::prop_assert_eq!(found, naive(&waivers, &asked));
    }

    /// Parties against a reference that scores every table: a network before a name, a name before a region, a region before
    /// a number; longer before shorter; and of equals the first by name.
    #[test]
    fn the_most_specific_match_is_the_party(
        tables in proptest::collection::vec(
            (
                0usize..4,
                proptest::option::of(proptest::sample::select(vec!["198.51.0.0/16", "198.51.100.0/24", "198.51.100.7/32"])),
                proptest::option::of(proptest::sample::select(vec!["a.example", "*.example", "*.a.example", "b.a.example"])),
                proptest::option::of(proptest::sample::select(vec!["oci:*", "oci:us-*", "oci:us-ashburn-1", "oci:us-ashburn-1*", "aws:*"])),
                proptest::option::of(proptest::sample::select(vec![1u32, 2])),
            ),
            1..8,
        ),
        far in proptest::sample::select(vec!["198.51.100.7", "198.51.100.8", "198.51.1.1", "203.0.113.1"]),
        name in proptest::option::of(proptest::sample::select(vec!["a.example", "b.a.example", "ba.example", "c.example", "example"])),
        region in proptest::option::of(proptest::sample::select(vec!["oci:us-ashburn-1", "oci:us-phoenix-1", "aws:us-east-1"])),
        number in proptest::option::of(proptest::sample::select(vec![1u32, 2, 3])),
    ) {
        let tables: Vec<_> = tables
            .into_iter()
            .filter(|(_, net, name, region, asn)| net.is_some() || name.is_some() || region.is_some() || asn.is_some())
            .collect();
        let mut text = "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".to_owned();
        for party in 0..4 {
            let of_party: Vec<String> = tables
                .iter()
                .filter(|table| table.0 == party)
                .map(|(_, net, name, region, asn)| {
                    let keys = [
                        net.map(|net| format!("networks = [\"{net}\"]")),
                        name.map(|name| format!("names = [\"{name}\"]")),
                        region.map(|region| format!("region = [\"{region}\"]")),
                        asn.map(|asn| format!("asn = [{asn}]")),
                    ];
                    format!("{{ {} }}", keys.into_iter().flatten().collect::<Vec<_>>().join(", "))
                })
                .collect();
            if !of_party.is_empty() {
                let _ = write!(text, "[party.p{party}]\nmatch = [{}]\n", of_party.join(", "));
            }
        }
        let policy = policy(&text);
        let scored = tables.iter().filter_map(|(party, net, pattern, of_region, asn)| {
            let net_score = match net {
                None => 0,
                Some(net) => {
                    let net: ipnet::IpNet = net.parse().unwrap();
                    net.contains(&far.parse::<std::net::IpAddr>().unwrap()).then_some(1 + usize::from(net.prefix_len()))?
                }
            };
            let name_score = match pattern {
                None => 0,
                Some(pattern) => match pattern.strip_prefix('*') {
                    Some(below) => (name?.ends_with(below) && name?.len() > below.len()).then_some(2 * (below.len() - 1))?,
                    None => (*pattern == name?).then_some(2 * pattern.len() + 1)?,
                },
            };
            let region_score = match of_region {
                None => 0,
                Some(pattern) => match pattern.strip_suffix('*') {
                    Some(start) => region?.starts_with(start).then_some(2 * start.len())?,
                    None => (*pattern == region?).then_some(2 * pattern.len() + 1)?,
                },
            };
            let number_score = match asn {
                None => 0,
                Some(asn) => usize::from((Some(*asn) == number).then_some(true)?),
            };
            Some(((net_score, name_score, region_score, number_score), std::cmp::Reverse(format!("p{party}"))))
        });
        let expected = scored.max().map(|(_, std::cmp::Reverse(party))| party);
        let regions: Vec<String> = region.iter().map(|region| (*region).to_owned()).collect();
        let found = policy.party_of(addr(far), number.map(landfall::model::Asn), name, &regions);
        proptest::prop_assert_eq!(found.map(|party| policy.party_name(party).to_owned()), expected);
    }
}
