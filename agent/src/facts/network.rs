//! Addresses and interfaces.

use super::FactError;
use cfg_catalog::facts::Interface;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

/// Only its route is asked for (RFC 5737): nothing is ever sent there.
const ANYWHERE: &str = "192.0.2.1:9";

/// The source address that the kernel would use towards the server. Connecting a UDP socket sends nothing.
pub fn source_towards(server: SocketAddr) -> Result<IpAddr, FactError> {
    route_to(server).map_err(|source| FactError::NoRoute { to: server, source })
}

fn route_to(to: SocketAddr) -> io::Result<IpAddr> {
    let from: SocketAddr = if to.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

/// The address on the default route; without one that of the first interface, without any 127.0.0.1.
pub fn any_address() -> Result<IpAddr, FactError> {
    let anywhere = ANYWHERE.parse().expect("a literal address");
    if let Ok(address) = route_to(anywhere) {
        return Ok(address);
    }
    let first = addresses()?
        .into_values()
        .flatten()
        .find(|address| !address.is_loopback());
    Ok(first.unwrap_or(Ipv4Addr::LOCALHOST.into()))
}

/// Interfaces with hardware behind them, and the one that bears the machine's address whatever it is (a bond, a
/// container's end). Those that come and go with containers and tunnels are not facts of the machine.
pub fn interfaces(address: IpAddr) -> Result<BTreeMap<String, Interface>, FactError> {
    let net = Path::new("/sys/class/net");
    let kept = addresses()?
        .into_iter()
        .filter(|(name, addresses)| {
            name != "lo" && (addresses.contains(&address) || !is_virtual(&net.join(name)))
        })
        .map(|(name, addresses)| {
            let mac = std::fs::read_to_string(net.join(&name).join("address"));
            let interface = Interface {
                mac: mac.unwrap_or_default().trim().into(),
                addresses: addresses.iter().map(IpAddr::to_string).collect(),
            };
            (name, interface)
        })
        .collect();
    Ok(kept)
}

/// Every interface with its addresses, IPv4 before IPv6.
fn addresses() -> Result<BTreeMap<String, BTreeSet<IpAddr>>, FactError> {
    let list = nix::ifaddrs::getifaddrs().map_err(|errno| FactError::System {
        what: "the list of interfaces",
        source: errno.into(),
    })?;
    let mut found: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for entry in list {
        let addresses = found.entry(entry.interface_name).or_default();
        let Some(storage) = entry.address else {
            continue;
        };
        if let Some(v4) = storage.as_sockaddr_in() {
            addresses.insert(v4.ip().into());
        } else if let Some(v6) = storage.as_sockaddr_in6() {
            addresses.insert(v6.ip().into());
        }
    }
    Ok(found)
}

/// The kernel links an interface without hardware below /sys/devices/virtual.
fn is_virtual(interface: &Path) -> bool {
    std::fs::read_link(interface).is_ok_and(|target| {
        target
            .components()
            .any(|part| part.as_os_str() == "virtual")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_decides() {
        let there = "127.0.0.1:1".parse().unwrap();
        assert_eq!(
            source_towards(there).unwrap(),
            IpAddr::from(Ipv4Addr::LOCALHOST)
        );
        let nowhere = "240.0.0.1:1".parse().unwrap();
        if let Err(error) = source_towards(nowhere) {
            assert!(error.to_string().contains("240.0.0.1"), "{error}");
        }
    }

    #[test]
    fn what_is_virtual() {
        let folder = tempfile::tempdir().unwrap();
        for (name, target, expected) in [
            (
                "eth0",
                "../../devices/pci0000:00/0000:00:03.0/virtio0/net/eth0",
                false,
            ),
            ("docker0", "../../devices/virtual/net/docker0", true),
        ] {
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
            assert_eq!(is_virtual(&folder.path().join(name)), expected);
        }
    }

    #[test]
    fn the_interface_of_the_address_is_always_among_them() {
        let address = any_address().unwrap();
        let all = addresses().unwrap();
        assert!(all["lo"].contains(&IpAddr::from(Ipv4Addr::LOCALHOST)));
        if !address.is_loopback() {
            let kept = interfaces(address).unwrap();
            assert!(
                kept.values()
                    .any(|i| i.addresses.contains(&address.to_string()))
            );
        }
    }
}
