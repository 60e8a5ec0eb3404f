//! The samples: what is committed is what the generators write; what an audit of them says is what was expected, by hand
//! and octet by octet.
//!
//! `UPDATE=1` writes the committed files. What was expected by hand is in this file and is never written, so that a report
//! cannot drift with the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall::audit::rehearse;
use landfall::diag::{Colour, render_text};
use landfall::policy::{Library, Policy};
use serde_json::{Value, json};

use crate::fixtures::{intrusion, partners, places, tiktok, zoom};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A policy with the registers that its tripwires name, which lie beside it.
fn with_registers(mut policy: Policy) -> Policy {
    policy.read_registers(|register| fs::read(root().join("rules").join(register))).expect("registers");
    policy
}

/// Compares a committed file with what it should be; with `UPDATE=1`, writes it.
fn compare(path: &Path, expected: &[u8]) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for samples");
        fs::write(path, expected).expect("a sample is written");
        return;
    }
    let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; UPDATE=1 writes it", path.display()));
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = differs.unwrap_or_else(|| found.len().min(expected.len()));
    assert!(
        found == expected,
        "{} differs from what it should be at octet {at} of {}; UPDATE=1 writes it",
        path.display(),
        expected.len()
    );
}

#[test]
fn the_committed_samples_are_what_the_generators_write() {
    let files = [
        ("places.mmdb", places::database()),
        ("zoom-2020/meeting.pcap", zoom::meeting()),
        ("tiktok-oracle/enclave.log", tiktok::enclave().into_bytes()),
        ("spotify-partners-2020/before.log", partners::before().into_bytes()),
        ("spotify-partners-2020/since.log", partners::since().into_bytes()),
        ("spotify-intrusion-2014/border.pcapng", intrusion::border()),
    ];
    for (name, octets) in &files {
        assert!(octets.len() < 300_000, "{name} has {} octets: samples are small", octets.len());
        compare(&root().join("samples").join(name), octets);
    }
}

#[test]
fn every_policy_is_without_mistakes_and_passes_its_own_tests() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("rules")).expect("the folder of policies") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).expect("a text");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let parsed = Policy::parse(&name, &text, Library::embedded());
        let said = render_text(&name, &text, &parsed.diagnostics, Colour::Never);
        assert!(parsed.diagnostics.is_empty(), "{said}");
        let policy = parsed.policy.expect("a policy without diagnostics");
        let runs = rehearse(&with_registers(policy));
        assert!(!runs.is_empty(), "{name} has no tests");
        for run in runs {
            assert!(run.failure.is_none(), "{name}, `{}`: {:?}", run.name, run.failure);
        }
    }
    assert!(seen >= 11, "the cases, the regimes and the starter, not {seen}");
}

/// A policy whose rule could be taken out and nobody would notice is a policy that is not tested.
#[test]
fn the_tests_of_a_policy_notice_the_removal_of_any_rule() {
    let packs = ["eu-gdpr", "uk-gdpr", "ch-fadp", "us-doj-dsp", "ru-localisation", "cn-export"];
    for case in ["zoom-2020", "tiktok-oracle", "spotify-partners-2020", "spotify-intrusion-2014"].iter().chain(&packs) {
        let text = fs::read_to_string(root().join("rules").join(format!("{case}.toml"))).expect("a policy");
        let blocks: Vec<usize> = text.match_indices("[[rule]]").map(|(at, _)| at).collect();
        assert!(blocks.len() >= 2, "{case}");
        for at in blocks {
            let end = text[at + 2..].find("\n[").map(|end| at + 2 + end).expect("tests follow the rules");
            let without = format!("{}{}", &text[..at], &text[end..]);
            let parsed = Policy::parse(case, &without, Library::embedded());
            let passes = parsed
                .policy
                .is_some_and(|policy| rehearse(&with_registers(policy)).iter().all(|run| run.failure.is_none()));
            assert!(!passes, "{case}: nothing notices that this rule is gone:\n{}", &text[at..end]);
        }
    }
}

