//! Names in real captures against what tshark 4.6.9 reads in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use landfall::meter::Frame;
use landfall::model::{Addr, Batch, InputId, NameSource, Protocol, Timestamp};
use landfall::source::capture::{Capture, CaptureFormat, Next};
use landfall::source::compression::unwrap;
use landfall::source::{Options, Progress, open};
use landfall::wire::name::{
    Carrier, DNS_PORT, Data, DnsStream, Limits, Names, Response, Segment, Sighting, Watch, Way,
};
use landfall::wire::{self, Dissected, Inside};

/// Kind, client, server, port of the server, name.
type Named = (&'static str, Addr, Addr, u16, String);

/// Responder, asker, question; addresses and aliases as written in the truth.
type Answered = (Addr, Addr, String, BTreeSet<String>, BTreeSet<String>);

#[derive(Default)]
struct Found {
    named: BTreeSet<Named>,
    answered: BTreeSet<Answered>,
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
        self.clock = frame.time.unwrap_or(self.clock);
        let mut next = wire::dissect(frame.link, frame.octets, frame.original_length);
        while let Ok(found) = next {
            self.packet(&found);
            let Inside::Tunnelled(within) = found.inside else { return };
            next = within.dissect();
        }
    }

    fn packet(&mut self, found: &Dissected<'_>) {
        let (packet, payload) = (found.packet, found.payload);
        let carrier = match packet.protocol {
            Protocol::TCP => Carrier::Tcp(packet.sequence.wrapping_add(u32::from(packet.tcp_flags >> 1 & 1))),
            Protocol::UDP => Carrier::Udp,
            _ => return,
        };
        if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
            return;
        }
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
        // The tables of truth have none of these.
        let Some(Sighting { name, asked }) = sighting.filter(|seen| seen.name.from != NameSource::Certificate) else {
            return;
        };
        let kind = kind(name.from);
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

fn kind(from: NameSource) -> &'static str {
    match from {
        NameSource::Sni | NameSource::OuterSni => "tls",
        NameSource::Quic | NameSource::OuterQuic => "quic",
        NameSource::Host => "http",
        NameSource::Dns => "dns",
        NameSource::Certificate => "certificate",
    }
}

