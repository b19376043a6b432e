//! Which calls the tasks of a component may make: those of the interfaces whose functions it imports.
//!
//! Invariant: a guest can call only what its component imports, so any other call comes from a worker that was taken over.
//! An import of types alone (`use queue.{queue}`) gives no right.

use crate::call::{Call, Create, Tell};
use crate::types::{HOST_PACKAGE, Interface};

/// A part of the host that calls go to: an interface of `taskcell:host`, or the standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// `waiting`
    Waiting,
    /// `queue`
    Queue,
    /// `pipe`
    Pipe,
    /// `shared-map`
    SharedMap,
    /// `sync`
    Sync,
    /// `process`
    Process,
    /// `pool`
    Pool,
    /// `task`
    Task,
    /// `wasi:cli/stdin`
    Stdin,
}

impl CallKind {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::Waiting, Self::Queue, Self::Pipe, Self::SharedMap, Self::Sync, Self::Process, Self::Pool, Self::Task, Self::Stdin];

    /// What an import's name begins with, up to its version.
    #[must_use]
    pub fn interface(self) -> String {
        let name = match self {
            Self::Waiting => "waiting",
            Self::Queue => "queue",
            Self::Pipe => "pipe",
            Self::SharedMap => "shared-map",
            Self::Sync => "sync",
            Self::Process => "process",
            Self::Pool => "pool",
            Self::Task => "task",
            Self::Stdin => return "wasi:cli/stdin".into(),
        };
        format!("{HOST_PACKAGE}{name}")
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of [`CallKind`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallRights(u16);

impl CallRights {
    /// The rights of a component that imports this.
    #[must_use]
    pub fn of(interface: &Interface) -> Self {
        let mut rights = Self::default();
        for import in interface.imports.iter().filter(|import| import.functions) {
            let name = import.name.split_once('@').map_or(import.name.as_str(), |(name, _)| name);
            for kind in CallKind::ALL.into_iter().filter(|kind| kind.interface() == name) {
                rights.0 |= kind.bit();
            }
        }
        rights
    }

    /// Whether calls of this kind are among them.
    #[must_use]
    pub fn allow(self, kind: CallKind) -> bool {
        self.0 & kind.bit() != 0
    }
}

impl Call<'_> {
    /// What it goes to.
    #[must_use]
    pub fn kind(&self) -> CallKind {
        match self {
            Self::Create(Create::Queue(_)) | Self::RestrictQueue(..) | Self::Queue(..) => CallKind::Queue,
            Self::Create(Create::Pipe(_)) | Self::Pipe(..) => CallKind::Pipe,
            Self::Create(Create::Map(_)) | Self::RestrictMap(..) | Self::Map(..) => CallKind::SharedMap,
            Self::Create(
                Create::Lock(_) | Create::Semaphore(_) | Create::Event(_) | Create::Condition { .. } | Create::Barrier(_),
            )
            | Self::Lock(..)
            | Self::Condition(..)
            | Self::Semaphore(..)
            | Self::Event(..)
            | Self::Barrier(..) => CallKind::Sync,
            Self::Create(Create::Process { .. }) | Self::Process(..) => CallKind::Process,
            Self::Create(Create::Pool(_)) | Self::Pool(..) | Self::Future(..) | Self::Mapping(..) => CallKind::Pool,
            Self::WaitAny { .. } => CallKind::Waiting,
            Self::Identity => CallKind::Task,
            Self::Input(_) => CallKind::Stdin,
        }
    }
}

impl Tell<'_> {
    /// What it goes to; `None` for what ends a handle or a call, which needs no right of its own.
    #[must_use]
    pub fn kind(&self) -> Option<CallKind> {
        match self {
            Self::Drop(_) | Self::Abandon(_) => None,
            Self::Progress { .. } | Self::Log { .. } => Some(CallKind::Task),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Import;

    fn rights(imports: &[(&str, bool)]) -> Vec<CallKind> {
        let import = |(name, functions): &(&str, bool)| Import { name: (*name).into(), provided: true, functions: *functions };
        let interface = Interface { imports: imports.iter().map(import).collect(), ..Interface::default() };
        let rights = CallRights::of(&interface);
        CallKind::ALL.into_iter().filter(|kind| rights.allow(*kind)).collect()
    }

    #[test]
    fn a_component_that_imports_nothing_has_no_rights() {
        assert_eq!(rights(&[]), []);
        assert_eq!(rights(&[("wasi:cli/stdout@0.2.6", true), ("taskcell:host/types@0.1.0", true)]), []);
    }

    #[test]
    fn each_interface_gives_its_own_right_and_no_other() {
        for kind in CallKind::ALL {
            assert_eq!(rights(&[(&format!("{}@0.1.3", kind.interface()), true)]), [kind]);
        }
        assert_eq!(rights(&[("taskcell:host/queues@0.1.0", true), ("a:b/queue@0.1.0", true)]), []);
    }

    #[test]
    fn an_import_of_types_gives_no_right() {
        let imports = [("taskcell:host/queue@0.1.0", false), ("taskcell:host/process@0.1.0", true)];
        assert_eq!(rights(&imports), [CallKind::Process]);
    }
}
