//! Telemetry in files: messages one after the other, as IPFIX files are (RFC 5655) and as datagrams are kept.

use std::io::Read;

use super::octets::Octets;
use super::{Collector, Datagram, MAX_MESSAGE, Message, length};
use crate::diag::with_causes;
use crate::model::{Addr, Batch, InputCoverage, InputId};
use crate::source::capture::Buffer;
use crate::source::{Options, Progress, Source, SourceError};

/// How many messages are read in one call of [`Source::read`].
const MESSAGES_PER_READ: usize = 1024;

/// How many octets more are looked at to find the end of a message that does not state its length.
const STEP: usize = 2048;

/// A file of messages. It does not say who sent them nor when they came: all are taken for one exporter's, and samples of
/// sFlow have no time.
pub struct TelemetryFile {
    buffer: Buffer,
    collector: Collector,
    messages: u64,
    is_over: bool,
}

impl TelemetryFile {
    /// A source of the flows that the messages tell of.
    pub fn new(id: InputId, name: &str, kind: &str, reader: Box<dyn Read + Send>, options: &Options) -> Self {
        let collector = Collector::new(id, name, kind, options.meter.hash_seed);
        Self { buffer: Buffer::new(reader), collector, messages: 0, is_over: false }
    }

    /// Decodes the next message; whether there was one.
    fn next(&mut self, batch: &mut Batch) -> Result<bool, SourceError> {
        let offset = self.buffer.offset();
        if !self.buffer.has(1)? {
            return Ok(false);
        }
        let mut wanted = STEP;
        let whole = loop {
            let is_all = !self.buffer.has(wanted)?;
            let head = self.buffer.head();
            let (left, is_nine) = (head.len(), matches!(head, [0, 9, ..]));
            match length(head) {
                Message::Bad(reason) => return Err(SourceError::format(offset, reason)),
                Message::Whole(whole) if self.buffer.has(whole)? => break whole,
                // Only the end of the file ends the last message of version 9; one that is cut is read as far as it goes.
                Message::Open | Message::More if is_all && is_nine && left >= 20 => break left,
                Message::Whole(_) => break 0,
                Message::More | Message::Open if is_all => break 0,
                Message::More | Message::Open if wanted > MAX_MESSAGE => {
                    return Err(SourceError::format(offset, "a message longer than one can be"));
                }
                Message::More | Message::Open => wanted += STEP,
            }
        };
        if whole == 0 {
            self.collector.coverage_mut().truncated_at = Some(offset);
            return Ok(false);
        }
        self.messages += 1;
        let octets = self.buffer.take(whole);
        let datagram = Datagram { exporter: Addr::v6([0; 16]), received: None, number: self.messages, octets };
        self.collector.collect(&datagram, batch);
        Ok(true)
    }
}

impl Source for TelemetryFile {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        for _ in 0..MESSAGES_PER_READ {
            if self.is_over {
                return Ok(Progress::End);
            }
            match self.next(batch) {
                Ok(true) => {}
                Ok(false) => {
                    self.is_over = true;
                    self.collector.finish();
                }
                Err(error) => {
                    self.is_over = true;
                    self.collector.finish();
                    self.collector.coverage_mut().error = Some(with_causes(&error));
                    return Err(error);
                }
            }
        }
        Ok(Progress::More)
    }

    fn coverage(&self) -> InputCoverage {
        self.collector.coverage().clone()
    }
}

/// Whether an input that begins with `head` is of messages: the first has a version, lengths that fit, and sets that there
/// are; and what follows it, as far as it is in the head, has a version too.
pub fn looks_like(head: &[u8]) -> bool {
    let mut first = Octets(head);
    match length(head) {
        Message::Whole(whole) => {
            begins_with_sets(&mut first)
                && head.get(whole..).is_none_or(|next| next.is_empty() || !matches!(length(next), Message::Bad(_)))
        }
        // A message without a length of its own, or longer than the head.
        Message::More | Message::Open => head.len() >= 20 && begins_with_sets(&mut first),
        Message::Bad(_) => false,
    }
}

/// Whether the first set of a message can be one. Version 5 and sFlow have other signs, which their lengths are told by.
pub(super) fn begins_with_sets(octets: &mut Octets<'_>) -> bool {
    let (numbers, head) = match octets.u16() {
        Some(9) => (0..=1, 20),
        Some(10) => (2..=3, 16),
        Some(5) => return octets.take(22).is_some_and(|head| head.iter().any(|octet| *octet != 0)),
        _ => return octets.len() > 20,
    };
    let (Some(_), Some(id), Some(length)) = (octets.take(head - 2), octets.u16(), octets.u16()) else { return false };
    (numbers.contains(&id) || id >= 256) && length >= 4
}

/// Where a message of version 9 ends, which says how many records it has and not how long it is: before the version of the
/// next, since no set has that number.
pub(super) fn length_of_nine(octets: &[u8]) -> Message {
    let mut rest = Octets(octets);
    if rest.take(20).is_none() {
        return Message::More;
    }
    loop {
        if rest.is_empty() {
            return Message::Open;
        }
        let before = octets.len() - rest.len();
        match (rest.u16(), rest.u16()) {
            (Some(5 | 9 | 10), _) | (Some(0), Some(5)) => return Message::Whole(before),
            (Some(0 | 1 | 256..), Some(length @ 4..)) => {
                if rest.take(usize::from(length) - 4).is_none() {
                    return Message::More;
                }
            }
            (Some(0), Some(0)) => {}
            (Some(_), Some(_)) => {
                return Message::Bad("a set of NetFlow version 9 with a number or length that none has");
            }
            _ => return Message::More,
        }
    }
}
