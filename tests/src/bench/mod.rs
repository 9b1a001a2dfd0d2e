//! The measurements of `tests/bench`: this module, nss-mdns with avahi-daemon and nss-resolve with systemd-resolved on
//! one private LAN in one run, and a bare query as the lower bound. Some rows have LANs of their own, and another build of
//! the module can be measured as well.
//!
//! | module | subject |
//! |---|---|
//! | `rows` | the rows of the table: what is measured, and the targets |
//! | `measure` | the LAN, and the order of the measurements |
//! | `clients` | the three clients and their daemons |
//! | `responder` | the responders |
//! | `pairs` | LANs with one responder and one client, on which lookups run side by side |
//! | `agent` | starts processes in a host |
//! | `probe` | the measurements in those processes |
//! | `bare` | the bare query |
//! | `shared_object` | a module that is called without glibc |
//! | `confine` | seccomp filters that show which system calls are not made |
//! | `packets` | the packets that leave an interface, with time stamps |
//! | `stats`, `table`, `chart` | medians, Markdown, SVG |

mod agent;
mod bare;
mod chart;
mod clients;
mod confine;
mod measure;
mod packets;
mod pairs;
mod probe;
mod responder;
mod rows;
mod shared_object;
mod stats;
mod table;

use std::path::PathBuf;

/// The options.
#[derive(Debug, Default)]
struct Options {
    quick: bool,
    only: Vec<String>,
    svg: Option<PathBuf>,
    /// Another build of the module.
    baseline: Option<PathBuf>,
}

/// The `bench` program.
///
/// # Errors
/// If an option is invalid, or a measurement fails.
pub fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let words: Vec<String> = arguments.collect();
    match words.split_first() {
        Some((first, _)) if first == "agent" => agent::serve(),
        Some((first, rest)) if first == "probe" => probe::main(rest),
        _ => run(parse(words.into_iter())?),
    }
}

const OPTIONS: &str = "--quick, --only ROW, --svg FILE and --baseline FILE";

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options.quick = true,
            "--only" => options.only.push(words.next().ok_or("--only needs a part of the name of a row")?),
            "--svg" => options.svg = Some(words.next().ok_or("--svg needs a file")?.into()),
            "--baseline" => options.baseline = Some(words.next().ok_or("--baseline needs a file")?.into()),
            _ => return Err(format!("{word}: not an option. The options are {OPTIONS}")),
        }
    }
    Ok(options)
}

fn run(options: Options) -> Result<(), String> {
    let before = load();
    let mut bench = measure::Bench::new(&options)?;
    println!("{}", table::head());
    rows::all(&mut bench)?;
    println!("\n{}", rows::NOTES);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "- {processors} processors, load average {before} before and {} after. The lower the load, the more accurate \
         the results.",
        load()
    );
    if let Some(file) = options.svg {
        std::fs::write(&file, chart::draw(&bench.bars)).map_err(|why| format!("{}: {why}", file.display()))?;
    }
    Ok(())
}

/// The load average of the last minute.
fn load() -> String {
    let average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    average.split(' ').next().unwrap_or_default().into()
}
