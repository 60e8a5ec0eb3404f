//! A flow record as a row: every column once, with how it is taken from a record and put into one.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::{MAX_INPUT_NAME, MAX_NAME};
use crate::model::{
    Addr, BiflowDirection, FlowEndReason, FlowFlags, FlowRecord, InputId, Name, NameSource, Protocol, Provenance,
    RoundTrip, SamplingInterval, Timestamp, Tunnel,
};
use crate::source::table::Value;

/// A flow record on its own, with everything that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record; its name is in no batch.
    pub record: FlowRecord,
    /// The name by which the destination was asked for.
    pub name: Option<Name>,
    /// The name of the input.
    pub input: Arc<str>,
}

/// The table, in the language of Parquet schemas.
pub(super) const SCHEMA: &str = "message flows {
    required int64 start (TIMESTAMP(NANOS,true));
    required int64 end (TIMESTAMP(NANOS,true));
    required binary src (STRING);
    required int32 sport (INTEGER(16,false));
    required binary dst (STRING);
    required int32 dport (INTEGER(16,false));
    required int32 protocol (INTEGER(8,false));
    required int32 biflow_direction (INTEGER(8,false));
    required int32 flow_end_reason (INTEGER(8,false));
    required int64 octets (INTEGER(64,false));
    required int64 packets (INTEGER(64,false));
    required int64 payload (INTEGER(64,false));
    required int64 roctets (INTEGER(64,false));
    required int64 rpackets (INTEGER(64,false));
    required int64 rpayload (INTEGER(64,false));
    required int32 sampling_interval (INTEGER(32,false));
    optional int32 rtt_us (INTEGER(32,false));
    optional int32 rtt_samples (INTEGER(8,false));
    optional int32 rrtt_us (INTEGER(32,false));
    optional int32 rrtt_samples (INTEGER(8,false));
    required int32 flags (INTEGER(8,false));
    optional binary tunnel (STRING);
    optional binary name (STRING);
    optional binary name_from (STRING);
    required binary input (STRING);
    required int32 input_number (INTEGER(32,false));
    required int64 position (INTEGER(64,false));
}";

/// What stands in a cell.
pub(super) enum Cell<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

