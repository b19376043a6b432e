//! Jobs of the API: values that are fed as there is room for them, and a reader that takes ends in order, as slowly as it likes.
//!
//! As `host/supervisor/src/mapping.rs` does it: nothing is submitted that the broker does not want or the window has no room for.

use taskcell_broker::{Cause, Chunk, JobOptions, Reorder, RetryBudget};
use taskcell_wire::{ItemWriter, JobId, Outcome, OutcomeReader};

use super::guest::{Kind, VALUE, answer};
use super::supervisor::{Block, Sink, Supervisor};
use crate::random::Random;

/// One job, under way.
#[derive(Debug)]
pub(crate) struct Job {
    id: JobId,
    values: Vec<u64>,
    timed: bool,
    budget: RetryBudget,
    ordered: bool,
    /// Its tasks may not wait for long.
    hurried: bool,
    chunk: Option<u32>,
    window: u64,
    order: Reorder<Block>,
    submitted: u64,
    taken: u64,
    /// It was cancelled or drained: nothing more is submitted.
    ended: bool,
    /// Its reader went away.
    pub(crate) closed: bool,
}

impl Job {
    /// A job is opened.
    pub(crate) fn open(supervisor: &mut Supervisor, id: JobId, random: &mut Random, budget: RetryBudget) -> Self {
        let timed = random.once_in(2);
        let kind = |random: &mut Random| match random.below(40) {
            0..=2 => Kind::Slow,
            3..=4 => Kind::Waits,
            5..=6 => Kind::Flaky,
            7..=8 => Kind::Shaky,
            9 => Kind::Fails,
            10 => Kind::Traps,
            11 => Kind::TooMuch,
            12 => Kind::Poison,
            13 if timed => Kind::Endless,
            14 if timed => Kind::Stubborn,
            _ => Kind::Quick,
        };
        let values: Vec<u64> = (0..random.between(1, 24)).map(|_| kind(random).value(random)).collect();
        let timeout = timed.then_some(taskcell_broker::Duration::from_millis(100));
        let queue_timeout = random.once_in(4).then(|| taskcell_broker::Duration::from_millis(1 + random.below(300)));
        supervisor.broker.open_job(supervisor.pool, id, JobOptions { timeout, queue_timeout, ..JobOptions::new(VALUE) });
        supervisor.sinks.insert(id, Sink { ended: vec![false; values.len()], ..Sink::default() });
        Self {
            id,
            values,
            timed,
            hurried: queue_timeout.is_some(),
            budget,
            ordered: !random.once_in(3),
            chunk: random.once_in(2).then(|| random.between(1, 6)),
            window: 1 + random.below(30),
            order: Reorder::default(),
            submitted: 0,
            taken: 0,
            ended: false,
            closed: false,
        }
    }

    /// Feeds the broker, as far as it wants and the window allows.
    pub(crate) fn feed(&mut self, supervisor: &mut Supervisor, random: &mut Random) {
        while !self.ended
            && !self.closed
            && self.submitted < self.values.len() as u64
            && supervisor.failed.is_none()
            && supervisor.broker.wants_more(supervisor.pool)
            && self.submitted - self.taken < self.window
        {
            let tasks = self.chunk.unwrap_or_else(|| supervisor.broker.chunk_tasks(supervisor.pool, VALUE));
            let mut items = ItemWriter::default();
            let rest = self.values.iter().skip(usize::try_from(self.submitted).unwrap_or(0));
            rest.take(tasks as usize).for_each(|value| items.push(value.to_string().as_bytes()));
            let (items, count) = items.into_parts();
            let chunk =
                Chunk { job: self.id, first: self.submitted, count, items: items.into(), history: Vec::new(), start_by: None };
            self.submitted += u64::from(count);
            supervisor.broker.submit(supervisor.now, chunk);
        }
        supervisor.carry_out(random);
    }

    /// The reader takes one block, if one is due.
    pub(crate) fn read(&mut self, supervisor: &mut Supervisor) {
        if self.closed {
            return;
        }
        if let Some(sink) = supervisor.sinks.get_mut(&self.id) {
            for block in sink.blocks.drain(..) {
                let (first, count) = block.place();
                self.order.push(first, count, block);
            }
        }
        let block = if self.ordered { self.order.pop() } else { self.order.pop_any() };
        let Some(block) = block else { return };
        let (first, count) = block.place();
        assert!(!self.ordered || first == self.taken, "task {first} is read after {} of {}", self.taken, self.id);
        self.taken += u64::from(count);
        self.check(&block, supervisor);
    }

