//! A component that is ready to be run: its description, and its code in a sealed memory file.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use taskcell_engine::values;
use taskcell_sandbox::Strictness;
use taskcell_wire::{Interface, Limits, Signature, TaskIndex};

use crate::cache::{Cache, Key, Settings};
use crate::error::Error;
use crate::{compile, source};

/// The name of the export that makes a component a program, up to its version.
const RUN: &str = "wasi:cli/run@0.2.";

/// Where a component's code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled now, in this time.
    Compiled(Duration),
    /// The cache had it.
    Cached,
}

/// A component that was read, checked and compiled.
///
/// Cheap to clone; many pools can run one component.
#[derive(Debug, Clone)]
pub struct Component {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    digest: blake3::Hash,
    interface: Interface,
    code: OwnedFd,
    limits: Limits,
    origin: Origin,
}

/// How to read and compile a component.
pub struct ComponentOptions<'a> {
    /// What its guests may use; the stack and fuel change the code.
    pub limits: Limits,
    /// Whether the compile child refuses to work without every required layer of the sandbox.
    pub strictness: Strictness,
    /// Whether to look into the cache and keep the code there.
    pub cache: bool,
    /// Whether components with `async func` (component-model-async) are accepted. Off by default: the engine's support for them is
    /// young, and has had faults of memory.
    pub concurrency: bool,
    /// Called about ten times a second while compiling, with the time that passed.
    pub progress: Option<&'a mut dyn FnMut(Duration)>,
}

impl std::fmt::Debug for ComponentOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentOptions")
            .field("limits", &self.limits)
            .field("cache", &self.cache)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl Default for ComponentOptions<'_> {
    fn default() -> Self {
        Self { limits: Limits::default(), strictness: Strictness::Required, cache: true, concurrency: false, progress: None }
    }
}

