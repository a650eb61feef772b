//! What tasks will take, as far as the kernels that they call can tell.

use std::sync::Arc;

use crate::exec::Registry;
use crate::model::{Body, Cost, Job, Span, Task, Template};

/// Gives each task of `job` whose cost the user left open the one that its kernel
/// [tells beforehand](Registry::register_estimated), if that does. A run does so by itself; it
/// is for a job that is to be [simulated](super::simulate) or planned.
pub fn estimate(job: &mut Job, registry: &Registry) {
    for task in job.tasks.iter_mut().filter(|task| task.cost == Cost::Unknown) {
        if let Some(span) = told(task, &job.templates, registry) {
            task.cost = Cost::Uniform(span);
        }
    }
}

fn told(task: &Task, templates: &[Arc<Template>], registry: &Registry) -> Option<Span> {
    let Body::Kernel { name, .. } = task.unresolved_body(templates) else { return None };
    // Asked first: there may be a great many tasks of kernels that tell nothing, and their
    // arguments need not be made.
    let estimate = registry.estimate(name)?;
    estimate(&task.kernel_args(templates)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Combine, Sweep, TaskBody, TaskName, Value};

    #[test]
    fn what_is_open_is_filled_in_from_the_arguments_of_each_task() {
        let mut registry = Registry::default();
        let seconds = |args: &Value| args.as_f64().map(Span::from_secs_f64);
        registry.register_estimated("told", |_| Ok(Value::Unit), seconds);
        let mut job = Job::new("estimated");
        let body = Body::Kernel { name: "told".into(), args: "%{n}".into() };
        let parameters = vec![("n".to_owned(), vec![5.into(), 6.into()])];
        let sweep = Sweep { parameters, combine: Combine::Product };
        job.templates.push(Arc::new(Template {
            name: "point-%{n}".into(),
            body: Arc::new(body),
            sweep,
        }));
        job.add(Task::kernel("open", "told", 2));
        job.add(Task::kernel("said", "told", 2).cost(Span::from_secs(9)));
        job.add(Task::kernel("cannot say", "told", "x"));
        job.add(Task::kernel("tells nothing", "noop", 2));
        job.add(Task::command("command", ["true"]));
        for index in 0..2 {
            let mut task = Task::kernel("", "noop", ());
            (task.name, task.body) =
                (TaskName::Template, TaskBody::Template { template: 0, index });
            job.add(task);
        }
        estimate(&mut job, &registry);
        let costs: Vec<f64> = job.tasks.iter().map(|task| task.cost.mean().as_secs()).collect();
        assert_eq!(costs, [2.0, 9.0, 0.0, 0.0, 0.0, 5.0, 6.0]);
        assert_eq!(job.tasks[3].cost, Cost::Unknown, "no cost is not the same as none");
    }
}
