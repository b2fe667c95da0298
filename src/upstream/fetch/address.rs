//! Which addresses the gateway may be sent to by a URL in a request.
//!
//! Whoever may ask the gateway for a model must not thereby reach what only the gateway can reach: itself, its network,
//! the credentials that clouds hand to their machines. So an address has to be a public one, or be named in `allow`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lockgate_config::{Exempt, Network};
use lockgate_layers::fetch::FetchError;

/// Ports that anybody may name: those of the web, and their usual stand-ins.
pub(super) const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// IPv4 that is not for the public (IANA IPv4 Special-Purpose Address Registry), and clouds' own.
const REFUSED_V4: [([u8; 4], u8); 17] = [
    ([0, 0, 0, 0], 8),        // This host.
    ([10, 0, 0, 0], 8),       // Private.
    ([100, 64, 0, 0], 10),    // Carrier-grade NAT; 100.100.100.200 has Alibaba's credentials.
    ([127, 0, 0, 0], 8),      // Loopback.
    ([168, 63, 129, 16], 32), // Azure's host agent, on a public address.
    ([169, 254, 0, 0], 16),   // Link-local; 169.254.169.254 has most clouds' credentials.
    ([172, 16, 0, 0], 12),    // Private.
    ([192, 0, 0, 0], 24),     // Protocol assignments; 192.0.0.192 has Oracle's credentials.
    ([192, 0, 2, 0], 24),     // Documentation.
    ([192, 31, 196, 0], 24),  // AS112.
    ([192, 52, 193, 0], 24),  // Automatic multicast tunnelling.
    ([192, 88, 99, 0], 24),   // 6to4 relays, deprecated.
    ([192, 168, 0, 0], 16),   // Private.
    ([198, 18, 0, 0], 15),    // Benchmarking.
    ([198, 51, 100, 0], 24),  // Documentation.
    ([203, 0, 113, 0], 24),   // Documentation.
    ([224, 0, 0, 0], 3),      // Multicast, reserved, broadcast.
];

/// Of the public IPv6 space, what is not for the public (IANA IPv6 Special-Purpose Address Registry). What carries an
/// IPv4 address that a relay would go to (Teredo, 6to4) is here too.
const REFUSED_V6: [([u16; 3], u8); 4] = [
    ([0x2001, 0, 0], 23),      // Protocol assignments: Teredo, benchmarking, ORCHID.
    ([0x2001, 0x0db8, 0], 32), // Documentation.
    ([0x2002, 0, 0], 16),      // 6to4.
    ([0x3fff, 0, 0], 20),      // Documentation.
];

/// Says where URLs may lead.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    exempt: Vec<Exempt>,
}

impl Guard {
    pub(super) fn new(exempt: &[Exempt]) -> Self {
        Self { exempt: exempt.to_vec() }
    }

    /// Checks all the addresses that `host` (in small letters) has. One that is wrong spoils the others: an honest name
    /// does not lead outside and inside at once.
    pub(super) fn check_all(&self, host: &str, addresses: &[SocketAddr]) -> Result<(), FetchError> {
        addresses.iter().try_for_each(|address| self.check(host, address.ip(), address.port()))
    }

    fn check(&self, host: &str, address: IpAddr, port: u16) -> Result<(), FetchError> {
        let exempt = self.exempt.iter().any(|exempt| match exempt {
            Exempt::Host(glob) => glob.matches(host),
            Exempt::Network(network) => network.contains(address),
            _ => false,
        });
        if exempt {
            return Ok(());
        }
        if !is_public(address) {
            return Err(FetchError::NotAllowed("its address is not a public one"));
        }
        if !PORTS.contains(&port) {
            return Err(FetchError::NotAllowed("its port is none of 80, 443, 8080 and 8443"));
        }
        Ok(())
    }
}

