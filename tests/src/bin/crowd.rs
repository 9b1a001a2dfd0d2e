//! A responder that knows every name; see [`tests::guest::crowd`].

use std::process::ExitCode;

fn main() -> ExitCode {
    match tests::guest::crowd::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("crowd: {why}");
            ExitCode::FAILURE
        }
    }
}
