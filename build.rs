//! Says by name what has to be installed, before the linker says it in riddles.

use std::env;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_HWLOC").is_some() {
        require_hwloc();
    }
    if env::var_os("CARGO_FEATURE_MPI").is_some() {
        require_mpi();
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

/// The `mpi` crate asks a compiler wrapper where MPI is, and panics at length if there is none. In
/// a first build this script is earlier, as that crate compiles its helpers before it asks. The
/// wrapper may be there without the headers, which are another package.
fn require_mpi() {
    for name in ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("MPI_PKG_CONFIG").or_else(|| env::var_os("CRAY_MPICH_DIR")).is_some() {
        return;
    }
    let wrapper = env::var("MPICC").unwrap_or_else(|_| "mpicc".to_owned());
    let probe = Command::new(&wrapper)
        .args(["-E", "-include", "mpi.h", "-x", "c", "/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let what = match probe {
        Ok(status) if status.success() => return,
        Ok(_) => "finds no mpi.h".to_owned(),
        Err(error) => format!("cannot be run ({error})"),
    };
    println!(
        "cargo::error=the feature `mpi` needs MPI, but its compiler wrapper `{wrapper}` {what}: \
         install `libopenmpi-dev` (Debian, Ubuntu) or `openmpi-devel` (Fedora, RHEL), or load a \
         module such as `openmpi`, or name the wrapper by MPICC, or build without the feature: \
         jobs then run on one host"
    );
}
