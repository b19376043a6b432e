//! Values that wait to be made chunks.
//!
//! The failures that this prevents: a map of a million values that is a million chunks; values that were cut into chunks before anybody knew how long
//! a task takes. A pool is given as many chunks as it needs to be busy, each of the size that its tasks' run time asks
//! for; the rest waits here, in one piece.

use taskcell_wire::call::Ended;
use taskcell_wire::limits::CHUNK_BYTES;
use taskcell_wire::{ItemReader, JobId};

use super::{Broker, PoolId};
use crate::chunk::Chunk;

/// Values of one job, in order.
#[derive(Debug)]
pub(super) struct Feed {
    /// As [`ItemWriter`](taskcell_wire::ItemWriter) wrote them.
    items: Vec<u8>,
    /// Where the next one begins.
    at: usize,
    /// How many are left.
    left: u32,
    /// The next one's place in its job.
    next: u64,
}

impl Feed {
    pub(super) fn new(items: Vec<u8>, count: u32, first: u64) -> Self {
        Self { items, at: 0, left: count, next: first }
    }

    /// What it counts for of all bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.items.len().saturating_sub(self.at) as u64
    }

    /// The next chunk, of so many tasks at most.
    fn take(&mut self, job: JobId, tasks: u32) -> Chunk {
        let rest = self.items.get(self.at..).unwrap_or(&[]);
        let mut reader = ItemReader::new(rest);
        let (mut count, mut length) = (0u32, 0);
        while count < tasks.min(self.left).max(1) && (count == 0 || length < CHUNK_BYTES) && reader.next().is_some() {
            count += 1;
            length = rest.len() - reader.rest().len();
        }
        let items = rest.get(..length).unwrap_or(&[]).to_vec();
        let chunk = Chunk { job, first: self.next, count, items: items.into(), history: Vec::new(), start_by: None };
        self.at += length;
        // What can't be read ends here; there is no such thing, because it was written here.
        self.left = if count == 0 { 0 } else { self.left.saturating_sub(count) };
        self.next = self.next.saturating_add(u64::from(count));
        chunk
    }
}

impl Broker {
    /// Gives a pool as many chunks as it wants.
    pub(super) fn feed(&mut self, id: PoolId) {
        let Some(state) = self.pools.get_mut(&id) else { return };
        while state.pool.wants_more()
            && let Some((job, mut feed)) = state.feeds.pop_front()
        {
            let task = state.pool.job(job).map(|options| options.task);
            let tasks = task.map_or(1, |task| state.pool.chunk_tasks(task));
            let chunk = feed.take(job, tasks);
            let bytes = chunk.items.len() as u64;
            self.bytes = self.bytes.saturating_sub(bytes);
            state.pool.submit(self.now, chunk);
            if feed.left > 0 {
                state.feeds.push_back((job, feed));
            }
        }
    }

    /// Values that wait to be made chunks, counted with all bytes.
    pub(super) fn add_feed(&mut self, id: PoolId, job: JobId, feed: Feed) {
        self.bytes = self.bytes.saturating_add(feed.bytes());
        if let Some(state) = self.pools.get_mut(&id) {
            state.feeds.push_back((job, feed));
            self.dirty.insert(id);
        }
    }

    /// Cancels what waits to be made chunks, of one job or of all.
    pub(super) fn cancel_feeds(&mut self, id: PoolId, only: Option<JobId>) {
        let Some(state) = self.pools.get_mut(&id) else { return };
        let (cancelled, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.feeds).into_iter().partition(|(job, _)| only.is_none_or(|only| only == *job));
        state.feeds = kept.into();
        self.dirty.insert(id);
        for (job, feed) in cancelled {
            self.bytes = self.bytes.saturating_sub(feed.bytes());
            (0..u64::from(feed.left)).for_each(|at| self.task_ended(job, feed.next.saturating_add(at), Ended::Cancelled));
        }
    }
}