/// What no test of a shipped policy notices is told in its head, and is no more than this: facts that reports show and no
/// rule judges, and two things that a test cannot tell apart.
#[test]
fn mutations_of_shipped_policies_survive_only_where_their_heads_say_so() {
    const EXPLAINED: [(&str, &str); 3] = [
        ("us-doj-dsp", "the rule `no-country-of-concern` has the movement `out`"),
        ("us-doj-dsp", "the rule `no-country-of-concern` has the movement `in`"),
        ("spotify-intrusion-2014", "the rule `administration-from-offices` speaks of every party"),
    ];
    for path in
        fs::read_dir(root().join("rules")).expect("the folder of policies").map(|entry| entry.expect("an entry").path())
    {
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let output = Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(["policy", "test", "--mutate"])
            .arg(&path)
            .output()
            .expect("the program runs");
        let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
        let survivors: Vec<&str> = text.lines().filter_map(|line| line.split("no test notices that ").nth(1)).collect();
        let explained = |survivor: &&str| {
            survivor.ends_with("no longer says where it is")
                || survivor.ends_with("no longer says whom it answers to")
                || EXPLAINED.contains(&(name.as_str(), survivor))
        };
        let unexplained: Vec<&&str> = survivors.iter().filter(|survivor| !explained(survivor)).collect();
        assert!(unexplained.is_empty(), "{name}: {unexplained:#?}");
        assert!(text.contains(" changes, "), "{name}: {text}");
        let head = fs::read_to_string(&path).expect("a policy");
        let told = head.contains("`policy test --mutate` finds no test for");
        assert_eq!(told, !survivors.is_empty(), "{name}: the head says what survives, and only then");
    }
}

/// A case: what is audited, by which policy, with which location data.
struct Case {
    name: &'static str,
    inputs: &'static [&'static str],
    places: &'static [&'static str],
}

const EMBEDDED: &[&str] = &["embedded"];
const WITH_PLACES: &[&str] = &["embedded", "samples/places.mmdb"];

impl Case {
    /// Runs the audit as the case's README says, in the repository's root, and gives what it wrote in a format.
    fn audit(&self, format: &str) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.current_dir(root()).arg("audit");
        command.args(self.inputs.iter().map(|input| format!("samples/{}/{input}", self.name)));
        command.args(["-p", &format!("rules/{}.toml", self.name), "--format", format]);
        for place in self.places {
            command.args(["--db", place]);
        }
        let output = command.output().expect("the program runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: something forbidden is found; {error}", self.name);
        assert_eq!(error, "", "{}: nothing else is to be said", self.name);
        output.stdout
    }

    /// Compares both committed reports, and gives the report.
    fn report(&self) -> Value {
        let expected = root().join("samples").join(self.name).join("expected");
        compare(&expected.join("report.txt"), &self.audit("text"));
        let report = self.audit("json");
        compare(&expected.join("report.json"), &report);
        let report: Value = serde_json::from_slice(&report).expect("a report in JSON");
        assert_eq!(report["outcome"], "forbidden");
        assert_eq!(report["policy"]["id"], self.name);
        for input in report["inputs"].as_array().expect("inputs") {
            for key in ["truncated-at", "error"] {
                assert!(input.get(key).is_none_or(Value::is_null), "{}: {input}", self.name);
            }
        }
        report
    }
}

/// What a finding comes to: who, where, how, how much, since when, and the addresses of its examples.
fn finding(finding: &Value) -> Value {
    let addresses = |key: &str| {
        let examples = finding["examples"].as_array().expect("examples");
        let mut all: Vec<&str> = examples.iter().filter_map(|example| example[key].as_str()).collect();
        all.sort_unstable();
        all.dedup();
        all.join(" ")
    };
    let to = &finding["to"];
    json!({
        "why": [&finding["decision"], &finding["rule"], &finding["severity"], &finding["axis"]],
        "what": [&finding["contact"], &finding["opened-by"]],
        "where": [&to["places"], &to["asn"], &to["party"]],
        "sent": [&finding["uniflows"], &finding["sent"]["packets"], &finding["sent"]["octets"], &finding["sent"]["payload"]],
        "when": [&finding["first"], &finding["last"]],
        "near": addresses("near"),
        "far": addresses("far"),
    })
}

