//! Flow telemetry: `NetFlow` version 5 and 9, IPFIX and sFlow version 5, as flow exporters send it.
//!
//! One decoder, [`Collector`], takes message after message; it knows nothing of where they come from. [`TelemetryCapture`]
//! takes them from a capture of the datagrams, [`TelemetryFile`] from a file of messages one after the other (IPFIX files of
//! RFC 5655 are such), and the drivers from sockets.
//!
//! **Why no crate.** `netflow_parser` 1.0.6 was tried on the corpus. It has no sFlow and no loss by sequence numbers, keeps
//! no sampling rates, refuses fields of variable length in version 9 (which H3C sends) and read none of the records of two
//! IPFIX exporters (Procera, Ixia); and since it allocates for every record it decodes 3 million records of version 9 a
//! second where the aim is 4 million with judgement to come.
//!
//! **Templates** are kept for each exporter's address and observation domain. A set whose template has not come is held
//! until it does, up to a limit; what never gets one is counted ([`Skip::NoTemplate`]).
//!
//! **Octets** are IP octets, header and all; link-layer counters are cut down to them, and counters of payload alone are
//! named ([`Caveat::PayloadOctets`](crate::model::Caveat::PayloadOctets)). There is no payload count but in sampled packets,
//! so that movement is what exceeds the headers
//! ([`Caveat::PayloadEstimated`](crate::model::Caveat::PayloadEstimated)).
//!
//! **Sampling.** Octets and packets are scaled where the exporter states a rate, in the record or in options, and the record
//! carries the interval; where it states none nothing is scaled, and the coverage says so. Options come now and then: records
//! that came before the first are not scaled, and they are counted.

mod capture;
mod element;
mod file;
mod message;
mod netflow5;
mod octets;
mod record;
mod sampled;
mod sampling;
mod sequence;
mod sflow;
mod sink;
mod template;
mod times;
mod twins;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use capture::TelemetryCapture;
pub use file::{TelemetryFile, looks_like};

use crate::model::{Addr, Batch, Count, InputCoverage, InputId, Lack, Skip, Timestamp};
use crate::source::lacks;
use message::{Held, Waiting};
use octets::Octets;
use sampling::Samplers;
use sequence::{Sequence, Step};
use sink::Sink;
use template::Templates;
use twins::Twins;

/// The name of the format in reports.
pub const KIND: &str = "telemetry";

/// The most observation domains of all exporters that are followed. Those that come first stay: otherwise whoever can send a
/// datagram could make others be forgotten.
pub const MAX_DOMAINS: usize = 4096;

/// The longest message: what a datagram can hold, and what the length field of IPFIX can say.
pub const MAX_MESSAGE: usize = 65_535;

/// A message of flow telemetry: a datagram, or one message of a stream or file.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub exporter: Addr,
    /// When it came; `None` where nobody knows.
    pub received: Option<Timestamp>,
    /// Its number in the input, from one: of the frame in a capture.
    pub number: u64,
    /// What it holds.
    pub octets: &'a [u8],
}

/// Which protocol, and which part of an exporter: what has sequence numbers and templates of its own.
type DomainKey = (Addr, Protocol, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    NetFlow5,
    NetFlow9,
    Ipfix,
    SFlow,
}

impl Protocol {
    /// What it cannot tell.
    const fn lacks(self) -> &'static [Lack] {
        match self {
            Self::NetFlow5 => lacks::NETFLOW5,
            Self::NetFlow9 | Self::Ipfix => lacks::TEMPLATES,
            Self::SFlow => lacks::SFLOW,
        }
    }
}

/// What is known of an observation domain.
#[derive(Debug, Default)]
struct Domain {
    sequence: Sequence,
    templates: Templates,
    samplers: Samplers,
    /// When the exporter began, in milliseconds of the epoch (IE 160).
    began: Option<u64>,
    waiting: VecDeque<Waiting>,
    /// Octets of the sets that wait.
    held: usize,
}

/// How long a message is, by what it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// So many octets.
    Whole(usize),
    /// More octets are needed to say.
    More,
    /// It can be whole: only what follows tells (version 9).
    Open,
    Bad(&'static str),
}

/// Decodes flow telemetry.
pub struct Collector {
    input: InputId,
    coverage: InputCoverage,
    domains: BTreeMap<DomainKey, Domain>,
    held: Held,
    agents: sflow::Agents,
    twins: Twins,
    layout5: Option<netflow5::Layout>,
    /// Of which messages were read.
    met: BTreeSet<Protocol>,
}

