//! `queue.put`, `queue.get`, `connection.send` and `connection.recv` again, with messages that are not copied on their way through here.
//!
//! The bindings make a `Vec` of every `list<u8>` before a function of theirs is called, and give one back. For a message of 1 MiB these are two
//! copies of seven, and for a short one an allocation. These functions read a message where it lies in the guest's memory, and give
//! back what the answer came in. They stand before those of the bindings, and do the same.

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

/// What a function with WIT's `result<T, error>` gives back.
type Answered<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Lets `queue.put` and `queue.get` be these.
pub(super) fn queue(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut queue = linker.allow_shadowing(true).instance("taskcell:host/queue@0.1.0")?;
    queue.func_wrap(
        "[method]queue.put",
        |store: StoreContextMut<'_, State>, (queue, message, timeout): (Resource<Queue>, WasmList<u8>, Timeout)| {
            give(store, &queue, &message, timeout, put_call, |reply| match_one!(reply, Reply::Queue(QueueReply::Done) => ()))
        },
    )?;
    queue.func_wrap("[method]queue.get", |store: StoreContextMut<'_, State>, (queue, timeout): (Resource<Queue>, Timeout)| {
        let call = |queue| Call::Queue(queue, QueueCall::Get { timeout });
        take(store, &queue, call, |reply| match_one!(reply, Reply::Queue(QueueReply::Message(message)) => message.into_shared()))
    })
}

/// Lets `connection.send` and `connection.recv` be these.
pub(super) fn pipe(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut pipe = linker.allow_shadowing(true).instance("taskcell:host/pipe@0.1.0")?;
    pipe.func_wrap(
        "[method]connection.send",
        |store: StoreContextMut<'_, State>, (end, message, timeout): (Resource<Connection>, WasmList<u8>, Timeout)| {
            give(store, &end, &message, timeout, send_call, |reply| match_one!(reply, Reply::Pipe(PipeReply::Done) => ()))
        },
    )?;
    pipe.func_wrap(
        "[method]connection.recv",
        |store: StoreContextMut<'_, State>, (end, timeout): (Resource<Connection>, Timeout)| {
            let call = |end| Call::Pipe(end, PipeCall::Recv { timeout });
            take(store, &end, call, |reply| match_one!(reply, Reply::Pipe(PipeReply::Message(message)) => message.into_shared()))
        },
    )
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
