//! Flows of Cilium's Hubble in JSON, as `hubble observe -o json` and its exporter write them: an object a line, `{"flow":
//! {...}}` (<https://docs.cilium.io/en/stable/_api/v1/flow/README/>).
//!
//! A flow is what was seen of a connection at one point, in one direction, and nothing is counted: it is taken for movement
//! of unknown volume. `is_reply` tells who opened. `destination_names` are names for which the node's proxy had seen an
//! answer. `DROPPED` is an attempt; a flow that policy only audits (`AUDIT`) or that goes to a proxy (`REDIRECTED`) went on.

use super::Book;
use super::flat::{Dialect, FlatLog, Heard};
use super::names::give_name;
use super::opened;
use super::row::{Field, Row};
use super::value::Value;
use crate::model::{Batch, BiflowDirection, Drops, FlowFlags, InputId, NameSource, Protocol, Provenance, Skip};
use crate::source::Source;
use crate::source::compression::Unwrapped;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::wire::name::of_text;

/// The name of the format in reports.
pub const KIND: &str = "hubble-json";

/// Whether an input that begins with `head` is of Hubble's.
pub fn looks_like(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    (first.has("flow.verdict") && (first.has("flow.IP.source") || first.has("flow.time")))
        || first.has("lost_events.num_events_lost")
        || first.has("node_status.state_change")
}

/// Opens JSON.
pub fn open(id: InputId, name: &str, input: Unwrapped) -> impl Source + use<> {
    FlatLog::new(id, name, input, &DIALECT)
}

static DIALECT: Dialect = Dialect { kind: KIND, lacks: lacks::HUBBLE, take, keep };

fn take<'a>(row: &mut Row<'a>, path: &str, value: Value<'a>) -> Heard {
    let transports = [
        ("TCP.", Protocol::TCP),
        ("UDP.", Protocol::UDP),
        ("SCTP.", Protocol::SCTP),
        ("ICMPv4.", Protocol::ICMP),
        ("ICMPv6.", Protocol::ICMPV6),
    ];
    if let Some(rest) = path.strip_prefix("flow.l4.")
        && let Some((name, protocol)) = transports.iter().find(|(name, _)| rest.starts_with(name))
    {
        row.set(Field::ProtocolNumber, Value::Unsigned(protocol.0.into()));
        match rest.strip_prefix(name) {
            Some("source_port") => row.set(Field::SrcPort, value),
            Some("destination_port") => row.set(Field::DstPort, value),
            _ => {}
        }
        return Heard::Known;
    }
    let field = match path {
        "flow.time" => Field::Start,
        "flow.verdict" => Field::State,
        "flow.IP.source" => Field::Src,
        "flow.IP.destination" => Field::Dst,
        "flow.is_reply" => Field::History,
        "flow.destination_names[]" => Field::Answers,
        "lost_events.num_events_lost" => Field::Missed,
        "node_status.state_change" => Field::Kind,
        _ if path.starts_with("flow.") || path.starts_with("lost_events.") || path.starts_with("node_status.") => {
            return Heard::Known;
        }
        "node_name" | "time" | "cluster_name" => return Heard::Known,
        _ => return Heard::Unknown,
    };
    row.set(field, value);
    Heard::Known
}

fn keep(row: &Row<'_>, position: u64, book: &mut Book, batch: &mut Batch) -> Result<(), Skip> {
    if let Some(lost) = row.read(Field::Missed, Value::count)? {
        let drops: &mut Drops = book.coverage.drops.get_or_insert_default();
        drops.kernel = drops.kernel.saturating_add(lost);
        return Ok(());
    }
    if row.get(Field::Kind).is_some() {
        return Ok(());
    }
    // What neither has a transport that Hubble reads is told by its addresses alone.
    let provenance = Provenance::new(book.input, position);
    let mut draft = if row.get(Field::ProtocolNumber).is_some() {
        row.draft(provenance)?
    } else {
        book.coverage.remark("flows without a transport that Hubble reads are told as protocol 255 (reserved)");
        row.draft_as(Protocol(255), provenance)?
    };
    let record = &mut draft.record;
    record.flags.set(FlowFlags::ONE_DIRECTION);
    record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
    match row.text(Field::State) {
        Some("DROPPED") => record.flags.set(FlowFlags::REJECTED),
        Some("FORWARDED" | "REDIRECTED" | "AUDIT" | "TRACED" | "TRANSLATED" | "ERROR" | "VERDICT_UNKNOWN") | None => {}
        Some(_) => book.coverage.remark("verdicts that are not known were taken for traffic that went on"),
    }
    match row.get(Field::History) {
        Some(Value::Bool(true)) => record.direction = BiflowDirection::ReverseInitiator,
        Some(Value::Bool(false)) => record.direction = BiflowDirection::Initiator,
        _ => {
            record.direction = opened(record, None).0;
            book.guessed(record);
        }
    }
    let asked = record.direction != BiflowDirection::ReverseInitiator;
    let mut names: Vec<Box<str>> = row.answers.iter().filter_map(|name| of_text(name.text()?)).collect();
    names.sort();
    if let Some(name) = names.first().filter(|_| asked) {
        give_name(record, name, NameSource::Dns, batch);
    }
    book.keep(&draft, batch);
    Ok(())
}
