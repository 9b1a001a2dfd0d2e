//! The interfaces that multicast DNS is asked on, and what is on their links.

use std::net::IpAddr;

use crate::answer::{Family, is_link_local};
use crate::config::Config;
use crate::error::LookupError;
use crate::sys::InterfaceName;
use crate::{netlink, without_netlink};

/// The most interfaces that one lookup asks on. Each may cost a descriptor and three packets.
const MOST_INTERFACES: usize = 32;

/// A link, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The interface's index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: LinkName,
    /// The `IFF_…` flags of `netdevice(7)`.
    pub(crate) flags: libc::c_int,
    /// It is a member of a bridge, a bond or the like, whose master is asked on instead.
    pub(crate) is_port: bool,
}

/// The name of an interface, padded with NULs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkName([u8; libc::IFNAMSIZ]);

impl LinkName {
    /// The name that `octets` begin with, up to a NUL.
    pub(crate) fn new(octets: &[u8]) -> Self {
        let mut name = Self::default();
        // The last octet stays NUL.
        for (place, &octet) in
            name.0.iter_mut().take(libc::IFNAMSIZ - 1).zip(octets.iter().take_while(|&&octet| octet != 0))
        {
            *place = octet;
        }
        name
    }

    /// Its octets.
    pub(crate) fn octets(&self) -> &[u8] {
        self.0.split(|&octet| octet == 0).next().unwrap_or_default()
    }
}

impl From<InterfaceName> for LinkName {
    /// The requests of `netdevice(7)` tell an address by its label, which is the name or begins with it and a colon.
    fn from(label: InterfaceName) -> Self {
        let octets = label.map(|octet| u8::from_ne_bytes(octet.to_ne_bytes()));
        Self::new(octets.split(|&octet| octet == b':').next().unwrap_or_default())
    }
}

/// Why an interface is not asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It is switched off.
    Down,
    /// It has no carrier.
    NotRunning,
    /// It carries no multicast, as the loopback interface.
    NoMulticast,
    /// It leads to one other host, and the settings do not name it.
    PointToPoint,
    /// It is a member of a bridge, a bond or the like, which is asked on instead.
    Member,
    /// It has no address.
    NoAddress,
    /// The settings deny it.
    Denied,
    /// The settings allow others.
    NotAllowed,
    /// So many others that can be asked on have a lower index.
    OthersFirst,
}

/// One of this host's own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnAddress {
    /// The index of its interface.
    pub(crate) interface: u32,
    /// The address.
    pub(crate) ip: IpAddr,
    /// How many of its leading bits it shares with all that is on the link.
    pub(crate) prefix_length: u8,
}

/// An interface that is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its index.
    pub(crate) index: u32,
    /// It has an IPv4 address.
    pub(crate) v4: bool,
    /// It has an IPv6 address.
    pub(crate) v6: bool,
}

impl Interface {
    /// True if it has an address of `family`.
    pub(crate) fn has(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// The interfaces that are asked on, by index, and this host's own addresses.
#[derive(Debug)]
pub(crate) struct Interfaces {
    usable: Vec<Interface>,
    addresses: Vec<OwnAddress>,
}

impl Interfaces {
    /// Asks the kernel, and picks those that can be asked on.
    ///
    /// # Errors
    /// [`LookupError::NoInterface`] if there is none; what the system calls said if nothing could be found out.
    pub(crate) fn read(config: &Config) -> Result<Self, LookupError> {
        let (links, addresses) = read_tables()?;
        let interfaces = Self::select(&links, addresses, config);
        if interfaces.usable.is_empty() { Err(LookupError::NoInterface) } else { Ok(interfaces) }
    }

    /// Picks those that can be asked on, by index.
    pub(crate) fn select(links: &[Link], mut addresses: Vec<OwnAddress>, config: &Config) -> Self {
        let mut usable = Vec::new();
        for (_, judgement) in judge_all(links, &addresses, config) {
            if let Ok(interface) = judgement {
                crate::memory::push(&mut usable, interface);
            }
        }
        addresses.retain(|own| own.prefix_length > 0);
        Self { usable, addresses }
    }

    /// One interface alone.
    pub(crate) fn only(interface: Interface) -> Self {
        Self { usable: Vec::from([interface]), addresses: Vec::new() }
    }

    /// The interfaces to ask on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.usable.iter()
    }

    /// The addresses on the interfaces that are asked on.
    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = &OwnAddress> {
        self.addresses.iter().filter(|own| self.usable.iter().any(|interface| interface.index == own.interface))
    }

    /// True if `ip` is one of this host's addresses, on whichever interface.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.ip == ip)
    }

