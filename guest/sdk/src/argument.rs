//! What tasks are given.

use crate::bindings::taskcell::host::process as raw;
use crate::error::Result;
use crate::message::Bytes;
use crate::pipe::{Connection, Receiver, Sender};
use crate::queue::Queue;
use crate::shared_map::SharedMap;
use crate::sync::{Barrier, Condition, Event, Lock, RLock, Semaphore};
use crate::value::{ToValue, Value};

/// A task's name and the arguments it is given.
///
/// A name is `export` or `interface#export` of this component, or `module/export` of a component that this program was started with
/// under that name. That the arguments fit is checked when it is spawned or submitted. Usually there is no need for this type:
/// [`Process::spawn`](crate::Process::spawn) takes a name and a tuple.
#[derive(Debug)]
pub struct Invocation {
    raw: raw::Invocation,
}

impl Invocation {
    /// Names the task.
    pub fn new(task: &str) -> Self {
        Self { raw: raw::Invocation::new(task) }
    }

    /// The next argument.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if it can't be written as JSON.
    pub fn argument(mut self, argument: impl Argument) -> Result<Self> {
        argument.push_to(&mut self)?;
        Ok(self)
    }

    pub(crate) fn with(task: &str, arguments: impl Arguments) -> Result<raw::Invocation> {
        let mut invocation = Self::new(task);
        arguments.push_to(&mut invocation)?;
        Ok(invocation.raw)
    }
}

/// Something that a task can be given:
///
/// - values: what implements [`Serialize`](serde::Serialize), and [`Bytes`];
/// - handles that are lent, by reference: `&`[`Queue`], `&`[`SharedMap`], `&`[`Lock`], `&`[`RLock`], `&`[`Semaphore`], `&`[`Event`],
///   `&`[`Condition`], `&`[`Barrier`];
/// - ends of pipes, which are given away: [`Sender`], [`Receiver`], [`Connection`].
#[diagnostic::on_unimplemented(
    message = "a task can't be given `{Self}` as an argument",
    note = "values implement `serde::Serialize` or are `Bytes`; handles are given by reference, as `&queue`, and ends of pipes by value"
)]
pub trait Argument {
    /// Makes it the next argument.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if it can't be written as JSON.
    fn push_to(self, invocation: &mut Invocation) -> Result;
}

/// All that a task is given: a tuple of up to twelve, `(30,)` for one, `()` for nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tuple of arguments",
    note = "write `(argument,)` for one argument and `()` for none; each is a value that implements `serde::Serialize`, `Bytes`, a \
            handle by reference, or an end of a pipe by value"
)]
pub trait Arguments {
    /// Makes them the next arguments, in order.
    ///
    /// # Errors
    /// [`Error::Conversion`](crate::Error::Conversion) if one can't be written as JSON.
    fn push_to(self, invocation: &mut Invocation) -> Result;
}

fn push_value(invocation: &Invocation, value: Value) {
    invocation.raw.push(&value.into());
}

impl<T: serde::Serialize> Argument for T {
    fn push_to(self, invocation: &mut Invocation) -> Result {
        push_value(invocation, self.to_value()?);
        Ok(())
    }
}

impl Argument for Bytes {
    fn push_to(self, invocation: &mut Invocation) -> Result {
        push_value(invocation, Value::Bytes(self.0));
        Ok(())
    }
}

impl Argument for &Bytes {
    fn push_to(self, invocation: &mut Invocation) -> Result {
        push_value(invocation, self.to_value()?);
        Ok(())
    }
}

impl Argument for Value {
    fn push_to(self, invocation: &mut Invocation) -> Result {
        push_value(invocation, self);
        Ok(())
    }
}

macro_rules! lent {
    ($(<$($parameter:ident),*> $handle:ty => $push:ident;)*) => {$(
        impl<$($parameter),*> Argument for &$handle {
            fn push_to(self, invocation: &mut Invocation) -> Result {
                invocation.raw.$push(self.raw());
                Ok(())
            }
        }
    )*};
}

lent! {
    <T> Queue<T> => push_queue;
    <K, V> SharedMap<K, V> => push_shared_map;
    <> Lock => push_lock;
    <> RLock => push_lock;
    <> Semaphore => push_semaphore;
    <> Event => push_event;
    <> Condition => push_condition;
    <> Barrier => push_barrier;
}

macro_rules! given_away {
    ($(<$($parameter:ident),*> $end:ty;)*) => {$(
        impl<$($parameter),*> Argument for $end {
            fn push_to(self, invocation: &mut Invocation) -> Result {
                invocation.raw.push_connection(self.into_raw());
                Ok(())
            }
        }
    )*};
}

given_away! {
    <T> Sender<T>;
    <T> Receiver<T>;
    <S, R> Connection<S, R>;
}

macro_rules! tuples {
    ($(($($one:ident)*))*) => {$(
        impl<$($one: Argument),*> Arguments for ($($one,)*) {
            #[allow(non_snake_case, unused_variables, reason = "named as their types; there may be none")]
            fn push_to(self, invocation: &mut Invocation) -> Result {
                let ($($one,)*) = self;
                $($one.push_to(invocation)?;)*
                Ok(())
            }
        }
    )*};
}

tuples! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_arguments<A: Arguments>() {}

    #[test]
    fn all_that_a_task_can_take_is_an_argument() {
        are_arguments::<()>();
        are_arguments::<(u32, &str, String, Option<Vec<f64>>, Bytes, &Bytes, Value)>();
        are_arguments::<(&Queue<String>, &Queue<Bytes>, &SharedMap<String, u32>)>();
        are_arguments::<(Sender<u8>, Receiver<Bytes>, Connection<u8, String>)>();
        are_arguments::<(&Lock, &RLock, &Semaphore, &Event, &Condition, &Barrier)>();
    }
}