/// The names in the flow records of a capture, but for those from answers.
fn flows(path: &Path) -> BTreeSet<Named> {
    let mut found = BTreeSet::new();
    let file: Box<dyn Read + Send> = Box::new(File::open(path).unwrap());
    let Ok(mut source) = open(InputId(0), "", file, &Options::default()) else { return found };
    let mut batch = Batch::default();
    loop {
        let progress = source.read(&mut batch);
        for record in &batch.records {
            if let Some(name) = record.name.and_then(|id| batch.name(id))
                && !matches!(name.from, NameSource::Dns | NameSource::Certificate)
            {
                found.insert((kind(name.from), record.src, record.dst, record.dport, name.text.to_string()));
            }
        }
        batch.clear();
        if matches!(progress, Ok(Progress::End) | Err(_)) {
            return found;
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
            // Discovery of neighbours (SSDP) asks a group, and names nothing; the root has no name.
            ["http", _, _, "1900", ..] | ["dns", "dns", _, _, "<Root>", ..] => {}
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

/// Files that differ: how many rows tshark alone has, how many are ours alone, and why. A row that holds no more fails the
/// test too.
const DIFFER: &[(&str, usize, usize, &str)] = &[
    ("arkime/http-tcp-seq-issue.pcap", 0, 1, MORE),
    ("arkime/http2-nghttp2.pcap", 0, 1, HTTP2),
    ("arkime/https-connect.pcap", 0, 1, MORE),
    ("arkime/ipv6-gtp6.pcap", 1, 1, "the truth has the addresses of the tunnel"),
    ("arkime/sctp-www.pcap", 1, 0, "HTTP over SCTP"),
    ("arkime/v6.pcap", 1, 0, QUOTED),
    ("libpcap/AH-IPcomp-IPv4.pcap", 1, 0, TUNNEL),
    ("libpcap/AH-IPcomp-IPv6.pcap", 1, 0, TUNNEL),
    ("ndpi/custom_rules_ipv6.pcapng", 1, 0, PORT),
    ("ndpi/ookla.pcap", 0, 1, MORE),
    ("ndpi/rdp2.pcap", 1, 0, "TLS within RDP over UDP"),
    ("ndpi/tls_missing_ch_frag.pcap", 0, 1, MORE),
    ("suricata-verify/dns-over-http2-post__dns_over_https_POST.pcap", 11, 1, "DNS over HTTP/2, and the host of that"),
    ("suricata-verify/http-connect__http-connect-fragmented__input.pcap", 0, 1, MORE),
    ("suricata-verify/http-connect__http-connect-tls__input.pcap", 0, 1, MORE),
    ("suricata-verify/http2-continuation__input.pcap", 0, 1, HTTP2),
    ("tcpdump/dns_udp_8053.pcap", 1, 0, PORT),
    ("zeek/dns__dynamic-update.pcap", 2, 0, "an update (RFC 2136), not an answer"),
    ("zeek/http__http-to-ssh.pcap", 0, 1, MORE),
    ("zeek/icmp__icmp-destunreach-udp.pcap", 1, 0, QUOTED),
    ("zeek/ipv6-fragmented-dns.pcap", 1, 0, FRAGMENTS),
    ("zeek/mpls-in-vlan.pcap", 0, 1, LABELS),
    ("zeek/postgresql__http-on-port-5432.pcap", 0, 1, MORE),
    ("zeek/tls__ssl-to-http-server.pcap", 0, 1, MORE),
    ("zeek/tunnels__gtp__gtp1_gn_normal_incl_fragmentation.pcap", 1, 0, TUNNEL),
];

/// The name is in a tunnel that is not read, or in a later fragment of one.
const TUNNEL: &str = "tunnel";
/// tshark puts fragments of IP together.
const FRAGMENTS: &str = "fragments";
/// The answer is a quotation in an ICMP error: nobody received it.
const QUOTED: &str = "quoted";
/// tshark takes another port for the domain name system's.
const PORT: &str = "port";
/// The truth has hosts of HTTP/1 alone; tshark reads the same host here.
const HTTP2: &str = "HTTP/2";
/// The truth has this host without addresses, since tshark read no IP header behind the labels of MPLS.
const LABELS: &str = "labels";
/// tshark goes by ports, or wants all of a request or hello, and the name is there.
const MORE: &str = "more than tshark";

fn differ<T: Ord + std::fmt::Debug>(ours: &BTreeSet<T>, theirs: &BTreeSet<T>, text: &mut String) -> [usize; 2] {
    let missing: Vec<_> = theirs.difference(ours).collect();
    let extra: Vec<_> = ours.difference(theirs).collect();
    for (what, rows) in [("missing", &missing), ("extra", &extra)] {
        for row in rows {
            writeln!(text, "    {what} {row:?}").unwrap();
        }
    }
    [missing.len(), extra.len()]
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
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for path in &found {
        let capture = PathBuf::from(path.to_string_lossy().strip_suffix(".truth.tsv").unwrap());
        let name = capture.strip_prefix(&root).unwrap().display().to_string();
        let (ours, theirs) = (read(&capture), truth(path));
        let mut text = String::new();
        let [missing, extra] = differ(&ours.named, &theirs.named, &mut text);
        let [unanswered, more] = differ(&ours.answered, &theirs.answered, &mut text);
        let expected = DIFFER.iter().find(|row| row.0 == name).map_or([0, 0], |row| [row.1, row.2]);
        if [missing + unanswered, extra + more] != expected {
            writeln!(wrong, "{name}: expected {expected:?}\n{text}").unwrap();
        }
        for row in &theirs.named {
            *rows.entry(row.0).or_default() += 1;
        }
        *rows.entry("dns").or_default() += theirs.answered.len();
    }
    for (name, ..) in DIFFER {
        if !root.join(name).is_file() {
            writeln!(wrong, "{name}: listed, and not in the corpus").unwrap();
        }
    }
    println!("rows of the truth: {rows:?}");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Files with pairs of client and server that have a name, and no flow record with one: how many, and why.
const WITHOUT: &[(&str, usize, &str)] =
    &[("arkime/socks5-reverse.pcap", 1, "the server of the hello opened the connection: the name is that of a source")];

/// The names of flow records are those that are there to be seen, and every client and server that has one has it in a
/// record. A record has one name, where a flow can show several.
#[test]
fn flow_records_have_the_names_that_are_seen() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/captures"));
    if !root.is_dir() {
        println!("no corpus of captures at {}: nothing to compare", root.display());
        return;
    }
    let mut found = Vec::new();
    truths(&root, &mut found);
    let (mut wrong, mut same, mut all) = (String::new(), 0, 0);
    for path in &found {
        let capture = PathBuf::from(path.to_string_lossy().strip_suffix(".truth.tsv").unwrap());
        let name = capture.strip_prefix(&root).unwrap().display().to_string();
        let (seen, flows) = (read(&capture).named, flows(&capture));
        let extra: Vec<_> = flows.difference(&seen).collect();
        let ends = |(_, client, server, port, _): &Named| (*client, *server, *port);
        let with: BTreeSet<_> = flows.iter().map(ends).collect();
        let without: BTreeSet<_> = seen.iter().map(ends).filter(|ends| !with.contains(ends)).collect();
        let expected = WITHOUT.iter().find(|row| row.0 == name).map_or(0, |row| row.1);
        if !extra.is_empty() || without.len() != expected {
            writeln!(wrong, "{name}: extra {extra:?}\n    without {without:?}").unwrap();
        }
        same += seen.intersection(&flows).count();
        all += seen.len();
    }
    println!("{same} of {all} names that are seen are in flow records");
    assert!(wrong.is_empty(), "{wrong}");
}
