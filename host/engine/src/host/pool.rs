//! `taskcell:host/pool`.

use std::sync::Arc;

use taskcell_wire::call::{
    BATCH_ITEMS, Batch, Call, Create, FutureCall, HandleId, Interest, MappingCall, PoolCall, PoolReply, PoolSettings, Reply,
    TaskId, Timeout,
};
use wasmtime::component::Resource;

use super::attempt::Held;
use super::convert::{outcome, state, value_len, value_to_wire};
use super::interfaces::pool::{Host, HostMapping, HostPool, HostTaskFuture, Isolation, Mapped, Options};
use super::interfaces::types::{Outcome, State, Value};
use super::invocation::Invocation;
use super::view::{Handle, batch, certain, certain_or_closed, handles, match_one, short};
use super::waiting::Waitable;
use super::{Fault, View};

handles! {
    /// `pool.pool`
    Pool
    /// `pool.mapping`
    Mapping
}

/// `pool.task-future`
#[derive(Debug)]
pub struct TaskFuture {
    held: Arc<Held>,
    id: TaskId,
}

impl Handle for TaskFuture {
    fn held(&self) -> &Arc<Held> {
        &self.held
    }
}

impl View<'_> {
    /// A pool's answer, a future's or a mapping's.
    fn ask_pool<R>(&self, call: &Call<'_>, read: impl FnOnce(PoolReply<'_>) -> Option<R>) -> Result<R, Fault> {
        self.ask(call, |reply| read(match_one!(reply, Reply::Pool(reply) => reply)?))
    }

    fn pool_done(&self, pool: &Resource<Pool>, call: PoolCall<'_>) -> Result<(), Fault> {
        self.ask_pool(&Call::Pool(self.handle_id(pool)?, call), |reply| match_one!(reply, PoolReply::Done => ()))
    }
}

impl Host for View<'_> {}

impl HostPool for View<'_> {
    fn create(&mut self, options: Options) -> Result<Resource<Pool>, Fault> {
        let Options { workers, isolation, timeout, retries, memory_bytes, max_tasks_per_worker, name } = options;
        let isolation = match isolation {
            Isolation::Fresh => taskcell_wire::Isolation::Fresh,
            Isolation::Reuse => taskcell_wire::Isolation::Reuse,
        };
        let name = short(name);
        let settings = PoolSettings { workers, isolation, timeout, retries, memory_bytes, max_tasks_per_worker, name };
        self.create_new(Create::Pool(settings), Pool)
    }

    fn submit(&mut self, pool: Resource<Pool>, task: Resource<Invocation>) -> Result<Resource<TaskFuture>, Fault> {
        let invocation = self.use_up(task)?;
        self.room()?;
        let pool = self.handle_id(&pool)?;
        let ((id, number), _) = invocation.send(|task| {
            let call = Call::Pool(pool, PoolCall::Submit(task));
            self.ask(&call, |reply| match_one!(reply, Reply::Started(id, number) => (id, number)))
        })?;
        let held = self.hold(id);
        self.add(TaskFuture { held, id: number })
    }

    fn map(&mut self, pool: Resource<Pool>, task: String, values: Vec<Value>) -> Result<Vec<Outcome>, Fault> {
        let wanted = values.len();
        let values = batch(values.iter().map(value_to_wire).collect())?;
        let call = Call::Pool(self.handle_id(&pool)?, PoolCall::Map { task: &task, values });
        self.ask_pool(&call, |reply| {
            let outcomes = match_one!(reply, PoolReply::Outcomes(outcomes) => outcomes)?;
            // One for each value, or the guest would take one value's outcome for another's.
            if outcomes.len() == wanted { outcomes.into_iter().map(outcome).collect() } else { None }
        })
    }

    fn imap(&mut self, pool: Resource<Pool>, task: String, ordered: bool, window: u32) -> Result<Resource<Mapping>, Fault> {
        let call = Call::Pool(self.handle_id(&pool)?, PoolCall::Imap { task: &task, ordered, window });
        self.make_new(&call, Mapping)
    }

    fn drain(&mut self, pool: Resource<Pool>, timeout: Timeout) -> Result<(), Fault> {
        self.pool_done(&pool, PoolCall::Drain { timeout })
    }

    fn shutdown(&mut self, pool: Resource<Pool>, cancel_pending: bool) -> wasmtime::Result<()> {
        certain_or_closed("pool.shutdown", self.pool_done(&pool, PoolCall::Shutdown { cancel_pending }))
    }

    fn kill(&mut self, pool: Resource<Pool>) -> wasmtime::Result<()> {
        certain_or_closed("pool.kill", self.pool_done(&pool, PoolCall::Kill))
    }

    fn drop(&mut self, pool: Resource<Pool>) -> wasmtime::Result<()> {
        self.forget(pool)
    }
}

