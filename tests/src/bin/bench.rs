//! Measures the module beside its peers; started by `tests/bench`. See [`tests::bench`].

use std::process::ExitCode;

fn main() -> ExitCode {
    match tests::bench::main(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
