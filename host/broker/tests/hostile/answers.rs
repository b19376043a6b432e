//! What callers are answered, held against what they may be.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{CallError, HandleId, MapEntry, MapReply, PipeReply, PoolReply, ProcessReply, QueueReply, Reply, Swap};

use super::calls::Asked;
use super::{Hostile, Known, MAP_KEYS, QUEUE_ITEMS};
use crate::host::Answer;

impl Hostile<'_> {
    /// Takes the answers that came: the driver has checked that each one's worker waits for it.
    pub(super) fn take_answers(&mut self) {
        for (id, call, answer) in std::mem::take(&mut self.host.answers) {
            self.say(|| format!("  {id} {call}: {answer:?}"));
            let guest = self.guests.get_mut(&id).unwrap_or_else(|| panic!("{id} runs nothing, and is answered {answer:?}"));
            let asked = guest.asked.take().unwrap_or_else(|| panic!("{id} asked nothing, and {call} is answered {answer:?}"));
            self.check(id, asked, answer);
        }
    }

    fn check(&mut self, id: WorkerId, asked: Asked, answer: Answer) {
        if asked.stranger {
            assert_eq!(answer, Err(CallError::Closed), "{id} reached what is another's, or learned of it");
            return self.counts.add("guesses that told nothing");
        }
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) => return self.count(&error),
        };
        assert!(!asked.strangers, "{id} reached what is another's: {reply:?}");
        match reply {
            Reply::Handle(handle) => self.got(id, handle, asked.makes),
            Reply::Ends(first, second) => {
                self.got(id, first, asked.makes);
                self.got(id, second, asked.makes);
            }
            Reply::Started(handle, task) => {
                self.lent.insert(task, asked.lends);
                self.got(id, handle, asked.makes);
                self.counts.add("tasks that were started");
            }
            Reply::Queue(reply) => self.check_queue(asked.on, reply),
            Reply::Pipe(PipeReply::Message(body)) => self.check_body(asked.on, &body),
            Reply::Map(reply) => self.check_map(asked.on, reply),
            Reply::Process(ProcessReply::Ended(_)) | Reply::Pool(PoolReply::Ended(_)) => self.counts.add("ends that were told"),
            Reply::Pool(PoolReply::Outcomes(_) | PoolReply::Mapped(_)) => self.counts.add("outcomes of maps"),
            // Whatever the number is of: it is told as ready, so that the next call says that it is closed.
            Reply::Places(ready) => {
                assert!(asked.guessed.iter().all(|place| ready.contains(place)), "{id} learned of what is another's: {ready:?}");
                self.counts.add("waits for several");
            }
            Reply::Pipe(PipeReply::Done | PipeReply::Ready(_))
            | Reply::Lock(_)
            | Reply::Semaphore(_)
            | Reply::Event(_)
            | Reply::Barrier(_)
            | Reply::Process(ProcessReply::Done | ProcessReply::Pid(_) | ProcessReply::State(_))
            | Reply::Pool(PoolReply::Done | PoolReply::State(_) | PoolReply::Cancelled(_) | PoolReply::Pushed(_))
            | Reply::Identity(_)
            | Reply::Input(_) => self.counts.add("other answers"),
        }
    }

    fn count(&mut self, error: &CallError) {
        self.counts.add(match error {
            CallError::TimedOut => "timed out",
            CallError::Closed => "closed",
            CallError::Cancelled => "cancelled",
            CallError::Denied => "denied",
            CallError::Lapsed => "lapsed leases",
            CallError::Broken => "broken barriers",
            CallError::Quota(_) => "quotas",
            CallError::Deadlock(_) => "deadlocks",
            CallError::Invalid(_) => "invalid calls",
            CallError::NotFound(_) => "names that are none",
            CallError::Other(why) => panic!("{why}"),
        });
    }

    /// A handle's number is told once on a connection.
    fn got(&mut self, id: WorkerId, handle: HandleId, known: Option<Known>) {
        let known = known.unwrap_or_else(|| panic!("{id} is given {handle} and asked for none"));
        assert!(self.told.entry(id).or_default().insert(handle), "{handle} of {id} is used again");
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.handles.insert(handle, known);
        }
        self.counts.add("handles");
    }

    fn check_queue(&mut self, on: Option<Known>, reply: QueueReply<'_>) {
        match reply {
            QueueReply::Message(body) | QueueReply::Delivery { message: body, .. } => self.check_body(on, &body),
            QueueReply::Messages(bodies) => bodies.iter().for_each(|body| self.check_body(on, body)),
            QueueReply::Rejected(all) => all.iter().for_each(|rejected| self.check_body(on, &rejected.message)),
            QueueReply::Counts(counts) => {
                let held = counts.waiting + counts.leased + counts.delayed;
                assert!(held <= QUEUE_ITEMS, "{counts:?}");
                self.counts.add("counts of queues");
            }
            QueueReply::Done => self.counts.add("other answers"),
        }
    }

    fn check_map(&mut self, on: Option<Known>, reply: MapReply<'_>) {
        let mut check = |entry: &MapEntry<'_>| self.check_body(on, &entry.value);
        match reply {
            MapReply::Entry(entry) | MapReply::Swap(Swap::Stale(entry)) => entry.iter().for_each(check),
            MapReply::Entries(entries) => entries.iter().flatten().for_each(check),
            MapReply::Items { items, .. } => items.iter().for_each(|item| check(&item.entry)),
            MapReply::Len(count) => assert!(count <= MAP_KEYS as u64, "{count} keys"),
            MapReply::Keys { keys, .. } => assert!(keys.len() <= MAP_KEYS, "{} keys", keys.len()),
            MapReply::Version(_)
            | MapReply::Found(_)
            | MapReply::Swap(Swap::Swapped(_))
            | MapReply::Sum(_)
            | MapReply::Update(_) => {}
        }
        self.counts.add("answers of maps");
    }

    /// What comes out of an object was put into it, or is a number that it counted itself.
    fn check_body(&mut self, on: Option<Known>, body: &[u8]) {
        let known = on.unwrap_or_else(|| panic!("a message of nothing: {body:?}"));
        let text = String::from_utf8_lossy(body);
        let counted = text.parse::<i64>().is_ok();
        assert!(counted || text.starts_with(&format!("#{}:", known.object)), "{known:?} gave {text:?}");
        self.counts.add("messages");
    }
}
