//! Packets to biflows.

use crate::model::{Batch, FlowEndReason, InputCoverage, InputId, Timestamp};
use crate::wire::LinkType;

/// Timeouts and limits of metering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// A flow without a packet for this long has ended, in nanoseconds.
    pub idle_timeout: u64,
    /// A flow that goes on for this long is cut, in nanoseconds.
    pub active_timeout: u64,
    /// The most flows that are held at once; the one that has been idle longest is cut for a new one.
    pub flows_max: usize,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self { idle_timeout: 120 * Timestamp::SECOND, active_timeout: 1800 * Timestamp::SECOND, flows_max: 4_000_000 }
    }
}

/// A captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was seen; `None` where the capture does not say (pcapng simple packet blocks).
    pub time: Option<Timestamp>,
    /// Its number in the input, from one.
    pub number: u64,
    /// Its link type.
    pub link: LinkType,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// Its length on the wire.
    pub original_length: u32,
}

/// Turns packets into biflows.
pub struct Meter {}

impl Meter {
    /// A meter with no flows.
    pub fn new(input: InputId, config: MeterConfig) -> Self {
        let _ = (input, config);
        unimplemented!()
    }

    /// Counts a frame. Flows that end by it are appended to the batch. What is read, used, skipped and doubted is counted
    /// in `coverage`.
    pub fn observe(&mut self, frame: &Frame<'_>, coverage: &mut InputCoverage, batch: &mut Batch) {
        let _ = (frame, coverage, batch);
        unimplemented!()
    }

    /// Ends every flow for `reason`.
    pub fn flush(&mut self, reason: FlowEndReason, coverage: &mut InputCoverage, batch: &mut Batch) {
        let _ = (reason, coverage, batch);
        unimplemented!()
    }
}
