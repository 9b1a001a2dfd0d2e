//! The interfaces to query, and which addresses are on their links.

use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Address, Families, Family, is_link_local};
use crate::config::Config;
use crate::error::LookupError;
use crate::net::links::{Link, LinkKind, LocalAddress, Tables};
use crate::net::{links_ioctl, links_netlink};
use crate::try_alloc;

/// The maximum number of interfaces that one lookup queries. Each costs three packets in the first round.
pub const MAX_INTERFACES: usize = 32;

/// The maximum number of them that are [`Traits::is_internal`]. They rarely lead to another host, and each delays the
/// first query on the links that do.
const MAX_INTERNAL: usize = 16;

/// The maximum number of IPv4 prefixes of one interface from which a question is sent. Each costs a packet for each
/// question over IPv4.
const MAX_PREFIXES: usize = 4;

/// The maximum number of links between a link and the network card that it leads to: a VLAN on a bridge on a bond.
const MAX_LAYERS: usize = 3;

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
    /// There are more than [`MAX_INTERFACES`], and this is not one of the best.
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

/// The interfaces to query, and this machine's own addresses.
#[derive(Debug, Default)]
pub struct Interfaces {
    /// The best first.
    usable: Vec<(Traits, Interface)>,
    /// For each interface to query that has addresses in several IPv4 prefixes: an address in each of them.
    sources: Vec<(u32, Ipv4Addr)>,
    tables: Tables,
}

impl Interfaces {
    /// Reads the kernel's tables and selects the interfaces to query. There may be none.
    ///
    /// # Errors
    /// The system calls' error if the tables could not be read.
    pub(crate) fn read(config: &Config) -> Result<Self, LookupError> {
        Ok(Self::select(read_tables()?, config))
    }

    /// Selects the interfaces to query: the best, at most [`MAX_INTERFACES`]. Network cards, and the bridges, bonds and
    /// VLANs that lead to them, are better than others, because the others usually lead to containers and virtual machines
    /// on this machine. (In a container, all are virtual.) Among equals, that of the default route is better; then those
    /// with an address that is not link-local; then those that are no bridges; then those with a lower index. The links
    /// must be sorted by index.
    ///
    /// At most 16 of them are bridges without a network card, or virtual with link-local addresses only.
    pub fn select(tables: Tables, config: &Config) -> Self {
        let mut usable = Vec::new();
        for (link, traits) in tables.links.iter().zip(traits(&tables)) {
            if let Ok(interface) = classify(link, traits.families, config) {
                try_alloc::push(&mut usable, (traits, interface));
            }
        }
        usable.sort_unstable_by_key(|(traits, interface)| (traits.rank(), interface.index));
        // The internal ones are the last.
        let count = usable.iter().position(|(traits, _)| traits.is_internal()).unwrap_or(usable.len());
        usable.truncate(MAX_INTERFACES.min(count + MAX_INTERNAL));
        let mut sources = Vec::new();
        for (_, interface) in &usable {
            add_sources(&mut sources, interface.index, &tables.addresses);
        }
        Self { usable, sources, tables }
    }

