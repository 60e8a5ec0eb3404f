//! AWS VPC Flow Logs as text: one record, one direction, per line and network interface.
//!
//! The format is that of <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>: fields between spaces, in
//! any order that whoever made the log chose. A header line names them (objects in S3 have one, and concatenated objects
//! have several); without one only the default format of version 2 is read, and no other order is guessed.
//!
//! **Which addresses.** `srcaddr` and `dstaddr` are rewritten: at the interface of a NAT gateway, a transit gateway or a
//! node with several addresses they name the interface. `pkt-srcaddr` and `pkt-dstaddr` are those of the packet. Where a
//! line has both, the packet's are the record's, on both sides: `10.0.1.5 -> 10.0.0.220`, `pkt-dstaddr 203.0.113.5` at a
//! NAT gateway is 10.0.1.5 sending to 203.0.113.5, and only so is the rule for the subnet of 10.0.1.5 asked. The price is
//! that a flow that passes several logged interfaces is counted at each; a remark of the coverage says when that can be.
//!
//! **What is counted.** `bytes` are IP octets without link-layer headers (an echo request of 56 octets of data is 84). There
//! is no payload count and no sampling. A record reports one direction, so the reverse direction stays empty.
//!
//! **Who opened.** TCP: SYN without ACK was sent by the initiator, SYN with ACK by the responder (`tcp-flags` is the OR of
//! a window's packets, and ACK is logged with SYN only). Otherwise, of two ports of which one is a system port (RFC 6335
//! section 6, below 1024), that one is the responder's. Otherwise it is not known; `flow-direction` says only which way a
//! packet crossed the interface.

use std::io::Read;
use std::sync::Arc;

use super::fields::{Fields, address, number};
use super::intake::{Intake, Opener, Time};
use super::layout::{Column, Layout, Service, is_default_record, is_header, is_known};
use super::twice::Point;
use crate::diag::with_causes;
use crate::model::{
    Addr, Batch, BiflowDirection, Caveat, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId, Mark, Protocol,
    Provenance, Skip, Timestamp,
};
use crate::source::lacks;
use crate::source::lines::{Line, Lines, More};
use crate::source::opened::by_ports;
use crate::source::{Options, Progress, Source, SourceError};

/// The name of the format in reports.
pub const KIND: &str = "aws-vpc-flow-logs";

/// How many of the first lines are looked at to tell the format: the first can be damaged.
const FIRST_LINES: usize = 8;

/// Whether an input that begins with `head` is a flow log that is read here. At least 4 KiB of it should be given, which is
/// more than the longest header line.
pub fn looks_like(head: &[u8]) -> bool {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let lines = head.split(|octet| *octet == b'\n');
    let mut fields = Fields::new();
    lines.map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty()).take(FIRST_LINES).any(|line| {
        fields.split(line);
        if is_header(line, &fields) {
            Layout::of_header(line, &fields).is_readable()
        } else {
            is_default_record(line, &fields)
        }
    })
}

/// UTF-8's.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A flow log.
pub struct AwsFlowLog {
    lines: Lines,
    reading: Reading,
    intake: Intake,
}

/// How lines are read, apart from where they come from: text, messages in JSON, rows of Parquet.
pub(super) struct Reading {
    input: InputId,
    layout: Layout,
    fields: Fields,
    /// An address of a packet was not that of the interface.
    translated: bool,
}

impl AwsFlowLog {
    /// Reads text: what is compressed is to be inflated before. [`Options::fields`] says what stands where, up to the first
    /// header line.
    pub fn new(id: InputId, name: &str, reader: Box<dyn Read + Send>, options: &Options) -> Self {
        let reading = Reading::new(id, options.fields.as_ref());
        Self {
            lines: Lines::new(reader),
            reading,
            intake: Intake::new(InputCoverage::new(name, KIND).lacking(lacks::AWS), &[]),
        }
    }

    /// Says what the format was wrapped in, for the coverage: `aws-vpc-flow-logs in gzip`.
    #[must_use]
    pub fn of_kind(mut self, kind: String) -> Self {
        self.intake.coverage.kind = kind;
        self
    }
}

