//! Nodes, each with a random number that follows from those of its ancestors.

use sha1::block_api::compress;

/// A node of a tree.
///
/// Its state is that of the splittable random stream of UTS: a SHA-1 digest, the root's of the
/// seed, a child's of its parent's digest and its own place among the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    digest: [u32; 5],
    depth: u32,
}

impl Node {
    /// The root of the tree with this seed.
    pub(super) fn root(seed: u32) -> Node {
        Node { digest: digest([0, 0, 0, 0, seed]), depth: 0 }
    }

    /// Its child at this place, counted from 0.
    #[must_use]
    pub fn child(&self, place: u32) -> Node {
        let [a, b, c, d, e] = self.digest;
        Node { digest: digest([a, b, c, d, e, place]), depth: self.depth + 1 }
    }

    /// How far it is from the root.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Its random number, from 0 up to but not including 1.
    pub(super) fn unit(&self) -> f64 {
        f64::from(self.digest[4] & 0x7fff_ffff) / f64::from(1u32 << 31)
    }
}

/// What SHA-1 (FIPS 180-4) starts from.
const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// The SHA-1 digest of a few words, the most significant byte first, in one compression: they
/// are padded here, so that the block need not go through a buffer.
fn digest<const N: usize>(words: [u32; N]) -> [u32; 5] {
    const { assert!(N < 14, "words, padding and length fit into one block") };
    let mut block = [0; 64];
    let (bytes, _) = block.as_chunks_mut::<4>();
    for (bytes, word) in bytes.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes[N] = [0x80, 0, 0, 0];
    bytes[15] = (N as u32 * u32::BITS).to_be_bytes();
    let mut state = START;
    compress(&mut state, &[block]);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha1sum() {
        let nothing = [0xda39_a3ee, 0x5e6b_4b0d, 0x3255_bfef, 0x9560_1890, 0xafd8_0709];
        assert_eq!(digest([]), nothing);
        let (words, _) = b"abcdbcdecdefdefgefghfghighij".as_chunks::<4>();
        let words: [u32; 7] = std::array::from_fn(|at| u32::from_be_bytes(words[at]));
        let expected = [0x11c5_8f32, 0xde1c_f05e, 0x18ca_b71d, 0x0205_d76e, 0xceb7_5d6d];
        assert_eq!(digest(words), expected);
    }
}
