//! The documents agree with the code: the manual pages, the example of the settings, the hosts lines, the recommended
//! settings, the result codes, and the paths that the documents name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use resolver_core::config::allow::Suffixes;
use resolver_core::config::{self, SETTINGS};
use resolver_core::{Config, HostName};
use tests::module::workspace;

const MODULE_PAGE: &str = "docs/man/nss-mdns.8";
const SETTINGS_PAGE: &str = "docs/man/nss-mdns.conf.5";
const CHECK_PAGE: &str = "docs/man/nss-mdns.1";
const EXAMPLE: &str = "docs/nss-mdns.conf.example";
/// The documents in Markdown whose links and paths are checked.
const MARKDOWN: [&str; 12] = [
    "README.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/32-bit.md",
    "docs/bench.md",
    "docs/lookups.md",
    "docs/migrating.md",
    "docs/platforms.md",
    "docs/responders.md",
    "packaging/README.md",
];

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn manual_pages() -> Vec<PathBuf> {
    let folder = fs::read_dir(workspace().join("docs/man")).expect("docs/man is there");
    let pages: Vec<_> = folder.map(|entry| entry.expect("it can be listed").path()).collect();
    assert!(pages.len() >= 3, "{pages:?}");
    pages
}

/// Parses the text of a settings file; returns the settings and the problems.
fn settings(text: &str) -> (Config, Vec<String>) {
    let mut problems = Vec::new();
    let config = config::parse(text.as_bytes(), &mut |problem| problems.push(problem.to_string()));
    (config, problems)
}

#[test]
fn mandoc_and_groff_report_nothing_about_the_manual_pages() {
    for (program, options) in [("mandoc", ["-Tlint", "-W", "warning"]), ("groff", ["-mandoc", "-ww", "-z"])] {
        for page in manual_pages() {
            let output = Command::new(program).args(options).arg(&page).output();
            let output = output.unwrap_or_else(|why| panic!("{program}: {why}: run tests/deps"));
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success() && said.is_empty(), "{program}: {}", String::from_utf8_lossy(&said));
        }
    }
}

#[test]
fn the_manual_page_lists_every_setting_with_its_default_and_values() {
    let page = read(SETTINGS_PAGE);
    let lines: Vec<_> = page.lines().collect();
    let rows = lines.windows(2).filter_map(|pair| {
        let (key, default) = pair.first()?.strip_prefix(".It Ic ")?.split_once(" = ")?;
        Some((key, default, pair.last()?.strip_prefix("Values: ")?.strip_suffix('.')?.to_owned()))
    });
    let table = SETTINGS.iter().map(|setting| (setting.key, setting.default, setting.kind.to_string()));
    assert_eq!(rows.collect::<Vec<_>>(), table.collect::<Vec<_>>());
}

#[test]
fn the_example_shows_the_defaults() {
    let example = read(EXAMPLE);
    assert_eq!(settings(&example), (Config::default(), vec![]), "as it is");
    // A setting has the number sign directly before its key; a sentence has a space after it.
    let is_setting = |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    let uncommented: Vec<_> = example.lines().filter(is_setting).map(|line| &line[1..]).collect();
    let table: Vec<_> = SETTINGS.iter().map(|setting| format!("{} = {}", setting.key, setting.default)).collect();
    assert_eq!(uncommented, table);
    assert_eq!(settings(&uncommented.join("\n")), (Config::default(), vec![]), "uncommented");
}

/// The displays of a manual page: the text between `.Bd -literal` and `.Ed`, as it is rendered.
fn displays(page: &str) -> Vec<String> {
    let parts = page.split(".Bd -literal").skip(1).filter_map(|part| part.split_once('\n')?.1.split_once(".Ed"));
    parts.map(|(display, _)| display.replace("\\&", "")).collect()
}

