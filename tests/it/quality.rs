//! What makes a capture doubtful: counted, with its first places, and without any change to a count.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use landfall::meter::{Frame, Meter, MeterConfig};
use landfall::model::{Batch, Caveat, FlowEndReason, FlowRecord, InputCoverage, InputId, Timestamp};
use landfall::source::{self, Options, Progress};
use landfall::wire::LinkType;

const HOST: [u8; 4] = [10, 0, 0, 1];
const FAR: [u8; 4] = [9, 9, 9, 9];
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// IPv4 with an identification and TCP with a checksum.
fn tcp(id: u16, from: [u8; 4], to: [u8; 4], flags: u8, payload: usize) -> Vec<u8> {
    let [high, low] = (40 + payload as u16).to_be_bytes();
    let [id0, id1] = id.to_be_bytes();
    let ports = if from < to { [1, 187, 200, 0] } else { [200, 0, 1, 187] };
    let head = [0x45, 0, high, low, id0, id1, 0, 0, 64, 6, 0, 0];
    let rest = [0, 0, 0, 7, 0, 0, 0, 9, 0x50, flags, 0, 0, 0xab, id1, 0, 0];
    [&head[..], &from, &to, &ports, &rest, &vec![0x5a; payload]].concat()
}

/// Meters frames at times in milliseconds, of which so many octets were captured.
fn meter(frames: &[(u64, usize, Vec<u8>)]) -> (Vec<FlowRecord>, InputCoverage) {
    let mut meter = Meter::new(InputId(0), MeterConfig::default());
    let (mut coverage, mut batch) = (InputCoverage::default(), Batch::default());
    for (number, (millis, captured, octets)) in (1..).zip(frames) {
        let frame = Frame {
            time: Some(Timestamp(Timestamp::from_secs(1_000).0 + millis * 1_000_000)),
            number,
            link: LinkType::RAW,
            octets: octets.get(..*captured).unwrap_or(octets),
            original_length: octets.len() as u32,
        };
        meter.observe(&frame, &mut coverage, &mut batch);
    }
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    (batch.records, coverage)
}

fn whole(millis: u64, octets: Vec<u8>) -> (u64, usize, Vec<u8>) {
    (millis, usize::MAX, octets)
}

/// How many, and where first.
fn counted(coverage: &InputCoverage, caveat: Caveat) -> (u64, Vec<u64>) {
    coverage.caveats.get(&caveat).map(|seen| (seen.total.count, seen.positions.clone())).unwrap_or_default()
}

#[test]
fn copies_are_counted_and_change_no_count() {
    let frames = [
        whole(0, tcp(1, HOST, FAR, ACK, 10)),
        whole(0, tcp(1, HOST, FAR, ACK, 10)),
        whole(1, tcp(2, HOST, FAR, ACK, 10)),
        // The same again after a while, as a card's counter comes round.
        whole(400, tcp(1, HOST, FAR, ACK, 10)),
        whole(500, tcp(3, FAR, HOST, ACK, 0)),
        whole(515, tcp(3, FAR, HOST, ACK, 0)),
        // Without an identification, a second acknowledgement that says the same is no copy.
        whole(600, tcp(0, FAR, HOST, ACK, 0)),
        whole(601, tcp(0, FAR, HOST, ACK, 0)),
    ];
    let (records, coverage) = meter(&frames);
    assert_eq!(counted(&coverage, Caveat::DuplicatedPacket), (2, vec![2, 6]));
    assert_eq!((records.len(), records[0].forward.packets + records[0].reverse.packets), (1, 8));
    assert!(coverage.is_complete());
}

