//! Which sub-masters are above which.

/// The subclusters whose sub-masters are above the nodes of `subcluster`, from its own upwards: of
/// `fans[0]` neighbours the first has one for all of them, of `fans[1]` such groups the first, and so
/// on. Above the last of them is the master.
#[must_use]
pub fn ancestry(subcluster: u32, fans: &[u32]) -> Vec<u32> {
    let mut chain = vec![subcluster];
    let mut width = 1u32;
    for fan in fans {
        width = width.saturating_mul((*fan).max(1));
        let first = subcluster - subcluster % width;
        if chain.last() != Some(&first) {
            chain.push(first);
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_group_is_above_the_others() {
        let all = |fans: &[u32]| (0..6).map(|s| ancestry(s, fans)).collect::<Vec<_>>();
        assert_eq!(all(&[]), [[0], [1], [2], [3], [4], [5]]);
        let two_of_three: [&[u32]; 6] = [&[0], &[1, 0], &[2, 0], &[3], &[4, 3], &[5, 3]];
        assert_eq!(all(&[3]), two_of_three);
        assert_eq!(ancestry(7, &[2, 2]), [7, 6, 4]);
    }
}
