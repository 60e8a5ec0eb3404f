//! Addresses of both families in one form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 or IPv6 address in sixteen octets; IPv4 is kept in its mapped form (RFC 4291 section 2.5.5.2), so that
/// `::ffff:192.0.2.1` and `192.0.2.1` are one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr([u8; 16]);

impl Addr {
    const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

    /// From the four octets of an IPv4 header.
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// From the sixteen octets of an IPv6 header.
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The sixteen octets.
    pub const fn octets(&self) -> [u8; 16] {
        self.0
    }

    /// Whether it is an IPv4 address.
    pub fn is_v4(&self) -> bool {
        self.0.starts_with(&Self::MAPPED)
    }

    /// The IPv4 address as a number.
    pub fn as_v4(&self) -> Option<u32> {
        let [.., a, b, c, d] = self.0;
        self.is_v4().then(|| u32::from_be_bytes([a, b, c, d]))
    }

    /// The address as a number of 128 bits.
    pub const fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// What kind of address it is (RFC 6890 and the registries that it names).
    pub fn scope(&self) -> Scope {
        match self.to_ip() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                if ip.is_multicast() || ip.is_broadcast() || ip.is_loopback() || ip.is_link_local() || a == 0 {
                    Scope::LocalOnly
                } else if ip.is_private() || (a == 100 && b & 0xc0 == 64) {
                    Scope::Private
                } else {
                    Scope::Global
                }
            }
            IpAddr::V6(ip) => {
                if ip.is_multicast() || ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() {
                    Scope::LocalOnly
                } else if ip.is_unique_local() {
                    Scope::Private
                } else {
                    Scope::Global
                }
            }
        }
    }

    /// The standard library's form.
    pub fn to_ip(self) -> IpAddr {
        match self.as_v4() {
            Some(number) => IpAddr::V4(Ipv4Addr::from(number)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Addr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_ip().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Addr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IpAddr::deserialize(deserializer).map(Self::from)
    }
}

/// What kind of address an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Multicast, broadcast, loopback, link-local, unspecified: no single machine elsewhere.
    LocalOnly,
    /// Private networks (RFC 1918, RFC 4193) and the shared space behind a provider's address translation (RFC 6598).
    Private,
    /// Everything else.
    Global,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_ipv4() {
        let ip: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Addr::from(ip).to_string(), "192.0.2.1");
        assert!(Addr::v4([0, 0, 0, 0]) < Addr::v4([0, 0, 0, 1]));
    }
}
