//! Nodes, sub-masters and wires that fail.

use evenkeel::model::*;
use evenkeel::sched::Event;

use crate::story::*;

const LONGER_THAN_A_LEASE: Span = Span::from_secs(5);

#[test]
fn what_a_dead_node_held_is_run_elsewhere_and_costs_no_retry() {
    let mut story = Story::of(&[&[1, 1, 1]]).job(wide(9));
    story.run_until(|s| s.count(State::Done) == 3);
    let victim: Vec<TaskId> =
        story.running.keys().filter(|(p, _)| *p == node(2)).map(|(_, k)| k.task).collect();
    story.kill(node(2));
    story.pass(LONGER_THAN_A_LEASE);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let lost = story.published.iter().filter(|r| r.state == State::Lost);
    let lost: Vec<_> = lost.map(|r| (r.task, r.attempt)).collect();
    assert!(lost.contains(&(victim[0], Attempt(1))), "{lost:?}");
    assert!(story.states().contains(&(victim[0].0, 2, State::Done)));
    let record = story.published.iter().find(|r| r.state == State::Lost).unwrap();
    assert_eq!(record.place.as_ref().unwrap().node, node(2));
}

#[test]
fn the_nodes_of_a_dead_sub_master_attach_to_the_masters() {
    let mut story = Story::of(&[&[1], &[1, 1, 1]]).job(wide(60));
    story.run_until(|s| s.count(State::Done) == 6);
    story.kill(node(1));
    story.pass(LONGER_THAN_A_LEASE + LONGER_THAN_A_LEASE);
    assert_eq!((story.runs_on(node(2)), story.runs_on(node(3))), (1, 1));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let moved = |r: &Record| {
        r.place.as_ref().is_some_and(|p| p.node == node(3) && p.subcluster == SubclusterId(0))
    };
    assert!(story.published.iter().any(moved));
}

/// Two nodes of a sub-master that dies, and what they run when it does.
fn bereaved() -> (Story, Vec<(PeerId, AttemptKey)>) {
    let mut story = Story::of(&[&[1], &[1, 1, 1]]).job(wide(60));
    story.run_until(|s| s.count(State::Done) == 6);
    story.kill(node(1));
    let running = |s: &Story| {
        let of_nodes = s.running.keys().filter(|(peer, _)| peer.0 >= 2);
        of_nodes.copied().collect::<Vec<_>>()
    };
    let before = running(&story);
    assert_eq!(before.len(), 2);
    (story, before)
}

#[test]
fn what_the_nodes_of_a_dead_sub_master_run_goes_on_and_counts() {
    let (mut story, running) = bereaved();
    for _ in 0..100 {
        story.pass(Span::from_millis(100));
        let there = |held: &&(PeerId, AttemptKey)| story.running.contains_key(held);
        assert_eq!(running.iter().filter(there).count(), 2, "{:?}", story.notes);
    }
    assert_eq!(story.stopped, []);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    for (peer, key) in running {
        let ends =
            |r: &&Record| (r.task, r.attempt, r.state) == (key.task, key.attempt, State::Done);
        let record = story.published.iter().find(ends).expect("its first attempt counts");
        assert_eq!(record.place.as_ref().unwrap().node, peer);
    }
}

#[test]
fn who_knows_that_its_sub_master_is_dead_does_not_wait_for_its_silence() {
    let (mut story, running) = bereaved();
    let before = story.notes.len();
    story.tell(node(2), Event::Dead(node(1)));
    assert!(story.notes[before].contains("p2 hears nothing from p1 and goes to p0"));
    // What ends now goes the new way at once.
    let (_, key) = running.iter().find(|(peer, _)| *peer == node(2)).unwrap();
    let name = story.running[&(node(2), *key)].work.name.clone();
    story.end(&name, well());
    assert_eq!(story.record(&name).state, State::Done);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn a_node_that_has_no_way_to_the_master_looks_for_one_when_its_sub_master_is_gone() {
    for known in [true, false] {
        let (mut story, running) = bereaved();
        story.tell(node(2), Event::Down(node(0)));
        if known {
            story.tell(node(2), Event::Dead(node(1)));
        } else {
            story.pass(Span(LEASE.0 * 6 / 10));
        }
        assert_eq!(story.wanted, [(node(2), node(0))], "{:?}", story.notes);
        let (peer, key) = *running.iter().find(|(peer, _)| *peer == node(2)).unwrap();
        assert!(story.running.contains_key(&(peer, key)));
        story.tell(node(2), Event::Up(node(0)));
        story.pass(LONGER_THAN_A_LEASE + LONGER_THAN_A_LEASE);
        assert!(story.running.contains_key(&(peer, key)), "{:?}", story.notes);
        assert_eq!(story.finish(), ExitCode::Done);
        story.assert_whole();
    }
}

#[test]
fn what_ended_on_its_way_through_a_sub_master_that_dies_is_not_run_again() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(20));
    story.run_until(|s| s.count(State::Done) == 5 && s.runs_on(node(2)) == 1);
    let (_, key) = *story.running.keys().find(|(peer, _)| *peer == node(2)).unwrap();
    // It comes as far as to the sub-master, and dies with it.
    let name = story.running[&(node(2), key)].work.name.clone();
    story.hang(node(1));
    story.end(&name, well());
    story.kill(node(1));
    story.pass(LONGER_THAN_A_LEASE);
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let attempts = story.states().into_iter().filter(|row| row.0 == key.task.0);
    assert_eq!(attempts.collect::<Vec<_>>(), [(key.task.0, key.attempt.0, State::Done)]);
}

