//! The pages on codes, SARIF, mutation of policies: what stands around a policy so that people can mend it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::date;
use landfall::audit::rehearse;
use landfall::cli::policy::STARTER;
use landfall::diag::{Checked, Code, Colour, Diagnostic, render_page, render_text, to_sarif};
use landfall::policy::{Library, Policy};
use serde_json::Value;

use crate::policy::with;

/// Everything that is said of a text: when it is read, on a day, and by its tests.
fn said(text: &str) -> Vec<Diagnostic> {
    let parsed = Policy::parse("page.toml", text, Library::embedded());
    let mut said = parsed.diagnostics;
    if let Some(policy) = parsed.policy {
        said.extend(policy.overdue(date(2026, 11, 22)));
        said.extend(rehearse(&policy).into_iter().filter_map(|run| run.failure));
    }
    said
}

/// The fenced examples of a page: the words behind the fence, and the text.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut parts = page.split("```");
    let mut found = Vec::new();
    while let (Some(_), Some(fenced)) = (parts.next(), parts.next()) {
        let (kind, text) = fenced.split_once('\n').expect("a fence has lines");
        found.push((kind.to_owned(), text.to_owned()));
    }
    found
}

#[test]
fn every_code_has_a_page_and_its_examples_are_what_they_say() {
    let mut wrong = String::new();
    for code in Code::ALL {
        let page = code.page();
        let found = examples(page);
        if page.len() < 120 || found.is_empty() {
            let _ = writeln!(wrong, "{code}: no page");
            continue;
        }
        for (kind, text) in found {
            let text = if text.contains("[policy]") { text } else { with(&text) };
            let told = said(&text);
            let is_said = told.iter().any(|one| one.code == *code);
            let as_said = match kind.as_str() {
                "toml wrong" => is_said,
                "toml right" => !is_said && !told.iter().any(Diagnostic::is_error),
                "text" | "sh wrong" | "sh right" => true,
                other => panic!("{code}: a fence of {other}"),
            };
            if !as_said {
                let _ = writeln!(wrong, "{code}, {kind}:\n{}", render_text("page.toml", &text, &told, Colour::Never));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let headings: BTreeSet<&str> =
        include_str!("../../src/diag/pages.md").lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(headings, codes, "no page on what is no code");
}

#[test]
fn a_page_is_drawn_for_a_terminal() {
    let drawn = render_page(Code::Shadowed);
    assert!(drawn.starts_with("shadowed\n\nA rule that cannot change any decision"), "{drawn}");
    assert!(
        drawn.contains("\nWrong:\n\n    [[rule]]\n") && drawn.contains("\nRight:\n\n    [party.partner]\n"),
        "{drawn}"
    );
    assert!(!drawn.contains("```"));
    // Examples are shown as they are written; paragraphs are folded.
    assert!(drawn.lines().filter(|line| !line.starts_with("    ")).all(|line| line.chars().count() <= 100), "{drawn}");
}

/// What SARIF 2.1.0 requires: sections 3.13 (log), 3.14 (run), 3.18 and 3.19 (tool, driver), 3.49 (rule), 3.27 (result),
/// 3.28 (location), 3.30 (region).
#[test]
fn sarif_keeps_to_the_standard() {
    let text = with(
        "[[rule]]\nid = \"é\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"UK\"]\n[zone.y]\nnetworks = [\"10.0.0.0/8\"]\n",
    );
    let told = said(&text);
    assert!(told.iter().any(|one| one.labels.len() > 1), "one has a second place");
    let log = to_sarif(&[Checked { origin: "rules/a b.toml", text: &text, diagnostics: &told }]);
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().expect("runs is a list");
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "landfall");
    let rules = driver["rules"].as_array().expect("rules");
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), rules.len(), "rules are told apart by their id");
    for rule in rules {
        assert!(rule["shortDescription"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(rule["help"]["text"].is_string() && rule["help"]["markdown"].is_string());
    }
    assert_eq!(runs[0]["columnKind"], "unicodeCodePoints");
    let results = runs[0]["results"].as_array().expect("results");
    assert_eq!(results.len(), told.len());
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let places = [&result["locations"], &result["relatedLocations"]];
        for place in places.into_iter().flat_map(|list| list.as_array().expect("a list")) {
            let physical = &place["physicalLocation"];
            let uri = physical["artifactLocation"]["uri"].as_str().expect("a uri");
            assert_eq!(uri, "rules/a%20b.toml", "a valid URI reference (RFC 3986)");
            let Some(region) = physical.get("region") else { continue };
            let number = |key: &str| region[key].as_u64().unwrap_or_else(|| panic!("{key} of {region}"));
            assert!(number("startLine") >= 1 && number("startColumn") >= 1);
            assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        }
    }
    // `UK` is in line 10 from column 7 to before 11, with its quotation marks.
    let country = results.iter().find(|result| result["ruleId"] == "unknown-country").unwrap();
    let region = &country["locations"][0]["physicalLocation"]["region"];
    let at = ["startLine", "startColumn", "endLine", "endColumn"].map(|key| region[key].as_u64().unwrap());
    assert_eq!(at, [10, 7, 10, 11]);
    assert_eq!(to_sarif(&[])["runs"][0]["results"], Value::Array(Vec::new()));
}

const TESTED: &str = r#"
[policy]
id = "m"
default = "permit"
[zone.z]
networks = ["10.0.0.0/8"]
[[rule]]
id = "no-china"
effect = "forbid"
from = ["z"]
to = ["CN", "HK"]
movement = "either"
[[test]]
name = "to China"
flow = { at = 2026-01-01T00:00:00Z, from = "10.0.0.1", to = "198.51.100.1", in = ["CN"], sent = 1 }
expect = { decision = "forbid", rule = "no-china" }
[[test]]
name = "to France"
flow = { at = 2026-01-01T00:00:00Z, from = "10.0.0.1", to = "198.51.100.1", in = ["FR"], sent = 1 }
expect = { decision = "permit" }
"#;

/// What each change does is reckoned by hand: nothing is ever sent to Hong Kong or received in these tests.
#[test]
fn mutation_finds_what_no_test_notices() {
    let found = Policy::mutate("m.toml", TESTED, Library::embedded(), None, &|policy| rehearse(&policy)).unwrap();
    let told: Vec<&str> = found.survivors.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "no test notices that the rule `no-china` loses `HK`",
            "no test notices that the rule `no-china` has the movement `out`",
        ]
    );
    // The default, the network of the zone, the rule, `CN` and `HK`, two other movements.
    assert_eq!((found.tried, found.idle, found.left_out), (7, 0, 0));
    let more = "[[test]]\nname = \"from Hong Kong\"\nflow = { at = 2026-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"198.51.100.1\", in = [\"HK\"], received = 1 }\nexpect = { decision = \"forbid\", rule = \"no-china\" }\n";
    let found =
        Policy::mutate("m.toml", &format!("{TESTED}{more}"), Library::embedded(), None, &|policy| rehearse(&policy))
            .unwrap();
    assert_eq!(found.survivors, []);
    // A policy whose tests fail is not mutated, and neither is a text that is none.
    assert_eq!(
        Policy::mutate("m.toml", &TESTED.replace("permit\" }", "forbid\" }"), Library::embedded(), None, &|policy| {
            rehearse(&policy)
        }),
        None
    );
    assert_eq!(Policy::mutate("m.toml", "x", Library::embedded(), None, &|policy| rehearse(&policy)), None);
}

