//! Runs one attempt: a command through the guard, or a kernel on a team of the pool.
//!
//! An [`Executor`] takes [`Launch`](crate::model::Launch)es and calls back with [`Report`]s.
//! Each attempt that it accepts is reported as ended exactly once, until the executor is
//! aborted or dropped.
//!
//! **Commands** are started without a shell by the *guard*, a small process that each executor
//! forks at its start and that ends, with all that it started, when the executor's process
//! does, however that dies. `README.md` beside this file tells how. Their environment is that of
//! this process when the executor started, without the variables of an MPI launcher, and:
//!
//! | variable | value |
//! |---|---|
//! | `EVENKEEL_JOB_ID`, `EVENKEEL_TASK_ID`, `EVENKEEL_TASK_NAME`, `EVENKEEL_ATTEMPT` | of the attempt |
//! | `EVENKEEL_NODE` | the number of the node |
//! | `EVENKEEL_CPUS` | the granted processing units, `0,1,8,9` |
//! | `EVENKEEL_DEADLINE` | when its time is up, in seconds since 1970, if it has a limit |
//! | `OMP_NUM_THREADS`, `RAYON_NUM_THREADS` | the number of granted cores |
//! | `CUDA_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES` | the granted graphics processors, if any |
//! | `TMPDIR` | a private folder, removed after the task, if the executor has a scratch folder |
//!
//! then each parameter of the task's sweep under its own name, then what the user set. A
//! relative path in `stdin`, `stdout` or `stderr` starts at the task's `cwd`; output files are
//! emptied first.
//!
//! **Kernels** are functions in a [`Registry`]. Those that are launched together on the same cores
//! run one after the other, and are told of together. They cannot be ended from outside:
//! [`TaskContext::cancelled`] turns true when they are stopped or their time is up, and one
//! that ends after its time is up has failed by that, whatever it gave back.

mod command;
mod context;
mod environment;
mod executor;
mod guard;
mod holes;
mod kernel;
pub mod kernels;
mod lot;
mod registry;
mod stopwatch;

pub use context::{TaskContext, TaskError};
pub use executor::{ExecError, Executor, ExecutorConfig, Report};
pub use kernel::VALUE_LIMIT;
pub use registry::{Estimate, Kernel, Registry};
