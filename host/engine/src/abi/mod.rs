//! Values in and out of a guest's linear memory, for any signature, without a dynamic value per byte.
//!
//! wasmtime calls an export in two ways: with its own dynamic values, of which a `list<u8>` takes one per byte, or with Rust
//! types that are known when the host is compiled. This goes the second way with two types that fit every signature:
//! [`Arguments`] lowers and [`Returned`] lifts whatever the function's own type says.
//!
//! **Steered by the engine's type, not by ours.** Both walks follow the `InterfaceType` that wasmtime passes in, the type of the
//! very function that is called, and take every size, offset and count of flat values from wasmtime's tables. What a typecheck
//! would otherwise have to promise is thus found out on the way: a [`Value`] that is not of the type is an error, never a wrong
//! layout. Our type table, which the supervisor may have been given by a hijacked process, has no say here; it only names
//! things in JSON. (The road not taken is to compute layouts from the table and to compare the two in `typecheck`.) The table does
//! describe the same types: `Guest::load` compares it with a description of the loaded code and refuses another.
//!
//! **One shape for all.** Up to 16 flat parameters are passed one by one, so `Arguments` always fills 16 slots, zeros where there
//! is nothing; for more, the ABI wants the address of a block in the guest's memory in the first slot, and `Arguments` makes
//! that block itself, since the heap path of a typed call knows only sizes that are constant. A result is one slot: the value
//! if it is one flat value, its address if it is more, nothing if there is none. wasmtime's own call with dynamic values uses
//! exactly these two shapes. Only `async func`s may return up to 16 slots, hence the number in [`Returned`].
//!
//! Handles of resources that this host provides are lowered, by the engine's own way of putting one into a guest's table; the type of the
//! parameter's resource is compared with the type that the handle is of. Other resources, streams and futures are not, and nothing
//! of this sort is lifted: the host's ends of them would belong to nobody here.

#![expect(unsafe_code, reason = "wasmtime's traits for values are unsafe to implement; see the notes at each")]

mod lift;
mod lower;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;

use wasmtime::ValRaw;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};

use crate::value::Value;

/// The most flat values that are passed one by one.
pub(crate) const SLOTS: usize = 16;

/// Neither of the two types is ever part of another, so only that there is no constant size matters: what needs one in wasmtime (a
/// block of parameters, of results) gets a block of no bytes here, and the real one is made or checked by hand.
const NO_CONSTANT_SIZE: CanonicalAbiInfo = CanonicalAbiInfo { size32: 0, align32: 1, size64: 0, align64: 1, flat_count: None };

/// What a function is called with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arguments<'a> {
    /// One for each parameter.
    Values(&'a [Value]),
    /// The one parameter, a `list<u8>`, straight from where it is.
    Bytes(&'a [u8]),
    /// The one parameter, a `string`.
    Text(&'a str),
}

/// A function gave something back in so many slots. What it is lies where [`with_result`] finds it.
#[derive(Debug)]
pub(crate) struct Returned<const RESULTS: usize>;

/// What a guest handed over is not what the canonical ABI allows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// What a guest gave back is over the limit, however it will be written.
#[derive(Debug, thiserror::Error)]
#[error("the result is longer than {0} bytes")]
pub(crate) struct TooLong(pub(crate) u64);

/// What one result may still take: its limit, and what is left of it.
#[derive(Debug, Clone, Copy)]
struct Budget {
    limit: u64,
    left: u64,
}

thread_local! {
    /// A lift has no way to reach a store's data, so the limit is put here for it by the call that it is part of; wasmtime lifts
    /// on the thread that calls. It saves time and memory only: what is lifted is written under the same limit afterwards.
    static BUDGET: Cell<Budget> = const { Cell::new(Budget { limit: u64::MAX, left: u64::MAX }) };

    /// What the last call gave back. A typed call hands its result up through six functions, and a [`Value`] that is moved right
    /// after it was made is read in other pieces than it was written in: the processor waits for that, about 4 ns each time. So a
    /// result is made here and read here.
    static RESULT: RefCell<Option<Value>> = const { RefCell::new(None) };
}

/// Sets how long the result of the calls that follow on this thread may be, in bytes of its encoding.
pub(crate) fn limit_result(limit: u64) {
    BUDGET.set(Budget { limit, left: limit });
}

/// Looks at what the last call on this thread gave back, and drops it.
pub(crate) fn with_result<R>(look: impl FnOnce(&mut Option<Value>) -> R) -> R {
    RESULT.with_borrow_mut(|result| {
        let seen = look(result);
        *result = None;
        seen
    })
}

/// Takes what a part will need at least once it is written.
fn spend(least: usize) -> wasmtime::Result<()> {
    let Budget { limit, left } = BUDGET.get();
    match left.checked_sub(least as u64) {
        Some(left) => {
            BUDGET.set(Budget { limit, left });
            Ok(())
        }
        None => Err(TooLong(limit).into()),
    }
}

fn no_list() -> wasmtime::Error {
    Broken("the type of parameters or results is no list of types".into()).into()
}

// SAFETY: what the trait asks for, point by point.
// - `Lower` is an array of `ValRaw`, so a sequence of them; any bits are a `ValRaw`.
// - 16 slots are as many as the engine itself reserves for a function whose type it does not know, and at least as many as any
//   function takes, so the trampoline into wasm reads no slot that is not there.
// - `ABI` claims no bytes of memory, and the lowering into memory writes none. It is used nowhere else: 16 flat values are within
//   what is passed on the stack, so that the engine never asks for a block of parameters, and the type is part of no other.
// - `typecheck` need not know the types of the parameters: the walk of `lower` follows the function's own type and refuses values
//   of another.
unsafe impl ComponentType for Arguments<'_> {
    type Lower = [ValRaw; SLOTS];
    const ABI: CanonicalAbiInfo = NO_CONSTANT_SIZE;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        if matches!(ty, InterfaceType::Tuple(_)) { Ok(()) } else { Err(no_list()) }
    }
}

