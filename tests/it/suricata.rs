//! Suricata's events: what the corpus's truths say, and which events are used.

use std::collections::BTreeMap;
use std::fs;

use landfall::model::{BiflowDirection, Caveat, FlowEndReason, FlowFlags, NameSource, Protocol, Skip};

use crate::fixtures::logs::{Truth, corpus, read};

/// Octets of an Ethernet header, which Suricata counts and a record does not.
const ETHERNET: u64 = 14;

/// The truths count frames: what was taken off is 14 octets a packet, and 4 more for each VLAN tag.
#[test]
fn the_corpus_gives_its_truths() {
    let files = corpus("suricata", &["eve.json"]);
    for path in &files {
        let name = path.display();
        let (log, truth) = (read(fs::read(path).unwrap()), Truth::beside(path));
        assert_eq!(log.error, None, "{name}");
        assert!(log.coverage.skipped.is_empty(), "{name}: {:?}", log.skips());
        assert_eq!(log.records.len() as u64, truth.meta("events_flow"), "{name}");
        // Two captures have tagged frames, and their truths say so by nothing but their names.
        let tags = if name.to_string().contains("twovlan") { tags(path) } else { 0 };
        let mut pairs: BTreeMap<(String, String), [u64; 5]> = BTreeMap::new();
        for record in &log.records {
            let frames = |sent: landfall::model::Counters| sent.octets + (ETHERNET + 4 * tags) * sent.packets;
            let add =
                [1, record.forward.packets, frames(record.forward), record.reverse.packets, frames(record.reverse)];
            let sums = pairs.entry((record.src.to_string(), record.dst.to_string())).or_default();
            *sums = std::array::from_fn(|n| sums[n] + add[n]);
        }
        let expected: BTreeMap<_, _> = truth
            .pairs::<5>()
            .into_iter()
            .map(|((src, dst), numbers)| ((normal(&src), normal(&dst)), numbers))
            .collect();
        assert_eq!(pairs, expected, "{name}");
        let packets: u64 = log.records.iter().map(|record| record.forward.packets + record.reverse.packets).sum();
        assert_eq!(packets, truth.meta("flow_packets"), "{name}");
        assert_eq!(log.caveat(Caveat::LinkOctets), log.records.len() as u64, "{name}");
        assert_eq!(log.caveat(Caveat::UnknownField), 0, "{name}: {}", log.notes());
        if truth.meta("events_netflow") > 0 {
            assert!(log.notes().contains("`netflow` events repeat"), "{name}");
        }
        // Every name of a hello that the truth has is on a flow of that server.
        for sni in truth.rows("sni") {
            let (from, server, text) = (&sni[0], normal(&sni[1]), &sni[2]);
            let source = if from == "quic" { NameSource::Quic } else { NameSource::Sni };
            let found = (0..log.records.len()).any(|n| {
                log.records[n].dst.to_string() == server && log.name(n) == Some((&text.to_lowercase(), source))
            });
            let is_joined = fs::read_to_string(path).unwrap().contains(&format!("\"sni\":\"{text}\""));
            assert!(found || !is_joined, "{name}: {from} {server} {text}");
        }
    }
    assert!(files.is_empty() || files.len() >= 9, "only {} files", files.len());
}

fn normal(address: &str) -> String {
    address.parse::<std::net::IpAddr>().unwrap().to_string()
}

/// How many VLAN tags the flows of a file have, as the file says.
fn tags(path: &std::path::Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.contains("\"event_type\":\"flow\"")).unwrap();
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["vlan"].as_array().map_or(0, |tags| tags.len() as u64)
}

/// The capture's own IP octets, by softflowd and nfdump: 23 397 in 161 packets (`netflow/exported/arkimev6.softflowd-v9`).
#[test]
fn what_is_left_of_frames_is_ip() {
    for path in corpus("suricata", &["run_arkimev6.suricata-7.0.10.eve.json", "run_arkimev6.suricata-8.0.7.eve.json"]) {
        let log = read(fs::read(&path).unwrap());
        let octets: u64 = log.records.iter().map(|record| record.forward.octets + record.reverse.octets).sum();
        assert_eq!(octets, 23_397, "{}", path.display());
    }
}

#[test]
fn a_log_without_flows_is_refused() {
    let files = corpus("suricata", &["tenzir_dns.json", "tenzir_http.json", "tenzir_tls.json"]);
    for path in &files {
        let log = read(fs::read(path).unwrap());
        assert_eq!(Truth::beside(path).meta("events_flow"), 0);
        assert!(log.records.is_empty(), "{}", path.display());
        assert!(log.error.unwrap().contains("without any of type `flow`"), "{}", path.display());
        assert!(!log.coverage.is_complete());
    }
}

