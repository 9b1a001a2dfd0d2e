//! Small programs that run in the hosts of a LAN; see [`tests::helpers`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::exit_code("lan_helper", tests::helpers::main(std::env::args().skip(1)))
}
