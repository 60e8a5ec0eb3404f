//! What the fields of Zeek's logs mean (zeek/zeek `scripts/base/protocols/*/main.zeek`; what sensors add to them).

use crate::source::log::row::{Field, Known};

/// A log of Zeek's by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Flows.
    Conn,
    /// Names of TLS handshakes.
    Ssl,
    /// Names of QUIC handshakes.
    Quic,
    /// Hosts of requests.
    Http,
    /// What clients asked and were told.
    Dns,
    /// Neither flows nor names of flows.
    Other,
}

impl Path {
    /// The path as Zeek writes it. `None` where it is none at all.
    pub(super) fn of(text: &str) -> Option<Self> {
        let is_path = (1..=64).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet));
        is_path.then_some(match text {
            "conn" => Self::Conn,
            "ssl" => Self::Ssl,
            "quic" => Self::Quic,
            "http" => Self::Http,
            "dns" => Self::Dns,
            _ => Self::Other,
        })
    }
}

/// Which log has such fields, where it does not say its path: JSON alone seldom does.
pub(super) fn path_of(has: &dyn Fn(&str) -> bool) -> Option<Path> {
    if !has("id.orig_h") || !has("ts") {
        return None;
    }
    let paths: [(&[&str], Path); 8] = [
        (&["conn_state"], Path::Conn),
        (&["orig_ip_bytes"], Path::Conn),
        (&["query"], Path::Dns),
        (&["qtype"], Path::Dns),
        (&["client_initial_dcid"], Path::Quic),
        (&["trans_depth", "method"], Path::Http),
        (&["cipher"], Path::Ssl),
        (&["ssl_history"], Path::Ssl),
    ];
    paths.iter().find(|(fields, _)| fields.iter().all(|field| has(field))).map(|(_, path)| *path)
}

/// What a field means. Only those of flows are named where they are not known: the others are read for names alone.
pub(super) fn known(path: Option<Path>, name: &str) -> Known {
    let field = match name {
        "ts" => Field::Start,
        "uid" => Field::Uid,
        "id.orig_h" => Field::Src,
        "id.orig_p" => Field::SrcPort,
        "id.resp_h" => Field::Dst,
        "id.resp_p" => Field::DstPort,
        "_path" => Field::Kind,
        _ => match path {
            Some(Path::Conn) | None => match name {
                "proto" => Field::Protocol,
                "ip_proto" => Field::ProtocolNumber,
                "service" => Field::Service,
                "duration" => Field::Duration,
                "orig_bytes" => Field::Payload,
                "resp_bytes" => Field::ReversePayload,
                "conn_state" => Field::State,
                "missed_bytes" => Field::Missed,
                "history" => Field::History,
                "orig_pkts" => Field::Packets,
                "orig_ip_bytes" => Field::Octets,
                "resp_pkts" => Field::ReversePackets,
                "resp_ip_bytes" => Field::ReverseOctets,
                "tunnel_parents" | "tunnel_parents[]" => Field::Tunnel,
                _ if IGNORED.contains(&name) => return Known::Ignored,
                _ => return Known::Unknown,
            },
            Some(Path::Ssl) if name == "server_name" => Field::ServerName,
            Some(Path::Quic) if name == "server_name" => Field::QuicServerName,
            Some(Path::Http) if name == "host" => Field::Host,
            Some(Path::Dns) => match name {
                "proto" => Field::Protocol,
                "query" => Field::Query,
                "answers" | "answers[]" => Field::Answers,
                "TTLs" | "TTLs[]" => Field::Ttls,
                _ => return Known::Ignored,
            },
            Some(_) => return Known::Ignored,
        },
    };
    Known::Field(field)
}

/// Fields of `conn.log` that are known and not needed: whose networks are ours the policy says and not the sensor.
const IGNORED: &[&str] = &[
    "local_orig",
    "local_resp",
    "community_id",
    "vlan",
    "inner_vlan",
    "orig_l2_addr",
    "resp_l2_addr",
    "orig_cc",
    "resp_cc",
    "failed_service",
    "failed_service[]",
    "speculative_service",
    "orig_mac_oui",
    "pcr",
    "label",
    "detailedlabel",
    "_system_name",
    "_write_ts",
    "_node_name",
    "corelight_shunted",
    "suri_ids",
    "suri_ids[]",
    "spcap.url",
    "spcap.rule",
    "spcap.trigger",
    "app",
    "app[]",
    "node",
];
