//! `taskcell:host/queue`.

use std::sync::Arc;

use taskcell_wire::call::{Call, Create, LeaseId, QueueCall, QueueCounts, QueueOptions, QueueReply, QueueRights, Reply, Timeout};
use taskcell_wire::call::{HandleId, Interest};
use wasmtime::component::Resource;

use super::attempt::Held;
use super::interfaces::queue::{Counts, Host, HostDelivery, HostQueue, Options, RejectedMessage, Rights};
use super::view::{batch, certain, handles, match_one, short};
use super::waiting::Waitable;
use super::{Fault, View};

handles! {
    /// `queue.queue`
    Queue
}

/// `queue.delivery`
#[derive(Debug)]
pub struct Delivery {
    queue: Arc<Held>,
    lease: LeaseId,
    attempt: u32,
    message: Vec<u8>,
    /// Nothing is to be given back when it is dropped: it was answered for, or its lease is over.
    is_over: bool,
}

impl View<'_> {
    fn ask_queue<R>(
        &self,
        queue: HandleId,
        call: QueueCall<'_>,
        read: impl FnOnce(QueueReply<'_>) -> Option<R>,
    ) -> Result<R, Fault> {
        self.ask(&Call::Queue(queue, call), |reply| read(match_one!(reply, Reply::Queue(reply) => reply)?))
    }

    fn queue_done(&self, queue: &Resource<Queue>, call: QueueCall<'_>) -> Result<(), Fault> {
        self.ask_queue(self.handle_id(queue)?, call, |reply| match_one!(reply, QueueReply::Done => ()))
    }

    fn queue_counts(&self, function: &str, queue: &Resource<Queue>) -> wasmtime::Result<QueueCounts> {
        let counts = |id| self.ask_queue(id, QueueCall::Counts, |reply| match_one!(reply, QueueReply::Counts(counts) => counts));
        certain(function, self.handle_id(queue).and_then(counts))
    }

    /// Answers for a delivery. Only an answer that says so leaves it as it was.
    fn answer_for(
        &mut self,
        delivery: &Resource<Delivery>,
        is_over: bool,
        call: impl FnOnce(LeaseId) -> QueueCall<'static>,
    ) -> Result<(), Fault> {
        let Delivery { queue, lease, .. } = self.table.get(delivery)?;
        let answered = self.ask_queue(queue.id()?, call(*lease), |reply| match_one!(reply, QueueReply::Done => ()));
        let lapsed = matches!(answered, Err(Fault::Answered(taskcell_wire::CallError::Lapsed)));
        if lapsed || is_over && answered.is_ok() {
            self.table.get_mut(delivery)?.is_over = true;
        }
        answered
    }
}

impl Host for View<'_> {}

