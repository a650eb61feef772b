//! One transport made of a world and of links.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::super::{Incoming, Renumbered, Transport, Waker};
use super::hub::{Command, Hub, Links};
use super::line::{Arrived, Line};
use super::reactor::Reactor;
use super::setup::Setup;
use crate::model::PeerId;

/// A process of a world that has links beside it. Waiting in
/// [`receive`](Transport::receive) is waiting in the transport of the world, whose own
/// [`Waker`] is for this one: others use that of the bridge.
///
/// When it is dropped, what was sent over links goes on to be sent for
/// [`FLUSH_TIME`](super::FLUSH_TIME) at most, and the other ends are told that this is the end.
pub struct Bridge<T: Transport> {
    hub: Arc<Hub>,
    thread: Option<JoinHandle<()>>,
    /// The links that the user knows to be up.
    lines: BTreeMap<PeerId, Arc<Line>>,
    /// What came over links and was not taken.
    arrived: VecDeque<Arrived>,
    /// Whether it is the turn of the links, if there is something of both.
    is_links_turn: bool,
    woken: Arc<AtomicBool>,
    /// Which peers those of the world are.
    world: Range<u32>,
    inner: Renumbered<T>,
}

impl<T: Transport> Bridge<T> {
    /// Joins the world of `inner`, whose peers `0..n` are those of `world` from now on, to links.
    /// A process without a world has [`channel::network(1)`](super::super::channel::network).
    ///
    /// # Errors
    /// If the thread of links cannot be started.
    pub fn new(inner: T, world: Range<u32>, setup: Setup) -> io::Result<Bridge<T>> {
        let hub = Arc::new(Hub::new(inner.waker())?);
        let reactor = Reactor::new(hub.clone(), setup)?;
        let builder = thread::Builder::new().name("evenkeel-links".to_owned());
        let thread = Some(builder.spawn(move || reactor.run())?);
        Ok(Bridge {
            hub,
            thread,
            lines: BTreeMap::new(),
            arrived: VecDeque::new(),
            is_links_turn: false,
            woken: Arc::default(),
            inner: Renumbered::new(inner, PeerId(world.start)),
            world,
        })
    }

    /// Gives the peers of the world other numbers, from `first` on. Before anything was received.
    #[must_use]
    pub fn renumbered(mut self, first: PeerId) -> Bridge<T> {
        self.inner.renumber(first);
        self.world = first.0..first.0 + (self.world.end - self.world.start);
        self
    }

    /// What has this process listen and dial.
    #[must_use]
    pub fn links(&self) -> Links {
        Links { hub: self.hub.clone() }
    }

    /// The next thing that has come over links.
    fn take(&mut self) -> Option<Incoming> {
        Some(match self.arrived.pop_front()? {
            Arrived::Up(line) => {
                let peer = line.peer;
                self.lines.insert(peer, line);
                Incoming::Up(peer)
            }
            Arrived::Frame(line, bytes) => {
                line.taken(bytes.len(), &self.hub);
                Incoming::Frame { from: line.peer, bytes }
            }
            Arrived::Down(line) => {
                self.lines.remove(&line.peer);
                self.hub.command(Command::DownTaken(line.peer));
                Incoming::Down(line.peer)
            }
            Arrived::Ended(peer) => Incoming::Ended(peer),
        })
    }
}

impl<T: Transport> Transport for Bridge<T> {
    fn send(&mut self, to: PeerId, frame: Vec<u8>) {
        if self.world.contains(&to.0) {
            self.inner.send(to, frame);
        } else if let Some(line) = self.lines.get(&to) {
            line.send(frame, &self.hub);
        }
    }

    fn receive(&mut self, until: Option<Instant>) -> Option<Incoming> {
        loop {
            // Acquire: with the release in `waker`. Looked at first, as it mostly says no.
            if self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::Acquire) {
                return Some(Incoming::Woken);
            }
            if std::mem::take(&mut self.is_links_turn)
                && let Some(incoming) = self.take()
            {
                return Some(incoming);
            }
            let is_waiting = !self.arrived.is_empty();
            let now = is_waiting.then(Instant::now);
            let incoming = self.inner.receive(now.or(until));
            self.is_links_turn = true;
            match incoming {
                // Whatever comes over links where nothing was before wakes the world once: with each
                // such wake all of it has to be fetched.
                Some(Incoming::Woken) => self.arrived.append(&mut self.hub.arrived()),
                Some(incoming) => return Some(incoming),
                None if is_waiting => {}
                None => return None,
            }
        }
    }

    fn waker(&self) -> Waker {
        let (woken, inner) = (self.woken.clone(), self.inner.waker());
        Waker::new(move || {
            // Release: with the acquire in `receive`, what was done before the call is seen by
            // whoever learns of it.
            if !woken.swap(true, Ordering::Release) {
                inner.wake();
            }
        })
    }
}

impl<T: Transport> Drop for Bridge<T> {
    fn drop(&mut self) {
        self.hub.command(Command::Finish);
        if let Some(thread) = self.thread.take() {
            // If it has panicked, that was reported there.
            let _ = thread.join();
        }
    }
}
