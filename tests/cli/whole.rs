//! Jobs from their file to their records, by the real program.

use std::fs;

use crate::jobs;
use crate::random::Random;
use crate::records::{self, Parents};
use crate::scratch::Scratch;

const SHAPES: [&[&str]; 2] = [&[], &["--nodes", "4", "--subclusters", "2"]];

/// Runs `file` in each shape and sees that all of `job` was done.
fn expect_runs(scratch: &Scratch, file: &str, job: &Parents) {
    for (i, shape) in SHAPES.iter().enumerate() {
        let folder = format!("run-{i}");
        let args = [&["run", file, "--time-scale", "0.001", "--run-dir", &folder], *shape].concat();
        scratch.run(&args).expect(0);
        records::expect_all_done(&scratch.path(&folder), job);
        fs::remove_dir_all(scratch.path(&folder)).unwrap();
    }
}

#[test]
fn recorded_workflows_run_to_their_end() {
    let scratch = Scratch::new();
    for (file, job) in jobs::recorded() {
        expect_runs(&scratch, file.to_str().unwrap(), &job);
    }
}

#[test]
fn a_random_graph_of_commands_and_kernels_runs_to_its_end() {
    let (text, job) = jobs::random_graph(&mut Random::new(), 150);
    let scratch = Scratch::new();
    scratch.write("job.toml", &text);
    expect_runs(&scratch, "job.toml", &job);
}

#[test]
fn each_parameter_of_a_sweep_reaches_arguments_environment_and_files() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "sweep"
        [[sweep]]
        name = "run"
        task_name = "run-%{size}-%{method}"
        product = { size = { from = 1, to = 3 }, method = ["slow", "fast & cheap"] }
        command = ["sh", "-c", 'echo "$1|$2|$size|$method|$OPTION|$EVENKEEL_TASK_NAME"', "sh", "%{size}", "%{method}"]
        env = { OPTION = "o-%{size}-%{method}" }
        stdout = "out/%{TASK_ID}-%{size}-%{ATTEMPT}.txt"
        [[sweep]]
        name = "pair"
        zip = { a = [1, 2], b = ["x", "y"] }
        kernel = "sum"
        args = { value = 40 }
        "#,
    );
    fs::create_dir(scratch.path("out")).unwrap();
    scratch.run(&["run", "job.toml", "--run-dir", "run", "--nodes", "2"]).expect(0);
    let mut index = 0;
    for size in 1..=3 {
        for method in ["slow", "fast & cheap"] {
            let wanted =
                format!("{size}|{method}|{size}|{method}|o-{size}-{method}|run-{size}-{method}\n");
            assert_eq!(scratch.read(&format!("out/{index}-{size}-1.txt")), wanted);
            index += 1;
        }
    }
    let lines = records::lines(&scratch.path("run"));
    let sums: Vec<_> = lines.iter().filter(|l| l.json["value"] == 40).collect();
    assert_eq!((lines.len(), sums.len()), (8, 2));
}

#[test]
fn a_time_limit_ends_a_task_and_all_that_it_started() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "limits"
        [[task]]
        name = "stubborn"
        command = "trap '' TERM; sleep 1000 & while :; do sleep 1000; done"
        time_limit = "200ms"
        grace = "100ms"
        [[task]]
        name = "kernel"
        kernel = "sleep"
        args = { seconds = 1000 }
        time_limit = "200ms"
        [[task]]
        name = "follows"
        command = ["true"]
        after = ["stubborn"]
        [[task]]
        name = "quick"
        command = ["true"]
        time_limit = "50s"
        "#,
    );
    let finished = scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(1);
    assert!(finished.stdout.contains("time limit"), "{}", finished.stdout);
    let lines = records::lines(&scratch.path("run"));
    let state = |task: &str| {
        let line = lines.iter().find(|l| l.task == task).unwrap();
        (line.state.clone(), line.json["exit"].clone(), line.attempt)
    };
    assert_eq!(state("stubborn"), ("failed".into(), "time_limit".into(), 1));
    assert_eq!(state("kernel"), ("failed".into(), "time_limit".into(), 1));
    assert_eq!(state("follows"), ("cancelled".into(), serde_json::Value::Null, 0));
    assert_eq!(state("quick").0, "done");
    scratch.expect_no_process(std::time::Duration::from_secs(1));
}

