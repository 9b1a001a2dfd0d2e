//! A responder that knows every name; see [`tests::guest::crowd`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("crowd", tests::guest::crowd::main())
}
