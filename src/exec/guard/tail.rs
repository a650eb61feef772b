//! The end of what a program wrote.

#![forbid(unsafe_code)]

/// Keeps the last [`Tail::LIMIT`] bytes of all that is pushed.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// How much is kept, in bytes.
    pub(super) const LIMIT: usize = 4096;

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(Self::LIMIT)..];
        self.bytes.extend_from_slice(bytes);
        // Cut only when twice the limit has gathered, so that a byte is moved once, not often.
        if self.bytes.len() > 2 * Self::LIMIT {
            self.cut();
        }
    }

    pub(super) fn take(mut self) -> Vec<u8> {
        self.cut();
        self.bytes
    }

    fn cut(&mut self) {
        self.bytes.drain(..self.bytes.len().saturating_sub(Self::LIMIT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_however_they_come() {
        let all: Vec<u8> = (0..30_000u32).map(|i| (i % 251) as u8).collect();
        for size in [1, 7, 4095, 4096, 4097, 9000, 30_000] {
            let mut tail = Tail::default();
            all.chunks(size).for_each(|chunk| tail.push(chunk));
            assert_eq!(tail.take(), all[all.len() - Tail::LIMIT..], "in chunks of {size}");
        }
        let mut short = Tail::default();
        short.push(b"ab");
        short.push(b"c");
        assert_eq!(short.take(), b"abc");
    }
}
