//! How the module is linked. It is loaded into every process that resolves a name, so what it drags in counts.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in [
        // Code of the module may be on some thread's stack for ever: never unload it.
        "-Wl,-z,nodelete",
        "-Wl,-z,defs",
        "-Wl,-z,relro,-z,now",
    ] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
    link_unwinder_statically();
}

/// Loading libgcc_s costs as much again as loading the module. rustc asks for it by name and knows no other way: so that
/// name leads to a linker script, which takes the same code from gcc's static archives. Where there are none, the module
/// is linked as usual and only loads more slowly.
fn link_unwinder_statically() {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let has = |archive: &str| {
        Command::new(&compiler).arg(format!("-print-file-name={archive}")).output().is_ok_and(|output| {
            let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Path::new(&path).is_absolute() && Path::new(&path).exists()
        })
    };
    let Ok(folder) = env::var("OUT_DIR") else { return };
    if has("libgcc_eh.a") && has("libgcc.a") {
        let script = Path::new(&folder).join("libgcc_s.so");
        if fs::write(&script, "GROUP(libgcc_eh.a libgcc.a)\n").is_ok() {
            println!("cargo::rustc-link-search=native={folder}");
            return;
        }
    }
    println!("cargo::warning=no static libgcc_eh.a: the module will load libgcc_s.so.1");
}