impl Source for AwsFlowLog {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let (reading, intake) = (&mut self.reading, &mut self.intake);
        match self.lines.read(|position, line| reading.line(position, line, intake, batch)) {
            Ok(More::Perhaps) => Ok(Progress::More),
            Ok(More::Later) => Ok(Progress::Idle),
            Ok(More::No) => Ok(Progress::End),
            Err(error) => {
                let error = SourceError::reading(self.lines.offset(), error);
                self.intake.coverage.error = Some(with_causes(&error));
                self.intake.coverage.truncated_at = self.lines.pending();
                Err(error)
            }
        }
    }

    /// Lines that are a record, of traffic or of none, are read; headers and empty lines are not records. Every record
    /// is used or skipped. Octets are those of the traffic. One line can be two records: SKIPDATA beside a flow says that
    /// there was the flow, and that others were lost.
    fn coverage(&self) -> InputCoverage {
        let mut coverage = self.intake.coverage();
        self.reading.notes(&mut coverage);
        coverage
    }
}

/// The fields of flow logs that have no header line, in their order, as whoever made the log chose them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOrder(Arc<str>);

impl FieldOrder {
    /// Reads names between spaces or commas, also as the console and command line of AWS write them (`${srcaddr}`). What is
    /// wrong is told in a sentence.
    pub fn new(text: &str) -> Result<Self, String> {
        let names = text.split([' ', ',', '\t', '\n']).filter(|name| !name.is_empty());
        let names: Vec<_> =
            names.map(|name| name.strip_prefix("${").and_then(|name| name.strip_suffix('}')).unwrap_or(name)).collect();
        if let Some(stranger) = names.iter().find(|name| !is_known(name.as_bytes())) {
            return Err(format!("`{stranger}` is no field of AWS flow logs"));
        }
        let layout = Layout::of_names(names.iter().map(|name| name.as_bytes()));
        match layout.obstacle() {
            Some(_) => Err("the fields must have `srcaddr`, `dstaddr` and `protocol` among them".to_owned()),
            None => Ok(Self(names.join(" ").into())),
        }
    }

    fn layout(&self) -> Layout {
        Layout::of_names(self.0.split(' ').map(str::as_bytes))
    }
}

/// What a line says.
enum Said {
    /// There was a flow.
    Flow(Flow),
    /// Nothing that can be judged, for a reason.
    Nothing(Skip),
}

/// A flow as one line reports it.
struct Flow {
    record: FlowRecord,
    /// Who opened it, where TCP flags tell.
    told: Option<BiflowDirection>,
    /// Which of the packet's addresses are not the interface's.
    translated: [bool; 2],
    /// When, where the line says so.
    time: Option<(Timestamp, Timestamp)>,
    status: Status,
}

impl Reading {
    /// Reads lines of this order, or of the default format, up to the first header line.
    pub(super) fn new(input: InputId, order: Option<&FieldOrder>) -> Self {
        let layout = order.map_or_else(Layout::default_format, FieldOrder::layout);
        Self { input, layout, fields: Fields::new(), translated: false }
    }

    /// What is to be said of all lines.
    pub(super) fn notes(&self, coverage: &mut InputCoverage) {
        if self.translated {
            coverage.remark(
                "`pkt-srcaddr` or `pkt-dstaddr` differ from the interface's address (NAT or transit gateway): such flows \
                 can be counted at more than one interface",
            );
        }
        if self.layout.service() == Service::TransitGateway {
            coverage.remark(AT_ATTACHMENTS);
        }
    }

    /// Reads a line, which can be a header line.
    pub(super) fn line(&mut self, position: u64, line: Line<'_>, intake: &mut Intake, batch: &mut Batch) {
        let line = match line {
            Line::Plain(line) => line,
            Line::Unchecked(line) => {
                let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
                if std::str::from_utf8(line).is_err() || line.contains(&0) {
                    return intake.skip(Skip::MalformedLine, position);
                }
                line
            }
            Line::TooLong => return intake.skip(Skip::LongLine, position),
        };
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        self.fields.split(line);
        if line.first().is_some_and(u8::is_ascii_lowercase) && is_header(line, &self.fields) {
            let layout = Layout::of_header(line, &self.fields);
            return self.header(position, layout, intake);
        }
        match self.record(position, line) {
            Some(Said::Flow(flow)) => self.keep(position, line, &flow, intake, batch),
            Some(Said::Nothing(reason)) => intake.skip(reason, position),
            None => intake.skip(Skip::MalformedLine, position),
        }
    }

