//! The proof that both ends know the secret, and what is encrypted from then on.

use std::fmt;

use snow::{Builder, HandshakeState, TransportState};

use super::secret::Secret;

/// What the dialling end says in plain text, before anything else. It stands for the form of the
/// two messages of the proof as well: a link that proves otherwise has to begin otherwise.
pub(super) const MAGIC: [u8; 8] = *b"evenkeel";
/// The version of all that is said after the proof.
const LINK_VERSION: u16 = 1;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// The longest message of the proof that is read: one of a later version may say more.
pub(super) const PROOF_BYTES: usize = 512;
/// The longest message that there is.
pub(super) const MESSAGE_BYTES: usize = 65_535;
/// What a message is longer than what it says.
const TAG_BYTES: usize = 16;
/// The most that a message says.
pub(super) const PLAIN_BYTES: usize = MESSAGE_BYTES - TAG_BYTES;

const VERSION_BYTES: usize = 6;

/// What the two ends have to agree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    link: u16,
    /// That of what is said over links.
    app: u32,
}

impl Version {
    pub(super) fn of(app: u32) -> Version {
        Version { link: LINK_VERSION, app }
    }

    fn to_bytes(self) -> [u8; VERSION_BYTES] {
        let mut bytes = [0; VERSION_BYTES];
        bytes[..2].copy_from_slice(&self.link.to_be_bytes());
        bytes[2..].copy_from_slice(&self.app.to_be_bytes());
        bytes
    }

    /// The version at the beginning of `bytes`; what follows is for later versions.
    fn read(bytes: &[u8]) -> Option<Version> {
        let (link, rest) = bytes.split_first_chunk()?;
        let app = rest.first_chunk()?;
        Some(Version { link: u16::from_be_bytes(*link), app: u32::from_be_bytes(*app) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.link, self.app)
    }
}

/// What somebody who does not know the secret says, or whose words were changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unproved;

impl From<snow::Error> for Unproved {
    fn from(_: snow::Error) -> Unproved {
        Unproved
    }
}

/// The keys of one connection.
pub(super) struct Session(TransportState);

/// The dialling end, while it waits for the other's proof.
pub(super) struct Asking(HandshakeState);

/// What the proof of the other end comes with.
pub(super) enum Proved {
    Session(Session),
    /// It is of this version, and no more can be said.
    OtherVersion(Version),
}

fn builder(secret: &Secret) -> Result<Builder<'_>, Unproved> {
    let params = PATTERN.parse()?;
    Ok(Builder::new(params).prologue(&MAGIC)?.psk(0, secret.bytes())?)
}

impl Asking {
    /// Begins, and gives the first message.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(super) fn begin(secret: &Secret, ours: Version) -> Result<(Asking, Vec<u8>), Unproved> {
        let mut state = builder(secret)?.build_initiator()?;
        let mut message = vec![0; PROOF_BYTES];
        let length = state.write_message(&ours.to_bytes(), &mut message)?;
        message.truncate(length);
        Ok((Asking(state), message))
    }

    /// Reads the answer.
    pub(super) fn finish(mut self, message: &[u8], ours: Version) -> Result<Proved, Unproved> {
        let mut plain = [0; PROOF_BYTES];
        let length = self.0.read_message(message, &mut plain)?;
        let theirs = Version::read(&plain[..length]).ok_or(Unproved)?;
        Ok(match theirs == ours {
            true => Proved::Session(Session(self.0.into_transport_mode()?)),
            false => Proved::OtherVersion(theirs),
        })
    }
}

/// Reads the first message of a dialling end, and gives the answer to it.
pub(super) fn answer(
    secret: &Secret,
    ours: Version,
    message: &[u8],
) -> Result<(Proved, Vec<u8>), Unproved> {
    let mut state = builder(secret)?.build_responder()?;
    let mut plain = [0; PROOF_BYTES];
    let length = state.read_message(message, &mut plain)?;
    let theirs = Version::read(&plain[..length]).ok_or(Unproved)?;
    let mut reply = vec![0; PROOF_BYTES];
    let length = state.write_message(&ours.to_bytes(), &mut reply)?;
    reply.truncate(length);
    let proved = match theirs == ours {
        true => Proved::Session(Session(state.into_transport_mode()?)),
        false => Proved::OtherVersion(theirs),
    };
    Ok((proved, reply))
}

impl Session {
    /// Appends to `out` the length and the message that says `plain`, which is of
    /// [`PLAIN_BYTES`] at most.
    ///
    /// # Errors
    /// If `plain` is longer, or after 2⁶⁴ messages.
    pub(super) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Unproved> {
        let length = plain.len() + TAG_BYTES;
        let prefix = u16::try_from(length).map_err(|_| Unproved)?;
        out.extend_from_slice(&prefix.to_be_bytes());
        let at = out.len();
        out.resize(at + length, 0);
        self.0.write_message(plain, &mut out[at..])?;
        Ok(())
    }

    /// What `message` says, in the beginning of `plain`, which has room for the longest.
    pub(super) fn open<'a>(
        &mut self,
        message: &[u8],
        plain: &'a mut [u8],
    ) -> Result<&'a [u8], Unproved> {
        let length = self.0.read_message(message, plain)?;
        Ok(&plain[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prove(dialling: &Secret, listening: &Secret, versions: [u32; 2]) -> Option<[Proved; 2]> {
        let [ours, theirs] = versions.map(Version::of);
        let (asking, first) = Asking::begin(dialling, ours).unwrap();
        let (there, reply) = answer(listening, theirs, &first).ok()?;
        let here = asking.finish(&reply, ours).ok()?;
        Some([here, there])
    }

    #[test]
    fn both_ends_have_the_keys_and_nothing_can_be_changed_repeated_or_left_out() {
        let secret = Secret::random().unwrap();
        let proved = prove(&secret, &secret, [7, 7]).unwrap();
        let [Proved::Session(mut here), Proved::Session(mut there)] = proved else { panic!() };
        let mut plain = [0; MESSAGE_BYTES];
        let mut out = Vec::new();
        for text in ["one", "two", "three"] {
            here.seal(text.as_bytes(), &mut out).unwrap();
        }
        let length = 2 + 3 + TAG_BYTES;
        let (one, two) = (&out[2..length], &out[length + 2..2 * length]);
        assert_eq!(there.open(one, &mut plain), Ok(&b"one"[..]));
        assert_eq!(there.open(one, &mut plain), Err(Unproved));
        let mut changed = two.to_vec();
        changed[0] ^= 1;
        assert_eq!(there.open(&changed, &mut plain), Err(Unproved));
        assert_eq!(there.open(two, &mut plain), Ok(&b"two"[..]));
        here.seal(&[7; PLAIN_BYTES], &mut Vec::new()).unwrap();
        assert_eq!(here.seal(&[7; PLAIN_BYTES + 1], &mut Vec::new()), Err(Unproved));
    }

    #[test]
    fn another_secret_proves_nothing() {
        let [a, b] = [(); 2].map(|()| Secret::random().unwrap());
        assert!(prove(&a, &b, [7, 7]).is_none());
    }

    #[test]
    fn another_version_is_told_to_both() {
        let secret = Secret::random().unwrap();
        let [here, there] = prove(&secret, &secret, [7, 8]).unwrap();
        assert!(matches!(here, Proved::OtherVersion(v) if v == Version::of(8)));
        assert!(matches!(there, Proved::OtherVersion(v) if v == Version::of(7)));
        assert_eq!(Version::of(8).to_string(), "1.8");
    }
}
