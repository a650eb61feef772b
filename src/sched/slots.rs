//! What a node has, and who has it now: cores by number, graphics processors by number, and
//! amounts of everything else.

use std::sync::Arc;

use crate::model::{Amount, CoreId, Request, ResourceId, Resources, Topology};

/// The resources of one node.
#[derive(Debug)]
pub(super) struct Slots {
    free: Resources,
    /// Free cores of each NUMA domain, by id.
    domains: Vec<Vec<CoreId>>,
    /// What is free of each graphics processor.
    gpus: Vec<Amount>,
}

/// What one attempt was granted.
#[derive(Debug)]
pub(super) struct Grant {
    /// What it was asked for by.
    pub(super) request: Arc<Request>,
    /// Its cores; never empty, for even a task that asks for none runs somewhere.
    pub(super) cores: Arc<[CoreId]>,
    /// Graphics processors by number, with the share of each.
    gpus: Vec<(u32, Amount)>,
    /// What is taken from the free amounts.
    taken: Resources,
}

impl Grant {
    /// The numbers of its graphics processors.
    #[must_use]
    pub(super) fn gpus(&self) -> Vec<u32> {
        self.gpus.iter().map(|(gpu, _)| *gpu).collect()
    }
}

impl Slots {
    /// All of `capacity` is free; its cores are those of `topology`.
    #[must_use]
    pub(super) fn new(topology: &Topology, capacity: &Resources) -> Slots {
        let ids = |d: &crate::model::Domain| d.cores.iter().map(|c| c.id).collect::<Vec<_>>();
        let gpus = vec![Amount::whole(1); capacity.get(ResourceId::GPUS).ceil() as usize];
        Slots { free: capacity.clone(), domains: topology.domains.iter().map(ids).collect(), gpus }
    }

    /// What is free.
    #[must_use]
    pub(super) fn free(&self) -> &Resources {
        &self.free
    }

    /// Grants `asked`, by which `request` is met, if all of it is free.
    pub(super) fn grant(&mut self, request: &Arc<Request>, asked: &Resources) -> Option<Grant> {
        let mut taken = asked.clone();
        let cores = asked.get(ResourceId::CORES).ceil().max(1);
        taken.set(ResourceId::CORES, Amount::whole(cores));
        if !taken.fits(&self.free) {
            return None;
        }
        let gpus = self.pick_gpus(asked.get(ResourceId::GPUS))?;
        let cores = self.pick_cores(cores as usize)?;
        for (gpu, share) in &gpus {
            self.gpus[*gpu as usize].0 -= share.0;
        }
        self.free.take(&taken);
        Some(Grant { request: Arc::clone(request), cores: cores.into(), gpus, taken })
    }

    /// Takes a grant back.
    pub(super) fn give_back(&mut self, grant: Grant, topology: &Topology) {
        self.free.give(&grant.taken);
        for (gpu, share) in grant.gpus {
            self.gpus[gpu as usize].0 += share.0;
        }
        for &core in &*grant.cores {
            if let Some(domain) = topology.domain_of(core) {
                let free = &mut self.domains[domain];
                let at = free.partition_point(|c| *c < core);
                free.insert(at, core);
            }
        }
    }

    /// Cores of the domain that they fill best; of several only where none has enough, and then
    /// of those with the most.
    fn pick_cores(&mut self, count: usize) -> Option<Vec<CoreId>> {
        let sizes = self.domains.iter().map(Vec::len).enumerate();
        if let Some((best, _)) = sizes.filter(|(_, n)| *n >= count).min_by_key(|(_, n)| *n) {
            return Some(self.domains[best].drain(..count).collect());
        }
        if self.domains.iter().map(Vec::len).sum::<usize>() < count {
            return None;
        }
        let mut order: Vec<usize> = (0..self.domains.len()).collect();
        order.sort_by_key(|d| std::cmp::Reverse(self.domains[*d].len()));
        let mut cores = Vec::with_capacity(count);
        for domain in order {
            let n = self.domains[domain].len().min(count - cores.len());
            cores.extend(self.domains[domain].drain(..n));
        }
        Some(cores)
    }

