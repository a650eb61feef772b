//! What a command is given, and what is seen of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use evenkeel::exec::Report;
use evenkeel::model::{CoreId, Exit, Finish, Span};

use crate::support::{Bed, PATIENCE, command, key, launch, settings, sh, work};

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let bed = Bed::new();
    let well = bed.run(command(1, &["true"]));
    assert_eq!((well.exit, well.reason), (Exit::Code(0), None));
    let badly = bed.sh("exit 42");
    assert_eq!((badly.exit, badly.reason.as_deref()), (Exit::Code(42), Some("exit code 42")));
    let killed = bed.sh("kill -SEGV $$");
    assert_eq!(killed.exit, Exit::Signal(11));
    assert_eq!(killed.reason.as_deref(), Some("signal 11 (SIGSEGV)"));
}

#[test]
fn a_start_is_told_before_its_end_and_times_are_in_order() {
    let bed = Bed::new();
    bed.executor.launch(command(1, &["true"]));
    let first = bed.reports.recv_timeout(PATIENCE).unwrap();
    let Report::Started { key: started, at } = first else { panic!("{first:?}") };
    let second = bed.reports.recv_timeout(PATIENCE).unwrap();
    let Report::Ended(ended) = second else { panic!("{second:?}") };
    let Finish { key: ended, start, end, .. } = ended[0];
    assert_eq!((started, ended), (key(1), key(1)));
    assert_eq!(at, start);
    assert!(start < end);
}

#[test]
fn the_environment_is_as_promised() {
    let bed = Bed::new();
    let mut task = command(5, &["env"]);
    work(&mut task).name = "a b".into();
    work(&mut task).parameters = vec![("alpha".into(), 0.5.into()), ("n".into(), 3.into())];
    task.cores = [CoreId(0), CoreId(1)].into();
    task.gpus = vec![2, 3];
    task.time_left = Some(Span::from_secs(100));
    let env = [("MINE", "x-%{n}-%{TASK_ID}"), ("n", "over"), ("MINE2", "1"), ("MINE2", "2")];
    settings(&mut task).env = env.map(|(name, value)| (name.into(), value.into())).into();
    settings(&mut task).stdout = None;
    let tail = bed.run(task).tail;
    for line in [
        "EVENKEEL_JOB_ID=7",
        "EVENKEEL_TASK_ID=5",
        "EVENKEEL_TASK_NAME=a b",
        "EVENKEEL_ATTEMPT=1",
        "EVENKEEL_CPUS=0,1",
        "EVENKEEL_NODE=3",
        "OMP_NUM_THREADS=2",
        "RAYON_NUM_THREADS=2",
        "CUDA_VISIBLE_DEVICES=2,3",
        "ROCR_VISIBLE_DEVICES=2,3",
        "alpha=0.5",
        "n=over",
        "MINE=x-3-5",
        "MINE2=2",
    ] {
        assert!(tail.lines().any(|l| l == line), "{line} is not in\n{tail}");
    }
    assert_eq!(tail.lines().filter(|line| line.starts_with("n=")).count(), 1);
    assert_eq!(tail.lines().filter(|line| line.starts_with("MINE2=")).count(), 1);
    let deadline = tail.lines().find_map(|line| line.strip_prefix("EVENKEEL_DEADLINE=")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((now + 60..=now + 100).contains(&deadline.parse().unwrap()), "{deadline}");
}

#[test]
fn placeholders_are_filled_everywhere() {
    let bed = Bed::new();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("task-1")).unwrap();
    fs::write(folder.path().join("task-1/in-9"), "input\n").unwrap();
    let mut task = sh(1, "pwd; cat; echo %{x} %%{x}; echo oops >&2");
    work(&mut task).parameters = vec![("x".into(), 9.into())];
    let settings = settings(&mut task);
    settings.cwd = Some(format!("{}/%{{TASK_NAME}}", folder.path().display()));
    settings.stdin = Some("in-%{x}".into());
    settings.stdout = Some("out-%{JOB_ID}-%{TASK_ID}-%{ATTEMPT}-%{NODE}".into());
    let ending = bed.run(task);
    assert_eq!(ending.exit, Exit::Code(0), "{ending:?}");
    assert_eq!(ending.tail, "oops\n");
    let cwd = folder.path().join("task-1");
    let out = fs::read_to_string(cwd.join("out-7-1-1-3")).unwrap();
    assert_eq!(out, format!("{}\ninput\n9 %{{x}}\n", cwd.canonicalize().unwrap().display()));
}

#[test]
fn one_file_for_both_outputs_keeps_their_order() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "from before, and longer than what comes").unwrap();
    let mut task = sh(1, "echo 1; echo 2 >&2; echo 3");
    settings(&mut task).stdout = Some(file.path().display().to_string());
    settings(&mut task).stderr = Some(file.path().display().to_string());
    let ending = bed.run(task);
    assert_eq!((ending.exit, ending.tail.as_str()), (Exit::Code(0), ""));
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "1\n2\n3\n");
}

