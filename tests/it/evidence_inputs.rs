//! The packets of findings out of inputs of every kind, and the limits of evidence.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall::audit::{Grounds, Local};
use landfall::locate::Atlas;
use landfall::policy::{Library, Policy};
use landfall::run::batch;
use landfall::run::evidence::{self, Case, Keep, Limits};
use landfall::run::folder::Folder;
use landfall::source::Options;
use landfall::source::capture::{Capture, CaptureFormat, Next};

use super::fixtures::capture::{Tape, pcap};
use super::fixtures::talk::{Delays, Side, Tcp};
use super::fixtures::{MS, at, end};

const OURS: [u8; 4] = [10, 0, 0, 7];
/// In China, the United States and Japan, by the feed.
const CHINA: [u8; 4] = [203, 0, 113, 9];
const AMERICA: [u8; 4] = [203, 0, 113, 70];
const JAPAN: [u8; 4] = [203, 0, 113, 130];
const FEED: &str = "203.0.113.0/26,CN,,,\n203.0.113.64/26,US,,,\n203.0.113.128/26,JP,,,\n";

const POLICY: &str = r#"
[policy]
id = "office"
title = "Nowhere far"
version = "1"
owner = "tests@example.org"
default = "permit"

[zone.office]
networks = ["10.0.0.0/8"]
country = "DE"

[[rule]]
id = "far"
title = "Far countries"
effect = "forbid"
from = ["office"]
to = ["CN", "US", "JP"]
movement = "either"
"#;

/// IPv4 (RFC 791) without options.
fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, content: &[u8]) -> Vec<u8> {
    let length = (20 + content.len() as u16).to_be_bytes();
    [&[0x45, 0, length[0], length[1], 0, 7, 0, 0, 64, protocol, 0, 0][..], &src, &dst, content].concat()
}

/// To a port, from port 5000; what goes to that is an answer, from port 443.
fn udp(src: [u8; 4], dst: [u8; 4], dport: u16, payload: &[u8]) -> Vec<u8> {
    let sport = if dport == 5000 { 443 } else { 5000 };
    let fields = [sport, dport, 8 + payload.len() as u16, 0].map(u16::to_be_bytes).concat();
    ipv4(src, dst, 17, &[&fields, payload].concat())
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    [&[2; 6][..], &[4; 6], &[8, 0], packet].concat()
}

/// Linux cooked capture, version 2 (`LINKTYPE_LINUX_SLL2`), from an Ethernet interface.
fn cooked(packet: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6][..], &[2; 6], &[0; 2], packet].concat()
}

/// A block of pcapng, little-endian.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().wrapping_neg() % 4];
    let length = (12 + body.len() + padding.len()) as u32;
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &padding, &length.to_le_bytes()].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat())
}

/// An interface with a link type, and a clock of ten to the minus `digits` seconds.
fn interface(link: u16, digits: u8) -> Vec<u8> {
    block(1, &[&link.to_le_bytes()[..], &[0; 6], &[9, 0, 1, 0, digits, 0, 0, 0], &[0; 4]].concat())
}

fn enhanced(interface: u32, ticks: u64, octets: &[u8], original: usize) -> Vec<u8> {
    let words = [interface, (ticks >> 32) as u32, ticks as u32, octets.len() as u32, original as u32];
    block(6, &[&words.map(u32::to_le_bytes).concat(), octets].concat())
}

/// A frame as a slice has it.
#[derive(Debug, PartialEq)]
struct Kept {
    link: u32,
    nanos: u64,
    octets: Vec<u8>,
    original: u32,
}

fn frames(path: &Path) -> Vec<Kept> {
    let head = fs::read(path).unwrap();
    let mut capture = Capture::open(CaptureFormat::of(&head).unwrap(), Box::new(File::open(path).unwrap())).unwrap();
    let mut frames = Vec::new();
    loop {
        match capture.next_frame().unwrap() {
            Next::Frame(frame) => frames.push(Kept {
                link: frame.link.0,
                nanos: frame.time.unwrap().0,
                octets: frame.octets.to_vec(),
                original: frame.original_length,
            }),
            Next::End => return frames,
            other => panic!("{other:?}"),
        }
    }
}

