//! Digests of inputs: of what lies on disk, whatever its format and wrapping, and none where it was not read to its end.
//!
//! The expected digests are those of the whole content at once, and of one file what `sha256sum` says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/zoom-2020/meeting.pcap");

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat()
}

/// What `sha256sum` says of it.
const CAPTURE_SHA256: &str = "9cce85ea6595f655a52b606eec5044bc6114b844e14d7510e9cc4933b8baecfe";

/// An audit with these arguments and this on standard input: the inputs of its JSON report.
fn inputs(args: &[&str], input: &[u8]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.args(["audit", "--format", "json", "--digests"]).args(args).write_stdin(input);
    let output = command.output().expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    report["inputs"].as_array().expect("inputs").clone()
}

/// The length and the digest that a report says of the one input with this name.
fn said(inputs: &[Value], name: &Path) -> Option<(u64, String)> {
    let input = inputs.iter().find(|input| input["name"] == name.display().to_string().as_str()).expect("the input");
    let digest = input.get("digest")?;
    Some((digest["octets"].as_u64().expect("a length"), digest["sha256"].as_str().expect("a digest").to_owned()))
}

fn put(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a file");
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn an_input_is_named_by_what_lies_on_disk() {
    let capture = fs::read(CAPTURE).expect("the sample");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // Two that are read as they are; wrapped ones have the digest of their wrapping.
    let wrapped = gzip(&capture);
    let twice = zstd::encode_all(&wrapped[..], 1).expect("memory");
    // A capture that breaks off in a record was read to its end.
    let broken = &capture[..capture.len() - 7];
    let files: Vec<(PathBuf, &[u8])> =
        [("a.pcap", &capture[..]), ("b.pcap.gz", &wrapped[..]), ("c.pcap.gz.zst", &twice[..]), ("d.pcap", broken)]
            .into_iter()
            .map(|(name, content)| (put(folder, name, content), content))
            .collect();
    let found = inputs(&[&folder.display().to_string()], b"");
    for (path, content) in &files {
        assert_eq!(said(&found, path), Some((content.len() as u64, sha256(content))), "{}", path.display());
    }
    assert_eq!(said(&found, &files[0].0), Some((238_178, CAPTURE_SHA256.to_owned())));
    let again = inputs(&["-j", "1", &folder.display().to_string()], b"");
    assert_eq!(again, found, "however many are read at once");

    let stdin = inputs(&["-"], &wrapped);
    assert_eq!(said(&stdin, Path::new("-")), Some((wrapped.len() as u64, sha256(&wrapped))));
}

/// A log without flows is read for the names in it, before the log that it lies beside.
#[test]
fn a_log_that_is_read_for_its_names_has_a_digest() {
    let log = |path: &str, fields: &str, row: &str| {
        format!("#separator \\x09\n#unset_field\t-\n#path\t{path}\n#fields\t{fields}\n{row}\n")
    };
    let ends = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p";
    let row = "1600000000.0\tC1\t10.0.0.1\t50000\t192.0.2.1\t443";
    let folder = tempfile::tempdir().expect("a folder");
    let conn = log("conn", &format!("{ends}\tproto\torig_bytes\tresp_bytes"), &format!("{row}\ttcp\t10\t10"));
    let ssl = log("ssl", &format!("{ends}\tserver_name"), &format!("{row}\texample.com"));
    let files =
        [("conn.log", conn), ("ssl.log", ssl)].map(|(name, text)| (put(folder.path(), name, text.as_bytes()), text));
    let found = inputs(&[&folder.path().display().to_string()], b"");
    for (path, text) in &files {
        assert_eq!(said(&found, path), Some((text.len() as u64, sha256(text.as_bytes()))), "{}", path.display());
    }
}

/// A format that is read from its end does not pass from the first octet to the last.
#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_has_the_digest_of_all_of_it() {
    let content = crate::cloud_parquet::some(50_000);
    assert!(content.len() > 300_000, "more than is read at once");
    let folder = tempfile::tempdir().expect("a folder");
    let path = put(folder.path(), "flows.parquet", &content);
    let found = inputs(&[&path.display().to_string()], b"");
    assert_eq!(said(&found, &path), Some((content.len() as u64, sha256(&content))));
    let stdin = inputs(&["-"], &content);
    assert_eq!(said(&stdin, Path::new("-")), said(&found, &path));
}

#[test]
fn what_was_not_read_to_its_end_has_no_digest() {
    let capture = fs::read(CAPTURE).expect("the sample");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let wrapped = gzip(&capture);
    let damaged = put(folder, "damaged.pcap.gz", &wrapped[..wrapped.len() / 2]);
    let limited = put(folder, "limited.pcap.gz", &wrapped);
    let nothing = put(folder, "picture.png", b"\x89PNG\r\n\x1a\n0123456789");
    let path = folder.display().to_string();
    let found = inputs(&["--max-inflate", "1000", &path], b"");
    for path in [&damaged, &limited, &nothing] {
        assert_eq!(said(&found, path), None, "{}", path.display());
    }
    let remarks = |input: &Value| input["remarks"].to_string();
    let of = |path: &Path| found.iter().find(|input| input["name"] == path.display().to_string().as_str());
    assert!(remarks(of(&limited).expect("it")).contains("no digest was taken: it was not read to its end"));
}

#[test]
fn digests_are_in_every_form_of_the_report_and_only_where_asked_for() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_landfall")).arg("audit").args(args).arg(CAPTURE).output();
        String::from_utf8(output.expect("it runs").stdout).expect("text")
    };
    for format in ["text", "html", "json"] {
        let with = run(&["--digests", "--format", format]);
        assert!(with.contains(CAPTURE_SHA256), "{format}: {with}");
        let without = run(&["--format", format]);
        assert!(!without.contains(CAPTURE_SHA256) && !without.contains("\"digest\": null"), "{format}");
    }
}