#[test]
fn the_examples_in_the_manual_page_parse_without_problems() {
    let displays = displays(&read(SETTINGS_PAGE));
    let of = |file: &str| displays.iter().filter(|text| text.starts_with(&format!("# {file}"))).collect::<Vec<_>>();
    let of_settings = of("/etc/nss-mdns.conf");
    assert!(of_settings.len() >= 4, "{displays:?}");
    for text in of_settings {
        let (config, problems) = settings(text);
        assert!(problems.is_empty() && config != Config::default(), "{text}{problems:?}");
    }
    let lists = of("/etc/mdns.allow");
    assert!(!lists.is_empty(), "{displays:?}");
    for text in lists {
        let list = Suffixes::parse(text.as_bytes(), &mut |problem| panic!("{text}{problem}"));
        for name in ["printer.local", "printer.local."] {
            let host = HostName::from_text(name.as_bytes()).expect("a valid name");
            assert!(list.contain(&host), "{name}: {text}");
        }
    }
}

#[test]
fn the_manual_pages_quote_messages_exactly() {
    for (path, before, line) in [(SETTINGS_PAGE, "", "timeout = 2s"), (CHECK_PAGE, "settings: problem: ", "labels = 3")]
    {
        let (_, problems) = settings(&format!("\n\n{line}\n"));
        let message = format!("{before}/etc/nss-mdns.conf:{}", problems.join("\n"));
        let displays = displays(&read(path));
        assert!(displays.iter().flat_map(|text| text.lines()).any(|shown| shown == message), "{path}: {message}");
    }
}

/// A status, `errno` and `h_errno`, by their names.
type Codes = [String; 3];

/// The rows of the table in `result_codes.rs`, with the names that the manual page uses.
fn codes_in_the_source() -> BTreeSet<Codes> {
    let source = read("nss_mdns/src/result_codes.rs");
    let table = source.split_once("match self {").and_then(|(_, rest)| rest.split_once("};")).expect("the table").0;
    let row = |line: &str| {
        let (_, codes) = line.split_once("=> (Status::")?;
        let codes: Vec<_> = codes.trim_end_matches("),").split(", ").collect();
        let [status, errno, h_errno] = codes.as_slice() else { return None };
        let errno = if *errno == "errno" { "the call's" } else { errno.trim_start_matches("libc::") };
        Some([status.to_uppercase(), errno.into(), (*h_errno).into()])
    };
    // If a system call fails with ERANGE, the module returns EIO instead. These codes are those of a panic, so they
    // need no row in the page.
    table.lines().filter_map(row).collect()
}

#[test]
fn the_manual_page_lists_the_result_codes_that_the_module_returns() {
    let page = read(MODULE_PAGE);
    let table = page.split_once(".Ss Result codes").and_then(|(_, rest)| rest.split_once(".El")).expect("the table").0;
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix(".It ")?.split(" Ta ").collect();
        let [_, status, errno, h_errno] = cells.as_slice() else { panic!("{line}") };
        Some([(*status).into(), (*errno).into(), (*h_errno).into()])
    });
    let heading = ["Sy status", "Sy errno", "Sy h_errno"].map(str::to_owned);
    let success = ["SUCCESS", "unchanged", "NETDB_SUCCESS"].map(str::to_owned);
    let mut rows: BTreeSet<Codes> = rows.collect();
    assert!(rows.remove(&heading) && rows.remove(&success), "{rows:?}");
    let code = codes_in_the_source();
    assert!(code.len() >= 9, "{code:?}");
    assert_eq!(rows, code);
}

