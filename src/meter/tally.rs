//! Coverage, counted in arrays and folded into the maps every so often: nothing per packet but additions.

use crate::model::{Caveat, Count, InputCoverage, Occurrences, Skip};
use crate::wire::{Note, Packet, Unread};

use super::Frame;

/// After so many frames the counts are folded.
const FRAMES_BETWEEN_FOLDS: u64 = 4096;

/// The most link types that are counted before the counts are folded.
const LINK_TYPES_BETWEEN_FOLDS: usize = 16;

/// As many positions as [`Occurrences`] keeps; it takes the smallest of what is offered.
const POSITIONS: usize = 3;

#[derive(Clone, Copy, Default)]
struct Reason {
    total: Count,
    positions: [u64; POSITIONS],
}

impl Reason {
    fn add(&mut self, position: u64, octets: u64) {
        let kept = (self.total.count as usize).min(POSITIONS);
        self.total.add(octets);
        let place = self.positions[..kept].partition_point(|known| *known <= position);
        if place < POSITIONS {
            self.positions[place..].rotate_right(1);
            self.positions[place] = position;
        }
    }

    fn occurrences(&self) -> Option<Occurrences> {
        let kept = (self.total.count as usize).min(POSITIONS);
        (kept > 0).then(|| Occurrences { total: self.total, positions: self.positions[..kept].to_vec() })
    }
}

/// What was counted since the last fold.
pub(super) struct Tally {
    /// Holds what is cheap to count in place: `read`, `used`, `first` and `last`.
    plain: InputCoverage,
    link_types: Vec<(u32, u64)>,
    skipped: [Reason; Skip::ALL.len()],
    caveats: [Reason; Caveat::ALL.len()],
    note: Option<Note>,
}

impl Default for Tally {
    fn default() -> Self {
        let none = |_| Reason::default();
        Self {
            plain: InputCoverage::default(),
            link_types: Vec::new(),
            skipped: std::array::from_fn(none),
            caveats: std::array::from_fn(none),
            note: None,
        }
    }
}

impl Tally {
    #[inline]
    pub(super) fn read(&mut self, frame: &Frame<'_>) {
        self.plain.read.add(frame.original_length.into());
        if let Some(time) = frame.time {
            self.plain.saw(time);
        }
        match self.link_types.iter_mut().find(|(link, _)| *link == frame.link.0) {
            Some((_, frames)) => *frames += 1,
            None => self.link_types.push((frame.link.0, 1)),
        }
    }

    #[inline]
    pub(super) fn used(&mut self, packet: &Packet, position: u64) {
        self.plain.used.add(packet.octets.into());
        self.inside(packet, position);
    }

    /// A packet of a frame that is counted already.
    #[inline]
    pub(super) fn inside(&mut self, packet: &Packet, position: u64) {
        if !packet.caveats.is_empty() {
            for caveat in packet.caveats.iter() {
                self.caveat(caveat, position, packet.octets.into());
            }
        }
    }

    /// A TCP flow ended.
    pub(super) fn tcp_flow(&mut self) {
        self.plain.tcp_flows += 1;
    }

    pub(super) fn caveat(&mut self, caveat: Caveat, position: u64, octets: u64) {
        self.caveats[caveat as usize].add(position, octets);
    }

    pub(super) fn skip(&mut self, unread: Unread, frame: &Frame<'_>, coverage: &mut InputCoverage) {
        self.skipped[unread.skip as usize].add(frame.number, frame.original_length.into());
        if let Some(note) = unread.note {
            self.note(note, coverage);
        }
    }

    pub(super) fn note(&mut self, note: Note, coverage: &mut InputCoverage) {
        if self.note != Some(note) {
            self.note = Some(note);
            coverage.note(note.to_string());
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.plain.read.count >= FRAMES_BETWEEN_FOLDS || self.link_types.len() > LINK_TYPES_BETWEEN_FOLDS
    }

    /// Adds what was counted to `coverage` and begins again.
    pub(super) fn fold(&mut self, coverage: &mut InputCoverage) {
        let mut part = std::mem::take(&mut self.plain);
        part.link_types = self.link_types.drain(..).collect();
        let skipped = Skip::ALL.iter().zip(&self.skipped);
        part.skipped = skipped.filter_map(|(reason, seen)| Some((*reason, seen.occurrences()?))).collect();
        let caveats = Caveat::ALL.iter().zip(&self.caveats);
        part.caveats = caveats.filter_map(|(reason, seen)| Some((*reason, seen.occurrences()?))).collect();
        let Self { skipped, caveats, .. } = Self::default();
        (self.skipped, self.caveats) = (skipped, caveats);
        coverage.merge(part);
    }
}
