//! Real captures against what tshark 4.6.9 counts in them: packets and IP octets of each pair of addresses, in each
//! direction, by the first IP header of each frame, by the last, and by all of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use landfall::model::{Addr, Batch, Caveat, InputCoverage, InputId};
use landfall::source::capture::{Capture, CaptureFormat, Next};
use landfall::source::compression::unwrap;
use landfall::source::{self, Options, Progress};
use landfall::wire::{self, Inside, Packet};

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

/// By the first IP header of each frame, by the last, and by all of them.
#[derive(Default, PartialEq)]
struct Layers {
    outer: Pairs,
    inner: Pairs,
    all: Pairs,
}

/// What tshark counted, and what it says of the file.
struct Truth {
    layers: Layers,
    meta: BTreeMap<String, String>,
}

fn truth(path: &Path) -> Truth {
    let mut truth = Truth { layers: Layers::default(), meta: BTreeMap::new() };
    for line in fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["meta", key, value] => {
                truth.meta.insert(key.to_owned(), value.to_owned());
            }
            ["pair", layer, a, b, packets, _, octets, packets_back, _, octets_back] => {
                let addr = |text: &str| Addr::from(text.parse::<IpAddr>().unwrap());
                let number = |text: &str| text.parse::<u64>().unwrap();
                let sums = [number(packets), number(octets), number(packets_back), number(octets_back)];
                let pairs = match layer {
                    "outer" => &mut truth.layers.outer,
                    "inner" => &mut truth.layers.inner,
                    _ => &mut truth.layers.all,
                };
                add(pairs, addr(a), addr(b), sums);
            }
            _ => {}
        }
    }
    // They are written where they differ.
    for pairs in [&mut truth.layers.inner, &mut truth.layers.all] {
        if pairs.is_empty() {
            pairs.clone_from(&truth.layers.outer);
        }
    }
    truth
}

/// What the dissection says of each frame, without a meter: the first header and the last.
fn dissected(path: &Path, outer: &mut Pairs, inner: &mut Pairs) {
    let add = |pairs: &mut Pairs, packet: &Packet| {
        add(pairs, packet.src, packet.dst, [1, packet.octets.into(), 0, 0]);
    };
    let Ok(input) = unwrap(Box::new(File::open(path).unwrap()), 1 << 30) else { return };
    let Some(format) = CaptureFormat::of(&input.head) else { return };
    let Ok(mut capture) = Capture::open(format, input.reader) else { return };
    loop {
        let frame = match capture.next_frame() {
            Ok(Next::Frame(frame)) => frame,
            Ok(Next::BadBlock { .. }) => continue,
            Ok(Next::Cut { .. } | Next::End) | Err(_) => return,
        };
        let Ok(mut found) = wire::dissect(frame.link, frame.octets, frame.original_length) else { continue };
        add(outer, &found.packet);
        while let Inside::Tunnelled(inside) = found.inside {
            match inside.dissect() {
                Ok(inside) => found = inside,
                Err(_) => break,
            }
        }
        add(inner, &found.packet);
    }
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
    ("arkime/gtp-iphone.pcap", UNPARSED),
    ("arkime/ipv6-gtp6.pcap", UNPARSED),
    ("arkime/mpls-basic.pcap", LABELS),
    ("libpcap/AH-IPcomp-IPv4.pcap", COMPRESSED),
    ("libpcap/AH-IPcomp-IPv6.pcap", COMPRESSED),
    ("ndpi/BGP_redist.pcap", LABELS),
    ("tcpdump/arista_ether.pcap", LABELS),
    ("tcpdump/bigtcp-ipv4-geneve-ipv4.pcap", OFFLOADED),
    ("tcpdump/bigtcp-ipv4-geneve-ipv6.pcap", OFFLOADED),
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
    ("tcpdump/nhrp-trace.pcap", QUOTED),
    ("zeek/erspan.pcap", REASSEMBLED),
    ("zeek/mpls-in-vlan.pcap", LABELS),
    ("zeek/trunc__mpls-6in6-broken.pcap.gz", LABELS),
    ("zeek/tunnels__gtp__gtp1_gn_normal_incl_fragmentation.pcap", REASSEMBLED),
    ("zeek/tunnels__gtp__gtp2_different_udp_port.pcap", REASSEMBLED),
    ("zeek/tunnels__gtp__gtp7_ipv6.pcap", UNPARSED),
    ("zeek/tunnels__gtp__gtp_ext_header.pcap", REASSEMBLED),
];

/// The truth has no IP header behind MPLS labels, and it is read here.
const LABELS: &str = "labels";
/// The truth is a lower bound: tshark met IP headers inside GTP-U that it did not read.
const UNPARSED: &str = "unparsed";
/// tshark inflates compressed IP, which is opaque here.
const COMPRESSED: &str = "compressed";
/// tshark does not look into a tunnel whose IP length was left to the network card.
const OFFLOADED: &str = "offloaded";
/// tshark counts the packet that an error message of NHRP quotes.
const QUOTED: &str = "quoted";
/// tshark puts a tunnel's fragments together and finds what is inside in the frame of the last, or, where one is missing,
/// not at all; here it is read in the first, which has all of its headers.
const REASSEMBLED: &str = "reassembled";
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
        let (all, coverage) = metered(&capture);
        let mut layers = Layers { all, ..Layers::default() };
        dissected(&capture, &mut layers.outer, &mut layers.inner);
        match (reasons.get(name.as_str()), layers == truth.layers) {
            (None, true) => {}
            (None, false) => {
                writeln!(wrong, "{name}: skipped {:?}; {:?}", coverage.skipped, coverage.caveats).unwrap();
                let Layers { outer, inner, all } = &truth.layers;
                for (layer, ours, theirs) in
                    [("outer", &layers.outer, outer), ("inner", &layers.inner, inner), ("all", &layers.all, all)]
                {
                    write!(wrong, "{}", difference(layer, ours, theirs)).unwrap();
                }
            }
            (Some(_), true) => {
                writeln!(wrong, "{name}: agrees with tshark, and is listed as one that does not").unwrap();
            }
            // The reason is seen in what was counted.
            (Some(&reason), false) => {
                let has = |key: &str| truth.meta[key] != "0";
                let speaks = |protocol: &str| truth.meta["protocols"].contains(protocol);
                let agrees_outside = layers.outer == truth.layers.outer;
                let seen = match reason {
                    LABELS => speaks("mpls:"),
                    UNPARSED => agrees_outside && has("ip_header_unparsed"),
                    COMPRESSED => agrees_outside && speaks("ipcomp:"),
                    OFFLOADED => agrees_outside && coverage.caveats.contains_key(&Caveat::OffloadedLength),
                    QUOTED => agrees_outside && speaks("nhrp:"),
                    REASSEMBLED => agrees_outside && has("ip_fragments"),
                    _ => has("ipv6_plen0"),
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
        // A frame is used once, and what is inside it is in flows besides.
        let inside = coverage.caveats.get(&Caveat::Tunnelled).map(|seen| seen.total).unwrap_or_default();
        let used = (coverage.used.count + inside.count, coverage.used.octets + inside.octets);
        assert_eq!((packets + packets_back, octets + octets_back), used, "{}", capture.display());
    }
}

fn corpus() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"))
}

fn difference(layer: &str, ours: &Pairs, theirs: &Pairs) -> String {
    let mut text = String::new();
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for key in keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)) {
        let (ours, theirs) = (ours.get(key), theirs.get(key));
        writeln!(text, "    {layer} {} and {}: {ours:?}, and tshark has {theirs:?}", key.0, key.1).unwrap();
    }
    text
}
