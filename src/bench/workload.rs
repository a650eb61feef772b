//! The workloads by name.

use super::{
    BenchError, Outcome, Report, Setting, fib, graph, inject, irregular, loops, metg, spawn, tree,
};

/// What can be measured.
#[derive(Debug)]
pub struct Workload {
    /// How it is asked for.
    pub name: &'static str,
    /// What its size counts.
    pub measure: &'static str,
    /// The size at which figures are reported.
    pub size: u32,
    /// A size for a glance.
    pub brief: u32,
    /// The greatest size that a laptop has the memory and the time for.
    pub most: u32,
    cases: fn(&Setting) -> Result<Vec<Outcome>, BenchError>,
}

impl Workload {
    /// Measures the contenders that are always there.
    ///
    /// # Errors
    /// If one of them is wrong, or has not got its threads.
    pub fn run(&self, setting: &Setting) -> Result<Report, BenchError> {
        Ok(Report::new(self, setting, (self.cases)(setting)?))
    }
}

/// All workloads.
pub const WORKLOADS: [Workload; 8] = [
    Workload {
        name: "fib",
        measure: "n of fib(n)",
        size: 38,
        brief: 30,
        most: 50,
        cases: fib::cases,
    },
    Workload {
        name: "tree",
        measure: "nodes",
        size: 10_000_000,
        brief: 1_000_000,
        most: 1_000_000_000,
        cases: tree::cases,
    },
    Workload {
        name: "spawn",
        measure: "tasks",
        size: 1_000_000,
        brief: 100_000,
        most: 100_000_000,
        cases: spawn::cases,
    },
    Workload {
        name: "for",
        measure: "numbers in the longer array",
        size: 100_000_000,
        brief: 10_000_000,
        most: 1_000_000_000,
        cases: loops::cases,
    },
    Workload {
        name: "irregular",
        measure: "iterations",
        size: 10_000,
        brief: 2_000,
        most: 10_000_000,
        cases: irregular::cases,
    },
    Workload {
        name: "graph",
        measure: "nodes",
        size: 1_000_000,
        brief: 100_000,
        most: 100_000_000,
        cases: graph::cases,
    },
    Workload {
        name: "inject",
        measure: "tasks",
        size: 1_000_000,
        brief: 100_000,
        most: 100_000_000,
        cases: inject::cases,
    },
    Workload {
        name: "metg",
        measure: "steps of the stencil",
        size: 1_000,
        brief: 100,
        most: 1_000_000,
        cases: metg::cases,
    },
];

/// The workload of this name.
#[must_use]
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