/// What no rule names changes nothing when it goes, also beside a waiver.
#[test]
fn what_judges_nothing_is_not_tried() {
    let with_idle = TESTED.replace("[zone.z]", "[sets]\nidle = [\"BR\", \"JP\"]\n[zone.z]");
    let waiver = "[[waiver]]\nfinding = { rule = \"no-china\", from = \"z\", to = \"CN\" }\nowner = \"o\"\nreason = \"w\"\nexpires = 2027-01-01\n";
    let idle = |text: &str| {
        Policy::mutate("m.toml", text, Library::embedded(), None, &|policy| rehearse(&policy)).unwrap().idle
    };
    assert_eq!((idle(&with_idle), idle(&format!("{with_idle}{waiver}"))), (2, 2));
}

#[test]
fn every_part_of_a_policy_is_taken_out_once() {
    let text = r#"
[policy]
id = "m"
default = "permit"
in-force = { from = 2020-01-01, until = 2030-01-01 }
[sets]
far = ["CN"]
[zone.z]
networks = ["10.0.0.0/8", "192.0.2.0/24"]
country = "DE"
[party.p]
controlled-from = ["US", "CA"]
match = [{ asn = [7], names = ["a.example", "b.example"] }, { region = ["oci:us-*"] }]
[service.s]
ports = ["tcp/443"]
[[rule]]
id = "r"
effect = "forbid"
from = ["z"]
to = ["@far"]
party = ["p"]
service = ["s"]
initiator = "local"
contact = true
in-force = { from = 2021-01-01, until = 2029-01-01 }
[[waiver]]
finding = { rule = "r", from = "z", to = "CN", party = "p" }
owner = "o"
reason = "w"
expires = 2027-01-01
"#;
    let found = Policy::mutate("m.toml", text, Library::embedded(), None, &|policy| rehearse(&policy)).unwrap();
    let told: Vec<&str> = found.survivors.iter().map(|one| one.message.as_str()).collect();
    for part in [
        "the default becomes `forbid`",
        "was always in force",
        "the policy stays in force",
        "the set `far` loses `CN`",
        "the zone `z` loses `192.0.2.0/24`",
        "no longer says where it is",
        "no longer says whom it answers to",
        "answers to loses `CA`",
        "no longer recognised so",
        "no longer asks for a number",
        "no longer asks for a name",
        "loses `b.example`",
        "the service `s` loses `tcp/443`",
        "the rule `r` is taken out",
        "speaks of every party",
        "speaks of every service",
        "speaks of any initiator",
        "no longer judges contact",
        "the rule `r` was always in force",
        "the rule `r` stays in force",
        "the waiver of `r` is taken out",
        "covers every party",
        "never expires",
    ] {
        assert!(told.iter().any(|one| one.contains(part)), "{part} is not in\n{told:#?}");
    }
}

