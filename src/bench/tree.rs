//! The sum over a binary tree, each node in a box of its own: fork and join where memory is the
//! work.

use super::{BenchError, Case, Figure, OURS, Outcome, RAYON, SEQUENTIAL, Setting, Unit, pools};
use crate::pool::Context;

/// A node. It lies in memory as C would lay it, for peers that are written in C.
#[derive(Debug)]
#[repr(C)]
pub struct Node {
    /// What is added up.
    pub value: u64,
    /// The smaller numbers.
    pub left: Tree,
    /// The greater ones.
    pub right: Tree,
}

impl Node {
    /// The balanced tree of the numbers from `first` to `last`; nothing of none. Its nodes are
    /// made in order, so that who begins on the right finds memory as one does who begins on the
    /// left.
    fn tree(first: u64, last: u64) -> Tree {
        if first > last {
            return None;
        }
        let value = first + (last - first) / 2;
        let left = Node::tree(first, value - 1);
        let mut node = Box::new(Node { value, left, right: None });
        node.right = Node::tree(value + 1, last);
        Some(node)
    }
}

pub(super) fn cases(setting: &Setting) -> Result<Vec<Outcome>, BenchError> {
    Ok(vec![sum(setting)?.measure(setting)?])
}

/// A tree, empty or with a node at its root.
pub type Tree = Option<Box<Node>>;

/// The sum over the numbers from 1 to the size, a join at each node.
///
/// # Errors
/// If the pools do not get their threads.
pub fn sum(setting: &Setting) -> Result<Case<Tree, u64>, BenchError> {
    let Setting { size, threads, .. } = *setting;
    let (ours, rayon) = (pools::ours(threads)?, pools::rayon(threads)?);
    let figure = Figure { name: "per node", unit: Unit::Nanoseconds };
    let tree = Node::tree(1, u64::from(size));
    Ok(Case::timed(format!("sum over {size} nodes"), figure, f64::from(size), tree, |_, sum| sum)
        .with(SEQUENTIAL, |tree| sequential(tree.as_deref()))
        .with(OURS, move |tree| ours.run(|cx| by_join(cx, tree.as_deref())))
        .with(RAYON, move |tree| rayon.install(|| by_rayon(tree.as_deref()))))
}

fn sequential(node: Option<&Node>) -> u64 {
    let Some(Node { value, left, right }) = node else { return 0 };
    value + sequential(left.as_deref()) + sequential(right.as_deref())
}

fn by_join(cx: &Context, node: Option<&Node>) -> u64 {
    let Some(Node { value, left, right }) = node else { return 0 };
    let (left, right) =
        cx.join(|cx| by_join(cx, left.as_deref()), |cx| by_join(cx, right.as_deref()));
    value + left + right
}

fn by_rayon(node: Option<&Node>) -> u64 {
    let Some(Node { value, left, right }) = node else { return 0 };
    let (left, right) = rayon::join(|| by_rayon(left.as_deref()), || by_rayon(right.as_deref()));
    value + left + right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_each_number_once_and_in_order() {
        fn in_order(node: Option<&Node>, found: &mut Vec<u64>) {
            let Some(Node { value, left, right }) = node else { return };
            in_order(left.as_deref(), found);
            found.push(*value);
            in_order(right.as_deref(), found);
        }
        let mut found = Vec::new();
        in_order(Node::tree(1, 100).as_deref(), &mut found);
        assert_eq!(found, (1..=100).collect::<Vec<u64>>());
    }
}