impl Component {
    /// Reads a component from a file and compiles it, or finds it compiled in the cache.
    ///
    /// # Errors
    /// [`Error::Read`] and its kin if there is no such file; [`Error::Refused`] if it can't be run here; [`Error::Compile`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, ComponentOptions::default())
    }

    /// Like [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: ComponentOptions<'_>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::from_bytes(&path.display().to_string(), &source::read(path)?, options)
    }

    /// Compiles a component from bytes: binary or text, or a core module that can be made into a component. `name` stands for it
    /// in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, bytes: &[u8], options: ComponentOptions<'_>) -> Result<Self, Error> {
        let ComponentOptions { limits, strictness, cache, concurrency, mut progress } = options;
        let settings = Settings { limits, concurrency };
        let cache = if cache { Cache::of_user() } else { None };
        let digest = blake3::hash(bytes);
        let key = Key::new(digest.as_bytes(), &settings);
        let cached = cache.as_ref().and_then(|cache| cache.get(&key));
        let (entry, origin) = match cached {
            Some(entry) => (entry, Origin::Cached),
            None => {
                let began = std::time::Instant::now();
                let mut told = || {
                    if let Some(progress) = progress.as_mut() {
                        progress(began.elapsed());
                    }
                };
                let entry = compile::compile(name, bytes, &settings, strictness, &mut told)?;
                if let Some(cache) = &cache {
                    cache.put(&key, &entry.interface, &entry.code);
                }
                (entry, Origin::Compiled(began.elapsed()))
            }
        };
        let code = taskcell_sandbox::sealed_memfd("taskcell-code", &entry.code)
            .map_err(|error| Error::System(std::io::Error::other(error)))?;
        let (name, limits) = (name.to_owned(), settings.limits);
        Ok(Self { inner: Arc::new(Inner { name, digest, interface: entry.interface, code, limits, origin }) })
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The BLAKE3 digest of the bytes that it was made from, in hexadecimal digits: what `b3sum` prints for the file.
    #[must_use]
    pub fn digest(&self) -> String {
        self.inner.digest.to_hex().to_string()
    }

    /// Its exports, imports and types.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.inner.interface
    }

    /// Where its code came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.inner.origin
    }

    /// What its guests may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn code(&self) -> &OwnedFd {
        &self.inner.code
    }

    /// Finds an export by its full name, or by the function's name alone if only one interface has it.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`] with similar names.
    pub fn task(&self, name: &str) -> Result<TaskIndex, Error> {
        let tasks = &self.inner.interface.tasks;
        values::find_task(&self.inner.interface, name).map_err(|_| {
            let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            Error::NoSuchTask { name: self.inner.name.clone(), task: name.to_owned(), nearest: nearest(name, &names) }
        })
    }

    /// The export that runs it as a program.
    ///
    /// # Errors
    /// [`Error::NotAProgram`] if there is none.
    pub fn command(&self) -> Result<TaskIndex, Error> {
        let is_run = |name: &str| name.strip_prefix(RUN).is_some_and(|rest| rest.ends_with("#run"));
        let at = self.inner.interface.tasks.iter().position(|task| is_run(&task.name));
        let at = at.and_then(|at| u16::try_from(at).ok());
        at.map(TaskIndex).ok_or_else(|| Error::NotAProgram { name: self.inner.name.clone() })
    }

    /// What it is called as a program, its first argument: the last part of its name.
    pub(crate) fn program(&self) -> &str {
        let name = Path::new(self.name()).file_name().and_then(|name| name.to_str());
        name.unwrap_or_else(|| self.name())
    }

    /// The signature of an export that [`task`](Self::task) found.
    #[must_use]
    pub fn signature(&self, task: TaskIndex) -> Option<&Signature> {
        self.inner.interface.tasks.get(usize::from(task.0))
    }

    /// The first import that nobody provides.
    ///
    /// # Errors
    /// [`Error::MissingImport`].
    pub fn check_imports(&self) -> Result<(), Error> {
        match self.inner.interface.imports.iter().find(|import| !import.provided) {
            None => Ok(()),
            Some(import) => Err(Error::MissingImport { name: self.inner.name.clone(), import: import.name.clone() }),
        }
    }

    /// Whether an export can be called with values: neither a parameter nor the result is a handle.
    ///
    /// # Errors
    /// [`Error::NotRunnable`] with the first part that is.
    pub fn check_runnable(&self, task: TaskIndex) -> Result<(), Error> {
        let Some(signature) = self.signature(task) else { return Ok(()) };
        let types = &self.inner.interface.types;
        let params = signature.params.iter().map(|(name, ty)| (format!("parameter {name}"), *ty));
        let result = signature.result.iter().map(|ty| ("result".to_owned(), *ty));
        let handles = types.handles();
        for (part, ty) in params.chain(result) {
            if handles.get(ty.0 as usize).copied().unwrap_or(true) {
                let ty = values::type_text(types, ty);
                return Err(Error::NotRunnable { task: signature.name.clone(), part, ty });
            }
        }
        Ok(())
    }

    /// Checks one input of an export, as JSON.
    ///
    /// # Errors
    /// [`Error::Input`] with the place in the value, what was expected and what was found.
    pub fn check_input(&self, task: TaskIndex, json: &[u8]) -> Result<(), Error> {
        let Some(signature) = self.signature(task) else { return Ok(()) };
        values::check_json(&self.inner.interface.types, signature, json)
            .map_err(|error| Error::Input { task: signature.name.clone(), why: error.to_string() })
    }
}

/// The names most like `name`, best first; all of them if none is alike and they are few.
fn nearest(name: &str, names: &[&str]) -> Vec<String> {
    let alike = |other: &&str| {
        let short = other.rsplit('#').next().unwrap_or(other);
        strsim::jaro_winkler(name, other).max(strsim::jaro_winkler(name, short))
    };
    let mut scored: Vec<(f64, &str)> =
        names.iter().map(|other| (alike(other), *other)).filter(|(score, _)| *score > 0.75).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    if scored.is_empty() && names.len() <= 8 {
        return names.iter().map(|&name| name.to_owned()).collect();
    }
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_offered_best_first() {
        let names = ["count-words", "count-lines", "a:b/c@1.0.0#area"];
        assert_eq!(nearest("count-word", &names).first().map(String::as_str), Some("count-words"));
        assert_eq!(nearest("aera", &names), ["a:b/c@1.0.0#area"]);
        assert_eq!(nearest("zzz", &names).len(), 3, "none is alike, so all are told");
    }
}