    /// No interfaces: for a lookup that can only ask a daemon.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The interfaces to query, the best first.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> + Clone {
        self.usable.iter().map(|(_, interface)| interface)
    }

    /// True if no interface can be queried.
    pub(crate) fn is_empty(&self) -> bool {
        self.usable.is_empty()
    }

    /// The source addresses of the questions to the IPv4 group on this interface: one for each of its IPv4 prefixes, at
    /// most [`MAX_PREFIXES`]. Empty if it has only one; the kernel then selects the address.
    ///
    /// A host in one of the prefixes may have no route to an address in another, and some responders ignore questions
    /// from outside their own prefix. (IPv6 needs none of this: questions to ff02::fb come from a link-local address.)
    pub(crate) fn sources(&self, interface: u32) -> impl Iterator<Item = Ipv4Addr> {
        self.sources.iter().filter(move |(index, _)| *index == interface).map(|(_, ip)| *ip)
    }

    /// The addresses of the interfaces to query.
    pub(crate) fn queried_addresses(&self) -> impl Iterator<Item = Address> {
        self.addresses_of(move |index| self.iter().any(|interface| interface.index == index))
    }

    /// The addresses of all interfaces that are up.
    pub(crate) fn addresses_up(&self) -> impl Iterator<Item = Address> {
        let is_up = |link: &Link| link.flags & libc::IFF_UP != 0;
        self.addresses_of(move |index| self.tables.links.iter().any(|link| link.index == index && is_up(link)))
    }

    fn addresses_of(&self, is_wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = Address> {
        let wanted = self.tables.addresses.iter().filter(move |own| is_wanted(own.interface));
        wanted.map(|own| Address { ip: own.ip, interface: own.interface })
    }

    /// This machine's addresses, on all interfaces.
    pub(crate) fn local_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.tables.addresses.iter().map(|own| own.ip)
    }

    /// True if `ip` is an address of this machine, on any interface.
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        self.local_addresses().any(|own| own == ip)
    }

    /// True if a packet to this address would stay on this machine. Link-local IPv6 addresses of other interfaces do not
    /// count: another host may have the same address there.
    pub(crate) fn is_own(&self, address: &Address) -> bool {
        let Address { ip, interface } = *address;
        let needs_scope = address.needs_scope();
        self.tables.addresses.iter().any(|own| own.ip == ip && (!needs_scope || own.interface == interface))
    }

    /// The addresses of the interface with this index.
    fn of_interface(&self, interface: u32) -> impl Iterator<Item = &LocalAddress> {
        self.tables.addresses.iter().filter(move |own| own.interface == interface)
    }

    /// True if `ip` is an address of the interface with this index.
    pub(crate) fn is_local_on(&self, ip: IpAddr, interface: u32) -> bool {
        self.of_interface(interface).any(|own| own.ip == ip)
    }

    /// True if `ip` is on the link of the interface with this index: link-local, an address of the interface, or within
    /// a prefix of it.
    pub(crate) fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        is_link_local(ip) || self.is_local_on(ip, interface) || self.is_within_prefix(ip, interface)
    }

    /// True if `ip` is within a prefix of the interface with this index.
    pub(crate) fn is_within_prefix(&self, ip: IpAddr, interface: u32) -> bool {
        self.of_interface(interface).any(|own| own.prefix_contains(ip))
    }

    /// True if `ip` is within a prefix of any interface.
    pub(crate) fn is_on_any_link(&self, ip: IpAddr) -> bool {
        self.tables.addresses.iter().any(|own| own.prefix_contains(ip))
    }

    /// The interfaces to query on whose links `ip` can be.
    pub(crate) fn on_link(&self, ip: IpAddr) -> impl Iterator<Item = &Interface> {
        self.iter().filter(move |interface| {
            interface.families.contains(Family::of(ip)) && self.is_on_link(ip, interface.index)
        })
    }
}

/// What the tables say about a link, apart from its own entry.
#[derive(Clone, Copy, Debug)]
struct Traits {
    /// The families in which it has an address.
    families: Families,
    /// It has an address that is not link-local.
    is_routable: bool,
    /// It is a network card, or leads to one: a bridge or bond with a card among its ports, or a VLAN on a card.
    is_hardware: bool,
    /// It is a bridge.
    is_bridge: bool,
    /// It is the interface of the default route.
    is_default: bool,
}

impl Traits {
    /// 0 to 15; better interfaces have lower ranks.
    fn rank(self) -> u8 {
        8 * u8::from(!self.is_hardware)
            + 4 * u8::from(!self.is_default)
            + 2 * u8::from(!self.is_routable)
            + u8::from(self.is_bridge && !self.is_hardware)
    }

    /// True for interfaces that are probably those of containers or virtual machines on this machine: bridges without a
    /// network card, and virtual interfaces with link-local addresses only. Not the one of the default route. No other
    /// interface has a greater rank.
    fn is_internal(self) -> bool {
        !self.is_hardware && !self.is_default && (self.is_bridge || !self.is_routable)
    }
}

/// The traits of each link, in the order of the links, which must be sorted by index. None if there is no memory.
fn traits(tables: &Tables) -> Vec<Traits> {
    let Tables { links, addresses, default_route } = tables;
    let mut all = Vec::new();
    if !try_alloc::reserve(&mut all, links.len()) {
        return all;
    }
    all.extend(links.iter().map(|link| Traits {
        families: Families::NONE,
        is_routable: false,
        is_hardware: link.kind == LinkKind::Card,
        is_bridge: link.kind == LinkKind::Bridge,
        is_default: link.index == *default_route,
    }));
    let position = |index: u32| links.binary_search_by_key(&index, |link| link.index).ok();
    for own in addresses {
        if let Some(traits) = position(own.interface).and_then(|at| all.get_mut(at)) {
            traits.families.insert(Family::of(own.ip));
            traits.is_routable |= !is_link_local(own.ip);
        }
    }
    for _ in 0..MAX_LAYERS {
        let mut has_changed = false;
        for (at, link) in links.iter().enumerate() {
            let is_hardware = |at: usize| all.get(at).is_some_and(|traits| traits.is_hardware);
            // A master leads to its ports, and a VLAN to its parent.
            let found = match is_hardware(at) {
                true if link.master != 0 => position(link.master),
                false if link.parent != 0 => position(link.parent).filter(|&parent| is_hardware(parent)).map(|_| at),
                _ => None,
            };
            if let Some(traits) = found.and_then(|at| all.get_mut(at)).filter(|traits| !traits.is_hardware) {
                traits.is_hardware = true;
                has_changed = true;
            }
        }
        if !has_changed {
            break;
        }
    }
    all
}

