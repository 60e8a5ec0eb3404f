//! `landfall watch`: judge what goes over interfaces, what flow exporters tell of and what is written into logs, while it goes.
//!
//! A finding is a line of JSON on standard output as soon as the first payload of its first flow is seen. The report, with
//! everything that followed, is written at the end: to a file (`-o`), else to standard error, so that standard output stays
//! lines of JSON; without a policy, where there can be no findings, to standard output.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::ArgAction;

use super::args::{GroundsArgs, MeterArgs, OutputArgs};
use super::vantage::VantageArgs;
use super::{Exit, Stop, plan, tell};
use crate::audit::{Audit, Auditor, Grounds};
use crate::meter::{Early, MeterConfig};
use crate::model::{Batch, Coverage, Finding, FindingKey, InputCoverage};
use crate::run::live;
use crate::run::watch::Watch;
use crate::source::Options;

/// Judge what goes over interfaces.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// An interface; `any` is all of them
    #[arg(short, long = "interface", value_name = "IFACE", required_unless_present_any = ["collect", "follow"], action = ArgAction::Append)]
    pub interfaces: Vec<String>,
    /// Where flow exporters send to.
    #[arg(long, help = "Receive NetFlow, IPFIX and sFlow, all on one port, such as udp://0.0.0.0:2055", value_name = "URL", action = ArgAction::Append, value_parser = collector)]
    pub collect: Vec<SocketAddr>,
    /// A log of text or JSON that grows: all of it is read, through rotation and truncation
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub follow: Vec<PathBuf>,
    /// Only what passes this filter, in the words of tcpdump (pcap-filter(7))
    #[arg(short, long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Stop after this long, such as 10s, 5m or 1h30m [default: when a signal comes]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub limit: Option<Duration>,
    /// How packets become flows.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// What to judge by.
    #[command(flatten)]
    pub grounds: GroundsArgs,
    /// From where round-trip times are measured.
    #[command(flatten)]
    pub vantage: VantageArgs,
    /// What to write.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) fn run(args: &WatchArgs) -> Result<Exit, Stop> {
    let stamp = plan::stamp(&args.output)?;
    let grounds = plan::grounds(&args.grounds, Some(&args.vantage), &live::host_networks())?;
    let config = MeterConfig { early: Early::FirstPayload, ..plan::meter(&args.meter) };
    let failed = |error: live::LiveError| Stop::Failed(error.to_string());
    let watch = if args.interfaces.is_empty() {
        Watch::nothing()
    } else {
        Watch::open(&args.interfaces, args.filter.as_deref(), config).map_err(failed)?
    };
    let watch = watch.collect(&args.collect, &config).map_err(|error| Stop::Failed(error.to_string()))?;
    let options = Options { meter: config, ..Options::default() };
    let watch = watch.follow(&args.follow, &options).map_err(|error| Stop::Failed(error.to_string()))?;
    let names: Vec<_> = watch.inputs().map(|(_, name, _)| name).collect();
    tell(&format!("watching {}", names.join(", ")));

    let stop = watch.stop();
    let mut judge = Judge::new(&grounds, &watch, io::stdout());
    let mut result = Ok(());
    let covered = watch.run(args.limit, |_, batch| {
        if result.is_ok() {
            result = judge.observe(batch);
            // Nobody reads the findings any more.
            stop.fetch_or(result.is_err(), Ordering::Relaxed);
        }
    });
    result.and_then(|()| judge.look())?;
    let mut auditor = Auditor::new(&grounds);
    for (id, coverage) in covered.map_err(failed)? {
        if let Some(error) = &coverage.error {
            tell(&format!("`{}`: {error}", coverage.name));
        }
        auditor.cover(id, coverage);
    }
    judge.add(auditor.finish());

    let report = judge.whole.report(&grounds, stamp);
    if args.output.output.is_none() && grounds.policy.is_some() {
        // Standard output is for findings, a line each: the report goes beside it.
        plan::write_beside(&args.output, &report)?;
    } else {
        plan::write(&args.output, &report)?;
    }
    Ok(plan::exit(report.outcome, judge.whole.coverage.is_complete(), &args.output.accept))
}

/// What an early line says where a vantage is known.
const STILL_OPEN: &str =
    "a later round-trip time can still refute where the far end is; the report at the end has the last word";

