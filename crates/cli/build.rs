//! In a release build the linker keeps one copy of functions that are the same to the byte, where it knows how to: lld does, which
//! is what Rust links with on Linux by default. It is 3 MB of the binary.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && env::var_os("OUT_DIR").is_some_and(|dir| links(&PathBuf::from(dir))) {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether the linker of this build takes the flag: by linking a program that does nothing.
fn links(dir: &Path) -> bool {
    let (source, program) = (dir.join("nothing.rs"), dir.join("nothing"));
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(target) = env::var("TARGET") {
        rustc.args(["--target", &target]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg(format!("-Clink-arg={FOLD}")).arg("-o").arg(program).arg(source);
    rustc.output().is_ok_and(|out| out.status.success())
}