/// A party: every table where there are several, every condition of a table where there are several, every entry of a list
/// where there are several, and nothing twice.
#[test]
fn every_part_of_a_party_is_taken_out_once() {
    let text = r#"
[policy]
id = "m"
default = "permit"
[zone.z]
networks = ["10.0.0.0/8"]
[party.p]
controlled-from = ["US", "CA"]
match = [
    { asn = [7], names = ["a.example", "b.example"] },
    { region = ["oci:us-*"] },
    { asn = [5, 6], networks = ["192.0.2.0/24"] },
]
[party.q]
match = [{ asn = [8, 9] }]
[[rule]]
id = "r"
effect = "forbid"
from = ["z"]
to-control = ["US", "CA"]
party = ["p", "q"]
"#;
    let found = Policy::mutate("m.toml", text, Library::embedded(), None, &|policy| rehearse(&policy)).unwrap();
    let of_parties: Vec<(usize, &str)> = found
        .survivors
        .iter()
        .filter_map(|one| {
            let what = one.message.strip_prefix("no test notices that ")?;
            let line = text[..one.span()?.start].lines().count();
            what.contains("party `").then_some((line, what))
        })
        .collect();
    let again = "the party `p` is no longer recognised so";
    let asks = |what: &str| format!("a table of the party `p` no longer asks for a {what}");
    let mut expected = vec![
        (8, "the party `p` no longer says whom it answers to".to_owned()),
        (8, "what the party `p` answers to loses `US`".to_owned()),
        (8, "what the party `p` answers to loses `CA`".to_owned()),
        (10, again.to_owned()),
        (10, asks("number")),
        (10, asks("name")),
        (10, "the party `p` loses `a.example`".to_owned()),
        (10, "the party `p` loses `b.example`".to_owned()),
        (11, again.to_owned()),
        (12, again.to_owned()),
        (12, asks("number")),
        (12, asks("network")),
        (12, "the party `p` loses AS5".to_owned()),
        (12, "the party `p` loses AS6".to_owned()),
        (15, "the party `q` loses AS8".to_owned()),
        (15, "the party `q` loses AS9".to_owned()),
    ];
    let mut found: Vec<(usize, String)> = of_parties.into_iter().map(|(line, what)| (line, what.to_owned())).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// The starter's own tests notice everything that the starter says, or it says why not.
#[test]
fn the_starter_survives_as_it_says() {
    let found =
        Policy::mutate("starter.toml", STARTER, Library::embedded(), None, &|policy| rehearse(&policy)).unwrap();
    let drawn = render_text("starter.toml", STARTER, &found.survivors, Colour::Never);
    assert_eq!(drawn, "");
}
