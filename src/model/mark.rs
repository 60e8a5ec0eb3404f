//! What logs say of flows besides who spoke with whom, and how much.

use serde::{Deserialize, Serialize};

use super::coverage::reasons;

reasons! {
    /// Something that a log says of some of its records, which no decision rests on and a reader may ask for.
    Mark {
        /// At the interface that logged it.
        Ingress = "ingress", "came in at the interface that logged them";
        /// At the interface that logged it.
        Egress = "egress", "went out at the interface that logged them";
        /// AWS: by the hardware or by TLS. Azure: by the virtual network.
        Encrypted = "encrypted", "encrypted on the way, as the log says";
        /// The same.
        Unencrypted = "unencrypted", "not encrypted on the way, as the log says";
        /// Which way a packet took that left.
        SameNetwork = "same-network", "left for the same virtual network";
        /// The same.
        InternetGateway = "internet-gateway", "left by an internet gateway or a gateway endpoint";
        /// The same.
        PrivateGateway = "private-gateway", "left by a virtual private gateway";
        /// The same.
        PeeringInRegion = "peering-in-region", "left by a peering within the region";
        /// The same.
        PeeringAcrossRegions = "peering-across-regions", "left by a peering to another region";
        /// The same.
        LocalGateway = "local-gateway", "left by a local gateway";
        /// The same.
        GatewayEndpoint = "gateway-endpoint", "left by a gateway endpoint";
        /// No other interface that this input tells of has reported it.
        BetweenPrivate = "between-private", "between two private addresses: what another input logs at the other end is counted there too";
    }
}
