//! Good files: what is written is what is meant.
#![cfg(feature = "files")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel::model::{
    Amount, Body, Combine, Cost, Graph, Job, Link, Rerun, ResourceId, ResourceNames, Resources,
    Span, TaskBody, TaskId, Value, Warning, WarningSignal,
};
use evenkeel::spec::{
    Limits, ReadOptions, Source, check_capacity, parse_platform_string, read_job, read_job_within,
    read_platform,
};
use proptest::prelude::*;

fn job(text: &str) -> Job {
    let source = Source { name: "folder/job.toml", text };
    let file = read_job(source, &ReadOptions::default());
    file.unwrap_or_else(|errors| panic!("{errors}\n\n{text}")).job
}

fn names(job: &Job) -> Vec<String> {
    (0..job.tasks.len()).map(|i| job.task_name(TaskId(i as u32)).to_string()).collect()
}

fn after(job: &Job, task: usize) -> Vec<(u32, u64)> {
    job.tasks[task].after.iter().map(|d| (d.task.0, d.bytes)).collect()
}

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_key_of_a_task_arrives() {
    let job = job(r#"
        shell = ["bash", "-euc"]
        [[task]]
        id = 7
        command = "echo hello"
        [[task]]
        name = "b"
        kernel = "spin"
        args = { seconds = 0.5, text = ["%{TASK_ID}", 1, true] }
        after = [{ task = 7, bytes = "18kB" }]
        cost = [14, 16.5, "9s"]
        cores = 2
        memory = "4GiB"
        gpus = 0.5
        resources = { licence = 1 }
        priority = -3
        time_limit = "1h30m"
        warning = "USR1@00:05:00"
        grace = "10s"
        retries = 2
        rerun = "never"
        env = { ZEBRA = "1", APPLE = 2 }
        cwd = "runs/%{TASK_ID}"
        stdin = "in"
        stdout = "out"
        stderr = "err"
        kind = "demo"
        meta = { z = 1, a = { b = [1.5] } }
    "#);
    assert_eq!((job.name.as_str(), names(&job)), ("job", vec!["7".into(), "b".into()]));
    let shell = ["bash", "-euc", "echo hello"].map(str::to_owned).into();
    assert_eq!(job.tasks[0].body, TaskBody::Literal(Arc::new(Body::Command(shell))));
    let task = &job.tasks[1];
    let text = Value::List(vec!["%{TASK_ID}".into(), 1i64.into(), true.into()]);
    let args = Value::Map(vec![("seconds".into(), 0.5.into()), ("text".into(), text)]);
    let kernel = Body::Kernel { name: "spin".into(), args };
    assert_eq!(task.body, TaskBody::Literal(Arc::new(kernel)));
    assert_eq!(after(&job, 1), [(0, 18_000)]);
    let costs = [14.0, 16.5, 9.0].map(Span::from_secs_f64);
    assert_eq!(task.cost, Cost::PerClass(costs.into()));
    let licence = job.resources.find("licence").unwrap();
    let asked = Resources::cores(2)
        .with(ResourceId::MEMORY, Amount::whole(4 << 30))
        .with(ResourceId::GPUS, Amount::from_f64(0.5))
        .with(licence, Amount::whole(1));
    assert_eq!(task.request.variants[0].resources, asked);
    let settings = &*task.settings;
    assert_eq!(settings.env, [("ZEBRA", "1"), ("APPLE", "2")].map(|(k, v)| (k.into(), v.into())));
    assert_eq!(settings.time_limit, Some(Span::from_secs(5400)));
    assert_eq!((settings.grace, settings.retries), (Span::from_secs(10), 2));
    assert_eq!(settings.rerun, Rerun::Never);
    let warning = Warning { signal: WarningSignal::Usr1, before: Span::from_secs(300) };
    assert_eq!(settings.warning, Some(warning));
    let paths = [&settings.cwd, &settings.stdin, &settings.stdout, &settings.stderr];
    let paths = paths.map(|path| path.as_deref().unwrap());
    assert_eq!(paths, ["runs/%{TASK_ID}", "in", "out", "err"]);
    assert_eq!((settings.kind.as_str(), task.priority), ("demo", -3));
    let keys: Vec<&str> = settings.meta.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["z", "a"], "in the order of the file");
}

