//! The file that glibc loads: its exports and dependencies, constructors and destructors, hardening, relocations, size, and
//! paths of the build machine.
//!
//! `tests/arches` runs these tests for other architectures: `NSS_MDNS_MODULE` then names a module for one of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tests::module::{self, SERVICES};

/// The names of the functions of one service, without the prefix `_nss_<service>_`.
const FUNCTIONS: [&str; 6] = [
    "gethostbyname_r",
    "gethostbyname2_r",
    "gethostbyname3_r",
    "gethostbyname4_r",
    "gethostbyaddr_r",
    "gethostbyaddr2_r",
];

/// The maximum size of the module, in octets, as a toolchain from rustup builds it.
const LARGEST: u64 = 330_000;

/// The maximum size and number of relocations, for each value of `Machine` in the ELF header: as Debian 13's rustc 1.85 and
/// gcc 14 build the module. LLVM inlines much more for s390x, and the code for backtraces is not left out on ppc64el. On
/// AArch64, ARM and PowerPC64 the segments begin at multiples of 64 KiB, so the size of the file grows in such steps.
const LARGEST_OF_DEBIAN: [(&str, u64, usize); 7] = [
    ("Advanced Micro Devices X86-64", 368_000, 265),
    ("AArch64", 400_000, 265),
    ("ARM", 400_000, 310),
    ("Intel 80386", 385_000, 310),
    ("RISC-V", 335_000, 310),
    ("IBM S/390", 660_000, 270),
    ("PowerPC64", 800_000, 600),
];

