//! A job whose commands leave lines behind in a file, and what these tell of a run that died.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::random::Random;
use crate::records::Parents;
use crate::scratch::{LIMIT, Running, Scratch, poll};

/// An ending that was seen so long before a kill must be durable by then: the window of the
/// group commit, and what a busy machine may add to it.
const DURABLE_AFTER: f64 = 0.1 + 0.9;

/// A command that leaves a line when it starts and one when it ends; and two processes that would
/// go on for long, of which one has left its group and session.
const TASK: &str = r#"
cwd = "SCRATCH"
command = "sleep 1000 & setsid sleep 1000 & echo start $EVENKEEL_TASK_NAME $EVENKEEL_ATTEMPT $(date +%s.%N) >> effects; sleep PAUSE; echo end $EVENKEEL_TASK_NAME $EVENKEEL_ATTEMPT $(date +%s.%N) >> effects"
"#;

/// Seconds since 1970, as the commands tell them.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Writes a job of `n` such tasks and some kernels to `job.toml`.
pub(crate) fn job(scratch: &Scratch, random: &mut Random, n: u64) -> Parents {
    let folder = scratch.path("").display().to_string();
    let task = TASK.replace("SCRATCH", &folder).replace("PAUSE", "0.05");
    let mut text = "name = \"crash\"\n".to_owned();
    let mut job = Parents::new();
    for i in 0..n {
        let parents: Vec<String> = match i {
            0..8 => Vec::new(),
            _ => vec![format!("t{}", random.below(i))],
        };
        let body = if i % 5 == 4 { "kernel = \"sleep\"\nargs = { seconds = 0.02 }" } else { &task };
        writeln!(text, "[[task]]\nname = \"t{i}\"\nafter = {parents:?}\n{body}").unwrap();
        job.insert(format!("t{i}"), parents);
    }
    scratch.write("job.toml", &text);
    job
}

/// How many bytes the files of the journal have together; nothing if there is none.
pub(crate) fn journal(scratch: &Scratch) -> Option<u64> {
    let entries = fs::read_dir(scratch.path("run")).ok()?.flatten();
    let files = entries.filter(|e| e.file_name().to_string_lossy().starts_with("journal."));
    files.map(|file| file.metadata().map_or(0, |meta| meta.len())).reduce(|a, b| a + b)
}

/// Waits for a moment that chance chooses: so many more lines of records or of effects, or
/// bytes of the journal, than there are now. False if the run ended before.
pub(crate) fn comes_to_a_random_moment(
    running: &mut Running<'_>,
    scratch: &Scratch,
    random: &mut Random,
) -> bool {
    let size = |name: &str| match name {
        "journal" => journal(scratch).unwrap_or(0),
        _ => fs::metadata(scratch.path(name)).map_or(0, |meta| meta.len()),
    };
    let (name, more) = match random.below(8) {
        0 => return !running.has_ended(),
        1 => ("run", 1),
        2 => ("journal", 1),
        3 | 4 => ("journal", 1 + random.below(1500)),
        5 | 6 => ("effects", 1 + random.below(300)),
        _ => ("run/records.jsonl", 1 + random.below(1500)),
    };
    let goal = size(name) + more;
    let mut ended = false;
    let came = poll(LIMIT, || {
        ended = running.has_ended();
        // Records are written anew by whoever goes on, so that they may shrink at first.
        ended || size(name) >= goal
    });
    assert!(came, "{name} stays below {goal} bytes; stderr: {}", running.stderr());
    !ended
}

/// Sees that a command whose end was long durable when the process was killed was not run
/// again. Gives how many were run again though they had ended.
pub(crate) fn expect_only_the_unfinished_again(effects: &str, killed: &[f64]) -> usize {
    let mut ended: BTreeMap<&str, f64> = BTreeMap::new();
    let mut again = 0;
    for line in effects.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, task, _, at] = words[..] else { continue };
        let Ok(at) = at.parse::<f64>() else { continue };
        if what == "end" {
            ended.insert(task, at);
        // Of what is killed once more before it ends again that end says nothing any more.
        } else if let Some(end) = ended.remove(task) {
            again += 1;
            let kill = killed.iter().rfind(|kill| **kill <= at);
            let kill = kill.unwrap_or_else(|| panic!("{task} was run again, and nothing died"));
            let held = kill - end;
            assert!(held < DURABLE_AFTER, "{task} ended {held} s before the kill and ran again");
        }
    }
    again
}
