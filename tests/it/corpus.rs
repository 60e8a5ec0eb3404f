//! Real captures against what tshark 4.6.9 counts in them: packets and IP octets of each pair of addresses, in each
//! direction, by the first IP header of each frame.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use landfall::model::{Addr, Batch, InputCoverage, InputId};
use landfall::source::{self, Options, Progress};

/// (a, b) to packets and octets from a to b and from b to a; a is the smaller address.
type Pairs = BTreeMap<(Addr, Addr), [u64; 4]>;

fn add(pairs: &mut Pairs, from: Addr, to: Addr, [packets, octets, packets_back, octets_back]: [u64; 4]) {
    let (key, add) = match from.cmp(&to) {
        Ordering::Less => ((from, to), [packets, octets, packets_back, octets_back]),
        Ordering::Greater => ((to, from), [packets_back, octets_back, packets, octets]),
        // tshark has one direction here.
        Ordering::Equal => ((from, to), [packets + packets_back, octets + octets_back, 0, 0]),
    };
    let sums = pairs.entry(key).or_default();
    for (sum, more) in sums.iter_mut().zip(add) {
        *sum += more;
    }
}

/// What tshark counted, and what it says of the file.
struct Truth {
    pairs: Pairs,
    meta: BTreeMap<String, String>,
}

fn truth(path: &Path) -> Truth {
    let mut truth = Truth { pairs: Pairs::new(), meta: BTreeMap::new() };
    for line in fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["meta", key, value] => {
                truth.meta.insert(key.to_owned(), value.to_owned());
            }
            ["pair", "outer", a, b, packets, _, octets, packets_back, _, octets_back] => {
                let addr = |text: &str| Addr::from(text.parse::<IpAddr>().unwrap());
                let number = |text: &str| text.parse::<u64>().unwrap();
                let sums = [number(packets), number(octets), number(packets_back), number(octets_back)];
                add(&mut truth.pairs, addr(a), addr(b), sums);
            }
            _ => {}
        }
    }
    truth
}

fn metered(path: &Path) -> (Pairs, InputCoverage) {
    let mut pairs = Pairs::new();
    let mut batch = Batch::default();
    let file = Box::new(File::open(path).unwrap());
    let Ok(mut source) = source::open(InputId(0), &path.to_string_lossy(), file, &Options::default()) else {
        return (pairs, InputCoverage::default());
    };
    loop {
        let progress = source.read(&mut batch);
        for record in batch.records.drain(..) {
            let (forward, reverse) = (record.forward, record.reverse);
            let sums = [forward.packets, forward.octets, reverse.packets, reverse.octets];
            add(&mut pairs, record.src, record.dst, sums);
        }
        if matches!(progress, Ok(Progress::End) | Err(_)) {
            return (pairs, source.coverage());
        }
    }
}

fn truths(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            truths(&path, found);
        } else if path.to_string_lossy().ends_with(".truth.tsv") {
            found.push(path);
        }
    }
    found.sort();
}

/// Files that differ, and why; a path with a reason that holds no more fails the test too.
const DIFFER: &[(&str, &str)] = &[
    ("akvorado/mpls-eompls-cw.pcap", LABELS),
    ("akvorado/mpls-explicit-null-ipv4.pcap", LABELS),
    ("akvorado/mpls-explicit-null-ipv6.pcap", LABELS),
    ("akvorado/mpls-ipv4.pcap", LABELS),
    ("akvorado/mpls-ipv6.pcap", LABELS),
    ("arkime/mpls-basic.pcap", LABELS),
    ("ndpi/BGP_redist.pcap", LABELS),
    ("tcpdump/arista_ether.pcap", LABELS),
    ("tcpdump/bigtcp-ipv6-geneve-ipv4.pcap", ZERO_LENGTH),
    ("tcpdump/bigtcp-ipv6-geneve-ipv6.pcap", ZERO_LENGTH),
    ("tcpdump/bigtcp-ipv6-hbh.pcap", ZERO_LENGTH),
    ("tcpdump/bigtcp-ipv6-vxlan-ipv4.pcap", ZERO_LENGTH),
    ("tcpdump/bigtcp-ipv6-vxlan-ipv6.pcap", ZERO_LENGTH),
    ("tcpdump/bigtcp-ipv6.pcap", ZERO_LENGTH),
    ("tcpdump/icmpv6-length-zero.pcapng", ZERO_LENGTH),
    ("tcpdump/ipv6_jumbogram_1.pcap", ZERO_LENGTH),
    ("tcpdump/ipv6_missing_jumbo_payload_option.pcap", ZERO_LENGTH),
    ("tcpdump/lspping-fec-ldp.pcap", LABELS),
    ("zeek/mpls-in-vlan.pcap", LABELS),
    ("zeek/trunc__mpls-6in6-broken.pcap.gz", LABELS),
];