/// What the comments of a slice name: an input, and the number of a frame in it.
fn named(path: &Path, input: &str) -> Vec<u64> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let after = text.split(&format!("{input} frame ")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    after.iter().map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.put("feed.csv", FEED.as_bytes());
        desk
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Audits by the command; the findings' files with what is said of each, and what was told.
    fn audit(&self, args: &str) -> (i32, Vec<(PathBuf, serde_json::Value)>, String) {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(args.split(' ').chain(["--evidence", "evidence", "--format", "json", "-o", "report.json"]))
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let report = fs::read(self.0.path().join("report.json")).unwrap_or_else(|_| panic!("{err}"));
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
            let file = format!("evidence/{}.pcapng", finding["id"].as_str().unwrap());
            (self.0.path().join(file), finding.clone())
        });
        (output.status.code().unwrap(), findings.collect(), err)
    }

    /// Audits within limits, by a policy against three countries: what was told, and the slices that there are, gravest first,
    /// with how many packets each holds.
    fn within(&self, input: &str, limits: Limits) -> (Vec<String>, Vec<(String, String, usize)>) {
        let atlas = Atlas::open(&[self.0.path().join("feed.csv").into()], None, None).unwrap();
        let policy = Policy::parse("office.toml", POLICY, Library::embedded()).policy;
        let grounds = Grounds { policy: Some(policy.unwrap()), atlas, local: Local::Zones, horizon: None };
        let (inputs, errors) = batch::plan(&[self.0.path().join(input)]);
        assert!(errors.is_empty());
        let options = Options::default();
        let audit = batch::audit(&inputs, &grounds, &options, 1, &Arc::default());
        let report = audit.report(&grounds, None);
        let asked = self.0.path().join(format!("within-{limits:?}").replace(' ', ""));
        let folder = Folder::claim(&asked).unwrap();
        let case =
            Case { inputs: &inputs, grounds: &grounds, options: &options, audit: &audit, report: &report, limits };
        let notes = evidence::write(&folder, Keep::Headers, &case).unwrap();
        let slices = report.findings.iter().map(|finding| asked.join(format!("{}.pcapng", finding.id)));
        let slices = slices.filter(|path| path.is_file()).map(|path| {
            let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let head = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            (id, head, frames(&path).len())
        });
        (notes, slices.collect())
    }
}

