//! Thread-local cells.

use std::cell::Cell;

/// A thread-local cell with what the standard library's has and loom's has not.
pub(crate) struct Local<T: 'static>(pub(crate) &'static loom::thread::LocalKey<Cell<T>>);

impl<T: Copy> Local<T> {
    pub(crate) fn get(&'static self) -> T {
        self.0.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.0.with(|cell| cell.set(value));
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.0.with(|cell| cell.replace(value))
    }
}

macro_rules! local {
    ($(#[$doc:meta])* static $name:ident: Cell<$t:ty> = $first:expr;) => {
        $(#[$doc])*
        static $name: crate::sync::Local<$t> = {
            loom::thread_local! { static KEY: Cell<$t> = $first }
            crate::sync::Local(&KEY)
        };
    };
}

pub(crate) use local as thread_local;
