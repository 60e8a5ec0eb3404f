//! Logs of sensors and collectors: text or JSON, a flow a line or an object, with names beside the flows where they have
//! them.

use std::borrow::Cow;
use std::io;

use crate::diag::with_causes;
use crate::model::{Batch, BiflowDirection, Caveat, FlowFlags, FlowRecord, InputCoverage, InputId, Lack, Skip};
use crate::source::lines::More;
use crate::source::members::Named;
use crate::source::{Progress, SourceError};

mod flat;
pub mod hubble;
mod json;
mod names;
pub mod nfdump;
pub mod nprobe;
mod row;
pub mod suricata;
mod value;
pub mod zeek;

use row::Draft;
use value::Zone;

/// UTF-8's.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is known of an input apart from its reader, which lends its lines while this grows.
struct Book {
    input: InputId,
    coverage: InputCoverage,
    named: Named,
}

impl Book {
    fn new(input: InputId, name: &str, kind: String, lacks: &[Lack]) -> Self {
        Self { input, coverage: InputCoverage::new(name, kind).lacking(lacks), named: Named::default() }
    }

    /// Counts a record that is not used.
    fn skip(&mut self, reason: Skip, position: u64) {
        self.coverage.read.add(0);
        self.coverage.skip(reason, position, 0);
    }

    /// Counts a record and what limits it, and gives it.
    fn keep(&mut self, draft: &Draft, batch: &mut Batch) {
        let Draft { record, has_time, zone } = draft;
        let position = record.provenance.position();
        let octets = record.forward.octets.saturating_add(record.reverse.octets);
        self.coverage.read.add(octets);
        self.coverage.used.add(octets);
        let limits = [
            (FlowFlags::COUNTERS_UNKNOWN, Caveat::CountersUnknown),
            (FlowFlags::PAYLOAD_UNKNOWN, Caveat::PayloadEstimated),
            (FlowFlags::REJECTED, Caveat::Rejected),
        ];
        for (flag, caveat) in limits {
            if record.flags.has(flag) {
                self.coverage.caveat(caveat, position, octets);
            }
        }
        if *has_time {
            self.coverage.saw(record.start);
            self.coverage.saw(record.end);
        } else {
            self.coverage.caveat(Caveat::NoTime, position, octets);
        }
        if *zone == Zone::Unknown {
            self.coverage.remark("times without a zone were taken for UTC");
        }
        batch.records.push(*record);
    }

    /// What came of a block: `offset` is how far was read, and `pending` where what has not ended begins.
    fn progress(
        &mut self,
        result: io::Result<More>,
        offset: u64,
        pending: Option<u64>,
    ) -> Result<Progress, SourceError> {
        match result {
            Ok(More::Perhaps) => Ok(Progress::More),
            Ok(More::Later) => Ok(Progress::Idle),
            Ok(More::No) => Ok(Progress::End),
            Err(error) => {
                let error = SourceError::reading(offset, error);
                self.coverage.error = Some(with_causes(&error));
                self.coverage.truncated_at = pending;
                Err(error)
            }
        }
    }

    /// Who opened a flow is not said.
    fn guessed(&mut self, record: &FlowRecord) {
        let octets = record.forward.octets.saturating_add(record.reverse.octets);
        self.coverage.caveat(Caveat::InitiatorGuessed, record.provenance.position(), octets);
    }

    /// Names fields that are not known, each once.
    fn unknown(&mut self, position: u64, fields: &[Cow<'_, str>]) {
        if !fields.is_empty() {
            self.named.name(&mut self.coverage, position, "", &fields.to_vec());
        }
    }
}

/// Who opened a flow, where the log has TCP flags (of the source's packets, all together) and ports and no more.
///
/// SYN without ACK was sent by the initiator, and never answered. Where both are set either side can have sent them, unless
/// the log keeps the first packet apart, and ports have to tell. Whether it is told, and not guessed, is the second.
fn opened(record: &FlowRecord, tcp_flags: Option<u8>) -> (BiflowDirection, Told) {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    if record.protocol == crate::model::Protocol::TCP
        && tcp_flags.is_some_and(|flags| flags & SYN != 0 && flags & ACK == 0)
    {
        return (BiflowDirection::Initiator, Told::Yes);
    }
    (crate::source::opened::by_ports(record), Told::No)
}

/// Whether a log says a thing, or it was guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

/// Whether TCP flags say that a connection ended.
fn has_ended(tcp_flags: u8) -> bool {
    const FIN: u8 = 1;
    const RST: u8 = 4;
    tcp_flags & (FIN | RST) != 0
}
