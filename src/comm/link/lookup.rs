//! Where to dial is found out by a thread of its own: files and names can take their time.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::hub::{Command, Hub};
use super::secret::Secret;
use super::setup::Destination;

pub(super) type Whereto = Box<dyn FnMut() -> io::Result<Destination> + Send>;

/// Where one who dials is to go.
pub(super) struct Found {
    pub(super) caller: u64,
    /// Given back, to be asked again.
    pub(super) whereto: Whereto,
    pub(super) result: io::Result<(Vec<SocketAddr>, Secret)>,
}

/// The thread, once it was needed. It is not waited for at the end: a name may never be found.
#[derive(Default)]
pub(super) struct Lookup {
    questions: Option<Sender<(u64, Whereto)>>,
}

impl Lookup {
    /// Has `whereto` asked, and the answer told as a [`Command::Found`].
    pub(super) fn ask(&mut self, hub: &Arc<Hub>, caller: u64, whereto: Whereto) {
        if self.questions.is_none() {
            let (sender, receiver) = channel();
            let thread = thread::Builder::new().name("evenkeel-lookup".to_owned());
            let answers = hub.clone();
            match thread.spawn(move || answer(&answers, &receiver)) {
                Ok(_) => self.questions = Some(sender),
                Err(error) => {
                    let result = Err(error);
                    return hub.command(Command::Found(Found { caller, whereto, result }));
                }
            }
        }
        if let Some(questions) = &self.questions {
            // The thread ends only with this end of the channel.
            let _ = questions.send((caller, whereto));
        }
    }
}

fn answer(hub: &Hub, questions: &Receiver<(u64, Whereto)>) {
    for (caller, mut whereto) in questions {
        let result = whereto().and_then(|to| Ok((resolve(&to.addresses)?, to.secret)));
        hub.command(Command::Found(Found { caller, whereto, result }));
    }
}

/// All that the names stand for, each once. One that is not known is passed over if another is.
fn resolve(names: &[String]) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    let mut failure = io::Error::other("no address is given");
    for name in names {
        match name.to_socket_addrs() {
            Ok(addresses) => found.extend(addresses),
            Err(error) => failure = io::Error::new(error.kind(), format!("{name:?}: {error}")),
        }
    }
    let mut seen = Vec::new();
    found.retain(|address| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    if found.is_empty() { Err(failure) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_in_order_each_once() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = resolve(&names(&["127.0.0.1:7", "no port", "[::1]:7", "127.0.0.1:7"])).unwrap();
        let expected: [SocketAddr; 2] = ["127.0.0.1:7", "[::1]:7"].map(|a| a.parse().unwrap());
        assert_eq!(found, expected);
        let error = resolve(&names(&["no port"])).unwrap_err().to_string();
        assert!(error.contains("\"no port\""), "{error}");
        assert_eq!(resolve(&[]).unwrap_err().to_string(), "no address is given");
    }
}
