//! Zeek's logs: what the corpus's truths say, how the names beside the flows come to them, and what is wrong comes to.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use landfall::model::{
    Batch, BiflowDirection, Caveat, FlowEndReason, FlowFlags, InputCoverage, InputId, NameSource, Protocol, Skip,
    Tunnel,
};
use landfall::run::batch::{self, Advance};
use landfall::source::Options;

use crate::fixtures::logs::{Truth, corpus, read};

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
     #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
     conn_state\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n";

/// A row with the columns of [`HEADER`], from words.
fn row(words: &str) -> String {
    words.split(' ').collect::<Vec<_>>().join("\t") + "\n"
}

/// A TLS connection of 3 + 2 packets in which 100 and 200 octets of payload moved.
const TLS: &str =
    "1600000000.250000 CTLS 10.0.0.1 50000 192.0.2.1 443 tcp ssl 1.500000 100 200 SF 0 ShADadFf 3 260 2 304 (empty)";

fn conn(words: &str) -> String {
    format!("{HEADER}{}", row(words))
}

#[test]
fn the_corpus_gives_its_truths() {
    let mut files = corpus("zeek", &["conn.log", "conn.json", "conn.log.gz"]);
    files.extend(corpus("zeek/btest", &["conn.log"]));
    for path in &files {
        let name = path.display();
        let (log, truth) = (read(fs::read(path).unwrap()), Truth::beside(path));
        assert_eq!(log.error, None, "{name}");
        assert!(log.coverage.skipped.is_empty(), "{name}: {:?}", log.skips());
        assert_eq!(log.records.len() as u64, truth.meta("conns"), "{name}");
        let sum = |of: fn(&landfall::model::FlowRecord) -> u64| log.records.iter().map(of).sum::<u64>();
        assert_eq!(sum(|record| record.forward.octets), truth.meta("orig_ip_bytes"), "{name}");
        assert_eq!(sum(|record| record.reverse.octets), truth.meta("resp_ip_bytes"), "{name}");
        let mut pairs: BTreeMap<(String, String), [u64; 5]> = BTreeMap::new();
        for record in &log.records {
            let (there, back) = (record.forward, record.reverse);
            let add = [1, there.packets, there.octets, back.packets, back.octets];
            let sums = pairs.entry((record.src.to_string(), record.dst.to_string())).or_default();
            *sums = std::array::from_fn(|n| sums[n] + add[n]);
        }
        assert_eq!(pairs, truth.pairs::<5>(), "{name}");
        assert_eq!(log.caveat(Caveat::UnknownField), 0, "{name}: {}", log.notes());
    }
    assert!(files.is_empty() || files.len() > 70, "only {} files", files.len());
}

/// Of the connections of `zat_conn.log` 149 have no payload count, and in ten more it is above what the IP octets can hold
/// (nine of them with `missed_bytes`); the sum of the others and of what can be held is 5 206 180. Reckoned with a script.
#[test]
fn payload_is_what_zeek_says_where_it_can_be() {
    for path in corpus("zeek", &["zat_conn.log"]) {
        let log = read(fs::read(&path).unwrap());
        let payload: u64 = log.records.iter().map(|record| record.forward.payload + record.reverse.payload).sum();
        assert_eq!((payload, log.caveat(Caveat::PayloadEstimated)), (5_206_180, 159));
    }
    // A sequence number that is none of the connection's: 4 GB in three packets of 260 octets, 60 of them IP headers.
    let log = read(conn(&TLS.replace(" 100 200 ", " 4294967295 200 ")));
    assert_eq!((log.records[0].forward.payload, log.caveat(Caveat::PayloadEstimated)), (200, 1));
    // Payload that was acknowledged and not seen.
    let log = read(conn("1600000000.0 C1 10.0.0.1 50000 192.0.2.1 443 tcp - 1.0 10 99 OTH 99 A 1 50 1 20 (empty)"));
    assert_eq!(log.records[0].uniflows().map(|uniflow| uniflow.moved()), [true, true]);
    // Nothing, and 1460 octets in one packet.
    let log = read(conn("1600000000.0 C1 10.0.0.1 50000 192.0.2.1 443 tcp - 1.0 0 0 OTH 0 A 1 1500 0 0 (empty)"));
    assert!(log.records[0].flags.has(FlowFlags::PAYLOAD_UNKNOWN) && log.records[0].uniflows()[0].moved());
    assert_eq!(log.caveat(Caveat::PayloadEstimated), 1);
}

