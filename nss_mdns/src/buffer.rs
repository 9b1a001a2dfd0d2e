//! A bump allocator over the buffer that glibc's caller gave.
//!
//! All places are reserved before the first is written to: a buffer that is too small is left as it was.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use libc::c_char;
use resolver_core::wire::Name;

use crate::abi::Failure;

/// What is left of the caller's buffer.
pub(crate) struct Buffer<'a> {
    rest: &'a mut [MaybeUninit<u8>],
}

/// A reserved place for so many `T`, aligned for them.
pub(crate) struct Place<'a, T> {
    start: *mut T,
    count: usize,
    buffer: PhantomData<&'a mut [T]>,
}

/// A reserved place for a name and the NUL behind it.
pub(crate) struct TextPlace<'a>(Place<'a, u8>);

impl<'a> Buffer<'a> {
    /// The buffer of `length` octets at `start`.
    ///
    /// # Safety
    /// The memory must be the caller's to write for `'a`, or `start` null.
    pub(crate) unsafe fn new(start: *mut c_char, length: usize) -> Self {
        if start.is_null() {
            return Self { rest: &mut [] };
        }
        // SAFETY: the caller vouches for the memory; uninitialised octets are fine.
        Self { rest: unsafe { std::slice::from_raw_parts_mut(start.cast(), length.min(isize::MAX as usize)) } }
    }

    /// Reserves room for `count` values of type `T`.
    ///
    /// # Errors
    /// [`Failure::ShortBuffer`].
    pub(crate) fn reserve<T: Copy>(&mut self, count: usize) -> Result<Place<'a, T>, Failure> {
        let rest = std::mem::take(&mut self.rest);
        let padding = rest.as_ptr().align_offset(align_of::<T>());
        let size = count.checked_mul(size_of::<T>()).and_then(|size| size.checked_add(padding));
        let (place, rest) = size.and_then(|size| rest.split_at_mut_checked(size)).ok_or(Failure::ShortBuffer)?;
        self.rest = rest;
        let place = place.get_mut(padding..).ok_or(Failure::ShortBuffer)?;
        Ok(Place { start: place.as_mut_ptr().cast(), count, buffer: PhantomData })
    }

    /// Reserves room for a name as text.
    ///
    /// # Errors
    /// [`Failure::ShortBuffer`].
    pub(crate) fn reserve_text(&mut self, name: &Name) -> Result<TextPlace<'a>, Failure> {
        self.reserve(name.text_len() + 1).map(TextPlace)
    }
}

impl<T: Copy> Place<'_, T> {
    /// The place of the value number `index`; null behind the last.
    pub(crate) fn at(&self, index: usize) -> *mut T {
        // In bounds of the place, or at its end at most.
        if index < self.count { self.start.wrapping_add(index) } else { std::ptr::null_mut() }
    }

    /// Writes value number `index`; false, and nothing written, behind the last.
    pub(crate) fn write(&mut self, index: usize, value: T) -> bool {
        if index >= self.count {
            return false;
        }
        // SAFETY: the index is within the place, which is reserved, aligned and exclusively ours.
        unsafe { self.start.wrapping_add(index).write(value) };
        true
    }
}

impl TextPlace<'_> {
    /// Writes `name`, the same that the place was reserved for, and returns the string's address.
    pub(crate) fn write(mut self, name: &Name) -> *mut c_char {
        let mut length = 0;
        name.write_text(|piece| {
            for &octet in piece {
                self.0.write(length, octet);
                length += 1;
            }
        });
        let whole = self.0.write(length, 0);
        debug_assert!(whole && length + 1 == self.0.count);
        self.0.start.cast()
    }
}

#[cfg(test)]
mod tests;
