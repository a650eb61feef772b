//! The workloads by name.

use super::{
    BenchError, Outcome, Report, Setting, fib, graph, inject, irregular, loops, metg, spawn, tree,
    uts,
};

/// What can be measured.
#[derive(Debug)]
pub struct Workload {
    /// How it is asked for.
    pub name: &'static str,
    /// Its sizes; `uts` has trees instead.
    pub sizes: Option<Sizes>,
    cases: fn(&Setting) -> Result<Vec<Outcome>, BenchError>,
}

/// How large a workload may be.
#[derive(Debug)]
pub struct Sizes {
    /// What is counted.
    pub measure: &'static str,
    /// The size at which figures are reported.
    pub usual: u32,
    /// One for a glance.
    pub brief: u32,
    /// The greatest that a laptop has the memory and the time for.
    pub most: u32,
}

impl Workload {
    /// The size that is asked for, or the usual one; without a meaning for one that has none.
    ///
    /// # Errors
    /// If it is too large, or the workload has no size.
    pub fn size(&'static self, asked_for: Option<u32>) -> Result<u32, BenchError> {
        match (&self.sizes, asked_for) {
            (Some(sizes), Some(size)) if size > sizes.most => {
                Err(BenchError::TooLarge { workload: self.name, sizes, size })
            }
            (None, Some(_)) => Err(BenchError::NoSize { workload: self.name }),
            (sizes, size) => Ok(size.unwrap_or(sizes.as_ref().map_or(1, |sizes| sizes.usual))),
        }
    }

    /// The size for a glance.
    #[must_use]
    pub fn brief(&self) -> u32 {
        self.sizes.as_ref().map_or(1, |sizes| sizes.brief)
    }

    /// Measures the contenders that are always there.
    ///
    /// # Errors
    /// If one of them is wrong, or has not got its threads.
    pub fn run(&self, setting: &Setting) -> Result<Report, BenchError> {
        Ok(Report::new(self, setting, (self.cases)(setting)?))
    }
}

/// All workloads.
pub const WORKLOADS: [Workload; 9] = [
    Workload {
        name: "fib",
        sizes: Some(Sizes { measure: "n of fib(n)", usual: 38, brief: 30, most: 50 }),
        cases: fib::cases,
    },
    Workload {
        name: "tree",
        sizes: Some(Sizes {
            measure: "nodes",
            usual: 10_000_000,
            brief: 1_000_000,
            most: 1_000_000_000,
        }),
        cases: tree::cases,
    },
    Workload {
        name: "spawn",
        sizes: Some(Sizes {
            measure: "tasks",
            usual: 1_000_000,
            brief: 100_000,
            most: 100_000_000,
        }),
        cases: spawn::cases,
    },
    Workload {
        name: "for",
        sizes: Some(Sizes {
            measure: "numbers in the longer array",
            usual: 100_000_000,
            brief: 10_000_000,
            most: 1_000_000_000,
        }),
        cases: loops::cases,
    },
    Workload {
        name: "irregular",
        sizes: Some(Sizes { measure: "iterations", usual: 10_000, brief: 2_000, most: 10_000_000 }),
        cases: irregular::cases,
    },
    Workload { name: "uts", sizes: None, cases: uts::cases },
    Workload {
        name: "graph",
        sizes: Some(Sizes {
            measure: "nodes",
            usual: 1_000_000,
            brief: 100_000,
            most: 100_000_000,
        }),
        cases: graph::cases,
    },
    Workload {
        name: "inject",
        sizes: Some(Sizes {
            measure: "tasks",
            usual: 1_000_000,
            brief: 100_000,
            most: 100_000_000,
        }),
        cases: inject::cases,
    },
    Workload {
        name: "metg",
        sizes: Some(Sizes {
            measure: "steps of the stencil",
            usual: 1_000,
            brief: 100,
            most: 1_000_000,
        }),
        cases: metg::cases,
    },
];

/// The workload of this name.
#[must_use]
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
