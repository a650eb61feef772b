//! The house keeps its shape: who uses whom, where `unsafe` is, how long files get, how many
//! crates the library brings along.

mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rules::{MAP, problems};

/// The most crates that `cargo add evenkeel --no-default-features` may compile.
const CRATES: usize = 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files ending in `.rs` under `folder`, by path.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_house_is_in_order() {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples", "benches", "fuzz/fuzz_targets"] {
        rust_files(&root().join(folder), &mut paths);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().to_str().expect("names are plain");
        (name.replace('\\', "/"), text)
    };
    let files: Vec<(String, String)> = paths.into_iter().map(read).collect();
    assert!(files.iter().any(|(name, _)| name == "src/lib.rs"), "the sources were not found");
    let problems = problems(&files);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The rooms that the table in `ARCHITECTURE.md` names, each with those that it may use.
fn drawn(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut table = text.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let mut rooms: Vec<(String, BTreeSet<String>)> = Vec::new();
    while let Some(row) = table.next().and_then(|line| line.strip_prefix('|')) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [name, _, uses] = cells[..] else { panic!("not room, what, uses: {row}") };
        let mut may_use = BTreeSet::new();
        for word in uses.split(", ").filter(|word| *word != "nothing") {
            match word {
                "all" | "all below" => may_use.extend(rooms.iter().map(|room| room.0.clone())),
                room => drop(may_use.insert(room.to_owned())),
            }
        }
        rooms.push((name.trim_matches('`').to_owned(), may_use));
    }
    rooms
}

#[test]
fn the_map_is_the_one_that_is_drawn() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it can be read");
    let drawn = drawn(&text);
    let map: Vec<(String, BTreeSet<String>)> = MAP
        .iter()
        .map(|room| (room.name.to_owned(), room.may_use.iter().map(|r| (*r).to_owned()).collect()))
        .collect();
    assert_eq!(map, drawn, "left: tests/house/rules.rs; right: ARCHITECTURE.md");
    for (name, _) in &map {
        let path = root().join("src").join(name);
        assert!(path.join("mod.rs").is_file(), "{name} is on the map and not in src");
    }
}

#[test]
fn a_table_is_read_as_it_is_drawn() {
    let text = "before\n| room | what | may use |\n|---|---|---|\n| `a` | x, y | nothing |\n\
                | `b` | x | a |\n| `c` | x | all below, d |\n| `d` | x | all |\n\nafter | x |";
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    let room = |name: &str, uses: &[&str]| (name.to_owned(), set(uses));
    let expected = [
        room("a", &[]),
        room("b", &["a"]),
        room("c", &["a", "b", "d"]),
        room("d", &["a", "b", "c"]),
    ];
    assert_eq!(drawn(text), expected);
}

/// The problems of a small house with one more file in it.
fn with(path: &str, text: &str) -> Vec<String> {
    let mut files: Vec<(String, String)> = MAP
        .iter()
        .filter(|room| !path.starts_with(&format!("src/{}/mod.rs", room.name)))
        .map(|room| (format!("src/{}/mod.rs", room.name), "#![forbid(unsafe_code)]\n".to_owned()))
        .collect();
    files.push((path.to_owned(), text.to_owned()));
    problems(&files)
}

#[track_caller]
fn assert_found(path: &str, text: &str, problem: &str) {
    let found = with(path, text);
    assert_eq!(found, [problem], "in {path}: {text}");
}

#[test]
fn a_house_without_fault_has_no_problem() {
    assert_eq!(with("src/lib.rs", "pub mod model; pub use model::Span;"), [""; 0]);
    assert_eq!(with("src/sched/master.rs", "use crate::{model::Span, policy};"), [""; 0]);
    assert_eq!(with("src/sched/master.rs", "use super::ledger; use self::x;"), [""; 0]);
    assert_eq!(with("src/cli/run.rs", "use crate::{run::{Options, run}, report};"), [""; 0]);
}

