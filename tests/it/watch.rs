//! Live capture, between two hosts that the test makes: network namespaces with a cable between them.
//!
//! Making them takes root and iproute2; without, the tests say so and do nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfall::meter::{Early, Frame, Meter, MeterConfig};
use landfall::model::{Addr, Batch, Counters, FlowEndReason, FlowRecord, InputCoverage, InputId, Timestamp};
use landfall::run::live::{LiveCapture, LiveError};
use landfall::run::watch::Watch;
use landfall::source::{Progress, Source};
use landfall::wire::LinkType;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// More idle reads than any test waits for: each is a fifth of a second.
const PATIENCE: usize = 100;

/// Two hosts with a cable between them: interface `near` in one, `far` in the other. They go when this is dropped.
struct Hosts(String);

impl Hosts {
    fn new(test: &str) -> Option<Self> {
        let hosts = Self(format!("landfall-{test}-{}", std::process::id()));
        let [near, far] = hosts.names();
        let made = [
            format!("netns add {near}"),
            format!("netns add {far}"),
            format!("-n {near} link add near type veth peer name far netns {far}"),
            format!("-n {far} link set lo up"),
            // No address, so that the hosts say nothing of their own.
            format!("-n {near} link set near addrgenmode none arp off up"),
            format!("-n {far} link set far addrgenmode none arp off up"),
        ];
        for arguments in made {
            let output = Command::new("ip").args(arguments.split(' ')).output();
            let Ok(output) = output else {
                println!("skipped: no `ip` to make network namespaces with");
                return None;
            };
            if !output.status.success() {
                println!("skipped: `ip {arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim());
                return None;
            }
        }
        Some(hosts)
    }

    fn names(&self) -> [String; 2] {
        [format!("{}-near", self.0), format!("{}-far", self.0)]
    }

    /// Does something as the host with interface `near` (0) or `far` (1).
    fn on<T: Send>(&self, host: usize, what: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.names()[host]);
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                let place = File::open(path).unwrap();
                move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                what()
            });
            there.join().unwrap()
        })
    }

    fn wire(&self) -> pcap::Capture<pcap::Active> {
        self.on(0, || pcap::Capture::from_device("near").unwrap().open().unwrap())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in self.names() {
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((20 + transport.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    frame.extend(src);
    frame.extend(dst);
    frame.extend(transport);
    // Ethernet's least length: padding is no traffic.
    frame.resize(frame.len().max(60), 0);
    frame
}

fn ipv6(src: u16, dst: u16, protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0];
    frame.extend((transport.len() as u16).to_be_bytes());
    frame.extend([protocol, 64]);
    for host in [src, dst] {
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(host.to_be_bytes());
    }
    frame.extend(transport);
    frame
}

fn tcp(sport: u16, dport: u16, flags: u8, payload: usize) -> Vec<u8> {
    let mut segment = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    segment.extend(vec![b'x'; payload]);
    segment
}

fn udp(sport: u16, dport: u16, payload: usize) -> Vec<u8> {
    let mut datagram = [sport.to_be_bytes(), dport.to_be_bytes(), (8 + payload as u16).to_be_bytes()].concat();
    datagram.extend([0, 0]);
    datagram.extend(vec![b'x'; payload]);
    datagram
}

const SYN: u8 = 2;
const ACK: u8 = 16;

/// Conversations of both IP versions, interleaved, and frames that are not IP.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for round in 0..40u16 {
        for host in 0..40u8 {
            let (here, there, port) = ([10, 0, 0, host], [198, 51, 100, host], 40_000 + u16::from(host));
            let size = usize::from(round) * 35;
            frames.push(match (round, host % 4) {
                (0, 0 | 1) => ipv4(here, there, 6, &tcp(port, 443, SYN, 0)),
                (1, 0 | 1) => ipv4(there, here, 6, &tcp(443, port, SYN | ACK, 0)),
                (_, 0) => ipv4(here, there, 6, &tcp(port, 443, ACK, size)),
                (_, 1) => ipv4(there, here, 6, &tcp(443, port, ACK, size)),
                (_, 2) => ipv4(here, there, 17, &udp(port, 53, size)),
                _ => ipv6(u16::from(host), 0x100, 17, &udp(port, 443, size)),
            });
        }
        frames.push([&[0xff; 6][..], &[2, 0, 0, 0, 0, 2, 0x08, 0x06], &[0; 46]].concat());
    }
    frames
}

