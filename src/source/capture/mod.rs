//! Captures: files of packets, framed here, dissected and metered elsewhere.
//!
//! [`Capture`] gives the frames of a file one by one, borrowed from its buffer; [`CaptureSource`] meters them. A file is
//! never read past a place that contradicts itself: to look for the next plausible record would be to guess.

mod buffer;
mod clock;
mod pcap;
mod pcapng;

use std::io::Read;

use super::{Options, Progress, Source, SourceError};
use crate::diag::with_causes;
use crate::meter::{Frame, Meter};
use crate::model::{Batch, Drops, FlowEndReason, InputCoverage, InputId, Skip};

pub(super) use buffer::Buffer;
pub use buffer::MAX_RECORD;

/// How many frames are metered in one call of [`Source::read`].
const FRAMES_PER_READ: usize = 8192;

/// How many flows are ended in one call of [`Source::read`] once the file has ended.
const FLOWS_PER_READ: usize = 8192;

/// A family of capture files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureFormat {
    /// The format of libpcap (draft-ietf-opsawg-pcap), in either byte order, with micro- or nanoseconds.
    Pcap,
    /// draft-ietf-opsawg-pcapng.
    Pcapng,
}

impl CaptureFormat {
    /// The format of content that begins with `head`.
    pub fn of(head: &[u8]) -> Option<Self> {
        let magic = *head.first_chunk()?;
        if pcapng::is_magic(magic) {
            return Some(Self::Pcapng);
        }
        pcap::is_magic(magic).then_some(Self::Pcap)
    }

    /// The name, as in [`InputCoverage::kind`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }
}

/// What comes next in a capture.
#[derive(Clone, Copy, Debug)]
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// A block that contradicts itself and was stepped over. It has a number as if it were a frame.
    BadBlock {
        /// Its number.
        number: u64,
        /// Its length in the file.
        octets: u64,
    },
    /// The file breaks off in the middle of the record that begins at this offset.
    Cut {
        /// Octets from the start of the content.
        offset: u64,
    },
    /// The file has ended after a whole record.
    End,
}

/// The frames of a capture file.
pub struct Capture {
    framing: Framing,
    over: bool,
}

enum Framing {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

impl Capture {
    /// Reads the file header. The reader stands at the start of the content, without compression.
    pub fn open(format: CaptureFormat, reader: Box<dyn Read + Send>) -> Result<Self, SourceError> {
        let buffer = Buffer::new(reader);
        let framing = match format {
            CaptureFormat::Pcap => Framing::Pcap(pcap::Pcap::open(buffer)?),
            CaptureFormat::Pcapng => Framing::Pcapng(pcapng::Pcapng::open(buffer)?),
        };
        Ok(Self { framing, over: false })
    }

    /// The next frame, borrowed until the next call. After [`Next::Cut`], [`Next::End`] or an error there is nothing more.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Next<'_>, SourceError> {
        if self.over {
            return Ok(Next::End);
        }
        let next = match &mut self.framing {
            Framing::Pcap(pcap) => pcap.next_frame(),
            Framing::Pcapng(pcapng) => pcapng.next_frame(),
        };
        self.over = !matches!(next, Ok(Next::Frame(_) | Next::BadBlock { .. }));
        next
    }

    /// A step of the coarsest clock of those that the frames so far were timed by, in nanoseconds.
    #[inline]
    pub fn clock_step(&self) -> u64 {
        match &self.framing {
            Framing::Pcap(_) => 1000,
            Framing::Pcapng(pcapng) => pcapng.clock_step(),
        }
    }

    /// What the file says so far was dropped before it was written; `None` where it does not say.
    pub fn drops(&self) -> Option<Drops> {
        match &self.framing {
            Framing::Pcap(_) => None,
            Framing::Pcapng(pcapng) => pcapng.drops(),
        }
    }
}

/// A capture file as a source of flow records.
pub struct CaptureSource {
    capture: Capture,
    meter: Meter,
    coverage: InputCoverage,
    state: State,
}

enum State {
    Reading,
    /// The file has ended, and flows that are still held are given; then the error, if there is one.
    Ending(Option<SourceError>),
    Ended,
}

impl CaptureSource {
    /// A source of the flows of `capture`. `name` and `kind` are for the coverage.
    pub fn new(id: InputId, name: &str, kind: String, capture: Capture, options: &Options) -> Self {
        let meter = Meter::new(id, options.meter);
        Self { capture, meter, coverage: InputCoverage::new(name, kind), state: State::Reading }
    }

    fn meter_frames(&mut self, batch: &mut Batch) -> State {
        for _ in 0..FRAMES_PER_READ {
            self.meter.clock_steps(self.capture.clock_step());
            match self.capture.next_frame() {
                Ok(Next::Frame(frame)) => self.meter.observe(&frame, &mut self.coverage, batch),
                Ok(Next::BadBlock { number, octets }) => {
                    self.coverage.read.add(octets);
                    self.coverage.skip(Skip::BadBlock, number, octets);
                }
                Ok(Next::Cut { offset }) => {
                    self.coverage.truncated_at = Some(offset);
                    return State::Ending(None);
                }
                Ok(Next::End) => return State::Ending(None),
                Err(error) => {
                    self.coverage.error = Some(with_causes(&error));
                    return State::Ending(Some(error));
                }
            }
        }
        State::Reading
    }
}

impl Source for CaptureSource {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Reading => {
                self.state = self.meter_frames(batch);
                Ok(Progress::More)
            }
            State::Ending(error) => {
                let left = self.meter.flush_some(FLOWS_PER_READ, FlowEndReason::ForcedEnd, &mut self.coverage, batch);
                match error {
                    error if left > 0 => {
                        self.state = State::Ending(error);
                        Ok(Progress::More)
                    }
                    Some(error) => Err(error),
                    None => Ok(Progress::End),
                }
            }
            State::Ended => Ok(Progress::End),
        }
    }

    /// Exact once [`Source::read`] has given [`Progress::End`] or an error; before, some frames may not be counted yet.
    fn coverage(&self) -> InputCoverage {
        InputCoverage { drops: self.capture.drops(), ..self.coverage.clone() }
    }
}
