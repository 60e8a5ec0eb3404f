//! Where records go: counted, compared with those before, and into the batch.

use super::record::{Told, span};
use super::twins::{Kinship, Place, Twins};
use crate::model::{
    Addr, Batch, Caveat, Count, FlowRecord, InputCoverage, InputId, Provenance, Sampling, SamplingInterval, Skip,
    Timestamp,
};
use crate::wire::Caveats;

/// How many caveats are told apart.
const CAVEATS: usize = Caveat::ALL.len();

/// What one message of telemetry comes to.
pub(super) struct Sink<'a> {
    pub(super) input: InputId,
    /// The number of the message or frame.
    pub(super) position: u64,
    pub(super) exporter: Addr,
    pub(super) coverage: &'a mut InputCoverage,
    pub(super) twins: &'a mut Twins,
    pub(super) batch: &'a mut Batch,
    counted: Counted,
}

/// What is added to the coverage when the message ends: maps cost too much for every record.
struct Counted {
    read: Count,
    used: Count,
    caveats: [Count; CAVEATS],
    sampling: Option<Sampling>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        input: InputId,
        position: u64,
        exporter: Addr,
        coverage: &'a mut InputCoverage,
        twins: &'a mut Twins,
        batch: &'a mut Batch,
    ) -> Self {
        let none = Count::default();
        let counted = Counted { read: none, used: none, caveats: [none; CAVEATS], sampling: None };
        Self { input, position, exporter, coverage, twins, batch, counted }
    }

    pub(super) fn provenance(&self) -> Provenance {
        Provenance::new(self.input, self.position)
    }

    /// Takes a flow record of a template, or of version 5.
    #[inline]
    pub(super) fn flow(&mut self, mut told: Told, place: Place) {
        match self.twins.see(&told.record, place) {
            Kinship::None => {}
            Kinship::Duplicate => return self.skip(Skip::Duplicate, octets(&told.record)),
            Kinship::Elsewhere => told.caveats.set(Caveat::SeenElsewhere),
        }
        if told.without_protocol {
            self.coverage.note("flow records without a protocol: shown as protocol 0");
        }
        self.keep(told.record, told.caveats, span(&told));
    }

    /// Takes a record that counts.
    #[inline]
    pub(super) fn keep(&mut self, record: FlowRecord, caveats: Caveats, span: Option<(Timestamp, Timestamp)>) {
        let octets = octets(&record);
        self.counted.read.add(octets);
        self.counted.used.add(octets);
        self.beside(record, caveats, span);
    }

    /// Takes the record of a packet inside one that counts.
    #[inline]
    pub(super) fn beside(&mut self, record: FlowRecord, caveats: Caveats, span: Option<(Timestamp, Timestamp)>) {
        let octets = octets(&record);
        for caveat in caveats.iter() {
            self.caveat(caveat, octets);
        }
        if let Some((start, end)) = span {
            self.coverage.saw(start);
            self.coverage.saw(end);
        }
        if !caveats.has(Caveat::SamplingUnknown) {
            let interval = record.sampling_interval.get();
            let records = if interval > 1 { Count { count: 1, octets } } else { Count::default() };
            let one = Sampling { least: interval, greatest: interval, records };
            match &mut self.counted.sampling {
                Some(all) => all.merge(one),
                None => self.counted.sampling = Some(one),
            }
        }
        self.batch.records.push(record);
    }

    /// Counts records that had come before it was known that they were sampled. They stay as they are: they were given away.
    pub(super) fn sampled_before(&mut self, interval: SamplingInterval, before: Count) {
        self.coverage.caveat_all(Caveat::SampledBefore, self.position, before);
        let interval = interval.get();
        let one = Sampling { least: interval, greatest: interval, records: Count::default() };
        match &mut self.coverage.sampling {
            Some(all) => all.merge(one),
            None => self.coverage.sampling = Some(one),
        }
    }

    pub(super) fn caveat(&mut self, caveat: Caveat, octets: u64) {
        if let Some(count) = self.counted.caveats.get_mut(caveat as usize) {
            count.add(octets);
        }
    }

    /// Counts something that was read and is in no flow.
    pub(super) fn skip(&mut self, reason: Skip, octets: u64) {
        self.counted.read.add(octets);
        self.coverage.skip(reason, self.position, octets);
    }

    /// Adds what was counted to the coverage.
    pub(super) fn finish(self) {
        let Self { position, coverage, counted, .. } = self;
        coverage.read.merge(counted.read);
        coverage.used.merge(counted.used);
        for (caveat, count) in Caveat::ALL.iter().zip(counted.caveats) {
            if count.count > 0 {
                coverage.caveat_all(*caveat, position, count);
            }
        }
        if let Some(sampling) = counted.sampling {
            match &mut coverage.sampling {
                Some(all) => all.merge(sampling),
                None => coverage.sampling = Some(sampling),
            }
        }
    }
}

fn octets(record: &FlowRecord) -> u64 {
    record.forward.octets.saturating_add(record.reverse.octets)
}
