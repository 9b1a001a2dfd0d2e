//! A scripted attacker and its victim; see [`tests::attacks`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("attacker", tests::attacks::program::main(std::env::args().skip(1)))
}
