//! What collectors write: nfdump, nProbe and ntopng, Hubble.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use landfall::model::{BiflowDirection, Caveat, Drops, FlowEndReason, FlowFlags, NameSource, Protocol, Skip};

use crate::fixtures::logs::{Read, corpus, read};

/// Octets and packets of both directions.
fn sums(log: &Read) -> [u64; 4] {
    log.records.iter().fold([0; 4], |[octets, packets, reverse_octets, reverse_packets], record| {
        let (there, back) = (record.forward, record.reverse);
        [octets + there.octets, packets + there.packets, reverse_octets + back.octets, reverse_packets + back.packets]
    })
}

/// What the corpus's manifest has of nfdump's own totals for a pcap of flow telemetry, by the path.
fn manifest() -> BTreeMap<String, BTreeMap<String, u64>> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/MANIFEST.tsv"));
    let text = fs::read_to_string(path).unwrap_or_default();
    let totals = |line: &str| {
        let cells = line.split('\t').flat_map(|cell| cell.split(';'));
        cells
            .filter_map(|cell| cell.split_once('='))
            .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
            .collect()
    };
    text.lines().filter_map(|line| Some((line.split('\t').next()?.to_owned(), totals(line)))).collect()
}

#[test]
fn nfdump_gives_its_own_totals() {
    let manifest = manifest();
    let mut checked = 0;
    for folder in ["akv", "exported", "logstash", "ndpi", "pmacct", "scapy"] {
        for path in corpus(&format!("netflow/{folder}"), &[".nfdump.csv"]) {
            let name = path.file_name().unwrap().to_str().unwrap().strip_suffix(".nfdump.csv").unwrap();
            let Some(totals) = manifest.get(&format!("netflow/{folder}/{name}.pcap")) else { continue };
            let text = fs::read(&path).unwrap();
            let log = read(&text);
            let total = |key: &str| totals.get(key).copied().unwrap_or(0);
            if log.error.is_some() {
                assert!(total("nfdump_records") == 0 && text.is_empty(), "{name}: {:?}", log.error);
                continue;
            }
            assert!(log.coverage.skipped.is_empty(), "{name}: {:?}", log.skips());
            let [octets, packets, reverse_octets, _] = sums(&log);
            assert_eq!(log.records.len() as u64, total("nfdump_records"), "{name}");
            assert_eq!(octets, total("nfdump_in_bytes_scaled"), "{name}");
            assert_eq!(packets, total("nfdump_in_packets_scaled"), "{name}");
            assert_eq!(reverse_octets, total("nfdump_out_bytes"), "{name}");
            assert_eq!(log.caveat(Caveat::UnknownField), 0, "{name}: {}", log.notes());
            checked += 1;
        }
    }
    assert!(checked == 0 || checked > 30, "only {checked} files");
}

/// Every shape of the same flows has the same totals, and the old CSV says them in its footer.
#[test]
fn every_shape_of_nfdump_says_the_same() {
    let mut sets: BTreeMap<String, Vec<(String, usize, [u64; 4])>> = BTreeMap::new();
    for path in corpus("netflow/nfdump", &[".csv", ".json", ".ndjson"]) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let log = read(&text);
        assert_eq!(log.error, None, "{name}");
        assert!(log.coverage.skipped.is_empty(), "{name}: {:?}", log.skips());
        assert!(log.notes().contains("taken for UTC") || log.coverage.first.is_none(), "{name}: {}", log.notes());
        assert_eq!(log.caveat(Caveat::UnknownField), 0, "{name}: {}", log.notes());
        let rows = match text.matches("\"proto\"").count() {
            0 => text
                .lines()
                .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()) && line.contains(':'))
                .count(),
            objects => objects,
        };
        assert_eq!(log.records.len(), rows, "{name}");
        let totals = sums(&log);
        if let Some((_, footer)) = text.split_once("\nSummary\n") {
            let numbers: Vec<u64> =
                footer.lines().nth(1).unwrap().split(',').map(|cell| cell.parse().unwrap()).collect();
            assert_eq!(
                (log.records.len() as u64, totals[0], totals[1]),
                (numbers[0], numbers[1], numbers[2]),
                "{name}"
            );
        }
        // Some of the files hold the first flows of the set alone: those of as many flows are the same.
        let set = name.split(".nfdump").next().unwrap();
        sets.entry(format!("{set} of {}", log.records.len())).or_default().push((name, log.records.len(), totals));
    }
    for (set, shapes) in sets {
        assert!(shapes.len() > 1 || set.contains("slips"), "{set}");
        for (name, records, totals) in &shapes {
            assert_eq!((*records, *totals), (shapes[0].1, shapes[0].2), "{name} and {}", shapes[0].0);
        }
    }
}

const LONG: &str = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt";
const SHORT: &str = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows";