/// What the two ends of a conversation sent, under the lower end first.
type Totals = BTreeMap<((Addr, u16), (Addr, u16), u8), (Counters, Counters)>;

fn add(totals: &mut Totals, records: &[FlowRecord]) {
    for record in records {
        let (mut one, mut other) = ((record.src, record.sport), (record.dst, record.dport));
        let (mut forward, mut reverse) = (record.forward, record.reverse);
        if one > other {
            (one, other, forward, reverse) = (other, one, reverse, forward);
        }
        let sums = totals.entry((one, other, record.protocol.0)).or_default();
        sums.0.add(forward);
        sums.1.add(reverse);
    }
}

/// The same frames through the meter alone.
fn expected(frames: &[Vec<u8>]) -> (Totals, InputCoverage) {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch, mut totals) = (InputCoverage::default(), Batch::default(), Totals::new());
    for (number, octets) in (1..).zip(frames) {
        let time = Some(Timestamp(number * 1000));
        let original_length = octets.len() as u32;
        let frame = Frame { time, number, link: LinkType::ETHERNET, octets, original_length };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    add(&mut totals, &batch.records);
    (totals, coverage)
}

fn config() -> MeterConfig {
    MeterConfig { early: Early::FirstPayload, ..MeterConfig::default() }
}

#[test]
fn what_is_captured_is_what_was_sent() {
    let Some(hosts) = Hosts::new("same") else { return };
    let stop = Arc::new(AtomicBool::new(false));
    let open = || LiveCapture::open(InputId(0), "far", None, config(), Arc::clone(&stop));
    let mut capture = hosts.on(1, open).unwrap();
    let mut wire = hosts.wire();
    let frames = frames();
    let (mut batch, mut totals, mut idle) = (Batch::default(), Totals::new(), 0);
    // Sent in parts, and read in between, so that the queue between the hosts, which is not ours, is never full.
    let mut parts = frames.chunks(400);
    let mut sent = 0;
    loop {
        match capture.read(&mut batch).unwrap() {
            Progress::Idle if capture.coverage().read.count < sent => {
                idle += 1;
                assert!(idle < PATIENCE, "{} of {sent} frames came", capture.coverage().read.count);
            }
            Progress::Idle => match parts.next() {
                Some(part) => {
                    for frame in part {
                        wire.sendpacket(frame.as_slice()).unwrap();
                    }
                    sent += part.len() as u64;
                }
                None => stop.store(true, Ordering::Relaxed),
            },
            Progress::More => {}
            Progress::End => break,
        }
        add(&mut totals, &batch.records);
        batch.clear();
    }
    add(&mut totals, &batch.records);
    let (expected, expected_coverage) = expected(&frames);
    assert_eq!(totals.len(), 40);
    assert_eq!(totals, expected);
    let coverage = capture.coverage();
    assert_eq!((coverage.name.as_str(), coverage.kind.as_str()), ("far", "live"));
    assert_eq!((coverage.read, coverage.used), (expected_coverage.read, expected_coverage.used));
    assert_eq!(coverage.skipped, expected_coverage.skipped);
    assert_eq!(coverage.drops, Some(landfall::model::Drops::default()));
    assert_eq!(coverage.link_types, BTreeMap::from([(1, frames.len() as u64)]));
    assert!(coverage.first < coverage.last && coverage.error.is_none());
    assert_eq!(capture.read(&mut batch).ok(), Some(Progress::End), "the end stays the end");
}