impl HostQueue for View<'_> {
    fn create(&mut self, options: Options) -> Result<Resource<Queue>, Fault> {
        let Options { capacity, max_attempts, name } = options;
        self.create_new(Create::Queue(QueueOptions { capacity, max_attempts, name: short(name) }), Queue)
    }

    fn put(&mut self, queue: Resource<Queue>, message: Vec<u8>, timeout: Timeout) -> Result<(), Fault> {
        self.queue_done(&queue, QueueCall::Put { message: message.as_slice().into(), timeout })
    }

    fn put_many(&mut self, queue: Resource<Queue>, messages: Vec<Vec<u8>>, timeout: Timeout) -> Result<(), Fault> {
        let messages = batch(messages.iter().map(|message| message.as_slice().into()).collect())?;
        self.queue_done(&queue, QueueCall::PutMany { messages, timeout })
    }

    fn get(&mut self, queue: Resource<Queue>, timeout: Timeout) -> Result<Vec<u8>, Fault> {
        let id = self.handle_id(&queue)?;
        self.ask_queue(
            id,
            QueueCall::Get { timeout },
            |reply| match_one!(reply, QueueReply::Message(message) => message.to_vec()),
        )
    }

    fn get_many(&mut self, queue: Resource<Queue>, limit: u32, timeout: Timeout) -> Result<Vec<Vec<u8>>, Fault> {
        self.ask_queue(self.handle_id(&queue)?, QueueCall::GetMany { limit, timeout }, |reply| {
            match_one!(reply, QueueReply::Messages(messages) => messages.iter().map(|message| message.to_vec()).collect())
        })
    }

    fn receive(&mut self, queue: Resource<Queue>, lease: u64, timeout: Timeout) -> Result<Resource<Delivery>, Fault> {
        self.room()?;
        // Nobody knows how long the message is; so there may be one too many, but no more.
        self.keep(1)?;
        self.stop_keeping(1);
        let held = self.held(&queue)?;
        let delivery = self.ask_queue(held.id()?, QueueCall::Receive { lease, timeout }, |reply| {
            match_one!(reply, QueueReply::Delivery { lease, attempt, message } => {
                Delivery { queue: held, lease, attempt, message: message.to_vec(), is_over: false }
            })
        })?;
        self.host.kept = self.host.kept.saturating_add(delivery.message.len());
        self.add(delivery)
    }

    fn len(&mut self, queue: Resource<Queue>) -> wasmtime::Result<u32> {
        Ok(self.queue_counts("queue.len", &queue)?.waiting)
    }

    fn counts(&mut self, queue: Resource<Queue>) -> wasmtime::Result<Counts> {
        let QueueCounts { waiting, leased, delayed, rejected, dropped } = self.queue_counts("queue.counts", &queue)?;
        Ok(Counts { waiting, leased, delayed, rejected, dropped })
    }

    fn close(&mut self, queue: Resource<Queue>) -> Result<(), Fault> {
        self.queue_done(&queue, QueueCall::Close)
    }

    fn join(&mut self, queue: Resource<Queue>, timeout: Timeout) -> Result<(), Fault> {
        self.queue_done(&queue, QueueCall::Join { timeout })
    }

    fn take_rejected(&mut self, queue: Resource<Queue>, limit: u32) -> Result<Vec<RejectedMessage>, Fault> {
        self.ask_queue(self.handle_id(&queue)?, QueueCall::TakeRejected { limit }, |reply| {
            let messages = match_one!(reply, QueueReply::Rejected(messages) => messages)?;
            let each = messages.iter().map(|one| RejectedMessage { message: one.message.to_vec(), attempts: one.attempts });
            Some(each.collect())
        })
    }

    fn restrict(&mut self, queue: Resource<Queue>, rights: Rights) -> Result<Resource<Queue>, Fault> {
        let rights = QueueRights { get: rights.contains(Rights::GET), put: rights.contains(Rights::PUT) };
        let call = Call::RestrictQueue(self.handle_id(&queue)?, rights);
        self.make_new(&call, Queue)
    }

    fn get_ready(&mut self, queue: Resource<Queue>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&queue, Interest::In)
    }

    fn put_ready(&mut self, queue: Resource<Queue>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&queue, Interest::Out)
    }

    fn drop(&mut self, queue: Resource<Queue>) -> wasmtime::Result<()> {
        self.forget(queue)
    }
}

impl HostDelivery for View<'_> {
    fn message(&mut self, delivery: Resource<Delivery>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&delivery)?.message.clone())
    }

    fn attempt(&mut self, delivery: Resource<Delivery>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&delivery)?.attempt)
    }

    fn ack(&mut self, delivery: Resource<Delivery>) -> Result<(), Fault> {
        self.answer_for(&delivery, true, |lease| QueueCall::Ack { lease })
    }

    fn nack(&mut self, delivery: Resource<Delivery>, delay: u64) -> Result<(), Fault> {
        self.answer_for(&delivery, true, |lease| QueueCall::Nack { lease, delay })
    }

    fn extend(&mut self, delivery: Resource<Delivery>, lease_for: u64) -> Result<(), Fault> {
        self.answer_for(&delivery, false, |lease| QueueCall::Extend { lease, by: lease_for })
    }

    fn reject(&mut self, delivery: Resource<Delivery>) -> Result<(), Fault> {
        self.answer_for(&delivery, true, |lease| QueueCall::Reject { lease })
    }

    fn drop(&mut self, delivery: Resource<Delivery>) -> wasmtime::Result<()> {
        let Delivery { queue, lease, message, is_over, .. } = self.table.delete(delivery)?;
        self.stop_keeping(message.len());
        if is_over {
            return Ok(());
        }
        // Whatever the answer is: the lease may be over by now, and nobody is there to be told.
        match queue.id().and_then(|id| self.ask_queue(id, QueueCall::Nack { lease, delay: 0 }, |_| Some(()))) {
            Ok(()) | Err(Fault::Answered(_)) => Ok(()),
            Err(Fault::Trap(error)) => Err(error),
        }
    }
}
