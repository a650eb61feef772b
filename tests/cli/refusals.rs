//! What people see: of good input, of bad input, of tasks that fail.

use std::path::Path;

use crate::records;
use crate::scratch::Scratch;

fn shown(scratch: &Scratch, args: &[&str], code: i32) -> String {
    let finished = scratch.run(args).expect(code);
    format!("$ evenkeel {}\n{}", args.join(" "), finished.shown(scratch))
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let scratch = Scratch::new();
    scratch.write("good.toml", "name = \"good\"\n[[task]]\nname = \"a\"\ncommand = [\"true\"]\n");
    scratch.write(
        "bad.toml",
        "name = \"bad\"\n[[task]]\nname = \"a\"\ncomand = [\"true\"]\n[[task]]\nname = \"b\"\n\
         command = [\"true\"]\nafter = [\"c\"]\n",
    );
    scratch.write("kernel.toml", "name = \"k\"\n[[task]]\nname = \"a\"\nkernel = \"noob\"\n");
    scratch.write(
        "large.toml",
        "name = \"l\"\n[[task]]\nname = \"a\"\nkernel = \"noop\"\ncores = 100000\n",
    );
    insta::assert_snapshot!("check_good", shown(&scratch, &["check", "good.toml"], 0));
    insta::assert_snapshot!("check_bad", shown(&scratch, &["check", "bad.toml"], 2));
    insta::assert_snapshot!("check_kernel", shown(&scratch, &["check", "kernel.toml"], 2));
    insta::assert_snapshot!("check_missing", shown(&scratch, &["check", "none.toml"], 2));
    let large = scratch.run(&["check", "large.toml"]).expect(2);
    assert!(large.stderr.contains("100000"), "{}", large.stderr);
}

#[test]
fn bad_input_to_run_is_refused_before_a_folder_is_made() {
    let scratch = Scratch::new();
    scratch.write("bad.toml", "name = \"bad\"\n[[task]]\nname = \"a\"\n");
    insta::assert_snapshot!("run_bad", shown(&scratch, &["run", "bad.toml", "--run-dir", "r"], 2));
    scratch.write("ok.toml", "name = \"ok\"\n[[task]]\nname = \"a\"\nkernel = \"noop\"\n");
    let shape = ["run", "ok.toml", "--run-dir", "r", "--nodes", "2", "--subclusters", "3"];
    insta::assert_snapshot!("run_shape", shown(&scratch, &shape, 2));
    scratch.write("racks", "# group left\nn1\n# group right\nn2 slots=2\nn1\n");
    for (name, file) in [("run_racks", "racks"), ("run_no_racks", "rakcs")] {
        let groups = ["run", "ok.toml", "--run-dir", "r", "--subclusters", file];
        insta::assert_snapshot!(name, shown(&scratch, &groups, 2));
    }
    scratch.write("racks", "# group left\nsome-other-host\n");
    let other = ["run", "ok.toml", "--run-dir", "r", "--subclusters", "racks"];
    insta::assert_snapshot!("run_other_racks", shown(&scratch, &other, 2));
    assert!(!scratch.path("r").exists());
}

#[test]
fn commands_and_options_that_there_are_not_are_refused() {
    let scratch = Scratch::new();
    insta::assert_snapshot!("unknown_command", shown(&scratch, &["rnu"], 2));
    insta::assert_snapshot!("unknown_option", shown(&scratch, &["run", "x", "--node", "2"], 2));
    insta::assert_snapshot!("no_file", shown(&scratch, &["run"], 2));
    insta::assert_snapshot!("no_nodes", shown(&scratch, &["run", "x", "--nodes", "0"], 2));
}

#[test]
fn a_task_that_fails_is_shown_with_the_end_of_its_output() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "failing"
        [[task]]
        name = "good"
        command = ["true"]
        [[task]]
        name = "bad"
        command = "echo on its output; echo and on its errors >&2; exit 7"
        after = ["good"]
        [[task]]
        name = "killed"
        command = "kill -9 $$"
        after = ["bad-not"]
        [[task]]
        name = "bad-not"
        command = ["no-such-program-anywhere"]
        [[task]]
        name = "kernel"
        kernel = "fail"
        args = { message = "the matrix is singular" }
        [[task]]
        name = "follows"
        command = ["true"]
        after = ["bad"]
        "#,
    );
    let finished = scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(1);
    for words in ["exit code 7", "on its output", "and on its errors", "the matrix is singular"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.stdout);
    }
    let lines = records::lines(&scratch.path("run"));
    let of = |task: &str| &lines.iter().find(|line| line.task == task).unwrap().json;
    assert_eq!(of("bad")["exit"]["code"], 7);
    assert_eq!(of("bad-not")["exit"], "could_not_start");
    assert_eq!(of("killed")["state"], "cancelled");
    assert_eq!(of("follows")["state"], "cancelled");
    assert_eq!(of("follows")["node"], serde_json::Value::Null);
    let verdict = records::verdict(&scratch.path("run"));
    assert_eq!(verdict["exit_code"], 1);
    assert_eq!(
        (&verdict["counts"]["failed"], &verdict["counts"]["cancelled"]),
        (&3.into(), &2.into())
    );
}

#[test]
fn the_closing_table_of_a_failed_task() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        "name = \"failing\"\n[[task]]\nname = \"bad\"\ncommand = \"echo the last words; exit 7\"\n",
    );
    let mut command = scratch.command(&["run", "job.toml", "--run-dir", "run"]);
    // As many cores on every machine.
    command.env("HWLOC_SYNTHETIC", "package:1 core:2 pu:1");
    let finished = scratch.start_command(command).wait().expect(1);
    insta::assert_snapshot!("run_failing", finished.shown(&scratch));
}

#[test]
fn a_run_in_json_parses() {
    let scratch = Scratch::new();
    scratch.write("job.toml", "name = \"j\"\n[[task]]\nname = \"a\"\nkernel = \"noop\"\n");
    let finished = scratch.run(&["run", "job.toml", "--run-dir", "run", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(json["verdict"]["exit_code"], 0);
    assert!(json["summary"].is_object());
    assert_eq!(json["folder"], scratch.path("run").to_str().unwrap());
}

#[test]
fn what_is_no_run_cannot_be_resumed_asked_or_replayed() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("empty")).unwrap();
    let commands: [(&[&str], i32); 5] = [
        (&["run", "--resume", "none"], 2),
        (&["run", "--resume", "empty"], 2),
        (&["status", "none"], 2),
        (&["status", "empty"], 2),
        (&["replay", "empty"], 2),
    ];
    let all: Vec<String> =
        commands.iter().map(|(args, code)| shown(&scratch, args, *code)).collect();
    insta::assert_snapshot!("no_run", all.join("\n\n"));
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let scratch = Scratch::new();
    scratch.write("job.toml", "name = \"j\"\n[[task]]\nname = \"a\"\nkernel = \"noop\"\n");
    std::fs::create_dir(scratch.path("precious")).unwrap();
    scratch.write("precious/data.txt", "years of work");
    let refused = shown(&scratch, &["run", "job.toml", "--run-dir", "precious"], 2);
    insta::assert_snapshot!("folder_taken", refused);
    assert_eq!(scratch.read("precious/data.txt"), "years of work");
    let names = std::fs::read_dir(scratch.path("precious")).unwrap().count();
    assert_eq!(names, 1, "nothing was added");
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(0);
    let again = shown(&scratch, &["run", "job.toml", "--run-dir", "run"], 2);
    insta::assert_snapshot!("folder_of_a_run", again);
    assert!(Path::new(&scratch.path("run/verdict.json")).exists());
}
