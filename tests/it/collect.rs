//! Flow exporters over the loopback interface: what they send is what is judged.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landfall::meter::MeterConfig;
use landfall::model::{Batch, InputId, Lost};
use landfall::run::collect::{CollectError, UdpCollector};
use landfall::run::watch::Watch;
use landfall::source::{Progress, Source};

use crate::fixtures::telemetry::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// More reads than any test waits for: an idle one is a fifth of a second.
const PATIENCE: usize = 100;

fn exporter() -> UdpSocket {
    UdpSocket::bind(LOOPBACK).expect("a socket")
}

#[test]
fn what_exporters_send_is_decoded_and_what_was_lost_is_told() {
    let stop = Arc::new(AtomicBool::new(false));
    let mut source = UdpCollector::bind(InputId(3), LOOPBACK, &MeterConfig::default(), Arc::clone(&stop)).unwrap();
    let to = source.address().unwrap();
    let socket = exporter();
    for message in [
        ipfix(1, 0, &[set(2, &template(256, &ORDINARY))]),
        ipfix(1, 0, &[set(256, &ordinary(1000, 10).repeat(2))]),
        five(0, 2, 0),
        ipfix(1, 5, &[set(256, &ordinary(1000, 10))]),
        b"no telemetry".to_vec(),
        sflow(1, &[flow_sample(10, 0, 4, &[raw_header(&ethernet(&udp_head(1228)), 1242)])]),
    ] {
        socket.send_to(&message, to).unwrap();
    }
    let mut batch = Batch::default();
    for _ in 0..PATIENCE {
        if batch.records.len() == 6 {
            break;
        }
        source.read(&mut batch).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while source.read(&mut batch).unwrap() != Progress::End {}
    let octets: Vec<_> = batch.records.iter().map(|record| record.forward.octets).collect();
    assert_eq!(octets, [1000, 1000, 300, 300, 1000, 12_280]);
    let coverage = source.coverage();
    assert_eq!(coverage.name, format!("udp://{to}"));
    assert_eq!(coverage.lost, Some(Lost { records: 3, ..Lost::default() }));
    assert_eq!((coverage.read.count, coverage.used.count), (7, 6));
    assert_eq!(source.read(&mut batch).unwrap(), Progress::End, "the end stays the end");
}

#[test]
fn a_watch_of_collectors_ends_when_told() {
    let taken = exporter();
    let at = taken.local_addr().unwrap();
    let refused = Watch::nothing().collect(&[at], &MeterConfig::default()).map(drop).unwrap_err();
    assert!(
        matches!(refused, CollectError::Bind { .. })
            && refused.to_string().starts_with(&format!("cannot receive on `udp://{at}`"))
    );

    let watch = Watch::nothing().collect(&[LOOPBACK, LOOPBACK], &MeterConfig::default()).unwrap();
    let names: Vec<String> = watch.inputs().map(|(_, name, _)| name.to_owned()).collect();
    for name in &names {
        exporter().send_to(&five(0, 3, 0), name.strip_prefix("udp://").unwrap()).unwrap();
    }
    let stop = watch.stop();
    let mut seen = 0;
    let covered = watch
        .run(None, |_, batch| {
            seen += batch.records.len();
            stop.fetch_or(seen == 6, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(seen, 6);
    assert_eq!(covered.iter().map(|(_, coverage)| coverage.used.count).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn the_program_tells_of_a_finding_as_soon_as_it_is_reported() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args("watch --collect udp://127.0.0.1:0 --deny CN --local 10.0.0.0/8 --db embedded".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut told = BufReader::new(program.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let to = line.trim().strip_prefix("landfall: watching udp://").expect("where it receives").to_owned();
    // The address of the sample `zoom-2020`, which the embedded location data has in China.
    let mut record = ordinary(5000, 10);
    record[4..8].copy_from_slice(&[52, 81, 151, 250]);
    let message = ipfix(1, 0, &[set(2, &template(256, &ORDINARY)), set(256, &record)]);
    exporter().send_to(&message, &to).unwrap();
    let mut finding = String::new();
    let mut findings = BufReader::new(program.stdout.take().unwrap());
    findings.read_line(&mut finding).unwrap();
    let finding: serde_json::Value = serde_json::from_str(&finding).expect("a line of JSON");
    assert_eq!((&finding["decision"], &finding["sent"]["octets"]), (&"forbid".into(), &5000.into()));
    let killed = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("`kill`");
    assert!(killed.success());
    let mut report = String::new();
    told.read_to_string(&mut report).unwrap();
    let status = program.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{status}: {report}");
    assert!(report.contains("52.81.151.250") && report.contains("telemetry over udp"), "{report}");
}
