//! The nouns of [`model`](crate::model) as bytes.

use super::{Garbled, Reader, Wire, wire_enum, wire_newtype, wire_struct};
use crate::model::{
    Addition, Amount, Attempt, AttemptKey, Body, Combine, Core, CoreId, Cost, Counts, Dependency,
    Domain, Ending, Epoch, Exit, ExitCode, Finish, Incarnation, JobId, Launch, NodeInfo, PeerId,
    Place, Record, Request, Rerun, ResourceId, ResourceNames, Resources, Settings, Span, Standby,
    State, SubclusterId, Sweep, Task, TaskBody, TaskId, TaskName, Template, Time, Topology, Usage,
    Value, Variant, Verdict, Warning, WarningSignal, Work,
};

wire_newtype! {
    JobId TaskId Attempt Incarnation Epoch PeerId SubclusterId CoreId Time Span Amount ResourceId
}

wire_struct! {
    AttemptKey { job, task, attempt, epoch }
    Dependency { task, bytes }
    Variant { nodes, resources }
    Request { variants }
    Settings {
        env, cwd, stdin, stdout, stderr, time_limit, warning, grace, retries, rerun, kind, meta
    }
    Warning { signal, before }
    Sweep { parameters, combine }
    Template { name, body, sweep }
    Task { name, body, after, cost, request, settings, priority }
    Usage { max_rss, cpu }
    Ending { exit, reason, value, usage, tail, added }
    Finish { key, start, end, ending }
    Addition { task, siblings }
    Record {
        job, task, name, attempt, state, reason, exit, place, ready, start, end, clock, usage, tail,
        rerun, overlap, kind, meta, value
    }
    Work { request, name, body, parameters, settings, inputs }
    Launch { key, node, work, cores, gpus, time_left }
    Place { subcluster, node, host, cores }
    Core { id, package, cache, units }
    Domain { id, memory, cores }
    Topology { domains, distances }
    NodeInfo { node, subcluster, host, pid, cores, pinned, capacity, standby }
    Counts { tasks, done, failed, cancelled, lost_for_good, lost }
    Verdict { code, reason, counts, elapsed }
}

wire_enum! {
    Combine { 0 => Product, 1 => Zip }
    Standby { 0 => No, 1 => Now, 2 => Was }
    Cost { 0 => Unknown, 1 => Uniform(span), 2 => PerClass(spans) }
    TaskName { 0 => Literal(name), 1 => Template }
    TaskBody { 0 => Literal(body), 1 => Template { template, index } }
    Body { 0 => Command(argv), 1 => Kernel { name, args } }
    WarningSignal { 0 => Hup, 1 => Int, 2 => Term, 3 => Usr1, 4 => Usr2 }
    Rerun { 0 => Always, 1 => Never }
    State { 0 => Done, 1 => Failed, 2 => Lost, 3 => Cancelled }
    Exit { 0 => Code(code), 1 => Signal(signal), 2 => TimeLimit, 3 => CouldNotStart }
    ExitCode { 0 => Done, 1 => TaskFailed, 2 => BadInput, 3 => Infrastructure, 4 => Interrupted }
}

impl Wire for Resources {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().collect::<Vec<_>>().put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<Resources, Garbled> {
        let amounts = Vec::<(ResourceId, Amount)>::get(bytes)?;
        if amounts.iter().any(|(id, _)| usize::from(id.0) >= ResourceNames::MAX) {
            return Err(Garbled("a resource beyond the table"));
        }
        Ok(amounts.into_iter().fold(Resources::default(), |r, (id, amount)| r.with(id, amount)))
    }
}

impl Wire for ResourceNames {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().map(str::to_owned).collect::<Vec<_>>().put(out);
    }
    fn get(bytes: &mut Reader<'_>) -> Result<ResourceNames, Garbled> {
        let mut names = ResourceNames::default();
        for name in Vec::<String>::get(bytes)? {
            names.intern(&name).ok_or(Garbled("too many resources"))?;
        }
        Ok(names)
    }
}

impl Wire for Value {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Value::Unit => out.push(0),
            Value::Bool(b) => {
                out.push(1);
                b.put(out);
            }
            Value::Int(n) => {
                out.push(2);
                n.put(out);
            }
            Value::Float(x) => {
                out.push(3);
                x.put(out);
            }
            Value::Text(text) => {
                out.push(4);
                text.put(out);
            }
            Value::Bytes(block) => {
                out.push(5);
                block.put(out);
            }
            Value::Floats(numbers) => {
                out.push(6);
                numbers.put(out);
            }
            Value::List(items) => {
                out.push(7);
                items.put(out);
            }
            Value::Map(entries) => {
                out.push(8);
                entries.put(out);
            }
        }
    }

    fn get(bytes: &mut Reader<'_>) -> Result<Value, Garbled> {
        Ok(match bytes.byte()? {
            0 => Value::Unit,
            1 => Value::Bool(bool::get(bytes)?),
            2 => Value::Int(i64::get(bytes)?),
            3 => Value::Float(f64::get(bytes)?),
            4 => Value::Text(String::get(bytes)?),
            5 => Value::Bytes(Vec::get(bytes)?),
            6 => Value::Floats(Vec::get(bytes)?),
            7 => Value::List(bytes.nested(Vec::get)?),
            8 => Value::Map(bytes.nested(Vec::get)?),
            _ => return Err(Garbled("a value")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_comes_back() {
        let list = Value::List(vec![Value::Unit, true.into(), (-7i64).into(), 0.5.into()]);
        let map = Value::Map(vec![
            ("text".into(), "é".into()),
            ("bytes".into(), vec![0u8, 255].into()),
            ("floats".into(), vec![1.0, f64::MAX].into()),
            ("list".into(), list),
        ]);
        assert_eq!(Value::from_bytes(&map.to_bytes()), Ok(map));
    }

    #[test]
    fn a_record_without_the_mark_reads_and_is_written_as_before_there_was_one() {
        let key =
            AttemptKey { job: JobId(1), task: TaskId(2), attempt: Attempt(3), epoch: Epoch(1) };
        for (state, tag) in [(State::Done, 0), (State::Failed, 1), (State::Lost, 2)] {
            let record = Record::new(key, state);
            let bytes = record.to_bytes();
            assert_eq!(bytes[..6], [1, 2, 0, 3, tag, 0]);
            assert_eq!(Record::from_bytes(&bytes), Ok(record));
        }
        let marked = Record { overlap: true, ..Record::new(key, State::Lost) };
        assert_eq!(Record::from_bytes(&marked.to_bytes()), Ok(marked));
    }

    #[test]
    fn a_value_nested_without_end_is_refused_not_followed() {
        let mut forged = [7u8, 1].repeat(100_000);
        forged.push(0);
        assert_eq!(Value::from_bytes(&forged), Err(Garbled("a value nested too deep")));
    }

    #[test]
    fn a_sweep_task_comes_back() {
        let sweep = Sweep {
            parameters: vec![("n".into(), vec![Value::Int(1), Value::Int(2)])],
            combine: Combine::Zip,
        };
        let body = Body::Kernel { name: "spin".into(), args: "%{n}".into() };
        let template = Template { name: "run-%{n}".into(), body: body.into(), sweep };
        assert_eq!(Template::from_bytes(&template.to_bytes()), Ok(template));
        let mut task = Task::command("", ["true"]).after([TaskId(4)]).cores(3);
        task.name = TaskName::Template;
        task.body = TaskBody::Template { template: 0, index: 1 };
        assert_eq!(Task::from_bytes(&task.to_bytes()), Ok(task));
    }
}
