//! How tasks start others.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{Argument, Batch, Call, Create, HandleId, PoolCall, ProcessOptions};

use super::{Hope, Kind, Program};
use crate::host::{invocation, json, value};

impl Program {
    /// A task with what it needs, and what of that is lent; now and then one that can't be started.
    fn something(&mut self, id: WorkerId) -> (String, Vec<Argument<'static>>, Vec<Kind>) {
        let module = if self.random.once_in(6) { "other/" } else { "" };
        let all = self.of_kind(id, |kind| kind.handle_kind().is_some());
        let Some(handle) = self.random.pick(&all).filter(|_| !self.random.once_in(4)) else {
            let (task, arguments) = match self.random.below(8) {
                0 => ("no-such-task", vec![]),
                1 => ("add", vec![value("1")]),
                2..=3 => ("add", vec![value("1"), value("2")]),
                _ => ("quiet", vec![]),
            };
            return (format!("{module}{task}"), arguments, Vec::new());
        };
        let kind = self.guests[&id].handles[&handle];
        let name = kind.handle_kind().map_or("nothing", taskcell_wire::call::HandleKind::name);
        match self.random.below(8) {
            // An argument that does not fit, or is nobody's.
            0 => ("quiet".into(), vec![Argument::Handle(handle)], vec![kind]),
            1 => (format!("with-{name}"), vec![Argument::Handle(HandleId(999))], vec![]),
            2 => {
                let (queues, ends) = (
                    self.of_kind(id, |kind| matches!(kind, Kind::Queue(_))),
                    self.of_kind(id, |kind| matches!(kind, Kind::End(_))),
                );
                let (Some(queue), Some(end)) = (self.random.pick(&queues), self.random.pick(&ends)) else {
                    return (format!("with-{name}"), vec![Argument::Handle(handle)], vec![kind]);
                };
                let kinds = [queue, end].map(|handle| self.guests[&id].handles[&handle]).to_vec();
                ("relay".into(), vec![Argument::Handle(queue), Argument::Handle(end), value("7")], kinds)
            }
            _ => (format!("{module}with-{name}"), vec![Argument::Handle(handle)], vec![kind]),
        }
    }

    /// Ends of pipes that go with an invocation are not the caller's any more, whatever comes of it.
    fn moved(&mut self, id: WorkerId, arguments: &[Argument<'_>]) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        for argument in arguments {
            if let Argument::Handle(handle) = argument
                && matches!(guest.handles.get(handle), Some(Kind::End(_)))
            {
                guest.handles.remove(handle);
            }
        }
    }

    pub(super) fn spawn(&mut self, id: WorkerId) {
        let (task, arguments, lent) = self.something(id);
        let detached = self.random.once_in(4);
        let options =
            ProcessOptions { timeout: self.random.once_in(4).then_some(8_000_000), detached, ..ProcessOptions::default() };
        self.moved(id, &arguments);
        let create = Create::Process { task: invocation(&task, arguments), options };
        self.made_call(id, Call::Create(create), Hope::Process(lent, !detached));
    }

    pub(super) fn values(&mut self) -> Vec<String> {
        (0..self.random.below(6)).map(|_| self.random.below(1000).to_string()).collect()
    }

    pub(super) fn use_pool(&mut self, id: WorkerId, pool: HandleId) {
        match self.random.below(10) {
            0..=3 => {
                let (task, arguments, lent) = self.something(id);
                self.moved(id, &arguments);
                let call = PoolCall::Submit(invocation(&task, arguments));
                self.made_call(id, Call::Pool(pool, call), Hope::Future(lent));
            }
            4..=5 => {
                let texts = self.values();
                let values = Batch(texts.iter().map(|text| json(text)).collect());
                self.made_call(id, Call::Pool(pool, PoolCall::Map { task: "fib", values }), Hope::Outcomes(texts));
            }
            6 => {
                let call = PoolCall::Imap { task: "fib", ordered: self.random.once_in(2), window: self.random.between(0, 3) };
                self.made_call(id, Call::Pool(pool, call), Hope::Handle(Kind::Mapping));
            }
            7 => {
                let timeout = self.timeout();
                self.made_call(id, Call::Pool(pool, PoolCall::Drain { timeout }), Hope::Nothing);
            }
            8 => {
                let call = PoolCall::Shutdown { cancel_pending: self.random.once_in(2) };
                self.made_call(id, Call::Pool(pool, call), Hope::Nothing);
            }
            _ => self.made_call(id, Call::Pool(pool, PoolCall::Kill), Hope::Nothing),
        }
    }
}
