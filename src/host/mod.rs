//! What the operating system says of this host.

mod clock;

pub use clock::Clock;
