//! What is found out about a job before any of it runs.

use super::{RunError, estimate};
use crate::exec::Registry;
use crate::model::{Body, Graph, Job, NodeInfo, Request, ResourceNames, Resources, TaskId};
use crate::policy;
use crate::sched::Batch;

/// Checks `job` and works out in which order its tasks start.
pub(super) fn prepare(
    mut job: Job,
    registry: &Registry,
    nodes: &[NodeInfo],
) -> Result<(Batch, Graph), RunError> {
    tasks(&job, registry, nodes, |_| true)?;
    estimate(&mut job, registry);
    let name = |id: TaskId| job.task_name(id).to_string();
    let graph = Graph::new(&job)
        .map_err(|cycle| RunError::Cycle(cycle.0.into_iter().map(name).collect()))?;
    let ranks = policy::priorities(&job, &graph).into_iter().map(|rank| rank.0).collect();
    let templates = job.templates.iter().map(|template| (**template).clone()).collect();
    let batch =
        Batch { name: job.name, tasks: job.tasks, ranks, templates, resources: job.resources };
    Ok((batch, graph))
}

/// Checks those tasks of `job` that are still `open`.
pub(super) fn tasks(
    job: &Job,
    registry: &Registry,
    nodes: &[NodeInfo],
    open: impl Fn(TaskId) -> bool,
) -> Result<(), RunError> {
    let name = |id: TaskId| job.task_name(id).to_string();
    // What was looked up last: most tasks call what the one before them did.
    let mut known = None;
    for id in (0..job.tasks.len() as u32).map(TaskId).filter(|id| open(*id)) {
        let task = &job.tasks[id.index()];
        if task.after.iter().any(|d| d.task.index() >= job.tasks.len()) {
            return Err(RunError::UnknownDependency { task: name(id) });
        }
        if let Body::Kernel { name, .. } = task.unresolved_body(&job.templates)
            && known != Some(name)
        {
            check_kernel(job, id, name, registry)?;
            known = Some(name);
        }
        if nodes.iter().all(|node| task.request.met_by(&node.capacity).is_none()) {
            let (asks, have) =
                (asked(&task.request, &job.resources), largest(nodes, &job.resources));
            return Err(RunError::Unmeetable { task: name(id), asks, have });
        }
    }
    Ok(())
}

fn check_kernel(job: &Job, id: TaskId, name: &str, registry: &Registry) -> Result<(), RunError> {
    match registry.get(name) {
        Some(_) => Ok(()),
        None => Err(RunError::UnknownKernel {
            task: job.task_name(id).to_string(),
            kernel: name.to_owned(),
            known: registry.names().map(str::to_owned).collect(),
        }),
    }
}

fn asked(request: &Request, names: &ResourceNames) -> String {
    let variants = request.variants.iter().map(|v| match v.nodes {
        1 => amounts(&v.resources, names),
        nodes => format!("{} on each of {nodes} nodes at once", amounts(&v.resources, names)),
    });
    variants.collect::<Vec<_>>().join(", or ")
}

fn largest(nodes: &[NodeInfo], names: &ResourceNames) -> String {
    let largest = nodes.iter().max_by_key(|node| node.core_count());
    largest.map_or_else(|| "nothing".to_owned(), |node| amounts(&node.capacity, names))
}

fn amounts(resources: &Resources, names: &ResourceNames) -> String {
    let amounts = resources.iter().map(|(id, amount)| format!("{amount} {}", names.name(id)));
    amounts.collect::<Vec<_>>().join(" and ")
}
