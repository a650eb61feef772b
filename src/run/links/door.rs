//! Where others come in to a run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

use super::address::Address;
use super::words::{Ask, Berth};
use super::{Before, Watch, bridge};
use crate::comm::Transport;
use crate::comm::link::{Admission, Hello, Links, Listen, Secret};
use crate::host::Clock;
use crate::live::Notice;
use crate::model::wire::Wire;
use crate::model::{Amount, NodeInfo, PeerId, Span, Standby, SubclusterId};
use crate::run::layout::{Numbers, equipped};
use crate::run::roster::Reception;
use crate::run::{RunError, files};
use crate::sched::{Part, RunId};
use crate::store::RunFolder;

/// So many nodes and subclusters are numbered in each epoch: who is left of an earlier one keeps its
/// numbers.
const PER_EPOCH: u32 = 100_000;

/// So many who take no part are told apart, from the last number down.
const CALLERS: u32 = 64;

/// How long it takes at most until those who look into the folder see who does not stand by any more.
const GLANCE: Duration = Duration::from_secs(1);

/// A door that is not open yet.
pub(in crate::run) struct Gate {
    links: Links,
    listen: Listen,
    watch: Watch,
}

impl Gate {
    /// From where on the nodes of a run are numbered that others can come to, in this epoch.
    pub(in crate::run) fn numbers(epoch: u32) -> Numbers {
        let first = epoch.saturating_sub(1) % (u32::MAX / PER_EPOCH) * PER_EPOCH;
        Numbers { node: PeerId(first), subcluster: SubclusterId(first) }
    }

    /// A door beside the `n` processes of `world`, numbered from `first` on, for those that come
    /// where `listen` says.
    pub(in crate::run) fn beside<T: Transport + 'static>(
        world: T,
        (first, n): (PeerId, u32),
        listen: &Listen,
        watch: Watch,
    ) -> Result<(Box<dyn Transport>, Gate), RunError> {
        let bridge = bridge(world, (first, n), watch.clone())?;
        let gate = Gate { links: bridge.links(), listen: listen.clone(), watch };
        Ok((Box::new(bridge), gate))
    }

    /// Opens it, and writes down in `folder` where it is. `before`: what is left of the last one.
    /// What is given back ends with the transport.
    pub(in crate::run) fn open(
        self,
        folder: &Arc<RunFolder>,
        clock: Clock,
        before: Before,
        reception: Reception,
    ) -> Result<JoinHandle<()>, RunError> {
        let former = before.former;
        let secret = match &former {
            Some(former) => former.secret.clone(),
            None => Secret::random()
                .map_err(|error| RunError::Io { what: "make a secret for links", error })?,
        };
        let (run, epoch) = (reception.terms.run, reception.terms.epoch);
        let (changes, changed) = channel();
        let door = Door::new(reception, clock, self.watch.clone(), changes);
        let (roster, published) = (Arc::clone(&door.reception.roster), Arc::clone(folder));
        let watch = self.watch.clone();
        let at = self.listen(former.and_then(|former| port_of(&former)), &secret, door)?;
        let at: Vec<String> = at.iter().map(ToString::to_string).collect();
        (self.watch)(&Notice::Note(format!("others may join at {}", at.join(", "))));
        let (listen, zero) = (self.listen.to_string(), clock.zero());
        Address { run, epoch, at, secret, listen, zero }.publish(folder)?;
        // Of its own: the thread of links must not wait for a file system.
        let write = move || {
            let (mut written, mut is_open) = (0, true);
            while is_open {
                is_open = changed.recv_timeout(GLANCE) != Err(RecvTimeoutError::Disconnected);
                while changed.try_recv().is_ok() {}
                let changes = roster.changes();
                if std::mem::replace(&mut written, changes) != changes
                    && let Err(error) = files::publish_nodes(&published, &roster.nodes())
                {
                    watch(&Notice::Note(format!("the nodes that joined: {error}")));
                }
            }
        };
        let failed = |error| RunError::Io { what: "start a thread for those who join", error };
        thread::Builder::new().name("evenkeel-door".to_owned()).spawn(write).map_err(failed)
    }

    /// Listens at the port that the last master had, if it may be any, and is free: who knows no more
    /// than an address comes back to it.
    fn listen(
        &self,
        former: Option<u16>,
        secret: &Secret,
        door: Door,
    ) -> Result<Vec<SocketAddr>, RunError> {
        let door = Arc::new(Mutex::new(door));
        let at = |listen: &Listen| {
            let door = door.clone();
            self.links.listen(listen, secret, move |hello| door.lock().admit(hello))
        };
        let same = former.and_then(|port| self.listen.at_port(port));
        let again = same.and_then(|same| at(&same).ok());
        again.map_or_else(|| at(&self.listen), Ok).map_err(|e| RunError::Listen(e.to_string()))
    }
}

fn port_of(former: &Address) -> Option<u16> {
    former.at.first()?.rsplit_once(':')?.1.parse().ok()
}

struct Door {
    reception: Reception,
    /// The master's.
    clock: Clock,
    watch: Watch,
    /// Whose cores are in use for certain.
    own: Vec<NodeInfo>,
    next: Numbers,
    /// How many have called that take no part; the last few have a number.
    callers: u32,
    changes: Sender<()>,
}

impl Door {
    fn new(reception: Reception, clock: Clock, watch: Watch, changes: Sender<()>) -> Door {
        let next = Numbers {
            node: PeerId(reception.world.end),
            subcluster: SubclusterId(reception.subclusters.end),
        };
        let own = reception.roster.nodes();
        Door { own, reception, clock, watch, next, callers: 0, changes }
    }

