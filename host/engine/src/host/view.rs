//! What a host function works with: the instance's table of handles and the way to the broker.

use std::sync::Arc;

use taskcell_wire::CallError;
use taskcell_wire::call::{BATCH_ITEMS, Batch, Call, Create, HandleId, Interest, Reply};
use wasmtime::component::{HasData, Resource, ResourceTable};

use super::attempt::{Attempts, Held};
use super::waiting::Waitable;
use super::{Fault, Host, TooManyHandles};
use crate::port::PortError;
use crate::trap::{Gone, Stopped};

/// An instance's side of all interfaces; they are implemented on this.
pub(crate) struct View<'a> {
    pub(super) host: &'a mut Host,
    pub(super) table: &'a mut ResourceTable,
}

/// Says to the bindings that it is [`View`] that has the functions.
pub(super) struct Views;

impl HasData for Views {
    type Data<'a> = View<'a>;
}

/// A resource that stands for one of the broker's handles.
pub(super) trait Handle: Send + 'static {
    fn held(&self) -> &Arc<Held>;
}

/// Declares resources that are nothing but a handle.
macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub(super) ::std::sync::Arc<$crate::host::attempt::Held>);

        impl From<::std::sync::Arc<$crate::host::attempt::Held>> for $name {
            fn from(held: ::std::sync::Arc<$crate::host::attempt::Held>) -> Self {
                Self(held)
            }
        }

        impl $crate::host::view::Handle for $name {
            fn held(&self) -> &::std::sync::Arc<$crate::host::attempt::Held> {
                &self.0
            }
        }
    )*};
}
pub(super) use handles;

impl<'a> View<'a> {
    pub(crate) fn new(host: &'a mut Host, table: &'a mut ResourceTable) -> Self {
        Self { host, table }
    }

    /// Makes a call, and gives what `read` makes of its answer; it makes nothing of one that is of the wrong kind.
    pub(super) fn ask<R>(&self, call: &Call<'_>, read: impl FnOnce(Reply<'_>) -> Option<R>) -> Result<R, Fault> {
        ask(&self.host.attempts, call, read)
    }

    /// Makes a call whose answer is a new handle, which the guest will own as what `wrap` makes of it.
    pub(super) fn make_new<T: Send + 'static>(
        &mut self,
        call: &Call<'_>,
        wrap: impl FnOnce(Arc<Held>) -> T,
    ) -> Result<Resource<T>, Fault> {
        self.room()?;
        let id = self.ask(call, |reply| match_one!(reply, Reply::Handle(id) => id))?;
        let held = self.hold(id);
        self.add(wrap(held))
    }

    /// Makes something new.
    pub(super) fn create_new<T: Send + 'static>(
        &mut self,
        create: Create<'_>,
        wrap: impl FnOnce(Arc<Held>) -> T,
    ) -> Result<Resource<T>, Fault> {
        self.make_new(&Call::Create(create), wrap)
    }

    /// A handle that was just given to this attempt.
    pub(super) fn hold(&self, id: HandleId) -> Arc<Held> {
        Arc::new(Held::new(id, &self.host.attempts))
    }

    /// The number of a handle, for a call.
    pub(super) fn handle_id<T: Handle>(&self, handle: &Resource<T>) -> Result<HandleId, Fault> {
        self.table.get(handle)?.held().id()
    }

    /// Another reference to a handle.
    pub(super) fn held<T: Handle>(&self, handle: &Resource<T>) -> wasmtime::Result<Arc<Held>> {
        Ok(Arc::clone(self.table.get(handle)?.held()))
    }

    /// Fails if the guest can have no handle more: before the call, so that one that fails has changed nothing.
    pub(super) fn room(&mut self) -> Result<(), Fault> {
        match self.table.push(()) {
            Ok(place) => Ok(self.table.delete(place)?),
            Err(_) => Err(CallError::Quota(self.too_many().to_string()).into()),
        }
    }

    /// Gives the guest a handle, for which there is room.
    pub(super) fn add<T: Send + 'static>(&mut self, resource: T) -> Result<Resource<T>, Fault> {
        self.table.push(resource).map_err(|_| CallError::Quota(self.too_many().to_string()).into())
    }

    /// Gives the guest a handle where WIT knows no error: too many end the task, by name.
    pub(super) fn must_add<T: Send + 'static>(&mut self, resource: T) -> wasmtime::Result<Resource<T>> {
        self.table.push(resource).map_err(|_| self.too_many().into())
    }

    fn too_many(&self) -> TooManyHandles {
        TooManyHandles(self.table.max_capacity())
    }

    /// A waitable of one side of a handle, which it keeps alive.
    pub(super) fn waitable<T: Handle>(
        &mut self,
        handle: &Resource<T>,
        interest: Interest,
    ) -> wasmtime::Result<Resource<Waitable>> {
        let held = self.held(handle)?;
        self.must_add(Waitable { held, interest })
    }

    /// The guest dropped a handle.
    pub(super) fn forget<T: Send + 'static>(&mut self, handle: Resource<T>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }

    /// Counts bytes that the host keeps for the guest. A guest could otherwise have it keep far more than it may have itself, in a
    /// thousand invocations of 16 MiB.
    pub(super) fn keep(&mut self, bytes: usize) -> Result<(), Fault> {
        let kept = self.host.kept.saturating_add(bytes);
        if kept > self.host.most_kept {
            let most = self.host.most_kept;
            return Err(CallError::Quota(format!("invocations and deliveries keep {most} bytes at most together")).into());
        }
        self.host.kept = kept;
        Ok(())
    }

    /// Takes back what [`keep`](Self::keep) counted.
    pub(super) fn stop_keeping(&mut self, bytes: usize) {
        self.host.kept = self.host.kept.saturating_sub(bytes);
    }
}

