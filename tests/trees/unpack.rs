//! Unpacks a recorded machine into the files that Linux shows (see `README.md` beside this).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use tempfile::TempDir;

/// A unit's line: its number and what it is part of.
struct Cpu {
    id: u32,
    online: bool,
    part_of: BTreeMap<String, u32>,
}

impl Cpu {
    fn get(&self, what: &str) -> Option<u32> {
        self.part_of.get(what).copied()
    }

    /// Whether it is in the same one of each of `what` as `other`, and that is told.
    fn shares(&self, other: &Cpu, what: &[&str]) -> bool {
        what.iter().all(|what| self.get(what).is_some() && self.get(what) == other.get(what))
    }
}

/// The files of the machine that `text` tells of, in a folder that goes with the value.
pub(crate) fn unpack(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let (mut cpus, mut nodes, mut memory) = (Vec::new(), Vec::new(), 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "memory" => memory = number::<u64>(words[1]),
            "node" => {
                let kib: u64 = number(words[2]);
                memory += kib;
                nodes.push((number::<u32>(words[1]), kib, words[3..].join(" ")));
            }
            kind => cpus.push(cpu(kind, &words)),
        }
    }
    let root = folder.path();
    write(root, "proc/meminfo", &format!("MemTotal: {memory} kB"));
    let system = root.join("sys/devices/system");
    let all: Vec<u32> = cpus.iter().map(|cpu| cpu.id).collect();
    cpus.retain(|cpu| cpu.online);
    let online: Vec<u32> = cpus.iter().map(|cpu| cpu.id).collect();
    for (name, ids) in [("possible", &all), ("present", &all), ("online", &online)] {
        write(&system, &format!("cpu/{name}"), &list(ids));
    }
    for id in all {
        let state = if online.contains(&id) { "1" } else { "0" };
        write(&system, &format!("cpu/cpu{id}/online"), state);
    }
    for cpu in &cpus {
        write_cpu(&system.join(format!("cpu/cpu{}", cpu.id)), cpu, &cpus);
    }
    if !nodes.is_empty() {
        let ids: Vec<u32> = nodes.iter().map(|node| node.0).collect();
        write(&system, "node/online", &list(&ids));
        write(&system, "node/possible", &list(&ids));
    }
    for (id, kib, distances) in nodes {
        let node = system.join(format!("node/node{id}"));
        let inside = cpus.iter().filter(|cpu| cpu.get("node") == Some(id)).map(|cpu| cpu.id);
        write_set(&node, "cpumap", "cpulist", &inside.collect::<Vec<_>>());
        write(&node, "distance", &distances);
        write(&node, "meminfo", &format!("Node {id} MemTotal:       {kib} kB"));
    }
    folder
}

fn cpu(kind: &str, words: &[&str]) -> Cpu {
    let pair = |word: &&str| {
        let (what, which) = word.split_once('=').expect("`what=number`");
        (what.to_owned(), number(which))
    };
    assert!(kind == "cpu" || kind == "offline", "`{kind}` in a recorded machine");
    let part_of = words[2..].iter().map(pair).collect();
    Cpu { id: number(words[1]), online: kind == "cpu", part_of }
}

fn write_cpu(folder: &Path, cpu: &Cpu, cpus: &[Cpu]) {
    let like = |what: &[&str]| -> Vec<u32> {
        cpus.iter().filter(|other| other.shares(cpu, what)).map(|other| other.id).collect()
    };
    let topology = folder.join("topology");
    let told = |what| cpu.get(what).expect("each unit tells of its package and core").to_string();
    write(&topology, "physical_package_id", &told("package"));
    write(&topology, "core_id", &told("core"));
    for (map, what) in [
        ("core_cpus", &["package", "core"][..]),
        ("thread_siblings", &["package", "core"]),
        ("package_cpus", &["package"]),
        ("core_siblings", &["package"]),
    ] {
        write_set(&topology, map, &format!("{map}_list"), &like(what));
    }
    let caches = [("l2", 2), ("l3", 3)].into_iter().filter(|(what, _)| cpu.get(what).is_some());
    for (index, (what, level)) in caches.enumerate() {
        let cache = folder.join(format!("cache/index{index}"));
        write(&cache, "level", &level.to_string());
        write(&cache, "type", "Unified");
        write(&cache, "size", "1024K");
        write_set(&cache, "shared_cpu_map", "shared_cpu_list", &like(&[what]));
    }
}

/// The same set as the kernel's mask and as its list.
fn write_set(folder: &Path, map: &str, list_name: &str, ids: &[u32]) {
    let mask = ids.iter().fold(0_u32, |mask, id| mask | 1 << id);
    write(folder, map, &format!("{mask:08x}"));
    write(folder, list_name, &list(ids));
}

fn list(ids: &[u32]) -> String {
    let mut text = String::new();
    for id in ids {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{id}").expect("a string grows");
    }
    text
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is ours");
    fs::write(path, format!("{content}\n")).expect("the folder is ours");
}

fn number<T: FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("`{word}` in a recorded machine is no number"))
}
