//! The protocol as pure state machines: who holds the job, who deals work, who runs it, who is
//! alive.
//!
//! A [`Process`] is one process of a run. It is stepped with [`Event`]s and answers with
//! [`Action`]s; it reads no clock, sends no byte and draws no random number by itself. What
//! drives it, real time and real wires or a simulation, cannot be told from inside. The
//! `README.md` beside this file draws the protocol.
#![forbid(unsafe_code)]

mod compaction;
mod curfew;
mod dispatcher;
mod event;
mod history;
mod lease;
mod ledger;
mod levels;
mod lots;
mod master;
mod message;
mod node;
mod outlook;
mod process;
mod ready;
mod slots;
mod submaster;
mod tasks;
mod uplink;

pub use compaction::{Compactor, Upkeep, compact};
pub use event::{Action, Batch, Conclusion, Entry, Event, Forecast, Former, Part, Seat};
pub use history::History;
pub use levels::ancestry;
pub use message::{
    Address, Completion, Dispatch, Envelope, Frame, Held, HelloNumber, Lost, Member, Message,
    Renewal, Role, RunId,
};
pub use process::Process;
pub use ready::Urgency;

use crate::model::{Incarnation, PeerId, Time};

/// Something that is stepped: time comes in as an argument, effects go out as values.
pub trait Machine {
    /// Takes one event in and appends what is to be done about it.
    fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>);

    /// When it wants to be stepped with [`Event::Tick`] if nothing else happens before.
    fn deadline(&self) -> Option<Time>;
}

/// What a role is given while it is stepped.
struct Context<'a> {
    now: Time,
    /// The process it lives in.
    me: PeerId,
    /// How often that has started afresh.
    incarnation: Incarnation,
    actions: &'a mut Vec<Action>,
    mail: &'a mut Vec<Mail>,
}

/// A message that one role of this process sends.
struct Mail {
    from: Role,
    to: Address,
    message: Message,
}

impl Context<'_> {
    fn send(&mut self, from: Role, to: Address, message: Message) {
        self.mail.push(Mail { from, to, message });
    }

    fn note(&mut self, text: String) {
        self.actions.push(Action::Note(text));
    }
}
