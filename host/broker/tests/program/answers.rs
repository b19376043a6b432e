//! What tasks are answered, held against what they hoped for.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{
    Bytes, CallError, Ended, HandleId, MapReply, PipeReply, PoolReply, ProcessReply, QueueReply, Reply, TaskId, TaskValue,
};

use super::{Hope, Kind, Program};
use crate::host::Answer;

impl Program {
    /// Takes the answers that came.
    pub(super) fn take_answers(&mut self) {
        for (id, call, answer) in std::mem::take(&mut self.host.answers) {
            self.counts.answers += 1;
            self.log.push(format!("{id} {call}: {answer:?}"));
            self.trace.tell(|| format!("  {id} {call}: {answer:?}"));
            let guest = self.guests.get_mut(&id).unwrap_or_else(|| panic!("{id} runs nothing, and is answered {answer:?}"));
            let hope = guest.hope.take().unwrap_or_else(|| panic!("{id} asked nothing, and is answered {answer:?}"));
            self.check_answer(id, hope, answer);
        }
    }

    fn check_answer(&mut self, id: WorkerId, hope: Hope, answer: Answer) {
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) => {
                if matches!((&hope, &error), (Hope::Message(_), CallError::Deadlock(_))) {
                    self.stands_still(id);
                }
                return self.count_error(&error);
            }
        };
        match (hope, reply) {
            (Hope::Refused, reply) => panic!("{id} is answered {reply:?}"),
            (Hope::Handle(kind), Reply::Handle(handle)) => self.got(id, handle, kind),
            (Hope::Ends(number), Reply::Ends(first, second)) => {
                self.got(id, first, Kind::End(number));
                self.got(id, second, Kind::End(number));
            }
            (Hope::Process(lent, child), Reply::Started(handle, task)) => {
                self.counts.processes += 1;
                self.lent.insert(task, lent);
                self.got(id, handle, Kind::Process(task));
                if child && let Some(guest) = self.guests.get_mut(&id) {
                    guest.children.push(task);
                }
            }
            (Hope::Future(lent), Reply::Started(handle, task)) => {
                self.counts.futures += 1;
                self.lent.insert(task, lent);
                self.got(id, handle, Kind::Future(task));
            }
            (Hope::Message(number), Reply::Queue(QueueReply::Message(body) | QueueReply::Delivery { message: body, .. })) => {
                self.message(number, &body);
            }
            (Hope::Message(number), Reply::Queue(QueueReply::Messages(bodies))) => {
                bodies.iter().for_each(|body| self.message(number, body));
            }
            (Hope::Message(number), Reply::Pipe(PipeReply::Message(body))) => self.message(number, &body),
            (Hope::Number(number), Reply::Map(MapReply::Entry(entry))) => {
                // It is set right after the map was made, which may have been too much for all bytes.
                if let Some(entry) = entry {
                    assert_eq!(*entry.value, *number.to_string().as_bytes(), "another map");
                    self.counts.numbers += 1;
                }
            }
            (Hope::End(task), Reply::Process(ProcessReply::Ended(ended)) | Reply::Pool(PoolReply::Ended(ended))) => {
                self.heard(task, ended);
            }
            (Hope::Outcomes(texts), Reply::Pool(PoolReply::Outcomes(outcomes))) => {
                assert_eq!(texts.len(), outcomes.len());
                for (text, ended) in texts.iter().zip(outcomes) {
                    check_value(text, &ended);
                }
                self.counts.maps += 1;
            }
            (Hope::Mapped, Reply::Pool(PoolReply::Mapped(mapped))) => self.counts.mapped += mapped.len() as u64,
            (Hope::Nothing, reply) => self.counts.places += u64::from(matches!(reply, Reply::Places(_))),
            (hope, reply) => panic!("{id} hoped for {hope:?} and is answered {reply:?}"),
        }
    }

    /// A task that waits for a message is told of a deadlock only if nobody else can do anything.
    fn stands_still(&self, id: WorkerId) {
        assert!(self.closed_world, "somebody outside might do something");
        assert_eq!(self.free(), [id], "others could go on");
        let settled = |worker: &crate::host::Worker| worker.ready && !worker.killed && !worker.retired;
        assert!(self.host.workers.values().all(settled), "a worker starts or ends");
        // A worker of the API that died and is to be replaced has nothing to do with it.
        let roots = self.host.workers.keys().filter(|id| self.host.broker.pool_of(**id) == Some(self.host.pool));
        assert!(roots.count() == 0 || self.host.broker.next_tick().is_none(), "something is due");
    }

    fn count_error(&mut self, error: &CallError) {
        match error {
            CallError::TimedOut => self.counts.timed_out += 1,
            CallError::Closed => self.counts.closed += 1,
            CallError::Cancelled => self.counts.cancelled += 1,
            CallError::Quota(_) => self.counts.quotas += 1,
            CallError::Deadlock(text) => {
                assert!(!text.is_empty());
                self.counts.deadlocks += 1;
            }
            CallError::Denied | CallError::Lapsed | CallError::Broken | CallError::Invalid(_) | CallError::NotFound(_) => {}
            CallError::Other(why) => panic!("{why}"),
        }
    }

    fn got(&mut self, id: WorkerId, handle: HandleId, kind: Kind) {
        assert!(self.told.entry(id).or_default().insert(handle), "{handle} of {id} is used again");
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.handles.insert(handle, kind);
        }
    }

    fn message(&mut self, number: u64, body: &Bytes<'_>) {
        let text = String::from_utf8_lossy(body);
        assert_eq!(text.split(':').next(), Some(number.to_string().as_str()), "a message of another object");
        self.counts.messages += 1;
    }

    /// The end of a task is told: always the same, and what its worker said if that is how it ended.
    fn heard(&mut self, task: TaskId, ended: Ended<'static>) {
        self.counts.ends += 1;
        if let Some(before) = self.heard.get(&task) {
            assert_eq!(*before, ended, "{task} ended twice");
        }
        match (&ended, self.said.get(&task)) {
            (Ended::Ok(TaskValue::Json(text)), Some(said)) => assert_eq!(**text, *said.as_bytes()),
            (Ended::Ok(TaskValue::None), Some(_)) => {}
            (Ended::Ok(value), _) => panic!("{task} ended with {value:?}, and nobody said so"),
            // What it said came too late, or was too much to keep.
            (
                Ended::Failed(_) | Ended::Trapped(_) | Ended::TimedOut | Ended::OverLimit(_) | Ended::Cancelled | Ended::Lost(_),
                _,
            ) => {}
        }
        self.heard.insert(task, ended);
    }
}

/// A value's outcome is the value, if it has one.
fn check_value(text: &str, ended: &Ended<'_>) {
    if let Ended::Ok(value) = ended {
        assert!(matches!(value, TaskValue::Json(json) if **json == *text.as_bytes()), "{value:?} for {text}");
    }
}
