//! No backtraces: nothing prints them here, and the code that would read debug information for them is half of what the
//! standard library brings.
//!
//! The standard library walks the stack by `_Unwind_Backtrace`, with a callback that leads to all that code. What is seen
//! to never call back makes it unreachable, and link-time optimisation drops it.

use libc::{c_int, c_void};

/// `_Unwind_Backtrace`, which has walked the whole of a stack of no frames (`_URC_NO_REASON`).
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each: *mut c_void, _argument: *mut c_void) -> c_int {
    0
}

// For the linker it is no more than a spare: the unwinder brings its own, with all else that a panic needs. And it is not
// exported.
std::arch::global_asm!(".hidden _Unwind_Backtrace");
