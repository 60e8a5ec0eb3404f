//! Where packets went: for whoever looks for the packets of records.

use crate::model::FlowRecord;
use crate::wire::{self, Inside};

use super::flow::Key;
use super::fragments::MAX_EARLY;
use super::{Frame, Meter};

/// What makes packets one flow, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey(pub(super) Key);

impl FlowKey {
    /// The key of a record's packets.
    pub fn of(record: &FlowRecord) -> Self {
        Self(Key::between((record.src, record.sport), (record.dst, record.dport), record.protocol).0)
    }
}

/// A packet that was counted, and the record that it will be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The key of the record.
    pub key: FlowKey,
    /// The position of the record ([`FlowRecord::provenance`]), which tells it from others of its key.
    pub position: u64,
    /// The position that the record had before this packet, where the packet changed it: a fragment that waited for its
    /// first is counted after that, and no more than [`Traced::MOST_MOVED`] packets before are at the old position.
    pub moved_from: Option<u64>,
    /// The frame that the packet is in.
    pub number: u64,
}

impl Traced {
    /// How many packets back a position can change.
    pub const MOST_MOVED: usize = 1 + MAX_EARLY;
}

impl Meter {
    /// Notes from now on where each packet goes. Whoever asks for that takes the notes as they come.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// What was noted since the last call, in the order in which packets were counted.
    pub fn take_trace(&mut self) -> Vec<Traced> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// How many octets of a frame are headers, to the end of the innermost transport header that can be read: all, where they
/// were not captured whole, and none, where it is in no flow.
pub fn headers(frame: &Frame<'_>) -> usize {
    let mut headers = 0;
    let mut next = wire::dissect(frame.link, frame.octets, frame.original_length);
    while let Ok(found) = next {
        let (first, payload) = (frame.octets.as_ptr().addr(), found.payload.as_ptr().addr());
        headers = payload.checked_sub(first).filter(|at| *at <= frame.octets.len()).unwrap_or(frame.octets.len());
        let Inside::Tunnelled(within) = found.inside else { break };
        next = within.dissect();
    }
    headers
}
