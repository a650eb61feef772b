//! UTS, the Unbalanced Tree Search: counting the nodes of a tree of which no part says how large
//! it is (Olivier, Huan, Liu, Prins, Dinan, Sadayappan, Tseng, "UTS: an unbalanced tree search
//! benchmark", 2006).
//!
//! A tree is all in its rule and its seed: what a node is follows from its parent, and how many
//! children it has from what it is. The counts are published, so that a run can be checked.

mod case;
mod count;
mod node;
mod tree;

pub(super) use case::cases;
pub use case::{case, trees};
pub use count::{Counts, Search, count, count_by_dividing, count_by_rayon};
pub use node::Node;
pub use tree::{TREES, Tree};
