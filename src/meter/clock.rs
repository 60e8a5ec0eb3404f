//! The time of frames.

use crate::model::Timestamp;

/// When a packet was seen.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// By the capture.
    pub(super) time: Timestamp,
    /// The capture says so of this frame, and not of the one before.
    pub(super) is_timed: bool,
    /// By the meter's clock, which does not go back.
    pub(super) now: u64,
    /// How often the capture's clock had been set back.
    pub(super) epoch: u32,
}

impl Moment {
    /// The frame's own time.
    #[inline]
    pub(super) fn own(&self) -> Option<Timestamp> {
        self.is_timed.then_some(self.time)
    }
}

/// How a frame stands in time.
pub(super) enum Seen {
    InOrder,
    Earlier,
    WithoutTime,
}

/// The time of frames, and a reading that never goes backwards.
#[derive(Default)]
pub(super) struct Clock {
    /// The time of the latest frame that had one.
    last: Timestamp,
    /// The latest time on the present scale; `None` before the first.
    mark: Option<Timestamp>,
    /// The meter's own reading, in nanoseconds.
    pub(super) now: u64,
    /// The latest frame had a time.
    is_timed: bool,
    /// How often a frame was earlier than the one before by more than [`Clock::JITTER`].
    epoch: u32,
}

impl Clock {
    /// The moment of the frame at hand.
    #[inline]
    pub(super) fn moment(&self) -> Moment {
        Moment { time: self.last, is_timed: self.is_timed, now: self.now, epoch: self.epoch }
    }

    /// Frames of several queues come in another order than that of their times, by some microseconds. What is more can be a
    /// clock that was set back: then times before and after are no measure of anything.
    const JITTER: u64 = 50_000;

    #[inline]
    pub(super) fn frame(&mut self, time: Option<Timestamp>, tolerance: u64) -> Seen {
        self.is_timed = time.is_some();
        let Some(time) = time else { return Seen::WithoutTime };
        if let Some(mark) = self.mark
            && time < mark
        {
            if mark.since(time) > tolerance {
                self.mark = Some(time);
            }
        } else {
            self.now = self.now.saturating_add(time.since(self.mark.unwrap_or(time)));
            self.mark = Some(time);
        }
        let seen = if time < self.last { Seen::Earlier } else { Seen::InOrder };
        self.epoch = self.epoch.wrapping_add(u32::from(self.last.since(time) > Self::JITTER));
        self.last = time;
        seen
    }

    /// Time passes without a frame.
    pub(super) fn pass(&mut self, time: Timestamp) {
        if let Some(mark) = self.mark
            && time > mark
        {
            self.now = self.now.saturating_add(time.since(mark));
            self.mark = Some(time);
        }
    }
}