    /// True if `ip` is on the link of the interface with that index: link-local, or within a prefix of the interface.
    pub(crate) fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        is_link_local(ip) || self.addresses.iter().any(|own| own.interface == interface && own.covers(ip))
    }

    /// The interfaces on whose links `ip` may be.
    pub(crate) fn on_link(&self, ip: IpAddr) -> impl Iterator<Item = &Interface> {
        self.usable
            .iter()
            .filter(move |interface| interface.has(Family::of(ip)) && self.is_on_link(ip, interface.index))
    }
}

/// The links, by index, and the addresses: by netlink or, where that is denied, in the older ways.
///
/// # Errors
/// What the system calls said if nothing could be found out.
#[inline(never)]
pub(crate) fn read_tables() -> Result<(Vec<Link>, Vec<OwnAddress>), LookupError> {
    let (mut links, mut addresses) = (Vec::new(), Vec::new());
    if netlink::read(&mut links, &mut addresses).is_err() {
        links.clear();
        addresses.clear();
        without_netlink::read(&mut links, &mut addresses).map_err(|error| LookupError::from_io(&error))?;
    }
    links.sort_unstable_by_key(|link| link.index);
    Ok((links, addresses))
}

/// Whether each of the interfaces is asked on, or why not.
pub(crate) fn judge_all<'a>(
    links: &'a [Link],
    addresses: &'a [OwnAddress],
    config: &'a Config,
) -> impl Iterator<Item = (&'a Link, Result<Interface, Unasked>)> {
    let mut count = 0;
    links.iter().map(move |link| {
        let judgement = judge(link, addresses, config);
        count += usize::from(judgement.is_ok());
        (link, if count > MOST_INTERFACES { judgement.and(Err(Unasked::OthersFirst)) } else { judgement })
    })
}

/// Whether an interface is asked on: it is up, running, carries multicast, leads to more than one host, is no member of
/// another, has an address, and the settings say nothing against it.
///
/// # Errors
/// Why it is not.
fn judge(link: &Link, addresses: &[OwnAddress], config: &Config) -> Result<Interface, Unasked> {
    let name = link.name.octets();
    let is = |flag| link.flags & flag != 0;
    if config.deny_interfaces.matches(name) {
        return Err(Unasked::Denied);
    }
    if !config.allow_interfaces.matches(name) {
        return Err(Unasked::NotAllowed);
    }
    if !is(libc::IFF_UP) {
        return Err(Unasked::Down);
    }
    if !is(libc::IFF_MULTICAST) {
        return Err(Unasked::NoMulticast);
    }
    if is(libc::IFF_POINTOPOINT) && !config.allow_interfaces.names(name) {
        return Err(Unasked::PointToPoint);
    }
    if link.is_port {
        return Err(Unasked::Member);
    }
    if !is(libc::IFF_RUNNING) {
        return Err(Unasked::NotRunning);
    }
    let has = |family| addresses.iter().any(|own| own.interface == link.index && Family::of(own.ip) == family);
    let (v4, v6) = (has(Family::V4), has(Family::V6));
    if v4 || v6 { Ok(Interface { index: link.index, v4, v6 }) } else { Err(Unasked::NoAddress) }
}