fn compare_findings(report: &Value, expected: &[Value]) {
    let mut found: Vec<Value> = report["findings"].as_array().expect("findings").iter().map(finding).collect();
    for expected in expected {
        let Some(at) = found.iter().position(|found| found == expected) else {
            panic!("not found: {expected:#}\nbut: {found:#?}");
        };
        found.remove(at);
    }
    assert!(found.is_empty(), "not expected: {found:#?}");
}

/// Every total that is not zero, with its records and octets.
fn compare_totals(report: &Value, expected: &[(&str, u64, u64)]) {
    let totals = report["totals"].as_object().expect("totals");
    for (name, count) in totals {
        let expected =
            expected.iter().find(|(key, ..)| key == name).map_or((0, 0), |(_, count, octets)| (*count, *octets));
        let found = (count["count"].as_u64().expect("a count"), count["octets"].as_u64().expect("octets"));
        assert_eq!(found, expected, "{name}");
    }
}

/// What tripped each tripwire: the sentences and since when.
fn compare_tripwires(report: &Value, expected: &[(&str, &[(&str, &str)])]) {
    let tripwires = report["tripwires"].as_array().expect("tripwires");
    let names: Vec<&str> = tripwires.iter().filter_map(|tripwire| tripwire["id"].as_str()).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (tripwire, (name, expected)) in tripwires.iter().zip(expected) {
        let tripped = tripwire["tripped"].as_array().expect("what tripped");
        let told: Vec<_> = tripped.iter().map(|one| (one["since"].as_str(), one["sentence"].as_str())).collect();
        assert_eq!(told.len(), expected.len(), "{name}: {told:#?}");
        for ((since, sentence), (expected_since, holds)) in told.iter().zip(*expected) {
            assert_eq!(since.expect("since when"), *expected_since, "{name}");
            let sentence = sentence.expect("a sentence");
            assert!(sentence.contains(holds), "{name}: `{sentence}` does not say `{holds}`");
        }
    }
}

/// Tripwires change no decision: without them the findings, the inventory and the totals are the same.
#[test]
fn tripwires_change_nothing_else() {
    let places = root().join("samples/places.mmdb");
    for (case, inputs) in [
        ("zoom-2020", &["meeting.pcap"][..]),
        ("tiktok-oracle", &["enclave.log"]),
        ("spotify-partners-2020", &["before.log", "since.log"]),
        ("spotify-intrusion-2014", &["border.pcapng"]),
    ] {
        let text = fs::read_to_string(root().join("rules").join(format!("{case}.toml"))).expect("a policy");
        let mut without = text.clone();
        while let Some(at) = without.find("[[tripwire]]") {
            let end = without[at + 2..].find("\n[").map(|end| at + 3 + end).expect("tests follow");
            without.replace_range(at..end, "");
        }
        // So do the tests of tripwires, at the end.
        without.truncate(without.find("\n# The tripwire").expect("tests of tripwires"));
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("without.toml");
        fs::write(&policy, without).expect("a policy is written");
        let report = |policy: &Path| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
            command.current_dir(root()).arg("audit").arg("-p").arg(policy).args(["--format", "json"]);
            command.args(inputs.iter().map(|input| format!("samples/{case}/{input}")));
            command.args(["--db", "embedded", "--db"]).arg(&places);
            let output = command.output().expect("the program runs");
            serde_json::from_slice::<Value>(&output.stdout).expect("a report")
        };
        let with = report(&root().join("rules").join(format!("{case}.toml")));
        let without = report(&policy);
        assert!(with.get("tripwires").is_some() && without.get("tripwires").is_none(), "{case}");
        for key in ["findings", "inventory", "totals"] {
            assert_eq!(with[key], without[key], "{case}: {key}");
        }
    }
}

