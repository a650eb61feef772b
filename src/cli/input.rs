//! Reads the files that a command is given.

use std::fs;
use std::path::Path;

use super::Failure;
use super::args::{Levels, NodeArgs, PlannedArgs, Subclusters};
use crate::exec::Registry;
use crate::host::Host;
use crate::model::{Graph, HostGroups, Job, NodeInfo, Platform, ResourceNames, Resources};
use crate::run::{self, Options};
use crate::spec::{self, JobFile, Locations, ReadOptions, Source};

/// A file and its path as the user gave it.
pub(super) struct Text {
    name: String,
    text: String,
}

impl Text {
    pub(super) fn read(path: &Path) -> Result<Text, Failure> {
        let name = path.display().to_string();
        let bytes =
            fs::read(path).map_err(|error| Failure::bad_input(format!("{name}: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Failure::bad_input(format!("{name}: byte {at} is not UTF-8 text; save it as UTF-8"))
        })?;
        Ok(Text { name, text })
    }

    fn source(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }

    /// Reads the job in it.
    pub(super) fn job(&self, time_scale: f64) -> Result<JobFile<'_>, Failure> {
        spec::read_job(self.source(), &ReadOptions { time_scale }).map_err(Failure::bad_input)
    }
}

/// The options that say what there is to run on.
pub(super) fn options(args: &NodeArgs) -> Result<Options, Failure> {
    let (nodes, resources) = (args.nodes, args.resources.clone());
    let options = Options { nodes, resources, ..Options::default() };
    match &args.subclusters {
        None => Ok(options),
        Some(Subclusters::Levels(Levels { subclusters, fans })) => {
            Ok(Options { subclusters: Some(*subclusters), fans: fans.clone(), ..options })
        }
        Some(Subclusters::Groups(path)) => Ok(Options { groups: Some(groups(path)?), ..options }),
    }
}

fn groups(path: &Path) -> Result<HostGroups, Failure> {
    if !path.exists() {
        let name = path.display();
        let problem =
            "no such file; --subclusters takes a number, several such as 2x3, or a hostfile";
        return Err(Failure::bad_input(format!("{name}: {problem}")));
    }
    spec::read_hostfile(Text::read(path)?.source()).map_err(Failure::bad_input)
}

/// Checks that a job can run on `nodes`, with places in its file.
pub(super) fn check_nodes(
    job: &Job,
    locations: &Locations<'_>,
    nodes: &[NodeInfo],
) -> Result<(), Failure> {
    let capacities: Vec<Resources> = nodes.iter().map(|node| node.capacity.clone()).collect();
    check_capacity(job, locations, &capacities, &job.resources)
}

fn check_capacity(
    job: &Job,
    locations: &Locations<'_>,
    capacities: &[Resources],
    names: &ResourceNames,
) -> Result<(), Failure> {
    spec::check_capacity(job, Some(locations), capacities, names).map_err(Failure::bad_input)
}

/// A job, its graph, and the platform to plan it on.
pub(super) struct Planned {
    pub(super) job: Job,
    pub(super) graph: Graph,
    pub(super) platform: Platform,
}

pub(super) fn planned(args: &PlannedArgs, registry: &Registry) -> Result<Planned, Failure> {
    let text = Text::read(&args.file)?;
    let JobFile { mut job, platform, locations } = text.job(args.time_scale)?;
    run::estimate(&mut job, registry);
    let platform = match (&args.platform, &platform) {
        (Some(asked), _) => read_platform(asked, Path::new(""))?,
        (None, Some(own)) => read_platform(own, args.file.parent().unwrap_or(Path::new("")))?,
        (None, None) => this_host()?,
    };
    let platform = platform.in_terms_of(&job.resources);
    let capacities: Vec<_> = platform.nodes().map(|(_, node)| node.capacity.clone()).collect();
    check_capacity(&job, &locations, &capacities, &platform.resources)?;
    // `spec` has found a ring already, and printed it.
    let graph = Graph::new(&job).map_err(|_| Failure::bad_input("the tasks form a ring"))?;
    Ok(Planned { job, graph, platform })
}

/// A platform by a path, taken from `folder`, or by a description: what is no file and does not
/// look like the path of one.
fn read_platform(words: &str, folder: &Path) -> Result<Platform, Failure> {
    let path = folder.join(words);
    if !path.exists() && !words.contains('/') && !words.ends_with(".toml") {
        return spec::parse_platform_string(words).map_err(Failure::bad_input);
    }
    spec::read_platform(Text::read(&path)?.source()).map_err(Failure::bad_input)
}

fn this_host() -> Result<Platform, Failure> {
    let host = Host::discover().map_err(Failure::bad_input)?;
    let mut platform = Platform::uniform(1, 1, host.workers() as u64);
    platform.name.clone_from(&host.name);
    Ok(platform)
}
