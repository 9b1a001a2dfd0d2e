//! Measures the module and its peers. `tests/bench` starts it; see [`tests::bench`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("bench", tests::bench::main(std::env::args().skip(1)))
}