#[test]
fn an_arrow_that_is_not_on_the_map_is_found_in_every_spelling() {
    let problem = |line: u32| format!("src/sched/a.rs:{line}: sched may not use store");
    for text in [
        "use crate::store::Journal;",
        "pub use crate::store;",
        "use crate::{model::{Span, Time}, store::{self as s}};",
        "use super::super::store::Journal;",
        "fn f() -> crate::store::Journal { loop {} }",
        "fn f() { crate :: store :: open() }",
        "mod tests { mod deep { fn f() { super::super::super::super::store::open() } } }",
        "macro_rules! m { () => { $crate::store::open() } }",
    ] {
        assert_found("src/sched/a.rs", text, &problem(1));
    }
    assert_found("src/sched/a.rs", "/* a\n b */ use\n crate::store;", &problem(3));
    assert_found(
        "src/report/a.rs",
        "use crate::policy;",
        "src/report/a.rs:1: report may not use policy",
    );
}

#[test]
fn what_is_not_code_is_not_an_arrow() {
    for text in [
        "// use crate::store;",
        "/// See [`x`](crate::store).\n/* /* crate::store */ crate::store */",
        r##"const A: &str = "\"crate::store"; const B: &str = r#"" crate::store"#;"##,
        "const Q: char = '\"'; // crate::store\nfn f<'a>(x: &'a str) {} // \" crate::store",
        "const Q: u8 = b'\\''; const S: &[u8] = b\"crate::store\";",
        "pub(crate) fn store() {}",
        "use super::store;",
    ] {
        assert_eq!(with("src/sched/a.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn a_room_names_rooms() {
    let problem = "src/sched/a.rs:1: crate::Outcome names no room";
    assert_found("src/sched/a.rs", "use crate::Outcome;", problem);
    assert_found("src/attic/mod.rs", "", "src/attic/mod.rs:1: attic is not on the map of rooms");
}

#[test]
fn a_ring_is_found_even_where_each_arrow_is_allowed() {
    let arrow = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let ring = [arrow("a", "b"), arrow("b", "c"), arrow("c", "b"), arrow("a", "c")];
    assert_eq!(rules::ring(&ring), Some(vec!["b".to_owned(), "c".to_owned()]));
    assert_eq!(rules::ring(&ring[..2]), None);
    let map: Vec<(String, String)> =
        MAP.iter().flat_map(|room| room.may_use.iter().map(|to| arrow(room.name, to))).collect();
    assert_eq!(rules::ring(&map), None, "the map itself");
}

#[test]
fn unsafe_stays_where_it_belongs() {
    let text = "fn f() { unsafe { g() } }";
    for path in ["src/pool/a.rs", "src/comm/mpi.rs", "src/comm/mpi/a.rs", "src/exec/a.rs"] {
        assert_eq!(with(path, text), [""; 0]);
    }
    for path in ["src/comm/link.rs", "src/sched/a.rs", "src/main.rs", "src/comm/mpirun.rs"] {
        assert_found(path, text, &format!("{path}:1: unsafe is not for here"));
    }
    assert_eq!(with("src/sched/a.rs", "// unsafe\nconst A: &str = \"unsafe\";"), [""; 0]);
}

#[test]
fn every_other_room_forbids_unsafe_code() {
    let problem = "src/sched/mod.rs:1: #![forbid(unsafe_code)] is missing";
    assert_found("src/sched/mod.rs", "// #![forbid(unsafe_code)]", problem);
    assert_found("src/sched/mod.rs", "#![deny(unsafe_code)]", problem);
    assert_eq!(with("src/sched/mod.rs", "//! Doc.\n#![forbid(unsafe_code)]"), [""; 0]);
    assert_eq!(with("src/host/mod.rs", ""), [""; 0]);
}

#[test]
fn a_file_has_an_end() {
    let lines = |n: usize| "\n".repeat(n);
    assert_eq!(with("tests/a.rs", &lines(600)), [""; 0]);
    let problem = "tests/a.rs:601: a file has at most 600 lines, this one 601";
    assert_found("tests/a.rs", &lines(601), problem);
}

#[test]
fn the_bare_library_brings_few_crates() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--no-default-features", "-e", "normal,build", "--prefix", "none"])
        .arg("--locked")
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of crates are ASCII");
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let mut crates: BTreeSet<String> =
        text.lines().filter(|line| !line.is_empty()).map(name).collect();
    crates.retain(|line| !line.starts_with("evenkeel "));
    assert!(crates.iter().any(|c| c.starts_with("libc ")), "{text}");
    assert!(crates.len() <= CRATES, "{} crates, {CRATES} allowed: {crates:#?}", crates.len());
}