#[test]
fn interfaces_clocks_and_numbers_are_those_of_the_input() {
    let desk = Desk::new();
    let away = udp(OURS, CHINA, 443, b"secret");
    let near = udp(OURS, [10, 0, 0, 8], 443, b"near");
    // 2020-09-13T12:26:40 and some, in micro-, nano- and milliseconds.
    let file = [
        section(),
        interface(1, 6),
        interface(101, 9),
        enhanced(0, 1_600_000_000_000_001, &ethernet(&away), ethernet(&away).len()),
        // A block of names and one of statistics are no frames.
        block(4, &[0, 0, 0, 0]),
        enhanced(1, 1_600_000_000_000_000_002, &near, near.len()),
        block(5, &[0; 12]),
        interface(276, 3),
        // Captured in part, to the middle of the payload.
        enhanced(2, 1_600_000_000_003, &cooked(&away)[..50], cooked(&away).len()),
        enhanced(1, 1_600_000_000_000_000_004, &udp(CHINA, OURS, 5000, b"answer"), 34),
        // Another section counts its interfaces anew.
        section(),
        interface(101, 6),
        enhanced(0, 1_600_000_000_000_005, &away, away.len()),
    ];
    desk.put("many.pcapng", &file.concat());
    let (code, findings, err) = desk.audit("audit many.pcapng --local 10.0.0.0/8 --db feed.csv --deny CN");
    assert_eq!((code, err.as_str()), (1, ""));
    let mut seen = 0;
    for (slice, _) in &findings {
        // As tshark 4.0.17 numbers them: `frame.number` of packets with this address is 1, 3, 4 and 5.
        assert_eq!(named(slice, "many.pcapng"), [1, 3, 4, 5]);
        let kept = frames(slice);
        let told: Vec<_> = kept.iter().map(|kept| (kept.link, kept.nanos, kept.octets.len(), kept.original)).collect();
        let second = 1_600_000_000_000_000_000;
        // To the end of the UDP header: 14 + 28, 20 + 28, 28.
        let expected = [
            (1, second + 1000, 42, 48),
            (276, second + 3_000_000, 48, 54),
            (101, second + 4, 28, 34),
            (101, second + 5000, 28, 34),
        ];
        assert_eq!(told, expected);
        assert!(!String::from_utf8_lossy(&fs::read(slice).unwrap()).contains("secret"));
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn compressed_inputs_and_several_are_one_slice() {
    let desk = Desk::new();
    let mut tape = Tape::default();
    tape.record(at("2026-05-01T12:00:00Z"), ethernet(&udp(OURS, JAPAN, 443, b"one")));
    tape.record(at("2026-05-01T12:00:01Z"), ethernet(&udp(OURS, CHINA, 443, b"two")));
    let capture = pcap(&tape.into_frames());
    desk.put("a.pcap", &capture);
    desk.put("b.pcap.zst", &zstd::encode_all(&capture[..], 0).unwrap());
    // Compressed twice, and under a name that says something else.
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut twice, &zstd::encode_all(&capture[..], 0).unwrap()).unwrap();
    desk.put("c.log", &twice.finish().unwrap());
    // Cut in the middle of its second packet: the first is there all the same.
    desk.put("d.pcap", &capture[..capture.len() - 5]);
    desk.put("e.pcap", &[&capture[..], &[0xff; 40]].concat());
    let (code, findings, err) =
        desk.audit("audit a.pcap b.pcap.zst c.log d.pcap e.pcap --local 10.0.0.0/8 --db feed.csv --deny CN,JP");
    assert_eq!(code, 1);
    assert!(err.contains("cannot read `e.pcap`") && !err.contains("evidence"), "{err}");
    let [china, japan] = ["CN", "JP"].map(|country| {
        let of = findings.iter().find(|(_, finding)| finding.to_string().contains(&format!("\"{country}\"")));
        &of.unwrap_or_else(|| panic!("{findings:?}")).0
    });
    for (slice, frame, without) in [(china, 2, "d.pcap"), (japan, 1, "")] {
        let inputs: Vec<_> = ["a.pcap", "b.pcap.zst", "c.log", "d.pcap", "e.pcap"].into_iter().collect();
        let inputs: Vec<_> = inputs.into_iter().filter(|name| *name != without).collect();
        for input in &inputs {
            assert_eq!(named(slice, input), [frame], "{input}");
        }
        assert_eq!(frames(slice).len(), inputs.len());
    }
}

#[test]
fn tunnels_in_tunnels_are_cut_after_the_innermost_transport() {
    let desk = Desk::new();
    // GRE (RFC 2784) around VXLAN (RFC 7348) around Ethernet.
    let inner = ethernet(&udp(OURS, CHINA, 443, b"the inside"));
    let vxlan = udp([192, 0, 2, 1], [192, 0, 2, 2], 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &inner].concat());
    let outer = ethernet(&ipv4([198, 51, 100, 1], [198, 51, 100, 2], 47, &[&[0, 0, 8, 0][..], &vxlan].concat()));
    let mut tape = Tape::default();
    tape.record(at("2026-05-01T12:00:00Z"), ethernet(&udp(OURS, AMERICA, 443, b"elsewhere")));
    tape.record(at("2026-05-01T12:00:01Z"), outer.clone());
    desk.put("tunnel.pcap", &pcap(&tape.into_frames()));
    let (code, findings, err) = desk.audit("audit tunnel.pcap --local 10.0.0.0/8 --db feed.csv --deny CN");
    assert_eq!((code, err.as_str()), (1, ""));
    let mut of_inside = 0;
    for (slice, finding) in findings.iter().filter(|(_, finding)| finding["decision"] == "forbid") {
        assert_eq!(named(slice, "tunnel.pcap"), [2], "{finding}");
        // 14 + 20 + 4 (GRE) + 20 + 8 (UDP) + 8 (VXLAN) + 14 + 20 + 8.
        let kept = &frames(slice)[0];
        assert_eq!((kept.octets.len(), kept.original as usize), (116, outer.len()));
        assert!(outer.starts_with(&kept.octets));
        of_inside += 1;
    }
    assert_eq!(of_inside, 1);
}