impl HostTaskFuture for View<'_> {
    fn id(&mut self, future: Resource<TaskFuture>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&future)?.id.0)
    }

    fn state(&mut self, future: Resource<TaskFuture>) -> wasmtime::Result<State> {
        let call = |id| Call::Future(id, FutureCall::State);
        let now = |id| self.ask_pool(&call(id), |reply| match_one!(reply, PoolReply::State(now) => state(now)));
        certain("task-future.state", self.handle_id(&future).and_then(now))
    }

    fn result(&mut self, future: Resource<TaskFuture>, timeout: Timeout) -> Result<Outcome, Fault> {
        let call = Call::Future(self.handle_id(&future)?, FutureCall::Result { timeout });
        self.ask_pool(&call, |reply| match_one!(reply, PoolReply::Ended(ended) => ended).and_then(outcome))
    }

    fn cancel(&mut self, future: Resource<TaskFuture>) -> wasmtime::Result<bool> {
        let call = |id| Call::Future(id, FutureCall::Cancel);
        let cancelled = |id| self.ask_pool(&call(id), |reply| match_one!(reply, PoolReply::Cancelled(cancelled) => cancelled));
        certain("task-future.cancel", self.handle_id(&future).and_then(cancelled))
    }

    fn ready(&mut self, future: Resource<TaskFuture>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&future, Interest::In)
    }

    fn drop(&mut self, future: Resource<TaskFuture>) -> wasmtime::Result<()> {
        self.forget(future)
    }
}

impl View<'_> {
    /// How many values go in one call: as many as one message takes, and one at least, which is refused by its name if it is too long
    /// by itself. The guest pushes the others again, as it does when the window is full.
    fn values_in_one_call(&self, values: &[Value]) -> usize {
        let mut left = self.host.most_in_message;
        let fits = |value: &&Value| match left.checked_sub(value_len(value).saturating_add(8)) {
            Some(less) => {
                left = less;
                true
            }
            None => false,
        };
        values.iter().take(BATCH_ITEMS).take_while(fits).count().max(1).min(values.len())
    }

    fn ask_mapping<R>(
        &self,
        mapping: HandleId,
        call: MappingCall<'_>,
        read: impl FnOnce(PoolReply<'_>) -> Option<R>,
    ) -> Result<R, Fault> {
        self.ask_pool(&Call::Mapping(mapping, call), read)
    }
}

impl HostMapping for View<'_> {
    fn push(&mut self, mapping: Resource<Mapping>, values: Vec<Value>, timeout: Timeout) -> Result<u32, Fault> {
        let count = self.values_in_one_call(&values);
        let sent = u32::try_from(count).unwrap_or(u32::MAX);
        let values = Batch(values.iter().take(count).map(value_to_wire).collect());
        self.ask_mapping(self.handle_id(&mapping)?, MappingCall::Push { values, timeout }, |reply| {
            // The guest goes on behind what was added.
            match_one!(reply, PoolReply::Pushed(added) => added).filter(|added| *added <= sent)
        })
    }

    fn finish(&mut self, mapping: Resource<Mapping>) -> wasmtime::Result<()> {
        let done = |id| self.ask_mapping(id, MappingCall::Finish, |reply| match_one!(reply, PoolReply::Done => ()));
        certain_or_closed("mapping.finish", self.handle_id(&mapping).and_then(done))
    }

    fn next(&mut self, mapping: Resource<Mapping>, limit: u32, timeout: Timeout) -> Result<Vec<Mapped>, Fault> {
        self.ask_mapping(self.handle_id(&mapping)?, MappingCall::Next { limit, timeout }, |reply| {
            let due = match_one!(reply, PoolReply::Mapped(due) => due)?;
            due.into_iter().map(|one| Some(Mapped { index: one.index, outcome: outcome(one.ended)? })).collect()
        })
    }

    fn ready(&mut self, mapping: Resource<Mapping>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&mapping, Interest::In)
    }

    fn drop(&mut self, mapping: Resource<Mapping>) -> wasmtime::Result<()> {
        self.forget(mapping)
    }
}