/// Adds a source address for each IPv4 prefix of an interface, if it has several.
///
/// A prefix of 32 bits contains no other host, so it is left out, unless the interface has no other prefix.
fn add_sources(sources: &mut Vec<(u32, Ipv4Addr)>, interface: u32, addresses: &[LocalAddress]) {
    let of_interface = || addresses.iter().filter(move |own| own.interface == interface && own.ip.is_ipv4());
    let Some(first) = of_interface().next() else { return };
    if of_interface().skip(1).all(|own| own.has_prefix_of(first)) {
        return;
    }
    let has_hosts = |own: &&LocalAddress| own.prefix_length < 32;
    let any_has_hosts = of_interface().any(|own| has_hosts(&own));
    let mut count = 0;
    for (at, own) in of_interface().enumerate().filter(|(_, own)| has_hosts(own) || !any_has_hosts) {
        let is_repeated = of_interface().take(at).any(|earlier| earlier.has_prefix_of(own));
        if let (IpAddr::V4(ip), false, true) = (own.ip, is_repeated, count < MAX_PREFIXES) {
            count += 1;
            try_alloc::push(sources, (interface, ip));
        }
    }
}

/// The kernel's tables, the links sorted by index: read by netlink or, where that is denied, by ioctl.
///
/// # Errors
/// The error of the system calls, if nothing could be read.
#[inline(never)]
pub fn read_tables() -> Result<Tables, LookupError> {
    let mut tables = Tables::default();
    // The default route matters only if not all interfaces can be queried.
    if links_netlink::read(&mut tables, MAX_INTERFACES).is_err() {
        tables = Tables::default();
        links_ioctl::read(&mut tables).map_err(|error| LookupError::from_io(&error))?;
    }
    tables.links.sort_unstable_by_key(|link| link.index);
    Ok(tables)
}

/// For each link, the interface to query, or why it is not queried. `interfaces` were selected from these tables.
pub fn classify_all<'a>(
    tables: &'a Tables,
    config: &'a Config,
    interfaces: &'a Interfaces,
) -> impl Iterator<Item = (&'a Link, Result<Interface, SkipReason>)> {
    tables.links.iter().zip(traits(tables)).map(move |(link, traits)| {
        let is_selected = |interface: &Interface| interfaces.iter().any(|selected| selected == interface);
        let result = classify(link, traits.families, config);
        (link, result.and_then(|it| if is_selected(&it) { Ok(it) } else { Err(SkipReason::TooMany) }))
    })
}