/// The services of a hosts line; None if the line is not a hosts line.
fn services(line: &str) -> Option<String> {
    let services = line.trim_start_matches(['#', ' ']).strip_prefix("hosts:")?;
    Some(services.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn the_hosts_lines_in_the_documents_are_those_of_the_example() {
    let lines = |path: &str| read(path).lines().filter_map(services).collect::<BTreeSet<_>>();
    let example = lines("nsswitch.conf.example");
    assert!(example.len() >= 5, "{example:?}");
    assert_eq!(lines(MODULE_PAGE), example);
    for path in ["README.md", "docs/lookups.md", SETTINGS_PAGE] {
        let shown = lines(path);
        assert!(!shown.is_empty() && shown.is_subset(&example), "{path}: {shown:?}, example: {example:?}");
    }
}

/// The settings that a text shows on lines of their own, commented out or not.
fn settings_shown(text: &str) -> Vec<&str> {
    let is_setting =
        |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| SETTINGS.iter().any(|setting| setting.key == key));
    text.lines().map(|line| line.trim_start_matches(['#', ' '])).filter(is_setting).collect()
}

/// Another test shows that the examples in the manual page parse without problems.
#[test]
fn settings_recommended_elsewhere_are_an_example_in_the_manual_page() {
    let displays = displays(&read(SETTINGS_PAGE));
    for path in ["docs/lookups.md", "nsswitch.conf.example"] {
        let text = read(path);
        let shown = settings_shown(&text);
        let in_page = displays.iter().any(|display| settings_shown(display) == shown);
        assert!(in_page && !shown.is_empty(), "{path}: {shown:?}, page: {displays:?}");
    }
}

/// The parts of a line that are between backquotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The files that the map names, relative to the root of the repository. The heading of each table names the folder
/// that its paths are relative to. A path without a folder, such as `names.rs` after `tests/tests/responder_matrix.rs`, is in the
/// same folder as the path before it.
fn files_in_the_map() -> Vec<PathBuf> {
    let contributing = read("CONTRIBUTING.md");
    let (_, map) = contributing.split_once("## The map").expect("the map");
    let (map, _) = map.split_once("\n## ").expect("a heading after the map");
    let (mut files, mut base) = (Vec::new(), "");
    for (paths, _) in map.lines().filter_map(|line| line.split_once(" | ")) {
        if paths.starts_with("| path") {
            base = quoted(paths).next().unwrap_or_default();
            continue;
        }
        let mut folder = Path::new("");
        for path in quoted(paths) {
            let path = Path::new(path);
            folder = path.parent().filter(|parent| parent.components().count() > 0).unwrap_or(folder);
            files.push(Path::new(base).join(folder).join(path.file_name().expect("a name")));
        }
    }
    files
}

#[test]
fn the_map_names_files_that_exist() {
    let files = files_in_the_map();
    for file in &files {
        assert!(workspace().join(file).exists(), "{} is in the map but does not exist", file.display());
    }
    assert!(files.len() >= 50, "only {} files in the map", files.len());
}

/// `lib.rs` and `mod.rs` need no row, because most of them only list their modules. Unit tests and build scripts need
/// none either.
#[test]
fn the_map_names_every_source_file_of_the_module() {
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "bin") {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let map = files_in_the_map();
    for (folder, least) in [("resolver-core/src", 10), ("nss_mdns/src", 10), ("nss_mdns/command/src", 4)] {
        let mut found = Vec::new();
        sources(&workspace().join(folder), &mut found);
        assert!(found.len() >= least, "{folder}: {found:?}");
        for path in found {
            let file = path.strip_prefix(workspace()).expect("a path in the workspace");
            let needs_no_row = ["lib.rs", "mod.rs", "tests.rs", "build.rs"].iter().any(|name| file.ends_with(name));
            assert!(needs_no_row || map.iter().any(|named| named == file), "{} is not in the map", file.display());
        }
    }
}

/// The paths between backquotes in a text that begin with a folder at the root of the repository. Paths in `target` are
/// left out, because it does not exist before a build.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let begins_here = |path: &&str| {
        let top = path.split_once('/').map_or("", |(top, _)| top);
        !matches!(top, "" | "target") && workspace().join(top).exists()
    };
    text.lines().flat_map(quoted).filter_map(|quote| quote.split(' ').next()).filter(begins_here)
}

#[test]
fn paths_in_the_documents_exist() {
    let mut named = 0;
    for document in MARKDOWN {
        for path in paths(&read(document)) {
            assert!(workspace().join(path).exists(), "{document}: {path} does not exist");
            named += 1;
        }
    }
    assert!(named >= 50, "only {named} paths in the documents");
}

#[test]
fn targets_of_links_between_the_documents_exist() {
    for path in MARKDOWN {
        let text = read(path);
        let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            let file = if file.is_empty() { PathBuf::from(path) } else { folder.join(file) };
            assert!(workspace().join(&file).exists(), "{path}: {target}");
            assert!(heading.is_empty() || has_heading(&read(&file.to_string_lossy()), heading), "{path}: {target}");
        }
    }
}

/// True if a text has a heading with this anchor, by the rules of the usual code-hosting sites.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let mut anchors =
        headings.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"));
    anchors.any(|made| made == anchor)
}