const HEAD: &str = r#""timestamp":"2020-09-13T12:26:45.000000+0000","flow_id":7,"src_ip":"10.0.0.1","src_port":50000,"dest_ip":"192.0.2.1","dest_port":443,"proto":"TCP""#;

fn flow(more: &str) -> String {
    format!(
        r#"{{{HEAD},"event_type":"flow","flow":{{"pkts_toserver":3,"pkts_toclient":2,"bytes_toserver":302,"bytes_toclient":332,"start":"2020-09-13T12:26:40.250000+0000","end":"2020-09-13T14:26:41.750000+0200","state":"closed","reason":"timeout"}},"tcp":{{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true}}{more}}}"#
    ) + "\n"
}

fn netflow(from: &str, to: &str, flags: &str) -> String {
    let [src, sport] = from.split(' ').collect::<Vec<_>>()[..] else { panic!() };
    let [dst, dport] = to.split(' ').collect::<Vec<_>>()[..] else { panic!() };
    format!(
        r#"{{"timestamp":"2020-09-13T12:26:45.000000+0000","flow_id":7,"event_type":"netflow","src_ip":"{src}","src_port":{sport},"dest_ip":"{dst}","dest_port":{dport},"proto":"TCP","netflow":{{"pkts":3,"bytes":302,"start":"2020-09-13T12:26:40.250000+0000","end":"2020-09-13T12:26:41.750000+0000","age":1,"min_ttl":64,"max_ttl":64}},"tcp":{{"tcp_flags":"{flags}"}}}}"#
    ) + "\n"
}

