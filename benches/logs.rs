//! Flow logs and flow telemetry as sources, beside reading the same octets and, for JSON, beside `serde_json` alone: ratios on
//! one machine in one run. Records a second are criterion's elements a second.
//!
//! `cargo bench --bench logs`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Cursor, Read};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use landfall::model::{Addr, Batch, InputId};
use landfall::source::export::{Collector, Datagram};
use landfall::source::{self, Options, Progress};
use serde::de::IgnoredAny;

/// Records of each log.
const RECORDS: u32 = 100_000;

/// Records of a message of telemetry: what fits a datagram of 1,500 octets.
const IN_MESSAGE: u32 = 28;

/// Addresses and a port that differ from record to record.
fn ends(number: u32) -> (String, String, u32) {
    let [a, b, c, _] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    (format!("10.0.{b}.{c}"), format!("{}.{b}.{c}.9", a | 1), 1024 + number % 60_000)
}

/// A log of lines.
fn lines(line: impl Fn(u32) -> String) -> Vec<u8> {
    (0..RECORDS).map(line).collect::<String>().into_bytes()
}

fn suricata(number: u32) -> String {
    let (near, far, port) = ends(number);
    format!(
        r#"{{"timestamp":"2026-03-01T14:00:05.000001+0000","flow_id":{number},"in_iface":"eth0","event_type":"flow","src_ip":"{near}","src_port":{port},"dest_ip":"{far}","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{{"pkts_toserver":12,"pkts_toclient":14,"bytes_toserver":1874,"bytes_toclient":9120,"start":"2026-03-01T14:00:00.000001+0000","end":"2026-03-01T14:00:04.000001+0000","age":4,"state":"closed","reason":"timeout","alerted":false}},"tcp":{{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}}}"#
    ) + "\n"
}

fn gcp(number: u32) -> String {
    let (near, far, port) = ends(number);
    format!(
        r#"{{"insertId":"{number}","jsonPayload":{{"bytes_sent":"1874","connection":{{"dest_ip":"{far}","dest_port":443,"protocol":6,"src_ip":"{near}","src_port":{port}}},"dest_location":{{"asn":15169,"continent":"America","country":"usa"}},"end_time":"2026-03-01T14:00:04.123456789Z","packets_sent":"12","reporter":"SRC","rtt_msec":"21","src_instance":{{"project_id":"p","region":"europe-west3","vm_name":"vm","zone":"europe-west3-a"}},"src_vpc":{{"project_id":"p","subnetwork_name":"s","vpc_name":"v"}},"start_time":"2026-03-01T14:00:00.123456789Z"}},"logName":"projects/p/logs/compute.googleapis.com%2Fvpc_flows","resource":{{"labels":{{"location":"europe-west3-a","project_id":"p"}},"type":"gce_subnetwork"}},"timestamp":"2026-03-01T14:00:05.1Z"}}"#
    ) + "\n"
}

fn zeek(number: u32) -> String {
    let (near, far, port) = ends(number);
    format!(
        r#"{{"ts":1772373600.123456,"uid":"C{number}","id.orig_h":"{near}","id.orig_p":{port},"id.resp_h":"{far}","id.resp_p":443,"proto":"tcp","service":"ssl","duration":4.000211,"orig_bytes":1200,"resp_bytes":8200,"conn_state":"SF","missed_bytes":0,"history":"ShADadFf","orig_pkts":12,"orig_ip_bytes":1874,"resp_pkts":14,"resp_ip_bytes":9120}}"#
    ) + "\n"
}

fn aws(number: u32) -> String {
    let (near, far, port) = ends(number);
    let mut line = String::new();
    if number == 0 {
        line.push_str(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
        );
    }
    // A string takes all that is written to it.
    let _ = writeln!(
        line,
        "2 123456789012 eni-0123456789abcdef0 {near} {far} {port} 443 6 12 1874 1772373600 1772373660 ACCEPT OK"
    );
    line
}