/// An interface is queried if it is up, has a carrier, can multicast, has an address (in `families`), is not a port of another
/// interface, and the settings do not exclude it. A point-to-point link is queried only if `allow-interfaces` contains
/// its exact name.
///
/// # Errors
/// The reason why it is not queried.
fn classify(link: &Link, families: Families, config: &Config) -> Result<Interface, SkipReason> {
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
        Interfaces::select(Tables { links, addresses, default_route: 0 }, &Config::default())
    }

    pub(crate) fn link(index: u32, flags: i32) -> Link {
        let name = LinkName::new(format!("eth{index}").as_bytes());
        Link { index, name, flags, is_port: false, kind: LinkKind::Card, master: 0, parent: 0 }
    }

    pub(crate) fn own(interface: u32, text: &str) -> LocalAddress {
        let (ip, prefix_length) = text.split_once('/').unwrap();
        let ip = ip.parse().unwrap();
        LocalAddress { interface, ip, prefix: ip, prefix_length: prefix_length.parse().unwrap() }
    }

    fn selected(links: &[Link], addresses: &[LocalAddress]) -> Vec<Interface> {
        let tables = Tables { links: links.to_vec(), addresses: addresses.to_vec(), default_route: 0 };
        Interfaces::select(tables, &Config::default()).iter().copied().collect()
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
            let tables = Tables { links: vec![link_tried], addresses: vec![own(2, "10.0.0.1/24")], default_route: 0 };
            let interfaces = Interfaces::select(tables.clone(), &config);
            let reasons: Vec<_> = classify_all(&tables, &config, &interfaces).map(|(_, it)| it.err()).collect();
            assert_eq!(reasons, [expected], "{settings} {link_tried:?}");
        }
    }

    #[test]
    fn the_number_of_interfaces_is_limited() {
        let links: Vec<_> = (2..100).map(|index| link(index, ETHERNET)).collect();
        let addresses: Vec<_> = (2..100).map(|index| own(index, "10.0.0.1/24")).collect();
        assert_eq!(selected(&links, &addresses).len(), MAX_INTERFACES);
        let (config, tables) = (Config::default(), Tables { links, addresses, default_route: 0 });
        let interfaces = Interfaces::select(tables.clone(), &config);
        let last = classify_all(&tables, &config, &interfaces).last();
        assert_eq!(last.map(|(_, result)| result), Some(Err(SkipReason::TooMany)));
    }

    /// The indexes of the interfaces to query, the best first.
    fn ranked(links: &[Link], addresses: &[(u32, &str)]) -> Vec<u32> {
        let addresses: Vec<_> = addresses.iter().map(|&(interface, text)| own(interface, text)).collect();
        selected(links, &addresses).iter().map(|interface| interface.index).collect()
    }

    #[test]
    fn network_cards_and_routable_addresses_come_first() {
        let virtual_link = |index| Link { kind: LinkKind::Virtual, ..link(index, ETHERNET) };
        // In a container, every interface is virtual.
        let addresses = [(2, "fe80::2/64"), (3, "10.0.0.3/24"), (4, "fe80::4/64"), (5, "10.0.0.5/24")];
        assert_eq!(ranked(&[2, 3, 4, 5].map(virtual_link), &addresses), [3, 5, 2, 4]);
        let links = [virtual_link(2), virtual_link(3), link(4, ETHERNET), link(5, ETHERNET)];
        assert_eq!(ranked(&links, &addresses), [5, 4, 3, 2]);
        assert_eq!(ranked(&links, &[(2, "169.254.1.1/16"), (3, "10.0.0.3/24")]), [3, 2]);
        // A bridge without a card leads to containers; the other end of a veth pair may be anywhere.
        let bridge = |index| Link { kind: LinkKind::Bridge, ..link(index, ETHERNET) };
        let addresses = [(2, "10.0.0.2/24"), (3, "fe80::3/64"), (4, "fe80::4/64"), (5, "10.0.0.5/24")];
        assert_eq!(ranked(&[bridge(2), bridge(3), virtual_link(4), virtual_link(5)], &addresses), [5, 2, 4, 3]);
    }

    #[test]
    fn the_interface_of_the_default_route_comes_before_others_of_its_kind() {
        let bridge = |index| Link { kind: LinkKind::Bridge, ..link(index, ETHERNET) };
        let mut links: Vec<_> = (2..100).map(bridge).collect();
        let addresses: Vec<_> = (2..=100).map(|index| own(index, "10.0.0.1/24")).collect();
        let first = |links: &[Link], default_route| {
            let tables = Tables { links: links.to_vec(), addresses: addresses.clone(), default_route };
            Interfaces::select(tables, &Config::default()).iter().next().unwrap().index
        };
        assert_eq!((first(&links, 0), first(&links, 99)), (2, 99));
        links.push(link(100, ETHERNET));
        assert_eq!(first(&links, 99), 100);
    }

    #[test]
    fn a_card_behind_many_virtual_interfaces_is_queried() {
        let mut links: Vec<_> =
            (2..100).map(|index| Link { kind: LinkKind::Virtual, ..link(index, ETHERNET) }).collect();
        links.push(link(100, ETHERNET));
        for text in ["fe80::1/64", "10.0.0.1/24"] {
            let addresses: Vec<_> = (2..=100).map(|index| (index, text)).collect();
            let ranked = ranked(&links, &addresses);
            // The others with a routable address may lead to other hosts.
            let expected = if text == "10.0.0.1/24" { MAX_INTERFACES } else { 1 + MAX_INTERNAL };
            assert_eq!((ranked.len(), ranked[0]), (expected, 100));
        }
        links.iter_mut().take(98).for_each(|link| link.kind = LinkKind::Bridge);
        let addresses: Vec<_> = (2..=100).map(|index| (index, "10.0.0.1/24")).collect();
        assert_eq!(ranked(&links, &addresses).len(), 1 + MAX_INTERNAL);
    }

    #[test]
    fn a_link_that_leads_to_a_card_counts_as_one() {
        let card = |index, master| Link { master, is_port: true, ..link(index, ETHERNET) };
        let over = |index, parent| Link { kind: LinkKind::Virtual, parent, ..link(index, ETHERNET) };
        let addresses: Vec<_> = (2..10).map(|index| (index, "10.0.0.1/24")).collect();
        // A bridge whose port is a card, and a bridge whose port is virtual.
        let port = Link { master: 2, is_port: true, ..over(3, 0) };
        assert_eq!(ranked(&[over(2, 0), port, over(4, 0), card(5, 4)], &addresses), [4, 2]);
        // A VLAN on a bridge on a bond; and a veth pair, whose ends are each other's parents.
        let bond = Link { master: 5, is_port: true, ..over(6, 0) };
        let links = [over(2, 3), over(3, 2), over(4, 5), over(5, 0), bond, card(7, 6)];
        assert_eq!(ranked(&links, &addresses), [4, 5, 2, 3]);
    }

    #[test]
    fn each_ipv4_prefix_of_an_interface_has_a_source_address() {
        for (addresses, expected) in [
            (&["10.0.0.1/24"][..], &[][..]),
            (&["10.0.0.1/24", "fd00::1/64", "fd01::1/64"], &[]),
            // The second address of a prefix costs nothing.
            (&["10.0.0.1/24", "10.0.0.2/24"], &[]),
            (&["192.168.50.70/24", "10.0.0.1/24", "10.0.0.2/24"], &["192.168.50.70", "10.0.0.1"]),
            (&["10.0.0.1/24", "169.254.7.7/16"], &["10.0.0.1", "169.254.7.7"]),
            (&["10.0.0.1/8", "10.0.0.2/24"], &["10.0.0.1", "10.0.0.2"]),
            // No other host is in a prefix of 32 bits.
            (&["10.255.0.1/32", "10.0.0.1/24"], &["10.0.0.1"]),
            (&["10.255.0.1/32", "10.255.0.2/32"], &["10.255.0.1", "10.255.0.2"]),
            (
                &["10.0.0.1/24", "10.0.1.1/24", "10.0.2.1/24", "10.0.3.1/24", "10.0.4.1/24"],
                &["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1"],
            ),
        ] {
            let others = [(3, "10.9.0.1/24"), (3, "10.9.1.1/24")];
            let all: Vec<_> = addresses.iter().map(|&text| (2, text)).chain(others).collect();
            let sources: Vec<_> = with(&all).sources(2).map(|ip| ip.to_string()).collect();
            assert_eq!(sources, expected, "{addresses:?}");
        }
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
        for (ip, expected) in [("10.0.0.1", true), ("10.0.0.2", false), ("5.5.5.5", true)] {
            assert_eq!(interfaces.is_local(ip.parse().unwrap()), expected, "{ip}");
        }
        let indices = |ip: &str| interfaces.on_link(ip.parse().unwrap()).map(|i| i.index).collect::<Vec<_>>();
        assert_eq!(indices("10.0.0.9"), [2]);
        assert_eq!(indices("169.254.0.9"), [2, 3]);
        assert_eq!(indices("fe80::9"), [2]);
        assert_eq!(indices("8.8.8.8"), []);
        for (ip, expected) in [("192.168.200.1", true), ("10.0.1.1", false), ("8.8.8.8", false)] {
            assert_eq!(interfaces.is_on_any_link(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn a_link_local_ipv6_address_is_own_only_on_its_interface() {
        let interfaces = with(&[(2, "10.0.0.1/24"), (2, "fe80::1/64"), (3, "172.17.0.1/16"), (3, "169.254.1.1/16")]);
        for (ip, interface, expected) in [
            ("10.0.0.1", 2, true),
            ("172.17.0.1", 2, true),
            ("169.254.1.1", 2, true),
            ("172.17.0.2", 2, false),
            ("fe80::1", 2, true),
            ("fe80::1", 3, false),
        ] {
            assert_eq!(
                interfaces.is_own(&Address { ip: ip.parse().unwrap(), interface }),
                expected,
                "{ip}%{interface}"
            );
        }
    }
}
