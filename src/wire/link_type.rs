//! Link types and their names.

use std::fmt;

/// A link type by its number in the registry of the pcap format (LINKTYPE_ values).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

macro_rules! link_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl LinkType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }
    };
}

link_types! {
    /// BSD loopback: the address family in the byte order of the host that captured.
    NULL = 0;
    /// IEEE 802.3 Ethernet.
    ETHERNET = 1;
    /// IEEE 802.5 token ring.
    IEEE802_5 = 6;
    /// ARCNET as BSD captures it.
    ARCNET_BSD = 7;
    /// PPP, with or without address and control.
    PPP = 9;
    /// FDDI.
    FDDI = 10;
    /// Raw IP, by its number in files of some systems (`DLT_RAW`).
    RAW_BSD = 12;
    /// Raw IP, by its number in files of OpenBSD.
    RAW_OPENBSD = 14;
    /// PPP in HDLC-like framing, or Cisco HDLC.
    PPP_HDLC = 50;
    /// A PPP over Ethernet session.
    PPP_ETHER = 51;
    /// ATM with the headers of RFC 2684.
    ATM_RFC1483 = 100;
    /// Raw IP.
    RAW = 101;
    /// Cisco HDLC.
    C_HDLC = 104;
    /// IEEE 802.11.
    IEEE802_11 = 105;
    /// Frame relay.
    FRAME_RELAY = 107;
    /// OpenBSD loopback: the address family in network byte order.
    LOOP = 108;
    /// OpenBSD's view of IPsec after decryption.
    ENC = 109;
    /// Linux cooked capture.
    LINUX_SLL = 113;
    /// OpenBSD's packet filter log.
    PFLOG = 117;
    /// IEEE 802.11 after a header of Prism cards.
    PRISM = 119;
    /// IP over Fibre Channel (RFC 2625).
    IP_OVER_FC = 122;
    /// ATM as Solaris captures it.
    SUNATM = 123;
    /// IEEE 802.11 after radiotap.
    RADIOTAP = 127;
    /// ARCNET as Linux captures it.
    ARCNET_LINUX = 129;
    /// IP over IEEE 1394 as Darwin captures it.
    IP_OVER_1394 = 138;
    /// Darwin's capture of several interfaces, by its number in files of its own.
    PKTAP_DARWIN = 149;
    /// IEEE 802.11 after the header of AVS.
    AVS = 163;
    /// PPP of pppd, with the direction.
    PPP_PPPD = 166;
    /// Per-packet information, then another link type.
    PPI = 192;
    /// PPP, with the direction.
    PPP_WITH_DIR = 204;
    /// Solaris between zones.
    IPNET = 226;
    /// Raw IPv4.
    IPV4 = 228;
    /// Raw IPv6.
    IPV6 = 229;
    /// Linux netfilter log.
    NFLOG = 239;
    /// Ethernet of Hilscher's analysers.
    NETANALYZER = 240;
    /// Ethernet of Hilscher's analysers, with preamble.
    NETANALYZER_TRANSPARENT = 241;
    /// IP over InfiniBand (RFC 4391).
    IPOIB = 242;
    /// Darwin's capture of several interfaces.
    PKTAP = 258;
    /// Linux cooked capture, version 2.
    LINUX_SLL2 = 276;
}

