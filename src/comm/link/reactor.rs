//! The thread of links: it waits for all sockets at once, and for its orders.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::FLUSH_TIME;
use super::agenda::{Agenda, What};
use super::callers::Caller;
use super::connection::{Connection, Phase};
use super::ends::End;
use super::guests::Entrance;
use super::hub::{Command, Hub};
use super::line::{Arrived, Line, Todo};
use super::lookup::Lookup;
use super::noise::Version;
use super::notes::Notes;
use super::record::Record;
use super::setup::Setup;
use super::wire::{Said, Scratch};
use crate::model::PeerId;

/// So many sockets are served in a round.
const EVENTS: usize = 256;
const BUFFER_BYTES: usize = 256 << 10;
/// What the bell is known by; connections and doors have other numbers.
const BELL: u64 = 0;
const LEAST_SILENCE: Duration = Duration::from_millis(100);
/// So long the other end may take to hear that a connection is closed.
const CLOSING_TIME: Duration = Duration::from_secs(5);

pub(super) struct Reactor {
    pub(super) hub: Arc<Hub>,
    epoll: std::os::fd::OwnedFd,
    pub(super) version: Version,
    silence: Duration,
    notes: Notes,
    pub(super) now: Instant,
    pub(super) agenda: Agenda,
    pub(super) lookup: Lookup,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) entrances: BTreeMap<u64, Entrance>,
    pub(super) callers: BTreeMap<u64, Caller>,
    /// The connections whose ends have not proved the secret, the oldest first.
    pub(super) strangers: BTreeSet<u64>,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    last_key: u64,
    scratch: Scratch,
    buffer: Vec<u8>,
    /// Until when what is left is sent, once the end has come.
    finish: Option<Instant>,
}

/// What is known of a peer.
#[derive(Default)]
pub(super) struct Peer {
    /// Its connection that is up.
    pub(super) up: Option<u64>,
    /// How many `Down` of it the user has not taken.
    pub(super) untaken: u32,
    /// Its connection that comes up when there are none.
    pub(super) held: Option<u64>,
}

