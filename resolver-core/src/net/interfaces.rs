//! The interfaces to query, and which addresses are on their links.

use std::net::IpAddr;

use crate::address::{Families, Family, is_link_local};
use crate::config::Config;
use crate::error::LookupError;
use crate::net::links::{Link, LocalAddress, Tables};
use crate::net::{links_ioctl, links_netlink};
use crate::try_alloc;

/// The maximum number of interfaces that one lookup queries. Each may need a descriptor, and three packets in the first
/// round.
const MAX_INTERFACES: usize = 32;

/// Why an interface is not queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It is administratively down.
    Down,
    /// It has no carrier.
    NotRunning,
    /// It cannot multicast, like the loopback interface.
    NoMulticast,
    /// It is a point-to-point link, and the settings do not name it.
    PointToPoint,
    /// It is a port of a bridge, bond or the like, whose master is queried instead.
    Port,
    /// It has no address.
    NoAddress,
    /// The setting `deny-interfaces` matches it.
    Denied,
    /// The setting `allow-interfaces` does not match it.
    NotAllowed,
    /// The maximum number of interfaces is reached: those with lower indexes are queried.
    TooMany,
}

/// An interface to query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// The families in which it has an address.
    pub families: Families,
}

/// The interfaces to query, sorted by index, and this machine's own addresses.
#[derive(Debug)]
pub struct Interfaces {
    usable: Vec<Interface>,
    addresses: Vec<LocalAddress>,
}

impl Interfaces {
    /// Reads the kernel's tables and selects the interfaces to query.
    ///
    /// # Errors
    /// [`LookupError::NoInterface`] if there is none; the system calls' error if the tables could not be read.
    pub(crate) fn read(config: &Config) -> Result<Self, LookupError> {
        let interfaces = Self::select(read_tables()?, config);
        if interfaces.usable.is_empty() { Err(LookupError::NoInterface) } else { Ok(interfaces) }
    }

    /// Selects the interfaces to query. The links must be sorted by index.
    pub(crate) fn select(mut tables: Tables, config: &Config) -> Self {
        let mut usable = Vec::new();
        for (_, result) in classify_all(&tables, config) {
            if let Ok(interface) = result {
                try_alloc::push(&mut usable, interface);
            }
        }
        // A prefix of length 0 contains every address, so it does not show what is on the link.
        tables.addresses.retain(|own| own.prefix_length > 0);
        Self { usable, addresses: tables.addresses }
    }

    /// No interfaces: for a lookup that can only ask a daemon.
    pub(crate) fn none() -> Self {
        Self { usable: Vec::new(), addresses: Vec::new() }
    }

    /// One interface only.
    pub fn only(interface: Interface) -> Self {
        Self { usable: Vec::from([interface]), addresses: Vec::new() }
    }

    /// The interfaces to query.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.usable.iter()
    }

    /// The addresses of the interfaces to query.
    pub(crate) fn local_addresses(&self) -> impl Iterator<Item = &LocalAddress> {
        self.addresses.iter().filter(|own| self.usable.iter().any(|interface| interface.index == own.interface))
    }

    /// True if `ip` is an address of this machine, on any interface. (An address with a prefix of length 0 is not
    /// included.)
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.ip == ip)
    }

    /// True if `ip` is an address of the interface with this index.
    pub(crate) fn is_local_on(&self, ip: IpAddr, interface: u32) -> bool {
        self.addresses.iter().any(|own| own.interface == interface && own.ip == ip)
    }

    /// True if `ip` is on the link of the interface with this index: link-local, or within a prefix of the interface.
    pub(crate) fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        is_link_local(ip) || self.is_within_prefix(ip, interface)
    }

    /// True if `ip` is within a prefix of the interface with this index.
    pub(crate) fn is_within_prefix(&self, ip: IpAddr, interface: u32) -> bool {
        self.addresses.iter().any(|own| own.interface == interface && own.prefix_contains(ip))
    }

    /// The interfaces to query on whose links `ip` can be.
    pub(crate) fn on_link(&self, ip: IpAddr) -> impl Iterator<Item = &Interface> {
        self.usable.iter().filter(move |interface| {
            interface.families.contains(Family::of(ip)) && self.is_on_link(ip, interface.index)
        })
    }
}