#[test]
fn defaults_fill_what_a_task_leaves_out() {
    let job = job(r#"
        [defaults]
        cores = 4
        memory = "1GB"
        retries = 1
        cost = 3
        priority = 2
        env = { A = "1", B = "2" }
        [[task]]
        command = ["a"]
        [[task]]
        command = ["b"]
        cores = 1
        env = { B = "3", C = "4" }
        [[task]]
        command = ["c"]
        request = [{ gpus = 1 }, { cores = 8 }]
        [[task]]
        command = ["d"]
    "#);
    let [a, b, c, d] = job.tasks.as_slice() else { panic!() };
    assert_eq!(names(&job), ["task-1", "task-2", "task-3", "task-4"]);
    let memory = Amount::whole(1_000_000_000);
    let with_memory = |cores| Resources::cores(cores).with(ResourceId::MEMORY, memory);
    assert_eq!(a.request.variants[0].resources, with_memory(4));
    assert_eq!(b.request.variants[0].resources, with_memory(1));
    let gpu = Resources::cores(1).with(ResourceId::GPUS, Amount::whole(1));
    let variants: Vec<_> = c.request.variants.iter().map(|v| v.resources.clone()).collect();
    assert_eq!(variants, [gpu, Resources::cores(8)]);
    let env: Vec<_> = b.settings.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "B=3", "C=4"]);
    assert_eq!((b.settings.retries, b.priority), (1, 2));
    assert_eq!(b.cost, Cost::Uniform(Span::from_secs(3)));
    assert!(std::sync::Arc::ptr_eq(&a.settings, &d.settings), "the same is held once");
    assert!(std::sync::Arc::ptr_eq(&a.request, &d.request), "the same is held once");
}

#[test]
fn sweeps_stay_templates_and_are_waited_for_as_a_whole_or_point_by_point() {
    let job = job(r#"
        [[sweep]]
        name = "mesh"
        product = { n = { from = 0, to = 4, step = 2 } }
        command = ["mesh", "%{n}"]
        [[task]]
        name = "between"
        command = ["x"]
        [[sweep]]
        name = "solve"
        task_name = "%{mode}/%{n}"
        product = { n = { from = 4, to = 0, step = -2 }, mode = ["a", "b"] }
        after = ["mesh-%{n}", { task = "between", bytes = 5 }]
        command = ["solve", "%{n}", "%{mode}"]
        stdout = "%{mode}-%{TASK_ID}.txt"
        [[task]]
        name = "end"
        command = ["x"]
        after = ["solve", "mesh-0", "a/4"]
        [[sweep]]
        name = "zip"
        zip = { x = { from = 0.1, to = 0.3, step = 0.1 }, on = [true, false, true] }
        kernel = "noop"
        args = { x = "%{x}" }
        after = "mesh"
    "#);
    assert_eq!(names(&job)[..4], ["mesh-0", "mesh-2", "mesh-4", "between"]);
    assert_eq!(names(&job)[4..10], ["a/4", "b/4", "a/2", "b/2", "a/0", "b/0"]);
    assert_eq!(names(&job)[11..], ["zip-0.1-true", "zip-0.2-false", "zip-0.3-true"]);
    let mesh_of: Vec<_> = (4..10).map(|i| after(&job, i)).collect();
    assert_eq!(mesh_of, [2, 2, 1, 1, 0, 0].map(|n| vec![(n, 0), (3, 5)]));
    assert_eq!(after(&job, 10).iter().map(|d| d.0).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9, 0]);
    assert_eq!(after(&job, 13), [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(job.templates.len(), 3);
    assert_eq!(job.templates[2].sweep.combine, Combine::Zip);
    assert!(job.tasks[4].name.literal().is_none());
    let first = job.tasks[4].resolved_body(&job.templates);
    assert_eq!(first.1, [("n".to_owned(), Value::Int(4)), ("mode".to_owned(), "a".into())]);
}

#[test]
fn the_jobs_of_the_repository_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let source = Source { name: &name, text: &text };
        if name.contains("platform") {
            read_platform(source).unwrap_or_else(|errors| panic!("{errors}"));
        } else {
            let file = read_job(source, &ReadOptions::default());
            let file = file.unwrap_or_else(|errors| panic!("{errors}"));
            let here = [Resources::cores(1)];
            check_capacity(&file.job, Some(&file.locations), &here, &ResourceNames::default())
                .unwrap_or_else(|errors| panic!("{errors}"));
        }
        read += 1;
    }
    assert!(read >= 5, "only {read} files");
}

