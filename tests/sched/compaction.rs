//! Whoever goes on from fewer entries does the same as from all.

use evenkeel::model::*;
use evenkeel::sched::*;
use proptest::prelude::*;

use crate::chaos::{fate, layers};
use crate::story::*;

/// What a master does that goes on from `entries`.
fn goes_on(story: &Story, entries: &[Entry]) -> Vec<Action> {
    let mut seat = story.seat(0).clone();
    seat.epoch.0 += 1;
    let mut process = Process::new(&seat);
    let mut actions = Vec::new();
    let replay = entries.iter().map(|entry| Event::Replay(Box::new(entry.clone())));
    for event in replay.chain([Event::Start, Event::Durable(u64::MAX), Event::Flush]) {
        process.step(story.now, event, &mut actions);
    }
    actions
}

/// Sees that it is the same from wherever a journal ends, also where that was compacted before.
fn expect_the_same(story: &Story) {
    let mut compacted_before = Vec::new();
    for n in 0..=story.journal.len() {
        let entries = &story.journal[..n];
        let fewer = compact(entries.to_vec());
        let wanted = goes_on(story, entries);
        assert_eq!(goes_on(story, &fewer), wanted, "after {n} entries: {entries:#?}");
        assert_eq!(goes_on(story, &compacted_before), wanted, "after {n}, step by step");
        assert_eq!(compact(fewer.clone()), fewer, "nothing more can go");
        if let Some(next) = story.journal.get(n) {
            compacted_before.push(next.clone());
            compacted_before = compact(compacted_before);
        }
        let mut history = History::default();
        let problems: Vec<_> = fewer.iter().flat_map(|e| history.take(e, true)).collect();
        assert_eq!(problems, [""; 0], "after {n} entries");
    }
}

#[test]
fn a_run_in_which_all_happens_goes_on_the_same() {
    let added = Addition { task: task("child").after([TaskId(0)]), siblings: vec![] };
    let mut story = Story::of(&[&[1], &[1, 1]])
        .ending(move |l| Ending {
            value: Value::Int(i64::from(l.key.task.0)),
            added: if l.work.name == "link-0" { vec![added.clone()] } else { vec![] },
            ..Ending::new(Exit::Code(i32::from(l.work.name == "link-3")), Some("why".into()))
        })
        .job(chain(5).into_iter().chain(wide(30)).collect());
    story.run_until(|s| s.count(State::Done) == 5);
    story.tell(node(2), Event::Drain);
    story.tell(node(0), Event::Cancel((6..20).map(TaskId).collect()));
    story.finish();
    let has = |is: fn(&Entry) -> bool| story.journal.iter().any(is);
    assert!(has(|e| matches!(e, Entry::Returned(_))) && has(|e| matches!(e, Entry::Unwanted(_))));
    expect_the_same(&story);
    let bytes = |entries: &[Entry]| -> usize {
        entries.iter().map(|e| evenkeel::model::wire::Wire::to_bytes(e).len()).sum()
    };
    assert!(bytes(&compact(story.journal.clone())) < bytes(&story.journal));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_run_goes_on_the_same(
        fates in prop::collection::vec(fate(), 1..20),
        torn in 0usize..9,
    ) {
        let mut story = Story::of(&[&[2, 2], &[2, 2], &[2, 1]]).job(layers());
        for fate in fates {
            story.suffer(fate);
        }
        expect_the_same(&story);
        // A second epoch, on top of the first.
        let mut story = story.resume_after(story.journal.len().saturating_sub(torn).max(3));
        story.run_for(5, |_| false);
        expect_the_same(&story);
    }
}