/// The output of readelf for the module.
fn readelf(option: &str) -> Result<String, String> {
    let mut command = Command::new("readelf");
    command.args(["--wide", option]).arg(module::path()?).env("LC_ALL", "C");
    let output = command.output().map_err(|why| format!("readelf (binutils) cannot be run: {why}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && !text.is_empty() { Ok(text) } else { Err(format!("readelf: {output:?}")) }
}

/// The names of the dynamic symbols for which `wanted` is true, without their versions.
fn dynamic_symbols(wanted: impl Fn(&[&str]) -> bool) -> Result<BTreeSet<String>, String> {
    let table = readelf("--dyn-syms")?;
    // Num: Value Size Type Bind Vis Ndx Name; on ppc64el `[<localentry>: 8]` before Ndx.
    let lines = table.lines().map(|line| {
        let (before, after) = line
            .split_once(" [")
            .map_or((line, ""), |(before, rest)| (before, rest.split_once(']').map_or("", |(_, after)| after)));
        before.split_whitespace().chain(after.split_whitespace()).collect::<Vec<_>>()
    });
    let symbols = lines.filter(|fields| fields.len() >= 8 && fields[0].ends_with(':') && wanted(fields));
    Ok(symbols.map(|fields| fields[7].split('@').next().unwrap_or_default().to_owned()).collect())
}

#[test]
fn the_module_exports_the_36_functions_and_nothing_else() -> Result<(), String> {
    let service = |service: &&str| FUNCTIONS.map(|function| format!("_nss_{service}_{function}"));
    let expected: BTreeSet<_> = SERVICES.iter().flat_map(service).collect();
    assert_eq!(expected.len(), 36);
    // On arm64, the table includes local symbols for sections.
    let is_exported = |fields: &[&str]| fields[4] != "LOCAL" && fields[6] != "UND" && fields[6] != "Ndx";
    assert_eq!(dynamic_symbols(is_exported)?, expected);
    Ok(())
}

#[test]
fn the_module_depends_only_on_libc() -> Result<(), String> {
    let dynamic = readelf("--dynamic")?;
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    // The loader, which defines __tls_get_addr, is in every process anyway.
    let is_loader = |line: &str| line.contains("[ld-linux") || line.contains("[ld64.so");
    let others = needed.filter(|line| !line.contains("[libc.so.6]") && !is_loader(line));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    Ok(())
}

/// If the module had a SONAME, ldconfig would leave the links of the other services out of its cache.
#[test]
fn the_module_has_no_soname() -> Result<(), String> {
    assert!(!readelf("--dynamic")?.contains("(SONAME)"));
    Ok(())
}

#[test]
fn no_code_runs_when_the_module_is_loaded_or_unloaded() -> Result<(), String> {
    let dynamic = readelf("--dynamic")?;
    for tag in ["(INIT)", "(FINI)", "(INIT_ARRAY)", "(FINI_ARRAY)", "(PREINIT_ARRAY)"] {
        assert!(!dynamic.contains(tag), "{tag} in\n{dynamic}");
    }
    Ok(())
}

#[test]
fn the_module_is_never_unloaded() -> Result<(), String> {
    let dynamic = readelf("--dynamic")?;
    let flags = dynamic.lines().find(|line| line.contains("(FLAGS_1)")).unwrap_or_default();
    assert!(flags.contains("NODELETE"), "{dynamic}");
    Ok(())
}

#[test]
fn the_module_is_hardened() -> Result<(), String> {
    let segments = readelf("--program-headers")?;
    let flags_of = |kind: &str| {
        let line = segments.lines().find(|line| line.trim_start().starts_with(kind));
        // Type Offset VirtAddr PhysAddr FileSiz MemSiz Flg Align, where Flg may contain a space.
        line.map(|line| line.split_whitespace().skip(6).filter(|word| !word.starts_with('0')).collect::<String>())
    };
    assert_eq!(flags_of("GNU_STACK").as_deref(), Some("RW"), "{segments}");
    assert!(flags_of("GNU_RELRO").is_some(), "{segments}");
    assert!(!segments.lines().any(|line| line.contains("LOAD") && line.contains(" RWE ")), "{segments}");
    let dynamic = readelf("--dynamic")?;
    assert!(dynamic.contains("BIND_NOW") || dynamic.contains("Flags: NOW"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
    Ok(())
}

/// Parts of the names of functions that must not be called in a host process: they print, depend on the locale, wait
/// for a lock after a fork or start a thread. Each of them has caused problems in some NSS module.
const UNWANTED: &str = "printf puts fopen fwrite stderr syslog setlocale str_to tolower toupper strcase strncase ctype \
    atfork getifaddrs select pthread_create pthread_cond atexit environ setenv sigaction raise dlopen \
    getaddrinfo if_nametoindex exec fork system rand";

#[test]
fn the_module_calls_no_function_that_endangers_the_host_process() -> Result<(), String> {
    let called = dynamic_symbols(|fields| fields[6] == "UND")?;
    assert!(called.contains("recvmsg"), "{called:?}");
    let unwanted = |name: &String| {
        // The unwinder of gcc 13 and later refers to the last two, for frames that a program registers. The module
        // registers none; tests/guests/panics.c shows that its panics do not call them.
        let harmless = ["getrandom", "pthread_sigmask", "pthread_cond_wait", "pthread_cond_broadcast"];
        let is_harmless = harmless.contains(&name.as_str());
        !is_harmless && UNWANTED.split_whitespace().any(|part| name.contains(part))
    };
    assert_eq!(called.iter().filter(|name| unwanted(name)).collect::<Vec<_>>(), Vec::<&String>::new());
    Ok(())
}

#[test]
fn the_module_contains_no_path_of_the_build_machine() -> Result<(), String> {
    let octets = std::fs::read(module::path()?).map_err(|why| why.to_string())?;
    // The version of LLD names the folder in which LLD was built: /checkout/src/llvm-project for the toolchains from rustup.
    let strings = octets.split(|octet| *octet == 0).filter(|string| !string.starts_with(b"Linker: LLD "));
    let octets = strings.collect::<Vec<_>>().join(&0);
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_default();
    let workspace = module::workspace().to_string_lossy().into_owned();
    let fixed = ["/home/", "/root/", ".cargo", "registry/src", "index.crates.io", "/target/"];
    for path in fixed.into_iter().chain([&*home, &*cargo_home, &*workspace]).filter(|path| path.len() > 1) {
        let found = octets.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "the module contains {path}; was it built by packaging/cargo?");
    }
    Ok(())
}

/// The machine in the ELF header.
fn machine() -> Result<String, String> {
    let header = readelf("--file-header")?;
    let line = header.lines().find_map(|line| line.trim().strip_prefix("Machine:"));
    line.map(|machine| machine.trim().to_owned()).ok_or(header)
}

/// The maximum size and number of relocations. A module that a toolchain from rustup has built has the smaller size.
fn limits() -> Result<(u64, usize), String> {
    let machine = machine()?;
    let row = LARGEST_OF_DEBIAN.iter().find(|row| row.0 == machine);
    let &(_, largest, relocations) = row.ok_or_else(|| format!("no limits for {machine}"))?;
    Ok((if is_built_by_a_distributions_compiler()? { largest } else { LARGEST }, relocations))
}

/// Whether the rustc that built the module is a distribution's own, such as Debian's. Its version then says so.
fn is_built_by_a_distributions_compiler() -> Result<bool, String> {
    Ok(readelf("--string-dump=.comment")?.contains("built from a source tarball"))
}

/// Each relocation costs time in every process that loads the module. Indirect functions (`IRELATIVE`) would also run
/// code.
#[test]
fn the_module_has_few_relocations_and_none_that_runs_code() -> Result<(), String> {
    let table = readelf("--relocs")?;
    // Offset Info Type ...
    let types = table.lines().filter_map(|line| line.split_whitespace().nth(2));
    let types: Vec<_> = types.filter(|kind| kind.starts_with("R_")).collect();
    println!("{} relocations", types.len());
    assert!(!types.iter().any(|kind| kind.contains("IRELATIV")), "{table}");
    assert!(types.len() <= limits()?.1, "{} relocations", types.len());
    Ok(())
}

#[test]
fn the_module_is_within_its_maximum_size() -> Result<(), String> {
    let path: &Path = module::path()?;
    let size = std::fs::metadata(path).map_err(|why| why.to_string())?.len();
    println!("{size} octets");
    assert!(size <= limits()?.0, "{size} octets");
    Ok(())
}