/// What an early line says of a limit.
const WINDOW_OPEN: &str = "more can still move in the window of the limit, and what was permitted before counts too; the report at the end has the \
     last word";

/// A finding as it is told early.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<&'static str>,
}

/// A look at what is new that takes no longer than this is had after every batch.
const QUICK: Duration = Duration::from_millis(10);
/// After one that takes longer, the next is had when so many times as long has passed: looking is a tenth of the work at most,
/// however many far ends and windows are held.
const REST: u32 = 9;

/// Judges batch after batch, and tells of each finding once, at its beginning.
///
/// What is new is settled by everything that was seen, which takes the longer the more that is. So several batches are looked at
/// together where that takes long.
struct Judge<'a, W> {
    grounds: &'a Grounds,
    whole: Audit,
    /// What is in the whole and was not looked at yet.
    fresh: Option<Audit>,
    /// When to look again, where not after the next batch.
    next: Option<Instant>,
    told: BTreeSet<FindingKey>,
    /// The inputs by their names, which a report takes from the coverage.
    inputs: Coverage,
    out: W,
}

impl<'a, W: Write> Judge<'a, W> {
    fn new(grounds: &'a Grounds, watch: &Watch, out: W) -> Self {
        let inputs = watch.inputs().map(|(id, name, kind)| (id, InputCoverage::new(name, kind))).collect();
        let whole = Audit::of_nothing(grounds.basis());
        Self { grounds, whole, fresh: None, next: None, told: BTreeSet::new(), inputs: Coverage { inputs }, out }
    }

    fn observe(&mut self, batch: &Batch) -> io::Result<()> {
        let mut auditor = Auditor::new(self.grounds);
        for record in &batch.records {
            auditor.observe(record, record.name.and_then(|id| batch.name(id)));
        }
        if !batch.records.is_empty() {
            let audit = auditor.finish();
            self.add(audit.clone());
            let merged = match &mut self.fresh {
                Some(fresh) => fresh.merge(audit),
                none => {
                    *none = Some(audit);
                    Ok(())
                }
            };
            debug_assert!(merged.is_ok(), "one grounds");
        }
        if self.next.is_some_and(|next| Instant::now() < next) {
            return Ok(());
        }
        let began = Instant::now();
        let looked = self.look();
        let took = began.elapsed();
        self.next = (took > QUICK).then(|| Instant::now() + took * REST);
        looked
    }

