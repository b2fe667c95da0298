//! Media that requests name by URL, and from where they may be fetched.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::Glob;

/// Media that requests name by URL, where the provider takes only bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Fetches them.
    pub fetch: bool,
    /// Most bytes of all media of one request together.
    pub max_bytes: u64,
    /// Fetching one of them, redirects included.
    pub timeout: Duration,
    /// Redirects that are followed.
    pub max_redirects: u32,
    /// Who is exempt from the check of addresses and ports.
    pub allow: Vec<Exempt>,
}

/// Who is exempt from the check of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exempt {
    /// Hosts by name, in small letters.
    Host(Glob),
    /// A network, or a single address.
    Network(Network),
}

/// An IP network: an address and the number of its leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

// === impl Media ===

impl Default for Media {
    fn default() -> Self {
        Self { fetch: true, max_bytes: 20 << 20, timeout: Duration::from_secs(10), max_redirects: 3, allow: Vec::new() }
    }
}

// === impl Exempt ===

impl fmt::Display for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(glob) => glob.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

// === impl Network ===

impl Network {
    /// Makes a network; `None` if the prefix is longer than an address. Bits beyond the prefix do not count.
    pub const fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits { None } else { Some(Self { address, prefix }) }
    }

    /// Returns the network with no bits beyond its prefix.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let address = match self.address {
            IpAddr::V4(own) => {
                let kept = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4((own.to_bits() & kept).into())
            }
            IpAddr::V6(own) => {
                let kept = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6((own.to_bits() & kept).into())
            }
        };
        Self { address, ..self }
    }

    /// Tells whether an address is of the network. IPv4 in IPv6 (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && Self { address, prefix: self.prefix }.trimmed().address == self.trimmed().address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
