//! Another process that listens, to be killed.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use evenkeel::comm::link::Secret;
use evenkeel::comm::{Incoming, Transport};
use evenkeel::model::PeerId;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};
use tempfile::TempDir;

use super::user::{User, poll};

/// Which peer it is.
pub(crate) const CHILD: PeerId = PeerId(9);

const SECRET: &str = "EVENKEEL_TEST_SECRET";
const PLACE: &str = "EVENKEEL_TEST_PLACE";
const ADDRESS: &str = "EVENKEEL_TEST_ADDRESS";
const DESCRIPTORS: &str = "EVENKEEL_TEST_DESCRIPTORS";

/// The process, which ends with this.
pub(crate) struct Listening {
    process: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Listening {
    /// Starts it on this host.
    pub(crate) fn start(secret: &Secret) -> Listening {
        Listening::start_in(None, "lo", secret, None)
    }

    /// Starts it in a network namespace, or in this one, with so many descriptors if that is said.
    pub(crate) fn start_in(
        namespace: Option<&str>,
        place: &str,
        secret: &Secret,
        descriptors: Option<u32>,
    ) -> Listening {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("address");
        let this = std::env::current_exe().unwrap();
        let mut command = match namespace {
            None => Command::new(this),
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(this);
                command
            }
        };
        let process = command
            .args(["--exact", "link::child::process", "--ignored"])
            .env(SECRET, secret.to_hex())
            .env(PLACE, place)
            .env(ADDRESS, &path)
            .env(DESCRIPTORS, descriptors.unwrap_or(0).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = None;
        let known = poll(|| {
            address = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
            address.is_some()
        });
        let unknown = "0.0.0.0:0".parse().unwrap();
        let listening = Listening { process, folder, address: address.unwrap_or(unknown) };
        assert!(known, "it does not say where it listens");
        listening
    }

    /// Kills it, by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Has it stand still, or go on.
    pub(crate) fn stop(&self, is_stopped: bool) {
        let signal = if is_stopped { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// How much processor time it has used, in ticks of the system.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
#[ignore = "the other process"]
fn process() {
    let Ok(secret) = std::env::var(SECRET) else { return };
    // Whoever started it is gone when there is nothing more to read.
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut user = User::new(CHILD);
    let place = std::env::var(PLACE).unwrap();
    let address = user.listen_at(&place, &secret.parse().unwrap());
    let descriptors: u64 = std::env::var(DESCRIPTORS).unwrap().parse().unwrap();
    if descriptors > 0 {
        let limit = Some(descriptors);
        setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    }
    let path = std::env::var(ADDRESS).unwrap();
    fs::write(format!("{path}.new"), address.to_string()).unwrap();
    fs::rename(format!("{path}.new"), path).unwrap();
    loop {
        if let Some(Incoming::Frame { from, bytes }) = user.bridge.receive(None) {
            user.bridge.send(from, bytes);
        }
    }
}
