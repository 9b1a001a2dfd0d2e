//! Measures the module beside its peers; started by `tests/bench`. See [`tests::bench`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("bench", tests::bench::main(std::env::args().skip(1)))
}
