//! `landfall policy` and `landfall explain` as their users meet them.

use serde_json::Value;

use crate::cli::{BEIJING, Desk, OURS, pcap, udp};

/// A capture to Beijing on 2020-03-30 is in `Desk::mixed`; it goes to Mountain View too.
const BEFORE: &str = r#"
[policy]
id = "residency"
version = "1"
default = "permit"
[zone.office]
networks = ["10.20.0.0/16"]
[[rule]]
id = "no-china"
effect = "forbid"
from = ["office"]
to = ["CN"]
"#;

/// The same with the finding waived, and what goes to the United States forbidden.
const AFTER: &str = r#"
[policy]
id = "residency"
version = "2"
default = "permit"
[zone.office]
networks = ["10.20.0.0/16"]
[[rule]]
id = "no-china"
effect = "forbid"
from = ["office"]
to = ["CN"]
[[rule]]
id = "no-us"
effect = "forbid"
from = ["office"]
to = ["US"]
[[waiver]]
finding = { rule = "no-china", from = "office", to = "52.81.151.250" }
owner = "ciso@acme.example"
reason = "CHG-1042"
expires = 2021-01-01
"#;

#[test]
fn a_diff_says_what_appears_vanishes_and_changes() {
    let desk = Desk::new();
    let (before, after, capture) =
        (desk.put("a.toml", BEFORE.as_bytes()), desk.put("b.toml", AFTER.as_bytes()), desk.mixed());
    let said = desk.run(&["policy", "diff", &before, &after, &capture, "--format", "json", "--db", "embedded"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let diff: Value = serde_json::from_str(&said.out).unwrap();
    let rules = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(rules(&diff["appeared"]), ["no-us"]);
    assert_eq!(rules(&diff["vanished"]), Vec::<String>::new());
    let changed = diff["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["before"][0]["waiver"], Value::Null);
    assert_eq!(changed[0]["after"][0]["waiver"]["owner"], "ciso@acme.example");
    assert_eq!(
        (&diff["before"]["totals"]["forbid"]["count"], &diff["after"]["totals"]["forbid"]["count"]),
        (&1.into(), &2.into())
    );
    assert_eq!((&diff["before"]["outcome"], &diff["after"]["outcome"]), (&"forbidden".into(), &"forbidden".into()));

    // The other way round, what appeared vanishes.
    let said = desk.run(&["policy", "diff", &after, &before, &capture, "--format", "json", "--db", "embedded"]);
    let back: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((rules(&back["vanished"]), back["appeared"].as_array().unwrap().len()), (vec!["no-us".to_owned()], 0));

    let text = desk.run(&["policy", "diff", &before, &after, &capture, "--db", "embedded"]);
    assert_eq!(text.code, 1);
    let joined = text.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        joined.starts_with("Findings that appear: 1; that vanish: 0; that change: 1; alike in both: 0"),
        "{joined}"
    );
    assert!(joined.contains("forbidden: 1 to 2 flows") && joined.contains("waived by ciso@acme.example"), "{joined}");

    let same = desk.run(&["policy", "diff", &before, &before, &capture, "--db", "embedded"]);
    assert_eq!(same.code, 0, "{}", same.out);
    assert!(same.out.starts_with("Nothing is different"), "{}", same.out);
    // Both mistakes are told at once.
    let broken = desk.put("c.toml", b"[policy]\nid = 7\n");
    let said = desk.run(&["policy", "diff", &broken, "nowhere.toml", &capture]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("c.toml") && said.err.contains("nowhere.toml"), "{}", said.err);
}

#[test]
fn the_fall_of_an_adequacy_decision_can_be_supposed() {
    let desk = Desk::new();
    // 2020-03-30, 15:00 UTC: the United States are in `@eu.adequate` under Privacy Shield, until 2020-07-16.
    let text = BEFORE.replace("permit", "forbid").replace("to = [\"CN\"]", "to = [\"US\"]").replace(
        "effect = \"forbid\"\nfrom = [\"office\"]\nto = [\"US\"]",
        "effect = \"permit\"\nfrom = [\"office\"]\nto = [\"@eu.adequate\"]\nparty = [\"google\"]",
    ) + "[party.google]\nmatch = [{ asn = [15169] }]\n";
    let (policy, capture) = (
        desk.put("p.toml", text.as_bytes()),
        desk.put("us.pcap", &pcap(&[udp(OURS, [172, 217, 0, 1], (50_001, 443), 30)])),
    );
    let as_it_is = desk.run(&["audit", &capture, "-p", &policy, "--db", "embedded", "--format", "json"]);
    assert_eq!(as_it_is.code, 0, "{}", as_it_is.err);
    for without in ["eu.adequate:US", "@eu.adequate"] {
        let said = desk.run(&[
            "audit",
            &capture,
            "-p",
            &policy,
            "--db",
            "embedded",
            "--format",
            "json",
            "--law-without",
            without,
        ]);
        assert_eq!(said.code, 1, "{}", said.err);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("A supposition") && warnings.contains(without.trim_start_matches('@')), "{warnings}");
        let diff = desk.run(&[
            "policy",
            "diff",
            &policy,
            &policy,
            &capture,
            "--db",
            "embedded",
            "--format",
            "json",
            "--law-without",
            without,
        ]);
        let diff: Value = serde_json::from_str(&diff.out).unwrap();
        assert_eq!((diff["appeared"].as_array().unwrap().len(), &diff["after"]["outcome"]), (1, &"forbidden".into()));
    }
    let kept = desk.run(&["audit", &capture, "-p", &policy, "--db", "embedded", "--law-without", "eu.adequate:JP"]);
    assert_eq!(kept.code, 0);
    for (wrong, word) in [("eu.adequat", "`eu.adequate`"), ("eu.adequate:CN", "nothing of `CN`")] {
        let said = desk.run(&["audit", &capture, "-p", &policy, "--law-without", wrong]);
        assert_eq!(said.code, 2);
        assert!(said.err.contains(word), "{}", said.err);
    }
}

#[test]
fn a_run_whose_findings_are_waived_does_not_fail() {
    let desk = Desk::new();
    let text = AFTER.replace("to = [\"US\"]", "to = [\"KP\"]");
    let (policy, capture) =
        (desk.put("b.toml", text.as_bytes()), desk.put("cn.pcap", &pcap(&[udp(OURS, BEIJING, (50_000, 443), 100)])));
    let said = desk.run(&["audit", &capture, "-p", &policy, "--db", "embedded"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.starts_with("Nothing forbidden was found beside 1 finding that is waived"), "{}", said.out);
    assert!(said.err.contains("waiver-expired"), "that it has expired by now is told beside the report: {}", said.err);
    // More than a year ahead is no waiver, in a check as in a run.
    let long = desk.put("long.toml", text.replace("2021-01-01", "2499-01-01").as_bytes());
    let said = desk.run(&["audit", &capture, "-p", &long, "--db", "embedded"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("waiver-too-long"), "{}", said.err);
    let check = |day: &str| desk.run(&["policy", "check", &policy, "--on", day, "--format", "json"]);
    assert_eq!(check("2019-12-31").code, 2);
    assert_eq!(check("2020-01-01").code, 0);
}

#[test]
fn a_check_is_written_for_pipelines() {
    let desk = Desk::new();
    let wrong = desk.put("wrong.toml", BEFORE.replace("\"CN\"", "\"UK\"").as_bytes());
    let said = desk.run(&["policy", "check", &wrong, "--format", "sarif"]);
    assert_eq!(said.code, 2);
    let log: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "unknown-country");
    let said = desk.run(&["policy", "check", &wrong, "--format", "json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&json["files"][0]["usable"], &json["files"][0]["diagnostics"][0]["code"]),
        (&false.into(), &"unknown-country".into())
    );
}

#[test]
fn mutation_ends_with_one_where_something_survives() {
    let desk = Desk::new();
    let test = "[[test]]\nname = \"t\"\nflow = { at = 2026-01-01T00:00:00Z, from = \"10.20.0.1\", to = \"198.51.100.1\", in = [\"FR\"], sent = 1 }\nexpect = { decision = \"permit\" }\n";
    let policy = desk.put("p.toml", format!("{BEFORE}{test}").as_bytes());
    let said = desk.run(&["policy", "test", &policy, "--mutate"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("warning[test-survivor]: no test notices that the rule `no-china` is taken out"),
        "{}",
        said.out
    );
    assert!(said.out.contains("p.toml:9:6"), "with the place: {}", said.out);
    let init = desk.run(&["policy", "init", "new.toml"]);
    assert_eq!(init.code, 0);
    let said = desk.run(&["policy", "test", "new.toml", "--mutate"]);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.out.contains("0 survived"), "{}", said.out);
    let failing = desk.put("f.toml", format!("{BEFORE}{}", test.replace("permit", "forbid")).as_bytes());
    let said = desk.run(&["policy", "test", &failing, "--mutate"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("not mutated"), "{}", said.out);
}

#[test]
fn codes_are_explained_and_listed() {
    let desk = Desk::new();
    let said = desk.run(&["explain", "shadowed"]);
    assert_eq!(said.code, 0);
    assert!(said.out.starts_with("shadowed\n\n") && said.out.contains("Wrong:"), "{}", said.out);
    let said = desk.run(&["explain", "shadowd"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("`shadowed`"), "{}", said.err);
    let all = desk.run(&["explain"]);
    assert_eq!(all.out.lines().count(), landfall::diag::Code::ALL.len());
}

#[test]
fn the_schema_and_the_library_are_printed() {
    let desk = Desk::new();
    let said = desk.run(&["policy", "schema"]);
    let schema: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &schema["$schema"]), (0, &"https://json-schema.org/draft/2020-12/schema".into()));
    let init = desk.run(&["policy", "init"]);
    assert!(init.out.starts_with("#:schema "), "taplo's line is the first");
    let library = desk.run(&["policy", "show", "--library", "--on", "2020-01-31"]);
    let joined = library.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains("days old"), "with its age");
    assert!(joined.contains("from general knowledge"));
    let members = joined.split("library set @eu.members").nth(1).unwrap().split("dated").next().unwrap();
    assert!(members.contains(" GB,") && members.contains(" HR,"), "{members}");
}

#[test]
fn a_diff_says_which_tripwires_come_to_something_else() {
    let desk = Desk::new();
    let wire = |policy: &str, gateways: &str, more: &str| {
        format!(
            "{policy}\n[[tripwire]]\nid = \"way\"\nkind = \"choke-point\"\nfrom = [\"office\"]\ngateways = [{gateways}]\n{more}"
        )
    };
    let edge = "[[tripwire]]\nid = \"edge\"\nkind = \"new-edge\"\nfrom = [\"office\"]\nbaseline = 2020-01-01\n";
    let capture = desk.mixed();
    let before = desk.put("a.toml", wire(BEFORE, "\"52.81.151.250\"", "").as_bytes());
    let after = desk.put("b.toml", wire(BEFORE, "\"0.0.0.0/0\"", edge).as_bytes());
    let said = desk.run(&["policy", "diff", &before, &after, &capture, "--format", "json", "--db", "embedded"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let diff: Value = serde_json::from_str(&said.out).unwrap();
    let ids: Vec<&str> = diff["tripwires"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["edge", "way"], "one that is new, and one that trips no more");
    assert!(
        diff["tripwires"][0]["before"].is_null() && diff["tripwires"][0]["after"]["tripped"] == serde_json::json!([])
    );
    assert_ne!(diff["tripwires"][1]["before"]["tripped"], serde_json::json!([]));
    assert_eq!(diff["tripwires"][1]["after"]["tripped"], serde_json::json!([]));

    let text = desk.run(&["policy", "diff", &before, &after, &capture, "--db", "embedded"]).out;
    assert!(text.contains("edge: not in the policy before; nothing trips it after"), "{text}");
    assert!(text.contains("past its gateways"), "{text}");
    let same = desk.run(&["policy", "diff", &before, &before, &capture, "--db", "embedded"]);
    assert_eq!(same.code, 0, "{}", same.out);
}

#[test]
fn a_register_that_cannot_be_used_is_told_at_its_place() {
    let desk = Desk::new();
    let wire = "[[tripwire]]\nid = \"u\"\nkind = \"undeclared\"\nfrom = [\"office\"]\nregister = \"list.csv\"\n";
    let policy = desk.put("p.toml", format!("{BEFORE}{wire}").as_bytes());
    let said = desk.run(&["policy", "check", &policy]);
    assert!(
        said.code == 2 && said.out.contains("error[bad-register]: the register `list.csv` cannot be used"),
        "{}",
        said.out
    );
    assert!(said.out.contains("p.toml:17:12"), "{}", said.out);
    desk.put("list.csv", b"who,where\nx,DE\n");
    let said = desk.run(&["policy", "check", &policy]);
    assert!(said.code == 2 && said.out.contains("no column `recipient`: it has `who`, `where`"), "{}", said.out);
    desk.put("list.csv", b"recipient,countries\nx,DE\n");
    assert_eq!(desk.run(&["policy", "check", &policy]).code, 0);
    assert_eq!(desk.run(&["policy", "show", &policy]).code, 0);
    // Of two, it is the one that is missing.
    let other = wire.replace("\"u\"", "\"v\"").replace("list.csv", "other.csv");
    let policy = desk.put("p.toml", format!("{BEFORE}{wire}{other}").as_bytes());
    let said = desk.run(&["policy", "check", &policy]);
    assert!(said.code == 2 && said.out.contains("the register `other.csv` cannot be used"), "{}", said.out);
    assert!(said.out.contains("p.toml:22:12"), "{}", said.out);
}
