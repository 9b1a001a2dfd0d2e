//! The unit tests of the library, as a test program of its own. If they were tests of the cdylib itself, cargo 1.85 would
//! link them with the options of build.rs, which leave out what starts a program.

// Not backtrace: it replaces functions that a test program needs.
mod abi;
mod allocator;
mod buffer;
mod encode;
mod entry;
mod guard;
mod interrupted;
mod result_codes;
mod service;
mod state;