#[test]
fn connections_of_one_direction_are_counted() {
    let one_sided = |frames: &[(u64, usize, Vec<u8>)]| counted(&meter(frames).1, Caveat::OneSided);
    let up = |id, flags, payload| whole(id, tcp(id as u16, HOST, FAR, flags, payload));
    assert_eq!(one_sided(&[up(1, SYN, 0), up(2, ACK, 0), up(3, ACK, 50)]), (1, vec![1]));
    assert_eq!(one_sided(&[up(1, SYN, 0), up(2, SYN, 0), up(3, SYN, 0)]), (0, vec![]), "nobody answered");
    assert_eq!(one_sided(&[up(1, RST | ACK, 0)]), (0, vec![]), "a reset has no answer");
    assert_eq!(one_sided(&[up(1, ACK, 9), whole(2, tcp(2, FAR, HOST, ACK, 0))]), (0, vec![]));
}

#[test]
fn addresses_that_cannot_be_are_counted_once_a_flow() {
    let frames = [
        whole(0, tcp(1, HOST, FAR, SYN, 0)),
        whole(1, tcp(2, [224, 0, 0, 5], FAR, SYN, 0)),
        whole(2, tcp(3, [224, 0, 0, 5], FAR, SYN, 0)),
        whole(3, tcp(4, [4, 3, 168, 192], FAR, SYN, 0)),
    ];
    let (_, coverage) = meter(&frames);
    assert_eq!(counted(&coverage, Caveat::BogonAddress), (1, vec![2]));
    assert_eq!(counted(&coverage, Caveat::SwappedAddress), (1, vec![4]));
}

#[test]
fn a_snap_length_too_short_for_names_is_told() {
    let up = |id: u64, captured| (id, captured, tcp(id as u16, HOST, FAR, ACK, 600));
    let (_, coverage) = meter(&[up(1, 96), up(2, 96)]);
    assert_eq!(counted(&coverage, Caveat::SnapShort), (1, vec![1]));
    assert_eq!(counted(&coverage, Caveat::Snapped).0, 2);
    let (_, coverage) = meter(&[up(1, 2000), up(2, 96)]);
    assert_eq!(counted(&coverage, Caveat::SnapShort), (0, vec![]), "the first payload is whole");
    // A datagram of 40 octets in two parts (RFC 791), the second first or alone: all of it was captured.
    let part = |fragment: [u8; 2], data: &[u8]| {
        let length = 20 + data.len() as u8;
        [&[0x45, 0, 0, length, 0, 9, fragment[0], fragment[1], 64, 17, 0, 0][..], &HOST, &FAR, data].concat()
    };
    let first = part([0x20, 0], &[0, 7, 0, 9, 0, 40, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let second = part([0, 2], &[0x5a; 24]);
    for frames in [&[whole(0, second.clone()), whole(1, first)][..], &[whole(0, second)]] {
        assert_eq!(counted(&meter(frames).1, Caveat::SnapShort), (0, vec![]));
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "tsv") {
            found.push(path);
        }
    }
}

#[test]
fn every_packet_of_malformed_captures_is_in_a_flow_or_skipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/bad");
    if !folder.is_dir() {
        println!("skipped: ../shared/corpus/bad is not there");
        return;
    }
    let mut found = Vec::new();
    files(&folder, &mut found);
    let mut read = 0;
    for path in found {
        let file = Box::new(File::open(&path).unwrap());
        let Ok(mut source) = source::open(InputId(0), "bad", file, &Options::default()) else { continue };
        if !source.coverage().kind.starts_with("pcap") {
            continue;
        }
        let (mut batch, mut metered) = (Batch::default(), 0);
        loop {
            let progress = source.read(&mut batch);
            metered += batch.records.iter().map(|record| record.forward.packets + record.reverse.packets).sum::<u64>();
            batch.clear();
            if matches!(progress, Ok(Progress::End) | Err(_)) {
                break;
            }
        }
        let coverage = source.coverage();
        let skipped: u64 = coverage.skipped.values().map(|seen| seen.total.count).sum();
        assert_eq!(coverage.read.count, coverage.used.count + skipped, "{}", path.display());
        // What is inside a tunnel is in a flow beside that of the tunnel.
        let inside = counted(&coverage, Caveat::Tunnelled).0;
        assert_eq!(metered, coverage.used.count + inside, "{}", path.display());
        read += coverage.read.count;
    }
    assert!(read > 1000, "{read} packets");
}
