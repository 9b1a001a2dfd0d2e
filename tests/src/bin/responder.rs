//! A multicast DNS responder with configurable behaviour; see [`tests::scripted`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("responder", tests::scripted::main(std::env::args().skip(1)))
}
