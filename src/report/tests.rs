use super::*;
use crate::model::*;

/// An attempt at task `id` on these cores of node `p<node>`, from and to these milliseconds.
fn ran(id: u32, node: u32, cores: &[u32], start: u64, end: u64) -> Record {
    let key = AttemptKey {
        job: JobId(0),
        task: TaskId(id),
        attempt: Attempt(1),
        epoch: crate::model::Epoch(1),
    };
    Record {
        name: format!("task-{id}").into(),
        exit: Some(Exit::Code(0)),
        place: Some(Place {
            subcluster: SubclusterId(0),
            node: PeerId(node),
            host: "alpha".into(),
            cores: cores.iter().copied().map(CoreId).collect(),
        }),
        ready: Some(Time::ZERO),
        start: Some(Time::ZERO + Span::from_millis(start)),
        end: Some(Time::ZERO + Span::from_millis(end)),
        ..Record::new(key, State::Done)
    }
}

fn cancelled(id: u32) -> Record {
    Record {
        attempt: Attempt(0),
        state: State::Cancelled,
        reason: Some("task-0 failed".into()),
        exit: None,
        place: None,
        ready: None,
        start: None,
        end: None,
        ..ran(id, 0, &[], 0, 0)
    }
}

fn node(id: u32, cores: &[u32]) -> NodeInfo {
    let cores = cores.iter().copied().map(CoreId).collect();
    NodeInfo { node: PeerId(id), host: "alpha".into(), cores, ..NodeInfo::default() }
}

#[test]
fn a_record_is_one_line_with_the_promised_keys() {
    let record = Record {
        state: State::Failed,
        reason: Some("exit code 3".into()),
        exit: Some(Exit::Code(3)),
        clock: Span::from_micros(5),
        usage: Usage { max_rss: 4096, cpu: Span::from_millis(250) },
        tail: "first\nlast\n".into(),
        kind: "align".into(),
        meta: vec![("z".into(), Value::Int(1)), ("a".into(), "x".into())],
        value: Value::Float(2.0),
        ..ran(7, 2, &[4, 6], 1500, 80_000)
    };
    let line = record_to_json(&record);
    assert_eq!(
        line,
        r#"{"job":0,"task":"task-7","index":7,"attempt":1,"state":"failed","reason":"exit code 3","#
            .to_owned()
            + r#""exit":{"code":3},"subcluster":0,"node":2,"host":"alpha","cores":[4,6],"#
            + r#""ready":0.0,"start":1.5,"end":80.0,"clock":5e-6,"max_rss":4096,"cpu":0.25,"#
            + r#""tail":"first\nlast\n","kind":"align","meta":{"z":1,"a":"x"},"value":2.0}"#
    );
    assert_eq!(record_from_json(&line), Ok(record));
}

