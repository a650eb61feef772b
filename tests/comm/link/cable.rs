//! Two hosts, which are network namespaces of this one, and a cable between them that is pulled.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::comm::link::Secret;
use evenkeel::comm::{Incoming, Transport};

use super::child::{CHILD, Listening};
use super::user::{SILENCE, User, poll};

/// The host with the cable's other end, for the test that runs in the first.
const OTHER: &str = "EVENKEEL_TEST_OTHER";
const ADDRESSES: [&str; 2] = ["198.18.7.1", "198.18.7.2"];

/// The namespaces. Dropping them ends what runs in them.
struct Hosts([String; 2]);

/// Whether `ip` does what it is asked to.
fn ip(args: &str) -> bool {
    let mut command = Command::new("ip");
    let status = command.args(args.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Hosts {
    /// None, aloud, where namespaces cannot be made.
    fn new() -> Option<Hosts> {
        let names = [0, 1].map(|i| format!("evenkeel-link-{}-{i}", std::process::id()));
        let hosts = Hosts(names.clone());
        let [one, other] = &names;
        let mut steps = vec![
            format!("netns add {one}"),
            format!("netns add {other}"),
            format!("link add eth0 netns {one} type veth peer name eth0 netns {other}"),
        ];
        for (name, address) in names.iter().zip(ADDRESSES) {
            steps.push(format!("-n {name} addr add {address}/24 dev eth0"));
            steps.push(format!("-n {name} link set eth0 up"));
            steps.push(format!("-n {name} link set lo up"));
        }
        if !steps.iter().all(|step| ip(step)) {
            eprintln!("skipped: network namespaces cannot be made here");
            return None;
        }
        let reaches = || ip(&format!("netns exec {one} ip route get {}", ADDRESSES[1]));
        assert!(poll(reaches), "no cable");
        Some(hosts)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn a_cable_that_is_pulled_is_no_death() {
    let Some(hosts) = Hosts::new() else { return };
    let [one, other] = &hosts.0;
    let this = std::env::current_exe().unwrap();
    let output = Command::new("ip")
        .args(["netns", "exec", one])
        .arg(this)
        .args(["--exact", "link::cable::inside", "--ignored", "--nocapture"])
        .env(OTHER, other)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{error}");
    eprint!("{error}");
}

#[test]
#[ignore = "runs in the first host"]
fn inside() {
    let Ok(other) = std::env::var(OTHER) else { return };
    let plug = |is_in: bool| {
        let state = if is_in { "up" } else { "down" };
        assert!(ip(&format!("-n {other} link set eth0 {state}")));
    };
    let secret = Secret::random().unwrap();
    let child = Listening::start_in(Some(&other), "eth0", &secret, None);
    assert_eq!(child.address.ip().to_string(), ADDRESSES[1]);
    let mut user = User::impatient(super::ends::B);
    user.dial(&[child.address], &secret);
    assert_eq!(user.next(), Incoming::Up(CHILD));

    // For a moment: it goes on as if nothing had been.
    plug(false);
    user.send(CHILD, b"one");
    assert_eq!(user.bridge.receive(Some(Instant::now() + SILENCE / 2)), None);
    plug(true);
    assert_eq!(user.next(), Incoming::Frame { from: CHILD, bytes: b"one".into() });

    // For longer than silence is borne.
    plug(false);
    let pulled = Instant::now();
    user.send(CHILD, b"two");
    assert_eq!(user.next(), Incoming::Down(CHILD));
    user.told().expect("cannot reach");
    let seconds = std::env::var("EVENKEEL_TEST_CUT").ok().and_then(|text| text.parse().ok());
    let until = pulled + Duration::from_secs(seconds.unwrap_or(8));
    assert_eq!(user.bridge.receive(Some(until)), None, "{:#?}", user.told().all());
    plug(true);
    let plugged = Instant::now();
    assert_eq!(user.next(), Incoming::Up(CHILD));
    eprintln!("it is up {:?} after the cable was plugged in", plugged.elapsed());
    user.send(CHILD, b"three");
    assert_eq!(user.next(), Incoming::Frame { from: CHILD, bytes: b"three".into() });
}
