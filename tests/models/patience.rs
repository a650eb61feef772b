//! Patience of one round, since loom's time is in steps.

#[derive(Clone, Copy)]
pub(crate) enum Waiting {
    Park,
}

pub(crate) struct Patience {
    rounds: u32,
}

impl Patience {
    pub(crate) fn new(_: Waiting) -> Patience {
        Patience { rounds: 0 }
    }

    pub(crate) fn woken(_: Waiting) -> Patience {
        Patience { rounds: 1 }
    }

    /// Lets others go on; but not right before parking, since of what a thread has seen before it
    /// yields loom shows it nothing old afterwards, and the last look is to do without that.
    pub(crate) fn pause(&mut self, _: impl FnOnce() -> bool) -> bool {
        self.rounds += 1;
        if self.rounds != 2 {
            loom::thread::yield_now();
        }
        self.rounds <= 1
    }

    pub(crate) fn is_out(&self) -> bool {
        self.rounds >= 1
    }

    pub(crate) fn is_new(&self) -> bool {
        self.rounds == 0
    }
}
