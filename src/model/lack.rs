//! What a format cannot tell.

use serde::{Deserialize, Serialize};

use super::coverage::reasons;

reasons! {
    /// What a capture tells of traffic and a format does not, so that it makes a difference to what can be found.
    Lack {
        /// It counts octets below the transport layer.
        Payload = "payload", "how many octets were payload: movement is what exceeds the headers";
        /// It counts payload and nothing else.
        Headers = "headers", "the octets of headers: volumes are of payload alone";
        /// It says of contacts, not of volumes.
        Volume = "volume", "how much moved: every flow that is not an attempt is taken for movement";
        /// It does not say who sent the first packet.
        Opener = "opener", "who sent the first packet: TCP flags tell where they are logged, else ports, and of ICMP nothing does";
        /// It has no room for the addresses.
        Ipv6 = "ipv6", "flows over IPv6";
        /// It sees no packet that a firewall drops before it.
        RefusedInbound = "refused-inbound", "flows that a firewall refused on their way in";
        /// It holds no payload that could have a name.
        Names = "names", "the names that far ends were asked for by";
        /// It does not say how long answers took.
        RoundTrips = "round-trips", "round-trip times: nothing is refuted by them";
    }
}
