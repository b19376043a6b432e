//! New objects, for those who ask and within what one may have.

use taskcell_wire::call::{
    BarrierOptions, CallError, Create, End, LockOptions, ObjectId, PipeOptions, QueueOptions, QueueRights, Reply,
    SemaphoreOptions,
};

use super::handles::Grant;
use super::objects::Body;
use super::{Answer, Broker, Caller};
use crate::shared_map::MapView;
use crate::{Barrier, Event, Lock, Pipe, Queue, Semaphore, SharedMap};

impl Broker {
    pub(super) fn create(&mut self, caller: &Caller, create: Create<'_>) -> Answer {
        match create {
            Create::Queue(options) => self.create_queue(caller, &options),
            Create::Pipe(options) => self.create_pipe(caller, &options),
            Create::Map(name) => self.create_map(caller, name.as_deref()),
            Create::Lock(options) => self.create_lock(caller, &options),
            Create::Semaphore(options) => self.create_semaphore(caller, &options),
            Create::Event(name) => self.create_event(caller, name.as_deref()),
            Create::Condition { lock, name } => self.create_condition(caller, lock, name.as_deref()),
            Create::Barrier(options) => self.create_barrier(caller, options),
            Create::Process { task, options } => self.spawn(caller, task, options),
            Create::Pool(settings) => self.create_pool(caller, settings),
        }
    }

    /// Whether there may be so many more objects.
    pub(super) fn check_objects(&self, more: usize) -> Result<(), CallError> {
        let most = self.options.limits.objects;
        if self.objects.len().saturating_add(more) > most as usize {
            return Err(CallError::Quota(format!("{most} queues, pipes, maps and the like of this job")));
        }
        Ok(())
    }

    /// Makes an object with one handle, the caller's.
    fn make(&mut self, caller: &Caller, grant: Grant, body: impl FnOnce(ObjectId) -> Result<Body, CallError>) -> Answer {
        self.check_handles(caller.worker, 1)?;
        self.check_objects(1)?;
        let id = ObjectId(self.next.object());
        let body = body(id)?;
        self.add_object(id, body);
        self.grant(caller.worker, id, grant).map(Reply::Handle).ok_or(CallError::Closed)
    }

    fn create_queue(&mut self, caller: &Caller, options: &QueueOptions) -> Answer {
        let quotas = self.options.quotas;
        self.make(caller, Grant::Queue(QueueRights::ALL), |id| Ok(Body::Queue(Box::new(Queue::new(id, options, quotas)?))))
    }

    fn create_pipe(&mut self, caller: &Caller, options: &PipeOptions) -> Answer {
        self.check_handles(caller.worker, 2)?;
        self.check_objects(1)?;
        let id = ObjectId(self.next.object());
        let pipe = Pipe::new(id, options, caller.holder, self.options.quotas);
        self.add_object(id, Body::Pipe(Box::new(pipe)));
        let first = self.grant(caller.worker, id, Grant::Connection(End::First));
        let second = self.grant(caller.worker, id, Grant::Connection(End::Second));
        first.zip(second).map(|(first, second)| Reply::Ends(first, second)).ok_or(CallError::Closed)
    }

    fn create_map(&mut self, caller: &Caller, name: Option<&str>) -> Answer {
        let quotas = self.options.quotas;
        let grant = Grant::Map(std::sync::Arc::new(MapView::default()));
        self.make(caller, grant, |id| Ok(Body::Map(Box::new(SharedMap::new(id, name, quotas)))))
    }

    fn create_lock(&mut self, caller: &Caller, options: &LockOptions) -> Answer {
        let quotas = self.options.quotas;
        self.make(caller, Grant::Lock, |id| Ok(Body::Lock(Box::new(Lock::new(id, options, quotas)))))
    }

    fn create_semaphore(&mut self, caller: &Caller, options: &SemaphoreOptions) -> Answer {
        let quotas = self.options.quotas;
        self.make(caller, Grant::Semaphore, |id| Ok(Body::Semaphore(Box::new(Semaphore::new(id, options, quotas)))))
    }

    fn create_event(&mut self, caller: &Caller, name: Option<&str>) -> Answer {
        let quotas = self.options.quotas;
        self.make(caller, Grant::Event, |id| Ok(Body::Event(Box::new(Event::new(id, name, quotas)))))
    }

    fn create_condition(&mut self, caller: &Caller, lock: taskcell_wire::call::HandleId, name: Option<&str>) -> Answer {
        let lock = self.object_of(caller.worker, lock, &Grant::Lock)?;
        let mut made = ObjectId(0);
        let reply = self.make(caller, Grant::Condition, |id| {
            made = id;
            Ok(Body::Condition(lock))
        })?;
        self.use_object(lock);
        self.step(lock, None, |body, _| {
            if let Body::Lock(lock) = body {
                lock.add_condition(made, name);
            }
        });
        Ok(reply)
    }

    fn create_barrier(&mut self, caller: &Caller, options: BarrierOptions) -> Answer {
        let quotas = self.options.quotas;
        self.make(caller, Grant::Barrier, |id| Ok(Body::Barrier(Box::new(Barrier::new(id, &options, quotas)?))))
    }
}
