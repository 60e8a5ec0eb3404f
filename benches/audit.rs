//! The whole audit of a capture beside reading the same file, so that a claim is a ratio on one machine in one run.
//!
//! `cargo bench`; a capture of your own: `LANDFALL_BENCH_CAPTURE=big.pcap cargo bench`.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use landfall::audit::{Grounds, Local};
use landfall::locate::Atlas;
use landfall::policy::{Library, Policy};
use landfall::run::batch::{self, Advance};
use landfall::source::Options;

/// Packets of the generated capture: a mix of sizes, twenty packets a flow, four fifths of them IPv4.
const PACKETS: u32 = 1_000_000;

/// Writes the capture once, where cargo keeps what it builds.
fn capture() -> std::io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("LANDFALL_BENCH_CAPTURE") {
        return Ok(path.into());
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{PACKETS}.pcap"));
    if path.exists() {
        return Ok(path);
    }
    let mut out = BufWriter::new(File::create(&path)?);
    out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
    let mut packet = Vec::new();
    for number in 0..PACKETS {
        // Flows are interleaved: 500 are open at once.
        let flow = number / 10_000 * 500 + number % 500;
        let turn = number % 10_000 / 500;
        let spread = flow.wrapping_mul(2_654_435_761);
        let payload = vec![0x5a; [0, 0, 536, 1400][(turn % 4) as usize]];
        let [a, b, c, _] = spread.to_be_bytes();
        let (near, far) = ([10, 0, b, c], [a | 1, b, c, 9]);
        let port = 1024 + (flow % 60_000) as u16;
        packet.clear();
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let built = if flow % 5 == 0 {
            let mut far6 = [0x2a, 0x05, 0xd0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c];
            far6[4] = a;
            ethernet
                .ipv6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b, c], far6, 64)
                .udp(port, 443)
                .write(&mut packet, &payload)
        } else if turn % 2 == 0 {
            let tcp = ethernet.ipv4(near, far, 64).tcp(port, 443, turn, 65_000);
            if turn == 0 { tcp.syn().write(&mut packet, &[]) } else { tcp.ack(1).write(&mut packet, &payload) }
        } else {
            ethernet.ipv4(far, near, 64).tcp(443, port, turn, 65_000).ack(1).write(&mut packet, &payload)
        };
        built.map_err(std::io::Error::other)?;
        let length = (packet.len() as u32).to_le_bytes();
        out.write_all(&(1_600_000_000 + number / 100_000).to_le_bytes())?;
        out.write_all(&(number % 100_000 * 10).to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(&packet)?;
    }
    out.flush()?;
    Ok(path)
}

fn benches(c: &mut Criterion) {
    let path = capture().expect("the capture can be written");
    let policy = Policy::parse("bench", include_str!("../rules/zoom-2020.toml"), Library::embedded())
        .policy
        .expect("the pack is valid");
    let atlas = Atlas::embedded().expect("the embedded table is whole");
    let grounds = Grounds { policy: Some(policy), atlas, local: Local::Zones, horizon: None };
    let (inputs, _) = batch::plan(std::slice::from_ref(&path));
    let options = Options { max_inflate: u64::MAX, ..Options::default() };

    let mut group = c.benchmark_group("capture");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(std::fs::metadata(&path).map_or(0, |data| data.len())));
    group.bench_function("read alone", |b| {
        let mut block = vec![0; 256 * 1024];
        b.iter(|| {
            let mut file = File::open(&path).expect("the capture is there");
            while file.read(&mut block).expect("it can be read") > 0 {}
        });
    });
    group.bench_function("audit", |b| {
        b.iter(|| batch::audit(&inputs, &grounds, &options, 1, &Arc::new(Advance::default())));
    });
    group.finish();
    c.bench_function("start: embedded table", |b| b.iter(Atlas::embedded));
}

criterion_group!(all, benches);
criterion_main!(all);