#[test]
fn a_row_is_a_connection() {
    let log = read(conn(TLS));
    let record = log.records[0];
    assert_eq!(record.start.to_string(), "2020-09-13T12:26:40.25Z");
    assert_eq!(record.end.to_string(), "2020-09-13T12:26:41.75Z");
    assert_eq!((record.sport, record.dport, record.protocol), (50000, 443, Protocol::TCP));
    assert_eq!((record.forward.packets, record.forward.octets, record.forward.payload), (3, 260, 100));
    assert_eq!((record.reverse.packets, record.reverse.octets, record.reverse.payload), (2, 304, 200));
    assert_eq!((record.direction, record.end_reason), (BiflowDirection::Initiator, FlowEndReason::EndOfFlow));
    assert_eq!((record.flags, record.name), (FlowFlags::default(), None));
    assert_eq!((record.provenance.input(), record.provenance.position()), (InputId(3), 7));
    assert_eq!((log.coverage.kind.as_str(), log.coverage.is_complete()), ("zeek-conn", true));
    assert!(log.coverage.caveats.is_empty() && log.notes().is_empty());
}

#[test]
fn text_stays_text_whatever_stands_in_a_field() {
    // The service is what a stranger could have made Zeek write: an object that names another log.
    for object in [r#"{"_path":"dns"}"#, r#"{"id.orig_h":"10.9.9.9","query":"x"}"#] {
        let log = read(conn(&TLS.replace(" ssl ", &format!(" {object} "))));
        assert_eq!((log.error.as_deref(), log.records.len(), log.skips().len()), (None, 1, 0), "{object}");
        assert_eq!(log.records[0].src.to_string(), "10.0.0.1");
    }
}

#[test]
fn json_says_the_same_as_text() {
    let json = r#"{"ts":1600000000.25,"uid":"CTLS","id.orig_h":"10.0.0.1","id.orig_p":50000,"id.resp_h":"192.0.2.1",
        "id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5,"orig_bytes":100,"resp_bytes":200,"conn_state":"SF",
        "missed_bytes":0,"history":"ShADadFf","orig_pkts":3,"orig_ip_bytes":260,"resp_pkts":2,"resp_ip_bytes":304,
        "tunnel_parents":[],"_path":"conn","a_new_field":1}"#;
    let text = read(conn(TLS)).records[0];
    let line = json.replace('\n', "");
    for json in [json.to_owned(), line.replace("1600000000.25", "\"2020-09-13T12:26:40.250000Z\""), format!("[{line}]")]
    {
        let log = read(json);
        let record = log.records[0];
        assert_eq!(
            (record.start, record.end, record.forward, record.reverse),
            (text.start, text.end, text.forward, text.reverse)
        );
        assert_eq!(
            (record.src, record.dst, record.direction, record.flags),
            (text.src, text.dst, text.direction, text.flags)
        );
        assert_eq!(log.notes(), "field `a_new_field`\n");
    }
    let stream = format!(
        "{line}\n{}\n{line}\n",
        r#"{"_path":"dns","ts":1.0,"uid":"C","id.orig_h":"10.0.0.1","query":"a.example"}"#
    );
    let log = read(stream);
    assert_eq!((log.records.len(), log.records[1].provenance.position()), (2, 3));
    assert!(log.notes().contains("1 rows of other logs"), "{}", log.notes());
}

#[test]
fn who_opened_is_told_by_the_handshake() {
    use BiflowDirection::{Arbitrary, Initiator, ReverseInitiator};
    let cases = [
        ("50000 443 tcp", "SF", "ShADad", Initiator, 0),
        ("50000 443 tcp", "SF", "^hADd", Initiator, 0),
        ("50000 443 tcp", "OTH", "^ADd", Initiator, 1),
        ("443 50000 tcp", "OTH", "DdA", ReverseInitiator, 1),
        ("50000 443 tcp", "OTH", "-", Initiator, 1),
        ("443 50000 tcp", "SF", "-", Initiator, 0),
        ("5000 5001 tcp", "OTH", "A", Arbitrary, 1),
        ("53 50000 udp", "SF", "Dd", Initiator, 0),
    ];
    for (flow, state, history, direction, guessed) in cases {
        let [sport, dport, proto] = flow.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let log = read(conn(&format!(
            "1600000000.0 C1 10.0.0.1 {sport} 192.0.2.1 {dport} {proto} - 1.0 - - {state} 0 {history} 1 60 1 60 -"
        )));
        assert_eq!(
            (log.records[0].direction, log.caveat(Caveat::InitiatorGuessed)),
            (direction, guessed),
            "{flow} {history}"
        );
    }
}