#[test]
fn what_a_round_trip_time_settles_at_the_end_has_all_its_packets() {
    let desk = Desk::new();
    // Connections to an address that a feed places in China; the first is answered late, the others within 0.2 ms of
    // Frankfurt, which is Germany (20 km there at most).
    let mut tape = Tape::default();
    let start = at("2026-05-01T12:00:00Z");
    for (port, responder) in (50_000..).zip([60 * MS, MS / 5, MS / 5, MS / 5, MS / 5]) {
        let delays = Delays { opener: MS / 10, responder };
        let begin = start + u64::from(port - 50_000) * 10_000 * MS;
        let mut tcp = Tcp::open(&mut tape, begin, end("10.0.0.7", port), end("203.0.113.9", 443), delays);
        tcp.say(Side::Opener, b"a question");
        tcp.say(Side::Responder, b"an answer");
        tcp.close(Side::Opener);
    }
    let count = {
        let frames = tape.into_frames();
        desk.put("office.pcap", &pcap(&frames));
        frames.len() as u64
    };
    let audit = "audit office.pcap --local 10.0.0.0/8 --db feed.csv --vantage 50.11,8.68";
    // China is refuted for all, and what is left is Germany.
    let (code, findings, err) = desk.audit(&format!("{audit} --deny DE"));
    assert_eq!((code, err.as_str()), (1, ""), "{findings:?}");
    let slices: Vec<_> = findings.iter().filter(|(_, finding)| finding["decision"] == "forbid").collect();
    assert!(!slices.is_empty());
    for (slice, _) in slices {
        assert_eq!(named(slice, "office.pcap"), (1..=count).collect::<Vec<_>>());
    }
    fs::remove_dir_all(desk.0.path().join("evidence")).unwrap();
    let (code, findings, _) = desk.audit(&format!("{audit} --deny CN"));
    assert_eq!((code, findings.len()), (0, 0));
    assert_eq!(fs::read_dir(desk.0.path().join("evidence")).unwrap().count(), 0);
}

#[test]
fn every_limit_is_counted_and_told() {
    let desk = Desk::new();
    let mut tape = Tape::default();
    let start = at("2026-05-01T12:00:00Z");
    // Ten packets of two flows to China, six of one to Japan and three of one to the United States.
    let far = [(CHINA, 443, 7), (CHINA, 444, 3), (JAPAN, 443, 6), (AMERICA, 443, 3)];
    for (place, (dst, port, count)) in (0_u64..).zip(far) {
        for number in 0..count {
            tape.record(start + (place * 20 + number) * MS, ethernet(&udp(OURS, dst, port, b"0123456789")));
        }
    }
    desk.put("far.pcap", &pcap(&tape.into_frames()));
    let all = Limits::default();
    assert_eq!(all, Limits { slices: 256, packets: 200_000, octets: 64 << 20, records: 2_000_000 });
    let counts = |slices: &[(String, String, usize)]| slices.iter().map(|(_, _, count)| *count).collect::<Vec<_>>();

    let (notes, slices) = desk.within("far.pcap", all);
    assert_eq!((notes.len(), counts(&slices)), (0, vec![10, 6, 3]));
    assert!(slices.iter().all(|(_, head, _)| !head.contains("not all")));

    let (notes, slices) = desk.within("far.pcap", Limits { slices: 2, ..all });
    assert_eq!(notes, ["evidence: 1 findings beyond the 2 gravest have no file"]);
    assert_eq!(counts(&slices), [10, 6]);

    let (notes, slices) = desk.within("far.pcap", Limits { packets: 6, ..all });
    assert_eq!(notes, [format!("evidence of {}: 4 packets beyond the first 6 were left out", slices[0].0)]);
    assert_eq!(counts(&slices), [6, 6, 3]);
    let said = "not all: 4 packets more were left out (the most are 6 packets and 67108864 octets)";
    assert!(slices[0].1.contains(said) && !slices[1].1.contains("not all"));

    // Ethernet, IPv4 and UDP are 42 octets: there is room for one packet, and with its block around it for no other.
    let (notes, slices) = desk.within("far.pcap", Limits { octets: 42, ..all });
    assert_eq!(counts(&slices), [1, 1, 1]);
    let told = [9, 5, 2].into_iter().zip(&slices);
    let told =
        told.map(|(count, (id, ..))| format!("evidence of {id}: {count} packets beyond the first 1 were left out"));
    assert_eq!(notes, told.collect::<Vec<_>>());

    // Of four records one is kept in mind.
    let (notes, slices) = desk.within("far.pcap", Limits { records: 1, ..all });
    let input = desk.0.path().join("far.pcap");
    let said = format!("evidence: 3 flow records of `{}` beyond 1 were left out", input.display());
    assert_eq!(notes, [&*said]);
    assert!(slices.iter().all(|(_, head, _)| head.contains(&said)));
    assert_eq!(counts(&slices).iter().filter(|count| **count > 0).count(), 1);
}
