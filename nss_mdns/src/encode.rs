//! Answers in glibc's own forms, in the caller's buffer: everything is sized and reserved first and written once.

use std::net::IpAddr;
use std::ptr;

use libc::{c_char, c_int, hostent};
use resolver_core::wire::Name;
use resolver_core::{Answer, Families, Family};

use crate::abi::{Failure, GaihAddrTuple};
use crate::buffer::Buffer;

/// The addresses of `families` as a list of tuples; the first of them goes to `first` where that is not null. Returns
/// the list's head.
///
/// # Errors
/// [`Failure::ShortBuffer`]; nothing has been written then.
///
/// # Safety
/// `first` must be null or the caller's to write.
// Not inlined, and its variables so off the stack while the lookup runs.
#[inline(never)]
pub(crate) unsafe fn addr_tuples(
    answer: &Answer,
    families: Families,
    first: *mut GaihAddrTuple,
    mut buffer: Buffer<'_>,
) -> Result<*mut GaihAddrTuple, Failure> {
    let addresses = || answer.addresses.iter().filter(|address| families.contains(Family::of(address.ip)));
    let given = usize::from(!first.is_null());
    let mut tuples = buffer.reserve::<GaihAddrTuple>(addresses().count().saturating_sub(given))?;
    let name = buffer.reserve_text(&answer.canonical)?.write(&answer.canonical);
    let place = |index: usize, tuples: &crate::buffer::Place<'_, GaihAddrTuple>| match index.checked_sub(given) {
        None => first,
        Some(index) => tuples.at(index),
    };
    for (index, address) in addresses().enumerate() {
        let tuple = GaihAddrTuple {
            next: place(index + 1, &tuples),
            name,
            family: family_number(Family::of(address.ip)),
            addr: words(address.ip),
            scopeid: address.scope_id(),
        };
        match index.checked_sub(given) {
            // SAFETY: the caller vouches for `first`, which is not null here.
            None => unsafe { first.write(tuple) },
            Some(index) => {
                let written = tuples.write(index, tuple);
                debug_assert!(written);
            }
        }
    }
    Ok(place(0, &tuples))
}

/// The host entry of an answer, for one family.
///
/// A host entry has no room for scopes: link-local IPv6 addresses come last, and not at all where there is another.
///
/// # Errors
/// [`Failure::ShortBuffer`]; nothing has been written then.
// As above.
#[inline(never)]
pub(crate) fn host_entry(
    asked: &Name,
    answer: &Answer,
    family: Family,
    buffer: Buffer<'_>,
) -> Result<hostent, Failure> {
    let scoped = answer.of(family).filter(|address| address.needs_scope());
    let scoped_count = scoped.clone().count();
    let others = answer.of(family).filter(|address| !address.needs_scope());
    let needed = if others.clone().next().is_some() { 0 } else { scoped_count };
    let addresses = others.chain(scoped.take(needed)).map(|address| address.ip);
    let alias = (*asked != answer.canonical).then_some(asked);
    write_host_entry(&answer.canonical, alias, family, addresses, buffer)
}

/// The host entry of an address whose name was asked for.
///
/// # Errors
/// [`Failure::ShortBuffer`]; nothing has been written then.
pub(crate) fn host_entry_of_address(name: &Name, ip: IpAddr, buffer: Buffer<'_>) -> Result<hostent, Failure> {
    write_host_entry(name, None, Family::of(ip), std::iter::once(ip), buffer)
}

fn write_host_entry(
    name: &Name,
    alias: Option<&Name>,
    family: Family,
    addresses: impl Iterator<Item = IpAddr> + Clone,
    mut buffer: Buffer<'_>,
) -> Result<hostent, Failure> {
    let length = match family {
        Family::V4 => 4,
        Family::V6 => 16,
    };
    let count = addresses.clone().count();
    let mut aliases = buffer.reserve::<*mut c_char>(usize::from(alias.is_some()) + 1)?;
    let mut address_list = buffer.reserve::<*mut c_char>(count + 1)?;
    let mut words_of_addresses = buffer.reserve::<u32>(count * length / 4)?;
    let name_place = buffer.reserve_text(name)?;
    let alias_place = alias.map(|alias| buffer.reserve_text(alias)).transpose()?;

    let mut written = true;
    let alias = alias.zip(alias_place).map(|(alias, place)| place.write(alias));
    for (index, alias) in alias.into_iter().chain([ptr::null_mut()]).enumerate() {
        written &= aliases.write(index, alias);
    }
    for (index, ip) in addresses.enumerate() {
        let start = index * length / 4;
        for (offset, word) in words(ip).into_iter().take(length / 4).enumerate() {
            written &= words_of_addresses.write(start + offset, word);
        }
        written &= address_list.write(index, words_of_addresses.at(start).cast());
    }
    written &= address_list.write(count, ptr::null_mut());
    debug_assert!(written);
    Ok(hostent {
        h_name: name_place.write(name),
        h_aliases: aliases.at(0),
        h_addrtype: family_number(family),
        h_length: if family == Family::V4 { 4 } else { 16 },
        h_addr_list: address_list.at(0),
    })
}

/// `AF_INET` or `AF_INET6`.
pub(crate) fn family_number(family: Family) -> c_int {
    match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    }
}

/// The octets of an address in network order, as words.
fn words(ip: IpAddr) -> [u32; 4] {
    let mut octets = [0; 16];
    match ip {
        IpAddr::V4(ip) => octets.iter_mut().zip(ip.octets()).for_each(|(place, octet)| *place = octet),
        IpAddr::V6(ip) => octets = ip.octets(),
    }
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = chunk.first_chunk().map_or(0, |chunk| u32::from_ne_bytes(*chunk));
    }
    words
}

#[cfg(test)]
mod tests;