#[test]
fn what_limits_the_evidence_is_counted() {
    let log = read(format!(
        "{HEADER}{}{}{}{}",
        row("1.5 C1 10.0.0.1 3797 192.0.2.1 3544 udp teredo 1.0 100 0 S0 0 D 1 128 0 0 (empty)"),
        row("1.5 C2 2001:db8::1 128 2001:db8::2 129 icmp - 1.0 4 4 OTH 0 - 1 52 1 52 C1,CX"),
        row("1.5 C3 10.0.0.1 50000 192.0.2.1 443 tcp - 1.0 100 0 S1 1400 ShADad 3 260 2 104 -"),
        row("1.5 C4 10.0.0.1 0 192.0.2.1 0 unknown_transport - - - - OTH 0 - 2 200 0 0 -"),
    ));
    let [outer, inner, gap, strange] = log.records[..] else { panic!() };
    assert_eq!((outer.tunnel, inner.tunnel), (Tunnel::Teredo, Tunnel::None));
    assert_eq!((inner.protocol, inner.sport, inner.dport), (Protocol::ICMPV6, 0, 0));
    assert_eq!((gap.end_reason, strange.protocol.0), (FlowEndReason::IdleTimeout, 255));
    assert_eq!(log.coverage.caveats[&Caveat::Tunnelled].total.octets, 104);
    assert_eq!(log.coverage.caveats[&Caveat::MissedOctets].total.octets, 1400);
    assert!(log.notes().contains("protocol 255"));
    let without = HEADER.replace("\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes", "");
    let log = read(format!("{without}{}", row("1.5 C1 10.0.0.1 50000 192.0.2.1 443 tcp - 1.0 100 200 SF 0 ShAD -")));
    assert_eq!((log.records[0].forward.octets, log.records[0].reverse.payload), (100, 200));
    assert_eq!(log.coverage.caveats[&Caveat::PayloadOctets].total.octets, 300);
}

#[test]
fn rows_that_are_wrong_are_counted() {
    let cut = TLS.rsplit_once(' ').unwrap().0;
    for wrong in [
        TLS.replace("10.0.0.1", "10.0.0"),
        TLS.replace("50000", "65536"),
        TLS.replace("tcp", "tcpx"),
        TLS.replace("1600000000.250000", "yesterday"),
        TLS.replace(" 260 ", " -260 "),
        TLS.replace(" SF 0 ", " SF x "),
        format!("{TLS} more"),
        cut.to_owned(),
        "\0".to_owned(),
        "what is this".to_owned(),
    ] {
        let log = read(format!("{HEADER}{}{}{}", row(TLS), row(&wrong), row(TLS)));
        assert_eq!(log.records.len(), 2, "{wrong}");
        assert_eq!(log.skips(), [(Skip::MalformedLine, 1, &[8][..])], "{wrong}");
        assert!(!log.coverage.is_complete());
    }
    let log = read(conn(&TLS.replace("10.0.0.1", "-")));
    assert_eq!(log.skips(), [(Skip::NoAddress, 1, &[7][..])]);
    let mut octets = conn(TLS).into_bytes();
    octets.extend(b"\xff\xfe\tx\n");
    assert_eq!(read(octets).skips(), [(Skip::MalformedLine, 1, &[8][..])]);
    let twice = format!("\t{HEADER}{}#close\t2026\n{HEADER}{}", row(TLS), row(TLS));
    assert_eq!(read(twice).records.len(), 2, "headers repeat, the first has a stray tab");
    let late = read(format!("{}{HEADER}{}", "#separator \\x09\n#path\tconn\n", row(TLS)));
    assert_eq!(late.records.len(), 1);
}

/// The name of a flow.
type Called = Option<(String, NameSource)>;

/// Files in a folder, and what each comes to when they are read together.
fn together(files: &[(&str, String)]) -> BTreeMap<String, (Vec<Called>, InputCoverage)> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let mut octets = text.clone().into_bytes();
        if Path::new(name).extension().is_some_and(|ending| ending == "gz") {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packed.write_all(&octets).unwrap();
            octets = packed.finish().unwrap();
        }
        fs::write(folder.path().join(name), octets).unwrap();
    }
    let (inputs, errors) = batch::plan(&[folder.path().to_owned()]);
    assert!(errors.is_empty());
    let read = |input: &batch::Input| {
        let mut names = Vec::new();
        let coverage = batch::drain(input, &Options::default(), &Arc::new(Advance::default()), &mut |batch: &Batch| {
            let name = |record: &landfall::model::FlowRecord| {
                record.name.and_then(|id| batch.name(id)).map(|name| (name.text.to_string(), name.from))
            };
            names.extend(batch.records.iter().map(name));
            true
        });
        let coverage = coverage.inputs.into_values().next().unwrap();
        (input.name.rsplit('/').next().unwrap().to_owned(), (names, coverage))
    };
    inputs.iter().map(read).collect()
}

fn log(path: &str, fields: &str, rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|words| row(words)).collect();
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n#fields\t{}\n{rows}",
        fields.replace(' ', "\t")
    )
}

const SSL: &str = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p version cipher server_name";
const DNS: &str = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto query qtype answers TTLs";

