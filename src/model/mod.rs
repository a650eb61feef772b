//! The nouns: ids, time, values, resources, jobs, graphs, topologies, platforms, plans and
//! records.
//!
//! Nothing here reads a clock or a file, and nothing depends on the order of a hash.
#![forbid(unsafe_code)]

mod attempt;
mod graph;
pub(crate) mod hosts;
mod ids;
mod job;
mod name;
mod node;
pub mod placeholder;
mod platform;
mod record;
mod resources;
pub(crate) mod rows;
mod schedule;
mod shared;
mod time;
mod topology;
mod value;
pub mod wire;

pub use attempt::{Addition, Ending, Finish, Launch, Work};
pub use graph::{Cycle, Graph};
pub use hosts::{HostGroup, HostGroups};
pub use ids::{
    Attempt, AttemptKey, CoreId, Epoch, Incarnation, JobId, PeerId, SubclusterId, TaskId,
};
pub use job::{
    Body, Combine, Cost, Dependency, Job, Rerun, Settings, Sweep, Task, TaskBody, TaskName,
    Template, Warning, WarningSignal,
};
pub use name::Name;
pub use node::{NodeInfo, Standby};
pub use platform::{Link, Platform, PlatformNode, PlatformSubcluster};
pub use record::{Counts, Exit, ExitCode, Place, Record, State, Usage, Verdict};
pub use resources::{Amount, Request, ResourceId, ResourceNames, Resources, Variant};
pub use schedule::{Assignment, Schedule};
pub use shared::Shared;
pub use time::{Span, Time};
pub use topology::{Core, Domain, Topology};
pub use value::Value;
