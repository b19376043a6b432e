//! `process.invocation` of `taskcell:host/process`: a task's name and its arguments, until it is started.
//!
//! It is built here and nowhere else: only what it becomes travels. That a guest has the host keep bytes for it has a limit, which
//! pushing can't tell since it has no error; spawning tells it.

use std::mem::size_of;
use std::sync::Arc;

use taskcell_wire::CallError;
use taskcell_wire::call::{self, Argument, BATCH_ITEMS, Batch};
use wasmtime::component::Resource;

use super::attempt::Held;
use super::convert::{value_len, value_to_wire};
use super::interfaces::process::HostInvocation;
use super::interfaces::types::Value;
use super::pipe::Connection;
use super::queue::Queue;
use super::shared_map::SharedMap;
use super::sync::{Barrier, Condition, Event, Lock, Semaphore};
use super::view::Handle;
use super::{Fault, View};

/// How long a task's name may be beside the longest value, in bytes.
const NAME: usize = 4096;

/// One argument that was pushed.
#[derive(Debug)]
enum Pushed {
    Value(Value),
    /// The caller keeps its own handle of the object.
    Lent(Arc<Held>),
    /// The caller's handle is gone.
    Moved(Arc<Held>),
}

impl Pushed {
    fn to_wire(&self) -> Result<Argument<'_>, Fault> {
        match self {
            Self::Value(value) => Ok(Argument::Value(value_to_wire(value))),
            Self::Lent(held) | Self::Moved(held) => held.id().map(Argument::Handle),
        }
    }
}

/// `process.invocation`: it is built here, and only what it becomes travels.
#[derive(Debug)]
pub struct Invocation {
    task: String,
    arguments: Vec<Pushed>,
    /// Bytes of its name and its values, which have to fit into one message.
    bytes: usize,
    /// What is counted for it as kept, the places in the list included: a million empty values take 40 MB.
    kept: usize,
    /// Why it can't be used: it grew over a limit, and was emptied. Pushing has no error; spawning has.
    refused: Option<CallError>,
}

impl View<'_> {
    /// Adds an argument, as long as the invocation is within what one message takes.
    fn push_argument(&mut self, invocation: &Resource<Invocation>, argument: Pushed) -> wasmtime::Result<()> {
        let length = match &argument {
            Pushed::Value(value) => value_len(value),
            Pushed::Lent(_) | Pushed::Moved(_) => 0,
        };
        let kept = length.saturating_add(size_of::<Pushed>());
        let Invocation { bytes, arguments, refused, .. } = self.table.get(invocation)?;
        if refused.is_some() {
            return Ok(());
        }
        let refusal = if arguments.len() == BATCH_ITEMS {
            Some(CallError::Quota(format!("an invocation takes {BATCH_ITEMS} arguments at most")))
        } else if let Err(error) = self.fits(bytes.saturating_add(length)) {
            Some(error)
        } else {
            match self.keep(kept) {
                Ok(()) => None,
                Err(Fault::Answered(error)) => Some(error),
                Err(Fault::Trap(error)) => return Err(error),
            }
        };
        let invocation = self.table.get_mut(invocation)?;
        if let Some(error) = refusal {
            let kept = std::mem::take(&mut invocation.kept);
            invocation.arguments = Vec::new();
            invocation.refused = Some(error);
            self.stop_keeping(kept);
        } else {
            invocation.bytes = invocation.bytes.saturating_add(length);
            invocation.kept = invocation.kept.saturating_add(kept);
            invocation.arguments.push(argument);
        }
        Ok(())
    }

    /// Whether an invocation may have so many bytes. Its name may come on top of the longest value, and the numbers of its arguments
    /// find room in any frame.
    fn fits(&self, bytes: usize) -> Result<(), CallError> {
        let most = self.host.most_in_message;
        if bytes > most.saturating_add(NAME) {
            return Err(CallError::Quota(format!("an invocation takes {most} bytes at most")));
        }
        Ok(())
    }

    fn push_lent<T: Handle>(&mut self, invocation: &Resource<Invocation>, handle: &Resource<T>) -> wasmtime::Result<()> {
        let held = self.held(handle)?;
        self.push_argument(invocation, Pushed::Lent(held))
    }

    /// Takes the invocation out of the guest's hands: it is used up, whatever comes of it.
    pub(super) fn use_up(&mut self, invocation: Resource<Invocation>) -> wasmtime::Result<Invocation> {
        let invocation = self.table.delete(invocation)?;
        self.stop_keeping(invocation.kept);
        Ok(invocation)
    }
}

impl Invocation {
    /// Makes a call with this. The ends of pipes in it went away with the call, whatever the answer was; if no call was made, they are
    /// closed with the invocation.
    pub(super) fn send<R>(self, send: impl FnOnce(call::Invocation<'_>) -> Result<R, Fault>) -> Result<(R, String), Fault> {
        let Self { task, arguments, refused, .. } = self;
        if let Some(error) = refused {
            return Err(error.into());
        }
        let all = arguments.iter().map(Pushed::to_wire).collect::<Result<Vec<_>, Fault>>()?;
        let sent = send(call::Invocation { task: &task, arguments: Batch(all) });
        for pushed in &arguments {
            if let Pushed::Moved(held) = pushed {
                held.give();
            }
        }
        Ok((sent?, task))
    }
}

impl HostInvocation for View<'_> {
    fn new(&mut self, task: String) -> wasmtime::Result<Resource<Invocation>> {
        let bytes = task.len();
        let mut invocation = Invocation { task, arguments: Vec::new(), bytes, kept: bytes, refused: None };
        match self.fits(bytes).map_err(Fault::from).and_then(|()| self.keep(bytes)) {
            Ok(()) => {}
            Err(Fault::Answered(error)) => {
                invocation = Invocation { task: String::new(), arguments: Vec::new(), bytes: 0, kept: 0, refused: Some(error) };
            }
            Err(Fault::Trap(error)) => return Err(error),
        }
        self.must_add(invocation)
    }

    fn push(&mut self, invocation: Resource<Invocation>, value: Value) -> wasmtime::Result<()> {
        self.push_argument(&invocation, Pushed::Value(value))
    }

    fn push_queue(&mut self, invocation: Resource<Invocation>, queue: Resource<Queue>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &queue)
    }

    fn push_connection(&mut self, invocation: Resource<Invocation>, end: Resource<Connection>) -> wasmtime::Result<()> {
        let Connection(held) = self.table.delete(end)?;
        self.push_argument(&invocation, Pushed::Moved(held))
    }

    fn push_shared_map(&mut self, invocation: Resource<Invocation>, shared: Resource<SharedMap>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &shared)
    }

    fn push_lock(&mut self, invocation: Resource<Invocation>, lock: Resource<Lock>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &lock)
    }

    fn push_semaphore(&mut self, invocation: Resource<Invocation>, semaphore: Resource<Semaphore>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &semaphore)
    }

    fn push_event(&mut self, invocation: Resource<Invocation>, event: Resource<Event>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &event)
    }

    fn push_condition(&mut self, invocation: Resource<Invocation>, condition: Resource<Condition>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &condition)
    }

    fn push_barrier(&mut self, invocation: Resource<Invocation>, barrier: Resource<Barrier>) -> wasmtime::Result<()> {
        self.push_lent(&invocation, &barrier)
    }

    fn drop(&mut self, invocation: Resource<Invocation>) -> wasmtime::Result<()> {
        self.use_up(invocation).map(drop)
    }
}
