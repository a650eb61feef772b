//! Entries of a deque that are public: the owner and thieves are after the same.

use crate::check;
use crate::deque::Steal;
use crate::table::Table;

#[test]
fn pop_against_a_thief() {
    check(3, || {
        let table = Table::<3>::new(4);
        table.push_all(0..3);
        table.publish();
        let thief = table.thread(|table| {
            table.steal();
            table.steal();
        });
        table.pop_thrice();
        thief.join();
        table.finish();
    });
}

#[test]
fn pop_against_two_thieves() {
    check(2, || {
        let table = Table::<3>::new(4);
        table.push_all(0..3);
        table.publish();
        let thieves = [0, 1].map(|_| table.thread(|table| _ = table.steal()));
        table.pop_thrice();
        thieves.into_iter().for_each(|thief| thief.join());
        table.finish();
    });
}

/// Of seven entries four are public, and half of these are taken by one exchange.
#[test]
fn pop_against_one_who_takes_several() {
    check(3, || {
        let table = Table::<7>::new(8);
        table.push_all(0..7);
        table.publish();
        let thief = table.thread(|table| _ = table.steal_several());
        for _ in 0..6 {
            table.pop();
        }
        thief.join();
        table.finish();
    });
}

/// What a thief has read is taken back, others are put there, and become public by a claim.
#[test]
fn what_one_who_takes_several_has_read_is_gone() {
    check(2, || {
        let table = Table::<13>::new(16);
        table.push_all(0..7);
        table.publish();
        let thief = table.thread(|table| _ = table.steal_several());
        for _ in 0..6 {
            table.pop();
        }
        table.push_all(7..13);
        table.thread(|table| _ = table.deque.claim(1)).join();
        thief.join();
        table.finish();
    });
}

#[test]
fn two_who_take_several() {
    check(2, || {
        let table = Table::<7>::new(8);
        table.push_all(0..7);
        table.publish();
        let thieves = [0, 1].map(|_| table.thread(|table| _ = table.steal_several()));
        table.pop();
        thieves.into_iter().for_each(|thief| thief.join());
        table.finish();
    });
}

/// The owner takes back the oldest entry, pushes another, and publishes that, while a thief has
/// read the slot of the oldest.
#[test]
fn the_oldest_is_taken_back_and_another_published() {
    check(3, || {
        let table = Table::<2>::new(2);
        table.push(0);
        table.publish();
        let thief = table.thread(|table| _ = table.steal());
        table.pop();
        table.push(1);
        table.publish();
        thief.join();
        table.finish();
    });
}

/// A thief asks; the owner answers with its next push.
#[test]
fn published_on_request() {
    check(3, || {
        let table = Table::<3>::new(4);
        table.push(0);
        let thief = table.thread(|table| {
            table.deque.ask();
            table.steal();
            table.steal();
        });
        table.push(1);
        let place = table.push(2);
        table.retract(place, 2);
        table.pop();
        thief.join();
        table.finish();
    });
}

/// What a join does, while a thief takes its offer or does not.
#[test]
fn an_offer_comes_back_or_is_taken() {
    check(3, || {
        let table = Table::<2>::new(2);
        table.deque.ask();
        let place = table.push(0);
        let thief = table.thread(|table| {
            if table.steal() == Steal::Retry {
                table.steal();
            }
        });
        let inner = table.push(1);
        assert!(table.retract(inner, 1), "it was never public");
        table.retract(place, 0);
        thief.join();
        table.finish();
    });
}

#[test]
fn the_ring_grows_during_a_theft() {
    check(3, || {
        let table = Table::<5>::new(2);
        table.push(0);
        table.publish();
        let thief = table.thread(|table| {
            table.steal();
            table.steal();
        });
        table.push_all(1..5);
        table.publish();
        table.pop();
        thief.join();
        table.finish();
    });
}
