//! The program `nss-mdns`. Everything is in the library, so that it is documented, fuzzed and tested.

use std::process::ExitCode;

fn main() -> ExitCode {
    nss_mdns_command::main()
}