    fn admit(&mut self, hello: Hello<'_>) -> Admission {
        let berth = |(peer, berth): (PeerId, Berth)| (peer, berth.to_bytes());
        let answer = match Ask::from_bytes(hello.bytes) {
            Ok(Ask::Join { run, nodes, resources, standby }) => {
                self.join(run, nodes, &resources, standby).map(berth)
            }
            Ok(Ask::Back { run, nodes }) => self.back(run, nodes).map(berth),
            Ok(Ask::Drain { run, parts }) => self.drain(run, parts),
            Err(error) => Err(format!("what it wants cannot be read: {}", error.0)),
        };
        match answer {
            Ok((peer, answer)) => Admission::Admit { peer, answer },
            Err(why) => {
                let from = hello.from;
                (self.watch)(&Notice::Note(format!("who dialled from {from} is refused: {why}")));
                Admission::Refuse { why }
            }
        }
    }

    fn is_of_run(&self, run: RunId) -> Result<(), String> {
        match run == self.reception.terms.run {
            true => Ok(()),
            false => Err(format!(
                "this is run {:016x}, and run {:016x} is looked for",
                self.reception.terms.run.0, run.0
            )),
        }
    }

    fn join(
        &mut self,
        run: Option<RunId>,
        nodes: Vec<NodeInfo>,
        resources: &[(String, Amount)],
        standby: Option<Span>,
    ) -> Result<(PeerId, Berth), String> {
        run.map_or(Ok(()), |run| self.is_of_run(run))?;
        let Numbers { node: first, subcluster } = self.next;
        let n = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let left = PER_EPOCH - first.0 % PER_EPOCH;
        if n == 0 || n >= left {
            return Err(format!("{n} nodes want to join; from 1 to {} can", left - 1));
        }
        let crowded = nodes.iter().any(|node| self.own.iter().any(|own| share_cores(own, node)));
        let mut nodes = self.next.give(nodes);
        for node in &mut nodes {
            node.pinned &= !crowded;
            node.standby = if standby.is_some() { Standby::Now } else { Standby::No };
            let capacity = std::mem::take(&mut node.capacity);
            node.capacity = equipped(capacity, resources, &self.reception.names);
        }
        self.next =
            Numbers { node: PeerId(first.0 + n), subcluster: SubclusterId(subcluster.0 + 1) };
        let (host, last) = (&nodes[0].host, first.0 + n - 1);
        let which =
            if n == 1 { format!("node {}", first.0) } else { format!("nodes {}-{last}", first.0) };
        (self.watch)(&Notice::Note(format!(
            "{which} of {host} joined, as subcluster {}{}",
            subcluster.0,
            if standby.is_some() { ", to stand by" } else { "" }
        )));
        self.enter(nodes);
        let berth = self.berth(Numbers { node: first, subcluster }, crowded);
        let standby = standby.map(|span| self.clock.now() + span);
        Ok((first, Berth { standby, ..berth }))
    }

    fn back(&mut self, run: RunId, nodes: Vec<NodeInfo>) -> Result<(PeerId, Berth), String> {
        self.is_of_run(run)?;
        let first = nodes.first().ok_or("it does not say who it is")?;
        let (peer, subcluster) = (first.node, first.subcluster);
        let epoch_begins = self.reception.world.start;
        let unknown = (self.next.node.0..epoch_begins.saturating_add(PER_EPOCH)).contains(&peer.0);
        if unknown || self.reception.world.contains(&peer.0) {
            return Err(format!("node {} has not joined this run", peer.0));
        }
        self.enter(nodes);
        Ok((peer, self.berth(Numbers { node: peer, subcluster }, false)))
    }

    /// Has others leave. Whoever asks for it is a peer that says nothing.
    fn drain(&mut self, run: Option<RunId>, parts: Vec<Part>) -> Result<(PeerId, Vec<u8>), String> {
        run.map_or(Ok(()), |run| self.is_of_run(run))?;
        let nodes = self.reception.roster.nodes();
        let is_of_it = |part: &Part, info: &NodeInfo| match part {
            Part::Node(node) => info.node == *node,
            Part::Subcluster(subcluster) => info.subcluster == *subcluster,
        };
        if let Some(unknown) = parts.iter().find(|part| !nodes.iter().any(|n| is_of_it(part, n))) {
            return Err(format!("there has never been a {unknown} in this run"));
        }
        for part in parts {
            (self.watch)(&Notice::Note(format!("{part} is asked to leave")));
            self.reception.handle.drain(part);
        }
        self.callers = (self.callers + 1) % CALLERS;
        Ok((PeerId(u32::MAX - self.callers), Vec::new()))
    }

    fn enter(&self, nodes: Vec<NodeInfo>) {
        self.reception.roster.add(nodes);
        let _ = self.changes.send(());
    }

    fn berth(&self, numbers: Numbers, crowded: bool) -> Berth {
        Berth {
            terms: self.reception.terms.clone(),
            first: numbers.node,
            subcluster: numbers.subcluster,
            names: self.reception.names.clone(),
            standby: None,
            crowded,
            recorded_in: self.reception.recorded_in.clone(),
        }
    }
}

fn share_cores(a: &NodeInfo, b: &NodeInfo) -> bool {
    a.host == b.host && a.cores.iter().any(|core| b.cores.contains(core))
}
