//! Public addresses, by IANA's registries of special-purpose addresses.
//!
//! An address that is not known to be public is not public. An IPv6 address that carries an IPv4 address counts as that
//! one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere on the internet.
    Public,
    /// Into this machine, or a network of its operator or provider.
    Private,
    /// To no host of either: link-local (where clouds keep their secrets), multicast, documentation, reserved.
    Special,
}

/// IPv4 networks that are not public. https://www.iana.org/assignments/iana-ipv4-special-registry
#[rustfmt::skip]
const V4: &[(Ipv4Addr, u32, Reach)] = &[
    (Ipv4Addr::new(0, 0, 0, 0),       8,  Reach::Special), // this network
    (Ipv4Addr::new(10, 0, 0, 0),      8,  Reach::Private),
    (Ipv4Addr::new(100, 64, 0, 0),    10, Reach::Private), // behind a provider's NAT
    (Ipv4Addr::new(127, 0, 0, 0),     8,  Reach::Private), // loopback
    (Ipv4Addr::new(169, 254, 0, 0),   16, Reach::Special), // link-local
    (Ipv4Addr::new(172, 16, 0, 0),    12, Reach::Private),
    (Ipv4Addr::new(192, 0, 0, 0),     24, Reach::Special), // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0),     24, Reach::Special), // documentation
    (Ipv4Addr::new(192, 88, 99, 0),   24, Reach::Special), // 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0),   16, Reach::Private),
    (Ipv4Addr::new(198, 18, 0, 0),    15, Reach::Special), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0),  24, Reach::Special), // documentation
    (Ipv4Addr::new(203, 0, 113, 0),   24, Reach::Special), // documentation
    (Ipv4Addr::new(224, 0, 0, 0),     4,  Reach::Special), // multicast
    (Ipv4Addr::new(240, 0, 0, 0),     4,  Reach::Special), // reserved, and broadcast
];

/// IPv6 networks, the first that fits counts. https://www.iana.org/assignments/iana-ipv6-special-registry
#[rustfmt::skip]
const V6: &[(Ipv6Addr, u32, Reach)] = &[
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 1),          128, Reach::Private), // loopback
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),     7,   Reach::Private), // unique local
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),     23,  Reach::Special), // protocol assignments, Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32,  Reach::Special), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),     16,  Reach::Special), // 6to4, deprecated
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),     20,  Reach::Special), // documentation
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0),     3,   Reach::Public),  // global unicast
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0),          0,   Reach::Special), // all else
];

/// Where an address leads.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(address) => v4(address),
            None => {
                let bits = address.to_bits();
                let found = V6.iter().find(|(net, length, _)| same_start(bits, net.to_bits(), *length, 128));
                found.map_or(Reach::Special, |(_, _, reach)| *reach)
            }
        },
    }
}

fn v4(address: Ipv4Addr) -> Reach {
    let bits = address.to_bits().into();
    let found = V4.iter().find(|(net, length, _)| same_start(bits, net.to_bits().into(), *length, 32));
    found.map_or(Reach::Public, |(_, _, reach)| *reach)
}

/// The IPv4 address that a mapped one (`::ffff:0:0/96`) or one of NAT64 (`64:ff9b::/96`) [RFC 6052] carries.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

/// Whether two addresses of so many bits have the first ones in common.
fn same_start(one: u128, other: u128, length: u32, of: u32) -> bool {
    let rest = of.saturating_sub(length);
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_public_is_not() {
        #[rustfmt::skip]
        let table = [
            (Reach::Public,  "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 \
                              192.0.1.0 198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 \
                              ::ffff:8.8.8.8 64:ff9b::8.8.8.8"),
            (Reach::Private, "10.0.0.0 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 172.16.0.1 \
                              172.31.255.255 192.168.0.1 ::1 fc00::1 fdff::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 \
                              64:ff9b::192.168.1.1 64:ff9b::7f00:1"),
            (Reach::Special, "0.0.0.0 0.1.2.3 169.254.169.254 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 \
                              198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::2 \
                              ::127.0.0.1 ::ffff:0.0.0.0 ::ffff:169.254.169.254 64:ff9b::169.254.169.254 \
                              64:ff9b:1::10.0.0.1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 4000::1 fe80::1 \
                              fec0::1 ff02::1 5f00::1"),
        ];
        for (expected, addresses) in table {
            for address in addresses.split_whitespace() {
                assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}