    /// From here on fields stand so.
    pub(super) fn header(&mut self, position: u64, layout: Layout, intake: &mut Intake) {
        self.layout = layout;
        for unknown in self.layout.unknown() {
            intake.coverage.caveat(Caveat::UnknownField, position, 0);
            intake.coverage.note(format!("field `{unknown}`"));
        }
        if self.layout.service() == Service::TransitGateway {
            intake.coverage.remark(AT_ATTACHMENTS);
        }
        if let Some(obstacle) = self.layout.obstacle() {
            intake.coverage.note(obstacle);
        }
    }

    fn keep(&mut self, position: u64, line: &[u8], flow: &Flow, intake: &mut Intake, batch: &mut Batch) {
        let Flow { record, told, translated, time, status } = flow;
        self.translated |= translated.contains(&true);
        let opener = if told.is_some() { Opener::Told } else { Opener::Guessed };
        let time = if time.is_some() { Time::Told } else { Time::Unknown };
        let point = self.layout.get(Column::Interface, line, &self.fields).and_then(Point::named);
        intake.keep_at(point, record, opener, time, batch);
        for (column, mark) in [
            (Column::Direction, direction as fn(&[u8]) -> Option<Mark>),
            (Column::Path, path),
            (Column::Encryption, encryption),
        ] {
            // A value that is not known says nothing.
            if let Some(mark) = self.layout.get(column, line, &self.fields).and_then(mark) {
                intake.mark(mark, record.forward.octets);
            }
        }
        if *status == Status::SkipData {
            intake.skip(Skip::SkipData, position);
        }
    }

    /// What a line says under the layout; `None` where it is not a line of the format.
    fn record(&self, position: u64, line: &[u8]) -> Option<Said> {
        if !self.layout.fits(line, &self.fields) {
            return None;
        }
        let get = |column| self.layout.get(column, line, &self.fields);
        let count = |column| match get(column) {
            Some(text) => number(text).map(Some),
            None => Some(None),
        };
        let status = match get(Column::Status) {
            Some(b"OK") | None => Status::Ok,
            Some(b"NODATA") => Status::NoData,
            Some(b"SKIPDATA") => Status::SkipData,
            Some(_) => return None,
        };
        let (packets, octets) = (count(Column::Packets)?, count(Column::Bytes)?);
        let (start, end) = self.times(line)?;
        let (src, src_translated) = self.endpoint(line, Column::PktSrc, Column::Src)?;
        let (dst, dst_translated) = self.endpoint(line, Column::PktDst, Column::Dst)?;
        let silent = packets.unwrap_or(0) == 0 && octets.unwrap_or(0) == 0;
        match status {
            // The status alone is not to be trusted: refused flows are logged as NODATA beside their counters.
            Status::NoData if silent => return Some(Said::Nothing(Skip::NoData)),
            Status::SkipData if silent => return Some(Said::Nothing(Skip::SkipData)),
            _ => {}
        }
        let (Some(src), Some(dst)) = (src, dst) else {
            return Some(Said::Nothing(if status == Status::SkipData { Skip::SkipData } else { Skip::NoAddress }));
        };
        let protocol = Protocol(u8::try_from(number(get(Column::Protocol)?)?).ok()?);
        let port = |column| u16::try_from(count(column)?.unwrap_or(0)).ok();
        let tcp_flags = u8::try_from(count(Column::TcpFlags)?.unwrap_or(0)).ok()?;

        let provenance = Provenance::new(self.input, position);
        let time = start.or(end).zip(end.or(start));
        let mut record = FlowRecord::new(src, dst, protocol, Timestamp::default(), provenance);
        (record.start, record.end) = time.unwrap_or_default();
        (record.sport, record.dport) = (port(Column::SrcPort)?, port(Column::DstPort)?);
        record.forward.packets = packets.unwrap_or(0);
        record.forward.octets = octets.unwrap_or(0);
        record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
        record.flags.set(FlowFlags::ONE_DIRECTION);
        match get(Column::Action) {
            Some(b"ACCEPT") | None => {}
            Some(b"REJECT") => record.flags.set(FlowFlags::REJECTED),
            Some(_) => return None,
        }
        if packets.is_none() || octets.is_none() {
            record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        }
        let told = opened_by_flags(protocol, tcp_flags);
        record.direction = told.unwrap_or_else(|| by_ports(&record));
        if protocol == Protocol::TCP && tcp_flags & (FIN | RST) != 0 {
            record.end_reason = FlowEndReason::EndOfFlow;
        }
        Some(Said::Flow(Flow { record, told, translated: [src_translated, dst_translated], time, status }))
    }

