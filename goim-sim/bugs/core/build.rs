//! Switches the deliberate bugs on.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks to cargo")]

fn main() {
    println!("cargo::rustc-cfg=goim_bugs");
}
