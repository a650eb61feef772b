//! `evenkeel topo`.

use std::env;
use std::fmt::Write as _;

use super::args::TopoArgs;
use super::{Failure, terminal};
use crate::host::{self, Host};
use crate::model::{Core, CoreId, ExitCode, NodeInfo, ResourceNames, Topology};
use crate::run::{self, Options};

pub(super) fn topo(args: &TopoArgs) -> Result<ExitCode, Failure> {
    let host = Host::discover().map_err(Failure::bad_input)?;
    let options = Options { nodes: args.nodes, ..Options::default() };
    let nodes = run::local_nodes(&options, &ResourceNames::default())?;
    terminal::print(&if args.json { json(&host, &nodes) } else { tree(&host, &nodes) });
    Ok(ExitCode::Done)
}

fn tree(host: &Host, nodes: &[NodeInfo]) -> String {
    let mut text = format!("{} ({}, from {})\n", host.name, host.topology, host.source);
    if !host.real {
        text += "not this machine: for planning and tests, nothing is pinned to it\n";
    }
    for domain in &host.topology.domains {
        let _ = writeln!(text, "domain {}{}", domain.id, memory(domain.memory));
        let mut cache = None;
        for core in &domain.cores {
            if cache != Some((core.package, core.cache)) {
                cache = Some((core.package, core.cache));
                let _ = writeln!(text, "  package {}, cache {}", core.package, core.cache);
            }
            let _ = writeln!(text, "    {}", line(core, host, nodes));
        }
    }
    let _ = write!(text, "allowed: {}", host.allowed);
    if let Some(quota) = host.cpu_quota {
        let _ = write!(text, ", {quota} CPUs by control group");
    }
    if let Some(bytes) = host.memory {
        let _ = write!(text, "{}", memory(bytes));
    }
    let _ = write!(text, "\nworkers: {}\n{}", host.workers(), survival());
    text
}

fn survival() -> &'static str {
    host::survival(|name| env::var(name).ok())
}

fn line(core: &Core, host: &Host, nodes: &[NodeInfo]) -> String {
    let units: Vec<String> = core.units.iter().map(u32::to_string).collect();
    let mut line = format!("core {} (units {})", core.id.0, units.join(", "));
    if !has(&host.allowed, core.id) {
        line += ", not allowed";
    }
    for node in nodes.iter().filter(|node| node.cores.contains(&core.id)) {
        let how = if node.pinned { "is pinned to" } else { "may use" };
        let _ = write!(line, ", a worker of node {} {how} it", node.node.0);
    }
    line
}

fn has(topology: &Topology, core: CoreId) -> bool {
    topology.cores().any(|c| c.id == core)
}

fn memory(bytes: u64) -> String {
    const GIB: f64 = (1u64 << 30) as f64;
    if bytes == 0 { String::new() } else { format!(", {:.1} GiB", bytes as f64 / GIB) }
}

fn json(host: &Host, nodes: &[NodeInfo]) -> String {
    let nodes: Vec<serde_json::Value> = nodes
        .iter()
        .map(|node| {
            let cores: Vec<u32> = node.cores.iter().map(|core| core.0).collect();
            serde_json::json!({ "node": node.node.0, "pinned": node.pinned, "cores": cores })
        })
        .collect();
    let all = serde_json::json!({
        "version": 1,
        "host": host.name,
        "boot_id": host.boot_id,
        "source": host.source.to_string(),
        "real": host.real,
        "memory": host.memory,
        "cpu_quota": host.cpu_quota,
        "workers": host.workers(),
        "survival": survival(),
        "topology": topology(&host.topology),
        "allowed": topology(&host.allowed),
        "nodes": nodes,
    });
    format!("{all:#}")
}

fn topology(topology: &Topology) -> serde_json::Value {
    let core = |core: &Core| {
        serde_json::json!({
            "id": core.id.0, "package": core.package, "cache": core.cache, "units": core.units,
        })
    };
    let domains: Vec<serde_json::Value> = topology
        .domains
        .iter()
        .map(|domain| {
            let cores: Vec<serde_json::Value> = domain.cores.iter().map(core).collect();
            serde_json::json!({ "id": domain.id, "memory": domain.memory, "cores": cores })
        })
        .collect();
    serde_json::json!({ "domains": domains, "distances": topology.distances })
}
