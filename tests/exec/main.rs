//! The room `exec` from the outside, with real processes.

mod bench;
mod commands;
mod ends;
mod kernels;
mod support;