impl Collector {
    /// A collector that has seen nothing. `name` and `kind` are for the coverage; `seed` is of the hashes of a table of flows
    /// ([`MeterConfig::hash_seed`](crate::meter::MeterConfig::hash_seed)), and no result depends on it.
    pub fn new(input: InputId, name: &str, kind: &str, seed: u64) -> Self {
        let mut coverage = InputCoverage::new(name, kind);
        coverage.lost = Some(crate::model::Lost::default());
        Self {
            input,
            coverage,
            domains: BTreeMap::new(),
            held: Held::default(),
            agents: sflow::Agents::default(),
            twins: Twins::new(seed),
            layout5: netflow5::Layout::new(),
            met: BTreeSet::new(),
        }
    }

    /// Decodes a message, and appends the records of it and of what had waited for it.
    pub fn collect(&mut self, datagram: &Datagram<'_>, batch: &mut Batch) {
        let Self { input, coverage, domains, held, agents, twins, layout5, met } = self;
        let mut sink = Sink::new(*input, datagram.number, datagram.exporter, coverage, twins, batch);
        let mut octets = Octets(datagram.octets);
        let whole = octets.len() as u64;
        let mut parts = Parts { domains, held };
        let read = match octets.u16() {
            Some(5) => {
                let read = layout5.as_ref().and_then(|layout| parts.netflow5(layout, &mut octets, &mut sink));
                read.map(|()| Protocol::NetFlow5)
            }
            Some(9) => parts.netflow9(&mut octets, &mut sink).map(|()| Protocol::NetFlow9),
            Some(10) => parts.ipfix(&mut octets, &mut sink).map(|()| Protocol::Ipfix),
            Some(0) if octets.u16() == Some(5) => {
                parts.sflow(datagram, agents, &mut octets, &mut sink).map(|()| Protocol::SFlow)
            }
            Some(other @ (1 | 7 | 8)) => {
                sink.coverage.note(format!("NetFlow version {other}"));
                None
            }
            _ => None,
        };
        if read.is_none() {
            sink.skip(Skip::BadMessage, whole);
        }
        sink.finish();
        if let Some(protocol) = read
            && met.insert(protocol)
        {
            coverage.lacks.extend(protocol.lacks());
        }
    }

    /// Counts what waits for a template as lost: nothing comes any more.
    pub fn finish(&mut self) {
        for domain in self.domains.values_mut() {
            for waiting in domain.waiting.drain(..) {
                self.coverage.read.add(0);
                self.coverage.skip(Skip::NoTemplate, waiting.position, 0);
            }
            domain.held = 0;
        }
        self.held.octets = 0;
    }

    /// What was read so far. What waits for a template is in it after [`Collector::finish`].
    pub fn coverage(&self) -> &InputCoverage {
        &self.coverage
    }

    /// Takes note of why nothing more can be received.
    pub fn fail(&mut self, error: &dyn std::error::Error) {
        self.coverage.error = Some(crate::diag::with_causes(error));
    }

    fn coverage_mut(&mut self) -> &mut InputCoverage {
        &mut self.coverage
    }

    /// Counts a packet that is no telemetry.
    fn skip(&mut self, reason: Skip, number: u64, octets: u64) {
        self.coverage.read.add(octets);
        self.coverage.skip_all(reason, number, Count { count: 1, octets });
    }
}

/// What messages are read with.
struct Parts<'a> {
    domains: &'a mut BTreeMap<DomainKey, Domain>,
    held: &'a mut Held,
}

