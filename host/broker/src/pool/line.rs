//! Chunks that no worker has.
//!
//! The failures that this prevents: one future of a hundred thousand that is cancelled by looking at all of them; answers that come when nobody
//! wants them any more, from a pool that is behind and stays so because it works on what is out of date; a line that asks all workers for
//! room whenever somebody gets in at its end.
//!
//! Chunks stand in a deque, in the order in which workers get them, each with a place that is greater than those before it. A job knows its
//! chunks' places ([`Lane`]), and what has to begin by some moment stands in a set of moments too. A chunk that is taken out of the
//! middle leaves a gap, and gaps are closed when they are more than the chunks. The road not taken is a map by place and one by job: it
//! cost each task 200 ns.
//!
//! Tasks of a job with [`queue_timeout`](crate::JobOptions::queue_timeout) wait here and, for a moment, in a chunk that was lent
//! (`pool/take_back.rs`), never behind another chunk. So what was not begun can be taken out of the line. Jobs without that bound pay nothing for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use taskcell_wire::JobId;

use crate::chunk::Chunk;
use crate::time::Now;

/// Where the first chunk of an empty line stands: far from both ends.
const MIDDLE: u64 = 1 << 63;

/// Where the chunks of a job stand, in order. Most jobs have one or none, and then nothing is allocated.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    first: Option<u64>,
    rest: VecDeque<u64>,
}

impl Lane {
    fn push_back(&mut self, place: u64) {
        if self.first.is_none() {
            self.first = Some(place);
        } else {
            self.rest.push_back(place);
        }
    }

    fn push_front(&mut self, place: u64) {
        if let Some(second) = self.first.replace(place) {
            self.rest.push_front(second);
        }
    }

    /// A chunk of the job stands there no more; mostly that is the first.
    pub(super) fn remove(&mut self, place: u64) {
        if self.first == Some(place) {
            self.first = self.rest.pop_front();
        } else if let Ok(at) = self.rest.binary_search(&place) {
            self.rest.remove(at);
        }
    }
}

/// Chunks in line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By place; the first one is never a gap.
    chunks: VecDeque<(u64, Option<Chunk>)>,
    gaps: usize,
    /// When chunks leave unbegun.
    due: BTreeSet<(Now, u64)>,
    /// No worker had room for the front, and nothing has changed since.
    refused: bool,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.chunks.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether it is known that no worker has room for the front: then whoever gets in line behind it need not ask.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// No worker has room for the front.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    /// A worker may have room now.
    pub(super) fn offer(&mut self) {
        self.refused = false;
    }

    /// The one whose turn it is.
    pub(super) fn front(&self) -> Option<&Chunk> {
        self.chunks.front()?.1.as_ref()
    }

    /// Behind all others. `lane` is its job's.
    pub(super) fn push_back(&mut self, lane: &mut Lane, chunk: Chunk) {
        let place = self.chunks.back().map_or(MIDDLE, |(last, _)| last.saturating_add(1));
        lane.push_back(place);
        self.note(place, &chunk);
        self.chunks.push_back((place, Some(chunk)));
    }

    /// Before all others: one that had its turn. `lane` is its job's.
    pub(super) fn push_front(&mut self, lane: &mut Lane, chunk: Chunk) {
        self.refused = false;
        let place = self.chunks.front().map_or(MIDDLE, |(first, _)| first.saturating_sub(1));
        lane.push_front(place);
        self.note(place, &chunk);
        self.chunks.push_front((place, Some(chunk)));
    }

    fn note(&mut self, place: u64, chunk: &Chunk) {
        if let Some(at) = chunk.start_by {
            self.due.insert((at, place));
        }
    }

    /// The one whose turn it is. `lane` is its job's.
    pub(super) fn pop_front(&mut self, lane: Option<&mut Lane>) -> Option<Chunk> {
        self.refused = false;
        let (place, chunk) = self.chunks.pop_front()?;
        if let Some(lane) = lane {
            lane.remove(place);
        }
        self.trim();
        self.forget(place, chunk)
    }

    fn forget(&mut self, place: u64, chunk: Option<Chunk>) -> Option<Chunk> {
        if let Some(at) = chunk.as_ref()?.start_by {
            self.due.remove(&(at, place));
        }
        chunk
    }

    /// Takes a chunk out of the middle.
    fn take(&mut self, place: u64) -> Option<Chunk> {
        self.refused = false;
        let at = self.chunks.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        let chunk = self.chunks.get_mut(at)?.1.take()?;
        self.gaps += 1;
        self.trim();
        if self.gaps > self.chunks.len() / 2 {
            self.chunks.retain(|(_, chunk)| chunk.is_some());
            self.gaps = 0;
        }
        self.forget(place, Some(chunk))
    }

    /// No gap is first or last.
    fn trim(&mut self) {
        if self.gaps == 0 {
            return;
        }
        while self.chunks.front().is_some_and(|(_, chunk)| chunk.is_none()) {
            self.chunks.pop_front();
            self.gaps -= 1;
        }
        while self.chunks.back().is_some_and(|(_, chunk)| chunk.is_none()) {
            self.chunks.pop_back();
            self.gaps -= 1;
        }
    }

    /// When the next chunk leaves unbegun.
    pub(super) fn next_due(&self) -> Option<Now> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The chunk that should have begun by now, the one that is due longest first, and the place that its job's lane is to forget.
    pub(super) fn pop_due(&mut self, now: Now) -> Option<(u64, Chunk)> {
        let (_, place) = self.due.first().filter(|(at, _)| *at <= now).copied()?;
        Some((place, self.take(place)?))
    }

    /// Takes all of a job's, in order.
    pub(super) fn take_lane(&mut self, lane: &mut Lane) -> Vec<Chunk> {
        let Lane { first, rest } = std::mem::take(lane);
        first.into_iter().chain(rest).filter_map(|place| self.take(place)).collect()
    }

    /// Takes all, in order. The lanes are to be cleared too.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Chunk> + use<> {
        std::mem::take(self).chunks.into_iter().filter_map(|(_, chunk)| chunk)
    }
}

/// Chunks that wait for a moment before they get in line again: their tasks began, and failed.
#[derive(Debug, Default)]
pub(super) struct Later {
    chunks: BTreeMap<(Now, u64), Chunk>,
    of_job: BTreeSet<(JobId, Now, u64)>,
    pushed: u64,
}

impl Later {
    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn push(&mut self, at: Now, chunk: Chunk) {
        self.pushed += 1;
        self.of_job.insert((chunk.job, at, self.pushed));
        self.chunks.insert((at, self.pushed), chunk);
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Now> {
        self.chunks.first_key_value().map(|((at, _), _)| *at)
    }

    /// One that is due by now, the earliest first.
    pub(super) fn pop_due(&mut self, now: Now) -> Option<Chunk> {
        let entry = self.chunks.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, number), chunk) = entry.remove_entry();
        self.of_job.remove(&(chunk.job, at, number));
        Some(chunk)
    }

    /// Takes all of a job's, the earliest first.
    pub(super) fn take_job(&mut self, job: JobId) -> Vec<Chunk> {
        let mut taken = Vec::new();
        while let Some(key) = self.of_job.range((job, Now(0), 0)..).next().copied().filter(|(of, _, _)| *of == job) {
            self.of_job.remove(&key);
            taken.extend(self.chunks.remove(&(key.1, key.2)));
        }
        taken
    }

    /// Takes all, the earliest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Chunk> + use<> {
        self.of_job.clear();
        std::mem::take(&mut self.chunks).into_values()
    }
}

#[cfg(test)]
mod tests;
