//! What tasks ask for and nodes have: amounts of named things.

use std::cmp::Ordering;
use std::fmt;
use std::ptr;

/// An amount of a resource in ten-thousandths: half a GPU is 5 000.
///
/// For memory the unit is a byte, so that 1.8 PB is the most that can be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u64);

impl Amount {
    /// Ten-thousandths in one.
    pub const UNIT: u64 = 10_000;

    /// `n` whole ones.
    #[must_use]
    pub const fn whole(n: u64) -> Amount {
        Amount(n.saturating_mul(Self::UNIT))
    }

    /// `x` rounded to the nearest ten-thousandth; nothing below zero.
    #[must_use]
    pub fn from_f64(x: f64) -> Amount {
        Amount((x * Self::UNIT as f64).round() as u64)
    }

    /// The amount as a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::UNIT as f64
    }

    /// Whole ones, rounded up: cores that a request for 1.5 of them occupies.
    #[must_use]
    pub const fn ceil(self) -> u64 {
        self.0.div_ceil(Self::UNIT)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

/// A resource by its place in the run's table of names ([`ResourceNames`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u16);

impl ResourceId {
    /// Physical cores; always whole.
    pub const CORES: ResourceId = ResourceId(0);
    /// Main memory in bytes.
    pub const MEMORY: ResourceId = ResourceId(1);
    /// Graphics processors.
    pub const GPUS: ResourceId = ResourceId(2);
}

/// The names of a run's resources: three that every run has, then those that its jobs name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceNames(Vec<String>);

impl Default for ResourceNames {
    fn default() -> Self {
        ResourceNames(["cores", "memory", "gpus"].map(str::to_owned).into())
    }
}

impl ResourceNames {
    /// A run knows this many kinds at most.
    pub const MAX: usize = 256;

    /// The id of `name`, given out now if it is new; nothing once [`MAX`](Self::MAX) are named.
    pub fn intern(&mut self, name: &str) -> Option<ResourceId> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        let id = ResourceId(self.0.len() as u16);
        (self.0.len() < Self::MAX).then(|| self.0.push(name.to_owned()))?;
        Some(id)
    }

    /// The id of `name`, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ResourceId> {
        self.0.iter().position(|n| n == name).map(|i| ResourceId(i as u16))
    }

    /// All names, by id.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The name of `id`.
    #[must_use]
    pub fn name(&self, id: ResourceId) -> &str {
        self.0.get(usize::from(id.0)).map_or("?", String::as_str)
    }
}

/// Amounts by resource; what is not named is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources(Vec<Amount>);

impl Resources {
    /// `cores` whole cores and nothing else.
    #[must_use]
    pub fn cores(cores: u64) -> Resources {
        Resources::default().with(ResourceId::CORES, Amount::whole(cores))
    }

    /// The same with `amount` of `id`.
    #[must_use]
    pub fn with(mut self, id: ResourceId, amount: Amount) -> Resources {
        self.set(id, amount);
        self
    }

    /// Sets the amount of `id`.
    pub fn set(&mut self, id: ResourceId, amount: Amount) {
        let i = usize::from(id.0);
        if i >= self.0.len() {
            self.0.resize(i + 1, Amount(0));
        }
        self.0[i] = amount;
        while self.0.last() == Some(&Amount(0)) {
            self.0.pop();
        }
    }

    /// The amount of `id`.
    #[must_use]
    pub fn get(&self, id: ResourceId) -> Amount {
        self.0.get(usize::from(id.0)).copied().unwrap_or_default()
    }

    /// Those with an amount above zero, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceId, Amount)> + '_ {
        let with_id = self.0.iter().enumerate().map(|(i, a)| (ResourceId(i as u16), *a));
        with_id.filter(|(_, amount)| amount.0 > 0)
    }

    /// Whether all of this can be taken from `free`.
    #[must_use]
    pub fn fits(&self, free: &Resources) -> bool {
        self.iter().all(|(id, amount)| amount <= free.get(id))
    }

    /// Takes `other` away; what is not there is taken as far as it goes.
    pub fn take(&mut self, other: &Resources) {
        for (id, amount) in other.iter() {
            self.set(id, Amount(self.get(id).0.saturating_sub(amount.0)));
        }
    }

    /// Gives `other` back.
    pub fn give(&mut self, other: &Resources) {
        for (id, amount) in other.iter() {
            self.set(id, Amount(self.get(id).0.saturating_add(amount.0)));
        }
    }
}

/// What a task asks for: the first variant that a node can meet is granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// In the order of preference, never empty.
    pub variants: Vec<Variant>,
}

/// One way to satisfy a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    /// On how many nodes at once; more than one is refused when a job is checked, for now.
    pub nodes: u32,
    /// What is needed on each of them.
    pub resources: Resources,
}

impl PartialOrd for Request {
    fn partial_cmp(&self, other: &Request) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Request {
    /// By the variants. Most are held once by all that ask for the same, and are not looked into.
    fn cmp(&self, other: &Request) -> Ordering {
        if ptr::eq(self, other) { Ordering::Equal } else { self.variants.cmp(&other.variants) }
    }
}

impl Default for Request {
    /// One core of one node.
    fn default() -> Self {
        Request::of(Resources::cores(1))
    }
}

impl Request {
    /// `resources` on one node.
    #[must_use]
    pub fn of(resources: Resources) -> Request {
        Request { variants: vec![Variant { nodes: 1, resources }] }
    }

    /// The first variant that `capacity` meets.
    #[must_use]
    pub fn met_by(&self, capacity: &Resources) -> Option<&Resources> {
        self.variants
            .iter()
            .filter(|v| v.nodes == 1)
            .map(|v| &v.resources)
            .find(|r| r.fits(capacity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_and_giving_back_leaves_what_was_there() {
        let gpus = Amount::from_f64(0.5);
        let all = Resources::cores(4).with(ResourceId::GPUS, Amount::whole(1));
        let ask = Resources::cores(1).with(ResourceId::GPUS, gpus);
        let mut free = all.clone();
        free.take(&ask);
        free.take(&ask);
        assert!(!ask.fits(&free), "no GPU is left");
        assert!(Resources::cores(2).fits(&free));
        free.give(&ask);
        free.give(&ask);
        assert_eq!(free, all);
    }

    #[test]
    fn a_request_takes_the_first_variant_that_fits() {
        let big = Resources::cores(8);
        let small = Resources::cores(2);
        let one = |resources: &Resources| Variant { nodes: 1, resources: resources.clone() };
        let request = Request { variants: vec![one(&big), one(&small)] };
        assert_eq!(request.met_by(&Resources::cores(4)), Some(&small));
        assert_eq!(request.met_by(&Resources::cores(8)), Some(&big));
        assert_eq!(request.met_by(&Resources::cores(1)), None);
    }
}
