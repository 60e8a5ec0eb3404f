//! Flows of nProbe and ntopng in JSON.
//!
//! nProbe writes the fields of its template by name, or by the number of the information element where labels are off
//! (<https://www.ntop.org/guides/nprobe/flow_information_elements.html>); ntopng exports the same names, and its interface
//! gives flows as `cli.ip`, `cli2srv.bytes` and so on. What `IN_` counts is from source to destination, `OUT_` the reverse.

use super::Book;
use super::flat::{Dialect, FlatLog, Heard};
use super::names::give_name;
use super::nfdump::finish;
use super::row::{Field, Row, tcp_flags};
use super::value::Value;
use super::{Told, opened};
use crate::model::{Batch, BiflowDirection, InputId, NameSource, Protocol, Provenance, Skip};
use crate::source::Source;
use crate::source::compression::Unwrapped;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::wire::name::{of_host, of_text};

/// The name of the format in reports.
pub const KIND: &str = "nprobe-json";

/// Whether an input that begins with `head` is of nProbe's or ntopng's.
pub fn looks_like(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    let has = |names: &[&str]| names.iter().all(|name| first.has(name));
    (has(&["IPV4_SRC_ADDR", "IPV4_DST_ADDR"]) || has(&["IPV6_SRC_ADDR", "IPV6_DST_ADDR"]) || has(&["cli.ip", "srv.ip"]))
        || ((has(&["8", "12"]) || has(&["27", "28"])) && has(&["4"]))
}

/// Opens JSON.
pub fn open(id: InputId, name: &str, input: Unwrapped) -> impl Source + use<> {
    FlatLog::new(id, name, input, &DIALECT)
}

static DIALECT: Dialect = Dialect { kind: KIND, lacks: lacks::NPROBE, take, keep };

fn take<'a>(row: &mut Row<'a>, path: &str, value: Value<'a>) -> Heard {
    // Both families are there at times, and the other is all zeros.
    let is_nothing = matches!(value.text(), Some("" | "0.0.0.0" | "::"));
    if path == "cli2srv.bytes" || path.starts_with("NTOPNG_") {
        row.set(Field::Kind, Value::Bool(true));
    }
    let field = match path {
        "IPV4_SRC_ADDR" | "IPV6_SRC_ADDR" | "8" | "27" | "IPV4_DST_ADDR" | "IPV6_DST_ADDR" | "12" | "28"
            if is_nothing =>
        {
            return Heard::Known;
        }
        "IPV4_SRC_ADDR" | "IPV6_SRC_ADDR" | "8" | "27" | "cli.ip" => Field::Src,
        "IPV4_DST_ADDR" | "IPV6_DST_ADDR" | "12" | "28" | "srv.ip" => Field::Dst,
        "L4_SRC_PORT" | "7" | "cli.port" => Field::SrcPort,
        "L4_DST_PORT" | "11" | "srv.port" => Field::DstPort,
        "PROTOCOL" | "4" => Field::ProtocolNumber,
        "proto.l4" | "PROTOCOL_MAP" => Field::Protocol,
        "IN_PKTS" | "2" | "cli2srv.packets" => Field::Packets,
        "IN_BYTES" | "1" | "cli2srv.bytes" => Field::Octets,
        "OUT_PKTS" | "24" | "srv2cli.packets" => Field::ReversePackets,
        "OUT_BYTES" | "23" | "srv2cli.bytes" => Field::ReverseOctets,
        "CLIENT_TCP_FLAGS" | "cli2srv.tcp_flags" => Field::TcpFlags,
        "SERVER_TCP_FLAGS" | "srv2cli.tcp_flags" => Field::ReverseTcpFlags,
        // Milliseconds are also there at times: the first counts, and seconds are enough.
        "FIRST_SWITCHED" | "FLOW_START_SEC" | "seen.first" | "150" => Field::Start,
        "LAST_SWITCHED" | "FLOW_END_SEC" | "seen.last" | "151" => Field::End,
        "TLS_SERVER_NAME" | "SSL_SERVER_NAME" | "protos.tls.client_requested_server_name" => Field::ServerName,
        "QUIC_SERVER_NAME" | "QUIC_SNI" => Field::QuicServerName,
        "HTTP_HOST" | "HTTP_SITE" | "protos.http.server_name" => Field::Host,
        "FORWARDING_STATUS" | "89" => Field::Forwarding,
        _ if is_known(path) => return Heard::Known,
        _ => return Heard::Unknown,
    };
    if is_nothing && matches!(field, Field::ServerName | Field::QuicServerName | Field::Host) {
        return Heard::Known;
    }
    row.set(field, value);
    Heard::Known
}

