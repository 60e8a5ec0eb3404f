//! Logs from strangers: nothing crashes, nothing grows without end, and no format takes another's input for its own.

use std::fs;

use landfall::model::Skip;
use landfall::source::cloud::aws;
use landfall::source::log::{hubble, nfdump, nprobe, suricata, zeek};

use crate::fixtures::logs::{corpus, read};

const ZEEK: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\n\
                    1600000000.25\tC1\t10.0.0.1\t50000\t192.0.2.1\t443\ttcp\t3\t260\n";
const EVE: &str = r#"{"timestamp":"2020-09-13T12:26:45.000000+0000","flow_id":7,"event_type":"flow","src_ip":"10.0.0.1","src_port":5,"dest_ip":"192.0.2.1","dest_port":443,"proto":"TCP","flow":{"pkts_toserver":3,"bytes_toserver":302}}"#;
const CSV: &str = "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n2018-01-12 15:37:30.250,1.500,6,10.0.0.1,5,192.0.2.1,443,2,304,1\n";
const NDJSON: &str = r#"{"type":"FLOW","first":"2018-01-12T15:37:30.942","in_packets":1,"in_bytes":60,"proto":6,"src_port":5,"dst_port":902,"src4_addr":"10.0.0.1","dst4_addr":"192.0.2.1"}"#;
const NPROBE: &str =
    r#"{"IPV4_SRC_ADDR":"10.0.0.1","IPV4_DST_ADDR":"192.0.2.1","PROTOCOL":6,"IN_PKTS":3,"IN_BYTES":260}"#;
const HUBBLE: &str = r#"{"flow":{"time":"2023-03-23T22:35:16Z","verdict":"FORWARDED","IP":{"source":"10.0.0.1","destination":"192.0.2.1"},"l4":{"UDP":{"source_port":5,"destination_port":53}}}}"#;

const ALL: [&str; 6] = [ZEEK, EVE, CSV, NDJSON, NPROBE, HUBBLE];

#[test]
fn each_begins_as_it_does() {
    for text in ALL {
        assert_eq!((claims(text.as_bytes()), read(text).records.len()), (1, 1), "{text}");
    }
}

/// How many formats take a head for their own.
fn claims(head: &[u8]) -> usize {
    let head = &head[..head.len().min(8192)];
    let formats = [
        aws::looks_like,
        zeek::looks_like,
        suricata::looks_like,
        nfdump::looks_like_csv,
        nfdump::looks_like_json,
        nprobe::looks_like,
        hubble::looks_like,
    ];
    formats.iter().filter(|looks_like| looks_like(head)).count()
}

#[test]
fn formats_do_not_take_each_others_inputs() {
    let folders = [
        ("zeek", 1),
        ("zeek/btest", 1),
        ("suricata", 1),
        ("netflow/nfdump", 1),
        ("cloud/azure", 0),
        ("cloud/gcp", 0),
        ("cloud/oci", 0),
        ("cloud/aws", 1),
    ];
    for (folder, most) in folders {
        for path in corpus(folder, &[".log", ".json", ".ndjson", ".csv", ".jsonl", ".parquet"]) {
            let octets = fs::read(&path).unwrap();
            let found = claims(&octets);
            assert!(found <= most, "{}: {found} formats", path.display());
            let own = folder.starts_with("zeek") || folder == "suricata" || folder.starts_with("netflow");
            assert!(!own || found == 1, "{}: {found} formats", path.display());
        }
    }
}

#[test]
fn an_input_may_end_anywhere() {
    let mut texts: Vec<Vec<u8>> =
        ALL.iter().map(|text| format!("{text}\n{}", text.lines().last().unwrap()).into_bytes()).collect();
    let files = [
        "core.tunnels.gre-pptp.conn.log",
        "run_arkimegtpu.suricata-8.0.7.eve.json",
        "run_arkimetwovlan.suricata-7.0.10.eve.json",
    ];
    texts.extend(
        corpus("zeek/btest", &files).iter().chain(&corpus("suricata", &files)).map(|path| fs::read(path).unwrap()),
    );
    for text in texts {
        let whole = read(&text).records.len();
        for end in 0..text.len() {
            let cut = read(&text[..end]);
            assert!(cut.records.len() <= whole, "{} of {end} octets", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn octets_may_be_anything() {
    for text in ALL {
        let end = text.trim_end().len();
        let last = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let row = &text[last..end];
        for octet in [0u8, 0xff, b'\n', b'{', b'"', b'\\', b'\t', b','] {
            for at in (last..end).step_by(3) {
                let mut octets = text.as_bytes()[..end].to_vec();
                octets[at] = octet;
                octets.extend(format!("\n{row}\n").bytes());
                let log = read(&octets);
                assert!(log.error.is_some() || !log.records.is_empty(), "{octet} at {at} of {text}");
            }
        }
    }
}

#[test]
fn lines_and_headers_have_limits() {
    for text in ALL {
        let row = text.trim_end().lines().last().unwrap();
        let long = "x".repeat(3 << 20);
        let object = format!("{{\"a\":\"{long}\"}}");
        let strange = if row.starts_with('{') { &object } else { &long };
        let log = read(format!("{}\n{strange}\n{row}\n", text.trim_end()));
        assert_eq!(log.records.len(), 2, "{text}");
        assert_eq!(log.skips().iter().map(|(skip, ..)| *skip).collect::<Vec<_>>(), [Skip::LongLine], "{text}");
    }
    // A flood of headers, of columns, of unknown fields.
    let floods = ZEEK.repeat(10_000);
    assert_eq!(read(floods).records.len(), 10_000);
    let columns = (0..5000).fold(String::new(), |text, n| text + &format!("\tf{n}"));
    let log = read(format!("#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h{columns}\n1.0\t10.0.0.1\n"));
    assert_eq!((log.records.len(), log.skips()), (0, vec![(Skip::MalformedLine, 1, &[4][..])]));
    let fields = (0..20_000).fold(String::new(), |text, n| text + &format!(",\"f{n}\":{n}"));
    for text in [EVE, NDJSON, NPROBE] {
        let log =
            read(format!("{}{fields}}}\n", text.trim_end_matches('}').to_owned() + if text == EVE { "}" } else { "" }));
        assert_eq!((log.records.len(), log.coverage.notes.len()), (1, 16), "{:?}", log.skips());
    }
    let deep = format!("{EVE}\n{}{}\n{EVE}\n", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert_eq!(read(deep).records.len(), 2);
}

#[test]
fn names_in_reports_are_clean() {
    let log = read(format!("{}\n", NPROBE.replace("\"PROTOCOL\"", "\"\\u001b[31m\\u0000evil\":1,\"PROTOCOL\"")));
    assert!(!log.notes().chars().any(|letter| letter.is_control() && letter != '\n'), "{:?}", log.notes());
    let log = read(EVE.replace("\"flow\":{", "\"vlan\":[1],\"flow\":{") + "\n{\"event_type\":\"\\u001b[2J\"}\n");
    assert!(log.notes().ends_with("passed over: of strange types\n"), "{:?}", log.notes());
}