#[test]
fn zoom_2020_finds_the_key_from_beijing() {
    let report = Case { name: "zoom-2020", inputs: &["meeting.pcap"], places: EMBEDDED }.report();
    let beijing = |contact: &str, sent: Value| {
        json!({
            "why": ["forbid", "no-china", "critical", "place"],
            "what": [contact, "local"],
            "where": [["CN"], 55960, "zoom"],
            "sent": sent,
            "when": ["2020-03-30T15:00:09Z", "2020-03-30T15:00:12.57404Z"],
            "near": "10.20.1.9",
            "far": zoom::KEY_SERVER,
        })
    };
    // Headers: 60 for SYN or SYN-ACK, 52 for each packet after it.
    let key = 60 + 16 * 52 + (3050 + 258 + 4 * 250);
    let request = 60 + 17 * 52 + (517 + 64 + 3 * 138 + 137 + 24);
    assert_eq!((key, request), (5200, 2100));
    compare_findings(
        &report,
        &[beijing("received", json!([1, 17, 5200, 4308])), beijing("sent", json!([1, 18, 2100, 1156]))],
    );

    // Two sign-ins: 14 packets out with 517 + 64 + 900 + 24 of payload, 15 in with 3,050 + 258 + 6,000.
    let sign_in = (60 + 13 * 52 + 1505) + (60 + 14 * 52 + 9308);
    // Three streams of 60, 160 and 100 seconds, two datagrams a second each way.
    let media = (60 + 160 + 100) * 2 * 2 * (28 + 100);
    // Three questions of 33 octets, two answers with one address, one with two.
    let look_ups = 3 * (28 + 33) + 2 * (28 + 33 + 16) + (28 + 33 + 32);
    compare_totals(
        &report,
        &[
            ("permit", 5, 2 * sign_in + media),
            ("forbid", 1, 7300),
            ("contact", 2, 2 * 3 * 60),
            ("internal", 3, look_ups),
        ],
    );
    // The first attempt is 40 ms after the hour, the answer comes to a SYN at nine seconds.
    let fail_over = ("2020-03-30T15:00:00.04Z", "2 attempts of 10.20.1.9 to reach party zoom in @north-america");
    compare_tripwires(&report, &[("fail-over", &[fail_over])]);
}

