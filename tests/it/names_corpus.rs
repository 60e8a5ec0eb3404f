//! Names in real captures against what tshark 4.6.9 reads in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use etherparse::{LaxSlicedPacket, TransportSlice};
use landfall::meter::Frame;
use landfall::model::{Addr, NameSource, Protocol, Timestamp};
use landfall::source::capture::{Capture, CaptureFormat, Next};
use landfall::source::compression::unwrap;
use landfall::wire::name::{
    Carrier, DNS_PORT, Data, DnsStream, Limits, Names, Response, Segment, Sighting, Watch, Way,
};
use landfall::wire::{self, LinkType};

/// Kind, client, server, port of the server, name.
type Named = (&'static str, Addr, Addr, u16, String);

/// Responder, asker, question; addresses and aliases as written in the truth.
type Answered = (Addr, Addr, String, BTreeSet<String>, BTreeSet<String>);

#[derive(Default)]
struct Found {
    named: BTreeSet<Named>,
    answered: BTreeSet<Answered>,
    rejected: u64,
}

/// The flow of a packet, whichever way it goes.
type Key = (Addr, u16, Addr, u16, u8);

struct Reader {
    names: Names,
    flows: HashMap<Key, Watch>,
    dns: HashMap<(Key, bool), DnsStream>,
    found: Found,
    clock: Timestamp,
}

impl Reader {
    fn frame(&mut self, frame: &Frame<'_>) {
        let Ok(packet) = wire::dissect(frame.link, frame.octets, frame.original_length) else { return };
        // Where the IP header is: where the rest of the frame reads the same.
        let at = (0..frame.octets.len().min(200)).find(|at| {
            wire::dissect(LinkType::RAW, &frame.octets[*at..], frame.original_length - *at as u32)
                .is_ok_and(|other| (other.src, other.dst, other.octets) == (packet.src, packet.dst, packet.octets))
        });
        let Some(at) = at else { return };
        let Ok(sliced) = LaxSlicedPacket::from_ip(&frame.octets[at..]) else { return };
        let (carrier, payload) = match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                (Carrier::Tcp(tcp.sequence_number().wrapping_add(u32::from(tcp.syn()))), tcp.payload())
            }
            Some(TransportSlice::Udp(udp)) => (Carrier::Udp, udp.payload()),
            _ => return,
        };
        let payload = &payload[..payload.len().min(packet.payload as usize)];
        self.clock = frame.time.unwrap_or(self.clock);
        let there = (packet.src, packet.sport) <= (packet.dst, packet.dport);
        let protocol = packet.protocol.0;
        let key = if there {
            (packet.src, packet.sport, packet.dst, packet.dport, protocol)
        } else {
            (packet.dst, packet.dport, packet.src, packet.sport, protocol)
        };
        let segment = Segment {
            way: if there { Way::There } else { Way::Back },
            carrier,
            src: packet.src,
            dst: packet.dst,
            sport: packet.sport,
            dport: packet.dport,
            payload,
            missing: packet.payload - payload.len() as u32,
            time: self.clock,
        };
        if packet.protocol == Protocol::TCP && packet.tcp_flags & 0x12 == 0x02 {
            if let Some(watch) = self.flows.remove(&key) {
                let sighting = self.names.forget(watch);
                self.sighted(key, sighting);
            }
            self.dns.remove(&(key, there));
        }
        let watch = self.flows.entry(key).or_default();
        let sighting = self.names.see(watch, &segment);
        self.sighted(key, sighting);
        if segment.sport == DNS_PORT || (segment.dport == DNS_PORT && segment.carrier == Carrier::Udp) {
            self.answers(key, there, &segment);
        }
    }

    fn sighted(&mut self, (low, low_port, high, high_port, _): Key, sighting: Option<Sighting>) {
        let Some(Sighting { name, asked, .. }) = sighting else { return };
        let kind = match name.from {
            NameSource::Sni => "tls",
            NameSource::Quic => "quic",
            NameSource::Host => "http",
            NameSource::Dns => "dns",
        };
        let (client, server, port) = match asked {
            Way::There => (low, high, high_port),
            Way::Back => (high, low, low_port),
        };
        self.found.named.insert((kind, client, server, port, name.text.into()));
    }

    fn answers(&mut self, key: Key, there: bool, segment: &Segment<'_>) {
        let mut responses = Vec::new();
        match segment.carrier {
            Carrier::Udp => responses.extend(Response::read(segment.payload)),
            Carrier::Tcp(sequence) => {
                let stream = self.dns.entry((key, there)).or_insert_with(|| DnsStream::at(sequence));
                let _ = stream.put(sequence, segment.payload, |response| responses.push(response));
            }
        }
        for response in responses {
            let Some(question) = &response.question else { continue };
            let (mut addresses, mut aliases) = (BTreeSet::new(), BTreeSet::new());
            for record in &response.records {
                match &record.data {
                    Data::Address(address) => addresses.insert(address.to_string()),
                    Data::Alias(alias) => aliases.insert(alias.to_string()),
                };
            }
            if !addresses.is_empty() || !aliases.is_empty() {
                self.found.answered.insert((segment.src, segment.dst, question.to_string(), addresses, aliases));
            }
        }
    }
}

