//! A scripted attacker and its victim; see [`tests::attacks`].

use std::process::ExitCode;

fn main() -> ExitCode {
    match tests::attacks::program::main(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("attacker: {why}");
            ExitCode::FAILURE
        }
    }
}