/// The truth has no IP header behind MPLS labels, and it is read here.
const LABELS: &str = "labels";
/// The truth reckons an IPv6 payload length of zero as no payload, where the length is in a jumbo payload option or was left
/// to the network card.
const ZERO_LENGTH: &str = "payload length zero";

#[test]
fn captures_agree_with_tshark() {
    let root = corpus().join("captures");
    if !root.is_dir() {
        println!("no corpus of captures at {}: nothing to compare", root.display());
        return;
    }
    let mut found = Vec::new();
    truths(&root, &mut found);
    let reasons: BTreeMap<&str, &str> = DIFFER.iter().copied().collect();
    let mut wrong = String::new();
    for path in &found {
        let truth = truth(path);
        let capture = PathBuf::from(path.to_string_lossy().strip_suffix(".truth.tsv").unwrap());
        let name = capture.strip_prefix(&root).unwrap().display().to_string();
        let (pairs, coverage) = metered(&capture);
        match (reasons.get(name.as_str()), pairs == truth.pairs) {
            (None, true) => {}
            (None, false) => write!(wrong, "{name}: {}", difference(&pairs, &truth.pairs, &coverage)).unwrap(),
            (Some(_), true) => {
                writeln!(wrong, "{name}: agrees with tshark, and is listed as one that does not").unwrap();
            }
            // The reason is seen in what was counted.
            (Some(&reason), false) => {
                let seen = match reason {
                    LABELS => truth.meta["protocols"].contains("mpls:"),
                    _ => truth.meta["ipv6_plen0"] != "0",
                };
                if !seen {
                    writeln!(wrong, "{name}: differs, and not for `{reason}`").unwrap();
                }
            }
        }
    }
    for (name, _) in DIFFER {
        if !root.join(name).is_file() {
            writeln!(wrong, "{name}: listed, and not in the corpus").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Nothing is lost between what was read and what is reported, whatever the file; nor does any file end in a panic.
#[test]
fn every_packet_is_in_a_flow_or_skipped() {
    let root = corpus();
    let mut found = Vec::new();
    for folder in ["captures", "bad"].map(|name| root.join(name)).iter().filter(|folder| folder.is_dir()) {
        truths(folder, &mut found);
    }
    for path in found {
        let capture = PathBuf::from(path.to_string_lossy().strip_suffix(".truth.tsv").unwrap());
        let (pairs, coverage) = metered(&capture);
        let skipped: u64 = coverage.skipped.values().map(|seen| seen.total.count).sum();
        assert_eq!(coverage.read.count, coverage.used.count + skipped, "{}", capture.display());
        let [packets, octets, packets_back, octets_back] =
            pairs.values().fold([0; 4], |sum: [u64; 4], add| std::array::from_fn(|at| sum[at] + add[at]));
        let used = (coverage.used.count, coverage.used.octets);
        assert_eq!((packets + packets_back, octets + octets_back), used, "{}", capture.display());
    }
}

fn corpus() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"))
}

fn difference(ours: &Pairs, theirs: &Pairs, coverage: &InputCoverage) -> String {
    let mut text = format!("skipped {:?}\n", coverage.skipped);
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for key in keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)) {
        let (ours, theirs) = (ours.get(key), theirs.get(key));
        writeln!(text, "    {} and {}: {ours:?}, and tshark has {theirs:?}", key.0, key.1).unwrap();
    }
    text
}