    /// Tells of what is new since the last look.
    fn look(&mut self) -> io::Result<()> {
        let Some(audit) = self.fresh.take() else { return Ok(()) };
        // By all round-trip times so far; later ones can settle it otherwise.
        let settled = audit.settled_by(&self.whole.cases, self.grounds);
        let mut fresh = Audit::of_nothing(audit.basis);
        for (key, tally) in settled.findings {
            if self.told.insert(key) {
                fresh.findings.insert(key, tally);
            }
        }
        if fresh.findings.is_empty() {
            return Ok(());
        }
        fresh.coverage = self.inputs.clone();
        let by_horizon = self.grounds.horizon.is_some().then_some(STILL_OPEN);
        for finding in fresh.report_by(&self.whole.cases, self.grounds, None).findings {
            let open = by_horizon.or((!finding.limits.is_empty()).then_some(WINDOW_OPEN));
            serde_json::to_writer(&mut self.out, &Line { finding: &finding, open })?;
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    fn add(&mut self, audit: Audit) {
        let merged = self.whole.merge(audit);
        debug_assert!(merged.is_ok(), "one grounds");
    }
}

/// Where to receive: `udp://` with an address and a port.
fn collector(text: &str) -> Result<SocketAddr, String> {
    text.strip_prefix("udp://")
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| "not an address to receive on, such as udp://0.0.0.0:2055 or udp://[::]:4739".to_owned())
}

/// Hours, minutes and seconds, each at most once and from the largest: `90s`, `5m`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration, such as 10s, 5m or 1h30m".to_owned();
    let (mut total, mut rest) = (0u64, text);
    for (unit, secs) in [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong());
        }
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(secs)).ok_or_else(wrong)?;
        (total, rest) = (total.checked_add(part).ok_or_else(wrong)?, after);
    }
    if rest.is_empty() && total > 0 { Ok(Duration::from_secs(total)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Local;
    use crate::locate::Atlas;
    use crate::model::{Addr, Counters, FlowRecord, InputId, Protocol, Provenance, Timestamp};
    use crate::policy::{Library, Policy};

    /// Half of a limit is no finding; what goes beyond is told once, with what moved so far; the next window begins anew.
    #[test]
    fn a_limit_is_told_of_when_it_is_exceeded() {
        let text = "[policy]\nid = \"w\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
                    [[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"*\"]\n\
                    limit = { octets = \"1000\", per = \"1h\" }\n";
        let policy = Policy::parse("w.toml", text, Library::embedded()).policy;
        let grounds = Grounds { policy, atlas: Atlas::nothing(), local: Local::Zones, horizon: None };
        let mut judge = Judge::new(&grounds, &Watch::nothing(), Vec::new());
        let mut told = |minute: u64| {
            let (near, far) = (Addr::v4([10, 0, 0, 1]), Addr::v4([192, 0, 2, 1]));
            let at = Timestamp::from_secs(1_600_002_000 + 60 * minute);
            let mut record = FlowRecord::new(near, far, Protocol::TCP, at, Provenance::new(InputId(0), minute));
            record.forward = Counters { octets: 600, packets: 1, payload: 560 };
            let mut batch = Batch::default();
            batch.records.push(record);
            judge.observe(&batch).unwrap();
            let lines = String::from_utf8(std::mem::take(&mut judge.out)).unwrap();
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
        };
        assert_eq!(told(0), Vec::<serde_json::Value>::new());
        let over = told(1);
        assert_eq!(over.len(), 1);
        assert_eq!((&over[0]["decision"], &over[0]["open"]), (&"forbid".into(), &WINDOW_OPEN.into()));
        assert_eq!(over[0]["limits"][0]["windows"][0]["moved"], 1200);
        assert_eq!(told(2), Vec::<serde_json::Value>::new(), "once");
        // It began at 13:00 UTC.
        assert_eq!(told(60), Vec::<serde_json::Value>::new(), "another window");
    }

    /// Where looking takes long, several batches are looked at together, and nothing is left untold.
    #[test]
    fn what_waits_is_told_of_together() {
        let text = "[policy]\nid = \"w\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n";
        let policy = Policy::parse("w.toml", text, Library::embedded()).policy;
        let grounds = Grounds { policy, atlas: Atlas::nothing(), local: Local::Zones, horizon: None };
        let mut judge = Judge::new(&grounds, &Watch::nothing(), Vec::new());
        let batch = |port: u16, protocol: Protocol| {
            let (near, far) = (Addr::v4([10, 0, 0, 1]), Addr::v4([192, 0, 2, 1]));
            let at = Timestamp::from_secs(1_600_002_000);
            let mut record = FlowRecord::new(near, far, protocol, at, Provenance::new(InputId(0), u64::from(port)));
            record.forward = Counters { octets: 600, packets: 1, payload: 560 };
            let mut batch = Batch::default();
            batch.records.push(record);
            batch
        };
        let lines =
            |judge: &mut Judge<'_, Vec<u8>>| String::from_utf8(std::mem::take(&mut judge.out)).unwrap().lines().count();
        judge.next = Some(Instant::now() + Duration::from_hours(1));
        judge.observe(&batch(1, Protocol::TCP)).unwrap();
        judge.observe(&batch(2, Protocol::UDP)).unwrap();
        assert_eq!(lines(&mut judge), 0, "not yet");
        assert_eq!(judge.whole.totals.forbid.count, 2, "but judged");
        // An empty batch is the watch saying that time has passed.
        judge.next = Some(Instant::now());
        judge.observe(&Batch::default()).unwrap();
        assert_eq!(lines(&mut judge), 1, "one finding: protocols are not told apart");
        judge.observe(&Batch::default()).unwrap();
        assert_eq!(lines(&mut judge), 0, "once");
    }

    #[test]
    fn collectors_are_addresses_with_ports() {
        assert_eq!(collector("udp://[::1]:4739"), Ok(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 4739))));
        for text in ["0.0.0.0:2055", "tcp://0.0.0.0:2055", "udp://0.0.0.0", "udp://localhost:2055", "udp://:2055"] {
            assert!(collector(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, secs) in [("10s", 10), ("5m", 300), ("1h30m", 5400), ("1d1s", 86_401), ("0m7s", 7)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5h",
            "1m1h",
            "1s1s",
            "0s",
            "10 s",
            "99999999999999999999s",
            "18446744073709551615m",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