/// How a column is taken from a row, and put into one; `None` where it cannot be the column's.
type Column = (fn(&Row) -> Cell<'_>, fn(&mut Row, Value) -> Option<()>);

/// The columns, in the order of [`SCHEMA`]. A column may build on those before it.
pub(super) const COLUMNS: [Column; 27] = [
    (|row| wide(row.record.start.0), |row, value| set(&mut row.record.start.0, unsigned(&value))),
    (|row| wide(row.record.end.0), |row, value| set(&mut row.record.end.0, unsigned(&value))),
    (|row| address(row.record.src), |row, value| set(&mut row.record.src, parsed(&value))),
    (|row| number(row.record.sport), |row, value| set(&mut row.record.sport, small(&value))),
    (|row| address(row.record.dst), |row, value| set(&mut row.record.dst, parsed(&value))),
    (|row| number(row.record.dport), |row, value| set(&mut row.record.dport, small(&value))),
    (|row| number(row.record.protocol.0), |row, value| set(&mut row.record.protocol, small(&value).map(Protocol))),
    (
        |row| number(row.record.direction as u8),
        |row, value| {
            let all = [
                BiflowDirection::Arbitrary,
                BiflowDirection::Initiator,
                BiflowDirection::ReverseInitiator,
                BiflowDirection::Perimeter,
            ];
            let number: u8 = small(&value)?;
            set(&mut row.record.direction, all.into_iter().find(|one| *one as u8 == number))
        },
    ),
    (
        |row| number(row.record.end_reason as u8),
        |row, value| {
            let all = [
                FlowEndReason::IdleTimeout,
                FlowEndReason::ActiveTimeout,
                FlowEndReason::EndOfFlow,
                FlowEndReason::ForcedEnd,
                FlowEndReason::LackOfResources,
            ];
            let number: u8 = small(&value)?;
            set(&mut row.record.end_reason, all.into_iter().find(|one| *one as u8 == number))
        },
    ),
    (|row| wide(row.record.forward.octets), |row, value| set(&mut row.record.forward.octets, unsigned(&value))),
    (|row| wide(row.record.forward.packets), |row, value| set(&mut row.record.forward.packets, unsigned(&value))),
    (|row| wide(row.record.forward.payload), |row, value| set(&mut row.record.forward.payload, unsigned(&value))),
    (|row| wide(row.record.reverse.octets), |row, value| set(&mut row.record.reverse.octets, unsigned(&value))),
    (|row| wide(row.record.reverse.packets), |row, value| set(&mut row.record.reverse.packets, unsigned(&value))),
    (|row| wide(row.record.reverse.payload), |row, value| set(&mut row.record.reverse.payload, unsigned(&value))),
    (
        |row| number(row.record.sampling_interval.get()),
        |row, value| set(&mut row.record.sampling_interval, small(&value).and_then(SamplingInterval::new)),
    ),
    (|row| least(row.record.src_rtt), |row, value| set(&mut row.record.src_rtt, measured(&value))),
    (
        |row| samples(row.record.src_rtt),
        |row, value| {
            let least = row.record.src_rtt.least_us()?;
            set(&mut row.record.src_rtt, RoundTrip::new(least, small(&value)?))
        },
    ),
    (|row| least(row.record.dst_rtt), |row, value| set(&mut row.record.dst_rtt, measured(&value))),
    (
        |row| samples(row.record.dst_rtt),
        |row, value| {
            let least = row.record.dst_rtt.least_us()?;
            set(&mut row.record.dst_rtt, RoundTrip::new(least, small(&value)?))
        },
    ),
    (|row| number(row.record.flags.0), |row, value| set(&mut row.record.flags, small(&value).map(FlowFlags))),
    (
        |row| optional(row.record.tunnel.name().map(Cow::Borrowed)),
        |row, value| set(&mut row.record.tunnel, Tunnel::from_name(text(&value)?)),
    ),
    (
        |row| optional(row.name.as_ref().map(|name| Cow::Borrowed(&*name.text))),
        |row, value| {
            let text = text(&value).filter(|text| text.len() <= MAX_NAME)?;
            row.name = Some(Name { text: text.into(), from: NameSource::Sni });
            Some(())
        },
    ),
    (
        |row| optional(row.name.as_ref().map(|name| Cow::Owned(code(name.from)))),
        |row, value| {
            let text = text(&value)?;
            let text: serde::de::value::StrDeserializer<'_, Error> = text.into_deserializer();
            set(&mut row.name.as_mut()?.from, NameSource::deserialize(text).ok())
        },
    ),
    (
        |row| Cell::Text(Cow::Borrowed(&row.input)),
        |row, value| {
            let text = text(&value).filter(|text| text.len() <= MAX_INPUT_NAME)?;
            // Rows of one input follow one another.
            if *row.input != *text {
                row.input = text.into();
            }
            Some(())
        },
    ),
    (
        |row| number(row.record.provenance.input().0),
        |row, value| {
            let number = small(&value).filter(|number| *number < Provenance::MAX_INPUTS)?;
            row.record.provenance = Provenance::new(InputId(number), 0);
            Some(())
        },
    ),
    (
        |row| wide(row.record.provenance.position()),
        |row, value| {
            let position = unsigned(&value)?;
            let provenance = Provenance::new(row.record.provenance.input(), position);
            row.record.provenance = provenance;
            (provenance.position() == position).then_some(())
        },
    ),
];

impl Row {
    /// A row to be filled, with the input's name of the row before.
    pub(super) fn empty(input: Arc<str>) -> Self {
        let nowhere = Addr::v6([0; 16]);
        let provenance = Provenance::new(InputId(0), 0);
        let record = FlowRecord::new(nowhere, nowhere, Protocol(0), Timestamp(0), provenance);
        Self { record, name: None, input }
    }

    /// By start, input and position, then by all else: rows that are equal here are the same.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |row: &Self| {
            let FlowRecord {
                src,
                dst,
                start,
                end,
                forward,
                reverse,
                provenance,
                src_rtt,
                dst_rtt,
                sampling_interval,
                name: _,
                sport,
                dport,
                protocol,
                direction,
                end_reason,
                tunnel,
                flags,
            } = row.record;
            let ends = (src, sport, dst, dport, protocol);
            let counted = (forward, reverse, sampling_interval, src_rtt, dst_rtt);
            (start, provenance, end, ends, counted, (direction, end_reason, tunnel, flags))
        };
        key(self).cmp(&key(other)).then_with(|| self.named().cmp(&other.named()))
    }

    fn named(&self) -> Option<(&str, NameSource)> {
        self.name.as_ref().map(|name| (&*name.text, name.from))
    }
}

/// How a name was seen, as the output of the program has it.
fn code(from: NameSource) -> String {
    serde_json::to_value(from).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn wide(number: u64) -> Cell<'static> {
    Cell::Number(number.cast_signed())
}

fn number(number: impl Into<i64>) -> Cell<'static> {
    Cell::Number(number.into())
}

fn address(addr: Addr) -> Cell<'static> {
    Cell::Text(Cow::Owned(addr.to_string()))
}

fn optional(text: Option<Cow<'_, str>>) -> Cell<'_> {
    text.map_or(Cell::Null, Cell::Text)
}

fn least(rtt: RoundTrip) -> Cell<'static> {
    rtt.least_us().map_or(Cell::Null, number)
}

fn samples(rtt: RoundTrip) -> Cell<'static> {
    rtt.least_us().map_or(Cell::Null, |_| number(rtt.samples()))
}

fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Some(number.cast_unsigned()),
        Value::Text(_) => None,
    }
}

fn small<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    match value {
        Value::Number(number) => T::try_from(*number).ok(),
        Value::Text(_) => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Number(_) => None,
        Value::Text(text) => text.as_utf8().ok(),
    }
}

fn parsed(value: &Value) -> Option<Addr> {
    text(value)?.parse::<std::net::IpAddr>().ok().map(Addr::from)
}

/// A time of one sample, until the column after it says of how many.
fn measured(value: &Value) -> Option<RoundTrip> {
    RoundTrip::new(small(value).filter(|least| *least <= RoundTrip::MAX_US)?, 1)
}