#[test]
fn the_heft_example_is_the_one_of_the_paper() {
    let job = job(&repository("jobs/heft-example.toml"));
    assert_eq!(names(&job), (1..=10).map(|i| format!("t{i}")).collect::<Vec<_>>());
    let text = repository("jobs/heft-platform.toml");
    let platform = read_platform(Source { name: "p", text: &text }).unwrap();
    assert_eq!(platform.classes, ["p1", "p2", "p3"]);
    let nodes: Vec<_> =
        platform.nodes().map(|(_, n)| (n.class, n.capacity == Resources::cores(1))).collect();
    assert_eq!(nodes, [(0, true), (1, true), (2, true)]);
    assert_eq!(platform.link_between(0, 0).transfer(18), Span::from_secs(18));
    let Some(data) = data("worked/topcuoglu2002.json") else { return };
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    for (i, costs) in data["cost"].as_array().unwrap().iter().enumerate() {
        let costs = costs.as_array().unwrap().iter().map(|c| Span::from_secs(c.as_u64().unwrap()));
        assert_eq!(job.tasks[i].cost, Cost::PerClass(costs.collect()));
    }
    let mut edges: Vec<(u64, u64, u64)> = Vec::new();
    for (i, task) in job.tasks.iter().enumerate() {
        edges.extend(task.after.iter().map(|d| (u64::from(d.task.0) + 1, i as u64 + 1, d.bytes)));
    }
    let n = |v: &serde_json::Value| v.as_u64().unwrap();
    let mut published: Vec<(u64, u64, u64)> =
        data["edges"].as_array().unwrap().iter().map(|e| (n(&e[0]), n(&e[1]), n(&e[2]))).collect();
    edges.sort_unstable();
    published.sort_unstable();
    assert_eq!(edges, published);
}

/// A file of the test data, if there is any.
fn data(path: &str) -> Option<String> {
    let Ok(folder) = std::env::var("EVENKEEL_DATA") else {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: EVENKEEL_DATA does not name the folder with {path}");
        }
        return None;
    };
    let path = PathBuf::from(folder).join(path);
    Some(fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

#[test]
fn recorded_workflows_keep_their_tasks_times_and_edges() {
    for (name, count) in [
        ("1000genome-chameleon-2ch-100k-001", 52),
        ("airrflow-dirt02-001", 212),
        ("bacass-dirt02-001", 11),
        ("blast-chameleon-small-001", 43),
        ("bwa-chameleon-small-001", 104),
        ("epigenomics-chameleon-hep-1seq-100k-001", 41),
        ("srasearch-chameleon-10a-001", 22),
    ] {
        let Some(text) = data(&format!("wfformat/{name}.json")) else { return };
        let source = Source { name, text: &text };
        let job = read_job(source, &ReadOptions { time_scale: 0.5 });
        let job = job.unwrap_or_else(|errors| panic!("{errors}")).job;
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let workflow = &document["workflow"];
        let tasks = workflow["specification"]["tasks"].as_array().unwrap();
        assert_eq!((job.tasks.len(), tasks.len()), (count, count), "{name}");
        let names = names(&job);
        let runtime = |id: &str| {
            let all = workflow["execution"]["tasks"].as_array().unwrap();
            all.iter().find(|t| t["id"] == id).unwrap()["runtimeInSeconds"].as_f64().unwrap()
        };
        for (i, task) in tasks.iter().enumerate() {
            assert_eq!(task["id"], names[i].as_str());
            let seconds = runtime(&names[i]) * 0.5;
            assert_eq!(job.tasks[i].cost, Cost::Uniform(Span::from_secs_f64(seconds)));
            let mut parents: Vec<&str> =
                task["parents"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
            let mut found: Vec<&str> =
                job.tasks[i].after.iter().map(|d| names[d.task.index()].as_str()).collect();
            parents.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, parents, "{name}: {}", names[i]);
            assert!(!job.tasks[i].settings.kind.is_empty());
        }
        assert_eq!(Graph::new(&job).unwrap().len(), count);
    }
}

#[test]
fn a_recorded_workflow_hands_over_what_one_writes_and_the_other_reads() {
    let text = r#"{"schemaVersion": "1.5", "workflow": {
        "specification": {
            "tasks": [
                {"id": "child_2", "parents": [], "children": [], "inputFiles": ["a", "b", "c"]},
                {"id": "parent_1", "children": ["child_2"], "outputFiles": ["b", "c", "d"]}],
            "files": [{"id": "a", "sizeInBytes": 1}, {"id": "b", "sizeInBytes": 20},
                      {"id": "c", "sizeInBytes": 300}, {"id": "d", "sizeInBytes": 4000}]},
        "execution": {"tasks": [
            {"id": "parent_1", "runtimeInSeconds": 2, "coreCount": 8},
            {"id": "child_2", "runtimeInSeconds": 4, "command": {"program": "/bin/merge"}}]}}}"#;
    let job = job(text);
    assert_eq!(after(&job, 0), [(1, 320)]);
    assert_eq!(after(&job, 1), []);
    let kinds: Vec<&str> = job.tasks.iter().map(|t| t.settings.kind.as_str()).collect();
    assert_eq!(kinds, ["merge", "parent"]);
    let args = Value::Map(vec![("seconds".into(), Value::Float(4.0))]);
    let spin = Body::Kernel { name: "spin".into(), args };
    assert_eq!(job.tasks[0].body, TaskBody::Literal(Arc::new(spin)));
    assert!(job.tasks.iter().all(|t| t.request.variants[0].resources == Resources::cores(1)));
}