#[test]
fn tiktok_oracle_finds_the_late_backups_the_session_and_the_parent() {
    let report = Case { name: "tiktok-oracle", inputs: &["enclave.log"], places: WITH_PLACES }.report();
    let session = |contact: &str, sent: Value| {
        json!({
            "why": ["forbid", "no-access-from-china", "critical", "place"],
            "what": [contact, "remote"],
            "where": [["CN"], places::BEIJING, null],
            "sent": sent,
            "when": ["2022-06-29T07:12:00Z", "2022-06-29T07:21:00Z"],
            "near": tiktok::TOOL,
            "far": tiktok::DESK,
        })
    };
    let backup = |contact: &str, first: &str, sent: Value| {
        json!({
            "why": ["forbid", "no-backups-after-sunset", "high", "place"],
            "what": [contact, "local"],
            "where": [["SG"], 31898, "oracle"],
            "sent": sent,
            "when": [first, "2022-07-07T03:59:59Z"],
            "near": "10.40.1.10",
            "far": tiktok::SINGAPORE,
        })
    };
    let parent = |rule: Value, severity: &str, axis: &str, contact: &str, sent: Value| {
        json!({
            "why": ["forbid", rule, severity, axis],
            "what": [contact, "local"],
            "where": [["US"], 396_986, "bytedance"],
            "sent": sent,
            "when": ["2022-07-03T11:30:00Z", "2022-07-03T11:39:00Z"],
            "near": "10.40.2.20",
            "far": tiktok::PARENT,
        })
    };
    // Of what comes back from a backup, acknowledgements of 52 octets move nothing; the answer in the last window does.
    let nights = tiktok::DAYS - tiktok::DAYS_BEFORE_SUNSET;
    let acknowledgements = 2_500_000 * 52;
    let answers = nights * (acknowledgements + tiktok::BACKUP_ANSWER);
    compare_findings(
        &report,
        &[
            session("sent", json!([1, 44, 40_000, 0])),
            session("received", json!([1, 48, 8_000, 0])),
            backup("sent", "2022-07-01T02:00:00Z", json!([84, 420_000_000, 630_000_000_000_u64, 0])),
            backup("received", "2022-07-01T03:50:00Z", json!([nights, nights * 2_500_000, answers, 0])),
            parent(json!("not-to-the-parent"), "high", "control", "sent", json!([1, 520, 700_000, 0])),
            parent(json!("not-to-the-parent"), "high", "control", "received", json!([1, 300, 21_000, 0])),
            parent(Value::Null, "medium", "place", "sent", json!([1, 520, 700_000, 0])),
            parent(Value::Null, "medium", "place", "received", json!([1, 300, 21_000, 0])),
        ],
    );

    // A night: 12 windows to Singapore and, until the sunset, 4 to Virginia, and as many back, the last with an answer.
    let night = 90_000_000_000 + acknowledgements + tiktok::BACKUP_ANSWER;
    let virginia = 30_000_000_000 + acknowledgements + tiktok::BACKUP_ANSWER;
    let service = tiktok::DAYS * 2 * (20_000_000 + 45_000_000);
    compare_totals(
        &report,
        &[
            ("permit", 7 * (12 + 1 + 4 + 1) + tiktok::DAYS * 2 * 2, 7 * (night + virginia) + service),
            ("forbid", 7 * (12 + 1) + 2 + 2, 7 * night + 48_000 + 721_000),
            ("contact", 7 * (11 + 3) + 7 * 11 + 1, (7 * (11 + 3) + 7 * 11) * acknowledgements + 180),
        ],
    );
    compare_tripwires(&report, &[("new-party", &[("2022-07-03T11:30:00Z", "party bytedance was reached first")])]);
}