#[test]
fn a_node_that_is_known_to_be_dead_is_given_up_when_its_guards_have_cleared_up() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(20));
    story.run_until(|s| s.count(State::Done) == 5);
    story.kill(node(2));
    story.tell(node(1), Event::Dead(node(2)));
    story.pass(Span::from_millis(900));
    assert_eq!(story.count(State::Lost), 0);
    story.pass(Span::from_millis(200));
    assert!(story.count(State::Lost) > 0, "long before its lease is over");
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn who_finds_no_master_for_long_leaves_and_not_before() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(20));
    story.run_until(|s| s.count(State::Done) == 3);
    story.kill(node(0));
    story.pass(Span(PATIENCE.0 / 2));
    assert_eq!((story.left.len(), story.running.len()), (0, 0), "{:?}", story.notes);
    story.pass(PATIENCE);
    assert_eq!(story.left, [node(1), node(2)].into());
    assert!(story.notes.iter().any(|note| note.contains("found no master for")));
}

#[test]
fn a_hung_node_that_wakes_starts_clean_and_its_late_endings_are_dropped() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(20));
    story.run_until(|s| s.count(State::Done) == 5);
    let held: Vec<AttemptKey> =
        story.running.keys().filter(|(p, _)| *p == node(2)).map(|(_, k)| *k).collect();
    story.hang(node(2));
    let name = story.running[&(node(2), held[0])].work.name.clone();
    story.end(&name, well());
    story.run_until(|s| s.published.iter().any(|r| r.state == State::Lost));
    story.pass(LONGER_THAN_A_LEASE);
    let before = story.process(node(2)).incarnation();
    story.wake(node(2));
    assert_eq!(story.process(node(2)).incarnation(), Incarnation(before.0 + 1));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let ends: Vec<_> = story.states().into_iter().filter(|r| r.0 == held[0].task.0).collect();
    assert_eq!(ends, [(held[0].task.0, 1, State::Lost), (held[0].task.0, 2, State::Done)]);
}

#[test]
fn a_node_that_is_cut_off_stops_its_tasks_before_its_parent_gives_them_away() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.runs_on(node(2)) == 1);
    story.cut(node(2));
    let (_, key) = *story.running.keys().find(|(p, _)| *p == node(2)).unwrap();
    while story.runs_on(node(2)) == 1 {
        assert!(story.published.iter().all(|r| r.state != State::Lost), "given away too early");
        story.pass(Span::from_millis(10));
    }
    assert_eq!(story.launched.iter().filter(|l| l.key.task == key.task).count(), 1);
    story.mend(node(2));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn a_short_break_of_the_wire_costs_nothing() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    for n in [1, 2, 1, 2] {
        let done = story.count(State::Done);
        story.run_until(|s| s.count(State::Done) >= done + 3);
        story.cut(node(n));
        story.pass(Span::from_millis(300));
        story.mend(node(n));
    }
    assert_eq!(story.finish(), ExitCode::Done);
    assert_eq!(story.count(State::Lost), 0);
    story.assert_whole();
}

#[test]
fn a_sub_master_that_hung_comes_back_as_another() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(40));
    story.run_until(|s| s.count(State::Done) == 6);
    story.hang(node(1));
    story.pass(LONGER_THAN_A_LEASE + LONGER_THAN_A_LEASE);
    story.wake(node(1));
    story.pass(LONGER_THAN_A_LEASE);
    assert_eq!(story.process(node(1)).incarnation(), Incarnation(2));
    assert!((0..3).all(|n| story.runs_on(node(n)) == 1), "{:?}", story.busy());
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn what_the_nodes_of_a_restarted_sub_master_still_run_is_not_run_elsewhere_meanwhile() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(6));
    let (_, key) = *story.running.keys().find(|(p, _)| *p == node(2)).unwrap();
    // Node 2 cannot be reached by anyone, and its sub-master is another at once.
    story.cut(node(2));
    story.restart(node(1));
    let twins = |s: &Story| s.running.keys().filter(|(_, k)| k.task == key.task).count();
    let mut waited = Span::ZERO;
    while twins(&story) == 1 && story.runs_on(node(2)) == 1 {
        assert!(story.published.iter().all(|r| r.task != key.task), "given away too early");
        let elsewhere = story.running.iter().find(|((p, _), _)| *p != node(2));
        let elsewhere = elsewhere.map(|(_, launch)| launch.work.name.clone());
        elsewhere.into_iter().for_each(|name| story.end(&name, well()));
        story.pass(Span::from_millis(10));
        waited += Span::from_millis(10);
    }
    assert_eq!(twins(&story), 0, "node 2 stopped first");
    assert!(waited > Span::from_secs(1), "and not before it had to");
    assert_eq!(story.finish(), ExitCode::Done);
    story.mend(node(2));
    story.assert_whole();
    assert!(story.states().contains(&(key.task.0, 1, State::Lost)));
}

