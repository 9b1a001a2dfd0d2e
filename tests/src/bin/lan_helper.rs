//! Small programs that run in the hosts of a LAN; see [`tests::helpers`].

use std::process::ExitCode;

fn main() -> ExitCode {
    match tests::helpers::main(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("lan_helper: {why}");
            ExitCode::FAILURE
        }
    }
}
