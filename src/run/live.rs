//! Live interfaces through libpcap.
//!
//! [`LiveCapture`] is one interface as a [`Source`]; [`Watch`](super::watch::Watch) reads several.
//!
//! **Loss is measured where it happens.** The kernel's buffer is large and never in immediate mode (which on a busy
//! interface lost 22 to 78 % of the frames where this loses none); batches go to the caller over a bounded channel, a full
//! channel blocks the reader, and then the kernel drops and counts: [`InputCoverage::drops`].
//!
//! **Time is the packets'.** Flows become idle by the times of frames; where no frames come, by the clock of this machine,
//! which is the one that the kernel stamps frames with.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::meter::{Frame, Meter, MeterConfig};
use crate::model::{Batch, Drops, FlowEndReason, InputCoverage, InputId, Timestamp};
use crate::source::{Progress, Source, SourceError};
use crate::wire::LinkType;
use ipnet::IpNet;
use pcap::{Active, Capture, Device, PacketHeader, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The name of the kind of input in reports.
pub const KIND: &str = "live";

/// The kernel's buffer of frames: what comes in 64 MiB is what the reader may be late.
const BUFFER: i32 = 64 * 1024 * 1024;

/// The longest part of a frame that is captured: all of any frame.
const SNAPLEN: i32 = 65_535;

/// How long the kernel gathers frames before it hands them over, and how long a reader waits for them.
const WAIT: Duration = Duration::from_millis(200);

/// How many frames are metered in one call of [`Source::read`].
const FRAMES_PER_READ: usize = 8192;

/// How many flows are ended in one call of [`Source::read`] when the capture has ended.
const FLOWS_PER_READ: usize = 8192;

/// The most frames that are read after the capture was told to stop: more than the kernel's buffer holds.
const LAST_FRAMES: usize = 2 * 1024 * 1024;

/// After how many reads the kernel is asked for its losses, although its counters do not wrap for long.
const READS_PER_ASKING: u32 = 1024;

/// Frames are handed over in blocks: no flow is ended by the clock before this much time has gone by beyond it.
const LATENESS: Duration = Duration::from_secs(2);

/// The most interfaces that are watched at once.
pub const MAX_INTERFACES: usize = 64;

/// Why an interface cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// There is no such interface.
    #[error("no interface `{interface}`: there are {}", .available.join(", "))]
    NoSuchInterface {
        /// What was asked for.
        interface: String,
        /// What there is.
        available: Vec<String>,
    },
    /// The process may not capture.
    #[error(
        "capturing on `{interface}` needs CAP_NET_RAW: run as root or \
         `setcap cap_net_raw,cap_net_admin+eip` on the program"
    )]
    NoPermission {
        /// The interface.
        interface: String,
    },
    /// The filter does not compile.
    #[error("the filter `{filter}` is wrong: {reason}")]
    BadFilter {
        /// The filter.
        filter: String,
        /// What libpcap says.
        reason: String,
    },
    /// The interface cannot be opened.
    #[error("cannot capture on `{interface}`: {reason}")]
    Open {
        /// The interface.
        interface: String,
        /// What libpcap says.
        reason: String,
    },
    /// No interface, or more than [`MAX_INTERFACES`].
    #[error("{0} interfaces: between 1 and {MAX_INTERFACES} can be watched")]
    Number(usize),
    /// Threads or signals are not to be had.
    #[error("cannot start to watch: {0}")]
    Start(#[source] io::Error),
}

/// A live interface as a source of flow records. It ends when it is told to stop, or when the interface goes away.
pub struct LiveCapture {
    id: InputId,
    capture: Capture<Active>,
    link: LinkType,
    precision: Precision,
    meter: Meter,
    coverage: InputCoverage,
    stop: Arc<AtomicBool>,
    state: State,
    frames: u64,
    reads: u32,
    losses: Losses,
    /// Why the capture ended, until it is told.
    failure: Option<SourceError>,
}

/// How far a capture has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// It was told to stop: what was captured until then is still in the kernel's buffer.
    Draining {
        until: Timestamp,
        left: usize,
    },
    /// Flows are still held.
    Flushing,
    Ended,
}