#[test]
fn a_retry_makes_good_what_failed_once() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "retries"
        [[task]]
        name = "kernel"
        kernel = "fail"
        args = { message = "not yet", times = 1 }
        retries = 1
        [[task]]
        name = "command"
        command = "test $EVENKEEL_ATTEMPT = 3"
        retries = 2
        after = ["kernel"]
        "#,
    );
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(0);
    let told: Vec<_> = records::lines(&scratch.path("run"))
        .into_iter()
        .map(|line| (line.task, line.attempt, line.state))
        .collect();
    let line = |task: &str, attempt, state: &str| (task.to_owned(), attempt, state.to_owned());
    assert_eq!(
        told,
        [
            line("kernel", 1, "failed"),
            line("kernel", 2, "done"),
            line("command", 1, "failed"),
            line("command", 2, "failed"),
            line("command", 3, "done"),
        ]
    );
    let counts = &records::verdict(&scratch.path("run"))["counts"];
    assert_eq!((&counts["done"], &counts["failed"]), (&2.into(), &0.into()));
}

#[test]
fn a_command_finds_signals_as_a_shell_would_give_them() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "signals"
        [[task]]
        name = "pipe"
        command = "yes | head -n 1"
        [[task]]
        name = "masks"
        command = ["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"]
        [[task]]
        name = "input"
        command = ["cat"]
        "#,
    );
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(0);
    let lines = records::lines(&scratch.path("run"));
    let tail = |task: &str| lines.iter().find(|l| l.task == task).unwrap().json["tail"].clone();
    assert_eq!(tail("pipe"), "y\n", "a pipe that is closed ends who writes to it");
    let masks = tail("masks");
    for line in masks.as_str().unwrap().lines() {
        let (_, mask) = line.split_once('\t').unwrap();
        // Those from 32 on belong to the C library, which ignores some in all that it starts.
        let mask = u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff;
        assert_eq!(mask, 0, "{line}");
    }
    assert_eq!(tail("input"), "", "there is nothing to read");
}

#[test]
fn a_place_that_is_not_there_is_named_by_the_task_that_wants_it() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        r#"
        name = "places"
        [[task]]
        name = "cwd"
        command = ["true"]
        cwd = "no-such-folder"
        [[task]]
        name = "stdin"
        command = ["cat"]
        stdin = "no-such-file"
        [[task]]
        name = "program"
        command = ["./no-such-program"]
        "#,
    );
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(1);
    let lines = records::lines(&scratch.path("run"));
    for (task, place) in
        [("cwd", "no-such-folder"), ("stdin", "no-such-file"), ("program", "no-such-program")]
    {
        let line = lines.iter().find(|line| line.task == task).unwrap();
        assert_eq!(line.json["exit"], "could_not_start", "{}", line.json);
        let reason = line.json["reason"].as_str().unwrap();
        assert!(reason.contains(place), "{reason}");
    }
}

#[test]
fn what_a_task_leaves_behind_ends_with_it() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        "name = \"j\"\n[[task]]\nname = \"a\"\ncommand = \"sleep 1000 & echo started\"\n",
    );
    scratch.run(&["run", "job.toml", "--run-dir", "run"]).expect(0);
    scratch.expect_no_process(std::time::Duration::from_secs(1));
}

#[test]
fn runs_without_a_folder_get_one_each_below_here() {
    let scratch = Scratch::new();
    for name in ["../up", "..", "plain", "plain"] {
        let job = format!("name = {name:?}\n[[task]]\nname = \"a\"\nkernel = \"noop\"\n");
        scratch.write("job.toml", &job);
        scratch.run(&["run", "job.toml"]).expect(0);
    }
    let runs = fs::read_dir(scratch.path("evenkeel-runs")).unwrap().flatten();
    let mut names: Vec<_> = runs.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["..-1", ".._up-1", "plain-1", "plain-2"]);
    for name in names {
        let verdict = records::verdict(&scratch.path("evenkeel-runs").join(name));
        assert_eq!(verdict["exit_code"], 0);
    }
}
