//! What both ends of a link know and nobody else.

use std::error::Error;
use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::rand::{GetRandomFlags, getrandom};

/// How many bytes a secret has.
const BYTES: usize = 32;

/// What whoever links to a process has to know: 32 random bytes.
///
/// It has no `==`: two are compared only by the handshake, in constant time.
#[derive(Clone)]
pub struct Secret([u8; BYTES]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn random() -> io::Result<Secret> {
        let mut bytes = [0; BYTES];
        let mut filled = 0;
        while filled < BYTES {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(Secret(bytes))
    }

    /// Its 64 hexadecimal digits, for a file that only the user can read.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    /// Reads what [`to_hex`](Secret::to_hex) gave; white space around it does no harm.
    fn from_str(text: &str) -> Result<Secret, BadSecret> {
        let digits = text.trim().as_bytes();
        let bad = BadSecret { length: digits.len() };
        if digits.len() != 2 * BYTES {
            return Err(bad);
        }
        let digit = |c: u8| char::from(c).to_digit(16);
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(bad) };
            *byte = (high * 16 + low) as u8;
        }
        Ok(Secret(bytes))
    }
}

/// A text that is no secret; it does not say what the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSecret {
    length: usize,
}

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = 2 * BYTES;
        match self.length == digits {
            true => write!(f, "a secret has {digits} hexadecimal digits, here are other signs"),
            false => {
                write!(f, "a secret has {digits} hexadecimal digits, here are {}", self.length)
            }
        }
    }
}

impl Error for BadSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_through_its_digits_and_is_not_shown() {
        let secret = Secret::random().unwrap();
        let again: Secret = format!("{}\n", secret.to_hex()).parse().unwrap();
        assert_eq!(secret.bytes(), again.bytes());
        assert_ne!(secret.bytes(), Secret::random().unwrap().bytes());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        let wrong = |text: &str| text.parse::<Secret>().unwrap_err().to_string();
        assert_eq!(wrong("abc"), "a secret has 64 hexadecimal digits, here are 3");
        let odd = "é".repeat(32);
        assert_eq!(wrong(&odd), "a secret has 64 hexadecimal digits, here are other signs");
    }
}
