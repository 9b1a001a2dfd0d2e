//! A multicast DNS responder with a settable shape; see [`tests::scripted`].

use std::process::ExitCode;

fn main() -> ExitCode {
    match tests::scripted::main(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("responder: {why}");
            ExitCode::FAILURE
        }
    }
}