/// Messages of version 9 (RFC 3954): a template of an ordinary flow, and records of it.
fn telemetry() -> Vec<Vec<u8>> {
    const FIELDS: [(u16, u16); 10] =
        [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4), (22, 4), (21, 4)];
    let set = |id: u16, content: &[u8]| {
        let padding = vec![0; content.len().next_multiple_of(4) - content.len()];
        let length = (content.len() + padding.len() + 4) as u16;
        [&id.to_be_bytes()[..], &length.to_be_bytes(), content, &padding].concat()
    };
    let mut template = [256_u16.to_be_bytes(), (FIELDS.len() as u16).to_be_bytes()].concat();
    for (id, length) in FIELDS {
        template.extend(id.to_be_bytes());
        template.extend(length.to_be_bytes());
    }
    let mut messages = Vec::new();
    for sequence in 0..RECORDS / IN_MESSAGE {
        let mut records = Vec::new();
        for record in 0..IN_MESSAGE {
            let number = sequence * IN_MESSAGE + record;
            let [a, b, c, _] = number.wrapping_mul(2_654_435_761).to_be_bytes();
            records.extend([10, 0, b, c, a | 1, b, c, 9]);
            records.extend((1024 + (number % 60_000) as u16).to_be_bytes());
            records.extend([1, 187, 6, 0x1b]);
            for value in [1874_u32, 12, 90_000, 94_000] {
                records.extend(value.to_be_bytes());
            }
        }
        let mut message = [9_u16.to_be_bytes(), (IN_MESSAGE as u16).to_be_bytes()].concat();
        for value in [100_000, 1_772_373_600, sequence, 7] {
            message.extend(u32::to_be_bytes(value));
        }
        if sequence == 0 {
            message.extend(set(0, &template));
        }
        message.extend(set(256, &records));
        messages.push(message);
    }
    messages
}

/// Reads a log as the program does, by its content. How many records there were.
fn records(octets: &[u8]) -> usize {
    let options = Options { max_inflate: u64::MAX, ..Options::default() };
    let reader = Box::new(Cursor::new(octets.to_vec()));
    let mut source = source::open(InputId(0), "log", reader, &options).expect("a log");
    let (mut batch, mut count) = (Batch::default(), 0);
    while source.read(&mut batch).expect("a whole log") == Progress::More {
        count += batch.records.len();
        batch.clear();
    }
    count + batch.records.len()
}

fn benches(c: &mut Criterion) {
    type Log = (&'static str, fn(u32) -> String);
    let logs: [Log; 4] = [("suricata", suricata), ("gcp", gcp), ("zeek json", zeek), ("aws text", aws)];
    for (name, line) in logs {
        let octets = lines(line);
        assert_eq!(records(&octets), RECORDS as usize, "{name}");
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(RECORDS.into()));
        group.bench_function("read alone", |b| {
            let mut block = vec![0; 256 * 1024];
            b.iter(|| {
                let mut reader = Cursor::new(octets.clone());
                while reader.read(&mut block).is_ok_and(|count| count > 0) {}
                black_box(&block);
            });
        });
        if octets.starts_with(b"{") {
            group.bench_function("serde_json alone", |b| {
                b.iter(|| {
                    let values = serde_json::Deserializer::from_slice(&octets).into_iter::<IgnoredAny>();
                    black_box(values.take_while(Result::is_ok).count())
                });
            });
        }
        group.bench_function("source", |b| b.iter(|| records(&octets)));
        group.finish();
    }
    let messages = telemetry();
    let mut group = c.benchmark_group("netflow 9");
    group.sample_size(10);
    group.throughput(Throughput::Elements((messages.len() as u32 * IN_MESSAGE).into()));
    group.bench_function("read alone", |b| b.iter(|| black_box(messages.concat()).len()));
    group.bench_function("collector", |b| {
        b.iter(|| {
            let mut collector = Collector::new(InputId(0), "bench", "telemetry", 1);
            let (mut batch, mut count) = (Batch::default(), 0);
            for (number, octets) in (1..).zip(&messages) {
                let exporter = Addr::v4([192, 0, 2, 1]);
                collector.collect(&Datagram { exporter, received: None, number, octets }, &mut batch);
                if batch.records.len() > 4096 {
                    count += batch.records.len();
                    batch.clear();
                }
            }
            count + batch.records.len()
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