/// Names in the registry of tcpdump.org without their first word, sorted by number.
const NAMES: [(u32, &str); 118] = [
    (0, "NULL"),
    (1, "ETHERNET"),
    (3, "AX25"),
    (6, "IEEE802_5"),
    (7, "ARCNET_BSD"),
    (8, "SLIP"),
    (9, "PPP"),
    (10, "FDDI"),
    (12, "RAW"),
    (14, "RAW"),
    (50, "PPP_HDLC"),
    (51, "PPP_ETHER"),
    (99, "SYMANTEC_FIREWALL"),
    (100, "ATM_RFC1483"),
    (101, "RAW"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (107, "FRELAY"),
    (108, "LOOP"),
    (109, "ENC"),
    (113, "LINUX_SLL"),
    (114, "LTALK"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (123, "SUNATM"),
    (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"),
    (130, "JUNIPER_MLPPP"),
    (131, "JUNIPER_MLFR"),
    (132, "JUNIPER_ES"),
    (133, "JUNIPER_GGSN"),
    (134, "JUNIPER_MFR"),
    (135, "JUNIPER_ATM2"),
    (136, "JUNIPER_SERVICES"),
    (137, "JUNIPER_ATM1"),
    (138, "APPLE_IP_OVER_IEEE1394"),
    (139, "MTP2_WITH_PHDR"),
    (140, "MTP2"),
    (141, "MTP3"),
    (142, "SCCP"),
    (143, "DOCSIS"),
    (144, "LINUX_IRDA"),
    (147, "USER0"),
    (148, "USER1"),
    (149, "USER2"),
    (150, "USER3"),
    (151, "USER4"),
    (152, "USER5"),
    (153, "USER6"),
    (154, "USER7"),
    (155, "USER8"),
    (156, "USER9"),
    (157, "USER10"),
    (158, "USER11"),
    (159, "USER12"),
    (160, "USER13"),
    (161, "USER14"),
    (162, "USER15"),
    (163, "IEEE802_11_AVS"),
    (164, "JUNIPER_MONITOR"),
    (165, "BACNET_MS_TP"),
    (166, "PPP_PPPD"),
    (167, "JUNIPER_PPPOE"),
    (168, "JUNIPER_PPPOE_ATM"),
    (169, "GPRS_LLC"),
    (177, "LINUX_LAPD"),
    (178, "JUNIPER_ETHER"),
    (179, "JUNIPER_PPP"),
    (180, "JUNIPER_FRELAY"),
    (181, "JUNIPER_CHDLC"),
    (187, "BLUETOOTH_HCI_H4"),
    (189, "USB_LINUX"),
    (190, "CAN20B"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    (204, "PPP_WITH_DIR"),
    (206, "FRELAY_WITH_DIR"),
    (209, "I2C_LINUX"),
    (210, "FLEXRAY"),
    (212, "LIN"),
    (215, "IEEE802_15_4_NONASK_PHY"),
    (220, "USB_LINUX_MMAPPED"),
    (224, "FC_2"),
    (226, "IPNET"),
    (227, "CAN_SOCKETCAN"),
    (228, "IPV4"),
    (229, "IPV6"),
    (230, "IEEE802_15_4_NOFCS"),
    (231, "DBUS"),
    (239, "NFLOG"),
    (240, "NETANALYZER"),
    (241, "NETANALYZER_TRANSPARENT"),
    (242, "IPOIB"),
    (243, "MPEG_2_TS"),
    (245, "NFC_LLCP"),
    (247, "INFINIBAND"),
    (248, "SCTP"),
    (249, "USBPCAP"),
    (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"),
    (253, "NETLINK"),
    (254, "BLUETOOTH_LINUX_MONITOR"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"),
    (258, "PKTAP"),
    (259, "EPON"),
    (265, "NORDIC_BLE"),
    (266, "USB_DARWIN"),
    (271, "VSOCK"),
    (273, "DOCSIS31_XRA31"),
    (274, "ETHERNET_MPACKET"),
    (276, "LINUX_SLL2"),
    (278, "OPENVIZSLA"),
    (279, "EBHSCR"),
    (283, "IEEE802_15_4_TAP"),
    (290, "Z_WAVE_SERIAL"),
];

impl LinkType {
    /// The name in the registry, where the number is known here.
    pub fn name(self) -> Option<&'static str> {
        let at = NAMES.binary_search_by_key(&self.0, |(number, _)| *number).ok()?;
        NAMES.get(at).map(|(_, name)| *name)
    }

    /// Whether nothing on such a link is IP: field buses, and messages of a kernel.
    pub(super) fn carries_no_ip(self) -> bool {
        // BACnet, CAN twice, I2C, FlexRay, LIN, D-Bus, netlink.
        matches!(self.0, 165 | 190 | 227 | 209 | 210 | 212 | 231 | 253)
    }
}

impl fmt::Display for LinkType {
    /// `link type 231 (DBUS)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "link type {} ({name})", self.0),
            None => write!(f, "link type {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(NAMES.is_sorted_by(|(first, _), (second, _)| first < second));
        assert_eq!(LinkType(231).to_string(), "link type 231 (DBUS)");
        assert_eq!(LinkType(9999).to_string(), "link type 9999");
    }
}
