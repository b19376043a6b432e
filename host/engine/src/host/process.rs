//! `taskcell:host/process`.

use std::sync::Arc;

use taskcell_wire::call::{Call, Create, Interest, ProcessCall, ProcessOptions, ProcessReply, Reply, TaskId, Timeout};
use wasmtime::component::Resource;

use super::attempt::Held;
use super::convert::{outcome, state};
use super::interfaces::process::{Host, HostProcess, Options};
use super::interfaces::types::{Outcome, State};
use super::invocation::Invocation;
use super::view::{Handle, certain, certain_or_closed, match_one, short};
use super::waiting::Waitable;
use super::{Fault, View};

/// `process.process`
#[derive(Debug)]
pub struct Process {
    held: Arc<Held>,
    id: TaskId,
    name: String,
}

impl Handle for Process {
    fn held(&self) -> &Arc<Held> {
        &self.held
    }
}

impl Host for View<'_> {}

impl View<'_> {
    fn ask_process<R>(
        &self,
        process: &Resource<Process>,
        call: ProcessCall,
        read: impl FnOnce(ProcessReply<'_>) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Process(self.handle_id(process)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Process(reply) => reply)?))
    }

    fn process_done(&self, process: &Resource<Process>, call: ProcessCall) -> Result<(), Fault> {
        self.ask_process(process, call, |reply| match_one!(reply, ProcessReply::Done => ()))
    }
}

impl HostProcess for View<'_> {
    fn spawn(&mut self, task: Resource<Invocation>, options: Options) -> Result<Resource<Process>, Fault> {
        let invocation = self.use_up(task)?;
        self.room()?;
        let Options { name, timeout, memory_bytes, detached } = options;
        let name = short(name);
        let ((id, number), task) = invocation.send(|task| {
            let options = ProcessOptions { name: name.clone(), timeout, memory_bytes, detached };
            let call = Call::Create(Create::Process { task, options });
            self.ask(&call, |reply| match_one!(reply, Reply::Started(id, number) => (id, number)))
        })?;
        let held = self.hold(id);
        self.add(Process { held, id: number, name: name.unwrap_or(task) })
    }

    fn id(&mut self, process: Resource<Process>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&process)?.id.0)
    }

    fn pid(&mut self, process: Resource<Process>) -> wasmtime::Result<Option<u32>> {
        let pid = self.ask_process(&process, ProcessCall::Pid, |reply| match_one!(reply, ProcessReply::Pid(pid) => pid));
        certain("process.pid", pid)
    }

    fn name(&mut self, process: Resource<Process>) -> wasmtime::Result<String> {
        Ok(self.table.get(&process)?.name.clone())
    }

    fn state(&mut self, process: Resource<Process>) -> wasmtime::Result<State> {
        let now =
            self.ask_process(&process, ProcessCall::State, |reply| match_one!(reply, ProcessReply::State(now) => state(now)));
        certain("process.state", now)
    }

    fn join(&mut self, process: Resource<Process>, timeout: Timeout) -> Result<Outcome, Fault> {
        self.ask_process(&process, ProcessCall::Join { timeout }, |reply| {
            match_one!(reply, ProcessReply::Ended(ended) => ended).and_then(outcome)
        })
    }

    fn terminate(&mut self, process: Resource<Process>, grace: u64) -> wasmtime::Result<()> {
        certain_or_closed("process.terminate", self.process_done(&process, ProcessCall::Terminate { grace }))
    }

    fn kill(&mut self, process: Resource<Process>) -> wasmtime::Result<()> {
        certain_or_closed("process.kill", self.process_done(&process, ProcessCall::Kill))
    }

    fn ended(&mut self, process: Resource<Process>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&process, Interest::In)
    }

    fn drop(&mut self, process: Resource<Process>) -> wasmtime::Result<()> {
        self.forget(process)
    }
}
