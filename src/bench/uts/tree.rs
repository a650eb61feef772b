//! The published trees, and how many children their nodes have.

use std::f64::consts::PI;

use super::{Counts, Node};

/// A tree that was published with its counts.
#[derive(Debug)]
pub struct Tree {
    /// What it is called there.
    pub name: &'static str,
    /// What is to be found in it.
    pub counts: Counts,
    seed: u32,
    growth: Growth,
}

/// The distribution of the number of children.
#[derive(Debug)]
enum Growth {
    /// The root has `root` children, each other node `children` or, mostly, none.
    Binomial { root: u32, children: u32, chance: f64 },
    /// Geometric around a mean that depends on the depth: at the root it is `mean`.
    Geometric { mean: f64, shape: Shape, depth: u32 },
}

/// How the mean number of children changes with the depth.
#[derive(Debug)]
enum Shape {
    /// It falls in equal steps to none.
    Linear,
    /// It swings between the root's and its inverse, and is none after five periods.
    Cyclic,
    /// It is the same up to where it is none.
    Fixed,
}

/// No node but the root of a binomial tree has more children.
const MOST_CHILDREN: u32 = 100;

/// Those that are there: of four million nodes each, and of a hundred million.
pub static TREES: [Tree; 6] = [
    Tree {
        name: "T1",
        counts: Counts { nodes: 4_130_071, depth: 10, leaves: 3_305_118 },
        seed: 19,
        growth: Growth::Geometric { mean: 4.0, shape: Shape::Fixed, depth: 10 },
    },
    Tree {
        name: "T2",
        counts: Counts { nodes: 4_117_769, depth: 81, leaves: 2_342_762 },
        seed: 502,
        growth: Growth::Geometric { mean: 6.0, shape: Shape::Cyclic, depth: 16 },
    },
    Tree {
        name: "T3",
        counts: Counts { nodes: 4_112_897, depth: 1572, leaves: 3_599_034 },
        seed: 42,
        growth: Growth::Binomial { root: 2000, children: 8, chance: 0.124875 },
    },
    Tree {
        name: "T5",
        counts: Counts { nodes: 4_147_582, depth: 20, leaves: 2_181_318 },
        seed: 34,
        growth: Growth::Geometric { mean: 4.0, shape: Shape::Linear, depth: 20 },
    },
    Tree {
        name: "T1L",
        counts: Counts { nodes: 102_181_082, depth: 13, leaves: 81_746_377 },
        seed: 29,
        growth: Growth::Geometric { mean: 4.0, shape: Shape::Fixed, depth: 13 },
    },
    Tree {
        name: "T3L",
        counts: Counts { nodes: 111_345_631, depth: 17_844, leaves: 89_076_904 },
        seed: 7,
        growth: Growth::Binomial { root: 2000, children: 5, chance: 0.200014 },
    },
];

impl Tree {
    /// The tree that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Tree> {
        TREES.iter().find(|tree| tree.name == name)
    }

    /// Where it begins.
    #[must_use]
    pub fn root(&self) -> Node {
        Node::root(self.seed)
    }

    /// How many children a node of it has.
    #[must_use]
    pub fn children(&self, node: &Node) -> u32 {
        match &self.growth {
            Growth::Binomial { root, .. } if node.depth() == 0 => *root,
            Growth::Binomial { children, chance, .. } => {
                if node.unit() < *chance {
                    *children
                } else {
                    0
                }
            }
            Growth::Geometric { mean, shape, depth } => {
                let mean = shape.mean_at(node.depth(), *mean, *depth);
                geometric(node.unit(), mean).min(MOST_CHILDREN)
            }
        }
    }
}

impl Shape {
    /// The mean at a depth, of a tree that begins with `mean` and whose extent is `extent`.
    fn mean_at(&self, depth: u32, mean: f64, extent: u32) -> f64 {
        let periods = f64::from(depth) / f64::from(extent);
        match self {
            Shape::Linear => mean * (1.0 - periods),
            Shape::Cyclic if depth == 0 => mean,
            Shape::Cyclic if depth > 5 * extent => 0.0,
            Shape::Cyclic => mean.powf((2.0 * PI * periods).sin()),
            Shape::Fixed if depth < extent => mean,
            Shape::Fixed => 0.0,
        }
    }
}

/// The value of the geometric distribution with this mean at which its sum comes to `unit`.
fn geometric(unit: f64, mean: f64) -> u32 {
    if mean <= 0.0 {
        return 0;
    }
    let p = 1.0 / (1.0 + mean);
    ((1.0 - unit).ln() / (1.0 - p).ln()) as u32
}