#[test]
fn columns_are_found_by_their_names() {
    let long = format!(
        "{LONG}\n2018-01-12 15:37:30,2018-01-12 15:37:32,2.000,10.0.0.1,192.0.2.1,50000,443,TCP,......S.,0,0,3,260,2,304\n\
         2018-01-12 15:37:30,2018-01-12 15:37:32,2.000,10.0.0.1,192.0.2.1,0,8.0,ICMP,........,128,0,1,84,0,0\n\
         Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n2,648,6,1,1,1\n\
         {LONG}\n2018-01-12 15:37:30,2018-01-12 15:37:32,2.000,2001:db8::1,2001:db8::2,123,123,UDP,........,0,0,1,76,0,0\n"
    );
    let log = read(long);
    let [tcp, icmp, udp] = log.records[..] else { panic!("{:?}", log.skips()) };
    assert_eq!(
        (tcp.start.to_string(), tcp.end.to_string()),
        ("2018-01-12T15:37:30Z".to_owned(), "2018-01-12T15:37:32Z".to_owned())
    );
    assert_eq!((tcp.forward.octets, tcp.forward.packets, tcp.reverse.octets, tcp.reverse.packets), (260, 3, 304, 2));
    assert_eq!((tcp.sport, tcp.dport, tcp.direction), (50000, 443, BiflowDirection::Initiator));
    assert_eq!((icmp.protocol, icmp.sport, icmp.dport), (Protocol::ICMP, 0, 0));
    assert!(icmp.flags.has(FlowFlags::REJECTED), "forwarding status 128: dropped, for an unknown reason");
    assert!(!tcp.flags.has(FlowFlags::ONE_DIRECTION) && udp.flags.has(FlowFlags::ONE_DIRECTION));
    assert_eq!(log.notes(), "times without a zone were taken for UTC\n");
    assert_eq!(log.caveat(Caveat::InitiatorGuessed), 2, "SYN alone tells who opened");

    let short = format!(
        "{SHORT}\n0000-00-00 00:00:00.000,1.500,6,10.0.0.1,50000,192.0.2.1,443,0,0,1\n2018-01-12 15:37:30.250,1.500,6,192.0.2.1,443,10.0.0.1,50000,2,304,1\n"
    );
    let log = read(short);
    assert_eq!((log.caveat(Caveat::NoTime), log.caveat(Caveat::CountersUnknown)), (1, 1));
    assert_eq!(log.records[1].end.to_string(), "2018-01-12T15:37:31.75Z");
    assert_eq!(log.records[1].direction, BiflowDirection::ReverseInitiator);
    assert!(log.notes().contains("only the forward half"), "{}", log.notes());
    let strange = read("srcAddr,dstAddr,proto,bytes,colour\n10.0.0.1,192.0.2.1,17,100,red\n");
    assert_eq!((strange.records.len(), strange.notes().contains("field `colour`")), (1, true));
}

#[test]
fn rows_that_are_wrong_are_counted() {
    let good = "2018-01-12 15:37:30.250,1.500,6,10.0.0.1,50000,192.0.2.1,443,2,304,1";
    for wrong in [
        "2018-01-12 15:37:30.250,1.500,6,10.0.0.1,50000,192.0.2.1,443,2,304",
        "2018-01-12 15:37:30.250,1.500,6,10.0.0.1,50000,192.0.2.1,443,2,304,1,1",
        "2018-01-12 15:37:30.250,1.500,6,10.0.0.1,50000,192.0.2.1,443,1.2 M,304,1",
        "2018-13-12 15:37:30.250,1.500,6,10.0.0.1,50000,192.0.2.1,443,2,304,1",
        "2018-01-12 15:37:30.250,1.500,6,10.0.0.x,50000,192.0.2.1,443,2,304,1",
        "2018-01-12 15:37:30.250,1.500,6,10.0.0.1,70000,192.0.2.1,443,2,304,1",
        "hello",
        "a\0b",
    ] {
        let log = read(format!("{SHORT}\n{good}\n{wrong}\n{good}\n"));
        assert_eq!(log.records.len(), 2, "{wrong}");
        assert_eq!(log.skips(), [(Skip::MalformedLine, 1, &[3][..])], "{wrong}");
    }
}