impl Reactor {
    pub(super) fn new(hub: Arc<Hub>, setup: Setup) -> io::Result<Reactor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, hub.bell(), EventData::new_u64(BELL), EventFlags::IN)?;
        Ok(Reactor {
            hub,
            epoll,
            version: Version::of(setup.version),
            silence: setup.silence.max(LEAST_SILENCE),
            notes: Notes::new(setup.note),
            now: Instant::now(),
            agenda: Agenda::default(),
            lookup: Lookup::default(),
            connections: BTreeMap::new(),
            entrances: BTreeMap::new(),
            callers: BTreeMap::new(),
            strangers: BTreeSet::new(),
            peers: BTreeMap::new(),
            last_key: BELL,
            scratch: Scratch::default(),
            buffer: vec![0; BUFFER_BYTES],
            finish: None,
        })
    }

    pub(super) fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.is_over() {
            let next = self.finish.into_iter().chain(self.agenda.next()).min();
            events.clear();
            let left = next.map(|next| timespec(next.saturating_duration_since(Instant::now())));
            // A wait that a signal cut short is one in which nothing happened.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), left.as_ref());
            self.look_round();
            for event in events.drain(..) {
                self.serve(event);
                // Others are not to think that this end is silent, as so many speak to it.
                self.look_round();
            }
        }
        self.notes.look(self.now, true);
    }

    /// Looks at the clock, and at what is due by it.
    fn look_round(&mut self) {
        self.now = Instant::now();
        while let Some(what) = self.agenda.due(self.now) {
            self.look(what);
        }
    }

    fn is_over(&self) -> bool {
        self.finish.is_some_and(|until| self.connections.is_empty() || self.now >= until)
    }

    fn serve(&mut self, event: Event) {
        match event.data.u64() {
            BELL => self.hub.commands().into_iter().for_each(|command| self.obey(command)),
            door if self.entrances.contains_key(&door) => self.accept(door),
            key => self.with(key, Reactor::serve_connection),
        }
    }

    fn serve_connection(&mut self, connection: &mut Connection) -> Result<(), End> {
        if let Phase::Connecting { caller } = connection.phase {
            return self.connected(connection, caller);
        }
        self.read(connection).map(drop)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen(door) => self.open(door),
            Command::Dial(id, dial) => self.dial(id, dial),
            Command::Found(found) => self.found(found),
            Command::HangUp(id) => self.hang_up(id),
            Command::Stir(key) => self.with(key, Reactor::stir),
            Command::DownTaken(peer) => self.down_taken(peer),
            Command::Finish => self.finish(),
        }
    }

    fn look(&mut self, what: What) {
        match what {
            What::Connection(key) => self.with(key, |this, connection| {
                if !matches!(connection.phase, Phase::Connecting { .. }) {
                    // What this process was too slow to read was said in time.
                    this.read(connection)?;
                }
                connection.look(this.now, this.silence, &mut this.scratch)
            }),
            What::Caller(id) => self.call(id),
            What::Doors => self.reopen(),
            What::Notes => self.notes.look(self.now, false),
        }
    }

    /// Does something with a connection, sends what there is to send, and sees to its end if that
    /// has come.
    pub(super) fn with(
        &mut self,
        key: u64,
        act: impl FnOnce(&mut Reactor, &mut Connection) -> Result<(), End>,
    ) {
        let Some(mut connection) = self.connections.remove(&key) else { return };
        let done = act(self, &mut connection).and_then(|()| self.flush(&mut connection));
        match done {
            Ok(()) => self.keep(connection),
            Err(end) => self.end(connection, end),
        }
    }

    fn flush(&mut self, connection: &mut Connection) -> Result<(), End> {
        let failed = match connection.flush(&mut self.scratch, self.now) {
            Err(End::Failed(error)) => error,
            other => return other,
        };
        // What the other end said before it went may tell more.
        while self.read(connection)? > 0 {}
        Err(End::Failed(failed))
    }

    fn keep(&mut self, mut connection: Connection) {
        let key = connection.key;
        if let Some(interest) = connection.new_interest() {
            // It cannot fail for a descriptor that is watched already.
            let data = EventData::new_u64(key);
            let _ = epoll::modify(&self.epoll, &connection.socket, data, interest);
        }
        self.agenda.add(What::Connection(key), connection.deadline(self.silence));
        self.connections.insert(key, connection);
    }

    /// Takes up a connection that is new.
    pub(super) fn begin(&mut self, connection: Connection) -> io::Result<()> {
        let data = EventData::new_u64(connection.key);
        epoll::add(&self.epoll, &connection.socket, data, connection.interest)?;
        self.keep(connection);
        Ok(())
    }

    /// Has the system tell of connections that wait at a door.
    pub(super) fn watch(&mut self, door: u64) -> io::Result<()> {
        let Some(entrance) = self.entrances.get(&door) else { return Ok(()) };
        let listener = &entrance.door.listener;
        Ok(epoll::add(&self.epoll, listener, EventData::new_u64(door), EventFlags::IN)?)
    }

    pub(super) fn unwatch(&mut self, door: u64) {
        if let Some(entrance) = self.entrances.get(&door) {
            let _ = epoll::delete(&self.epoll, &entrance.door.listener);
        }
    }

    pub(super) fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    /// Reads what has come, some of it if it is a lot: others have their turn. Gives how many bytes.
    pub(super) fn read(&mut self, connection: &mut Connection) -> Result<usize, End> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = connection.read(&mut buffer, self.now);
        let done = read.and_then(|bytes| {
            self.take(connection, &buffer[..bytes])?;
            Ok(bytes)
        });
        self.buffer = buffer;
        done
    }

    fn take(&mut self, connection: &mut Connection, bytes: &[u8]) -> Result<(), End> {
        if matches!(connection.phase, Phase::Closing { .. }) {
            return Ok(());
        }
        let mut said = Vec::new();
        let taken = connection.wire.take(bytes, &mut self.scratch, &mut said);
        for one in said {
            self.hear(connection, one)?;
        }
        taken
    }

    fn hear(&mut self, connection: &mut Connection, said: Said) -> Result<(), End> {
        match (&connection.phase, said) {
            (Phase::Stranger { door }, Said::Proved) => {
                connection.phase = Phase::Guest { door: *door };
                connection.since = self.now;
            }
            (_, Said::Fresh) => drop(self.strangers.remove(&connection.key)),
            (Phase::Asking { caller }, Said::Proved) => {
                let caller = *caller;
                self.say_hello(connection, caller);
            }
            (Phase::Guest { door }, Said::Letter(hello)) => {
                let door = *door;
                self.admit(connection, door, &hello)?;
            }
            (Phase::Greeting { caller }, Said::Letter(answer)) => {
                let caller = *caller;
                self.welcomed(connection, caller, answer)?;
            }
            (Phase::Up { line, .. }, Said::Letter(frame)) => {
                if !line.came(frame.len()) {
                    return Err(End::TooMuch);
                }
                self.hub.arrive(Arrived::Frame(line.clone(), frame));
            }
            (Phase::Up { line, .. }, Said::Taken(load)) => line.credit(load),
            _ => return Err(End::Garbled),
        }
        Ok(())
    }

    fn stir(&mut self, connection: &mut Connection) -> Result<(), End> {
        let Phase::Up { line, .. } = &connection.phase else { return Ok(()) };
        match line.todo() {
            Todo::Overflow => Err(End::Overflow),
            Todo::Send(Some(load)) => connection.wire.say(Record::Taken(load), &mut self.scratch),
            Todo::Send(None) => Ok(()),
        }
    }

    /// Tells the user that a connection is up.
    pub(super) fn up(&mut self, connection: &mut Connection, peer: PeerId, caller: Option<u64>) {
        let line = Arc::new(Line::new(peer, connection.key));
        connection.wire.lift_limit();
        connection.phase = Phase::Up { line: line.clone(), caller };
        connection.since = self.now;
        self.peers.entry(peer).or_default().up = Some(connection.key);
        self.hub.arrive(Arrived::Up(line));
    }

    fn down(&mut self, line: Arc<Line>) {
        line.close();
        let peer = self.peers.entry(line.peer).or_default();
        peer.up = None;
        peer.untaken += 1;
        self.hub.arrive(Arrived::Down(line));
    }

    fn down_taken(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.untaken = peer.untaken.saturating_sub(1);
        if peer.untaken > 0 {
            return;
        }
        if let Some(held) = peer.held.take() {
            self.with(held, |this, connection| {
                this.come_in(connection);
                Ok(())
            });
        }
        self.call_again(id);
    }

    /// A connection is over, here or at the other end.
    pub(super) fn end(&mut self, mut connection: Connection, end: End) {
        let (key, address) = (connection.key, connection.address);
        let was_up = self.now.saturating_duration_since(connection.since);
        self.agenda.remove(What::Connection(key));
        self.strangers.remove(&key);
        let phase = Phase::Closing { until: self.now + CLOSING_TIME };
        let phase = std::mem::replace(&mut connection.phase, phase);
        if matches!(phase, Phase::Closing { .. }) {
            return;
        }
        let refused = matches!(phase, Phase::Guest { .. }).then(|| end.to_string());
        if end.is_deliberate() {
            self.say_last(connection, refused.as_deref());
        }
        match phase {
            Phase::Connecting { caller }
            | Phase::Asking { caller }
            | Phase::Greeting { caller } => self.try_failed(caller, address, end),
            Phase::Stranger { .. } | Phase::Guest { .. } => {
                self.note(format!("{address} was turned away: {end}"));
            }
            Phase::Held { peer, .. } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.held.take_if(|held| *held == key);
                }
            }
            Phase::Up { line, caller } => {
                let peer = line.peer;
                self.down(line);
                match caller {
                    Some(caller) => self.broke(caller, peer, address, was_up, end),
                    None if matches!(end, End::Closed) => {}
                    None => self.note(format!("the link to {peer} at {address} broke: {end}")),
                }
            }
            Phase::Closing { .. } => {}
        }
    }

    /// Has the other end told that this one closes, and waits a little for it to hear that.
    fn say_last(&mut self, mut connection: Connection, refused: Option<&str>) {
        let said = connection
            .break_off(refused, &mut self.scratch)
            .and_then(|()| connection.flush(&mut self.scratch, self.now));
        if said.is_ok() {
            self.keep(connection);
        }
    }

    /// Closes a connection after all that was sent, if it is up; at once if it is not.
    pub(super) fn part(&mut self, mut connection: Connection, until: Instant) {
        let key = connection.key;
        self.agenda.remove(What::Connection(key));
        self.strangers.remove(&key);
        let phase = std::mem::replace(&mut connection.phase, Phase::Closing { until });
        match phase {
            Phase::Up { line, .. } => {
                line.close().into_iter().for_each(|frame| connection.wire.send(frame));
                connection.wire.wind_up();
                self.down(line);
            }
            Phase::Closing { .. } => {}
            _ => return,
        }
        if connection.flush(&mut self.scratch, self.now).is_ok() {
            self.keep(connection);
        }
    }

    /// The end has come: what is left is sent, and nothing is begun any more.
    fn finish(&mut self) {
        let until = self.now + FLUSH_TIME;
        self.finish = Some(until);
        self.entrances.clear();
        self.callers.clear();
        for connection in std::mem::take(&mut self.connections).into_values() {
            self.part(connection, until);
        }
    }

    /// Has people told something, soon.
    pub(super) fn note(&mut self, text: String) {
        if let Some(at) = self.notes.take(text, self.now) {
            self.agenda.add(What::Notes, at);
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: span.as_secs() as i64, tv_nsec: span.subsec_nanos().into() }
}
