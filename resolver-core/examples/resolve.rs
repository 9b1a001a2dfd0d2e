//! Resolves names under `.local`:
//!
//! ```sh
//! cargo run -p resolver-core --example resolve printer.local
//! ```

use std::process::ExitCode;

use resolver_core::policy::NameRange;
use resolver_core::{Answer, Families, LookupError, Resolver};

fn main() -> ExitCode {
    // One resolver for all threads of a program: it has the cache.
    let resolver = Resolver::default();
    let mut code = ExitCode::SUCCESS;
    for name in std::env::args().skip(1) {
        match resolve(&resolver, &name) {
            Ok(answer) => answer.addresses.iter().for_each(|address| println!("{name}: {}", address.ip)),
            Err(error) => {
                eprintln!("{name}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Both families of addresses. Waits until the answer is complete, at most for `timeout` of `/etc/nss-mdns.conf`.
fn resolve(resolver: &Resolver, name: &str) -> Result<Answer, LookupError> {
    let host = NameRange::Local.host_name(name.as_bytes())?;
    resolver.lookup(&host, NameRange::Local, Families::BOTH)
}
