//! What a shell and its user are told of the command line.

use std::fs;

use crate::scratch::Scratch;

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scratch.run(&["completions", shell]).expect(0).stdout;
        assert!(
            ["evenkeel", "simulate", "time-scale"].iter().all(|w| script.contains(w)),
            "{script}"
        );
    }
    let bash = scratch.run(&["completions", "bash"]).expect(0).stdout;
    scratch.write("completions", &bash);
    let mut parse = scratch.program("bash");
    parse.args(["-n", "completions"]);
    scratch.start_command(parse).wait().expect(0);
}

#[test]
fn every_command_has_a_manual_page_and_an_example() {
    let scratch = Scratch::new();
    scratch.run(&["man", "pages"]).expect(0);
    for command in [
        "run",
        "launch",
        "plan",
        "simulate",
        "replay",
        "topo",
        "check",
        "status",
        "journal",
        "completions",
        "man",
    ] {
        let page =
            fs::read_to_string(scratch.path(&format!("pages/evenkeel-{command}.1"))).unwrap();
        assert!(page.starts_with(".ie") && page.contains(".SH NAME"), "{page}");
        let help = scratch.run(&[command, "--help"]).expect(0).stdout;
        assert!(help.contains(&format!("evenkeel {command}")), "{help}");
        assert!(help.contains("\nExample"), "{help}");
    }
    for command in ["show", "verify", "export"] {
        assert!(scratch.path(&format!("pages/evenkeel-journal-{command}.1")).exists());
        let help = scratch.run(&["journal", command, "--help"]).expect(0).stdout;
        assert!(help.contains("\nExample"), "{help}");
    }
}

#[test]
fn a_man_page_that_cannot_be_written_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    let refused = scratch.run(&["man", "file/pages"]).expect(3);
    assert!(
        refused.stderr.starts_with("error: cannot write to file/pages: "),
        "{}",
        refused.stderr
    );
}

#[test]
fn whatever_is_printed_as_json_names_its_version() {
    let scratch = Scratch::new();
    scratch.write("job.toml", "[[task]]\nname = \"a\"\nkernel = \"noop\"\n");
    let commands: [&[&str]; 6] = [
        &["run", "job.toml", "--run-dir", "run", "--json"],
        &["run", "--resume", "run", "--json"],
        &["status", "run", "--json"],
        &["plan", "job.toml", "-p", "2 nodes x core:2 speed:1.5", "--json"],
        &["simulate", "job.toml", "-p", "core:2", "--json"],
        &["topo", "--json"],
    ];
    for command in commands {
        let printed = scratch.run(command).expect(0).stdout;
        let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(json["version"], 1, "{command:?}: {printed}");
    }
}