#[test]
fn a_task_that_never_started_has_no_node() {
    let line = record_to_json(&cancelled(1));
    assert!(line.contains(r#""attempt":0,"state":"cancelled""#), "{line}");
    assert!(line.contains(r#""exit":null,"subcluster":null,"node":null,"host":null"#), "{line}");
    assert!(!line.contains("kind") && !line.contains("meta") && !line.contains("value"), "{line}");
    assert_eq!(record_from_json(&line), Ok(cancelled(1)));
}

#[test]
fn every_exit_and_state_comes_back() {
    let exits = [
        (Exit::Code(-1), r#"{"code":-1}"#),
        (Exit::Signal(9), r#"{"signal":9}"#),
        (Exit::TimeLimit, r#""time_limit""#),
        (Exit::CouldNotStart, r#""could_not_start""#),
    ];
    for (exit, text) in exits {
        for state in [State::Done, State::Failed, State::Lost, State::Cancelled] {
            let record = Record { exit: Some(exit), state, ..ran(0, 0, &[0], 0, 1) };
            let line = record_to_json(&record);
            assert!(line.contains(&format!(r#""state":"{state}""#)), "{line}");
            assert!(line.contains(&format!(r#""exit":{text}"#)), "{line}");
            assert_eq!(record_from_json(&line), Ok(record));
        }
    }
}

#[test]
fn a_record_says_that_it_may_overlap_with_the_next_only_where_it_may() {
    let lost = Record { state: State::Lost, ..ran(0, 0, &[0], 0, 1) };
    assert!(!record_to_json(&lost).contains("overlap"));
    let record = Record { overlap: true, ..lost };
    let line = record_to_json(&record);
    assert!(line.contains(r#""overlap":true"#), "{line}");
    assert_eq!(record_from_json(&line), Ok(record));
}

#[test]
fn text_comes_back_whatever_is_in_it() {
    let all: String = (0..0x300).filter_map(char::from_u32).collect();
    for text in ["", "plain", "\"", "\\", "a\nb", "\u{1f}", "\u{7f}é\u{2028}", &all] {
        let record = Record { name: text.into(), tail: text.into(), ..ran(0, 0, &[0], 0, 1) };
        let line = record_to_json(&record);
        assert!(line.contains(&format!(r#""task":{},"#, serde_json::to_string(text).unwrap())));
        assert!(!line.contains('\n'));
        assert_eq!(record_from_json(&line), Ok(record));
    }
}

#[test]
fn values_come_back_as_far_as_json_goes() {
    let nested = Value::Map(vec![
        ("z".into(), Value::List(vec![Value::Int(i64::MIN), Value::Bool(true), "é\n\"".into()])),
        ("a".into(), Value::Bytes(vec![0, 255, 16])),
        ("f".into(), Value::Floats(vec![1.0, 0.1, -1e300])),
        ("e".into(), Value::List(vec![])),
        ("n".into(), Value::List(vec![Value::Unit, Value::Map(vec![])])),
    ]);
    let record = Record { value: nested, ..ran(0, 0, &[0], 0, 1) };
    assert_eq!(record_from_json(&record_to_json(&record)).unwrap(), record);

    let infinite = Record { value: Value::Float(f64::INFINITY), ..ran(0, 0, &[0], 0, 1) };
    assert_eq!(record_from_json(&record_to_json(&infinite)).unwrap().value, Value::Unit);
}

#[test]
fn nanoseconds_survive_the_way_through_seconds() {
    for nanos in [1, 999_999_999, 1_000_000_001, 86_400_000_000_001, 8_640_000_123_456_789] {
        let record = Record { end: Some(Time(nanos)), ..ran(0, 0, &[0], 0, 1) };
        assert_eq!(record_from_json(&record_to_json(&record)).unwrap().end, Some(Time(nanos)));
    }
}

#[test]
fn a_line_that_is_no_record_says_what_is_missing() {
    let message = |line: &str| record_from_json(line).unwrap_err().to_string();
    assert!(message("{}").contains("missing field `job`"));
    let torn = &record_to_json(&ran(0, 0, &[0], 0, 1))[..40];
    let message = message(torn);
    assert!(message.starts_with("not a line of a records file: EOF"), "{message}");
    let unknown = record_to_json(&cancelled(1)).replacen('{', r#"{"later":[{}],"#, 1);
    assert_eq!(record_from_json(&unknown), Ok(cancelled(1)));
}

fn verdict(code: ExitCode) -> Verdict {
    Verdict {
        code,
        reason: "1 task failed".into(),
        counts: Counts { tasks: 6, done: 3, failed: 1, cancelled: 2, lost_for_good: 0, lost: 4 },
        elapsed: Span::from_millis(1250),
    }
}

#[test]
fn a_verdict_comes_back_and_another_version_is_refused() {
    use ExitCode::*;
    for code in [Done, TaskFailed, BadInput, Infrastructure, Interrupted] {
        let text = verdict_to_json(&verdict(code));
        assert_eq!(verdict_from_json(&text), Ok(verdict(code)));
    }
    let text = verdict_to_json(&verdict(TaskFailed));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["exit_code"], &json["elapsed"]), (&1.into(), &1.25.into()));
    assert_eq!(json["counts"]["cancelled"], 2);

    let message = |text: &str| verdict_from_json(text).unwrap_err().to_string();
    let later = message(r#"{"version": 2, "outcome": "good"}"#);
    assert_eq!(later, "not a verdict: it has version 2, and this is for 1");
    let strange = message(&text.replace(r#""exit_code": 1"#, r#""exit_code": 9"#));
    assert_eq!(strange, "not a verdict: no run ends with exit code 9");
    assert!(message("").contains("EOF"));
}

/// A job of two tasks, their ranks, and a plan.
fn planned() -> (Job, [Span; 2], Schedule) {
    let mut job = Job::new("example");
    job.add(Task::kernel("a", "noop", ()));
    job.add(Task::kernel("b", "noop", ()).cores(2));
    let at = |task, processors: &[usize], start, end| Assignment {
        task: TaskId(task),
        processors: processors.to_vec(),
        start: Time::ZERO + Span::from_secs(start),
        end: Time::ZERO + Span::from_secs(end),
    };
    let schedule = Schedule { assignments: vec![at(0, &[1], 20, 80), at(1, &[0, 2], 0, 20)] };
    (job, [Span::from_secs(80), Span(63_333_333_333)], schedule)
}

#[test]
fn a_plan_names_tasks_and_counts_in_seconds() {
    let (job, ranks, schedule) = planned();
    let text = plan_json(&job, &ranks, Span::from_secs(70), &schedule);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "version": 1, "job": "example", "makespan": 80.0, "lower_bound": 70.0,
        "upward_ranks": [80.0, 63.333333333],
        "assignments": [
            { "task": "a", "processor": 1, "start": 20.0, "end": 80.0 },
            { "task": "b", "processor": 0, "processors": [0, 2], "start": 0.0, "end": 20.0 },
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn a_plan_as_a_table_is_in_the_order_of_time() {
    let (job, ranks, schedule) = planned();
    let table = plan_table(&job, &ranks, Span::from_secs(70), &schedule, 80, false);
    insta::assert_snapshot!(table, @r"
    example: 2 tasks in 80.00 s, lower bound 70.00 s (1.14 x)
    task       start        end       rank  processors
    b            0 s    20.00 s    63.33 s  0,2
    a        20.00 s    80.00 s    80.00 s  1
    ");
    let narrow = plan_table(&job, &ranks, Span::ZERO, &schedule, 20, false);
    assert!(narrow.lines().all(|line| line.chars().count() <= 20), "{narrow}");
}

#[test]
fn a_core_that_two_nodes_share_counts_once() {
    let records = [ran(0, 1, &[0], 0, 600), ran(1, 2, &[0], 400, 1000), ran(2, 2, &[1], 0, 500)];
    let nodes = [node(1, &[0]), node(2, &[0, 1])];
    let summary = Summary::new("shared", &records, &nodes, None);
    assert_eq!(summary.cores, 2);
    assert_eq!(summary.makespan, Span::from_secs(1));
    assert_eq!(summary.efficiency, 0.75, "core 0 all the time, core 1 half of it");
    let busy: Vec<f64> = summary.nodes.iter().map(|node| node.busy).collect();
    assert_eq!(busy, [0.6, 0.55]);
}

#[test]
fn idle_nodes_count_and_unknown_ones_have_what_they_used() {
    let records = [ran(0, 1, &[0, 1], 0, 1000), ran(1, 3, &[5], 0, 1000), ran(2, 1, &[], 0, 0)];
    let summary = Summary::new("idle", &records, &[node(1, &[0, 1]), node(2, &[2, 3])], None);
    assert_eq!((summary.cores, summary.efficiency), (5, 0.6));
    let nodes: Vec<_> = summary.nodes.iter().map(|n| (n.node.0, n.cores, n.attempts)).collect();
    assert_eq!(nodes, [(1, 2, 2), (2, 2, 0), (3, 1, 1)]);
    let nothing = Summary::new("nothing", &[], &[], None);
    assert_eq!((nothing.efficiency, nothing.makespan), (0.0, Span::ZERO));
}

/// A run with all that can go wrong in it.
fn eventful() -> Summary {
    let failed = |id, attempt| Record {
        attempt: Attempt(attempt),
        state: State::Failed,
        exit: Some(Exit::Code(3)),
        reason: Some("no such file".into()),
        tail: "reading\n\tinput \x1b[2J\n".into(),
        ..ran(id, 1, &[1], 1000, 2000)
    };
    let records = [
        Record { state: State::Lost, overlap: true, ..ran(0, 2, &[2], 0, 500) },
        ran(0, 1, &[0], 500, 4000),
        failed(1, 1),
        Record { attempt: Attempt(2), ..ran(1, 1, &[1], 2000, 2500) },
        failed(2, 2),
        cancelled(3),
    ];
    let nodes = [node(1, &[0, 1]), node(2, &[2, 3])];
    Summary::new("eventful", &records, &nodes, Some(Span::from_millis(3200)))
}

#[test]
fn the_last_attempt_says_what_became_of_a_task() {
    let summary = eventful();
    let counts =
        Counts { tasks: 4, done: 2, failed: 1, cancelled: 1, lost: 1, ..Counts::default() };
    assert_eq!(summary.counts, counts);
    let failed: Vec<&str> = summary.failed.iter().map(|task| &*task.task).collect();
    assert_eq!(failed, ["task-2"]);
    let slowest: Vec<&str> = summary.slowest.iter().map(|task| &*task.task).collect();
    assert_eq!(slowest, ["task-0", "task-1"]);
}

#[test]
fn a_task_that_is_lost_and_may_not_be_run_again_has_ended() {
    let lost = Record { state: State::Lost, rerun: Rerun::Never, ..ran(0, 1, &[2], 0, 500) };
    assert_eq!(record_from_json(&record_to_json(&lost)).as_ref(), Ok(&lost));
    let again = Record { rerun: Rerun::Always, ..ran(1, 1, &[2], 0, 500) };
    assert!(!record_to_json(&again).contains("rerun"));
    let records = [lost, Record { state: State::Lost, ..again.clone() }, again];
    let summary = Summary::new("unlucky", &records, &[], None);
    let counts = Counts { tasks: 2, done: 1, lost_for_good: 1, lost: 2, ..Counts::default() };
    assert_eq!(summary.counts, counts);
    assert_eq!((counts.ended(), counts.open()), (2, 0));
    let failed: Vec<&str> = summary.failed.iter().map(|task| &*task.task).collect();
    assert_eq!(failed, ["task-0"]);
    let heading = "unlucky: 1 of 2 tasks done, 1 lost for good, 1 lost and repeated";
    assert!(summary.to_string().starts_with(heading), "{summary}");
}

#[test]
fn the_closing_table() {
    insta::assert_snapshot!(eventful().to_string(), @r"
    eventful: 2 of 4 tasks done, 1 failed, 1 cancelled, 1 lost and repeated
      makespan    4.00 s, lower bound 3.20 s (1.25 x)
      efficiency  34.4 % of 4 cores
      overlap     1 attempt may have overlapped with the next one
    node  host   cores  attempts     busy
       1  alpha      2         4   62.5 %
       2  alpha      2         1    6.2 %
    slowest tasks
         3.50 s  task-0
      500.00 ms  task-1
    failed tasks
      task-2: no such file, at attempt 2
        | reading
        |     input �[2J
    ");
}

#[test]
fn a_host_is_named_where_there_are_several() {
    let mut summary = eventful();
    summary.nodes[1].host = "beta".into();
    let table = summary.to_string();
    assert!(table.contains("task-1 on alpha\n"), "{table}");
    assert!(table.contains("task-2: no such file, at attempt 2 on alpha\n"), "{table}");
}

#[test]
fn a_long_name_keeps_its_ends_and_a_long_reason_all_of_it() {
    let mut summary = eventful();
    summary.slowest[0].task = format!("solve-{}-17", "x".repeat(200));
    summary.failed[0].reason = Some("word ".repeat(40) + "end");
    let table = summary.table(60, false);
    assert!(table.contains("  solve-x") && table.contains("x-17\n"), "{table}");
    assert_eq!(table.matches("word").count(), 40, "{table}");
    assert!(table.contains("\n     word"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
    assert!(summary.table(usize::MAX, false).contains(&"x".repeat(200)));
}

#[test]
fn the_summary_as_json() {
    let json: serde_json::Value = serde_json::from_str(&eventful().to_json()).unwrap();
    let expected = serde_json::json!({
        "name": "eventful",
        "counts": {
            "tasks": 4, "done": 2, "failed": 1, "cancelled": 1, "lost_for_good": 0, "lost": 1,
        },
        "overlaps": 1, "makespan": 4.0, "lower_bound": 3.2, "cores": 4, "efficiency": 0.34375,
        "nodes": [
            { "node": 1, "host": "alpha", "cores": 2, "attempts": 4, "busy": 0.625 },
            { "node": 2, "host": "alpha", "cores": 2, "attempts": 1, "busy": 0.0625 },
        ],
        "stood_by": 0,
        "slowest": [
            { "task": "task-0", "took": 3.5, "host": "alpha" },
            { "task": "task-1", "took": 0.5, "host": "alpha" },
        ],
        "failed": [{
            "task": "task-2", "attempt": 2, "exit": { "code": 3 }, "reason": "no such file",
            "host": "alpha", "tail": "reading\n\tinput \u{1b}[2J\n",
        }],
    });
    assert_eq!(json, expected);
}

#[test]
fn no_line_is_wider_than_the_terminal_or_writes_to_it_otherwise() {
    for width in [0, 1, 7, 30, 200] {
        let table = eventful().table(width, false);
        assert!(table.lines().all(|line| line.chars().count() <= width.max(1)), "{table}");
        assert!(!table.contains('\x1b'), "{table:?}");
    }
    let colored = eventful().table(80, true);
    assert!(colored.contains("\x1b[1;31mfailed tasks\x1b[0m"), "{colored:?}");
    assert!(!colored.contains("\x1b[2J"), "what a task wrote must not clear the screen");
}

#[test]
fn many_nodes_and_failures_are_cut_short() {
    let attempt = |id| Record { state: State::Failed, ..ran(id, id, &[id], 0, u64::from(id)) };
    let records: Vec<Record> = (0..40).map(attempt).collect();
    let table = Summary::new("many", &records, &[], None).to_string();
    assert!(table.contains("and 24 nodes that were as busy or busier\n"), "{table}");
    assert!(table.contains("  and 30 more\n"), "{table}");
}

#[test]
fn who_stood_by_is_told_apart_and_not_counted_as_idle() {
    let nodes = [node(1, &[0]), NodeInfo { standby: Standby::Now, ..node(2, &[1]) }];
    let summary = Summary::new("one", &[ran(0, 1, &[0], 0, 4)], &nodes, None);
    assert_eq!((summary.cores, summary.stood_by, summary.nodes.len()), (1, 1, 1));
    let table = summary.to_string();
    assert!(table.contains("  standby     1 node was not needed\n"), "{table}");
    let read = nodes_from_json(&nodes_to_json(&nodes)).unwrap();
    assert!(read[0].serves() && read[1].standby == Standby::Now);
}

#[test]
fn progress_fits_its_line() {
    let counts = Counts { tasks: 1000, done: 400, failed: 100, ..Counts::default() };
    let left = Some(Span::from_secs(8));
    let progress = Progress { counts, elapsed: Span::from_secs(8), left, standing_by: 0 };
    let line = progress.line(80);
    assert_eq!(line, "400/1000 done, 100 failed, 8.00 s, about 8.00 s left");
    assert_eq!(progress.line(14), "400/1000 done…");
    let start = Progress { left: None, standing_by: 2, ..progress };
    assert_eq!(start.line(80), "400/1000 done, 100 failed, 8.00 s, 2 stand by");
}