impl LiveCapture {
    /// Opens an interface, of which every frame from now on is captured. `stop` ends it.
    pub fn open(
        id: InputId,
        interface: &str,
        filter: Option<&str>,
        config: MeterConfig,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, LiveError> {
        let precision = precision(interface);
        let mut capture = activate(interface, precision)?;
        if let Some(filter) = filter {
            let wrong = |error| LiveError::BadFilter { filter: filter.to_owned(), reason: in_words(&error) };
            capture.filter(filter, true).map_err(wrong)?;
        }
        let link = LinkType(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        let failed = |error| LiveError::Open { interface: interface.to_owned(), reason: in_words(&error) };
        let capture = capture.setnonblock().map_err(failed)?;
        Ok(Self {
            id,
            capture,
            link,
            precision,
            meter: Meter::new(id, config),
            coverage: InputCoverage::new(interface, KIND),
            stop,
            state: State::Reading,
            frames: 0,
            reads: 0,
            losses: Losses::default(),
            failure: None,
        })
    }

    /// The input that it is.
    pub fn id(&self) -> InputId {
        self.id
    }

    /// Meters at most `limit` frames that have come; how many there were, and the time of the last. `None` where the
    /// capture has failed.
    fn take(&mut self, limit: usize, batch: &mut Batch) -> Option<(usize, Option<Timestamp>)> {
        let Self { capture, meter, coverage, link, precision, frames, .. } = self;
        let mut last = None;
        let taken = capture.dispatch(Some(limit), |packet| {
            *frames += 1;
            let time = time_of(packet.header, *precision);
            last = time.or(last);
            let frame =
                Frame { time, number: *frames, link: *link, octets: packet.data, original_length: packet.header.len };
            meter.observe(&frame, coverage, batch);
        });
        match taken {
            Ok(count) => Some((count, last)),
            Err(error) => {
                let words = in_words(&error);
                self.coverage.error = Some(format!("the capture failed: {words}"));
                self.failure =
                    Some(SourceError::Io { offset: self.coverage.read.octets, source: io::Error::other(words) });
                self.state = State::Flushing;
                None
            }
        }
    }

    /// Waits for frames; whether there are some.
    fn wait(&self) -> bool {
        let timeout = Timespec { tv_sec: 0, tv_nsec: WAIT.subsec_nanos().into() };
        // An error here is seen again by the next read, which says more of it; an interruption is as good as a frame.
        poll(&mut [PollFd::new(&self.capture, PollFlags::IN)], Some(&timeout)) != Ok(0)
    }

    /// What the kernel has lost so far.
    fn ask_losses(&mut self) {
        if let Ok(stat) = self.capture.stats() {
            self.losses.note(stat.dropped, stat.if_dropped);
            self.coverage.drops = Some(self.losses.total);
        }
    }
}

impl Source for LiveCapture {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if self.state == State::Reading && self.stop.load(Ordering::Relaxed) {
            self.state = State::Draining { until: now(), left: LAST_FRAMES };
        }
        match self.state {
            State::Reading => {
                let Some((count, _)) = self.take(FRAMES_PER_READ, batch) else { return Ok(Progress::More) };
                self.reads = self.reads.wrapping_add(1);
                if self.reads.is_multiple_of(READS_PER_ASKING) {
                    self.ask_losses();
                }
                if count > 0 || self.wait() {
                    return Ok(Progress::More);
                }
                self.ask_losses();
                let idle_at = Timestamp(now().0.saturating_sub(LATENESS.as_nanos() as u64));
                self.meter.expire(idle_at, &mut self.coverage, batch);
                Ok(Progress::Idle)
            }
            State::Draining { until, left } => {
                let Some((count, last)) = self.take(FRAMES_PER_READ.min(left), batch) else {
                    return Ok(Progress::More);
                };
                let left = left.saturating_sub(count);
                if left == 0 {
                    self.coverage.note("stopped before all frames that were captured had been read");
                }
                let is_over = left == 0 || last.is_some_and(|last| last > until) || (count == 0 && !self.wait());
                self.state = if is_over { State::Flushing } else { State::Draining { until, left } };
                Ok(Progress::More)
            }
            State::Flushing => {
                if self.meter.flush_some(FLOWS_PER_READ, FlowEndReason::ForcedEnd, &mut self.coverage, batch) > 0 {
                    return Ok(Progress::More);
                }
                self.ask_losses();
                self.state = State::Ended;
                self.failure.take().map_or(Ok(Progress::End), Err)
            }
            State::Ended => Ok(Progress::End),
        }
    }

    fn coverage(&self) -> InputCoverage {
        self.coverage.clone()
    }
}

/// The kernel's counters of losses, which wrap at 2^32.
#[derive(Default)]
struct Losses {
    last: [u32; 2],
    total: Drops,
}

impl Losses {
    fn note(&mut self, kernel: u32, interface: u32) {
        let [last_kernel, last_interface] = self.last;
        self.total.kernel += u64::from(kernel.wrapping_sub(last_kernel));
        self.total.interface += u64::from(interface.wrapping_sub(last_interface));
        self.last = [kernel, interface];
    }
}

/// Opens an interface with libpcap.
fn activate(interface: &str, precision: Precision) -> Result<Capture<Active>, LiveError> {
    let open = |promiscuous| {
        Capture::from_device(interface)?
            .promisc(promiscuous)
            .immediate_mode(false)
            .snaplen(SNAPLEN)
            .buffer_size(BUFFER)
            .timeout(WAIT.as_millis() as i32)
            .precision(precision)
            .open()
    };
    // Some interfaces (`any`) cannot be promiscuous, and the warning comes as an error.
    open(true).or_else(|error| open(false).map_err(|_| error)).map_err(|error| refused(interface, &error))
}

/// The addresses of this host's interfaces, as networks of one address, sorted: in a live capture they are ours.
pub fn host_networks() -> Vec<IpNet> {
    let devices = Device::list().unwrap_or_default();
    let addresses = devices.iter().flat_map(|device| &device.addresses).map(|address| IpNet::from(address.addr));
    addresses.collect::<BTreeSet<IpNet>>().into_iter().collect()
}

fn refused(interface: &str, error: &pcap::Error) -> LiveError {
    let available: Vec<String> = Device::list().unwrap_or_default().into_iter().map(|device| device.name).collect();
    let interface = interface.to_owned();
    if !available.is_empty() && !available.contains(&interface) {
        return LiveError::NoSuchInterface { interface, available };
    }
    let reason = in_words(error);
    let says = |words: &str| reason.contains(words);
    if says("CAP_NET_RAW") || says("ermission") || says("not permitted") {
        return LiveError::NoPermission { interface };
    }
    LiveError::Open { interface, reason }
}

/// What libpcap says, without what the crate says before it.
fn in_words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Nanoseconds where the kernel's packet sockets give them. What libpcap captures otherwise (netfilter logs, USB,
/// Bluetooth, D-Bus) and other systems have microseconds, and libpcap does not say which it was.
fn precision(interface: &str) -> Precision {
    const OTHERS: [&str; 6] = ["nflog", "nfqueue", "usbmon", "bluetooth", "dbus-", "rdma"];
    let is_other = OTHERS.iter().any(|prefix| interface.starts_with(prefix));
    if cfg!(target_os = "linux") && !is_other { Precision::Nano } else { Precision::Micro }
}

fn time_of(header: &PacketHeader, precision: Precision) -> Option<Timestamp> {
    let unit = match precision {
        Precision::Nano => 1,
        Precision::Micro => 1000,
    };
    let secs = u64::try_from(header.ts.tv_sec).ok()?;
    let parts = u64::try_from(header.ts.tv_usec).ok()?;
    secs.checked_mul(Timestamp::SECOND)?.checked_add(parts.checked_mul(unit)?).map(Timestamp)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::watch::Watch;
    use super::*;

    #[test]
    fn losses_are_counted_beyond_the_wrap() {
        let mut losses = Losses::default();
        losses.note(u32::MAX, 5);
        losses.note(9, 5);
        assert_eq!(losses.total, Drops { kernel: u64::from(u32::MAX) + 10, interface: 5 });
    }

    #[test]
    fn names_and_numbers_are_checked() {
        let error = |names: &[&str], filter| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            Watch::open(&names, filter, MeterConfig::default()).err().unwrap().to_string()
        };
        assert_eq!(error(&[], None), "0 interfaces: between 1 and 64 can be watched");
        let none = error(&["no-such-if"], None);
        assert!(none.starts_with("no interface `no-such-if`: there are ") && none.contains("lo"), "{none}");
    }
}