impl Parts<'_> {
    /// The domain of a key; where there is no room for one more, that is counted.
    fn domain(domains: &mut BTreeMap<DomainKey, Domain>, key: DomainKey) -> Option<&mut Domain> {
        if domains.len() >= MAX_DOMAINS && !domains.contains_key(&key) {
            return None;
        }
        Some(domains.entry(key).or_default())
    }

    fn netflow5(&mut self, layout: &netflow5::Layout, octets: &mut Octets<'_>, sink: &mut Sink<'_>) -> Option<()> {
        let head = netflow5::Head::read(octets)?;
        sink.twins.met(sink.exporter);
        let key = (sink.exporter, Protocol::NetFlow5, head.engine.into());
        let Some(domain) = Self::domain(self.domains, key) else {
            sink.skip(Skip::ExporterCrowdedOut, 0);
            return Some(());
        };
        let count = head.records(layout, octets, sink);
        if !octets.is_empty() {
            sink.skip(Skip::BadMessage, octets.len() as u64);
        }
        follow(domain, head.sequence, Some(count), Unit::Records, sink);
        Some(())
    }

    fn netflow9(&mut self, octets: &mut Octets<'_>, sink: &mut Sink<'_>) -> Option<()> {
        let head = message::Head::nine(octets)?;
        sink.twins.met(sink.exporter);
        let Some(domain) = Self::domain(self.domains, (sink.exporter, Protocol::NetFlow9, head.domain)) else {
            sink.skip(Skip::ExporterCrowdedOut, 0);
            return Some(());
        };
        head.sets(domain, self.held, octets, sink);
        follow(domain, head.sequence, Some(1), Unit::Datagrams, sink);
        Some(())
    }

    /// One message, or several in a datagram.
    fn ipfix(&mut self, octets: &mut Octets<'_>, sink: &mut Sink<'_>) -> Option<()> {
        sink.twins.met(sink.exporter);
        loop {
            let (head, length) = message::Head::ipfix(octets)?;
            let body = length.checked_sub(16)?;
            let mut content = match octets.take(body) {
                Some(content) => Octets(content),
                None => Octets(std::mem::take(&mut octets.0)),
            };
            if content.len() < body {
                sink.skip(Skip::BadMessage, 0);
            }
            let Some(domain) = Self::domain(self.domains, (sink.exporter, Protocol::Ipfix, head.domain)) else {
                sink.skip(Skip::ExporterCrowdedOut, 0);
                return Some(());
            };
            let count = head.sets(domain, self.held, &mut content, sink);
            follow(domain, head.sequence, count, Unit::Records, sink);
            if octets.is_empty() {
                return Some(());
            }
            if octets.u16() != Some(10) {
                return None;
            }
        }
    }

    fn sflow(
        &mut self,
        datagram: &Datagram<'_>,
        agents: &mut sflow::Agents,
        octets: &mut Octets<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<()> {
        let head = sflow::Head::read(octets)?;
        // An agent says itself who it is: datagrams can come by way of others.
        sink.exporter = head.agent;
        sink.twins.met(head.agent);
        let Some(domain) = Self::domain(self.domains, (head.agent, Protocol::SFlow, head.sub_agent)) else {
            sink.skip(Skip::ExporterCrowdedOut, 0);
            return Some(());
        };
        follow(domain, head.sequence, Some(1), Unit::Datagrams, sink);
        sflow::samples(&head, datagram, octets, agents, sink);
        Some(())
    }
}

/// What sequence numbers count.
#[derive(Clone, Copy)]
enum Unit {
    Datagrams,
    Records,
}

/// Follows the sequence numbers of a domain.
fn follow(domain: &mut Domain, number: u32, units: Option<u32>, unit: Unit, sink: &mut Sink<'_>) {
    let step = domain.sequence.step(number, units);
    let lost = sink.coverage.lost.get_or_insert_default();
    let counter = match unit {
        Unit::Datagrams => &mut lost.datagrams,
        Unit::Records => &mut lost.records,
    };
    match step {
        Step::Gap(gap) => *counter = counter.saturating_add(gap.into()),
        Step::Late(late) => *counter = counter.saturating_sub(late.into()),
        Step::Restarted => {
            sink.coverage
                .note("sequence numbers of an exporter that began again: what was lost meanwhile is not known");
        }
    }
}

/// How long the message is that octets begin with.
fn length(octets: &[u8]) -> Message {
    match *octets {
        [0, 5, ..] => netflow5::length(octets),
        [0, 9, ..] => file::length_of_nine(octets),
        [0, 10, high, low, ..] => match usize::from(u16::from_be_bytes([high, low])) {
            length @ 16.. => Message::Whole(length),
            _ => Message::Bad("an IPFIX message shorter than its head"),
        },
        [0, 0, 0, 5, ..] => sflow::length(octets),
        [] | [0] | [0, 0 | 10] | [0, 0, 0] | [0, 10, _] => Message::More,
        _ => Message::Bad("neither NetFlow version 5 or 9, nor IPFIX, nor sFlow version 5"),
    }
}
