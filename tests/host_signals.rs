//! Signals sent to a process of its own, which says what it was told.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evenkeel::host::{Signal, Signals};
use rustix::process::{Pid, kill_process};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does as it is told by its standard input, a word a line, and answers in kind: `install`,
/// `drop`, `again` (a second install while the first holds). Ends with its input.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child_obeys() {
    let say = |word: &str| {
        // Not `println!`: the test harness would keep it to itself.
        let mut out = io::stdout();
        writeln!(out, "<{word}>").and_then(|()| out.flush()).expect("the parent listens");
    };
    let install = move || Signals::install(move |signal| say(&format!("{signal:?}")));
    let mut signals = None;
    for order in io::stdin().lines() {
        match order.expect("the parent writes lines").as_str() {
            "install" => signals = Some(install().expect("nobody else has them")),
            "drop" => drop(signals.take()),
            "again" => {
                let error = install().expect_err("they are taken");
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            }
            other => panic!("what is {other}?"),
        }
        say("ready");
    }
}

/// A child that obeys; killed, whatever becomes of the test.
struct Obedient {
    child: Child,
    /// Nothing once the child has been told to end.
    orders: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
}

impl Obedient {
    fn start() -> Obedient {
        let test = env::current_exe().expect("this test is a program");
        let mut child = Command::new(test)
            .args(["--exact", "child_obeys", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test starts");
        let orders = child.stdin.take();
        let answers = listen(child.stdout.take().expect("it is piped"));
        Obedient { child, orders, answers }
    }

    /// Gives an order and waits until it is carried out.
    fn order(&mut self, word: &str) {
        let orders = self.orders.as_mut().expect("it has not been told to end");
        writeln!(orders, "{word}").expect("the child reads");
        assert_eq!(self.answer(), "ready");
    }

    fn answer(&self) -> String {
        self.answers.recv_timeout(PATIENCE).expect("the child answers")
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let signal = rustix::process::Signal::from_named_raw(signal.number());
        kill_process(pid, signal.expect("it has a name")).expect("the child is there");
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        // It may be gone already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is between `<` and `>` on the lines of `output`, read on a thread, so that it can be
/// waited for with a limit.
fn listen(output: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let word = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            if let Some((word, _)) = word
                && sender.send(word.to_owned()).is_err()
            {
                return;
            }
        }
    });
    receiver
}

#[test]
fn each_signal_reaches_the_callback_and_does_not_kill() {
    let mut child = Obedient::start();
    child.order("install");
    for signal in Signal::ALL.into_iter().chain(Signal::ALL) {
        child.send(signal);
        assert_eq!(child.answer(), format!("{signal:?}"));
    }
    child.order("again");
    child.send(Signal::User1);
    assert_eq!(child.answer(), "User1", "a second install has taken nothing away");
}

#[test]
fn dropping_puts_back_what_was_there_and_they_can_be_taken_again() {
    let mut child = Obedient::start();
    for _ in 0..3 {
        child.order("install");
        child.send(Signal::Terminate);
        assert_eq!(child.answer(), "Terminate");
        child.order("drop");
    }
    child.send(Signal::Interrupt);
    // It would end by this, and well, had the signal not killed it before.
    child.orders = None;
    let status = child.child.wait().expect("it is our child");
    assert_eq!(status.signal(), Some(Signal::Interrupt.number()));
}

#[test]
fn a_flood_of_signals_loses_no_kind_of_them() {
    let mut child = Obedient::start();
    child.order("install");
    for _ in 0..500 {
        child.send(Signal::User1);
        child.send(Signal::Interrupt);
    }
    child.send(Signal::Terminate);
    let mut seen = Vec::new();
    while !["Terminate", "Interrupt", "User1"].iter().all(|kind| seen.iter().any(|s| s == kind)) {
        seen.push(child.answer());
        assert!(seen.len() <= 1001, "more were told of than were sent");
    }
}
