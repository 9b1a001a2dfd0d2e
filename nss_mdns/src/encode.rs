//! Encodes answers as glibc's structures in the caller's buffer. All space is reserved first, then everything is
//! written once.

use std::net::IpAddr;
use std::ptr;

use libc::{c_char, c_int, hostent};
use resolver_core::wire::Name;
use resolver_core::{Answer, Families, Family};

use crate::abi::GaihAddrTuple;
use crate::buffer::{Buffer, Reserved};
use crate::result_codes::Failure;

/// Encodes the addresses of `families` as a list of tuples and returns its head. The first tuple goes to `first` unless
/// that is null. If the canonical name is `queried`, it is returned as the caller wrote it, with
/// its escapes decoded.
///
/// # Errors
/// [`Failure::ShortBuffer`], with nothing written.
///
/// # Safety
/// `first` must be null or valid for writes.
// Not inlined, so that its variables take no stack while the lookup runs.
#[inline(never)]
pub(crate) unsafe fn addr_tuples(
    queried: &Name,
    answer: &Answer,
    families: Families,
    first: *mut GaihAddrTuple,
    mut buffer: Buffer<'_>,
) -> Result<*mut GaihAddrTuple, Failure> {
    let addresses = || answer.addresses.iter().filter(|address| families.contains(Family::of(address.ip)));
    // How many tuples the caller provides outside the buffer.
    let provided = usize::from(!first.is_null());
    let mut tuples = buffer.reserve::<GaihAddrTuple>(addresses().count().saturating_sub(provided))?;
    let canonical = canonical_name(queried, answer);
    let name = buffer.reserve_text(canonical)?.write(canonical);
    let address_of = |index: usize, tuples: &Reserved<'_, GaihAddrTuple>| match index.checked_sub(provided) {
        None => first,
        Some(index) => tuples.at(index),
    };
    for (index, address) in addresses().enumerate() {
        let tuple = GaihAddrTuple {
            next: address_of(index + 1, &tuples),
            name,
            family: family_number(Family::of(address.ip)),
            addr: words(address.ip),
            scopeid: address.scope_id(),
        };
        match index.checked_sub(provided) {
            // SAFETY: `first` is not null here, so the caller guarantees that it is valid for writes.
            None => unsafe { first.write(tuple) },
            Some(index) => {
                let written = tuples.write(index, tuple);
                debug_assert!(written);
            }
        }
    }
    Ok(address_of(0, &tuples))
}

/// The canonical name. A cached answer has it as the first caller wrote it.
fn canonical_name<'a>(queried: &'a Name, answer: &'a Answer) -> &'a Name {
    if *queried == answer.canonical { queried } else { &answer.canonical }
}

/// Encodes an answer as a host entry of one family. If the canonical name is `queried`, it is returned as the caller
/// wrote it, with its escapes decoded.
///
/// A host entry has no field for the scope id, without which an IPv6 link-local address cannot be used. These addresses
/// are therefore included only if the host has no other IPv6 address.
///
/// # Errors
/// [`Failure::ShortBuffer`], with nothing written.
// Not inlined, so that its variables take no stack while the lookup runs.
#[inline(never)]
pub(crate) fn host_entry(
    queried: &Name,
    answer: &Answer,
    family: Family,
    buffer: Buffer<'_>,
) -> Result<hostent, Failure> {
    let scoped = answer.of(family).filter(|address| address.needs_scope());
    let scoped_count = scoped.clone().count();
    let others = answer.of(family).filter(|address| !address.needs_scope());
    let needed = if others.clone().next().is_some() { 0 } else { scoped_count };
    let addresses = others.chain(scoped.take(needed)).map(|address| address.ip);
    let alias = (*queried != answer.canonical).then_some(queried);
    write_host_entry(canonical_name(queried, answer), alias, family, addresses, buffer)
}

/// Encodes the answer to a reverse lookup, the name of `ip`, as a host entry.
///
/// # Errors
/// [`Failure::ShortBuffer`], with nothing written.
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
    let name_text = buffer.reserve_text(name)?;
    let alias_text = alias.map(|alias| buffer.reserve_text(alias)).transpose()?;

    let mut written = true;
    let alias = alias.zip(alias_text).map(|(alias, text)| text.write(alias));
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
        h_name: name_text.write(name),
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

/// The octets of an address in network order, in the form of `GaihAddrTuple::addr`.
fn words(ip: IpAddr) -> [u32; 4] {
    let mut octets = [0; 16];
    match ip {
        IpAddr::V4(ip) => octets.iter_mut().zip(ip.octets()).for_each(|(word_octet, octet)| *word_octet = octet),
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
