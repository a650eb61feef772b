//! The protocol as pure state machines.
#![forbid(unsafe_code)]