#[test]
fn a_named_pipe_without_a_reader_holds_nobody_up() {
    let bed = Bed::new();
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert_eq!(bed.run(command(1, &["mkfifo", fifo.to_str().unwrap()])).exit, Exit::Code(0));
    let mut task = command(1, &["true"]);
    settings(&mut task).stdout = Some(fifo.display().to_string());
    let ending = bed.run(task);
    assert_eq!(ending.exit, Exit::CouldNotStart);
    assert!(ending.reason.unwrap().contains("fifo"));
    assert_eq!(bed.sh("echo on").tail, "on\n");
}

#[test]
fn the_tail_is_the_end_of_both_outputs() {
    let bed = Bed::new();
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end >&2";
    let tail = bed.sh(script).tail;
    assert_eq!(tail.len(), 4096);
    assert!(tail.ends_with("line 2999\nend\n"), "{tail}");
    assert_eq!(bed.run(command(2, &["true"])).tail, "");
}

#[test]
fn standard_input_is_empty_and_signals_are_as_new() {
    let bed = Bed::new();
    assert_eq!(bed.run(command(1, &["cat"])).exit, Exit::Code(0));
    let status = bed.run(command(1, &["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])).tail;
    let masks: Vec<&str> =
        status.lines().filter_map(|line| line.split_once('\t')).map(|m| m.1).collect();
    assert_eq!(masks.len(), 2);
    for mask in masks {
        // Without 32 and 33, which belong to the C library and stay as they were inherited.
        let mask = u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31);
        assert_eq!(mask, 0, "{status}");
    }
    let open = bed.sh("ls /proc/$$/fd").tail;
    assert_eq!(open.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn a_command_is_bound_to_its_cores() {
    let allowed = |pinned: bool, core: u32| {
        let bed = Bed::with(|config| config.pinned = pinned);
        let mut task = command(1, &["grep", "Cpus_allowed_list", "/proc/self/status"]);
        task.cores = [CoreId(core)].into();
        bed.run(task).tail.split_whitespace().last().unwrap().to_owned()
    };
    let own = fs::read_to_string("/proc/thread-self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    assert_eq!(allowed(false, 0), own);
    // Of the cores that the test pretends to have, only these are there for sure.
    let here = rustix::thread::sched_getaffinity(None).unwrap();
    for core in (0..2).filter(|core| here.is_set(*core as usize)) {
        assert_eq!(allowed(true, core), core.to_string());
    }
}

#[test]
fn what_cannot_start_says_why() {
    let bed = Bed::new();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "\x7fELF but not really").unwrap();
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = |task, words: &[&str]| {
        let ending = bed.run(task);
        assert_eq!(ending.exit, Exit::CouldNotStart, "{ending:?}");
        let reason = ending.reason.unwrap();
        words.iter().for_each(|word| assert!(reason.contains(word), "`{word}` not in: {reason}"));
    };
    refused(command(1, &["no-such-program"]), &["no such file: `no-such-program`", "PATH"]);
    refused(command(1, &["./no/such"]), &["no such file: `./no/such`"]);
    refused(command(1, &[""]), &["no such file: ``"]);
    refused(command(1, &[]), &["empty"]);
    refused(command(1, &["true", "a\0b"]), &["null byte"]);
    refused(command(1, &[plain.to_str().unwrap()]), &["not executable", "plain"]);
    refused(command(1, &[garbage.to_str().unwrap()]), &["garbage", "#!"]);
    refused(command(1, &["true", &"x".repeat(200_000)]), &["too long"]);
    let with = |change: &dyn Fn(&mut evenkeel::model::Settings)| {
        let mut task = command(1, &["true"]);
        change(settings(&mut task));
        task
    };
    refused(with(&|s| s.cwd = Some("/no/such".into())), &["enter the folder `/no/such`"]);
    refused(with(&|s| s.stdin = Some("/no/in".into())), &["standard input", "`/no/in`"]);
    refused(with(&|s| s.stdout = Some("/no/o".into())), &["standard output", "`/no/o`", "folder"]);
    refused(with(&|s| s.stderr = Some("/no/e".into())), &["standard error", "`/no/e`"]);
    refused(with(&|s| s.env = vec![("A=B".into(), "".into())]), &["`A=B`"]);
}

#[test]
fn the_path_of_the_task_is_the_one_that_counts() {
    let bed = Bed::new();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("only-here");
    fs::write(&script, "#!/bin/sh\necho found\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut task = command(1, &["only-here"]);
    let path = format!("/no/such:{}:/bin", folder.path().display());
    settings(&mut task).env = vec![("PATH".into(), path)];
    assert_eq!(bed.run(task).tail, "found\n");
    let mut relative = command(2, &["./only-here"]);
    settings(&mut relative).cwd = Some(folder.path().display().to_string());
    assert_eq!(bed.run(relative).tail, "found\n");
}

#[test]
fn usage_is_measured() {
    let bed = Bed::new();
    let usage = bed.sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").usage;
    assert!(usage.cpu > Span::ZERO && usage.cpu < Span::from_secs(30), "{usage:?}");
    assert!(usage.max_rss > 100 << 10, "{usage:?}");
}

#[test]
fn a_private_folder_for_temporary_files_is_there_and_then_gone() {
    let root = tempfile::tempdir().unwrap();
    let bed = Bed::with(|config| config.scratch = Some(root.path().to_owned()));
    let script =
        "test -d $TMPDIR && ls -A $TMPDIR && mkdir $TMPDIR/a && : > $TMPDIR/a/b && echo $TMPDIR";
    let first = bed.sh(script);
    assert_eq!(first.exit, Exit::Code(0), "{first:?}");
    let second = bed.sh(script);
    assert_eq!(second.tail, first.tail, "used again, and empty");
    assert!(first.tail.starts_with(root.path().to_str().unwrap()));
    assert!(!fs::exists(first.tail.trim()).unwrap());
    bed.executor.launch(sh(1, "echo $TMPDIR > /dev/null; exec sleep 100"));
    bed.started(key(1));
    let other = bed.run(sh(2, script));
    assert_ne!(other.tail, first.tail, "two at once have two");
    drop(bed);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_key_that_runs_is_not_started_again() {
    let bed = Bed::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("echo x >> {}; exec sleep 100", file.path().display());
    bed.executor.launch(sh(1, &script));
    bed.executor.launch(sh(1, &script));
    bed.started(key(1));
    bed.executor.stop(key(1), Span::ZERO);
    assert_eq!(bed.ended(key(1)).exit, Exit::Signal(9));
    // The guard takes orders one by one, so a second start would come before this one's.
    bed.run(command(2, &["true"]));
    assert!(fs::read_to_string(file.path()).unwrap().lines().count() <= 1);
}

#[test]
fn a_thousand_tasks_are_each_told_once() {
    let bed = Bed::new();
    for task in 0..1000 {
        bed.executor.launch(command(task, &["sh", "-c", "exit %{TASK_ID}"]));
    }
    let mut ended = vec![false; 1000];
    for _ in 0..1000 {
        let (task, ending) = loop {
            match bed.reports.recv_timeout(PATIENCE).expect("a report in time") {
                Report::Ended(mut ended) => {
                    let Finish { key, ending, .. } = ended.remove(0);
                    break (key.task.0, ending);
                }
                Report::Started { .. } | Report::Withdrawn(_) => {}
            }
        };
        assert_eq!(ending.exit, Exit::Code((task % 256) as i32));
        assert!(!std::mem::replace(&mut ended[task as usize], true), "task {task} twice");
    }
}

#[test]
fn orders_that_the_socket_cannot_take_at_once_arrive() {
    let bed = Bed::new();
    // Far more than a socket holds, while the guard is busy with starting.
    let long = "x".repeat(100_000);
    for task in 0..50 {
        bed.executor.launch(command(task, &["sh", "-c", "exit ${#1}", "sh", &long]));
    }
    let ends = std::iter::from_fn(|| Some(bed.reports.recv_timeout(PATIENCE).unwrap()));
    let ends = ends.filter(|report| matches!(report, Report::Ended(_)));
    for end in ends.take(50) {
        let Report::Ended(ended) = end else { unreachable!("filtered") };
        assert_eq!(ended[0].ending.exit, Exit::Code(100_000 % 256));
    }
}

#[test]
fn an_unknown_body_never_waits() {
    let bed = Bed::new();
    let body = evenkeel::model::Body::Kernel { name: "nope".into(), args: ().into() };
    let ending = bed.run(launch(1, body));
    assert_eq!(ending.exit, Exit::CouldNotStart);
    let reason = ending.reason.unwrap();
    assert!(reason.contains("`nope`; there are: ") && reason.contains(" fail, "), "{reason}");
}

#[test]
fn a_grant_that_makes_no_sense_is_refused() {
    let bed = Bed::new();
    for (cores, words) in
        [(&[][..], "no core"), (&[9], "core 9"), (&[1, 1], "core 1 was granted to it twice")]
    {
        let mut task = command(1, &["true"]);
        task.cores = cores.iter().copied().map(CoreId).collect();
        let ending = bed.run(task);
        assert_eq!(ending.exit, Exit::CouldNotStart);
        assert!(ending.reason.unwrap().contains(words));
    }
}
