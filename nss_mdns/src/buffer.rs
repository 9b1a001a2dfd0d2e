//! A bump allocator over the buffer that the caller of the glibc function provides.
//!
//! All space is reserved before anything is written, so a buffer that is too small stays unchanged.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use libc::c_char;
use resolver_core::wire::Name;

use crate::result_codes::Failure;

/// The unreserved rest of the caller's buffer.
pub(crate) struct Buffer<'a> {
    rest: &'a mut [MaybeUninit<u8>],
}

/// Reserved space for an array of `T`, aligned for `T`.
pub(crate) struct Reserved<'a, T> {
    start: *mut T,
    count: usize,
    buffer: PhantomData<&'a mut [T]>,
}

/// Reserved space for a name as text and its terminating NUL.
pub(crate) struct ReservedText<'a>(Reserved<'a, u8>);

impl<'a> Buffer<'a> {
    /// The buffer of `length` octets at `start`. A null buffer has no space.
    ///
    /// # Safety
    /// `start` must be null, or the memory must be valid for writes for `'a` and used by nothing else.
    pub(crate) unsafe fn new(start: *mut c_char, length: usize) -> Self {
        if start.is_null() {
            return Self { rest: &mut [] };
        }
        // SAFETY: the caller guarantees that the memory is valid and exclusive. It may be uninitialised: the elements
        // are MaybeUninit.
        Self { rest: unsafe { std::slice::from_raw_parts_mut(start.cast(), length.min(isize::MAX as usize)) } }
    }

    /// Reserves space for `count` values of type `T`.
    ///
    /// # Errors
    /// [`Failure::ShortBuffer`]; nothing more can then be reserved.
    pub(crate) fn reserve<T: Copy>(&mut self, count: usize) -> Result<Reserved<'a, T>, Failure> {
        let rest = std::mem::take(&mut self.rest);
        let padding = rest.as_ptr().align_offset(align_of::<T>());
        let size = count.checked_mul(size_of::<T>()).and_then(|size| size.checked_add(padding));
        let (space, rest) = size.and_then(|size| rest.split_at_mut_checked(size)).ok_or(Failure::ShortBuffer)?;
        self.rest = rest;
        let space = space.get_mut(padding..).ok_or(Failure::ShortBuffer)?;
        Ok(Reserved { start: space.as_mut_ptr().cast(), count, buffer: PhantomData })
    }

    /// Reserves space for a name as text.
    ///
    /// # Errors
    /// As [`Buffer::reserve`].
    pub(crate) fn reserve_text(&mut self, name: &Name) -> Result<ReservedText<'a>, Failure> {
        self.reserve(name.text_len() + 1).map(ReservedText)
    }
}

impl<T: Copy> Reserved<'_, T> {
    /// The address of the element `index`; null if the index is out of range.
    pub(crate) fn at(&self, index: usize) -> *mut T {
        if index < self.count { self.start.wrapping_add(index) } else { std::ptr::null_mut() }
    }

    /// Writes the element `index`. Returns false, and writes nothing, if the index is out of range.
    pub(crate) fn write(&mut self, index: usize, value: T) -> bool {
        if index >= self.count {
            return false;
        }
        // SAFETY: the index is in range, and the reserved space is valid for writes, aligned and borrowed exclusively.
        unsafe { self.start.wrapping_add(index).write(value) };
        true
    }
}

impl ReservedText<'_> {
    /// Writes `name`, for which the space was reserved, and returns the string's address.
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
