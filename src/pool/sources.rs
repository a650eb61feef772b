//! Where else a worker looks when its own deque is empty, and in which order.

use super::team::Team;

/// Where else a worker may find work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// The deque of this seat of the team.
    Deque(usize),
    /// This domain list of the team.
    List(usize),
}

/// Where the worker on `seat` looks, in order: the victims of the own cache and domain, the
/// own domain's list, then each farther domain's victims and its list; in the end the guests.
pub(super) fn sources(team: &Team, seat: usize, victims: &[usize]) -> Vec<Source> {
    let seats = team.seats();
    let mut seat_of = vec![None; victims.len() + 1];
    let mut left = vec![0; team.lists().len()];
    let is_guest = |seat: usize| seat >= team.len();
    for (at, other) in seats.iter().enumerate() {
        seat_of[other.worker] = Some(at);
        left[other.list] += usize::from(at != seat && !is_guest(at));
    }
    let own = seats[seat].list;
    let mut sources = Vec::with_capacity(seats.len() + left.len());
    if left[own] == 0 {
        sources.push(Source::List(own));
    }
    for victim in victims.iter().filter_map(|worker| seat_of[*worker]) {
        sources.push(Source::Deque(victim));
        if is_guest(victim) {
            continue;
        }
        let list = seats[victim].list;
        left[list] -= 1;
        if left[list] == 0 {
            sources.push(Source::List(list));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::Source::{Deque, List};
    use super::*;
    use crate::model::{Core, CoreId, Domain, Topology};
    use crate::policy::victim_order;
    use crate::pool::team::Member;

    /// Three domains in a row, each of two caches of two cores.
    fn host() -> Topology {
        let core = |i| Core { id: CoreId(i), package: 0, cache: i / 2, units: vec![i] };
        let domain = |d| Domain { id: d, memory: 0, cores: (4 * d..4 * d + 4).map(core).collect() };
        let row = |i: u32| (0..3).map(|j| 10 + i.abs_diff(j)).collect();
        Topology { domains: (0..3).map(domain).collect(), distances: (0..3).map(row).collect() }
    }

    fn looked_at(members: &[usize], seat: usize) -> Vec<Source> {
        let member =
            |&worker: &usize| Member { worker, core: CoreId(worker as u32), domain: worker / 4 };
        let members: Vec<Member> = members.iter().map(member).collect();
        let victims = victim_order(&host(), members[seat].worker);
        sources(&Team::new(&members, 0..0, None), seat, &victims)
    }

    #[test]
    fn near_deques_then_the_near_list_then_farther_domains() {
        // Seats 0 to 5 on workers of domains 1, 0, 1, 1, 2, 2: lists 0, 1, 2 are of 1, 0, 2.
        let members = [5, 0, 4, 7, 8, 9];
        let order = [Deque(2), Deque(3), List(0), Deque(5), Deque(4), List(2), Deque(1), List(1)];
        assert_eq!(looked_at(&members, 0), order);
        let order = [Deque(4), List(2), Deque(0), Deque(3), Deque(2), List(0), Deque(1), List(1)];
        assert_eq!(looked_at(&members, 5), order);
    }

    #[test]
    fn alone_in_its_domain_a_worker_begins_with_the_list() {
        assert_eq!(looked_at(&[3], 0), [List(0)]);
        assert_eq!(looked_at(&[3, 4], 0), [List(0), Deque(1), List(1)]);
    }
}
