//! Handles that a task is given as arguments: which resource each kind is, and its way into an instance's table.

use std::sync::Arc;

use taskcell_wire::call::{HandleId, HandleKind};
use wasmtime::component::{Resource, ResourceTable, ResourceType};

use super::attempt::{Attempts, Held};
use super::pipe::Connection;
use super::queue::Queue;
use super::shared_map::SharedMap;
use super::sync::{Barrier, Condition, Event, Lock, Semaphore};

/// There is no room for another handle.
#[derive(Debug, thiserror::Error)]
#[error("wanted another handle, the limit is {0}")]
pub(crate) struct TooManyHandles(pub(crate) usize);

/// Does the same for whatever resource a kind is.
macro_rules! by_kind {
    ($kind:expr, $resource:ident => $result:expr) => {
        match $kind {
            HandleKind::Queue => by_kind!(as $resource = Queue => $result),
            HandleKind::Connection => by_kind!(as $resource = Connection => $result),
            HandleKind::SharedMap => by_kind!(as $resource = SharedMap => $result),
            HandleKind::Lock => by_kind!(as $resource = Lock => $result),
            HandleKind::Semaphore => by_kind!(as $resource = Semaphore => $result),
            HandleKind::Event => by_kind!(as $resource = Event => $result),
            HandleKind::Condition => by_kind!(as $resource = Condition => $result),
            HandleKind::Barrier => by_kind!(as $resource = Barrier => $result),
        }
    };
    (as $resource:ident = $type:ident => $result:expr) => {{
        type $resource = $type;
        $result
    }};
}

/// The engine's word for a kind of handle.
pub(crate) fn resource_type(kind: HandleKind) -> ResourceType {
    by_kind!(kind, Kind => ResourceType::host::<Kind>())
}

/// What a resource is a handle of, if it can be given to a task.
pub(crate) fn kind_of(ty: ResourceType) -> Option<HandleKind> {
    HandleKind::ALL.into_iter().find(|kind| resource_type(*kind) == ty)
}

/// A handle that is an argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    /// The parameter's place.
    pub(crate) place: usize,
    pub(crate) kind: HandleKind,
    pub(crate) id: HandleId,
    /// Whether the task has it for the length of the call only.
    pub(crate) is_borrowed: bool,
}

impl Given {
    /// Puts it into an instance's table, and tells where.
    pub(crate) fn put(self, table: &mut ResourceTable, attempts: &Arc<Attempts>) -> Result<u32, TooManyHandles> {
        let held = Arc::new(Held::new(self.id, attempts));
        let put = by_kind!(self.kind, Kind => table.push(Kind::from(Arc::clone(&held))).map(|resource| resource.rep()));
        put.map_err(|_| {
            // The attempt ends with this, and all of its handles with it.
            held.give();
            TooManyHandles(table.max_capacity())
        })
    }

    /// Takes it out again after its attempt. What the task owns stays: the task alone knows when it is done with it.
    pub(crate) fn take_back(self, table: &mut ResourceTable, rep: u32) {
        if self.is_borrowed {
            by_kind!(self.kind, Kind => drop(table.delete(Resource::<Kind>::new_own(rep))));
        }
    }
}
