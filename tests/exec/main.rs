//! The room `exec` from the outside, with real processes.

mod commands;
mod ends;
mod kernels;
mod lots;
mod support;
