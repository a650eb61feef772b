//! Entries of a deque that are private, and that others claim while the owner goes on.

use crate::check;
use crate::table::Table;

#[test]
fn claim_against_pop() {
    check(2, || {
        let table = Table::<3>::new(4);
        table.push_all(0..3);
        let thief = table.thread(|table| {
            table.deque.claim(1);
            table.steal();
        });
        table.pop_thrice();
        thief.join();
        table.finish();
    });
}

#[test]
fn claim_against_push_and_pop() {
    check(2, || {
        let table = Table::<4>::new(4);
        table.push(0);
        table.push(1);
        let thief = table.thread(|table| {
            if table.deque.claim(1) {
                table.steal();
                table.steal();
            }
        });
        // Down to what is claimed, and up again.
        table.pop();
        table.pop();
        table.push(2);
        table.push(3);
        table.pop();
        thief.join();
        table.finish();
    });
}

#[test]
fn claim_against_retract() {
    check(2, || {
        let table = Table::<2>::new(2);
        let place = table.push(0);
        let thief = table.thread(|table| {
            table.deque.claim(1);
            table.steal();
        });
        let inner = table.push(1);
        if table.retract(inner, 1) {
            table.retract(place, 0);
        }
        thief.join();
        table.finish();
    });
}

#[test]
fn claim_against_publication() {
    check(2, || {
        let table = Table::<4>::new(4);
        table.push(0);
        table.push(1);
        let thief = table.thread(|table| {
            table.deque.claim(1);
            table.steal();
            table.steal();
        });
        table.deque.ask();
        table.push(2);
        table.push(3);
        table.pop();
        table.pop();
        thief.join();
        table.finish();
    });
}

#[test]
fn claim_against_another_thief() {
    check(2, || {
        let table = Table::<3>::new(4);
        table.push(0);
        table.publish();
        table.push(1);
        table.push(2);
        let claimant = table.thread(|table| {
            table.deque.claim(1);
            table.steal();
        });
        let thief = table.thread(|table| _ = table.steal());
        table.pop();
        table.pop();
        claimant.join();
        thief.join();
        table.finish();
    });
}

#[test]
fn two_claimants() {
    check(2, || {
        let table = Table::<2>::new(4);
        table.push_all(0..2);
        let claimants = [1, 2].map(|me| {
            table.thread(move |table| {
                table.deque.claim(me);
                table.steal();
            })
        });
        table.pop();
        claimants.into_iter().for_each(|claimant| claimant.join());
        table.finish();
    });
}

/// The ring grows while a claim is under way.
#[test]
fn claim_against_growth() {
    check(2, || {
        let table = Table::<3>::new(2);
        table.push(0);
        let thief = table.thread(|table| {
            table.deque.claim(1);
            table.steal();
        });
        table.push(1);
        table.push(2);
        table.pop();
        thief.join();
        table.finish();
    });
}
