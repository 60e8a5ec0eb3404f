//! The program as its user meets it: exit codes, what is said where, and bad input of every kind.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A capture in the pcap format, little endian, microseconds, Ethernet, of the frames given.
pub(crate) fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for (number, frame) in frames.iter().enumerate() {
        let length = (frame.len() as u32).to_le_bytes();
        file.extend((1_585_580_400 + number as u32).to_le_bytes());
        file.extend(0u32.to_le_bytes());
        file.extend(length);
        file.extend(length);
        file.extend(frame);
    }
    file
}

/// A UDP packet of `payload` octets over Ethernet.
pub(crate) fn udp(src: [u8; 4], dst: [u8; 4], ports: (u16, u16), payload: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(src, dst, 64).udp(ports.0, ports.1);
    builder.write(&mut frame, &vec![0x5a; payload]).unwrap();
    frame
}

pub(crate) const OURS: [u8; 4] = [10, 20, 1, 9];
/// In Beijing, by the case of 2020 and by the embedded table.
pub(crate) const BEIJING: [u8; 4] = [52, 81, 151, 250];
/// In the United States by every database.
const MOUNTAIN_VIEW: [u8; 4] = [64, 233, 160, 5];

pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// One packet to Beijing and one to Mountain View.
    pub(crate) fn mixed(&self) -> String {
        self.put(
            "mixed.pcap",
            &pcap(&[udp(OURS, BEIJING, (50_000, 443), 100), udp(OURS, MOUNTAIN_VIEW, (50_001, 53), 30)]),
        )
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.run_with_input(args, &[])
    }

    fn run_with_input(&self, args: &[&str], input: &[u8]) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        Said::of(&child.wait_with_output().unwrap())
    }
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn expect(&self, code: i32, out: &[&str], err: &[&str]) {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        for words in out {
            assert!(self.out.contains(words), "`{words}` on standard output:\n{}", self.out);
        }
        for words in err {
            assert!(self.err.contains(words), "`{words}` on standard error:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

#[test]
fn without_a_policy_it_is_an_inventory() {
    let desk = Desk::new();
    let capture = desk.mixed();
    desk.run(&["audit", &capture, "--db", "embedded"]).expect(0, &["China", "United States", "Google", "DB-IP"], &[]);
}

#[test]
fn exit_codes_tell_clean_from_could_not_see() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let db = ["--db", "embedded"];
    let run = |args: &[&str]| desk.run(&[&["audit", &capture][..], &db, args].concat());
    run(&["--deny", "CN"]).expect(1, &["China (CN)"], &[]);
    run(&["--deny", "RU"]).expect(0, &[], &[]);
    run(&["--allow", "CN,US"]).expect(0, &[], &[]);
    run(&["--allow", "@eu.gdpr-area"]).expect(1, &["China (CN)", "United States (US)"], &[]);
    // Of a documentation address no database says anything: it could be anywhere, and that never passes.
    let unknown = desk.put("unknown.pcap", &pcap(&[udp(OURS, [203, 0, 113, 9], (50_000, 443), 100)]));
    desk.run(&["audit", &unknown, "--deny", "CN", "--db", "embedded"]).expect(3, &[], &[]);
    desk.run(&["audit", &unknown, "--deny", "CN", "--db", "embedded", "--accept", "indeterminate"]).expect(0, &[], &[]);
}

#[test]
fn a_cut_capture_says_so_and_is_judged_as_far_as_it_goes() {
    let desk = Desk::new();
    let whole = pcap(&[udp(OURS, MOUNTAIN_VIEW, (50_001, 53), 30), udp(OURS, BEIJING, (50_000, 443), 100)]);
    // The file header is 24 octets; the first record has 16 and 14 + 20 + 8 + 30 of frame: the second starts at 112.
    let cut = desk.put("cut.pcap", &whole[..whole.len() - 10]);
    desk.run(&["audit", &cut, "--deny", "CN", "--db", "embedded"]).expect(3, &["112", "United States"], &[]);
    desk.run(&["audit", &cut, "--deny", "US", "--db", "embedded"]).expect(1, &["112", "United States (US)"], &[]);
    desk.run(&["audit", &cut, "--deny", "CN", "--db", "embedded", "--accept", "incomplete"]).expect(0, &[], &[]);
}

#[test]
fn bad_input_of_every_kind_is_named() {
    let desk = Desk::new();
    let good = desk.mixed();
    let bad = [
        (desk.put("empty.pcap", b""), "empty"),
        (desk.put("text.pcap", b"this is a letter, not a capture\n"), "not a capture or flow log"),
        (
            desk.put("magic.pcap", &[0xca, 0xfe, 0xba, 0xbe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
            "not a capture or flow log",
        ),
        (desk.put("header.pcap", &pcap(&[])[..10]), "header"),
        (desk.path("missing.pcap").to_str().unwrap().to_owned(), "No such file"),
    ];
    for (path, words) in &bad {
        desk.run(&["audit", path, "--db", "embedded"]).expect(2, &[], &["landfall: cannot read", path, words]);
    }
    // All of them at once are all named, and the good one is judged.
    let mut args = vec!["audit", &good, "--deny", "RU", "--db", "embedded"];
    args.extend(bad.iter().map(|(path, _)| path.as_str()));
    let said = desk.run(&args);
    said.expect(3, &["China"], &[]);
    for (path, words) in &bad {
        assert!(
            said.err.lines().any(|line| line.contains(path) && line.contains(words)),
            "{path}: {words}\n{}",
            said.err
        );
    }
    std::fs::create_dir(desk.path("nothing")).unwrap();
    desk.run(&["audit", "nothing", "--db", "embedded"]).expect(2, &[], &["folder without files"]);
    desk.run(&["audit", "--db", "embedded"]).expect(2, &[], &["no input"]);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let capture = desk.mixed();
    std::fs::set_permissions(&capture, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&capture).is_ok() {
        println!("skipped: this user may read every file");
        return;
    }
    desk.run(&["audit", &capture, "--db", "embedded"]).expect(2, &[], &["Permission denied"]);
}

#[test]
fn a_policy_with_three_mistakes_names_all_three() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let policy = desk.put(
        "wrong.toml",
        br#"[policy]
id = "wrong"
title = "Three mistakes"
version = "1"
owner = "a@example.org"
default = "permit"

[zone.office]
networks = ["10.0.0.0/8"]
county = "CA"

[[rule]]
id = "one"
effect = "forbid"
from = ["ofice"]
to = ["UK"]
"#,
    );
    desk.run(&["audit", &capture, "-p", &policy, "--db", "embedded"]).expect(
        2,
        &[],
        &[
            "wrong.toml:10",
            "`county`",
            "`country`",
            "wrong.toml:15",
            "`ofice`",
            "`office`",
            "wrong.toml:16",
            "`UK`",
            "`GB`",
            "cannot be used",
        ],
    );
    desk.run(&["audit", &capture, "--deny", "UK", "--db", "embedded"]).expect(2, &[], &["`UK`", "`GB`"]);
    desk.run(&["audit", &capture, "-p", "nowhere.toml"]).expect(2, &[], &["nowhere.toml", "No such file"]);
    desk.run(&["audit", &capture, "--db", "nowhere.mmdb"]).expect(2, &[], &["nowhere.mmdb"]);
    // Both are told in one run.
    desk.run(&["audit", "gone.pcap", "-p", &policy, "--db", "nowhere.mmdb"]).expect(
        2,
        &[],
        &["`county`", "gone.pcap", "nowhere.mmdb"],
    );
}

#[test]
fn json_is_a_report_and_formats_follow_the_file_name() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let said = desk.run(&["audit", &capture, "--deny", "CN", "--db", "embedded", "--format", "json"]);
    said.expect(1, &[], &[]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["schema"], "landfall.report");
    assert_eq!(json["outcome"], "forbidden");
    assert_eq!(json["findings"][0]["to"]["places"], serde_json::json!(["CN"]));
    // 20 of IP header, 8 of UDP header, 100 of payload.
    assert_eq!(json["findings"][0]["sent"], serde_json::json!({"octets": 128, "packets": 1, "payload": 100}));
    assert_eq!(json["findings"][0]["examples"][0]["position"], 1);
    desk.run(&["audit", &capture, "--db", "embedded", "-o", "report.html"]).expect(0, &[], &[]);
    assert!(std::fs::read_to_string(desk.path("report.html")).unwrap().starts_with("<!DOCTYPE html>"));
    desk.run(&["audit", &capture, "--db", "embedded", "-o", "nowhere/report.html"]).expect(2, &[], &["cannot write"]);
    // The same run gives the same bytes, on any number of threads.
    let again = desk.run(&["audit", &capture, "--deny", "CN", "--db", "embedded", "--format", "json", "-j", "3"]);
    assert_eq!(again.out, said.out);
}

#[test]
fn standard_input_folders_and_compression_are_inputs() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let octets = std::fs::read(&capture).unwrap();
    desk.run_with_input(&["audit", "-", "--deny", "CN", "--db", "embedded"], &octets).expect(1, &["China (CN)"], &[]);
    desk.put("folder/deep/a.pcap", &octets);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&octets).unwrap();
    desk.put("folder/b.pcap.gz", &gz.finish().unwrap());
    desk.put("folder/c.zst", &zstd::encode_all(&octets[..], 1).unwrap());
    let said = desk.run(&["audit", "folder", "--deny", "CN", "--db", "embedded", "--format", "json"]);
    said.expect(1, &[], &[]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["inputs"].as_array().unwrap().len(), 3);
    assert_eq!(json["totals"]["forbid"]["count"], 3);
}

