//! Pure choices: list heuristics, chunk rules, victim order.
#![forbid(unsafe_code)]
