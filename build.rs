//! Says by name what has to be installed, before the linker says it in riddles.

use std::env;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_HWLOC").is_some() {
        require_hwloc();
    }
}

/// The `hwloc2` crate looks for the library by pkg-config and says nothing if it is not there.
fn require_hwloc() {
    for name in ["PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let tool = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    let probe = Command::new(&tool)
        .args(["--exists", "--atleast-version=2.0.0", "hwloc"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match probe {
        Ok(status) if status.success() => {}
        Ok(_) => println!(
            "cargo::error=the feature `hwloc` needs the library hwloc, 2.0 or newer, and its \
             headers: install `libhwloc-dev` (Debian, Ubuntu) or `hwloc-devel` (Fedora, RHEL, \
             SUSE), or point PKG_CONFIG_PATH to the folder of its hwloc.pc, or build without the \
             feature: the topology then comes from /sys"
        ),
        Err(error) => println!(
            "cargo::error=the feature `hwloc` is found by `{tool}`, which cannot be run ({error}): \
             install `pkg-config`, or name it by PKG_CONFIG, or build without the feature: the \
             topology then comes from /sys"
        ),
    }
}
