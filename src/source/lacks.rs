//! What each format cannot tell that a capture of the same traffic does.
//!
//! The report says it of every input. One scenario is exported in these formats by the tests, and what it leads to differs
//! from what its capture leads to by this and by nothing else (`tests/it/scenario.rs`; of nfdump, nProbe and Hubble, and of
//! sFlow, which samples, the tests are in files of their own).

use crate::model::Lack::{self, Headers, Ipv6, Names, Opener, Payload, RefusedInbound, RoundTrips, Volume};

/// AWS counts `bytes` at an interface of its virtual network, headers and all, has no type of ICMP, and `tcp-flags` only
/// where it was chosen
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>).
pub(super) const AWS: &[Lack] = &[Payload, Opener, Names, RoundTrips];

/// Azure names as source who opened the flow, and counts octets of frames
/// (<https://learn.microsoft.com/azure/network-watcher/vnet-flow-logs-overview>).
pub(super) const AZURE: &[Lack] = &[Payload, Names, RoundTrips];

/// Google counts payload (`bytes_sent`). Packets that leave a machine are sampled before its firewall, those that come after
/// it; round-trip times are those of TCP
/// (<https://cloud.google.com/vpc/docs/about-flow-logs-records>, <https://cloud.google.com/vpc/docs/flow-logs>).
pub(super) const GCP: &[Lack] = &[Headers, Opener, RefusedInbound, Names];

/// Oracle's fields are those of AWS without TCP flags
/// (<https://docs.oracle.com/en-us/iaas/Content/Logging/Reference/details_for_vcn_flow_logs.htm>).
pub(super) const OCI: &[Lack] = &[Payload, Opener, Names, RoundTrips];

/// `NetFlow` version 5: fixed records with addresses of four octets; some exporters put the type of ICMP into the destination
/// port, which nobody can rely on
/// (<https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html>).
pub(super) const NETFLOW5: &[Lack] = &[Payload, Opener, Ipv6, Names, RoundTrips];

/// `NetFlow` version 9 and IPFIX: templates can have the type of ICMP (IE 32) and who opened the flow (IE 239), and no
/// standard element counts payload or has a round-trip time. Names in elements of single makers are not read.
pub(super) const TEMPLATES: &[Lack] = &[Payload, Names, RoundTrips];

/// sFlow version 5: headers of single packets.
pub(super) const SFLOW: &[Lack] = &[Payload, Names, RoundTrips];

/// Zeek's `conn.log` has payload by sequence numbers and who opened the connection; names come from logs beside it
/// (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>).
pub(super) const ZEEK: &[Lack] = &[RoundTrips];

/// Suricata's `flow` events count octets of frames; names come from other events
/// (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>).
pub(super) const SURICATA: &[Lack] = &[Payload, RoundTrips];

/// nfdump writes what a flow exporter sent, as single flows.
pub(super) const NFDUMP: &[Lack] = &[Payload, Opener, Names, RoundTrips];

/// nProbe's templates can have names, TCP flags and the type of ICMP.
pub(super) const NPROBE: &[Lack] = &[Payload, RoundTrips];

/// Hubble's events are of contacts (<https://docs.cilium.io/en/stable/_api/v1/flow/README/>).
pub(super) const HUBBLE: &[Lack] = &[Payload, Volume, RoundTrips];
