//! The workloads that the pool is measured by.
#![forbid(unsafe_code)]

pub mod uts;
