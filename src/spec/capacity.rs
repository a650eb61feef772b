//! Whether there is a node for every task, asked before anything runs.

use std::collections::HashMap;
use std::ops::Range;

use super::error::{Diagnostic, Errors, Source, counted, quote};
use crate::model::{
    Amount, Job, Request, ResourceId, ResourceNames, Resources, Task, TaskId, Variant,
};

/// Where the tasks of a job stand in its file.
#[derive(Clone, Debug)]
pub struct Locations<'a> {
    source: Source<'a>,
    /// The first task of each `[[task]]` or `[[sweep]]`, and its place, by task.
    places: Vec<(u32, Range<usize>)>,
}

impl<'a> Locations<'a> {
    pub(super) fn new(source: Source<'a>, places: Vec<(u32, Range<usize>)>) -> Locations<'a> {
        Locations { source, places }
    }

    fn find(&self, task: TaskId) -> Option<&Range<usize>> {
        let after = self.places.partition_point(|(first, _)| *first <= task.0);
        self.places[..after].last().map(|(_, span)| span)
    }
}

/// Checks that each task of `job` asks for what at least one node has when it is idle.
/// `capacities` are those of the nodes, in the terms of `names`; `locations` are those of
/// the file that the job comes from, if it comes from one.
///
/// # Errors
/// The tasks that can never start, those with the same request as one; among them those that
/// ask for more than one node at once, which cannot be granted yet.
pub fn check_capacity(
    job: &Job,
    locations: Option<&Locations<'_>>,
    capacities: &[Resources],
    names: &ResourceNames,
) -> Result<(), Errors> {
    let nodes = Nodes { job, capacities, names };
    // Each distinct request is looked at once, in the order in which tasks bring them.
    let mut places: HashMap<&Request, usize> = HashMap::new();
    let mut unmet: Vec<Option<Unmet>> = Vec::new();
    let mut last: Option<(*const Request, usize)> = None;
    for (i, Task { request, .. }) in job.tasks.iter().enumerate() {
        let request = &**request;
        let place = match last {
            Some((same, place)) if std::ptr::eq(same, request) => place,
            _ => *places.entry(request).or_insert_with(|| {
                unmet.push(nodes.why_not(request).map(|(why, help)| Unmet {
                    first: TaskId(i as u32),
                    tasks: 0,
                    why,
                    help,
                }));
                unmet.len() - 1
            }),
        };
        last = Some((request, place));
        if let Some(unmet) = &mut unmet[place] {
            unmet.tasks += 1;
        }
    }
    let mut errors = Errors::default();
    for unmet in unmet.iter().flatten() {
        errors.push(|| unmet.diagnostic(job, locations));
    }
    if errors.count() == 0 { Ok(()) } else { Err(errors) }
}

/// A request that no node meets.
struct Unmet {
    first: TaskId,
    tasks: u64,
    why: String,
    help: &'static str,
}

impl Unmet {
    fn diagnostic(&self, job: &Job, locations: Option<&Locations<'_>>) -> Diagnostic {
        let others = match self.tasks - 1 {
            0 => String::new(),
            n => format!(" (and {})", counted(n, "other task")),
        };
        let name = quote(&job.task_name(self.first));
        let what = format!("no node can ever run {name}{others}: {}", self.why);
        let Some(Locations { source, .. }) = locations else {
            return Diagnostic::new(&job.name, what, self.help);
        };
        let diagnostic = Diagnostic::new(source.name, what, self.help);
        match locations.and_then(|l| l.find(self.first)) {
            Some(span) => diagnostic.mark(source.text, span, ""),
            None => diagnostic,
        }
    }
}

/// What there is, seen from a job.
struct Nodes<'n> {
    job: &'n Job,
    capacities: &'n [Resources],
    names: &'n ResourceNames,
}

impl Nodes<'_> {
    /// Why no node meets `request`, and the mend; nothing if one does.
    fn why_not(&self, request: &Request) -> Option<(String, &'static str)> {
        let single: Vec<&Variant> = request.variants.iter().filter(|v| v.nodes == 1).collect();
        if single.iter().any(|variant| self.has(&variant.resources)) {
            return None;
        }
        if self.capacities.is_empty() {
            return Some(("there is no node".to_owned(), "give the run at least one node"));
        }
        let [variant] = single.as_slice() else {
            return Some(match request.variants.iter().map(|v| v.nodes).max() {
                Some(nodes) if single.is_empty() => {
                    let why =
                        format!("it asks for {nodes} nodes at once, which is not yet possible");
                    (why, "split it into tasks of one node, or leave `nodes` out")
                }
                _ => {
                    let why = format!("none of its {} variants fits a node", single.len());
                    (why, "ask for less in one of them, or give the run larger nodes")
                }
            });
        };
        Some((self.lacking(&variant.resources), "ask for less, or give the run larger nodes"))
    }

    /// The id that the nodes use for a resource of the job.
    fn of_node(&self, id: ResourceId) -> Option<ResourceId> {
        self.names.find(self.job.resources.name(id))
    }

    fn on(&self, capacity: &Resources, id: ResourceId) -> Amount {
        self.of_node(id).map_or(Amount(0), |id| capacity.get(id))
    }

    fn has(&self, resources: &Resources) -> bool {
        let fits = |c: &Resources| resources.iter().all(|(id, n)| n <= self.on(c, id));
        self.capacities.iter().any(fits)
    }

    /// What of `resources` is too much.
    fn lacking(&self, resources: &Resources) -> String {
        let name = |id| self.job.resources.name(id);
        for (id, amount) in resources.iter() {
            let most = self.capacities.iter().map(|c| self.on(c, id)).max().unwrap_or_default();
            if amount > most {
                let asked = shown(id, name(id), amount);
                return match most {
                    Amount(0) => format!("it needs {asked}, and no node has any"),
                    _ => {
                        let most = shown(id, name(id), most);
                        format!("it needs {asked}, and the largest node has {most}")
                    }
                };
            }
        }
        let all: Vec<String> = resources.iter().map(|(id, n)| shown(id, name(id), n)).collect();
        format!("no single node has all of {}", all.join(", "))
    }
}

/// `8 cores`, `1.5 GiB of memory`, `2 of licence`.
fn shown(id: ResourceId, name: &str, amount: Amount) -> String {
    match id {
        ResourceId::CORES | ResourceId::GPUS => {
            let noun = name.trim_end_matches('s');
            format!("{amount} {noun}{}", if amount == Amount::whole(1) { "" } else { "s" })
        }
        ResourceId::MEMORY => format!("{} of memory", bytes(amount.as_f64())),
        _ => format!("{amount} of {}", quote(name)),
    }
}

fn bytes(n: f64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.iter().find(|(_, power)| n >= (1u64 << power) as f64);
    let Some((unit, power)) = unit else { return format!("{n} bytes") };
    let rounded = format!("{:.2}", n / (1u64 << power) as f64);
    format!("{} {unit}", rounded.trim_end_matches('0').trim_end_matches('.'))
}