/// Constructed from the field lists of nProbe's documentation; the corpus has no sample.
#[test]
fn nprobe_names_the_fields_of_its_template() {
    let flow = r#"{"IPV4_SRC_ADDR":"10.0.0.1","IPV4_DST_ADDR":"192.0.2.1","IPV6_SRC_ADDR":"::","IPV6_DST_ADDR":"::","L4_SRC_PORT":50000,"L4_DST_PORT":443,"PROTOCOL":6,"IN_PKTS":3,"IN_BYTES":260,"OUT_PKTS":2,"OUT_BYTES":304,"FIRST_SWITCHED":1600000000,"LAST_SWITCHED":1600000002,"CLIENT_TCP_FLAGS":27,"SERVER_TCP_FLAGS":27,"L7_PROTO":"91.126","L7_PROTO_NAME":"TLS.Google","TLS_SERVER_NAME":"WWW.Example.com","HTTP_SITE":"","A_NEW_FIELD":1}"#;
    let log = read(format!("{flow}\n"));
    let record = log.records[0];
    assert_eq!((record.src.to_string(), record.dst.to_string()), ("10.0.0.1".to_owned(), "192.0.2.1".to_owned()));
    assert_eq!(
        (record.forward.octets, record.forward.packets, record.reverse.octets, record.reverse.packets),
        (260, 3, 304, 2)
    );
    assert_eq!(
        (record.start.to_string(), record.end.to_string()),
        ("2020-09-13T12:26:40Z".to_owned(), "2020-09-13T12:26:42Z".to_owned())
    );
    assert_eq!(
        (record.direction, record.end_reason),
        (BiflowDirection::Initiator, FlowEndReason::IdleTimeout.max(FlowEndReason::EndOfFlow))
    );
    assert_eq!(log.name(0), Some(("www.example.com", NameSource::Sni)));
    assert_eq!((log.coverage.kind.as_str(), log.notes().as_str()), ("nprobe-json", "field `A_NEW_FIELD`\n"));
    assert_eq!(log.caveat(Caveat::InitiatorGuessed), 0);
    // Without labels fields are numbers of NetFlow version 9.
    let numbers = r#"{"8":"10.0.0.1","12":"192.0.2.1","7":50000,"11":443,"4":6,"2":3,"1":260,"24":2,"23":304}"#;
    let log = read(numbers);
    assert_eq!(sums(&log), [260, 3, 304, 2]);
    assert_eq!((log.caveat(Caveat::NoTime), log.caveat(Caveat::InitiatorGuessed)), (1, 1));
    // As ntopng's interface gives flows.
    let ntopng = r#"{"cli.ip":"2001:db8::1","srv.ip":"2001:db8::2","cli.port":50000,"srv.port":443,"proto.l4":"UDP","cli2srv.bytes":260,"cli2srv.packets":3,"srv2cli.bytes":304,"srv2cli.packets":2,"seen.first":1600000000,"seen.last":1600000002}"#;
    let log = read(format!("[{ntopng},{ntopng}]"));
    assert_eq!(
        (log.records.len(), log.records[1].protocol, log.records[1].provenance.position()),
        (2, Protocol::UDP, 2)
    );
}

/// Constructed from the documentation of Hubble's flows (`api/v1/flow/README.md`); the corpus has no sample.
#[test]
fn hubble_says_what_was_seen_and_not_how_much() {
    let flow = |verdict: &str, reply: &str, names: &str| {
        format!(
            r#"{{"flow":{{"time":"2023-03-23T22:35:16.365272245Z","uuid":"x","verdict":"{verdict}","ethernet":{{"source":"00:00:5e:00:53:01"}},"IP":{{"source":"10.0.0.1","destination":"192.0.2.1","ipVersion":"IPv4"}},"l4":{{"TCP":{{"source_port":50000,"destination_port":443,"flags":{{"SYN":true}}}}}},"source":{{"ID":1,"labels":["k8s:app=x"]}},"Type":"L3_L4","node_name":"n","destination_names":{names},"event_type":{{"type":4}},"traffic_direction":"EGRESS"{reply},"Summary":"TCP Flags: SYN"}},"node_name":"n","time":"2023-03-23T22:35:16.365272245Z"}}"#
        ) + "\n"
    };
    let log = read(format!(
        "{}{}{}{}{}",
        flow("FORWARDED", r#","is_reply":false"#, r#"["api.example.com","zzz.example"]"#),
        flow("DROPPED", r#","is_reply":false"#, "[]"),
        flow("FORWARDED", r#","is_reply":true"#, r#"["api.example.com"]"#),
        flow("FORWARDED", "", "[]"),
        "{\"lost_events\":{\"source\":\"HUBBLE_RING_BUFFER\",\"num_events_lost\":\"5\"},\"node_name\":\"n\"}\n",
    ));
    let [seen, dropped, reply, unknown] = log.records[..] else { panic!("{:?}", log.skips()) };
    assert_eq!((seen.start.to_string(), seen.dport), ("2023-03-23T22:35:16.365272245Z".to_owned(), 443));
    assert!(seen.flags.has(FlowFlags::COUNTERS_UNKNOWN) && seen.flags.has(FlowFlags::ONE_DIRECTION));
    assert_eq!(seen.uniflows().map(|uniflow| uniflow.moved()), [true, false]);
    assert_eq!(log.name(0), Some(("api.example.com", NameSource::Dns)));
    assert!(dropped.flags.has(FlowFlags::REJECTED) && !dropped.uniflows()[0].moved());
    assert_eq!((reply.direction, log.name(2)), (BiflowDirection::ReverseInitiator, None));
    assert_eq!((unknown.direction, log.caveat(Caveat::InitiatorGuessed)), (BiflowDirection::Initiator, 1));
    assert_eq!(log.coverage.drops, Some(Drops { kernel: 5, interface: 0 }));
    assert!(!log.coverage.is_complete() && log.notes().is_empty(), "{}", log.notes());
    assert_eq!((log.coverage.kind.as_str(), log.caveat(Caveat::CountersUnknown)), ("hubble-json", 4));
    let broken =
        read(format!("{}{}", flow("FORWARDED", "", "[]"), flow("FORWARDED", "", "[]").replace("192.0.2.1", "x")));
    assert_eq!(broken.skips(), [(Skip::MalformedLine, 1, &[2][..])]);
}