#[test]
fn flows_print_every_key() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let said = desk.run(&["flows", &capture, "--db", "embedded"]);
    said.expect(0, &[], &[]);
    let first: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    let keys = "start end src sport dst dport proto initiator packets octets rpackets roctets payload rpayload end_reason name name_from \
                rtt_us rtt_samples rrtt_us rrtt_samples places standing asn org party tunnel input position";
    for key in keys.split_whitespace() {
        assert!(first.get(key).is_some(), "{key}");
    }
    assert_eq!(first.as_object().unwrap().len(), keys.split_whitespace().count());
    assert_eq!(
        (&first["dst"], &first["octets"], &first["payload"], &first["proto"]),
        (&"52.81.151.250".into(), &128.into(), &100.into(), &"udp".into())
    );
    assert_eq!(first["places"], serde_json::json!(["CN"]));
    let csv = desk.run(&["flows", &capture, "--db", "embedded", "--format", "csv"]);
    csv.expect(0, &["52.81.151.250"], &[]);
    assert_eq!(csv.out.lines().next().unwrap(), keys.split_whitespace().collect::<Vec<_>>().join(","));
    assert_eq!(csv.out.lines().count(), 3);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let desk = Desk::new();
    let capture = desk.mixed();
    let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["flows", &capture, "--db", "embedded"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    Said::of(&child.wait_with_output().unwrap()).expect(0, &[], &[]);
}