    /// Whole processors for the whole part; for a fraction the fullest one that still has it.
    fn pick_gpus(&self, asked: Amount) -> Option<Vec<(u32, Amount)>> {
        let whole = (asked.0 / Amount::UNIT) as usize;
        let part = Amount(asked.0 % Amount::UNIT);
        let free = || self.gpus.iter().enumerate();
        let untouched = free().filter(|(_, a)| a.0 == Amount::UNIT).take(whole);
        let mut picked: Vec<(u32, Amount)> = untouched.map(|(i, a)| (i as u32, *a)).collect();
        if picked.len() < whole {
            return None;
        }
        if part.0 > 0 {
            let unpicked = free().filter(|(i, _)| !picked.iter().any(|(p, _)| *p as usize == *i));
            let (i, _) = unpicked.filter(|(_, a)| **a >= part).min_by_key(|(_, a)| **a)?;
            picked.push((i as u32, part));
        }
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shared;
    use proptest::prelude::*;

    fn grant(slots: &mut Slots, asked: &Resources) -> Option<Grant> {
        slots.grant(&Request::shared(), asked)
    }

    fn host(domains: u32, cores: u32) -> Topology {
        let mut host = Topology::flat(cores);
        for d in 1..domains {
            let mut domain = host.domains[0].clone();
            domain.id = d;
            domain.cores.iter_mut().for_each(|c| c.id.0 += d * cores);
            host.domains.push(domain);
        }
        host
    }

    #[test]
    fn a_task_is_kept_in_the_domain_that_it_fills_best() {
        let host = host(2, 4);
        let mut slots = Slots::new(&host, &Resources::cores(8));
        let three = grant(&mut slots, &Resources::cores(3)).unwrap();
        assert_eq!(*three.cores, [0, 1, 2].map(CoreId));
        let one = grant(&mut slots, &Resources::cores(1)).unwrap();
        assert_eq!(*one.cores, [CoreId(3)], "the hole is filled first");
        let four = grant(&mut slots, &Resources::cores(4)).unwrap();
        assert_eq!(*four.cores, [4, 5, 6, 7].map(CoreId));
        assert!(grant(&mut slots, &Resources::cores(1)).is_none());
    }

    #[test]
    fn halves_share_a_gpu_and_wholes_do_not() {
        let host = host(1, 8);
        let gpus = |x: f64| Resources::cores(1).with(ResourceId::GPUS, Amount::from_f64(x));
        let all = Resources::cores(8).with(ResourceId::GPUS, Amount::whole(2));
        let mut slots = Slots::new(&host, &all);
        assert_eq!(grant(&mut slots, &gpus(0.5)).unwrap().gpus(), [0]);
        assert_eq!(grant(&mut slots, &gpus(1.0)).unwrap().gpus(), [1]);
        assert_eq!(grant(&mut slots, &gpus(0.5)).unwrap().gpus(), [0]);
        assert!(grant(&mut slots, &gpus(0.1)).is_none());
    }

    proptest! {
        #[test]
        fn no_core_is_granted_twice_and_all_come_back(asks in prop::collection::vec(0u64..6, 1..40)) {
            let host = host(3, 4);
            let all = Resources::cores(12);
            let mut slots = Slots::new(&host, &all);
            let mut out: Vec<Grant> = Vec::new();
            for ask in asks {
                while !Resources::cores(ask).fits(slots.free()) {
                    slots.give_back(out.remove(0), &host);
                }
                out.extend(grant(&mut slots, &Resources::cores(ask)));
                let mut cores: Vec<CoreId> = out.iter().flat_map(|g| g.cores.iter().copied()).collect();
                let n = cores.len();
                cores.sort();
                cores.dedup();
                prop_assert_eq!(cores.len(), n);
            }
            out.into_iter().for_each(|grant| slots.give_back(grant, &host));
            prop_assert_eq!(slots.free(), &all);
            prop_assert_eq!(grant(&mut slots, &all).unwrap().cores.len(), 12);
        }
    }
}