/// The kernel's tables, the links sorted by index: read by netlink or, where that is denied, by ioctl.
///
/// # Errors
/// The error of the system calls, if nothing could be read.
#[inline(never)]
pub fn read_tables() -> Result<Tables, LookupError> {
    let mut tables = Tables::default();
    if links_netlink::read(&mut tables).is_err() {
        tables = Tables::default();
        links_ioctl::read(&mut tables).map_err(|error| LookupError::from_io(&error))?;
    }
    tables.links.sort_unstable_by_key(|link| link.index);
    Ok(tables)
}

/// For each link, the interface to query, or why it is not queried.
pub fn classify_all<'a>(
    tables: &'a Tables,
    config: &'a Config,
) -> impl Iterator<Item = (&'a Link, Result<Interface, SkipReason>)> {
    let mut count = 0;
    tables.links.iter().map(move |link| {
        let result = classify(link, &tables.addresses, config);
        count += usize::from(result.is_ok());
        (link, if count > MAX_INTERFACES { result.and(Err(SkipReason::TooMany)) } else { result })
    })
}

/// An interface is queried if it is up, has a carrier, can multicast, has an address, is not a port of another
/// interface, and the settings do not exclude it. A point-to-point link is queried only if `allow-interfaces` contains
/// its exact name.
///
/// # Errors
/// The reason why it is not queried.
fn classify(link: &Link, addresses: &[LocalAddress], config: &Config) -> Result<Interface, SkipReason> {
    let name = link.name.octets();
    let is = |flag| link.flags & flag != 0;
    if config.deny_interfaces.matches(name) {
        return Err(SkipReason::Denied);
    }
    if !config.allow_interfaces.matches(name) {
        return Err(SkipReason::NotAllowed);
    }
    if !is(libc::IFF_UP) {
        return Err(SkipReason::Down);
    }
    if !is(libc::IFF_MULTICAST) {
        return Err(SkipReason::NoMulticast);
    }
    if is(libc::IFF_POINTOPOINT) && !config.allow_interfaces.names(name) {
        return Err(SkipReason::PointToPoint);
    }
    if link.is_port {
        return Err(SkipReason::Port);
    }
    if !is(libc::IFF_RUNNING) {
        return Err(SkipReason::NotRunning);
    }
    let families: Families =
        addresses.iter().filter(|own| own.interface == link.index).map(|own| Family::of(own.ip)).collect();
    if families.is_empty() { Err(SkipReason::NoAddress) } else { Ok(Interface { index: link.index, families }) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config;
    use crate::net::links::LinkName;

    const ETHERNET: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST | libc::IFF_BROADCAST;

    /// The interfaces to query on a machine with these addresses. Each item is an interface index and
    /// `address/prefix length`.
    pub(crate) fn with(interfaces: &[(u32, &str)]) -> Interfaces {
        let mut links = interfaces.iter().map(|&(index, _)| link(index, ETHERNET)).collect::<Vec<_>>();
        links.dedup();
        let addresses = interfaces.iter().map(|&(index, text)| own(index, text)).collect();
        Interfaces::select(Tables { links, addresses }, &Config::default())
    }

    fn link(index: u32, flags: i32) -> Link {
        Link { index, name: LinkName::new(format!("eth{index}").as_bytes()), flags, is_port: false }
    }

    fn own(interface: u32, text: &str) -> LocalAddress {
        let (ip, prefix_length) = text.split_once('/').unwrap();
        LocalAddress { interface, ip: ip.parse().unwrap(), prefix_length: prefix_length.parse().unwrap() }
    }

    fn selected(links: &[Link], addresses: &[LocalAddress]) -> Vec<Interface> {
        let tables = Tables { links: links.to_vec(), addresses: addresses.to_vec() };
        Interfaces::select(tables, &Config::default()).usable
    }

    #[test]
    fn only_links_that_can_multicast_are_queried() {
        let addresses = [own(2, "10.0.0.1/24")];
        let queried = [Interface { index: 2, families: Families::only(Family::V4) }];
        assert_eq!(selected(&[link(2, ETHERNET)], &addresses), queried);
        for missing in [libc::IFF_UP, libc::IFF_RUNNING, libc::IFF_MULTICAST] {
            assert_eq!(selected(&[link(2, ETHERNET & !missing)], &addresses), []);
        }
        assert_eq!(selected(&[link(2, ETHERNET | libc::IFF_POINTOPOINT)], &addresses), []);
        assert_eq!(selected(&[Link { is_port: true, ..link(2, ETHERNET) }], &addresses), []);
        assert_eq!(selected(&[link(3, ETHERNET)], &addresses), []);
    }

    #[test]
    fn the_settings_exclude_interfaces() {
        let tunnel = ETHERNET | libc::IFF_POINTOPOINT;
        let port = Link { is_port: true, ..link(2, ETHERNET) };
        for (settings, link_tried, expected) in [
            ("", link(2, ETHERNET), None),
            ("allow-interfaces = eth0 eth2", link(2, ETHERNET), None),
            ("allow-interfaces = wlan*", link(2, ETHERNET), Some(SkipReason::NotAllowed)),
            ("allow-interfaces = none", link(2, ETHERNET), Some(SkipReason::NotAllowed)),
            ("deny-interfaces = eth*", link(2, ETHERNET), Some(SkipReason::Denied)),
            ("allow-interfaces = eth2\ndeny-interfaces = eth?", link(2, ETHERNET), Some(SkipReason::Denied)),
            ("deny-interfaces = eth3", link(2, ETHERNET), None),
            ("", link(2, tunnel), Some(SkipReason::PointToPoint)),
            ("allow-interfaces = eth*", link(2, tunnel), Some(SkipReason::PointToPoint)),
            ("allow-interfaces = * eth2", link(2, tunnel), None),
            ("allow-interfaces = eth2", link(2, ETHERNET & !libc::IFF_UP), Some(SkipReason::Down)),
            ("allow-interfaces = eth2", port, Some(SkipReason::Port)),
            ("", link(2, ETHERNET & !libc::IFF_RUNNING), Some(SkipReason::NotRunning)),
            ("", link(2, ETHERNET & !libc::IFF_MULTICAST), Some(SkipReason::NoMulticast)),
            ("", link(3, ETHERNET), Some(SkipReason::NoAddress)),
        ] {
            let config = config::parse(settings.as_bytes(), &mut |problem| panic!("{problem}"));
            assert_eq!(
                classify(&link_tried, &[own(2, "10.0.0.1/24")], &config).err(),
                expected,
                "{settings} {link_tried:?}"
            );
        }
    }

    #[test]
    fn the_number_of_interfaces_is_limited() {
        let links: Vec<_> = (2..100).map(|index| link(index, ETHERNET)).collect();
        let addresses: Vec<_> = (2..100).map(|index| own(index, "10.0.0.1/24")).collect();
        assert_eq!(selected(&links, &addresses).len(), MAX_INTERFACES);
        let (config, tables) = (Config::default(), Tables { links, addresses });
        let last = classify_all(&tables, &config).last();
        assert_eq!(last.map(|(_, result)| result), Some(Err(SkipReason::TooMany)));
    }

    #[test]
    fn link_local_addresses_and_those_within_a_prefix_are_on_the_link() {
        let interfaces = with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64"), (3, "192.168.1.1/16"), (3, "5.5.5.5/0")]);
        for (ip, interface, expected) in [
            ("10.0.0.200", 2, true),
            ("10.0.1.1", 2, false),
            ("10.0.0.200", 3, false),
            ("192.168.200.1", 3, true),
            ("fd00::ffff", 2, true),
            ("fd00:0:0:1::1", 2, false),
            ("fe80::9", 2, true),
            ("169.254.7.7", 3, true),
            ("8.8.8.8", 3, false), // only a prefix of length 0 contains it
        ] {
            assert_eq!(interfaces.is_on_link(ip.parse().unwrap(), interface), expected, "{ip} on {interface}");
        }
        assert!(interfaces.is_local("10.0.0.1".parse().unwrap()));
        assert!(!interfaces.is_local("10.0.0.2".parse().unwrap()));
        let indices = |ip: &str| interfaces.on_link(ip.parse().unwrap()).map(|i| i.index).collect::<Vec<_>>();
        assert_eq!(indices("10.0.0.9"), [2]);
        assert_eq!(indices("169.254.0.9"), [2, 3]);
        assert_eq!(indices("fe80::9"), [2]);
        assert_eq!(indices("8.8.8.8"), []);
    }
}
