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

    /// Lets others go on.
    pub(crate) fn pause(&mut self, _: impl FnOnce() -> bool) -> bool {
        loom::thread::yield_now();
        self.rounds += 1;
        self.rounds <= 1
    }

    pub(crate) fn is_out(&self) -> bool {
        self.rounds >= 1
    }

    pub(crate) fn is_new(&self) -> bool {
        self.rounds == 0
    }
}
