//! Where the thread of links and the rest of the process meet.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use super::super::Waker;
use super::line::Arrived;
use super::listen::{Listen, ListenError, reachable};
use super::lookup::Found;
use super::secret::Secret;
use super::setup::{Admission, Dial, Hello};
use crate::model::PeerId;

/// What the two sides leave for each other.
pub(super) struct Hub {
    orders: Mutex<Orders>,
    /// Wakes the thread.
    bell: OwnedFd,
    /// What the user is to take.
    arrived: Mutex<VecDeque<Arrived>>,
    /// Wakes the user.
    waker: Waker,
    dials: AtomicU64,
}

/// What the thread is to do.
#[derive(Default)]
struct Orders {
    commands: Vec<Command>,
    /// Whether it was told to finish: it does nothing more.
    is_last: bool,
}

/// A word to the thread of links.
pub(super) enum Command {
    Listen(Door),
    Dial(u64, Dial),
    /// Where a dial is to go was found out.
    Found(Found),
    HangUp(u64),
    /// The line of this connection has something to do.
    Stir(u64),
    /// The user has taken a `Down` of this peer.
    DownTaken(PeerId),
    Finish,
}

/// Where others come in.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) secret: Secret,
    pub(super) admit: Admit,
}

pub(super) type Admit = Box<dyn FnMut(Hello<'_>) -> Admission + Send>;

impl Hub {
    pub(super) fn new(waker: Waker) -> io::Result<Hub> {
        Ok(Hub {
            orders: Mutex::default(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            arrived: Mutex::default(),
            waker,
            dials: AtomicU64::new(0),
        })
    }

    pub(super) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    pub(super) fn command(&self, command: Command) {
        let mut orders = self.orders.lock();
        if orders.is_last {
            return;
        }
        orders.is_last = matches!(command, Command::Finish);
        orders.commands.push(command);
        if orders.commands.len() == 1 {
            // It can only fail when it rings already.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }

    /// All that the thread is to do.
    pub(super) fn commands(&self) -> Vec<Command> {
        let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
        std::mem::take(&mut self.orders.lock().commands)
    }

    pub(super) fn arrive(&self, what: Arrived) {
        let mut arrived = self.arrived.lock();
        arrived.push_back(what);
        let is_first = arrived.len() == 1;
        drop(arrived);
        if is_first {
            self.waker.wake();
        }
    }

    /// All that came.
    pub(super) fn arrived(&self) -> VecDeque<Arrived> {
        std::mem::take(&mut *self.arrived.lock())
    }
}

/// Has the thread of a [`Bridge`](super::Bridge) listen and dial, from any thread. Copies are the
/// same; after the bridge is gone nothing happens.
#[derive(Clone)]
pub struct Links {
    pub(super) hub: Arc<Hub>,
}

/// Which [`Dial`] is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialId(u64);

impl Links {
    /// Listens from now on. Whoever proves the secret says hello, and `admit` says what becomes of
    /// it; it is called from the thread of links, and holds up all of them for as long as it takes.
    /// Gives the addresses under which others may dial; none if this is off.
    ///
    /// A peer that is let in while there is a link to it replaces that: of two processes only one
    /// may dial the other. One whose link broke says hello again, and `admit` is asked again.
    ///
    /// # Errors
    /// If there is no such address here, or no port is free.
    pub fn listen(
        &self,
        at: &Listen,
        secret: &Secret,
        admit: impl FnMut(Hello<'_>) -> Admission + Send + 'static,
    ) -> Result<Vec<SocketAddr>, ListenError> {
        let Some(listener) = at.bind()? else { return Ok(Vec::new()) };
        let here = listener
            .local_addr()
            .map_err(|error| ListenError::Taken { at: at.to_string(), error })?;
        let addresses = reachable(here)?;
        let door = Door { listener, secret: secret.clone(), admit: Box::new(admit) };
        self.hub.command(Command::Listen(door));
        Ok(addresses)
    }

    /// Dials until there is a link, and again whenever it breaks, until that is given up.
    pub fn dial(&self, dial: Dial) -> DialId {
        let id = self.hub.dials.fetch_add(1, Ordering::Relaxed);
        self.hub.command(Command::Dial(id, dial));
        DialId(id)
    }

    /// Gives a dial up. A link that it has led to is closed, after all that was sent.
    pub fn hang_up(&self, id: DialId) {
        self.hub.command(Command::HangUp(id.0));
    }
}