#[test]
fn platforms_of_many_equal_parts() {
    let platform = read_platform(Source {
        name: "big.toml",
        text: r#"
            classes = ["cpu", "fat"]
            link = { latency = "5us", bandwidth = "12.5GB/s" }
            [[subcluster]]
            count = 3
            name = "rack"
            link = { latency = "1us" }
            node = [
                { count = 2, name = "n", cores = 64, numa = 4, speed = 1.5, memory = "256GiB" },
                { class = "fat", gpus = 4, resources = { nvme = 2 } },
            ]
        "#,
    });
    let platform = platform.unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<&str> = platform.nodes().map(|(_, node)| node.name.as_str()).collect();
    let expected =
        ["n0", "n1", "node2", "rack1.n0", "rack1.n1", "node5", "rack2.n0", "rack2.n1", "node8"];
    assert_eq!(names, expected);
    assert_eq!(platform.name, "big");
    assert_eq!(platform.link.bandwidth, 12.5e9);
    let inside = Link { latency: Span::from_micros(1), bandwidth: f64::INFINITY };
    assert_eq!(platform.link_between(1, 1), inside);
    let (_, node) = platform.nodes().next().unwrap();
    assert_eq!((node.domains, node.speed, node.class), (4, 1.5, 0));
    let memory = Amount::whole(256 << 30);
    assert_eq!(node.capacity, Resources::cores(64).with(ResourceId::MEMORY, memory));
}

#[test]
fn platforms_in_a_line() {
    let shape = |line: &str| {
        let platform = parse_platform_string(line).unwrap_or_else(|errors| panic!("{errors}"));
        let (_, node) = platform.nodes().next().unwrap();
        let cores = node.capacity.get(ResourceId::CORES).ceil();
        (platform.subclusters.len(), platform.nodes().count(), node.domains, cores)
    };
    assert_eq!(shape("4 nodes x numa:2 core:8"), (1, 4, 2, 16));
    assert_eq!(shape("2 subclusters x 3 nodes x core:4 memory:1GiB gpu:1 speed:2"), (2, 6, 1, 4));
    assert_eq!(shape("core:1"), (1, 1, 1, 1));
    assert_eq!(shape("  1   node x core:2 "), (1, 1, 1, 2));
}

#[test]
fn what_no_node_has_is_told_with_its_line() {
    let text = r#"
[defaults]
cores = 2

[[task]]
name = "small"
command = ["x"]

[[task]]
name = "wide"
command = ["x"]
cores = 64

[[sweep]]
name = "licensed"
product = { n = [1, 2, 3] }
command = ["x"]
resources = { licence = 1 }

[[task]]
name = "both"
command = ["x"]
cores = 8
memory = "4GiB"

[[task]]
name = "either"
command = ["x"]
request = [{ cores = 64 }, { nodes = 2 }, { cores = 1 }]

[[task]]
name = "neither"
command = ["x"]
request = [{ cores = 64 }, { gpus = 1 }]

[[task]]
name = "mpi"
command = ["x"]
nodes = 4
"#;
    let file = read_job(Source { name: "job.toml", text }, &ReadOptions::default()).unwrap();
    let memory = Amount::whole(8 << 30);
    let nodes = [Resources::cores(8), Resources::cores(4).with(ResourceId::MEMORY, memory)];
    let names = ResourceNames::default();
    let check = |locations| check_capacity(&file.job, locations, &nodes, &names).unwrap_err();
    insta::assert_snapshot!("capacity", check(Some(&file.locations)).to_string());
    assert_eq!(check(None).count(), 5);
    assert_eq!(check_capacity(&file.job, None, &[], &names).unwrap_err().count(), 7);
}

