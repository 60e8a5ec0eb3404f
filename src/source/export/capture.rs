//! Telemetry in a capture of the datagrams: what a collector would have received.
//!
//! Nothing tells such a capture from one that is to be metered but what the user wants of it, so that it is read this way
//! only when the user says so.

use super::octets::Octets;
use super::{Collector, Datagram, Message, file, length};
use crate::diag::with_causes;
use crate::model::{Batch, InputCoverage, InputId, Protocol, Skip};
use crate::source::capture::{Capture, Next};
use crate::source::{Options, Progress, Source, SourceError};
use crate::wire;

/// How many frames are read in one call of [`Source::read`].
const FRAMES_PER_READ: usize = 1024;

/// Ports that telemetry is sent to: those of IANA (4739 IPFIX, 6343 sFlow) and the usual ones of `NetFlow`.
const PORTS: [u16; 9] = [2055, 2056, 4432, 4739, 6343, 9555, 9990, 9995, 9996];

/// A capture whose datagrams of flow telemetry are decoded. Other packets are counted and not metered.
pub struct TelemetryCapture {
    capture: Capture,
    collector: Collector,
    is_over: bool,
}

impl TelemetryCapture {
    /// A source of the flows that the telemetry in `capture` tells of.
    pub fn new(id: InputId, name: &str, kind: &str, capture: Capture, options: &Options) -> Self {
        let collector = Collector::new(id, name, kind, options.meter.hash_seed);
        Self { capture, collector, is_over: false }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.collector.finish();
        self.collector.coverage_mut().drops = self.capture.drops();
    }
}

impl Source for TelemetryCapture {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        for _ in 0..FRAMES_PER_READ {
            if self.is_over {
                return Ok(Progress::End);
            }
            match self.capture.next_frame() {
                Ok(Next::Frame(frame)) => {
                    let size = u64::from(frame.original_length);
                    let found = match wire::dissect(frame.link, frame.octets, frame.original_length) {
                        Ok(found) if found.packet.protocol == Protocol::UDP => found,
                        Ok(_) => {
                            self.collector.skip(Skip::NotTelemetry, frame.number, size);
                            continue;
                        }
                        Err(unread) => {
                            self.collector.skip(unread.skip, frame.number, size);
                            continue;
                        }
                    };
                    let is_known = PORTS.contains(&found.packet.dport);
                    if found.packet.fragment.is_some() && (is_known || found.packet.dport == 0) {
                        self.collector.skip(Skip::BadMessage, frame.number, size);
                        self.collector.coverage_mut().note("fragmented datagrams: they are not put together");
                    } else if is_known && has_version(found.payload) || is_message(found.payload) {
                        let datagram = Datagram {
                            exporter: found.packet.src,
                            received: frame.time,
                            number: frame.number,
                            octets: found.payload,
                        };
                        self.collector.collect(&datagram, batch);
                    } else {
                        self.collector.skip(Skip::NotTelemetry, frame.number, size);
                    }
                }
                Ok(Next::BadBlock { number, octets }) => self.collector.skip(Skip::BadBlock, number, octets),
                Ok(Next::Cut { offset }) => {
                    self.collector.coverage_mut().truncated_at = Some(offset);
                    self.end();
                }
                Ok(Next::End) => self.end(),
                Err(error) => {
                    self.collector.coverage_mut().error = Some(with_causes(&error));
                    self.end();
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

/// Whether a datagram to a port of telemetry has one of its versions.
fn has_version(payload: &[u8]) -> bool {
    matches!(payload, [0, 5 | 9 | 10, ..] | [0, 0, 0, 5, ..])
}

/// Whether a datagram to any other port is a message, by every length in it.
fn is_message(payload: &[u8]) -> bool {
    let is_whole = match length(payload) {
        Message::Whole(whole) => whole == payload.len(),
        Message::Open => true,
        Message::More | Message::Bad(_) => false,
    };
    is_whole && file::begins_with_sets(&mut Octets(payload))
}