// SAFETY: a function's parameters are a tuple of types, and `lower::arguments` lowers exactly that, one value for each. By
// reference, which is lowered as what it refers to: it stays in a register on its way through the engine.
unsafe impl ComponentNamedList for &Arguments<'_> {}

// SAFETY: all slots are initialised before the lowering returns, those that are not used with zeros. Each holds the bits of the flat
// type that stands at its place in the function's type, since the walk follows that type; an address is one that the
// guest's allocator gave, checked to be within the memory. Memory is only written through slices with checked bounds.
unsafe impl Lower for Arguments<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        lower::arguments(cx, ty, *self, dst.write([ValRaw::u64(0); SLOTS]))
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> wasmtime::Result<()> {
        Err(Broken("parameters are not part of another value".into()).into())
    }
}

// SAFETY: as for `Arguments`. The slots:
// - One, for a function that is not async: the engine reserves one for any such function, and what is in it, if the function
//   gives nothing back, is the first slot of the arguments, which was initialised; it is not looked at then.
// - For an async function, as many as its result has flat values, or one for an address. `typecheck` makes sure of that for any
//   number but one, and `call` takes one only if no other fits. Were that wrong, the engine would find that there are fewer slots than
//   asked for and panic, or the lifting would take a value for an address and check it like any other; neither reads what is not
//   there.
unsafe impl<const RESULTS: usize> ComponentType for Returned<RESULTS> {
    type Lower = [ValRaw; RESULTS];
    const ABI: CanonicalAbiInfo = NO_CONSTANT_SIZE;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        let InterfaceType::Tuple(results) = ty else { return Err(no_list()) };
        let results = &types.types[*results];
        let fits = RESULTS == 1 || results.abi.flat_count(SLOTS) == Some(RESULTS);
        if fits && results.types.len() <= 1 {
            Ok(())
        } else {
            Err(Broken("the result takes another number of slots".into()).into())
        }
    }
}

// SAFETY: a function's results are a tuple of at most one type, and `lift` reads exactly that.
unsafe impl<const RESULTS: usize> ComponentNamedList for Returned<RESULTS> {}

// SAFETY: the lifting reads slots as plain bits, memory only through slices with checked bounds, and makes nothing of either without
// checking it. It needs no unsafe code itself.
unsafe impl<const RESULTS: usize> Lift for Returned<RESULTS> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> wasmtime::Result<Self> {
        RESULT.with_borrow_mut(|result| lift::result_in_slots(cx, ty, src, result))?;
        Ok(Self)
    }

    /// A result in several slots of a function that, though `async` by type, gives an address all the same. The bytes are an empty
    /// slice at that address.
    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> wasmtime::Result<Self> {
        let address = bytes.as_ptr().addr().wrapping_sub(cx.memory().as_ptr().addr());
        RESULT.with_borrow_mut(|result| lift::result_at(cx, ty, address, result))?;
        Ok(Self)
    }
}

/// Lowers a text as wasmtime does, in the guest's encoding: its address and its length.
fn lower_text<T>(cx: &mut LowerContext<'_, T>, text: &str) -> wasmtime::Result<[ValRaw; 2]> {
    let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut pair)?;
    // SAFETY: it was initialised when it was made.
    Ok(unsafe { pair.assume_init() })
}
