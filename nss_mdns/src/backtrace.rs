//! A stub that keeps the code for backtraces out of the module. The module prints no backtraces, and the code that
//! reads debug information for them is half of what the standard library would add to the module.
//!
//! The standard library walks the stack with `_Unwind_Backtrace`, whose callback leads to all that code. Because this
//! `_Unwind_Backtrace` never calls back, the code is unreachable, and link-time optimisation drops it.
//!
//! The symbol must be hidden, which takes `global_asm!`. Rust 1.85 has it for the architectures below. On others, such as
//! ppc64el, the code for backtraces stays in the module, and is never called.
#![cfg(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "loongarch64",
    target_arch = "s390x",
))]

use libc::{c_int, c_void};

/// `_Unwind_Backtrace` for a stack without frames: returns `_URC_NO_REASON`.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each: *mut c_void, _argument: *mut c_void) -> c_int {
    0
}

// The unwinder, which panics need, defines the same symbol; build.rs lets the linker accept both and use this one.
// Hidden: the module must not export it.
std::arch::global_asm!(".hidden _Unwind_Backtrace");