#[test]
fn a_watch_tells_of_movement_as_it_begins_and_ends_when_told() {
    let Some(hosts) = Hosts::new("early") else { return };
    let interfaces = ["far".to_owned(), "lo".to_owned(), "far".to_owned()];
    let watch = hosts.on(1, || Watch::open(&interfaces, Some("udp port 53"), config())).unwrap();
    let stop = watch.stop();
    let mut wire = hosts.wire();
    let frames: Vec<_> = frames().into_iter().take(400).collect();
    for frame in &frames {
        wire.sendpacket(frame.as_slice()).unwrap();
    }
    let mut totals = Totals::new();
    // The first payload of each of the ten conversations comes while they are still going on; then, and not before, the
    // watch is told to stop. The limit is for the case that it never comes.
    let covered = watch.run(Some(Duration::from_secs(30)), |id, batch| {
        assert_eq!(id, InputId(0));
        add(&mut totals, &batch.records);
        if totals.len() == 10 {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let covered = covered.unwrap();
    let (mut expected, _) = expected(&frames);
    expected.retain(|(one, other, protocol), _| *protocol == 17 && (one.1 == 53 || other.1 == 53));
    assert_eq!(expected.len(), 10);
    assert_eq!(totals, expected);
    let names: Vec<_> = covered.iter().map(|(id, coverage)| (id.0, coverage.name.as_str())).collect();
    assert_eq!(names, [(0, "far"), (1, "lo")]);
    assert!(covered.iter().all(|(_, coverage)| coverage.is_complete()), "{covered:?}");
    assert_eq!(covered[0].1.read.count, covered[0].1.used.count);
}

#[test]
fn a_quiet_interface_is_watched_until_the_limit() {
    let Some(hosts) = Hosts::new("quiet") else { return };
    let watch = hosts.on(1, || Watch::open(&["far".to_owned()], None, config())).unwrap();
    let covered = watch.run(Some(Duration::from_millis(1)), |_, _| panic!("nothing was sent")).unwrap();
    assert_eq!(covered.len(), 1);
    assert_eq!(covered[0].1.read.count, 0);
}

#[test]
fn an_interface_that_goes_away_ends_its_capture_with_a_reason() {
    let Some(hosts) = Hosts::new("gone") else { return };
    let watch = hosts.on(1, || Watch::open(&["far".to_owned()], None, config())).unwrap();
    let mut wire = hosts.wire();
    for frame in &frames()[..100] {
        wire.sendpacket(frame.as_slice()).unwrap();
    }
    drop(wire);
    let near = &hosts.names()[0];
    let mut totals = Totals::new();
    let covered = watch.run(Some(Duration::from_secs(30)), |_, batch| {
        if totals.is_empty() {
            let output = Command::new("ip").args(["-n", near, "link", "del", "near"]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        add(&mut totals, &batch.records);
    });
    let covered = covered.unwrap();
    let error = covered[0].1.error.as_deref().unwrap();
    assert!(error.starts_with("the capture failed: "), "{error}");
    assert_eq!(covered[0].1.read.count, 100);
    assert_eq!(totals, expected(&frames()[..100]).0, "what was held came all the same");
}

#[test]
fn what_cannot_be_opened_is_told_with_what_can() {
    let Some(hosts) = Hosts::new("errors") else { return };
    let open = |names: &[&str], filter| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        hosts.on(1, || Watch::open(&names, filter, config()).map(drop))
    };
    open(&["far", "lo", "any"], Some("ip or ip6")).unwrap();
    let error = open(&["far", "eth9"], None).unwrap_err();
    let LiveError::NoSuchInterface { available, .. } = &error else { panic!("{error:?}") };
    assert!(available.contains(&"far".to_owned()) && available.contains(&"any".to_owned()), "{available:?}");
    let error = open(&["far"], Some("udp prot 53")).unwrap_err();
    assert!(matches!(error, LiveError::BadFilter { .. }), "{error:?}");
    assert!(error.to_string().contains("syntax error"), "{error}");
    assert!(matches!(open(&[], None), Err(LiveError::Number(0))));
}

/// The program between the two hosts: the finding comes while it watches, before anything ends; SIGTERM ends it with the
/// report.
#[test]
fn the_program_tells_of_a_finding_at_once_and_reports_at_a_signal() {
    let Some(hosts) = Hosts::new("program") else { return };
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let arguments = ["watch", "-i", "far", "-f", "ip", "--db", "embedded", "--deny", "US", "--for", "100s", "-o"];
    let mut program = hosts.on(1, || {
        Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(arguments)
            .arg(&report)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let mut told = BufReader::new(program.stderr.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), "landfall: watching far");
    let mut wire = hosts.wire();
    // In the United States by every database. An attempt, then a hundred octets, then nothing: no flow has ended.
    for segment in [tcp(40_000, 443, SYN, 0), tcp(40_000, 443, ACK, 100)] {
        wire.sendpacket(ipv4([10, 0, 0, 1], [12, 0, 0, 1], 6, &segment)).unwrap();
    }
    let mut findings = BufReader::new(program.stdout.take().unwrap()).lines();
    let finding: serde_json::Value = serde_json::from_str(&findings.next().unwrap().unwrap()).unwrap();
    assert_eq!((&finding["decision"], &finding["contact"]), (&"forbid".into(), &"sent".into()));
    assert_eq!(finding["examples"][0]["far"], "12.0.0.1");
    assert_eq!(finding["examples"][0]["input"], "far");
    assert_eq!(finding["sent"]["payload"], 100);

    wire.sendpacket(ipv4([10, 0, 0, 1], [12, 0, 0, 1], 6, &tcp(40_000, 443, ACK, 200))).unwrap();
    let killed = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(findings.next().is_none(), "a finding is told once");
    assert_eq!(program.wait().unwrap().code(), Some(1));
    let report: serde_json::Value = serde_json::from_reader(File::open(report).unwrap()).unwrap();
    assert_eq!(report["findings"][0]["sent"]["payload"], 300);
    assert_eq!(report["inputs"][0]["kind"], "live");
    assert_eq!(report["inputs"][0]["read"]["count"], 3);
}

/// Everything of a finding that does not say when, or how often a flow was reported.
fn essence(report: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut findings: Vec<serde_json::Value> = report["findings"].as_array().unwrap().clone();
    for finding in &mut findings {
        let finding = finding.as_object_mut().unwrap();
        finding.retain(|key, _| !["uniflows", "first", "last", "examples"].contains(&key.as_str()));
    }
    findings
}

#[test]
fn a_capture_that_is_replayed_gives_the_findings_of_its_file() {
    let Some(hosts) = Hosts::new("replay") else { return };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (capture, policy) = (root.join("samples/zoom-2020/meeting.pcap"), root.join("rules/zoom-2020.toml"));
    let folder = tempfile::tempdir().unwrap();
    let (live, file) = (folder.path().join("live.json"), folder.path().join("file.json"));
    let program = || Command::new(env!("CARGO_BIN_EXE_landfall"));
    let grounds = |command: &mut Command| {
        command.arg("-p").arg(&policy).args(["--db", "embedded", "-o"]);
    };

    let mut audit = program();
    audit.arg("audit").arg(&capture);
    grounds(&mut audit);
    assert_eq!(audit.arg(&file).status().unwrap().code(), Some(1));

    let mut watch = hosts.on(1, || {
        let mut watch = program();
        watch.args(["watch", "-i", "far", "--for", "100s"]);
        grounds(&mut watch);
        watch.arg(&live).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let mut told = BufReader::new(watch.stderr.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), "landfall: watching far");
    let mut wire = hosts.wire();
    let mut frames = pcap::Capture::from_file(&capture).unwrap();
    let mut sent = 0;
    while let Ok(frame) = frames.next_packet() {
        wire.sendpacket(frame.data).unwrap();
        sent += 1;
    }
    let killed = Command::new("kill").args(["-TERM", &watch.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let findings: Vec<String> = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(watch.wait().unwrap().code(), Some(1));

    let read = |path| serde_json::from_reader::<_, serde_json::Value>(File::open(path).unwrap()).unwrap();
    let (live, file) = (read(live), read(file));
    assert_eq!(live["inputs"][0]["read"]["count"], sent);
    assert_eq!(essence(&live), essence(&file));
    // Each was told once, while it went on.
    let mut ids: Vec<_> =
        findings.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone()).collect();
    let mut expected: Vec<_> =
        file["findings"].as_array().unwrap().iter().map(|finding| finding["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(ids, expected);
}
