//! The horizon as its user meets it: from a capture to the report and its explanation, and bad input.

use std::path::PathBuf;
use std::process::Command;

use super::fixtures::MS;
use super::fixtures::capture::{Tape, pcap};
use super::fixtures::talk::{Delays, Side, Tcp};
use super::fixtures::{at, end};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.put("feed.csv", b"203.0.113.0/24,CN,,,\n");
        desk.put("anycast.txt", b"198.51.100.0/24\n");
        desk
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn run(&self, args: &str) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).split_whitespace().collect::<Vec<_>>().join(" ");
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    #[track_caller]
    fn expect(&self, args: &str, code: i32, words: &[&str]) -> String {
        let (exit, out, err) = self.run(args);
        assert_eq!(exit, code, "{args}\n{out}\n{err}");
        for part in words {
            assert!(out.contains(part) || err.contains(part), "{args}: no `{part}`\n{out}\n{err}");
        }
        out
    }
}

/// An office at Frankfurt speaks with two far ends: one that a feed places in China answers four connections in four
/// milliseconds each, and one that is announced from many sites answers five echo requests of one flow in three.
fn capture() -> Vec<u8> {
    let mut tape = Tape::default();
    let start = at("2026-05-01T12:00:00Z");
    for number in 0..4 {
        let delays = Delays { opener: MS / 10, responder: 4 * MS };
        let opener = end("10.0.0.7", 50_000 + number);
        let mut tcp = Tcp::open(&mut tape, start, opener, end("203.0.113.9", 443), delays);
        tcp.say(Side::Opener, b"a question");
        tcp.say(Side::Responder, b"an answer");
        tcp.close(Side::Opener);
    }
    for sequence in 0..5 {
        let (ours, theirs) = ([10, 0, 0, 7], [198, 51, 100, 1]);
        let frame = |from, to| etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64);
        let mut record = |time, frame: etherparse::PacketBuilderStep<etherparse::Icmpv4Header>| {
            let mut octets = Vec::new();
            frame.write(&mut octets, &[0x5a; 32]).unwrap();
            tape.record(time, octets);
        };
        let sent = start + u64::from(sequence) * 1000 * MS;
        record(sent, frame(ours, theirs).icmpv4_echo_request(7, sequence));
        record(sent + 3 * MS, frame(theirs, ours).icmpv4_echo_reply(7, sequence));
    }
    pcap(&tape.into_frames())
}

const AUDIT: &str = "audit office.pcap --local 10.0.0.0/8 --db feed.csv --db anycast.txt";

#[test]
fn a_claim_is_refuted_from_the_capture_to_the_report() {
    let desk = Desk::new();
    desk.put("office.pcap", &capture());
    desk.expect(&format!("{AUDIT} --deny CN"), 1, &["China"]);
    desk.expect(
        &format!("{AUDIT} --deny CN --vantage 50.11,8.68"),
        0,
        &[
            "203.0.113.9 answered within 4 ms",
            "it stands within 400 km of 50.11,8.68 through fibre",
            "Claimed in China (CN), which is refuted",
            "198.51.100.1 answered this flow within 3 ms",
            "Announced from many sites, but it is in",
            "A round-trip time proves where the machine is that answered",
        ],
    );
    // Anywhere in Germany, or wherever the host's region says: 400 km around Germany is not China.
    for vantage in ["DE", "aws:eu-central-1", "gcp:europe-west3"] {
        desk.expect(&format!("{AUDIT} --deny CN --vantage {vantage}"), 0, &["somewhere in Germany (DE)"]);
    }
    // From Singapore 400 km are not Germany.
    desk.expect(&format!("{AUDIT} --deny DE --vantage 1.35,103.82"), 0, &["Singapore (SG)"]);
    // 600 km by light in empty space are still not China.
    desk.expect(&format!("{AUDIT} --deny CN --vantage 50.11,8.68 --horizon vacuum"), 0, &["within 600 km"]);
}

const POLICY: &str = r#"
[policy]
id = "office"
title = "Inside reach"
version = "1"
owner = "tests@example.org"
default = "forbid"
vantage = { country = "DE", lat = 50.11, lon = 8.68 }

[zone.office]
networks = ["10.0.0.0/8"]
country = "DE"

[[rule]]
id = "neighbours"
title = "The neighbours of Germany"
effect = "permit"
from = ["office"]
to = ["AT", "BE", "CH", "CZ", "DE", "DK", "FR", "GB", "IT", "LI", "LU", "NL", "PL"]
movement = "either"
basis = ["contract"]
"#;

