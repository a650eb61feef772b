//! What the run stands on gives way: a reader that is gone, a folder that cannot be written, a
//! disk that is full.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, prlimit};

use crate::gates;
use crate::records;
use crate::scratch::{LIMIT, Scratch, poll};

const JOB: &str = "name = \"j\"\n[[task]]\nname = \"a\"\ncommand = [\"true\"]\n";

#[test]
fn a_reader_that_goes_away_is_no_reason_to_panic() {
    let scratch = Scratch::new();
    scratch.write("job.toml", JOB);
    for args in [
        &["run", "job.toml", "--run-dir", "run"][..],
        &["topo"],
        &["topo", "--json"],
        &["status", "run"],
        &["status", "run", "--json"],
        &["--help"],
        &["plan", "job.toml"],
        &["check", "job.toml"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = scratch
            .command(args)
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = poll(LIMIT, || child.try_wait().unwrap().is_some());
        let _ = child.kill();
        let status = child.wait().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(ended && status.code() == Some(0), "{args:?}: {status} {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[test]
fn nobody_who_reads_anything_is_no_reason_to_panic_either() {
    let scratch = Scratch::new();
    scratch.write("bad.toml", "name = 3");
    for (args, code) in
        [(&["check", "bad.toml"][..], 2), (&["run", "bad.toml"], 2), (&["no-such"], 2), (&[], 2)]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = scratch.command(args);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        let ended = poll(LIMIT, || child.try_wait().unwrap().is_some());
        let _ = child.kill();
        let status = child.wait().unwrap();
        assert!(ended && status.code() == Some(code), "{args:?}: {status}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let scratch = Scratch::new();
    scratch.write("job.toml", JOB);
    scratch.write("file", "");
    // Root may write where nobody else may, so that the file in the way stands for all.
    let refused = scratch.run(&["run", "job.toml", "--run-dir", "file/run"]).expect(3);
    insta::assert_snapshot!("folder_under_a_file", refused.shown(&scratch));
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped in part: nothing is unwritable for root");
        return;
    }
    fs::create_dir(scratch.path("closed")).unwrap();
    fs::set_permissions(scratch.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    let refused = scratch.run(&["run", "job.toml", "--run-dir", "closed/run"]).expect(3);
    assert!(refused.stderr.contains("closed"), "{}", refused.stderr);
}

/// A small file system in memory; unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: PathBuf, size: &str) -> Option<Tmpfs> {
        fs::create_dir(&at).unwrap();
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then_some(Tmpfs(at))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_waited_for() {
    let scratch = Scratch::new();
    let Some(_disk) = Tmpfs::mount(scratch.path("disk"), "1m") else {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    };
    scratch.write(
        "job.toml",
        "name = \"full\"\n[[sweep]]\nname = \"a\"\nproduct = { i = { from = 1, to = 40 } }\n\
         command = \"head -c 4000 /dev/zero | tr '\\\\0' x\"\n",
    );
    fs::write(scratch.path("disk/ballast"), vec![0; 950 * 1024]).unwrap();
    let args = ["run", "job.toml", "--run-dir", "disk/run", "--record"];
    let mut running = scratch.start(&args);
    let told = poll(LIMIT, || running.has_ended() || running.stderr().contains("journal"));
    assert!(told && !running.has_ended(), "it waits and says so: {}", running.stderr());
    assert!(running.stderr().contains("No space left"), "{}", running.stderr());
    fs::remove_file(scratch.path("disk/ballast")).unwrap();
    running.wait().expect(0);
    let lines = records::lines(&scratch.path("disk/run"));
    let done = lines.iter().filter(|line| line.state == "done").count();
    assert_eq!((lines.len(), done), (40, 40), "no record is missing once there is room");
    assert!(lines.iter().all(|line| line.json["tail"].as_str().unwrap().len() == 4000));
    assert_eq!(records::verdict(&scratch.path("disk/run"))["exit_code"], 0);
    scratch.run(&["journal", "verify", "disk/run"]).expect(0);
    scratch.run(&["replay", "disk/run"]).expect(0);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told() {
    let scratch = Scratch::new();
    let Some(_disk) = Tmpfs::mount(scratch.path("disk"), "64k") else {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    };
    scratch.write("job.toml", JOB);
    let _ = fs::write(scratch.path("disk/ballast"), vec![0; 64 * 1024]);
    let refused = scratch.run(&["run", "job.toml", "--run-dir", "disk/run"]).expect(3);
    assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);
}

/// Writes until there is no room, and gives that many pages back.
fn fill(ballast: &Path, pages: u64) {
    let mut file = fs::File::create(ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let len = file.metadata().unwrap().len() / 4096 * 4096;
    file.set_len(len.saturating_sub(pages * 4096)).unwrap();
}

#[test]
fn a_run_cannot_go_on_without_room_and_loses_nothing_by_the_try() {
    let (scratch, job) = gates::scratch();
    let Some(_disk) = Tmpfs::mount(scratch.path("disk"), "1m") else {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    };
    let ballast = scratch.path("disk/ballast");
    let run = ["run", "job.toml", "--run-dir", "disk/run"];
    let resume = ["run", "--resume", "disk/run"];
    let mut running = scratch.start(&run);
    running.wait_until("a task that runs", || gates::started(&scratch) > 0);
    running.kill();
    for pages in [0, 1, 2, 3, 5, 8] {
        fill(&ballast, pages);
        let show = || scratch.run(&["journal", "show", "disk/run"]).expect(0).stdout;
        let epochs = |shown: &str| shown.matches("opened").count();
        let before = show();
        let mut running = scratch.start(&resume);
        let told = poll(LIMIT, || {
            running.has_ended()
                || running.stderr().contains("waits for the journal")
                || epochs(&show()) > epochs(&before)
        });
        assert!(told, "{pages} pages: {}", running.stderr());
        if running.has_ended() {
            let refused = running.wait().expect(3);
            assert!(refused.stderr.contains("free some space there"), "{}", refused.stderr);
            assert_eq!(show(), before, "{pages} pages");
        } else {
            running.kill();
        }
        scratch.run(&["journal", "verify", "disk/run"]).expect(0);
        fs::remove_file(&ballast).unwrap();
    }
    gates::open(&scratch);
    scratch.run(&resume).expect(0);
    records::expect_all_done(&scratch.path("disk/run"), &job);
}

#[test]
fn records_for_which_there_is_no_room_are_written_when_there_is() {
    let scratch = Scratch::new();
    // What the journal says once, the name of a sweep, each line of the records says again.
    let name = "x".repeat(2000);
    scratch.write(
        "job.toml",
        &format!(
            "name = \"large\"\n[[sweep]]\nname = \"{name}\"\n\
             product = {{ i = {{ from = 1, to = 200 }} }}\nkernel = \"noop\"\n"
        ),
    );
    let mut limited = scratch.program("bash");
    let script = "trap '' XFSZ; ulimit -S -f 100; exec \"$0\" run job.toml --run-dir run --record";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_evenkeel")]);
    let mut running = scratch.start_command(limited);
    let words = "the run is over and waits for room: cannot write ";
    let waits = poll(LIMIT, || running.has_ended() || running.stderr().contains(words));
    assert!(waits && !running.has_ended(), "{}", running.stderr());
    let said = running.stderr();
    assert!(said.contains("records.jsonl: File too large"), "{said}");
    assert!(said.contains("recording ends: File too large"), "{said}");
    assert!(!scratch.path("run/verdict.json").exists(), "it is the last");
    let limit = Rlimit { current: None, maximum: None };
    prlimit(Some(running.pid()), Resource::Fsize, limit).unwrap();
    running.wait().expect(0);
    let lines = records::lines(&scratch.path("run"));
    let job = (1..=200).map(|i| (format!("{name}-{i}"), Vec::new())).collect();
    records::expect_each_done_once(&lines, &job);
    assert_eq!(records::verdict(&scratch.path("run"))["exit_code"], 0);
    let exported = scratch.run(&["journal", "export", "run"]).expect(0).stdout;
    assert!(exported == scratch.read("run/records.jsonl"));
    // As far as it was written.
    scratch.run(&["replay", "run"]).expect(0);
}
