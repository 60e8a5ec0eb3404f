//! What a flow log gave, counted as a report shows it.

use super::twice::{Point, Sight, Twice};
use crate::model::{Batch, Caveat, Count, FlowFlags, FlowRecord, InputCoverage, Mark, Occurrences, Skip, Timestamp};

/// Who opened a flow, by whose word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Opener {
    /// The source's.
    Told,
    /// Ports', or nobody's.
    Guessed,
}

/// Records kept and skipped. Every record that is read is used or skipped.
pub(in crate::source) struct Intake {
    pub(in crate::source) coverage: InputCoverage,
    /// What is true of every record of the format.
    always: &'static [Caveat],
    twice: Twice,
    /// The commonest caveats, counted apart because a map costs too much for every record.
    frequent: FrequentCaveats,
    marks: [Count; Mark::ALL.len()],
    /// The longest record, in nanoseconds.
    longest: u64,
}

impl Intake {
    pub(in crate::source) fn new(coverage: InputCoverage, always: &'static [Caveat]) -> Self {
        let (twice, frequent) = (Twice::default(), FrequentCaveats::default());
        Self { coverage, always, twice, frequent, marks: [Count::default(); Mark::ALL.len()], longest: 0 }
    }

    /// [`keep`](Self::keep) of a format that says at which interface, or by which end, a record was made.
    pub(super) fn keep_at(
        &mut self,
        point: Option<Point>,
        record: &FlowRecord,
        opener: Opener,
        time: Time,
        batch: &mut Batch,
    ) {
        let octets = record.forward.octets.saturating_add(record.reverse.octets);
        let point = point.filter(|_| time == Time::Told);
        match self.twice.see(record, point) {
            Sight::Public => {}
            Sight::Private => self.mark(Mark::BetweenPrivate, octets),
            Sight::Elsewhere => self.coverage.caveat(Caveat::SeenElsewhere, record.provenance.position(), octets),
        }
        self.keep(record, opener, time, batch);
    }

    /// Counts what a log says of a record besides.
    pub(super) fn mark(&mut self, mark: Mark, octets: u64) {
        if let Some(count) = self.marks.get_mut(mark as usize) {
            count.add(octets);
        }
    }

    /// Keeps a record, whose times are those of the input where `time` says so.
    pub(in crate::source) fn keep(&mut self, record: &FlowRecord, opener: Opener, time: Time, batch: &mut Batch) {
        let position = record.provenance.position();
        let octets = record.forward.octets.saturating_add(record.reverse.octets);
        self.coverage.read.add(octets);
        self.coverage.used.add(octets);
        for caveat in self.always {
            self.frequent.add(*caveat, position, octets);
        }
        let flags = [
            (FlowFlags::PAYLOAD_UNKNOWN, Caveat::PayloadEstimated),
            (FlowFlags::REJECTED, Caveat::Rejected),
            (FlowFlags::COUNTERS_UNKNOWN, Caveat::CountersUnknown),
        ];
        for (flag, caveat) in flags {
            if record.flags.has(flag) {
                self.frequent.add(caveat, position, octets);
            }
        }
        if opener == Opener::Guessed {
            self.frequent.add(Caveat::InitiatorGuessed, position, octets);
        }
        match time {
            Time::Told => {
                self.coverage.saw(record.start);
                self.coverage.saw(record.end);
                self.longest = self.longest.max(record.end.since(record.start));
            }
            Time::Unknown => self.coverage.caveat(Caveat::NoTime, position, octets),
        }
        batch.records.push(*record);
    }

    pub(in crate::source) fn skip(&mut self, reason: Skip, position: u64) {
        self.coverage.read.add(0);
        self.coverage.skip(reason, position, 0);
    }

    /// Everything so far.
    pub(in crate::source) fn coverage(&self) -> InputCoverage {
        let mut coverage = self.coverage.clone();
        coverage.longest_window = self.longest.div_ceil(Timestamp::SECOND);
        let marks = Mark::ALL.iter().copied().zip(self.marks);
        coverage.marks.extend(marks.filter(|(_, count)| count.count > 0));
        for (caveat, counted) in FrequentCaveats::CAVEATS.iter().zip(&self.frequent.0) {
            if counted.total.count > 0 {
                coverage.caveats.insert(*caveat, counted.occurrences());
            }
        }
        coverage
    }
}

/// Whether a record says when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Time {
    Told,
    Unknown,
}

#[derive(Default)]
struct FrequentCaveats([Frequent; Self::CAVEATS.len()]);

impl FrequentCaveats {
    const CAVEATS: [Caveat; 7] = [
        Caveat::PayloadEstimated,
        Caveat::InitiatorGuessed,
        Caveat::Rejected,
        Caveat::CountersUnknown,
        Caveat::PayloadOctets,
        Caveat::LinkOctets,
        Caveat::ScaledAtSource,
    ];

    fn add(&mut self, caveat: Caveat, position: u64, octets: u64) {
        let counted = Self::CAVEATS.iter().position(|frequent| *frequent == caveat);
        if let Some(counted) = counted.and_then(|place| self.0.get_mut(place)) {
            counted.add(position, octets);
        }
    }
}

/// A caveat that most records have.
#[derive(Default)]
struct Frequent {
    total: Count,
    first: [u64; 3],
}

impl Frequent {
    /// Positions come in order.
    fn add(&mut self, position: u64, octets: u64) {
        if let Some(place) = usize::try_from(self.total.count).ok().and_then(|seen| self.first.get_mut(seen)) {
            *place = position;
        }
        self.total.add(octets);
    }

    fn occurrences(&self) -> Occurrences {
        let kept = usize::try_from(self.total.count).unwrap_or(usize::MAX);
        Occurrences { total: self.total, positions: self.first.iter().copied().take(kept).collect() }
    }
}
