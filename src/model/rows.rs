//! The edges of a graph as compressed rows, and the order that they ask for.

use std::iter;

/// For each node the edges from it: all in one array, row after row.
#[derive(Clone, Debug)]
pub(crate) struct Rows<E> {
    start: Vec<u32>,
    edges: Vec<E>,
}

impl<E> Default for Rows<E> {
    /// Of no node.
    fn default() -> Rows<E> {
        Rows { start: Vec::new(), edges: Vec::new() }
    }
}

impl<E: Copy> Rows<E> {
    /// The rows of nodes 0 to `n - 1`, of edges given as the node that each belongs to and what it
    /// is; in each row in the order in which they are given.
    pub(crate) fn new(n: usize, edges: impl Iterator<Item = (u32, E)> + Clone) -> Rows<E> {
        let mut start = vec![0u32; n + 1];
        for (node, _) in edges.clone() {
            start[node as usize + 1] += 1;
        }
        for i in 0..n {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let any = edges.clone().next();
        let mut filled = any.map_or_else(Vec::new, |(_, edge)| vec![edge; start[n] as usize]);
        for (node, edge) in edges {
            let at = &mut next[node as usize];
            filled[*at as usize] = edge;
            *at += 1;
        }
        Rows { start, edges: filled }
    }

    /// The rows of nodes 0, 1, and so on.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a [E]>) -> Rows<E>
    where
        E: 'a,
    {
        let mut edges = Vec::new();
        let ends = rows.map(|row| {
            edges.extend_from_slice(row);
            edges.len() as u32
        });
        let start = iter::once(0).chain(ends).collect();
        edges.shrink_to_fit();
        Rows { start, edges }
    }

    /// All edges, each with the node that it belongs to, in the order of these.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (u32, E)> + Clone {
        let nodes = 0..self.len() as u32;
        nodes.flat_map(|node| self.row(node).iter().map(move |edge| (node, *edge)))
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.start.len().saturating_sub(1)
    }

    /// The edges from `node`.
    pub(crate) fn row(&self, node: u32) -> &[E] {
        let at = node as usize;
        &self.edges[self.start[at] as usize..self.start[at + 1] as usize]
    }

    /// Where the row of each node begins, and in the end where the last one ends; then all edges, row
    /// after row.
    #[cfg(feature = "cli")]
    pub(crate) fn parts(&self) -> (&[u32], &[E]) {
        (&self.start, &self.edges)
    }

    /// All nodes, each after its predecessors, where `to` says which node an edge leads to; among
    /// those free at once, by number (Kahn 1962). The list of the sorted is its own queue.
    ///
    /// # Errors
    /// If there is a ring: the nodes of one, each with an edge to the next and the last to the
    /// first.
    pub(crate) fn order(&self, to: impl Fn(&E) -> u32) -> Result<Vec<u32>, Vec<u32>> {
        let mut waits = vec![0u32; self.len()];
        self.edges.iter().for_each(|edge| waits[to(edge) as usize] += 1);
        let mut order = Vec::with_capacity(self.len());
        order.extend((0..self.len() as u32).filter(|node| waits[*node as usize] == 0));
        let mut done = 0;
        while let Some(&node) = order.get(done) {
            done += 1;
            for edge in self.row(node) {
                let left = &mut waits[to(edge) as usize];
                *left -= 1;
                if *left == 0 {
                    order.push(to(edge));
                }
            }
        }
        if order.len() == self.len() { Ok(order) } else { Err(self.ring(to, &waits)) }
    }

    /// Walks backwards among the nodes that still wait, each of which has a predecessor that does,
    /// until one comes round again.
    fn ring(&self, to: impl Fn(&E) -> u32, waits: &[u32]) -> Vec<u32> {
        const NOWHERE: usize = usize::MAX;
        let stuck = || (0..self.len() as u32).filter(|node| waits[*node as usize] > 0);
        let mut before = vec![0; self.len()];
        for node in stuck() {
            self.row(node).iter().for_each(|edge| before[to(edge) as usize] = node);
        }
        let mut path: Vec<u32> = stuck().take(1).collect();
        let mut place = vec![NOWHERE; self.len()];
        while let Some(&last) = path.last() {
            let seen = std::mem::replace(&mut place[last as usize], path.len() - 1);
            if seen != NOWHERE {
                return path[seen..path.len() - 1].iter().rev().copied().collect();
            }
            path.push(before[last as usize]);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_what_belongs_to_each_in_its_order() {
        let rows = Rows::new(4, [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd')].into_iter());
        let all: Vec<&[char]> = (0..4).map(|node| rows.row(node)).collect();
        assert_eq!(all, [&['b'][..], &[], &['a', 'c'], &['d']]);
        assert_eq!(Rows::<char>::new(0, [].into_iter()).len(), 0);
        let same = Rows::of(all.into_iter());
        assert_eq!((&same.start, &same.edges), (&rows.start, &rows.edges));
        assert_eq!(same.edges().collect::<Vec<_>>(), [(0, 'b'), (2, 'a'), (2, 'c'), (3, 'd')]);
        assert_eq!(Rows::<char>::of([].into_iter()).len(), 0);
    }

    #[test]
    fn each_comes_after_its_predecessors() {
        let order = |n, edges: &[(u32, u32)]| Rows::new(n, edges.iter().copied()).order(|to| *to);
        assert_eq!(order(4, &[(3, 1), (1, 0), (3, 2), (2, 0)]), Ok(vec![3, 1, 2, 0]));
        assert_eq!(order(2, &[(1, 0), (1, 0)]), Ok(vec![1, 0]));
        assert_eq!(order(5, &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)]), Err(vec![2, 3, 1]));
        assert_eq!(order(3, &[(1, 1), (1, 2)]), Err(vec![1]));
    }
}