#[test]
fn limits_hold_before_memory_is_taken() {
    let read = |text: &str, tasks, dependencies| {
        let limits = Limits { tasks, dependencies };
        let source = Source { name: "job.toml", text };
        read_job_within(source, &ReadOptions::default(), limits).map(|_| ())
    };
    let sweeps = "[[sweep]]\nname = 'a'\nproduct = { n = { from = 1, to = 100 } }\ncommand = ['x']\n\
                  [[sweep]]\nname = 'b'\nproduct = { n = { from = 1, to = 100 } }\ncommand = ['x']\n\
                  after = 'a'\n";
    read(sweeps, 200, 10_000).unwrap();
    let tasks = read(sweeps, 199, 10_000).unwrap_err().to_string();
    assert!(tasks.contains("100 combinations, where a job has room for 99 more"), "{tasks}");
    let edges = read(sweeps, 200, 9_999).unwrap_err().to_string();
    assert!(edges.contains("more than 9999 dependencies"), "{edges}");
}

#[test]
fn a_time_scale_that_makes_no_sense_is_refused() {
    for time_scale in [-1.0, f64::NAN, f64::INFINITY] {
        let source = Source { name: "run.json", text: "{}" };
        let errors = read_job(source, &ReadOptions { time_scale }).unwrap_err();
        assert!(errors.to_string().contains("time scale"), "{errors}");
    }
}

#[test]
fn many_tasks_with_names_and_dependencies_are_read() {
    let mut text = String::new();
    for i in 0..30_000 {
        writeln!(text, "[[task]]\nname = \"t{i}\"\ncommand = [\"x\"]").unwrap();
        match i {
            0 => {}
            1..3 => writeln!(text, "after = [\"t{}\"]", i - 1).unwrap(),
            _ => writeln!(text, "after = [\"t{}\", \"t{}\"]", i - 1, i / 2).unwrap(),
        }
    }
    let job = job(&text);
    assert_eq!(job.tasks.len(), 30_000);
    assert_eq!(after(&job, 29_999), [(29_998, 0), (14_999, 0)]);
}

/// A job as a list of tasks, each with the earlier ones that it waits for.
fn graphs() -> impl Strategy<Value = Vec<Vec<(prop::sample::Index, Option<u32>)>>> {
    let edge = (any::<prop::sample::Index>(), any::<Option<u32>>());
    prop::collection::vec(prop::collection::vec(edge, 0..5), 1..40)
}

proptest! {
    #[test]
    fn a_written_graph_is_read_back(graph in graphs(), backwards in any::<bool>()) {
        let mut expected: Vec<Vec<(u32, u64)>> = Vec::new();
        let mut blocks: Vec<String> = Vec::new();
        for (i, edges) in graph.iter().enumerate() {
            let mut block = format!("[[task]]\nname = \"name {i} \\\"é\"\ncommand = [\"x\"]\nafter = [");
            let mut after: Vec<(u32, u64)> = Vec::new();
            for (other, bytes) in edges.iter().filter(|_| i > 0) {
                let other = other.index(i) as u32;
                if after.iter().any(|(o, _)| *o == other) {
                    continue;
                }
                after.push((other, bytes.unwrap_or(0).into()));
                match bytes {
                    Some(n) => {
                        write!(block, "{{ task = 'name {other} \"é', bytes = {n} }}, ").unwrap();
                    }
                    None => write!(block, "'name {other} \"é', ").unwrap(),
                }
            }
            block.push_str("]\n");
            blocks.push(block);
            expected.push(after);
        }
        let last = graph.len() as u32 - 1;
        if backwards {
            // Names may be used before they are given.
            blocks.reverse();
            expected.reverse();
            expected.iter_mut().flatten().for_each(|(task, _)| *task = last - *task);
        }
        let job = job(&blocks.join("\n"));
        let found: Vec<Vec<(u32, u64)>> = (0..job.tasks.len()).map(|i| after(&job, i)).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(Graph::new(&job).unwrap().len(), graph.len());
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        words in prop::collection::vec(
            prop::sample::select(&[
                "[[task]]", "[[sweep]]", "[defaults]", "name", "\"a\"", "=", "\n", "[", "]", "{",
                "}", ",", "command", "product", "from", "to", "1e308", "-9223372036854775808",
                "9223372036854775807", "after", "\"%{\"", "cost", "nan", "inf", "0x7f", ".", "é",
                "[[subcluster]]", "node", "count", "request", "resources", "''", "\"1h\"", ":",
            ][..]),
            0..60,
        ),
    ) {
        let text = words.join(" ").replace(" \n ", "\n");
        let source = Source { name: "x", text: &text };
        let limits = Limits { tasks: 1000, dependencies: 1000 };
        for errors in [
            read_job_within(source, &ReadOptions::default(), limits).map(|_| ()).err(),
            read_platform(source).map(|_| ()).err(),
            parse_platform_string(&text).map(|_| ()).err(),
        ].into_iter().flatten() {
            prop_assert!(errors.count() > 0 && !errors.to_string().is_empty());
        }
    }
}
