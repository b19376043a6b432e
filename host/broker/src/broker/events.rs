//! What workers say and what becomes of them, but for their calls.

use taskcell_wire::call::{CallError, Level, Tell};
use taskcell_wire::{ChunkId, JobId, Turn, WorkerId};

use super::due::Due;
use super::{Broker, Progress};
use crate::chunk::Attempt;
use crate::effect::{Effect, Violation};
use crate::options::Verdict;
use crate::time::Now;

/// What a note of a task's progress is cut to, in bytes.
const NOTE_BYTES: usize = 256;

impl Broker {
    /// A worker's process was started.
    pub fn worker_started(&mut self, now: Now, worker: WorkerId, pid: u32) {
        self.at(now);
        if let Some(state) = self.workers.get_mut(&worker) {
            state.pid = Some(pid);
        }
    }

    /// The worker may be given tasks.
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] unless it was starting.
    pub fn worker_ready(&mut self, now: Now, worker: WorkerId) -> Result<(), Violation> {
        self.at(now);
        let pool = self.pool_of(worker).ok_or(Violation::OutOfTurn)?;
        let state = self.pools.get_mut(&pool).ok_or(Violation::OutOfTurn)?;
        state.pool.worker_ready(self.now, worker)?;
        self.dirty.insert(pool);
        self.settle();
        Ok(())
    }

    /// The worker tells that `count` tasks of `chunk`, beginning with `from`, ended in `nanoseconds` together and need no other
    /// attempt. Gives their job and the first one's place. If the broker [`owns`](Self::owns) the job, each one's outcome is handed to
    /// [`ended`](Self::ended) next.
    ///
    /// # Errors
    /// A [`Violation`]; nothing is accepted then, and the worker has to be killed.
    pub fn finished(
        &mut self,
        now: Now,
        worker: WorkerId,
        chunk: ChunkId,
        from: u32,
        count: u32,
        nanoseconds: u64,
    ) -> Result<(JobId, u64), Violation> {
        self.at(now);
        let pool = self.pool_of(worker).ok_or(Violation::OutOfTurn)?;
        let state = self.pools.get_mut(&pool).ok_or(Violation::OutOfTurn)?;
        let (job, index) = state.pool.finished(self.now, worker, chunk, from, count, nanoseconds)?;
        self.dirty.insert(pool);
        self.end_attempt_of(worker, chunk, from, count);
        self.final_outcomes(job, index, count);
        self.settle();
        Ok((job, index))
    }

    /// Like [`finished`](Self::finished) for one task whose attempt failed: is that its last?
    ///
    /// # Errors
    /// A [`Violation`] as there.
    pub fn attempt_failed(
        &mut self,
        now: Now,
        worker: WorkerId,
        chunk: ChunkId,
        at: u32,
        attempt: Attempt,
    ) -> Result<(JobId, u64, Verdict), Violation> {
        self.at(now);
        let pool = self.pool_of(worker).ok_or(Violation::OutOfTurn)?;
        let state = self.pools.get_mut(&pool).ok_or(Violation::OutOfTurn)?;
        let (job, index, verdict) = state.pool.attempt_failed(self.now, worker, chunk, at, attempt)?;
        self.dirty.insert(pool);
        self.end_attempt_of(worker, chunk, at, 1);
        if verdict == Verdict::Final {
            self.final_outcomes(job, index, 1);
        }
        self.settle();
        Ok((job, index, verdict))
    }

    fn final_outcomes(&mut self, job: JobId, index: u64, count: u32) {
        if self.owns(job) {
            self.owed = self.owed.saturating_add(u64::from(count));
        } else {
            self.api_ended(job, index, count);
        }
    }

    /// The job and the place there of a task that the worker says something of while it runs it or before.
    ///
    /// # Errors
    /// A [`Violation`] if it may not speak of that task.
    pub fn place(&self, worker: WorkerId, chunk: ChunkId, at: u32) -> Result<(JobId, u64), Violation> {
        let state = self.pool_state(worker).ok_or(Violation::OutOfTurn)?;
        let index = state.pool.place(worker, chunk, at)?;
        let (flight, _) = state.pool.flight(worker, chunk).ok_or(Violation::ForeignChunk)?;
        Ok((flight.job, index))
    }

    /// Every attempt that failed before of what a worker runs, if that is of this chunk.
    #[must_use]
    pub fn history(&self, worker: WorkerId, chunk: ChunkId) -> &[Attempt] {
        self.pool_state(worker).map_or(&[], |state| state.pool.history(worker, chunk))
    }

    /// The worker's connection ended, and all that it sent and posted before was handled. Its process has ended or is killed in a
    /// moment; [`worker_gone`](Self::worker_gone) follows when it was reaped.
    ///
    /// At once: it is given nothing more, its waiting call is withdrawn, its loans end, and the tasks that it has not begun
    /// (`claimed` is the turn that it would have claimed next, in its own words) go to other workers. Only after its end: the
    /// charge for the task that it ran, and what that task holds. A process that still lives may still write to the directories
    /// that it was granted, so its locks must not pass on before.
    pub fn worker_ending(&mut self, now: Now, worker: WorkerId, claimed: Turn) {
        self.at(now);
        let Some(state) = self.workers.get_mut(&worker) else { return };
        state.killed = true;
        let (pool, parked) = (state.pool, state.running.as_ref().and_then(|running| running.parked));
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.worker_ending(self.now, worker, claimed);
            self.dirty.insert(pool);
        }
        if let Some(call) = parked {
            self.withdraw(call);
        }
        self.end_loans(worker, |_| true);
        self.settle();
    }

    /// The worker's process ended. `running` is what it said it was running, if it said so; `death` tells how it ended.
    pub fn worker_gone(&mut self, now: Now, worker: WorkerId, pid: u32, death: String, running: Option<(ChunkId, u32)>) {
        self.at(now);
        let Some((pool, leaving)) = self.workers.get(&worker).map(|gone| (gone.pool, gone.leaving)) else { return };
        // The pool first: what its task held may let others go on, and none of them may be sent to the dead.
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.worker_gone(self.now, worker, pid, death, running);
            self.dirty.insert(pool);
        }
        self.end_attempt(worker);
        self.workers.remove(&worker);
        self.due.change(Due::Leaving(worker), leaving, None);
        self.settle();
    }

    /// A worker could not be started, or ended before it was ready for want of something that may come.
    pub fn could_not_start(&mut self, now: Now, worker: WorkerId, why: &str) {
        self.at(now);
        let Some((pool, leaving)) = self.workers.get(&worker).map(|gone| (gone.pool, gone.leaving)) else { return };
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.could_not_start(self.now, worker, why);
            self.dirty.insert(pool);
        }
        self.workers.remove(&worker);
        self.due.change(Due::Leaving(worker), leaving, None);
        self.settle();
    }

    /// The worker broke the protocol: it is to be killed, and its running task ends with that.
    pub fn violated(&mut self, now: Now, worker: WorkerId, violation: Violation) {
        self.at(now);
        let Some(pool) = self.pool_of(worker) else { return };
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.violated(worker, violation);
            self.dirty.insert(pool);
        }
        self.settle();
    }

    /// What [`Effect::TakeBack`] asked for: of what was sent to a worker before the turn `until` it has claimed what comes before `claimed`, in its own
    /// words, and can claim no more.
    pub fn taken_back(&mut self, now: Now, worker: WorkerId, until: Turn, claimed: Turn) {
        self.at(now);
        let Some(pool) = self.pool_of(worker) else { return };
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.taken_back(self.now, worker, until, claimed);
            self.dirty.insert(pool);
        }
        self.settle();
    }

    /// A worker's running task tells something. What is said of no task, or of a handle that is nobody's, is not heard: it may have been
    /// on its way when the task ended.
    ///
    /// # Errors
    /// [`Violation::OutOfTurn`] if it drops a handle while its call waits; [`Violation::NotImported`] if the component imports
    /// no such function.
    pub fn tell(&mut self, now: Now, worker: WorkerId, tell: Tell<'_>) -> Result<(), Violation> {
        self.at(now);
        if let Some(kind) = tell.kind()
            && self.attempt(worker).is_ok_and(|running| !running.rights.allow(kind))
        {
            return Err(Violation::NotImported);
        }
        match tell {
            Tell::Drop(handle) => {
                let running = self.workers.get(&worker).and_then(|state| state.running.as_ref());
                let Some(running) = running else { return Ok(()) };
                if running.parked.is_some() && running.handles.contains_key(&handle) {
                    return Err(Violation::OutOfTurn);
                }
                self.drop_handle(worker, handle);
            }
            Tell::Abandon(call) => {
                let running = self.workers.get(&worker).and_then(|state| state.running.as_ref());
                let parked = running.and_then(|running| running.parked);
                // One that was answered meanwhile has its answer on the way.
                if let Some(parked) = parked.filter(|parked| self.calls.get(parked).is_some_and(|it| it.theirs == call)) {
                    self.give_up(parked, CallError::TimedOut);
                }
            }
            Tell::Progress { done, total, note } => {
                let Ok(task) = self.attempt(worker).map(|running| running.task) else { return Ok(()) };
                if let Some(task) = self.tasks.get_mut(&task) {
                    task.progress = Some(Progress { done, total, note: cut(note, NOTE_BYTES).to_owned() });
                }
            }
            Tell::Log { level, text } => self.log(worker, level, text),
        }
        self.settle();
        Ok(())
    }

    /// A line of the log; what is too much is dropped, and the first that is says so.
    fn log(&mut self, worker: WorkerId, level: Level, text: &str) {
        let Ok(running) = self.attempt(worker) else { return };
        let (task, left) = (running.task, running.log_left);
        if left == 0 {
            return;
        }
        let whole = text.len() as u64 <= left;
        running.log_left = left.saturating_sub((text.len() as u64).max(1));
        let mut text = cut(text, usize::try_from(left).unwrap_or(usize::MAX)).to_owned();
        if !whole {
            text.push_str(" [the log of this task is full; the rest is dropped]");
        }
        self.effects.push(Effect::Logged { task, level, text });
    }
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most.min(text.len()))).unwrap_or("")
}
