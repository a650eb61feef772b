//! Drives a process of the protocol in real time, over any transport.
#![forbid(unsafe_code)]
