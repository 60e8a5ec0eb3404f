//! Logs that grow: what is appended, rotated and truncated is read once, and nothing of it twice.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfall::model::{Batch, InputId, Skip};
use landfall::run::follow::FollowedLog;
use landfall::source::{Options, Progress, Source};

const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\n";

fn row(port: u16) -> String {
    format!("1600000000.25\tC1\t10.0.0.1\t{port}\t192.0.2.1\t443\ttcp\t3\t260\n")
}

/// A log in a folder of its own, and whoever follows it.
struct Tail {
    _folder: tempfile::TempDir,
    path: PathBuf,
    log: FollowedLog,
    stop: Arc<AtomicBool>,
}

impl Tail {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conn.log");
        fs::write(&path, text).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let log = FollowedLog::new(InputId(0), &path, &Options::default(), Arc::clone(&stop), Duration::ZERO);
        Self { _folder: folder, path, log, stop }
    }

    fn append(&self, text: &str) {
        append(&self.path, text);
    }

    /// The ports of what is there now, until nothing is.
    fn ports(&mut self) -> Vec<u16> {
        let mut batch = Batch::default();
        while self.log.read(&mut batch).unwrap() == Progress::More {}
        batch.records.iter().map(|record| record.sport).collect()
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_is_appended_is_read_once() {
    let mut tail = Tail::new("");
    assert!(tail.ports().is_empty());
    tail.append("#separ");
    assert!(tail.ports().is_empty(), "too little to tell the format");
    tail.append(HEADER.strip_prefix("#separ").unwrap());
    assert!(tail.ports().is_empty());
    tail.append(&(row(1) + &row(2)));
    assert_eq!((tail.ports(), tail.ports()), (vec![1, 2], vec![]));
    let third = row(3);
    let (begin, end) = third.split_at(20);
    tail.append(begin);
    assert!(tail.ports().is_empty(), "a line is complete when it ends");
    tail.append(&(end.to_owned() + &row(4)));
    assert_eq!(tail.ports(), [3, 4]);
    assert!(tail.log.coverage().is_complete());
    tail.stop.store(true, Ordering::Relaxed);
    let mut batch = Batch::default();
    assert_eq!(tail.log.read(&mut batch).unwrap(), Progress::End);
    assert_eq!(tail.log.read(&mut batch).unwrap(), Progress::End);
    let coverage = tail.log.coverage();
    assert_eq!((coverage.kind.as_str(), coverage.read.count, coverage.is_complete()), ("zeek-conn", 4, true));
}

#[test]
fn a_rotated_log_is_read_to_its_end_and_then_its_successor() {
    let mut tail = Tail::new(&(HEADER.to_owned() + &row(1)));
    assert_eq!(tail.ports(), [1]);
    let old = tail.path.with_file_name("conn.1.log");
    fs::rename(&tail.path, &old).unwrap();
    assert!(tail.ports().is_empty(), "there is no successor yet");
    append(&old, &(row(2) + row(3).trim_end()));
    fs::write(&tail.path, HEADER.to_owned() + &row(4)).unwrap();
    assert_eq!(tail.ports(), [2, 3, 4], "the last line of the old log ends with it");
    tail.append(&row(5));
    assert_eq!(tail.ports(), [5]);
    let coverage = tail.log.coverage();
    assert!(
        coverage.remarks.iter().any(|note| note.starts_with("rotated while it was followed, 1 times")),
        "{coverage:?}"
    );
    assert!(coverage.is_complete());
}

#[test]
fn a_truncated_log_is_read_from_its_start() {
    let mut tail = Tail::new(&(HEADER.to_owned() + &row(1) + &row(2) + "160000"));
    assert_eq!(tail.ports(), [1, 2]);
    File::options().write(true).open(&tail.path).unwrap().set_len(0).unwrap();
    assert!(tail.ports().is_empty());
    tail.append(&(HEADER.to_owned() + &row(3)));
    assert_eq!(tail.ports(), [3]);
    let coverage = tail.log.coverage();
    assert!(
        coverage.remarks.iter().any(|note| note.starts_with("truncated while it was followed, 1 times")),
        "{coverage:?}"
    );
    assert_eq!(coverage.skipped[&Skip::MalformedLine].total.count, 1, "the line that was cut off");
}

#[test]
fn a_line_without_an_end_is_told_when_it_is_over() {
    let text = HEADER.to_owned() + &row(1) + "160000";
    let mut tail = Tail::new(&text);
    assert_eq!(tail.ports(), [1]);
    tail.stop.store(true, Ordering::Relaxed);
    assert!(tail.ports().is_empty());
    assert_eq!(tail.log.coverage().truncated_at, Some(text.len() as u64));
}

#[test]
fn json_is_followed_too() {
    let event = |port: u16| {
        format!(
            r#"{{"timestamp":"2020-09-13T12:26:45.000000+0000","event_type":"flow","src_ip":"10.0.0.1","src_port":{port},"dest_ip":"192.0.2.1","dest_port":443,"proto":"TCP","flow":{{"pkts_toserver":3,"bytes_toserver":302}}}}"#
        ) + "\n"
    };
    let mut tail = Tail::new(&event(1));
    assert_eq!(tail.ports(), [1]);
    let second = event(2);
    let (begin, end) = second.split_at(100);
    tail.append(begin);
    assert!(tail.ports().is_empty());
    tail.append(end);
    assert_eq!(tail.ports(), [2]);
    let big: String = (0..20_000).map(event).collect();
    tail.append(&big);
    assert_eq!(tail.ports().len(), 20_000);
}

#[test]
fn what_is_no_text_is_refused() {
    let error = |octets: &[u8]| {
        let mut tail = Tail::new("");
        append(&tail.path, "");
        fs::write(&tail.path, octets).unwrap();
        tail.log.read(&mut Batch::default()).unwrap_err().to_string()
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all((HEADER.to_owned() + &row(1)).as_bytes()).unwrap();
    assert!(!error(&packed.finish().unwrap()).is_empty());
    let pcap = [&b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], &[0; 8], b"\xff\xff\0\0\x01\0\0\0"].concat();
    assert!(error(&pcap).contains("no text that grows"), "{}", error(&pcap));
    assert!(error("hello\n".repeat(2000).as_bytes()).contains("text of an unknown shape"));
}

#[test]
fn a_log_that_is_not_there_yet_is_waited_for() {
    let mut tail = Tail::new("");
    fs::remove_file(&tail.path).unwrap();
    assert!(tail.ports().is_empty());
    fs::write(&tail.path, HEADER.to_owned() + &row(1)).unwrap();
    assert_eq!(tail.ports(), [1]);
    assert!(tail.log.coverage().is_complete());
}

/// What never came, and what nobody could tell the format of, is no clean log.
#[test]
fn what_was_never_read_is_told() {
    let ended = |text: Option<&str>| {
        let mut tail = Tail::new(text.unwrap_or_default());
        if text.is_none() {
            fs::remove_file(&tail.path).unwrap();
        }
        assert!(tail.ports().is_empty());
        tail.stop.store(true, Ordering::Relaxed);
        assert!(tail.ports().is_empty());
        tail.log.coverage().error
    };
    assert_eq!(ended(None).as_deref(), Some("it was waited for, and never came"));
    let said = ended(Some("hello\n")).unwrap();
    assert!(said.contains("text of an unknown shape"), "{said}");
    assert_eq!(ended(Some("")), None, "a log that stays empty says that nothing was logged");
}

/// A copy is made and the log cut to nothing, as logrotate's `copytruncate` does: what is in the copy is not read again.
#[test]
fn a_log_that_is_copied_and_cut_is_read_once() {
    let mut tail = Tail::new(&(HEADER.to_owned() + &row(1) + &row(2)));
    assert_eq!(tail.ports(), [1, 2]);
    fs::copy(&tail.path, tail.path.with_extension("log.1")).unwrap();
    File::options().write(true).open(&tail.path).unwrap().set_len(0).unwrap();
    tail.append(&(HEADER.to_owned() + &row(3)));
    assert_eq!(tail.ports(), [3]);
    tail.append(&row(4));
    assert_eq!(tail.ports(), [4]);
}

/// Beside a `conn.log` its `ssl.log` and `dns.log` grow, and are there later; they are rotated with it.
#[test]
fn names_come_from_the_logs_beside() {
    let mut tail = Tail::new(HEADER);
    let beside = |kind: &str| tail.path.with_file_name(format!("{kind}.log"));
    let (ssl, dns) = (beside("ssl"), beside("dns"));
    let flow = |uid: &str, port: u16| row(port).replace("\tC1\t", &format!("\t{uid}\t"));
    let names = |tail: &mut Tail| {
        let mut batch = Batch::default();
        while tail.log.read(&mut batch).unwrap() == Progress::More {}
        let name = |id| batch.name(id).unwrap().text.to_string();
        batch.records.iter().map(|record| record.name.map(name)).collect::<Vec<_>>()
    };
    let named = |name: &str| Some(name.to_owned());
    tail.append(&flow("C1", 1));
    assert_eq!(names(&mut tail), [None], "no log beside it yet");
    let header =
        "#separator \\x09\n#path\tssl\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tserver_name\n";
    let hello = |uid: &str, name: &str| format!("1600000000.3\t{uid}\t10.0.0.1\t2\t192.0.2.1\t443\t{name}\n");
    fs::write(&ssl, "#separ").unwrap();
    tail.append(&flow("C2", 2));
    assert_eq!(names(&mut tail), [None], "too little to tell what it is");
    fs::write(&ssl, header.to_owned() + &hello("C3", "three.example")).unwrap();
    tail.append(&flow("C3", 3));
    assert_eq!(names(&mut tail), [named("three.example")]);
    append(&ssl, &(hello("C4", "four.example") + "1600000000.3\tC5\t10.0.0.1"));
    tail.append(&(flow("C4", 4) + &flow("C3", 3)));
    assert_eq!(names(&mut tail), [named("four.example"), None], "a flow is logged once");
    append(&ssl, "\t2\t192.0.2.1\t443\tfive.example\n");
    fs::rename(&ssl, ssl.with_extension("old")).unwrap();
    fs::write(&ssl, header.to_owned() + &hello("C6", "six.example")).unwrap();
    let answer = "#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tanswers\tTTLs\n\
        1600000000.0\tD1\t10.0.0.1\t9\t192.0.2.53\t53\tudp\tseven.example\t192.0.2.1\t60.0\n";
    fs::write(dns, answer).unwrap();
    tail.append(&(flow("C5", 5) + &flow("C6", 6) + &flow("C7", 7)));
    assert_eq!(names(&mut tail), [named("five.example"), named("six.example"), named("seven.example")]);
    let coverage = tail.log.coverage();
    assert!(coverage.remarks.contains("names from `dns.log`, `ssl.log`"), "{coverage:?}");
    append(&ssl, "nothing\n");
    tail.append(&flow("C8", 8));
    assert_eq!(names(&mut tail).len(), 1);
    let coverage = tail.log.coverage();
    assert!(
        coverage.remarks.iter().any(|remark| remark.contains("ssl.log` beside it skipped 1: lines")),
        "{coverage:?}"
    );
}

/// `audit --follow` reads what is there and what comes, and reports at the end as `audit` does.
#[cfg(feature = "live")]
#[test]
fn an_audit_can_follow() {
    let tail = Tail::new(&(HEADER.to_owned() + &row(1)));
    let folder = tail.path.parent().unwrap();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_landfall"));
        let output = command.current_dir(folder).args(args).args(["--db", "embedded"]).output().unwrap();
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let read = run(&["audit", "conn.log", "--deny", "CN"]);
    let followed = run(&["audit", "--follow", "conn.log", "--for", "1s", "--deny", "CN"]);
    assert_eq!((followed.0, &followed.1), (read.0, &read.1), "{}", followed.2);
    assert!(followed.2.contains("following conn.log: the report comes at the end"), "{}", followed.2);
    let missing = run(&["audit", "--follow", "other.log", "--for", "1s"]);
    assert_eq!(missing.0, Some(2));
    assert!(missing.2.contains("`other.log` is not there yet") && missing.2.contains("never came"), "{}", missing.2);
    let standard = run(&["audit", "--follow", "-"]);
    assert!(standard.0 == Some(2) && standard.2.contains("standard input is not followed"), "{}", standard.2);
}
