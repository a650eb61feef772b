use std::sync::Arc;

use super::*;
use crate::model::{CoreId, Job, Resources, SubclusterId, Task};

/// The demo in small: the same job with 3 times 2 tiles, of 4 times 4 pixels.
const SMALL: &str = r#"
name = "small"
[[sweep]]
name = "tile"
product = { row = [0, 1], column = [0, 1, 2] }
kernel = "mandelbrot"
args = { x = -2.0, y = -1.0, size = 1.0, pixels = 4, limit = 50, row = "%{row}", column = "%{column}" }
[[sweep]]
name = "row"
product = { row = [0, 1] }
kernel = "stitch"
after = ["tile-%{row}-0", "tile-%{row}-1", "tile-%{row}-2"]
[[task]]
name = "image"
kernel = "crc32"
after = ["row"]
"#;

fn run_small() -> (Picture, Vec<Record>) {
    let registry = Registry::default();
    let picture = Picture::read(SMALL, &registry).unwrap();
    let outcome = crate::run(picture.job.clone(), &registry, &Options::default()).unwrap();
    (picture, outcome.records.into_iter().map(Arc::unwrap_or_clone).collect())
}

#[test]
fn a_run_comes_to_what_one_core_computes() {
    let (picture, mut records) = run_small();
    let proof = Proof::of(&picture, &records, || true).unwrap();
    assert!(proof.holds(), "{:?}", (proof.told, proof.recorded, proof.again, proof.faults));
    assert!(Proof::of(&picture, &records, || false).is_none(), "interrupted");

    let row = records.iter_mut().find(|record| record.name == "row-1").unwrap();
    row.value = crate::model::Value::Unit;
    let proof = Proof::of(&picture, &records, || true).unwrap();
    assert_eq!((proof.told, proof.recorded), (Some(proof.again), None));
    records.retain(|record| record.name != "image");
    let proof = Proof::of(&picture, &records, || true).unwrap();
    assert_eq!((proof.told, proof.faults.len()), (None, 1));
}

#[test]
fn the_picture_is_written_as_it_is() {
    let (picture, records) = run_small();
    let image = picture.stitched(&records).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.png");
    png::write(&path, picture.width(), &image).unwrap();
    let decoder = ::png::Decoder::new(io::BufReader::new(fs::File::open(&path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut read = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut read).unwrap();
    assert_eq!((info.width, info.height, read), (12, 8, image));
    let there = folder.path().join("no/demo.png");
    let failure = png::write(&there, picture.width(), &[0; 96]).unwrap_err();
    assert!(failure.message.contains("no/demo.png"), "{}", failure.message);
}

#[test]
fn the_job_of_the_demo_is_what_it_says() {
    let picture = Picture::read(JOB, &Registry::default()).unwrap();
    assert_eq!((picture.tiles(), picture.width(), picture.job.tasks.len()), (600, 960, 621));
    let costs: Vec<Span> = picture.job.tasks.iter().map(|task| task.cost.mean()).collect();
    let tiles = &costs[..600];
    let (least, most) = (tiles.iter().min().unwrap(), tiles.iter().max().unwrap());
    // The same measure of this machine is in both.
    assert!(*most > least.scale(20.0), "{least} to {most}");
}

/// Nodes with these cores, the first half of them in a subcluster of its own.
fn nodes_on(cores: &[u32]) -> Vec<NodeInfo> {
    let node = |i: usize| NodeInfo {
        node: PeerId(i as u32),
        subcluster: SubclusterId((i * 2 / cores.len()) as u32),
        cores: vec![CoreId(cores[i])],
        capacity: Resources::cores(1),
        ..NodeInfo::default()
    };
    (0..cores.len()).map(node).collect()
}

#[test]
fn who_is_killed_is_no_master() {
    assert_eq!(victim(&nodes_on(&[0, 1, 2, 3])), Some(PeerId(3)));
    assert_eq!(victim(&nodes_on(&[0, 1])), None);
    assert_eq!(victim(&nodes_on(&[0, 1, 2])), Some(PeerId(1)), "the last is a sub-master");
}

#[test]
fn shared_cores_are_foretold_to_be_slower_and_to_be_divided_anew() {
    let mut job = Job::new("even");
    for i in 0..16 {
        job.add(Task::kernel(format!("t{i}"), "noop", ()).cost(Span::from_secs(10)));
    }
    let job = Arc::new(job);
    let foretold = |cores: &[u32], victim| {
        let lease = Span::from_secs(1);
        foretell::foretell(&job, &nodes_on(cores), victim, lease).unwrap().as_secs()
    };
    let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
    let (own, shared) = (foretold(&[0, 1, 2, 3], None), foretold(&[0, 1, 0, 1], None));
    assert!(close(own, 40.0) && close(shared, 80.0), "{own} {shared}");
    // Half of it is done then; of the rest three nodes make 9 in two rounds more than a half.
    let killed = foretold(&[0, 1, 2, 3], Some(PeerId(3)));
    assert!(killed > own * 1.2, "a core is lost: {killed}");
    let killed = foretold(&[0, 1, 0, 1], Some(PeerId(3)));
    assert!(killed < shared * 1.2, "no core is lost: {killed}");
}

#[test]
fn the_job_is_written_beside_the_run_and_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("new/run.1");
    let path = write_beside(&run).unwrap();
    assert_eq!(path, folder.path().join("new/run.1.toml"));
    assert_eq!(fs::read_to_string(&path).unwrap(), JOB);
    assert_eq!(write_beside(&run).unwrap(), path, "it is there already");
    fs::write(&path, "name = \"mine\"").unwrap();
    let failure = write_beside(&run).unwrap_err();
    assert_eq!(failure.code, ExitCode::BadInput);
    assert!(failure.message.contains("--run-dir"), "{}", failure.message);
    assert_eq!(fs::read_to_string(&path).unwrap(), "name = \"mine\"");
    assert_eq!(write_beside(Path::new("/")).unwrap_err().code, ExitCode::BadInput);
}
