//! `queue.put`, `queue.get`, `connection.send` and `connection.recv` again, with messages that are not copied on their way through here.
//!
//! The bindings make a `Vec` of every `list<u8>` before a function of theirs is called, and give one back. For a message of 1 MiB these are two
//! copies of seven, and for a short one an allocation. These functions read a message where it lies in the guest's memory, and give
//! back what the answer came in. They take the place of those of the bindings, which the bindings' traits demand all the same, and do what those do.

use std::sync::Arc;

use taskcell_wire::call::{Bytes, Call, HandleId, PipeCall, PipeReply, QueueCall, QueueReply, Reply, SharedBytes, Timeout};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, WasmList};

use super::Fault;
use super::interfaces::types::{Error, Host as _};
use super::pipe::Connection;
use super::queue::Queue;
use super::view::{Handle, ask, match_one};
use crate::state::State;

/// The interfaces and functions whose place is taken.
const QUEUE: &str = "taskcell:host/queue@0.1.0";
const PIPE: &str = "taskcell:host/pipe@0.1.0";
const PUT: &str = "[method]queue.put";
const GET: &str = "[method]queue.get";
const SEND: &str = "[method]connection.send";
const RECV: &str = "[method]connection.recv";

/// What a function with WIT's `result<T, error>` gives back.
type Answered<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Links functions in the place of others, and nothing else: a name that is linked twice by mistake stays an error.
fn instead(linker: &mut Linker<State>, link: fn(&mut Linker<State>) -> wasmtime::Result<()>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let linked = link(linker);
    linker.allow_shadowing(false);
    linked
}

/// Lets `queue.put` and `queue.get` be these.
pub(super) fn queue(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    instead(linker, link_queue)
}

/// Lets `connection.send` and `connection.recv` be these.
pub(super) fn pipe(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    instead(linker, link_pipe)
}

fn link_queue(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut queue = linker.instance(QUEUE)?;
    queue.func_wrap(
        PUT,
        |store: StoreContextMut<'_, State>, (queue, message, timeout): (Resource<Queue>, WasmList<u8>, Timeout)| {
            give(store, &queue, &message, timeout, put_call, |reply| match_one!(reply, Reply::Queue(QueueReply::Done) => ()))
        },
    )?;
    queue.func_wrap(GET, |store: StoreContextMut<'_, State>, (queue, timeout): (Resource<Queue>, Timeout)| {
        let call = |queue| Call::Queue(queue, QueueCall::Get { timeout });
        take(store, &queue, call, |reply| match_one!(reply, Reply::Queue(QueueReply::Message(message)) => message.into_shared()))
    })
}

fn link_pipe(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut pipe = linker.instance(PIPE)?;
    pipe.func_wrap(
        SEND,
        |store: StoreContextMut<'_, State>, (end, message, timeout): (Resource<Connection>, WasmList<u8>, Timeout)| {
            give(store, &end, &message, timeout, send_call, |reply| match_one!(reply, Reply::Pipe(PipeReply::Done) => ()))
        },
    )?;
    pipe.func_wrap(RECV, |store: StoreContextMut<'_, State>, (end, timeout): (Resource<Connection>, Timeout)| {
        let call = |end| Call::Pipe(end, PipeCall::Recv { timeout });
        take(store, &end, call, |reply| match_one!(reply, Reply::Pipe(PipeReply::Message(message)) => message.into_shared()))
    })
}

fn put_call(queue: HandleId, message: Bytes<'_>, timeout: Timeout) -> Call<'_> {
    Call::Queue(queue, QueueCall::Put { message, timeout })
}

fn send_call(end: HandleId, message: Bytes<'_>, timeout: Timeout) -> Call<'_> {
    Call::Pipe(end, PipeCall::Send { message, timeout })
}

fn give<T: Handle>(
    mut store: StoreContextMut<'_, State>,
    to: &Resource<T>,
    message: &WasmList<u8>,
    timeout: Timeout,
    call: fn(HandleId, Bytes<'_>, Timeout) -> Call<'_>,
    done: fn(Reply<'_>) -> Option<()>,
) -> Answered<()> {
    let view = store.data_mut().host();
    let (id, attempts) = (view.handle_id(to), Arc::clone(&view.host.attempts));
    let given = id.and_then(|id| ask(&attempts, &call(id, message.as_le_slice(&store).into(), timeout), done));
    answered(store, given)
}

fn take<T: Handle>(
    mut store: StoreContextMut<'_, State>,
    from: &Resource<T>,
    call: impl FnOnce(HandleId) -> Call<'static>,
    message: fn(Reply<'_>) -> Option<SharedBytes>,
) -> Answered<SharedBytes> {
    let view = store.data_mut().host();
    let taken = view.handle_id(from).and_then(|id| view.ask(&call(id), message));
    answered(store, taken)
}

fn answered<T>(mut store: StoreContextMut<'_, State>, result: Result<T, Fault>) -> Answered<T> {
    Ok((match result {
        Ok(answer) => Ok(answer),
        Err(fault) => Err(store.data_mut().host().convert_error(fault)?),
    },))
}

#[cfg(test)]
mod tests {
    use super::super::interfaces;
    use super::super::view::Views;
    use super::*;

    /// A name that the bindings don't have would take nobody's place, and nobody would see it.
    #[test]
    fn these_have_the_names_of_the_bindings() -> wasmtime::Result<()> {
        let engine = wasmtime::Engine::default();
        let mut linker = Linker::new(&engine);
        interfaces::queue::add_to_linker::<_, Views>(&mut linker, State::host)?;
        interfaces::pipe::add_to_linker::<_, Views>(&mut linker, State::host)?;
        for (interface, name) in [(QUEUE, PUT), (QUEUE, GET), (PIPE, SEND), (PIPE, RECV)] {
            assert!(linker.instance(interface)?.func_wrap(name, |_, (): ()| Ok(())).is_err(), "{name} takes no place");
        }
        queue(&mut linker)?;
        pipe(&mut linker)?;
        assert!(link_queue(&mut linker).is_err(), "only these may be linked twice");
        Ok(())
    }
}