/// Whether an address is one that everybody could reach.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|(network, prefix)| holds(IpAddr::from(*network), *prefix, address.into()))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // All that is given to the public is in 2000::/3 (RFC 4291, section 2.4): no need to list what is not.
    let is_unicast = address.octets()[0] >> 5 == 1;
    is_unicast
        && !REFUSED_V6.iter().any(|([first, second, third], prefix)| {
            let network = Ipv6Addr::new(*first, *second, *third, 0, 0, 0, 0, 0);
            holds(network.into(), *prefix, address.into())
        })
}

fn holds(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    Network::new(network, prefix).is_some_and(|network| network.contains(address))
}

/// The IPv4 address to which packets for an IPv6 address go: mapped (`::ffff:0:0/96`), or by NAT64 (`64:ff9b::/96`,
/// RFC 6052), which is how the whole of IPv4 looks from a network that has only IPv6.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lockgate_config::Glob;
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
    }

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "168.63.129.17",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(ip(public)), "{public} is public");
        }
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(refused)), "{refused} is not public");
        }
    }

    #[test]
    fn exemptions_lift_the_checks_of_address_and_port_alone_for_whom_they_name() {
        let net = Network::new(ip("10.1.0.0"), 16).expect("a network");
        let guard = Guard::new(&[Exempt::Host(Glob::new("*.corp.example")), Exempt::Network(net)]);
        assert_eq!(guard.check("media.corp.example", ip("127.0.0.1"), 9000), Ok(()));
        assert_eq!(guard.check("anything", ip("10.1.2.3"), 9000), Ok(()));
        assert_eq!(guard.check("anything", ip("::ffff:10.1.2.3"), 9000), Ok(()));
        assert!(guard.check("corp.example", ip("127.0.0.1"), 80).is_err());
        assert!(guard.check("media.corp.example.org", ip("127.0.0.1"), 80).is_err());
        assert!(guard.check("anything", ip("10.2.0.1"), 80).is_err());
        assert!(guard.check("example.com", ip("8.8.8.8"), 22).is_err());
        for port in PORTS {
            assert_eq!(guard.check("example.com", ip("8.8.8.8"), port), Ok(()));
        }
    }

    #[test]
    fn one_private_address_of_a_name_is_enough_to_refuse_it() {
        let guard = Guard::new(&[]);
        let at = |text: &str| SocketAddr::new(ip(text), 443);
        assert_eq!(guard.check_all("example.com", &[at("8.8.8.8"), at("2606:4700::1111")]), Ok(()));
        assert!(guard.check_all("example.com", &[at("8.8.8.8"), at("10.0.0.1")]).is_err());
        assert!(guard.check_all("example.com", &[at("8.8.8.8"), at("::1"), at("1.1.1.1")]).is_err());
    }

    proptest! {
        /// The standard library's own words for what is not public, where it has them.
        #[test]
        fn nothing_that_the_standard_library_calls_private_is_public(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let private = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_unspecified()
                || address.is_documentation();
            prop_assert!(!(private && is_public(address.into())));
        }

        #[test]
        fn an_address_is_as_public_in_every_disguise(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let public = is_public(plain.into());
            prop_assert_eq!(is_public(plain.to_ipv6_mapped().into()), public);
            let nat64 = Ipv6Addr::from_bits((0x0064_ff9b_u128 << 96) | u128::from(bits));
            prop_assert_eq!(is_public(nat64.into()), public);
            // Compatible, translated, 6to4: nobody needs them, whatever is in them.
            let bits = u128::from(bits);
            for odd in [bits, (0xffff << 48) | bits, (0x2002 << 112) | (bits << 80)] {
                prop_assert!(!is_public(Ipv6Addr::from_bits(odd).into()));
            }
        }

        #[test]
        fn no_private_ipv6_is_public(first in 0xfc00_u128..=0xffff, bits: u128) {
            let address = Ipv6Addr::from_bits((first << 112) | (bits >> 16));
            prop_assert!(!is_public(address.into()), "unique local, link-local, multicast: {}", address);
        }
    }
}
