//! Equal parts of a range.

use std::ops::Range;

/// `0..n` in parts of equal size as far as that goes: the first ones are longer by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EqualParts {
    size: usize,
    /// How many are longer.
    longer: usize,
}

impl EqualParts {
    /// `parts` parts of `0..n`, none counting as one. Where there are more parts than numbers the
    /// last ones are empty.
    #[must_use]
    pub fn new(n: usize, parts: usize) -> EqualParts {
        let parts = parts.max(1);
        EqualParts { size: n / parts, longer: n % parts }
    }

    /// Where the part with this number, counted from 0, begins, which is where the one before it
    /// ends. The part after the last begins at `n`.
    #[must_use]
    #[inline]
    pub fn start(&self, number: usize) -> usize {
        number * self.size + number.min(self.longer)
    }

    /// The part with this number.
    #[must_use]
    #[inline]
    pub fn get(&self, number: usize) -> Range<usize> {
        self.start(number)..self.start(number + 1)
    }

    /// How many parts from this one on have the same size, counting on after the last.
    pub(super) fn alike(&self, number: usize) -> usize {
        if number < self.longer { self.longer - number } else { usize::MAX }
    }
}
