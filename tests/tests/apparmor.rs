//! The rule by which programs that AppArmor confines may read the module's settings, in the abstraction that includes it.
//! AppArmor's parser compiles a profile; the kernel need not have AppArmor.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, process};
use tests::deps;
use tests::module::workspace;
use tests::sandbox::unique;

const PROFILE: &str = "abi <abi/3.0>,\ninclude <tunables/global>\nprofile client /usr/bin/client {\n\
    include <abstractions/base>\n  include <abstractions/nameservice>\n}\n";

/// A copy of AppArmor's folder with a rule in `nameservice.d`; disappears when it is dropped.
struct Rules(PathBuf);

impl Rules {
    fn new(rule: Option<&str>) -> Rules {
        let folder = env::temp_dir().join(format!("nss-mdns-apparmor-{}-{}", process::id(), unique()));
        let original = deps::file("root/etc/apparmor.d").expect("AppArmor's folder");
        let copy = Command::new("cp").arg("-r").args([&original, &folder]).status().expect("cp");
        assert!(copy.success(), "{original:?}");
        let rules = Rules(folder);
        if let Some(rule) = rule {
            let include = rules.0.join("abstractions/nameservice.d");
            fs::create_dir_all(&include).expect("a folder");
            fs::write(include.join("nss-mdns"), rule).expect("a file");
        }
        fs::write(rules.0.join("client"), PROFILE).expect("a file");
        rules
    }

    fn parse(&self, options: &[&str]) -> Output {
        let parser = deps::unpacked("sbin/apparmor_parser").expect("the parser");
        // A configuration file of the machine may have options.
        let mut command = Command::new(parser);
        command.args(["--config-file", "/dev/null", "--skip-kernel-load", "--skip-cache", "--base"]).arg(&self.0);
        command.args(options).arg(self.0.join("client")).output().expect("the parser starts")
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn rule() -> String {
    fs::read_to_string(Path::new(workspace()).join("packaging/apparmor")).expect("the rule")
}

#[test]
fn a_profile_with_name_services_includes_the_rule() {
    for (rule, count) in [(Some(rule()), 1), (None, 0)] {
        let rules = Rules::new(rule.as_deref());
        let output = rules.parse(&["--preprocess"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter(|line| line.trim() == "/etc/nss-mdns.conf r,");
        assert_eq!(lines.count(), count, "{text}");
    }
}

#[test]
fn a_profile_with_the_rule_compiles() {
    let output = Rules::new(Some(&rule())).parse(&[]);
    assert!(output.status.success(), "{output:?}");
    let output = Rules::new(Some("/etc/nss-mdns.conf reads,\n")).parse(&[]);
    assert!(!output.status.success(), "a mistake must be noticed: {output:?}");
}