/// Makes a call, and gives what `read` makes of its answer; it makes nothing of one that is of the wrong kind.
pub(super) fn ask<R>(attempts: &Attempts, call: &Call<'_>, read: impl FnOnce(Reply<'_>) -> Option<R>) -> Result<R, Fault> {
    let mut read = Some(read);
    let mut result = None;
    let called = attempts.call(call, &mut |answer| {
        // Whoever answers twice is not listened to.
        if let Some(read) = read.take() {
            result = Some(answer.map(read));
        }
    });
    match called {
        Ok(()) => {}
        Err(PortError::Stopped(reason)) => return Err(Fault::Trap(Stopped(reason).into())),
        Err(PortError::Gone(why)) => return Err(Fault::Trap(Gone(why).into())),
    }
    match result {
        Some(Ok(Some(result))) => Ok(result),
        Some(Ok(None)) => Err(Fault::Trap(Gone("the answer was of another kind than the call".into()).into())),
        Some(Err(error)) => Err(Fault::Answered(error)),
        None => Err(Fault::Trap(Gone("there was no answer".into()).into())),
    }
}

/// What a pattern takes out of a value; `None` if it is another.
macro_rules! match_one {
    ($value:expr, $pattern:pat => $result:expr) => {
        if let $pattern = $value { Some($result) } else { None }
    };
}
pub(super) use match_one;

/// A list as it may travel.
pub(super) fn batch<T>(items: Vec<T>) -> Result<Batch<T>, Fault> {
    if items.len() > BATCH_ITEMS {
        let found = items.len();
        return Err(CallError::Quota(format!("a call takes a list of {BATCH_ITEMS} at most, this one has {found}")).into());
    }
    Ok(Batch(items))
}

/// A name for people, as long as it is ever shown: a guest may well give one of 16 MiB.
pub(super) fn short(name: Option<String>) -> Option<String> {
    name.map(|name| match name.char_indices().nth(64) {
        Some((at, _)) => name.get(..at).unwrap_or_default().to_owned(),
        None => name,
    })
}

/// The answer of a function that can't fail by its type: if it did, the guest does not go on.
pub(super) fn certain<R>(function: &str, answer: Result<R, Fault>) -> wasmtime::Result<R> {
    answer.map_err(|fault| match fault {
        Fault::Answered(error) => wasmtime::format_err!("{function} can't fail, and was answered: {error}"),
        Fault::Trap(error) => error,
    })
}

/// Likewise of one that does nothing where it was done before: what is closed is closed.
pub(super) fn certain_or_closed(function: &str, answer: Result<(), Fault>) -> wasmtime::Result<()> {
    match answer {
        Err(Fault::Answered(CallError::Closed)) => Ok(()),
        answer => certain(function, answer),
    }
}
