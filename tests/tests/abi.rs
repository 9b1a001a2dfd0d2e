//! The interface to glibc: every function of every service, in every buffer; and every outcome through glibc itself.

use tests::guest::Home;

type Tested = Result<(), String>;

#[test]
fn every_function_keeps_to_its_interface() -> Tested {
    let home = Home::new()?;
    home.host("abi", &[&home.client.eth0().index.to_string()]).map(drop)
}
