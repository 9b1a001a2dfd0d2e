//! How the module is linked. It is loaded into every process that resolves a name, so what it drags in counts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for argument in [
        // Code of the module may be on some thread's stack for ever: never unload it.
        "-Wl,-z,nodelete",
        "-Wl,-z,defs",
        "-Wl,-z,relro,-z,now",
        // `backtrace` has a function that the unwinder brings too. The module's own comes first.
        "-Wl,-z,muldefs",
    ] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
    leave_out_constructors(&folder)?;
    link_unwinder_statically(&folder)
}

/// Nothing is to run when a process loads or leaves the module. What would run by itself is gcc's (for transactional memory
/// and for C++ destructors, which there are none of here) and one function of the standard library's, for
/// `std::env::args`, which nobody asks for: that one's entry is put where nobody calls it.
fn leave_out_constructors(folder: &Path) -> io::Result<()> {
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
    // Linkers other than GNU's and LLVM's do not know INSERT. There the function stays; it stores two words.
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if ["mold", "gold", "wild"].iter().any(|linker| flags.contains(linker)) {
        return Ok(());
    }
    let script = folder.join("no-constructors.ld");
    fs::write(&script, "SECTIONS { .not_called : { *(.init_array.00099) } } INSERT AFTER .data.rel.ro;\n")?;
    println!("cargo::rustc-cdylib-link-arg=-Wl,-T,{}", script.display());
    Ok(())
}

/// Loading libgcc_s costs as much again as loading the module. rustc asks for it by name and knows no other way: so that
/// name leads to a linker script, which takes the same code from gcc's static archives. Where there are none, the module
/// is linked as usual and only loads more slowly.
fn link_unwinder_statically(folder: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=CC");
    // The one that links, where cargo was told of one.
    let compiler = env::var("RUSTC_LINKER").or_else(|_| env::var("CC")).unwrap_or_else(|_| "cc".into());
    let mut words = compiler.split_whitespace();
    let program = words.next().unwrap_or("cc");
    let words: Vec<_> = words.collect();
    let has = |archive: &str| {
        let question = format!("-print-file-name={archive}");
        Command::new(program).args(&words).arg(question).output().is_ok_and(|output| {
            let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Path::new(&path).is_absolute() && Path::new(&path).exists()
        })
    };
    if has("libgcc_eh.a") && has("libgcc.a") {
        fs::write(folder.join("libgcc_s.so"), "GROUP(libgcc_eh.a libgcc.a)\n")?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    } else {
        println!("cargo::warning=no static libgcc_eh.a: the module will load libgcc_s.so.1");
    }
    Ok(())
}
