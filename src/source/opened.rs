//! Who opened a conversation, where only ports tell.

use crate::model::{BiflowDirection, FlowRecord};

/// The first system port that is not one (RFC 6335 section 6).
const FIRST_USER_PORT: u16 = 1024;

/// Of two ports of which one is a system port, that one is the responder's; otherwise it is not known.
pub(super) fn by_ports(record: &FlowRecord) -> BiflowDirection {
    let served = |port| (1..FIRST_USER_PORT).contains(&port);
    match (served(record.sport), served(record.dport)) {
        (false, true) if record.protocol.has_ports() => BiflowDirection::Initiator,
        (true, false) if record.protocol.has_ports() => BiflowDirection::ReverseInitiator,
        _ => BiflowDirection::Arbitrary,
    }
}
