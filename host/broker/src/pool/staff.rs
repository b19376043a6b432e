//! How many workers there are: started when they are needed, replaced when they are used up, let go when there are too many.
//!
//! The failure that this prevents: tasks that wait for a worker while all workers run tasks that wait for them. A task that waits for
//! other tasks lends its place, so the pool may have one worker more meanwhile ([`Pool::set_extra`]).

use taskcell_wire::WorkerId;

use super::{Pool, Slot};
use crate::effect::PoolEffect;
use crate::time::Now;

impl Pool {
    /// How many workers there may be.
    fn most(&self) -> usize {
        (self.options.workers.max(1) as usize).saturating_add(self.extra as usize)
    }

    /// How many workers it may have beside its own, from now on.
    pub fn set_extra(&mut self, now: Now, extra: u32) {
        if self.extra != extra {
            self.extra = extra;
            self.staff(now);
        }
    }

    /// How many workers it may have beside its own.
    #[must_use]
    pub fn extra(&self) -> u32 {
        self.extra
    }

    /// How many workers there are beside its own, or will be again after a pause; those not counted that were let go.
    #[must_use]
    pub fn surplus(&self) -> u32 {
        u32::try_from(self.usable()).unwrap_or(u32::MAX).saturating_sub(self.options.workers.max(1))
    }

    /// Chunks for which there will be no worker, unless one more is started.
    #[must_use]
    pub fn unstaffed(&self) -> usize {
        let coming = |slot: &&Slot| match slot {
            Slot::Starting { .. } => true,
            Slot::Ready(worker) => worker.is_idle(),
            Slot::Empty { .. } | Slot::Leaving(_) | Slot::Closed(_) => false,
        };
        self.pending.len().saturating_sub(self.slots.iter().filter(coming).count())
    }

    /// Starts the workers that are wanted.
    pub(super) fn staff(&mut self, now: Now) {
        if self.failed {
            return;
        }
        self.trim();
        let mut live = self.slots.iter().filter(|slot| slot.id().is_some()).count();
        let eager = if self.options.on_demand { 0 } else { self.options.workers.max(1) as usize };
        let mut unstaffed = self.unstaffed();
        for slot in &mut self.slots {
            if let Slot::Empty { respawn } = slot
                && *respawn <= now
                && (live < eager || unstaffed > 0)
            {
                let id = WorkerId(self.next_worker);
                self.next_worker += 1;
                *slot = Slot::Starting { id, since: now };
                self.effects.push(PoolEffect::Spawn(id));
                live += 1;
                unstaffed = unstaffed.saturating_sub(1);
            }
        }
        let mut usable = self.usable();
        while unstaffed > 0 && usable < self.most() {
            usable += 1;
            let id = WorkerId(self.next_worker);
            self.next_worker += 1;
            self.slots.push(Slot::Starting { id, since: now });
            self.effects.push(PoolEffect::Spawn(id));
            unstaffed -= 1;
        }
    }

    /// Whether a worker that ended is to be started again, now or later.
    pub(super) fn wants_staff(&self) -> bool {
        let live = self.slots.iter().filter(|slot| slot.id().is_some()).count();
        (!self.options.on_demand && live < self.options.workers.max(1) as usize) || self.unstaffed() > 0
    }

    /// Slots of workers that are there, or may come.
    fn usable(&self) -> usize {
        self.slots.iter().filter(|slot| !matches!(slot, Slot::Closed(_))).count()
    }

    /// Lets go of workers that are too many and have nothing to do.
    fn trim(&mut self) {
        let mut surplus = self.usable().saturating_sub(self.most());
        while surplus > 0
            && let Some(at) = self.slots.iter().rposition(|slot| matches!(slot, Slot::Empty { .. }))
        {
            self.slots.remove(at);
            surplus -= 1;
        }
        let is_idle = |slot: &&mut Slot| matches!(slot, Slot::Ready(worker) if worker.is_idle());
        for slot in self.slots.iter_mut().rev().filter(is_idle).take(surplus) {
            if let Some(id) = slot.id() {
                self.effects.push(PoolEffect::Retire(id));
                *slot = Slot::Closed(Some(id));
            }
        }
    }

    /// The pool takes no more tasks. Once nothing waits, a worker with nothing more to do is let go, and none is started.
    pub fn retire(&mut self) {
        self.retiring = true;
        self.let_go();
    }

    pub(super) fn let_go(&mut self) {
        if !self.retiring || !self.pending.is_empty() || !self.delayed.is_empty() {
            return;
        }
        for slot in &mut self.slots {
            match slot {
                Slot::Empty { .. } => *slot = Slot::Closed(None),
                Slot::Ready(worker) if worker.is_idle() => {
                    let id = worker.id;
                    self.effects.push(PoolEffect::Retire(id));
                    *slot = Slot::Closed(Some(id));
                }
                // It is let go when it is ready, or when it ended its tasks.
                Slot::Starting { .. } | Slot::Ready(_) | Slot::Closed(_) => {}
                Slot::Leaving(id) => *slot = Slot::Closed(Some(*id)),
            }
        }
    }

    /// Whether it ended: it takes no more tasks, and no worker is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        (self.retiring || self.failed) && self.slots.iter().all(|slot| slot.id().is_none())
    }

    /// Whether something will happen here without a word from outside: a worker starts, ends, or runs a task that does not wait.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        !self.delayed.is_empty()
            || self.pending.next_due().is_some()
            || self.slots.iter().any(|slot| match slot {
                Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(Some(_)) => true,
                Slot::Ready(worker) => worker.is_dying() || (!worker.flights.is_empty() && !worker.waits),
                Slot::Empty { .. } => !self.pending.is_empty(),
                Slot::Closed(None) => false,
            })
    }

    /// Whether no task waits or runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let runs = |slot: &Slot| matches!(slot, Slot::Ready(worker) if !worker.flights.is_empty());
        self.pending.is_empty() && self.delayed.is_empty() && !self.slots.iter().any(runs)
    }

    /// Workers that have tasks.
    pub fn busy(&self) -> impl Iterator<Item = WorkerId> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Ready(worker) if !worker.flights.is_empty() => Some(worker.id),
            Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => None,
        })
    }
}