/// An audit touches no network: the system calls that it makes are looked at.
#[test]
fn an_audit_opens_no_socket() {
    if !Path::new("/usr/bin/strace").exists() {
        println!("skipped: strace is not installed");
        return;
    }
    let desk = Desk::new();
    let capture = desk.mixed();
    let trace = desk.path("trace");
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=%network", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_landfall"))
        .args(["audit", &capture, "--deny", "CN", "--format", "html"])
        .output()
        .unwrap();
    let Ok(trace) = std::fs::read_to_string(trace) else {
        println!("skipped: strace may not trace here");
        return;
    };
    if !trace.contains("exited with 1") {
        println!("skipped: strace may not trace here: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let calls: Vec<&str> = trace.lines().filter(|line| line.contains('(') && !line.contains("+++")).collect();
    assert!(calls.is_empty(), "network system calls:\n{}", calls.join("\n"));
}

#[test]
fn help_and_version_say_what_they_should() {
    let desk = Desk::new();
    desk.run(&["--help"]).expect(0, &["audit", "flows", "Exit codes"], &[]);
    desk.run(&["audit", "--help"]).expect(0, &["--policy", "--allow", "--deny", "--local", "--db", "--format"], &[]);
    desk.run(&["--version"]).expect(0, &["landfall 0.1.0", "DB-IP", "CC BY 4.0"], &[]);
    desk.run(&["audti"]).expect(2, &[], &["audit"]);
}
