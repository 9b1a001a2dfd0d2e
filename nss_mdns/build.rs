//! Sets the linker options of the module. Every process that resolves a name loads the module, so these keep it small
//! and free of code that runs at load time.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Runs the linker without the option for a SONAME. `LINKER` is replaced.
const LINKER_SCRIPT: &str = r#"#!/bin/sh
for argument do
    shift
    case $argument in
    -soname=* | --soname=*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec LINKER "$@"
"#;

/// A linker script. GNU's linker matches input sections with its statements before those of its own script.
const NOT_CALLED: &str = "\
SECTIONS { .not_called : { *(.init_array .init_array.* .fini_array .fini_array.*) } } INSERT AFTER .data.rel.ro;
";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for argument in [
        // A thread may have a frame of the module on its stack for as long as the process runs: never unload it.
        "-Wl,-z,nodelete",
        "-Wl,-z,defs",
        "-Wl,-z,relro,-z,now",
        // LLVM's linker otherwise starts the relocated data anywhere in a page, and they often straddle two pages. The
        // second one costs a page fault in every process: dlopen takes 5 % longer. GNU's linker warns, and ignores the option.
        "-Wl,-z,separate-loadable-segments",
        // backtrace.rs defines a function that the unwinder also defines. The linker uses the first: the module's own.
        "-Wl,-z,muldefs",
    ] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
    leave_out_constructors(&folder)?;
    leave_out_soname(&folder)?;
    link_unwinder_statically(&folder)
}

/// Keeps rustc from giving the module a SONAME, as Debian's rustc does to every cdylib. ldconfig would put a file with a
/// SONAME into the loader's cache under that name only, and glibc would not find the other five services. No option
/// takes a SONAME back: GNU's linker ignores an empty one. So the compiler finds this script before the linker itself.
/// The script has no effect with another linker or another rustc.
fn leave_out_soname(folder: &Path) -> io::Result<()> {
    let Some(linker) = ask_compiler("-print-prog-name=ld") else { return Ok(()) };
    let script = folder.join("ld");
    fs::write(&script, LINKER_SCRIPT.replace("LINKER", &format!("'{linker}'")))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    println!("cargo::rustc-cdylib-link-arg=-B{}", folder.display());
    Ok(())
}

/// Removes constructors and destructors: no code may run when a process loads or unloads the module. They have three
/// sources. gcc's start files have some for transactional memory and C++ destructors; the module uses neither.
/// The standard library has one that stores the arguments for `std::env::args`, which the module does not call. libgcc
/// has a destructor for frames that were registered by hand, of which there are none, and on arm64 constructors that
/// choose newer atomic instructions, without which it uses the older ones. A linker script moves the entries of the
/// latter two into a section that the loader does not read.
fn leave_out_constructors(folder: &Path) -> io::Result<()> {
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
    // Linkers other than GNU's and LLVM's do not support INSERT. With them the entries stay, which does no harm.
    if rustc_flags().iter().any(|flag| ["mold", "gold", "wild"].iter().any(|linker| flag.contains(linker))) {
        return Ok(());
    }
    let script = folder.join("no-constructors.ld");
    fs::write(&script, NOT_CALLED)?;
    // Not by -Wl, which splits a path at its commas.
    println!("cargo::rustc-cdylib-link-arg=-T{}", script.display());
    Ok(())
}

/// Links the unwinder statically, because loading `libgcc_s.so.1` takes as long as loading the module itself. rustc
/// always links with `-lgcc_s`, so a linker script of that name refers to gcc's static archives instead. Without those
/// archives the module is linked to the shared library as usual, and only loads more slowly.
fn link_unwinder_statically(folder: &Path) -> io::Result<()> {
    let has = |archive: &str| {
        let path = ask_compiler(&format!("-print-file-name={archive}")).unwrap_or_default();
        Path::new(&path).is_absolute() && Path::new(&path).exists()
    };
    if has("libgcc_eh.a") && has("libgcc.a") {
        fs::write(folder.join("libgcc_s.so"), "GROUP(libgcc_eh.a libgcc.a)\n")?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    } else {
        println!("cargo::warning=libgcc_eh.a or libgcc.a is missing: the module will load libgcc_s.so.1");
    }
    Ok(())
}

/// What the compiler that rustc links with prints for this option; nothing if it cannot be run.
fn ask_compiler(option: &str) -> Option<String> {
    let flags = rustc_flags();
    let chosen = flags.iter().rev().find_map(|flag| flag.trim_start_matches("-C").strip_prefix("linker="));
    let compiler = chosen.map(str::to_owned).or_else(|| env::var("RUSTC_LINKER").ok()).unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler).arg(option).output().ok()?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(printed).filter(|printed| output.status.success() && !printed.is_empty())
}

/// The flags that the user's configuration gives to rustc, without the paths of packaging/cargo.
fn rustc_flags() -> Vec<String> {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    flags.split('\x1f').filter(|flag| !flag.starts_with("--remap-path-prefix")).map(str::to_owned).collect()
}
