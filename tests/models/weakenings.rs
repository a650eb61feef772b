//! What the models are worth: each finds a planted bug; and whatever ordering, fence or comparison
//! of the sources is left out, one of them fails.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::PREEMPTIONS;
use crate::weaken::{LIST, LISTED, WEAKEN};

/// Something that can be left out without any model failing.
struct Explained {
    file: &'static str,
    function: &'static str,
    /// What stands in its line.
    line: &'static str,
    what: &'static str,
    /// Why it is there all the same.
    #[expect(dead_code, reason = "for who reads this")]
    why: &'static str,
}

const EXPLAINED: [Explained; 5] = [
    Explained {
        file: "deque.rs",
        function: "exchange",
        line: "shared.compare_exchange",
        what: "acquire",
        why: "whoever exchanges has loaded the same word before; it keeps that from being a condition",
    },
    Explained {
        file: "deque.rs",
        function: "lower",
        line: "self.head.store(place, Ordering::Release)",
        what: "release",
        why: "who claims makes it visible by his barrier too; it keeps that from being a condition",
    },
    Explained {
        file: "deque.rs",
        function: "lower_public",
        line: "self.head.store(place + 1, Ordering::Release)",
        what: "release",
        why: "as above, where the head goes back",
    },
    Explained {
        file: "context.rs",
        function: "attend",
        line: "self.follower.swap",
        what: "atomicity",
        why: "it takes two that follow at the same time, and so a team of three",
    },
    Explained {
        file: "wait.rs",
        function: "park_behind",
        line: "let reached = heavy();",
        what: "heavy fence",
        why: "who sleeps there is woken when the job is done, only too late to help",
    },
];

/// The models of this program.
fn models() -> Vec<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    let list = command.args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("weakenings::")).map(str::to_owned).collect()
}

/// The output of a model in a process of its own; an error if it fails.
fn run(model: &str, preemptions: Option<&str>, set: (&str, &str)) -> Result<String, String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.envs(preemptions.map(|n| (PREEMPTIONS, n))).envs([set]);
    let output = command.args(["--exact", model, "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// What can be left out where that model gets to.
fn weakenings_in(model: &str) -> Vec<String> {
    let output = run(model, Some("1"), (LIST, "1")).expect("the sources hold");
    let lines = output.lines().filter_map(|line| line.split_once(LISTED));
    lines.map(|(_, weakening)| weakening.to_owned()).collect()
}

/// The models, how long each takes with few pre-emptions, and what can be left out there.
fn quickest_first() -> Vec<(Duration, String, Vec<String>)> {
    let timed = |model: String| {
        let begin = Instant::now();
        let weakenings = weakenings_in(&model);
        (begin.elapsed(), model, weakenings)
    };
    let mut models: Vec<_> = models().into_iter().map(timed).collect();
    models.sort();
    models
}

/// The pre-emptions to try: most is found with few, which is quick; the rest with as many as the
/// model tries by itself.
const FEW_THEN_ALL: [Option<&str>; 2] = [Some("1"), None];

/// Whether the model fails where this is left out.
fn finds(model: &str, preemptions: Option<&str>, weakening: &str) -> bool {
    run(model, preemptions, (WEAKEN, weakening)).is_err()
}

/// Which of the models finds that this is left out. What is known not to be found is not sought
/// for long.
fn found_by<'a>(weakening: &str, models: &'a [String]) -> Option<&'a String> {
    let tries = if is_explained(weakening) { 1 } else { FEW_THEN_ALL.len() };
    FEW_THEN_ALL[..tries]
        .iter()
        .find_map(|few| models.iter().find(|model| finds(model, *few, weakening)))
}

/// Calls `body` with each item, on as many threads as there are cores. Gives back what comes out.
fn side_by_side<T: Send, R: Send>(items: Vec<T>, body: impl Fn(T) -> Option<R> + Sync) -> Vec<R> {
    let (items, results) = (Mutex::new(items.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|s| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            s.spawn(|| {
                loop {
                    let item = items.lock().unwrap().next();
                    let Some(item) = item else { break };
                    results.lock().unwrap().extend(body(item));
                }
            });
        }
    });
    results.into_inner().unwrap()
}

#[test]
fn each_model_finds_a_planted_bug() {
    let blind = side_by_side(models(), |model| {
        let weakenings = weakenings_in(&model);
        let found = FEW_THEN_ALL
            .iter()
            .find_map(|few| weakenings.iter().find(|weakening| finds(&model, *few, weakening)));
        println!("{model} finds {found:?}");
        found.is_none().then_some(model)
    });
    assert_eq!(blind, [""; 0]);
}

#[test]
#[ignore = "takes minutes: `make verify` runs it"]
fn each_is_needed() {
    // What can be left out, and which models get there, the quickest first.
    let mut weakenings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, model, reached) in quickest_first() {
        for weakening in reached {
            weakenings.entry(weakening).or_default().push(model.clone());
        }
    }
    let unneeded = side_by_side(weakenings.into_iter().collect(), |(weakening, models)| {
        let found = found_by(&weakening, &models);
        println!("{weakening}: {found:?}");
        (found.is_none() && !is_explained(&weakening)).then_some(weakening)
    });
    assert_eq!(unneeded, [""; 0]);
}

/// Whether it is known why this stands there, though no model fails without it.
fn is_explained(weakening: &str) -> bool {
    let (place, what) = weakening.split_once(' ').expect("a place and what is left out there");
    let [file, line, _] = place.split(':').collect::<Vec<_>>()[..] else { panic!("{place}") };
    let path = format!("{}/src/pool/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().take(line.parse().unwrap()).collect();
    let function = lines.iter().rev().find_map(|line| line.split_once("fn "));
    let function = function.and_then(|(_, name)| name.split(['(', '<']).next());
    EXPLAINED.iter().any(|known| {
        (known.file, Some(known.function), known.what) == (file, function, what)
            && lines.last().is_some_and(|line| line.contains(known.line))
    })
}
