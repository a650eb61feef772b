//! Bytes between peers.
#![forbid(unsafe_code)]
