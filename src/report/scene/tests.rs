use std::collections::BTreeMap;

use super::*;
use crate::model::{Attempt, AttemptKey, JobId, Place, SubclusterId, TaskId, Value};

/// A picture of 6 times 4 tiles, each of 4 times 4 pixels that get lighter to the right.
fn scene() -> Scene {
    let places: BTreeMap<TaskId, (usize, usize)> =
        (0..24).map(|i| (TaskId(i), (i as usize % 6, i as usize / 6))).collect();
    let info = |node: u32| NodeInfo {
        node: PeerId(node),
        subcluster: SubclusterId(node / 2),
        ..NodeInfo::default()
    };
    let nodes: Vec<NodeInfo> = (0..3).map(info).collect();
    Scene::new("a demo", &nodes, Mosaic::new(4, places), 24, Span::from_secs(20))
}

/// Task `id` on `node`, from and to these seconds.
fn record(id: u32, node: u32, state: State, start: u64, end: u64) -> Record {
    let key = AttemptKey {
        job: JobId(0),
        task: TaskId(id),
        attempt: Attempt(1),
        epoch: crate::model::Epoch(1),
    };
    let image: Vec<u8> = (0..16).map(|i| [0, 30, 70, 108][i % 4]).collect();
    let place = Place {
        subcluster: SubclusterId(node / 2),
        node: PeerId(node),
        host: "alpha".into(),
        cores: [].into(),
    };
    Record {
        place: Some(place),
        start: Some(Time::ZERO + Span::from_secs(start)),
        end: Some(Time::ZERO + Span::from_secs(end)),
        value: Value::Map(vec![("image".into(), image.into())]),
        ..Record::new(key, state)
    }
}

/// The scene in the middle of a run: node 2 was killed with two tiles, one of which is done
/// again by node 1.
fn half_way() -> Scene {
    let mut scene = scene();
    for id in 0..12 {
        scene.hear(&record(
            id,
            id % 3,
            State::Done,
            u64::from(id / 3 * 2),
            u64::from(id / 3 * 2 + 2),
        ));
    }
    scene.killed(PeerId(2));
    scene.hear(&record(13, 2, State::Lost, 8, 9));
    scene.hear(&record(15, 2, State::Lost, 8, 9));
    scene.hear(&record(13, 1, State::Done, 9, 12));
    scene
}

/// Escapes made readable.
fn shown(scene: &Scene, width: usize, height: usize, colours: Colours) -> String {
    scene.lines(width, height, colours).join("\n").replace('\x1b', "␛")
}

#[test]
fn a_scene_without_colour() {
    insta::assert_snapshot!("plain", shown(&half_way(), 60, 18, Colours::None));
}

#[test]
fn a_scene_in_colour() {
    insta::assert_snapshot!("any", shown(&half_way(), 50, 10, Colours::Any));
    insta::assert_snapshot!("indexed", shown(&half_way(), 50, 10, Colours::Indexed));
}

#[test]
fn before_anything_is_told_there_is_nothing_to_see() {
    insta::assert_snapshot!("nothing", shown(&scene(), 60, 18, Colours::Any));
}

/// How many columns `line` takes: all but its escapes.
fn columns(line: &str) -> usize {
    let pieces = line.split('\x1b').enumerate();
    let text = |(i, piece): (usize, &str)| match (i, piece.find('m')) {
        (1.., Some(end)) => piece[end + 1..].chars().count(),
        _ => piece.chars().count(),
    };
    pieces.map(text).sum()
}

#[test]
fn it_fits_in_every_terminal() {
    let scene = half_way();
    for (width, height) in [(80, 24), (80, 23), (40, 10), (200, 60), (20, 5), (1, 1), (0, 0)] {
        for colours in [Colours::None, Colours::Indexed, Colours::Any] {
            let lines = scene.lines(width, height, colours);
            assert!(lines.len() <= height, "{} lines in {height}", lines.len());
            let widest = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
            assert!(widest <= width, "{widest} columns in {width}");
        }
    }
}

#[test]
fn an_image_of_another_size_is_not_shown() {
    let mut scene = scene();
    let short = Value::Map(vec![("image".into(), vec![1_u8; 15].into())]);
    scene.hear(&Record { value: short, ..record(0, 0, State::Done, 0, 1) });
    let picture = scene.lines(60, 18, Colours::None)[4..].concat();
    assert!(!picture.contains('·') && !picture.contains('█'), "{picture}");
}