impl OwnAddress {
    /// True if `ip` has the same prefix.
    fn covers(&self, ip: IpAddr) -> bool {
        let length = u32::from(self.prefix_length);
        match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            (IpAddr::V6(own), IpAddr::V6(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            _ => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config;

    const ETHERNET: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST | libc::IFF_BROADCAST;

    /// Interfaces as if read from the kernel, with an address each, `address/prefix length`.
    pub(crate) fn with(interfaces: &[(u32, &str)]) -> Interfaces {
        let mut links = interfaces.iter().map(|&(index, _)| link(index, ETHERNET)).collect::<Vec<_>>();
        links.dedup();
        let addresses = interfaces.iter().map(|&(index, text)| own(index, text)).collect();
        Interfaces::select(&links, addresses, &Config::default())
    }

    fn link(index: u32, flags: i32) -> Link {
        Link { index, name: LinkName::new(format!("eth{index}").as_bytes()), flags, is_port: false }
    }

    fn own(interface: u32, text: &str) -> OwnAddress {
        let (ip, prefix_length) = text.split_once('/').unwrap();
        OwnAddress { interface, ip: ip.parse().unwrap(), prefix_length: prefix_length.parse().unwrap() }
    }

    fn selected(links: &[Link], addresses: &[OwnAddress]) -> Vec<Interface> {
        Interfaces::select(links, addresses.to_vec(), &Config::default()).usable
    }

    #[test]
    fn only_links_that_can_carry_multicast_are_asked_on() {
        let addresses = [own(2, "10.0.0.1/24")];
        let taken = [Interface { index: 2, v4: true, v6: false }];
        assert_eq!(selected(&[link(2, ETHERNET)], &addresses), taken);
        for missing in [libc::IFF_UP, libc::IFF_RUNNING, libc::IFF_MULTICAST] {
            assert_eq!(selected(&[link(2, ETHERNET & !missing)], &addresses), []);
        }
        assert_eq!(selected(&[link(2, ETHERNET | libc::IFF_POINTOPOINT)], &addresses), []);
        assert_eq!(selected(&[Link { is_port: true, ..link(2, ETHERNET) }], &addresses), []);
        assert_eq!(selected(&[link(3, ETHERNET)], &addresses), []);
    }

    #[test]
    fn the_settings_pick_among_them() {
        let tunnel = ETHERNET | libc::IFF_POINTOPOINT;
        let member = Link { is_port: true, ..link(2, ETHERNET) };
        for (settings, judged, expected) in [
            ("", link(2, ETHERNET), None),
            ("allow-interfaces = eth0 eth2", link(2, ETHERNET), None),
            ("allow-interfaces = wlan*", link(2, ETHERNET), Some(Unasked::NotAllowed)),
            ("allow-interfaces = none", link(2, ETHERNET), Some(Unasked::NotAllowed)),
            ("deny-interfaces = eth*", link(2, ETHERNET), Some(Unasked::Denied)),
            ("allow-interfaces = eth2\ndeny-interfaces = eth?", link(2, ETHERNET), Some(Unasked::Denied)),
            ("deny-interfaces = eth3", link(2, ETHERNET), None),
            ("", link(2, tunnel), Some(Unasked::PointToPoint)),
            ("allow-interfaces = eth*", link(2, tunnel), Some(Unasked::PointToPoint)),
            ("allow-interfaces = * eth2", link(2, tunnel), None),
            ("allow-interfaces = eth2", link(2, ETHERNET & !libc::IFF_UP), Some(Unasked::Down)),
            ("allow-interfaces = eth2", member, Some(Unasked::Member)),
            ("", link(2, ETHERNET & !libc::IFF_RUNNING), Some(Unasked::NotRunning)),
            ("", link(2, ETHERNET & !libc::IFF_MULTICAST), Some(Unasked::NoMulticast)),
            ("", link(3, ETHERNET), Some(Unasked::NoAddress)),
        ] {
            let config = config::parse(settings.as_bytes(), &mut |problem| panic!("{problem}"));
            assert_eq!(judge(&judged, &[own(2, "10.0.0.1/24")], &config).err(), expected, "{settings} {judged:?}");
        }
    }

    #[test]
    fn names_of_links() {
        for (octets, expected) in
            [(&b"eth0\0"[..], &b"eth0"[..]), (b"eth0", b"eth0"), (b"", b""), (&[b'a'; 40], &[b'a'; 15])]
        {
            assert_eq!(LinkName::new(octets).octets(), expected);
        }
        let mut label: InterfaceName = [0; libc::IFNAMSIZ];
        for (place, octet) in label.iter_mut().zip(b"eth0:home") {
            *place = *octet as libc::c_char;
        }
        assert_eq!(LinkName::from(label).octets(), b"eth0");
    }

    #[test]
    fn the_number_of_interfaces_is_bounded() {
        let links: Vec<_> = (2..100).map(|index| link(index, ETHERNET)).collect();
        let addresses: Vec<_> = (2..100).map(|index| own(index, "10.0.0.1/24")).collect();
        assert_eq!(selected(&links, &addresses).len(), MOST_INTERFACES);
        let config = Config::default();
        let last = judge_all(&links, &addresses, &config).last();
        assert_eq!(last.map(|(_, judgement)| judgement), Some(Err(Unasked::OthersFirst)));
    }

    #[test]
    fn what_is_on_link() {
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
            ("8.8.8.8", 3, false), // a prefix of no bits covers the world: no link
        ] {
            assert_eq!(interfaces.is_on_link(ip.parse().unwrap(), interface), expected, "{ip} on {interface}");
        }
        assert!(interfaces.is_own("10.0.0.1".parse().unwrap()));
        assert!(!interfaces.is_own("10.0.0.2".parse().unwrap()));
        let indices = |ip: &str| interfaces.on_link(ip.parse().unwrap()).map(|i| i.index).collect::<Vec<_>>();
        assert_eq!(indices("10.0.0.9"), [2]);
        assert_eq!(indices("169.254.0.9"), [2, 3]);
        assert_eq!(indices("fe80::9"), [2]);
        assert_eq!(indices("8.8.8.8"), []);
    }
}
