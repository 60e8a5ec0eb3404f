//! The packets of findings, as files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use landfall::source::capture::{Capture, CaptureFormat, Next};
use serde_json::Value;

const OURS: [u8; 4] = [10, 0, 0, 1];
/// AWS in Beijing, and Google in the United States, by the embedded table.
const BEIJING: [u8; 4] = [52, 81, 151, 250];
const AMERICA: [u8; 4] = [64, 233, 160, 5];

fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, fragment: u16, content: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + content.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(content);
    packet
}

fn udp(sport: u16, dport: u16, length: usize, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for field in [sport, dport, 8 + length as u16, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(payload);
    datagram
}

/// A capture of raw IP packets (link type 101), a millisecond apart.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    for (at, packet) in packets.iter().enumerate() {
        file.extend(1_600_000_000_u32.to_le_bytes());
        file.extend((at as u32 * 1000).to_le_bytes());
        for _ in 0..2 {
            file.extend((packet.len() as u32).to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn audit(args: &[&str]) -> Run {
    let mut command = assert_cmd::Command::cargo_bin("landfall").unwrap();
    let output = command.arg("audit").args(args).args(["--db", "embedded", "--format", "json"]).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Number, time, octets and length on the wire of each frame.
type Frames = Vec<(u64, u64, Vec<u8>, u32)>;

fn frames(path: &Path) -> Frames {
    let head = fs::read(path).unwrap();
    let mut capture = Capture::open(CaptureFormat::of(&head).unwrap(), Box::new(File::open(path).unwrap())).unwrap();
    let mut frames = Vec::new();
    loop {
        match capture.next_frame().unwrap() {
            Next::Frame(frame) => {
                let time = frame.time.unwrap_or_default().0;
                frames.push((frame.number, time, frame.octets.to_vec(), frame.original_length));
            }
            Next::End => return frames,
            other => panic!("{other:?}"),
        }
    }
}

/// The frame numbers that the comments of a slice name, in order.
fn named(path: &Path, input: &str) -> Vec<u64> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let before = format!("{input} frame ");
    let after = text.split(&before).skip(1);
    after.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()).collect()
}

fn slices(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

#[test]
fn a_slice_holds_exactly_the_packets_of_its_finding() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/zoom-2020/meeting.pcap");
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/zoom-2020.toml");
    let (sample_text, policy) = (sample.to_str().unwrap(), policy.to_str().unwrap());
    let whole = frames(&sample);
    let desk = tempfile::tempdir().unwrap();
    for (name, more) in [("headers", &[][..]), ("whole", &["--evidence-payload"][..])] {
        let folder = desk.path().join(name);
        let args = [&[sample_text, "-p", policy, "--evidence", folder.to_str().unwrap()], more].concat();
        let run = audit(&args);
        assert_eq!((run.code, run.err.as_str()), (Some(1), ""));
        let report: Value = serde_json::from_str(&run.out).unwrap();
        let found = slices(&folder);
        let ids: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
        assert_eq!(found.len(), ids.len());
        for id in ids {
            let (slice, numbers) = (frames(&found[id]), named(&found[id], sample_text));
            // Every packet to and from Beijing, and no other: Ethernet, then the addresses of the IPv4 header.
            let expected: Vec<u64> = whole
                .iter()
                .filter(|(_, _, octets, _)| octets[26..30] == BEIJING || octets[30..34] == BEIJING)
                .map(|(number, ..)| *number)
                .collect();
            assert_eq!(numbers, expected);
            // 18 there and 17 back, as the report says.
            assert_eq!(slice.len(), 35);
            for ((_, time, octets, length), number) in slice.iter().zip(&numbers) {
                let original = &whole[*number as usize - 1];
                assert_eq!((time, length), (&original.1, &original.3));
                assert!(original.2.starts_with(octets));
                // Ethernet, IPv4 without options, and TCP with the length that it says.
                let headers = 14 + 20 + usize::from(original.2[46] >> 4) * 4;
                assert_eq!(octets.len(), if more.is_empty() { headers } else { original.2.len() });
            }
            let head = String::from_utf8_lossy(&fs::read(&found[id]).unwrap()).into_owned();
            assert!(head.contains(&format!("evidence of finding {id}: forbidden by no-china: ")), "{id}");
        }
    }
}

#[test]
fn fragments_tunnels_and_compressed_inputs_are_sliced() {
    let payload = [0x5a; 64];
    let first = udp(5000, 443, 96, &payload);
    let packets = [
        ipv4(OURS, AMERICA, 17, 0, &udp(5000, 443, 4, b"away")),
        // A datagram in two parts: its second has no ports.
        ipv4(OURS, BEIJING, 17, 0x2000, &first),
        ipv4(OURS, BEIJING, 17, 9, &[0x5a; 32]),
        ipv4(BEIJING, OURS, 17, 0, &udp(443, 5000, 4, b"back")),
        // Through a tunnel that ends in the United States.
        ipv4(OURS, AMERICA, 4, 0, &ipv4(OURS, BEIJING, 17, 0, &udp(5000, 443, 6, b"inside"))),
        ipv4(OURS, AMERICA, 17, 0, &udp(5000, 443, 4, b"away")),
        // And one whose parts were turned round on the way.
        ipv4(OURS, BEIJING, 17, 9, &[0x5a; 32]),
        ipv4(OURS, BEIJING, 17, 0x2000, &udp(6000, 443, 96, &payload)),
    ];
    let desk = tempfile::tempdir().unwrap();
    let plain = desk.path().join("talk.pcap");
    fs::write(&plain, pcap(&packets)).unwrap();
    let packed = desk.path().join("talk.gz");
    let mut encoder = flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(&pcap(&packets)).unwrap();
    encoder.finish().unwrap();
    let log = desk.path().join("flow.log");
    fs::write(&log, "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
        2 1 eni-1 10.0.0.1 52.81.151.250 5000 443 17 1 100 1600000000 1600000009 ACCEPT OK\n").unwrap();
    let folder = desk.path().join("evidence");
    fs::create_dir(&folder).unwrap();
    let inputs = [plain.to_str().unwrap(), packed.to_str().unwrap(), log.to_str().unwrap()];
    let run = audit(&[&inputs[..], &["--deny", "CN", "--evidence", folder.to_str().unwrap()]].concat());
    assert_eq!(run.code, Some(1));
    assert_eq!(run.err, format!("landfall: evidence: no packets of `{}`: it is not a capture file\n", inputs[2]));
    let found = slices(&folder);
    assert!(!found.is_empty());
    for path in found.values() {
        for input in &inputs[..2] {
            assert_eq!(named(path, input), [2, 3, 4, 5, 7, 8]);
        }
        let slice = frames(path);
        assert_eq!(slice.len(), 12);
        // IPv4 and UDP; IPv4 alone; IPv4 and UDP; IPv4, IPv4 and UDP.
        assert_eq!(slice.iter().take(4).map(|frame| frame.2.len()).collect::<Vec<_>>(), [28, 20, 28, 48]);
        assert_eq!(slice.iter().take(4).map(|frame| frame.3).collect::<Vec<_>>(), [92, 52, 32, 54]);
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        assert!(!text.contains("inside") && !text.contains("back") && text.contains("it is not a capture file"));
    }
}

#[test]
fn nothing_is_written_over() {
    let desk = tempfile::tempdir().unwrap();
    let capture = desk.path().join("talk.pcap");
    fs::write(&capture, pcap(&[ipv4(OURS, BEIJING, 17, 0, &udp(5000, 443, 4, b"over"))])).unwrap();
    let capture = capture.to_str().unwrap();
    let folder = desk.path().join("evidence");
    let evidence = folder.to_str().unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine"), "mine").unwrap();
    let run = audit(&[capture, "--deny", "CN", "--evidence", evidence]);
    let taken = "is there already and not empty: it takes a new or an empty folder";
    assert_eq!((run.code, run.err), (Some(2), format!("landfall: `{evidence}` {taken}\n")));
    assert!(run.out.is_empty());
    let file = audit(&[capture, "--deny", "CN", "--evidence", capture]);
    assert_eq!((file.code, file.err), (Some(2), format!("landfall: `{capture}` {taken}\n")));
    // What failed leaves nothing beside it.
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 2);
    fs::remove_file(folder.join("mine")).unwrap();
    fs::create_dir(desk.path().join("evidence.partial")).unwrap();
    let run = audit(&[capture, "--deny", "CN", "--evidence", evidence]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("evidence.partial` is left of a run that did not end"), "{}", run.err);
    fs::remove_dir(desk.path().join("evidence.partial")).unwrap();
    assert_eq!(audit(&[capture, "--deny", "CN", "--evidence", evidence]).code, Some(1));
    assert_eq!(slices(&folder).len(), 1);
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 2);
}