#[test]
fn a_flow_event_is_a_biflow() {
    let log = read(flow(r#","a_new_field":1,"vlan":[]"#));
    let record = log.records[0];
    assert_eq!(record.start.to_string(), "2020-09-13T12:26:40.25Z");
    assert_eq!(record.end.to_string(), "2020-09-13T12:26:41.75Z");
    // 302 octets of frames in three packets, 332 in two.
    assert_eq!((record.forward.octets, record.forward.packets), (302 - 3 * 14, 3));
    assert_eq!((record.reverse.octets, record.reverse.packets), (332 - 2 * 14, 2));
    assert_eq!((record.sport, record.dport, record.protocol), (50000, 443, Protocol::TCP));
    assert_eq!((record.direction, record.end_reason), (BiflowDirection::Initiator, FlowEndReason::EndOfFlow));
    assert_eq!(record.flags, FlowFlags::PAYLOAD_UNKNOWN);
    assert_eq!((log.caveat(Caveat::PayloadEstimated), log.caveat(Caveat::LinkOctets)), (1, 1));
    assert_eq!(log.notes(), "field `a_new_field`\n");
    let tagged = read(flow(r#","vlan":[5,6]"#)).records[0];
    assert_eq!(tagged.forward.octets, 302 - 3 * (14 + 8));
    // 100 octets in three packets cannot hold Ethernet and IP headers: they were IP packets.
    let raw = read(flow("").replace("302", "100"));
    assert_eq!((raw.records[0].forward.octets, raw.caveat(Caveat::LinkOctets)), (100, 0));
    let middle = read(flow("").replace(r#""tcp_flags_ts":"1b""#, r#""tcp_flags_ts":"18""#));
    assert_eq!((middle.records[0].direction, middle.caveat(Caveat::InitiatorGuessed)), (BiflowDirection::Initiator, 1));
}

#[test]
fn names_come_from_other_events() {
    let event = |kind: &str, more: &str| format!("{{{HEAD},\"event_type\":\"{kind}\",{more}}}\n");
    let tls = event("tls", r#""tls":{"sni":"WWW.Example.com","version":"TLS 1.3"}"#);
    let http = event("http", r#""http":{"hostname":"host.example:8443","url":"/secret"}"#);
    let log = read(format!("{tls}{http}{}{}", flow(""), flow("")));
    assert_eq!(log.name(0), Some(("www.example.com", NameSource::Sni)));
    assert_eq!(log.name(1), None, "a name goes with its flow");
    assert_eq!(read(format!("{http}{}", flow(""))).name(0), Some(("host.example", NameSource::Host)));
    let quic = event("quic", r#""quic":{"version":"1","sni":"quic.example"}"#);
    assert_eq!(read(format!("{quic}{}", flow(""))).name(0), Some(("quic.example", NameSource::Quic)));

    let answers = r#"[{"rrname":"told.example","rrtype":"CNAME","ttl":60,"rdata":"alias.example"},{"rrname":"alias.example","rrtype":"A","ttl":60,"rdata":"192.0.2.1"}]"#;
    let dns = |time: &str, src: &str, dst: &str, dns: String| {
        format!(
            r#"{{"timestamp":"2020-09-13T{time}+0000","flow_id":9,"event_type":"dns",{src},{dst},"proto":"UDP","dns":{dns}}}"#
        ) + "\n"
    };
    let client = |side: &str| format!(r#""{side}_ip":"10.0.0.1","{side}_port":40000"#);
    let server = |side: &str| format!(r#""{side}_ip":"10.0.0.53","{side}_port":53"#);
    let two = format!(r#"{{"version":2,"type":"answer","rrname":"told.example","rrtype":"A","answers":{answers}}}"#);
    let three = format!(
        r#"{{"version":3,"type":"response","queries":[{{"rrname":"told.example","rrtype":"A"}}],"answers":{answers}}}"#
    );
    let told = [
        dns("12:26:40.0", &client("src"), &server("dest"), two.clone()),
        dns("12:26:40.0", &server("src"), &client("dest"), three),
    ];
    for event in &told {
        assert_eq!(read(format!("{event}{}", flow(""))).name(0), Some(("told.example", NameSource::Dns)), "{event}");
    }
    let late = dns("12:26:41.0", &client("src"), &server("dest"), two.clone());
    assert_eq!(read(format!("{late}{}", flow(""))).name(0), None, "after the flow began");
    let text = two.replace(r#""rrtype":"A","ttl""#, r#""rrtype":"TXT","ttl""#);
    assert_eq!(read(format!("{}{}", dns("12:26:40.0", &client("src"), &server("dest"), text), flow(""))).name(0), None);
}

#[test]
fn flows_are_never_counted_twice() {
    let there = netflow("10.0.0.1 50000", "192.0.2.1 443", "02");
    let back = netflow("192.0.2.1 443", "10.0.0.1 50000", "12");
    for text in [format!("{there}{back}{}", flow("")), format!("{}{there}{back}", flow(""))] {
        let log = read(text);
        assert_eq!(log.records.len(), 1);
        assert!(!log.records[0].flags.has(FlowFlags::ONE_DIRECTION) && log.coverage.is_complete());
    }
    let log = read(format!("{there}{back}"));
    let directions = [BiflowDirection::Initiator, BiflowDirection::ReverseInitiator];
    assert_eq!(log.records.iter().map(|record| record.direction).collect::<Vec<_>>(), directions);
    for record in &log.records {
        assert!(record.flags.has(FlowFlags::ONE_DIRECTION));
        assert_eq!((record.forward.octets, record.reverse.packets), (302 - 3 * 14, 0));
    }
    let many = read(there.repeat(10_000));
    assert_eq!((many.records.len(), many.coverage.used.count), (10_000, 10_000));
    let partial = format!(r#"{{{HEAD},"event_type":"alert","flow":{{"pkts_toserver":9,"bytes_toserver":999}}}}"#);
    let log = read(format!("{partial}\n{{\"timestamp\":\"x\",\"event_type\":\"stats\"}}\n{partial}\n{}", flow("")));
    assert_eq!((log.records.len(), log.records[0].forward.packets), (1, 3));
    assert_eq!(log.notes(), "events that are no flows were passed over: alert, stats\n");
}

/// AWS Network Firewall's wrapper, after the example of its documentation
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html>).
#[test]
fn the_firewall_of_aws_wraps_events() {
    let event = netflow("10.0.0.1 50000", "192.0.2.1 443", "02");
    let text = format!(
        r#"{{"firewall_name":"test-firewall","availability_zone":"us-east-1b","event_timestamp":"1602627001","event":{}}}"#,
        event.trim_end()
    );
    let log = read(text);
    assert_eq!((log.records.len(), log.coverage.kind.as_str()), (1, "suricata-eve"));
    assert_eq!((log.records[0].forward.packets, log.records[0].dport), (3, 443));
    assert!(log.coverage.skipped.is_empty() && log.notes().is_empty(), "{}", log.notes());
}

#[test]
fn events_that_are_wrong_are_counted() {
    for wrong in [
        flow("").replace("192.0.2.1", "192.0.2"),
        flow("").replace("TCP", "TCPX"),
        flow("").replace("\"pkts_toserver\":3", "\"pkts_toserver\":-3"),
        flow("").replace("12:26:40.25", "99:99:99"),
        flow("").replace("event_type", "event_kind"),
        "{\"event_type\":\n".to_owned(),
        "what\n".to_owned(),
    ] {
        let log = read(format!("{}{wrong}{}", flow(""), flow("")));
        assert_eq!(log.records.len(), 2, "{wrong}");
        assert_eq!(log.skips(), [(Skip::MalformedLine, 1, &[2][..])], "{wrong}");
    }
}
