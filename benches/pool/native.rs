//! Peers that are written in C and C++: built here, loaded, and called.

mod build;
mod offers;

use std::env;
use std::ffi::c_int;

use libloading::Library;

use build::build;

/// A peer that was found.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    pub(crate) name: &'static str,
    library: &'static Library,
    set_threads: unsafe extern "C" fn(c_int),
}

/// What a peer is made of.
struct Recipe {
    name: &'static str,
    source: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    /// What to do where it cannot be built.
    mend: &'static str,
}

const RECIPES: [Recipe; 3] = [
    Recipe {
        name: "OpenMP (gcc)",
        source: "openmp.c",
        compiler: "gcc",
        flags: &["-fopenmp"],
        mend: "install gcc",
    },
    Recipe {
        name: "oneTBB",
        source: "tbb.cpp",
        compiler: "g++",
        flags: &["-std=c++20", "-ltbb"],
        mend: "install g++ and libtbb-dev (Debian, Ubuntu) or tbb-devel (Fedora)",
    },
    Recipe {
        name: "Taskflow",
        source: "taskflow.cpp",
        compiler: "g++",
        flags: &["-std=c++20", "-pthread"],
        mend: "install g++, and name the folder of Taskflow 4's headers by TASKFLOW_INCLUDE",
    },
];

/// Builds and loads all peers; `miss` is told of each that cannot be had.
pub(crate) fn found(miss: impl Fn(String)) -> Vec<Native> {
    let taskflow = env::var("TASKFLOW_INCLUDE").ok();
    let got = |recipe: &Recipe| match load(recipe, taskflow.as_deref()) {
        Ok(native) => Some(native),
        Err(why) => {
            miss(format!("{} is left out: {why}; {}", recipe.name, recipe.mend));
            None
        }
    };
    RECIPES.iter().filter_map(got).collect()
}

fn load(recipe: &Recipe, include: Option<&str>) -> Result<Native, String> {
    let path = build(recipe, include)?;
    // SAFETY: what runs as it is loaded are the constructors of the runtimes that we name.
    let library = unsafe { Library::new(&path) }.map_err(|error| error.to_string())?;
    // Their threads outlive any case.
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: `peer.h` declares it so.
    let set_threads = *unsafe { library.get::<unsafe extern "C" fn(c_int)>(b"peer_threads") }
        .map_err(|error| error.to_string())?;
    Ok(Native { name: recipe.name, library, set_threads })
}

impl Native {
    /// The function of this name, if the peer has it.
    ///
    /// # Safety
    /// `F` is its type as `peer.h` declares it.
    unsafe fn function<F: Copy + 'static>(self, name: &str) -> Option<F> {
        // SAFETY: the caller's word.
        unsafe { self.library.get::<F>(name.as_bytes()) }.ok().map(|function| *function)
    }

    /// From now on its functions use so many threads.
    fn use_threads(self, threads: usize) {
        // SAFETY: it takes any number, and none of its functions is running.
        unsafe { (self.set_threads)(c_int::try_from(threads).unwrap_or(c_int::MAX)) }
    }
}
