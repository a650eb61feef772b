//! The map of the house and what must hold in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Token, crate_paths, tokens};

/// A room: a top-level module.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// The rooms that it may use.
    pub(crate) may_use: &'static [&'static str],
}

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { name, may_use }
}

/// The map that `ARCHITECTURE.md` draws, from the bottom up; the two are compared.
pub(crate) const MAP: [Room; 15] = [
    room("model", &[]),
    room("spec", &["model"]),
    room("policy", &["model"]),
    room("sched", &["policy", "model"]),
    room("host", &["model"]),
    room("pool", &["host", "policy", "model"]),
    room("comm", &["model"]),
    room("store", &["host", "model"]),
    room("exec", &["pool", "host", "model"]),
    room("live", &["sched", "comm", "store", "exec", "host", "model"]),
    room("sim", &["sched", "policy", "model"]),
    room("run", RUN),
    room("report", &["model"]),
    room("bench", &["run", "sim", "pool", "policy", "model"]),
    room("cli", CLI),
];

const RUN: &[&str] = &[
    "report", "live", "sim", "comm", "store", "exec", "pool", "host", "sched", "policy", "spec",
    "model",
];

const CLI: &[&str] = &[
    "bench", "report", "run", "live", "sim", "comm", "store", "exec", "pool", "host", "sched",
    "policy", "spec", "model",
];

/// Where `unsafe` may stand; the files of a module and of those below it.
const UNSAFE: [&str; 4] = ["src/pool", "src/comm/mpi", "src/exec", "src/host"];

/// Rooms that cannot forbid it at their head, as part of them is among the above.
const PARTLY_UNSAFE: [&str; 4] = ["pool", "comm", "exec", "host"];

const LINES: usize = 600;

/// All that is wrong with the files, given as path and text: `file:line: what`.
pub(crate) fn problems(files: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut arrows = BTreeSet::new();
    for (path, text) in files {
        let lines = text.lines().count();
        if lines > LINES {
            problems.push(format!(
                "{path}:{lines}: a file has at most {LINES} lines, this one {lines}"
            ));
        }
        let Some(module) = module(path) else { continue };
        let tokens = tokens(text);
        problems.extend(stray_unsafe(path, &tokens));
        let Some(name) = module.first() else { continue };
        let Some(room) = MAP.iter().find(|room| room.name == name) else {
            problems.push(format!("{path}:1: {name} is not on the map of rooms"));
            continue;
        };
        if module.len() == 1 && !PARTLY_UNSAFE.contains(&room.name) && !forbids_unsafe(&tokens) {
            problems.push(format!("{path}:1: #![forbid(unsafe_code)] is missing"));
        }
        for used in crate_paths(&module, &tokens) {
            let place = format!("{path}:{}", used.line);
            if !MAP.iter().any(|room| room.name == used.first) {
                problems.push(format!("{place}: crate::{} names no room", used.first));
            } else if used.first != room.name {
                if !room.may_use.contains(&used.first.as_str()) {
                    problems.push(format!("{place}: {name} may not use {}", used.first));
                }
                arrows.insert((name.clone(), used.first));
            }
        }
    }
    let arrows: Vec<(String, String)> = arrows.into_iter().collect();
    problems
        .extend(ring(&arrows).map(|ring| format!("src: a ring of rooms: {}", ring.join(" → "))));
    problems
}

/// The path of the module that a file of `src` holds: nothing at all for the root.
fn module(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    parts.pop_if(|last| last == "mod");
    let is_root = parts.len() == 1 && ["lib", "main"].contains(&parts[0].as_str());
    Some(if is_root { Vec::new() } else { parts })
}

fn stray_unsafe(path: &str, tokens: &[Token]) -> Option<String> {
    let belongs = |place: &str| {
        let rest = path.strip_prefix(place);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    let first = tokens.iter().find(|token| token.text == "unsafe")?;
    let stray = !UNSAFE.into_iter().any(belongs);
    stray.then(|| format!("{path}:{}: unsafe is not for here", first.line))
}

fn forbids_unsafe(tokens: &[Token]) -> bool {
    let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let attribute = ["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];
    words.windows(attribute.len()).any(|window| window == attribute)
}

/// A ring among the arrows, if there is one.
pub(crate) fn ring(arrows: &[(String, String)]) -> Option<Vec<String>> {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        uses.entry(from).or_default().insert(to);
        uses.entry(to).or_default();
    }
    // Whatever uses nothing that is left is in no ring.
    while let Some(free) = uses.iter().find(|(_, to)| to.is_empty()).map(|(room, _)| *room) {
        uses.remove(free);
        for to in uses.values_mut() {
            to.remove(free);
        }
    }
    // Of what is left each uses another: from anywhere, follow the arrows until one comes twice.
    let mut path: Vec<&str> = vec![uses.keys().next()?];
    loop {
        let next = *uses[path[path.len() - 1]].first().expect("none without an arrow is left");
        if let Some(start) = path.iter().position(|room| *room == next) {
            return Some(path[start..].iter().map(|room| (*room).to_owned()).collect());
        }
        path.push(next);
    }
}
