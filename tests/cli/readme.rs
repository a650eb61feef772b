//! What the README tells people to type works, in the order in which it stands there. Its library
//! example is a documentation test.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scratch::Scratch;

/// Commands that install or build, or belong to a cluster, and therefore are not run here.
const NOT_RUN: [&str; 4] = ["cargo", "git", "make", "module"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The contents of the fenced blocks in `language`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = text.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A copy of the jobs, and the job file of the README.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("jobs")).unwrap();
    for entry in fs::read_dir(root().join("jobs")).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), scratch.path("jobs").join(entry.file_name())).unwrap();
        }
    }
    let blocks = blocks(&readme(), "toml");
    let job = blocks.iter().find(|block| block.contains("[[task]]")).unwrap();
    scratch.write("study.toml", job);
    scratch
}

#[test]
fn every_command_works() {
    let scratch = scratch();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_evenkeel"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let blocks = blocks(&readme(), "sh");
    let lines = blocks.iter().flat_map(|block| block.lines());
    let is_run = |line: &&str| {
        let is_built = cfg!(feature = "mpi") || !line.contains(" launch ");
        !line.is_empty() && is_built && !NOT_RUN.iter().any(|word| line.starts_with(word))
    };
    let commands: Vec<&str> = lines.filter(is_run).collect();
    for command in &commands {
        let mut shell = scratch.program("sh");
        shell.args(["-euc", command]).env("PATH", &path).env("HOME", scratch.path("home"));
        eprintln!("$ {command}");
        scratch.start_command(shell).wait().expect(0);
    }
    for word in ["run", "status", "check", "plan", "simulate", "replay", "topo", "completions"] {
        let shown = commands.iter().any(|command| command.contains(&format!("evenkeel {word} ")));
        assert!(shown, "the README does not show `evenkeel {word}`");
    }
    let total = fs::read_to_string(scratch.path("total.txt")).unwrap();
    assert_eq!(total.trim(), "30", "the job of the README counts its lines");
}

#[test]
fn every_link_leads_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            assert!(root().join(target).exists(), "{page}: {target}");
        }
    }
}

#[test]
fn every_script_and_target_that_is_named_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let blocks = blocks(&readme(), "sh");
    for line in blocks.iter().flat_map(|block| block.lines()) {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
        for script in words.iter().filter(|word| word.ends_with(".sh")) {
            assert!(root().join(script).is_file(), "{line}");
        }
        if let ["make", target, ..] = words[..] {
            assert!(makefile.contains(&format!("\n{target}:")), "{line}");
        }
    }
}

#[test]
fn it_can_be_read_in_two_minutes() {
    let lines = readme().lines().count();
    assert!(lines < 150, "{lines} lines");
}