#[test]
fn an_interrupted_run_ends_when_the_last_that_was_in_limbo_is_lost() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(6));
    story.restart(node(1));
    story.tell(node(0), Event::Interrupt);
    assert_eq!(story.finish(), ExitCode::Interrupted);
    assert!(story.count(State::Lost) >= 2, "{:?}", story.states());
    let mut resumed = story.resume();
    assert_eq!(resumed.finish(), ExitCode::Done);
    resumed.assert_whole();
}

#[test]
fn a_master_that_hung_gathers_its_nodes_again() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.hang(node(0));
    story.pass(LONGER_THAN_A_LEASE + LONGER_THAN_A_LEASE);
    assert_eq!((story.runs_on(node(1)), story.runs_on(node(2))), (0, 0), "they stopped");
    story.wake(node(0));
    story.pass(LONGER_THAN_A_LEASE);
    assert!((0..3).all(|n| story.runs_on(node(n)) == 1), "{:?}", story.busy());
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn what_said_hello_in_vain_again_and_again_loses_nothing_when_all_of_it_comes() {
    let mut story = Story::of(&[&[1], &[1, 1]]).job(wide(30));
    story.run_until(|s| s.count(State::Done) == 6);
    story.hang(node(0));
    (0..5).for_each(|_| story.pass(LONGER_THAN_A_LEASE));
    assert!(story.process(node(1)).incarnation() > Incarnation(4));
    story.wake(node(0));
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
    let twice = story.states().into_iter().find(|(_, n, state)| *state == State::Lost && *n > 1);
    assert_eq!(twice, None, "given out by one hello, and lost by the next");
}

#[test]
fn all_nodes_but_the_masters_may_die() {
    let mut story = Story::of(&[&[1, 1], &[1, 1]]).job(chain(12));
    for n in [3, 2, 1] {
        let done = story.count(State::Done);
        story.run_until(|s| s.count(State::Done) >= done + 2);
        story.kill(node(n));
    }
    assert_eq!(story.finish(), ExitCode::Done);
    story.assert_whole();
}

#[test]
fn a_task_whose_only_possible_node_dies_ends_the_run_even_if_it_waits_at_a_sub_master() {
    let mut tasks: Vec<Task> = (0..12).map(|i| task(&format!("broad-{i}")).cores(4)).collect();
    tasks.push(task("small"));
    let mut story = Story::of(&[&[1], &[1, 4]]).job(tasks);
    story.run_until(|s| s.count(State::Done) == 3);
    story.kill(node(2));
    assert_eq!(story.finish(), ExitCode::Infrastructure);
    assert_eq!(story.record("small").state, State::Done);
}

#[test]
fn a_frame_of_another_run_or_an_older_epoch_is_as_if_it_had_not_come() {
    use evenkeel::sched::{Action, Envelope, Frame, Machine, Message, Process, Role, RunId};
    let story = Story::of(&[&[1]]);
    let envelope = Envelope { from: Role::SubMaster, to: Role::Master, message: Message::Goodbye };
    let good = Frame {
        run: RunId(7),
        epoch: Epoch(1),
        from: Incarnation(1),
        to: Incarnation(0),
        refused: false,
        seq: 1,
        ack: 0,
        envelopes: vec![envelope].into(),
    };
    let answers = |frame: Frame| {
        let mut seat = story.seat(0).clone();
        seat.epoch = Epoch(1);
        let mut process = Process::new(&seat);
        let mut actions: Vec<Action> = Vec::new();
        let before = format!("{process:?}");
        process.step(Time(1), Event::Frame { from: node(9), frame }, &mut actions);
        (actions.len(), before == format!("{process:?}"))
    };
    assert_eq!(answers(Frame { run: RunId(8), ..good.clone() }), (0, true));
    assert_eq!(answers(Frame { epoch: Epoch(0), ..good.clone() }), (0, true));
    assert!(!answers(good).1, "one that is ours opens a session");
}