#[test]
fn an_edge_inside_reach_satisfies_a_policy_that_permits_all_of_it() {
    let desk = Desk::new();
    desk.put("office.pcap", &capture());
    desk.put("office.toml", POLICY.as_bytes());
    let audit = "audit office.pcap -p office.toml --db feed.csv --db anycast.txt";
    desk.expect(audit, 0, &["Nothing forbidden was found"]);
    // The flag goes before the policy: from Tokyo, nothing within 400 km is permitted.
    desk.expect(&format!("{audit} --vantage 35.68,139.77"), 1, &["Japan (JP)"]);
    let narrow = POLICY.replace(r#""DE", "DK", "#, r#""DK", "#);
    desk.put("office.toml", narrow.as_bytes());
    desk.expect(&format!("{audit} --format json -o report.json"), 3, &[]);
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.0.path().join("report.json")).unwrap()).unwrap();
    let ids: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    let words = ["Claims", "Horizon", "Rule", "Decision", "through fibre", "the policy's default", "office.pcap frame"];
    for id in &ids {
        desk.expect(&format!("explain {id} report.json"), 0, &words);
        desk.expect(&format!("explain {} report.json", &id[..8]), 0, &[id]);
    }
    desk.expect("explain ffffffffffff report.json", 2, &["no finding `ffffffffffff`", ids[0]]);
    desk.expect("explain ffffffffffff", 2, &["name it, as in"]);
    desk.expect("explain ffffffffffff office.pcap", 2, &["cannot use `office.pcap`"]);
    desk.expect("explain ffffffffffff gone.json", 2, &["cannot read `gone.json`"]);
}

#[test]
fn locate_says_what_a_round_trip_time_refutes() {
    let desk = Desk::new();
    desk.put("office.toml", POLICY.as_bytes());
    let locate = "locate 203.0.113.9 --db feed.csv --vantage 50.11,8.68";
    let out = desk.expect(
        &format!("{locate} --rtt 4"),
        0,
        &["feed: CN for 203.0.113.0/24", "4 ms from 50.11,8.68, so at most 400 km away", "refutes every claim: CN"],
    );
    assert!(out.contains("in reach: AT,BE,CH") && !out.contains("in reach: *"), "{out}");
    desk.expect(&format!("{locate} --rtt 150"), 0, &["refutes nothing of what is claimed: CN (China)"]);
    desk.expect(
        "locate 203.0.113.9 --db feed.csv -p office.toml --rtt 1",
        0,
        &["at most 100 km away", "refuted", "from zone office: permit by neighbours"],
    );
    let row = desk.expect(&format!("{locate} --rtt 4 --json"), 0, &[]);
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    assert_eq!((row["standing"].as_str(), row["horizon"]["km"].as_u64()), (Some("refuted"), Some(400)));
    assert_eq!((&row["horizon"]["claimed"][0], &row["horizon"]["refuted"][0]), (&"CN".into(), &"CN".into()));
    // Without it the keys are those that they were.
    let row = desk.expect("locate 203.0.113.9 --db feed.csv --json", 0, &[]);
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["addr", "asn", "claims", "org", "places", "provider", "rests_on", "standing"]);
}

#[test]
fn bad_vantages_are_named() {
    let desk = Desk::new();
    desk.put("office.pcap", &capture());
    for (vantage, said) in [
        ("UK", "did you mean `GB`"),
        ("50.11", "`50.11` is not an ISO 3166-1 country code"),
        ("95,8", "degrees north and east"),
        ("aws:mars-north-1", "`mars-north-1` is no region"),
        ("aws:GLOBAL", "many sites"),
        ("hal:x", "`hal` is no provider"),
    ] {
        desk.expect(&format!("{AUDIT} --deny CN --vantage {vantage}"), 2, &[said]);
    }
    desk.expect("locate 203.0.113.9 --db feed.csv --rtt 4", 2, &["name it with --vantage"]);
    desk.expect("locate 203.0.113.9 --db feed.csv --vantage DE --rtt 0.01", 2, &["not a round-trip time"]);

    let with = |vantage: &str| {
        let text = POLICY.replace(r#"{ country = "DE", lat = 50.11, lon = 8.68 }"#, vantage);
        desk.put("bad.toml", text.as_bytes());
    };
    for (vantage, code, said) in [
        (r#"{ country = "UK" }"#, 2, "unknown-country"),
        (r"{ lat = 50.11 }", 2, "needs `lat` and `lon`, or a `country`"),
        (r"{ lat = 150.11, lon = 8.68 }", 2, "`lat` is out of range"),
        (r#"{ country = "DE", lat = "north", lon = 8.68 }"#, 2, "wrong-type"),
        (r#"{ country = "DE", lat = 8.68, lon = 50.11 }"#, 0, "the vantage is not in Germany"),
        (r#"{ country = "DE", where = "cellar" }"#, 2, "unknown-key"),
    ] {
        with(vantage);
        desk.expect("policy check bad.toml", code, &[said]);
    }
    with(r#"{ country = "DE", lat = 8.68, lon = 50.11 }"#);
    desk.expect("audit office.pcap -p bad.toml --db embedded", 3, &["the vantage is not in Germany", "vantage-abroad"]);
}
