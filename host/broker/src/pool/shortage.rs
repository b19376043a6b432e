//! Workers that could not be started: the machine has no more processes, descriptors, threads or memory.
//!
//! The failure that this prevents: a pool that asks for more workers than the machine has room for, and stops although some of them
//! are at work.

use taskcell_wire::WorkerId;

use super::{Pool, Slot};
use crate::restart::Restart;
use crate::time::Now;

impl Pool {
    /// A worker could not be started, or ended before it was ready for want of something. The pool goes on with those that it has and
    /// tries again later; without any it gives up after some tries.
    pub fn could_not_start(&mut self, now: Now, id: WorkerId, why: &str) {
        let Some(at) = self.slots.iter().position(|slot| slot.id() == Some(id)) else { return };
        if !matches!(self.slots.get(at), Some(Slot::Starting { .. })) {
            return self.worker_gone(now, id, 0, why.to_owned(), None);
        }
        let here = |slot: &Slot| match slot {
            Slot::Starting { id: other, .. } => *other != id,
            Slot::Ready(worker) => !worker.is_dying(),
            Slot::Empty { .. } | Slot::Leaving(_) | Slot::Closed(_) => false,
        };
        let alone = !self.slots.iter().any(here);
        let (respawn, given_up) = match self.restart.wanting(alone) {
            Restart::After(wait) => (now.plus(wait), false),
            Restart::GiveUp => (now, true),
        };
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot::Empty { respawn };
        }
        if given_up {
            return self.fail(format!("no worker could be started, tried {} times: {why}", self.restart.tries()));
        }
        self.tick(now);
    }
}