fn read(path: &Path) -> Found {
    let file: Box<dyn Read + Send> = Box::new(File::open(path).unwrap());
    let mut reader = Reader {
        names: Names::new(Limits::default()),
        flows: HashMap::new(),
        dns: HashMap::new(),
        found: Found::default(),
        clock: Timestamp(0),
    };
    let Ok(input) = unwrap(file, 1 << 30) else { return reader.found };
    let Some(format) = CaptureFormat::of(&input.head) else { return reader.found };
    let Ok(mut capture) = Capture::open(format, input.reader) else { return reader.found };
    while let Ok(Next::Frame(frame)) = capture.next_frame() {
        reader.frame(&frame);
    }
    for (key, watch) in std::mem::take(&mut reader.flows) {
        let sighting = reader.names.forget(watch);
        reader.sighted(key, sighting);
    }
    assert_eq!(reader.names.held(), 0, "{}", path.display());
    reader.found.rejected = reader.names.counts().rejected;
    reader.found
}

fn truth(path: &Path) -> Found {
    let mut found = Found::default();
    let set =
        |text: &str| text.split('|').filter(|text| !text.is_empty()).map(str::to_lowercase).collect::<BTreeSet<_>>();
    let addr = |text: &str| text.parse::<std::net::IpAddr>().map(Addr::from);
    for line in fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["sni", kind, client, server, port, name, _] => {
                let kind = if kind == "tls" { "tls" } else { "quic" };
                let name = name.trim_end_matches('.').to_lowercase();
                found.named.insert((
                    kind,
                    addr(client).unwrap(),
                    addr(server).unwrap(),
                    port.parse().unwrap_or(0),
                    name,
                ));
            }
            ["http", client, server, port, host, _] => {
                let host = host.to_lowercase();
                let name = match host.rsplit_once(':') {
                    Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name.to_owned(),
                    _ => host,
                };
                let (Ok(client), Ok(server)) = (addr(client), addr(server)) else { continue };
                found.named.insert((
                    "http",
                    client,
                    server,
                    port.parse().unwrap_or(0),
                    name.trim_end_matches('.').to_owned(),
                ));
            }
            ["dns", "dns", responder, asker, question, a, aaaa, cname, _] => {
                let mut addresses = set(a);
                addresses.extend(set(aaaa).iter().map(|text| addr(text).unwrap().to_string()));
                let row =
                    (addr(responder).unwrap(), addr(asker).unwrap(), question.to_lowercase(), addresses, set(cname));
                found.answered.insert(row);
            }
            _ => {}
        }
    }
    found
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

#[test]
fn names_agree_with_tshark() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/captures"));
    if !root.is_dir() {
        println!("no corpus of captures at {}: nothing to compare", root.display());
        return;
    }
    let mut found = Vec::new();
    truths(&root, &mut found);
    let mut wrong = String::new();
    let mut rows: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for path in &found {
        let capture = PathBuf::from(path.to_string_lossy().strip_suffix(".truth.tsv").unwrap());
        let name = capture.strip_prefix(&root).unwrap().display().to_string();
        let (ours, theirs) = (read(&capture), truth(path));
        for row in theirs.named.union(&ours.named) {
            let (ours, theirs) = (ours.named.contains(row), theirs.named.contains(row));
            rows.entry(row.0).or_default()[usize::from(ours != theirs)] += 1;
            if ours != theirs {
                writeln!(wrong, "{name}: {} {row:?}", if ours { "extra" } else { "missing" }).unwrap();
            }
        }
        for row in theirs.answered.union(&ours.answered) {
            let (ours, theirs) = (ours.answered.contains(row), theirs.answered.contains(row));
            rows.entry("dns").or_default()[usize::from(ours != theirs)] += 1;
            if ours != theirs {
                writeln!(wrong, "{name}: {} {row:?}", if ours { "extra" } else { "missing" }).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{rows:?}");
}
