//! A responder for every name; see [`tests::guest::wildcard`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("wildcard_responder", tests::guest::wildcard::main())
}
