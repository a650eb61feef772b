//! Up, Down, and how a connection comes up again, as a pure state machine.
//!
//! MPI has no connections: messages between two ranks come in order for ever. A connection ends
//! where one side lets go of frames, since too many wait. From then on it sends nothing, and
//! drops what comes, until all that it sent has left it; then it says `Open`. The other side
//! takes an `Open` out of the blue for the end of its connection, and says `Open` as well. As
//! messages come in order, what either side gets after the other's `Open` was sent by the new
//! connection.
//!
//! ```text
//!         overflow               all left: say Open
//!   Up ───────────► Draining ──────────────────────► Opening
//!    ▲ ◄─┐              └─── they said Open, all left: say Open ──┐   │
//!    │   │ they say Open: Down, say Open, Up                      │   │ they say Open
//!    │   └──                                                      │   │
//!    └────────────────────────────────────────────────────────────┴───┘
//!
//!   any ── they say Gone, or their process is dead ──► Gone
//! ```

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Frames go both ways.
    Up,
    /// Frames were let go; what was sent before has not all left.
    Draining {
        /// Whether the other side has said `Open` meanwhile.
        opened: bool,
    },
    /// This side has said `Open`, the other has not.
    Opening,
    /// For good.
    Gone,
}

/// What the owner of a connection has to do, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Todo {
    /// Tell that it is down.
    pub(super) down: bool,
    /// Say `Open` to the other side.
    pub(super) open: bool,
    /// Tell that it is up.
    pub(super) up: bool,
}

impl Connection {
    pub(super) fn is_up(self) -> bool {
        self == Connection::Up
    }

    /// More waits to be sent than is kept.
    pub(super) fn overflow(&mut self) -> Todo {
        if *self != Connection::Up {
            return Todo::default();
        }
        *self = Connection::Draining { opened: false };
        Todo { down: true, ..Todo::default() }
    }

    /// Nothing that was sent waits any more.
    pub(super) fn drained(&mut self) -> Todo {
        let Connection::Draining { opened } = *self else { return Todo::default() };
        *self = if opened { Connection::Up } else { Connection::Opening };
        Todo { down: false, open: true, up: opened }
    }

    /// The other side says `Open`.
    pub(super) fn opened(&mut self) -> Todo {
        match self {
            Connection::Up => Todo { down: true, open: true, up: true },
            Connection::Draining { opened } => {
                *opened = true;
                Todo::default()
            }
            Connection::Opening => {
                *self = Connection::Up;
                Todo { up: true, ..Todo::default() }
            }
            Connection::Gone => Todo::default(),
        }
    }

    /// The other side is gone.
    pub(super) fn gone(&mut self) -> Todo {
        let down = self.is_up();
        *self = Connection::Gone;
        Todo { down, ..Todo::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// What travels from one side to the other, in order.
    #[derive(Clone, Copy, Debug)]
    enum Sent {
        Open,
        Frame(u32),
    }

    struct Side {
        connection: Connection,
        /// What it has sent, and the other has not taken: the first `sent` have left it.
        way: VecDeque<Sent>,
        next: u32,
        told_up: bool,
        /// The frame that came last in the connection that it is told to be up.
        last: Option<u32>,
    }

    impl Side {
        fn new() -> Side {
            let connection = Connection::Up;
            Side { connection, way: VecDeque::new(), next: 0, told_up: true, last: None }
        }

        fn act(&mut self, todo: Todo) {
            if todo.down {
                assert!(std::mem::take(&mut self.told_up), "down twice");
            }
            if todo.open {
                self.way.push_back(Sent::Open);
            }
            if todo.up {
                assert!(!std::mem::replace(&mut self.told_up, true), "up twice");
                self.last = None;
            }
            assert_eq!(self.told_up, self.connection.is_up());
        }

        fn take(&mut self, sent: Sent) {
            match sent {
                Sent::Open => {
                    let todo = self.connection.opened();
                    self.act(todo);
                }
                Sent::Frame(n) if self.connection.is_up() => {
                    assert!(self.last.is_none_or(|last| last + 1 == n), "a gap");
                    self.last = Some(n);
                }
                Sent::Frame(_) => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn no_frame_is_missing_before_one_that_comes(
            moves in prop::collection::vec((0usize..2, 0u8..8), 1..120),
        ) {
            let mut sides = [Side::new(), Side::new()];
            let mut step = |me: usize, what: u8| {
                let taken = if what >= 4 { sides[1 - me].way.pop_front() } else { None };
                let side = &mut sides[me];
                match what {
                    0 => {
                        let todo = side.connection.overflow();
                        side.act(todo);
                    }
                    // All has left once the other side could have taken it: here, when it has.
                    1 if side.way.is_empty() => {
                        let todo = side.connection.drained();
                        side.act(todo);
                    }
                    2 | 3 if side.connection.is_up() => {
                        side.way.push_back(Sent::Frame(side.next));
                        side.next += 1;
                    }
                    _ => taken.into_iter().for_each(|sent| side.take(sent)),
                }
            };
            moves.into_iter().for_each(|(me, what)| step(me, what));
            // When all that was sent is taken, both are up again.
            for _ in 0..4 {
                for me in [0, 1] {
                    (0..200).for_each(|_| step(me, 4));
                    step(me, 1);
                }
            }
            prop_assert!(sides.iter().all(|side| side.connection.is_up()));
        }
    }

    #[test]
    fn who_is_gone_does_not_come_back() {
        let mut connection = Connection::Up;
        assert_eq!(connection.gone(), Todo { down: true, ..Todo::default() });
        let nothing = Todo::default();
        assert_eq!([connection.gone(), connection.opened(), connection.drained()], [nothing; 3]);
        assert_eq!(connection.overflow(), nothing);
    }
}