    /// Whether the tasks of a block may have ended like this.
    fn check(&self, block: &Block, supervisor: &mut Supervisor) {
        let failed = supervisor.failed.is_some();
        let counts = &mut supervisor.counts;
        match block {
            Block::Outcomes(finished) => {
                assert_eq!(OutcomeReader::new(&finished.outcomes).count(), finished.count as usize);
                for (index, outcome) in (finished.first..).zip(OutcomeReader::new(&finished.outcomes)) {
                    let outcome = outcome.unwrap_or_else(|error| panic!("an outcome was not checked: {error}")).1;
                    self.check_outcome(index, &outcome);
                    counts.results += 1;
                    counts.again += u64::from(!finished.history.is_empty());
                    counts.timed_out += u64::from(outcome == Outcome::TimedOut);
                    counts.cancelled += u64::from(outcome == Outcome::Cancelled);
                }
                assert_eq!(self.spent(&finished.history), 0, "tried again after {:?}", finished.history);
            }
            Block::Lost(index, history) => {
                // A job that was ended tries nothing again, nor does a pool that gave up.
                let spent = self.spent(history);
                assert!(spent == 1 || (spent == 0 && (self.ended || failed)), "given up after {history:?} of {:?}", self.budget);
                match history.last().map(|attempt| &attempt.cause) {
                    Some(Cause::Timeout) => {
                        assert!(self.timed, "task {index} has no time limit");
                        counts.timed_out += 1;
                    }
                    Some(Cause::Death(_)) => counts.lost += 1,
                    Some(Cause::Trap | Cause::Error) | None => panic!("task {index} was lost: {history:?}"),
                }
            }
            Block::Expired(first, count) => {
                assert!(self.hurried, "task {first} of {} may wait for ever", self.id);
                counts.expired += u64::from(*count);
            }
            Block::Cancelled(first, count) => {
                assert!(self.ended, "task {first} is cancelled, and nobody cancelled {}", self.id);
                counts.cancelled += u64::from(*count);
            }
        }
    }

    fn check_outcome(&self, index: u64, outcome: &Outcome<'_>) {
        let value = self.values[usize::try_from(index).unwrap_or(usize::MAX)];
        let kind = Kind::of(value);
        let fits = match outcome {
            Outcome::Ok(result) => {
                let answers = matches!(kind, Kind::Quick | Kind::Slow | Kind::Waits | Kind::Flaky | Kind::Shaky);
                answers && **result == *answer(value)
            }
            Outcome::Failed(_) => matches!(kind, Kind::Fails | Kind::Flaky),
            Outcome::Trapped { .. } => kind == Kind::Traps,
            Outcome::OverLimit { .. } => kind == Kind::TooMuch,
            // Any worker may be too slow.
            Outcome::TimedOut => self.timed,
            Outcome::Cancelled => self.ended,
            Outcome::Exited(_) | Outcome::Invalid { .. } => false,
        };
        assert!(fits, "{kind:?} {value} ended with {outcome:?}");
    }

    /// How many causes have more attempts than they may have further ones; none has more than one too many, and no death is counted twice.
    fn spent(&self, history: &[taskcell_broker::Attempt]) -> usize {
        let count = |same: fn(&Cause) -> bool| history.iter().filter(|attempt| same(&attempt.cause)).count();
        let deaths = count(|cause| matches!(cause, Cause::Death(_)));
        let tried = [
            (deaths, self.budget.deaths),
            (count(|cause| matches!(cause, Cause::Timeout)), self.budget.timeouts),
            (count(|cause| matches!(cause, Cause::Trap)), self.budget.traps),
            (count(|cause| matches!(cause, Cause::Error)), self.budget.errors),
        ];
        assert!(tried.iter().all(|(count, most)| *count <= *most as usize + 1), "{history:?} of {:?}", self.budget);
        let died = history.iter().filter(|attempt| matches!(attempt.cause, Cause::Death(_)));
        let pids: std::collections::BTreeSet<u32> = died.map(|attempt| attempt.pid).collect();
        assert_eq!(pids.len(), deaths, "a death is charged twice: {history:?}");
        tried.iter().filter(|(count, most)| *count > *most as usize).count()
    }

    /// Somebody ends it early; how.
    pub(crate) fn end(&mut self, supervisor: &mut Supervisor, random: &mut Random) -> String {
        let how = match random.below(3) {
            0 => {
                supervisor.broker.drain_job(supervisor.now, self.id);
                "drained"
            }
            1 => {
                supervisor.broker.cancel_job(supervisor.now, self.id);
                "cancelled"
            }
            _ => {
                self.close(supervisor);
                "closed"
            }
        };
        self.ended = true;
        supervisor.carry_out(random);
        format!("{} is {how}", self.id)
    }

    pub(crate) fn close(&mut self, supervisor: &mut Supervisor) {
        self.closed = true;
        supervisor.sinks.remove(&self.id);
        supervisor.broker.close_job(supervisor.now, self.id);
    }

    /// Whether all that was submitted was read.
    pub(crate) fn is_over(&self, supervisor: &Supervisor) -> bool {
        let all = if self.ended { self.submitted } else { self.values.len() as u64 };
        // A pool that gave up takes what waits with it, without a word for each.
        let told = || supervisor.sinks.get(&self.id).is_none_or(|sink| sink.blocks.is_empty());
        self.closed || self.taken == all || (supervisor.failed.is_some() && told())
    }
}
