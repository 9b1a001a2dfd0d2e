//! `nss-mdns check`: what it says about this machine, and the story of each lookup.

mod lookups;
mod machine;
mod names;

use tests::lan::Host;

type Tested = Result<(), String>;

/// What `nss-mdns check` printed.
#[derive(Debug)]
struct Output {
    text: String,
    status: Option<i32>,
}

/// The path of the program, which is built together with the module.
fn program() -> Result<String, String> {
    Ok(tests::module::path()?.with_file_name("nss-mdns").display().to_string())
}

/// Runs `nss-mdns check` on a host.
fn check(host: &Host, arguments: &[&str]) -> Result<Output, String> {
    check_by(host, &[], arguments)
}

/// Runs `nss-mdns check` by a program with these words.
fn check_by(host: &Host, by: &[&str], arguments: &[&str]) -> Result<Output, String> {
    let outcome = host.run(&[by, &[&program()?, "check"], arguments].concat());
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    Ok(Output { text: outcome.stdout, status: outcome.code })
}

impl Output {
    /// The findings, and the lines of stories without their times.
    fn lines(&self) -> Vec<&str> {
        self.text.lines().map(without_time).collect()
    }

    /// Checks that each of these is a line.
    #[track_caller]
    fn has(&self, expected: &[impl AsRef<str>]) {
        for expected in expected {
            let expected = expected.as_ref();
            assert!(self.lines().contains(&expected), "{expected:?} is not in\n{}", self.text);
        }
    }

    /// Checks that no line contains this.
    #[track_caller]
    fn has_no(&self, text: &str) {
        assert!(!self.text.contains(text), "{text:?} is in\n{}", self.text);
    }

    /// Runs the command of the line that begins with this and has a remedy, without sudo, as an administrator would paste
    /// it.
    fn apply_remedy(&self, host: &Host, subject: &str) -> Tested {
        let command =
            self.after(&format!("{subject}: remedy: ")).replace("sudo nss-mdns ", &format!("{} ", program()?));
        host.script(&command.replace("sudo ", "")).map(drop)
    }

    /// The first line that begins with this, without it.
    #[track_caller]
    fn after(&self, beginning: &str) -> &str {
        let found = self.lines().into_iter().find_map(|line| line.strip_prefix(beginning));
        found.unwrap_or_else(|| panic!("no line begins with {beginning:?} in\n{}", self.text))
    }

    #[track_caller]
    fn has_status(&self, status: i32) {
        assert_eq!(self.status, Some(status), "\n{}", self.text);
    }
}

/// A line of a story without its time.
fn without_time(line: &str) -> &str {
    match line.split_once(" ms  ") {
        Some((time, text)) if time.trim().parse::<f64>().is_ok() => text,
        _ => line.trim(),
    }
}