    /// The start and the end of a line's window. Whole seconds; the end may be the start, and not before it.
    fn times(&self, line: &[u8]) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let time = |column| match self.layout.get(column, line, &self.fields) {
            Some(text) => number(text)
                .filter(|secs| *secs <= u64::MAX / Timestamp::SECOND)
                .map(|secs| Some(Timestamp::from_secs(secs))),
            None => Some(None),
        };
        let (start, end) = (time(Column::Start)?, time(Column::End)?);
        let backwards = start.zip(end).is_some_and(|(start, end)| start > end);
        (!backwards).then_some((start, end))
    }

    /// One end of a flow, and whether the packet's address is another than the interface's. `None` where it is no address.
    fn endpoint(&self, line: &[u8], packet: Column, interface: Column) -> Option<(Option<Addr>, bool)> {
        let interface = self.layout.get(interface, line, &self.fields);
        let packet = self.layout.get(packet, line, &self.fields);
        match (packet, interface) {
            (Some(packet), Some(interface)) if packet != interface => {
                let (packet, interface) = (address(packet)?, address(interface)?);
                Some((Some(packet), packet != interface))
            }
            (Some(text), _) | (None, Some(text)) => Some((Some(address(text)?), false)),
            (None, None) => Some((None, false)),
        }
    }
}

/// What is to be said of the log of a transit gateway.
const AT_ATTACHMENTS: &str =
    "a transit gateway reports a flow at each of its attachments: such flows are counted at each";

/// The field `flow-direction`.
fn direction(value: &[u8]) -> Option<Mark> {
    match value {
        b"ingress" => Some(Mark::Ingress),
        b"egress" => Some(Mark::Egress),
        _ => None,
    }
}

/// The field `traffic-path`, of what goes out.
fn path(value: &[u8]) -> Option<Mark> {
    Some(match value {
        b"1" => Mark::SameNetwork,
        b"2" | b"8" => Mark::InternetGateway,
        b"3" => Mark::PrivateGateway,
        b"4" => Mark::PeeringInRegion,
        b"5" => Mark::PeeringAcrossRegions,
        b"6" => Mark::LocalGateway,
        b"7" => Mark::GatewayEndpoint,
        _ => return None,
    })
}

/// The field `encryption-status`: by nobody, by the hardware, by TLS, by both.
fn encryption(value: &[u8]) -> Option<Mark> {
    match value {
        b"0" => Some(Mark::Unencrypted),
        b"1" | b"2" | b"3" => Some(Mark::Encrypted),
        _ => None,
    }
}

/// The field `log-status`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    NoData,
    SkipData,
}

/// Bits of `tcp-flags` (RFC 9293 section 3.1).
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn opened_by_flags(protocol: Protocol, flags: u8) -> Option<BiflowDirection> {
    match (protocol, flags & SYN != 0, flags & ACK != 0) {
        (Protocol::TCP, true, false) => Some(BiflowDirection::Initiator),
        (Protocol::TCP, true, true) => Some(BiflowDirection::ReverseInitiator),
        _ => None,
    }
}