#[test]
fn spotify_partners_2020_finds_the_undeclared_recipient_and_nothing_else() {
    let inputs = &["before.log", "since.log"];
    let report = Case { name: "spotify-partners-2020", inputs, places: WITH_PLACES }.report();
    let undeclared = |contact: &str, sent: Value| {
        json!({
            "why": ["forbid", "undeclared-recipient", "high", "place"],
            "what": [contact, "remote"],
            "where": [["US"], 64502, null],
            "sent": sent,
            "when": ["2020-04-09T13:00:00Z", "2020-11-12T13:00:58Z"],
            "near": "10.60.0.10",
            "far": partners::UNDECLARED,
        })
    };
    // 217 days are 31 weeks: a call on the first day and 31 after it.
    let calls = (partners::DAYS_SINCE - 1) / 7 + 1;
    assert_eq!(calls, 32);
    compare_findings(
        &report,
        &[undeclared("sent", json!([32, 32 * 21, 672_000, 0])), undeclared("received", json!([32, 32 * 9, 44_800, 0]))],
    );

    // Answers vary within a week and come to seven times their mean; the last day is a week's first, 60 octets below it.
    let replies = partners::DAYS_BEFORE * partners::REPLY_BEFORE + partners::DAYS_SINCE * partners::REPLY_SINCE - 60;
    let days = partners::DAYS_BEFORE + partners::DAYS_SINCE;
    compare_totals(
        &report,
        &[("permit", 2 * 2 * days, 2 * (replies + days * partners::REQUEST)), ("forbid", 64, 672_000 + 44_800)],
    );
    // The week before 9 April: 8,940 to 9,060 octets a day in steps of 20. The day itself is the first of a week of 21,000.
    let grew = ("2020-04-09T00:00:00Z", "20940 octets moved");
    let stranger = ("2020-04-09T13:00:00Z", "Example Analytics, Inc. in US receives data and is not in the register");
    compare_tripwires(&report, &[("partner-volume", &[grew, grew]), ("register", &[stranger])]);
    for tripped in report["tripwires"][0]["tripped"].as_array().expect("what tripped") {
        let sentence = tripped["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("is 9000, which makes 2.3 times; 4 periods"), "{sentence}");
    }
    assert_eq!(report["tripwires"][1]["remarks"], json!(["Example Partner C Ltd is declared in GB and was not seen"]));
    let declared: Vec<&Value> = report["inventory"]
        .as_array()
        .expect("an inventory")
        .iter()
        .filter(|row| row["decision"] == "permit")
        .map(|row| &row["to"]["party"])
        .collect();
    assert!(declared.contains(&&json!("partner-a")) && declared.contains(&&json!("partner-b")), "{declared:?}");
}

#[test]
fn spotify_intrusion_2014_says_which_hosts_how_much_since_when() {
    let case = Case { name: "spotify-intrusion-2014", inputs: &["border.pcapng"], places: WITH_PLACES };
    let report = case.report();
    let intruder = |contact: &str, sent: Value| {
        json!({
            "why": ["forbid", "session-from-elsewhere", "critical", "place"],
            "what": [contact, "remote"],
            "where": [["AQ"], 64505, null],
            "sent": sent,
            "when": ["2014-05-17T03:12:00Z", "2014-05-21T02:58:11.26233Z"],
            "near": format!("{} {} {}", intrusion::JUMP_HOST, intrusion::WIKI, intrusion::WIKI_V6),
            "far": format!("{} {}", intrusion::INTRUDER_V6, intrusion::INTRUDER),
        })
    };
    // Packets and payload by tshark 4.0, fields tcp.len and frame.len less 14 octets of Ethernet, over the four sessions:
    // out 23 + 37 + 48 + 21, in 22 + 29 + 34 + 21. Headers by hand: 60 and 52 a packet, over IPv6 80 and 72.
    let payload_out: u64 = 10_113 + 28_501 + 46_465 + 7_105;
    let payload_in: u64 = 821 + 889 + 853 + 821;
    let out = (60 + 22 * 52) + (60 + 36 * 52) + (60 + 47 * 52) + (80 + 20 * 72) + payload_out;
    let inward = (60 + 21 * 52) + (60 + 28 * 52) + (60 + 33 * 52) + (80 + 20 * 72) + payload_in;
    assert_eq!((out, inward), (99_344, 9_348));
    compare_findings(
        &report,
        &[
            intruder("sent", json!([4, 129, 99_344, payload_out])),
            intruder("received", json!([4, 106, 9_348, payload_in])),
        ],
    );
    let sent = report["findings"].as_array().expect("findings").iter().find(|finding| finding["contact"] == "sent");
    assert_eq!(sent.expect("a finding")["near-addresses"], json!({"count": 3, "exact": true}));

    // Three sessions of administrators and a request for updates; the step inside; two knocks.
    let staff = 2 * (7_285 + 2_025) + (7_725 + 2_465);
    let updates = 1_821 + 24_152;
    compare_totals(
        &report,
        &[
            ("permit", 4, staff + updates),
            ("forbid", 4, out + inward),
            ("contact", 2, 60 + 40 + 3 * 60),
            ("internal", 1, 1_801 + 4_081),
        ],
    );
    // Stockholm is two hours ahead of UTC in May: 03:12 is 05:12 there. Four sessions, all before six; both families.
    let nights = [("2014-05-17T03:12:00Z", "AQ in the quiet hours 22:00-06:00 Europe/Stockholm; 108692 in all")];
    assert_eq!(out + inward, 108_692);
    compare_tripwires(&report, &[("nights", &nights)]);
}
