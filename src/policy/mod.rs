//! Pure choices: list heuristics, chunk rules, victim order.
#![forbid(unsafe_code)]

mod victims;

pub use victims::victim_order;