/// Fields that are known and not needed: templates are chosen by the user from some hundreds, by families of names.
fn is_known(path: &str) -> bool {
    const NAMES: [&str; 22] = [
        "TCP_FLAGS",
        "6",
        "SRC_TOS",
        "5",
        "DST_TOS",
        "INPUT_SNMP",
        "10",
        "OUTPUT_SNMP",
        "14",
        "SRC_AS",
        "16",
        "DST_AS",
        "17",
        "SRC_VLAN",
        "DST_VLAN",
        "L7_PROTO",
        "L7_PROTO_NAME",
        "L7_PROTO_RISK",
        "EXPORTER_IPV4_ADDRESS",
        "TOTAL_FLOWS_EXP",
        "DIRECTION",
        "COMMUNITY_ID",
    ];
    const FAMILIES: [&str; 40] = [
        "FLOW_",
        "DNS_",
        "TLS_",
        "SSL_",
        "HTTP_",
        "QUIC_",
        "JA3",
        "JA4",
        "SRC_",
        "DST_",
        "CLIENT_",
        "SERVER_",
        "APPL_",
        "RETRANSMITTED_",
        "OOORDER_",
        "NTOPNG_",
        "PROBE_",
        "MIN_",
        "MAX_",
        "NUM_PKTS_",
        "IPV4_NEXT_HOP",
        "IPV6_NEXT_HOP",
        "IPV4_SRC_MASK",
        "IPV4_DST_MASK",
        "ICMP_",
        "IN_SRC_MAC",
        "OUT_DST_MAC",
        "OUT_SRC_MAC",
        "IN_DST_MAC",
        "TCP_",
        "UDP_",
        "DURATION_",
        "LONGEST_",
        "SHORTEST_",
        "SEQ_",
        "ENTROPY_",
        "cli",
        "srv",
        "proto",
        "flow.",
    ];
    NAMES.contains(&path) || FAMILIES.iter().any(|family| path.starts_with(family))
}

fn keep(row: &Row<'_>, position: u64, book: &mut Book, batch: &mut Batch) -> Result<(), Skip> {
    let mut draft = row.draft(Provenance::new(book.input, position))?;
    if row.get(Field::Kind).is_some() {
        book.coverage.remark("octets of ntopng hold link-layer headers where it captured the packets itself");
    }
    let flags = row.read(Field::TcpFlags, tcp_flags)?;
    let reverse_flags = row.read(Field::ReverseTcpFlags, tcp_flags)?;
    finish(&mut draft, flags, row.read(Field::Forwarding, Value::count)?);
    let named = [
        (Field::ServerName, NameSource::Sni, of_text as fn(&str) -> Option<Box<str>>),
        (Field::QuicServerName, NameSource::Quic, of_text),
        (Field::Host, NameSource::Host, of_host),
    ];
    let name = named.into_iter().find_map(|(field, from, clean)| Some((clean(row.text(field)?)?, from)));
    // A hello, and a handshake of which either side shows its half, tell who opened; so does ntopng's client.
    let (direction, told) = opened(&draft.record, flags);
    let shook_hands = flags.zip(reverse_flags).is_some_and(|(flags, reverse)| flags & 2 != 0 && reverse & 0x12 == 0x12);
    // Of what answers without a handshake the source sent the first packet.
    let answered = draft.record.protocol != Protocol::TCP && draft.record.reverse.packets > 0;
    if name.is_some() || shook_hands || answered {
        draft.record.direction = BiflowDirection::Initiator;
    } else {
        draft.record.direction = direction;
        if told == Told::No {
            book.guessed(&draft.record);
        }
    }
    if let Some((text, from)) = name {
        give_name(&mut draft.record, &text, from, batch);
    }
    book.keep(&draft, batch);
    Ok(())
}
