//! `taskcell:host/waiting`.

use std::sync::Arc;

use taskcell_wire::CallError;
use taskcell_wire::call::{Batch, Call, Interest, Reply, Timeout};
use wasmtime::component::Resource;

use super::attempt::Held;
use super::interfaces::waiting::{Host, HostWaitable};
use super::view::match_one;
use super::{Fault, View};

/// `waiting.waitable`: one side of an object, which it keeps alive.
#[derive(Debug)]
pub struct Waitable {
    pub(super) held: Arc<Held>,
    pub(super) interest: Interest,
}

/// The most things to wait for at once.
const MOST: usize = 1024;

impl View<'_> {
    /// Waits for the first of these; what is gone counts as ready, since its call would be answered at once.
    fn wait_for(&self, on: &[Resource<Waitable>], timeout: Timeout) -> Result<Vec<u32>, Fault> {
        let (mut gone, mut there, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for (place, waitable) in (0..).zip(on) {
            let Waitable { held, interest } = self.table.get(waitable)?;
            match held.id() {
                Ok(id) => {
                    there.push(place);
                    calls.push((id, *interest));
                }
                Err(_) => gone.push(place),
            }
        }
        if there.is_empty() {
            return Ok(gone);
        }
        let timeout = if gone.is_empty() { timeout } else { Some(0) };
        let places = self.ask(&Call::WaitAny { on: Batch(calls), timeout }, |reply| {
            let places = match_one!(reply, Reply::Places(places) => places)?;
            places.iter().map(|place| there.get(usize::try_from(*place).ok()?).copied()).collect::<Option<Vec<u32>>>()
        });
        match places {
            Err(Fault::Answered(CallError::TimedOut)) if !gone.is_empty() => Ok(gone),
            Ok(places) if !gone.is_empty() => {
                gone.extend(places);
                gone.sort_unstable();
                Ok(gone)
            }
            places => places,
        }
    }
}

impl HostWaitable for View<'_> {
    /// Any answer but "not yet" means that the call that it stands for would be answered at once, with that error perhaps.
    fn ready(&mut self, waitable: Resource<Waitable>) -> wasmtime::Result<bool> {
        match self.wait_for(&[waitable], Some(0)) {
            Ok(places) => Ok(!places.is_empty()),
            Err(Fault::Answered(CallError::TimedOut)) => Ok(false),
            Err(Fault::Answered(_)) => Ok(true),
            Err(Fault::Trap(error)) => Err(error),
        }
    }

    fn drop(&mut self, waitable: Resource<Waitable>) -> wasmtime::Result<()> {
        self.forget(waitable)
    }
}

impl Host for View<'_> {
    fn wait_any(&mut self, on: Vec<Resource<Waitable>>, timeout: Timeout) -> Result<Vec<u32>, Fault> {
        match on.len() {
            0 => Err(CallError::Invalid("there is nothing to wait for".into()).into()),
            1..=MOST => self.wait_for(&on, timeout),
            found => Err(CallError::Quota(format!("wait-any takes {MOST} things at most, found {found}")).into()),
        }
    }
}