#[test]
fn names_come_from_the_logs_beside() {
    let flow = |uid: &str, server: &str, ts: &str| {
        row(&format!("{ts} {uid} 10.0.0.1 50000 {server} 443 tcp - 1.0 100 200 SF 0 ShADad 3 260 2 304 -"))
    };
    let conn = format!(
        "{HEADER}{}{}{}{}{}{}",
        flow("CTLS", "192.0.2.1", "1600000000.0"),
        flow("CQUIC", "192.0.2.2", "1600000000.0"),
        flow("CHTTP", "192.0.2.3", "1600000000.0"),
        flow("CDNS", "192.0.2.4", "1600000000.0"),
        flow("CEARLY", "192.0.2.4", "1599999998.0"),
        flow("CNONE", "192.0.2.9", "1600000000.0"),
    );
    let end = "10.0.0.1 50000 192.0.2.1 443";
    let files = [
        ("conn.12:00:00-13:00:00.log.gz", conn),
        (
            "ssl.11:00:00-12:00:00.log",
            log(
                "ssl",
                SSL,
                &[
                    &format!("1.0 CTLS {end} TLSv13 x WWW.Example.COM"),
                    &format!("1.0 COTHER {end} TLSv13 x other.example"),
                    &format!("1.0 CNONE {end} TLSv13 x <script>"),
                ],
            ),
        ),
        (
            "quic.log",
            format!(
                r#"{{"_path":"quic","ts":1.0,"uid":"CQUIC","id.orig_h":"10.0.0.1","id.resp_h":"192.0.2.2","server_name":"quic.example"}}{}"#,
                "\n"
            ),
        ),
        (
            "http.log",
            log(
                "http",
                "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host",
                &[&format!("1.0 CHTTP {end} 1 GET host.example:8080"), &format!("1.0 CTLS {end} 1 GET proxy.example")],
            ),
        ),
        (
            "dns.log",
            log(
                "dns",
                DNS,
                &[
                    "1599999999.0 CQ 10.0.0.1 40000 10.0.0.53 53 udp told.example 1 alias.example,192.0.2.4,192.0.2.1 60.0,60.0,60.0",
                    "1599999999.0 CQ 10.0.0.2 40000 10.0.0.53 53 udp others.example 1 192.0.2.9 60.0",
                    "1599999999.0 CQ 10.0.0.1 5353 224.0.0.251 5353 udp neighbour.local 1 192.0.2.9 60.0",
                ],
            ),
        ),
        ("files.log", log("files", "ts fuid mime_type", &["1.0 F1 text/plain"])),
    ];
    let read = together(&files);
    let (names, coverage) = &read["conn.12:00:00-13:00:00.log.gz"];
    let name = |text: &str, from| Some((text.to_owned(), from));
    let expected = [
        name("www.example.com", NameSource::Sni),
        name("quic.example", NameSource::Quic),
        name("host.example", NameSource::Host),
        name("told.example", NameSource::Dns),
        None,
        None,
    ];
    assert_eq!(names[..], expected);
    assert_eq!(coverage.kind, "zeek-conn in gzip");
    assert!(
        coverage.remarks.contains("names from `dns.log`, `http.log`, `quic.log`, `ssl.log`"),
        "{:?}",
        coverage.remarks
    );
    for (file, (names, coverage)) in &read {
        assert!(file.starts_with("conn") || names.is_empty(), "{file}");
        assert!(coverage.is_complete() && coverage.error.is_none(), "{file}: {coverage:?}");
    }
    assert_eq!(read["ssl.11:00:00-12:00:00.log"].1.kind, "zeek-ssl");
    assert!(read["files.log"].1.remarks.iter().any(|note| note.contains("neither flows nor names")));
}

#[test]
fn a_log_of_names_alone_is_no_flow_log() {
    let ssl = log("ssl", SSL, &["1.0 C1 10.0.0.1 1 192.0.2.1 443 TLSv13 x www.example"]);
    let error = read(&ssl).error.unwrap();
    assert_eq!(
        error,
        "not a capture or flow log: `ssl.log` of Zeek, which holds names and no flows; give it beside its `conn.log`, in \
         the same folder"
    );
    assert!(together(&[("ssl.log", ssl.clone())])["ssl.log"].1.error.is_some());
    let read = together(&[("conn.log", conn(TLS)), ("ssl.log", format!("{ssl}what\n"))]);
    assert_eq!(read["ssl.log"].1.skipped[&Skip::MalformedLine].positions, [8]);
    let damaged =
        together(&[("conn.log", conn(TLS)), ("dns.log", log("dns", DNS, &[])), ("x.log", "hello".to_owned())]);
    assert!(damaged["x.log"].1.error.as_ref().unwrap().contains("text of an unknown shape"));
    assert_eq!(damaged["conn.log"].0.len(), 1);
}
