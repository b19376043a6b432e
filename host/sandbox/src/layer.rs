//! The layers of confinement by name, and what became of each.
//!
//! One vocabulary for three readers: the child that applies layers, the supervisor that refuses a child which lacks a
//! required one, and `doctor`, which prints them. Reports cross a trust boundary (a child tells its own), so their texts
//! are cut and cleaned when they are decoded: a hijacked child cannot smuggle terminal escapes or megabytes through them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// One independent mechanism of the operating system that confines a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layer {
    /// No execution can gain privileges again (set-uid and file capabilities are ignored).
    NoNewPrivs,
    /// No process of the same user can trace this one or read its memory.
    NotDumpable,
    /// Caps on core files, descriptors, file size, processes, and for the compiler on memory and processor time.
    Rlimits,
    /// No file, no TCP port, no abstract socket, no signal outside, but what was granted.
    Landlock,
    /// A list of system calls; every other one kills the process.
    Seccomp,
    /// The kernel kills the process when its supervisor is gone.
    ParentDeathSignal,
    /// A user id that nothing else on the machine has.
    Uid,
    /// A user namespace, which lets an ordinary user have the other namespaces.
    UserNamespace,
    /// A network namespace without any interface that is up.
    NetNamespace,
    /// System V and POSIX message queues and shared memory of its own.
    IpcNamespace,
    /// A file tree of one empty, read-only directory, or of the granted directories and nothing else.
    MountNamespace,
    /// No other process has a number here.
    PidNamespace,
    /// The processor does not speculate past indirect branches and stores.
    Speculation,
}

impl Layer {
    /// All layers, in the order in which reports list them.
    pub const ALL: [Self; 13] = [
        Self::NoNewPrivs,
        Self::NotDumpable,
        Self::Rlimits,
        Self::Landlock,
        Self::Seccomp,
        Self::ParentDeathSignal,
        Self::Uid,
        Self::UserNamespace,
        Self::NetNamespace,
        Self::IpcNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::Speculation,
    ];

    /// Whether a process under [`Strictness::Required`] refuses to run without this layer. For a process
    /// that root starts, a uid of its own is required too, unless directories are granted.
    ///
    /// The others depend on how the machine is set up or on who started us, and what they stop is stopped by a required
    /// one as well.
    #[must_use]
    pub const fn required(self) -> bool {
        match self {
            Self::NoNewPrivs | Self::NotDumpable | Self::Rlimits | Self::Landlock | Self::Seccomp | Self::ParentDeathSignal => {
                true
            }
            Self::Uid
            | Self::UserNamespace
            | Self::NetNamespace
            | Self::IpcNamespace
            | Self::MountNamespace
            | Self::PidNamespace
            | Self::Speculation => false,
        }
    }

    /// The layer's name in reports: lower case, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoNewPrivs => "no-new-privs",
            Self::NotDumpable => "not-dumpable",
            Self::Rlimits => "rlimits",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::ParentDeathSignal => "parent-death-signal",
            Self::Uid => "uid",
            Self::UserNamespace => "user-namespace",
            Self::NetNamespace => "net-namespace",
            Self::IpcNamespace => "ipc-namespace",
            Self::MountNamespace => "mount-namespace",
            Self::PidNamespace => "pid-namespace",
            Self::Speculation => "speculation",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What to do when a required layer cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Strictness {
    /// Refuse to run.
    #[default]
    Required,
    /// Run with what there is, and report what is missing.
    BestEffort,
}

/// One layer and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Which layer.
    pub layer: Layer,
    /// What became of it.
    pub state: LayerState,
}

/// What became of a layer. Each text is at most 120 characters, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerState {
    /// In force; the text says which kind ("ABI 7").
    Active(#[serde(deserialize_with = "bounded")] String),
    /// Not in force; the text says why.
    Missing(#[serde(deserialize_with = "bounded")] String),
}

const MAX_DETAIL_CHARS: usize = 120;

impl Applied {
    /// A layer in force.
    #[must_use]
    pub fn active(layer: Layer, detail: &str) -> Self {
        Self { layer, state: LayerState::Active(clean(detail)) }
    }

    /// A layer that is not in force.
    #[must_use]
    pub fn missing(layer: Layer, why: &str) -> Self {
        Self { layer, state: LayerState::Missing(clean(why)) }
    }

    /// Whether the layer is in force.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        match self.state {
            LayerState::Active(_) => true,
            LayerState::Missing(_) => false,
        }
    }
}

fn clean(text: &str) -> String {
    text.chars().take(MAX_DETAIL_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| clean(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_cleaned() {
        let Applied { state, .. } = Applied::missing(Layer::Landlock, &"\u{1b}[31m".repeat(1000));
        let LayerState::Missing(text) = state else { panic!("a missing layer") };
        assert_eq!(text.chars().count(), MAX_DETAIL_CHARS);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Layer::ALL.len());
    }
}
