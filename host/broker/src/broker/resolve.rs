//! Which task a name means.
//!
//! `export` and `interface#export` are of the caller's own component, `module/export` is of another that was given beside it. A package and a
//! version may be left out where that leaves one task. The caller's own come first, so a module can't take a name away.

use taskcell_wire::call::CallError;
use taskcell_wire::{Interface, TaskIndex};

use super::{Broker, Caller, ModuleId};

/// Names that are told when none fits.
const NEAREST: usize = 3;
/// Longer names are compared by their beginning.
const COMPARED: usize = 64;

impl Broker {
    /// The module and the export of a name.
    pub(super) fn resolve(&self, caller: &Caller, name: &str) -> Result<(ModuleId, TaskIndex), CallError> {
        let own = self.spec(caller.worker).map_or(ModuleId(0), |spec| spec.module);
        if let Some(module) = self.options.modules.get(usize::from(own.0))
            && let Some(task) = find(&module.interface, name)?
        {
            return Ok((own, task));
        }
        if let Some((prefix, rest)) = name.split_once('/')
            && let Some((id, module)) = (0..).zip(&self.options.modules).find(|(_, it)| !it.name.is_empty() && it.name == prefix)
        {
            let found = find(&module.interface, rest)?;
            return found.map(|task| (ModuleId(id), task)).ok_or_else(|| self.not_found(own, name));
        }
        Err(self.not_found(own, name))
    }

    fn not_found(&self, own: ModuleId, name: &str) -> CallError {
        let shown: String = name.chars().take(COMPARED).collect();
        let mut known: Vec<(usize, String)> = Vec::new();
        for (id, module) in (0..).map(ModuleId).zip(&self.options.modules) {
            for task in &module.interface.tasks {
                let whole = if id == own { task.name.clone() } else { format!("{}/{}", module.name, task.name) };
                if id == own || !module.name.is_empty() {
                    let short = whole.rsplit(['#', '/']).next().unwrap_or(&whole);
                    known.push((distance(name, &whole).min(distance(name, short)), whole));
                }
            }
        }
        known.sort();
        let near = known.iter().filter(|(distance, whole)| *distance <= 1 + whole.len().min(shown.len()) / 3);
        let mut near: Vec<&str> = near.take(NEAREST).map(|(_, whole)| whole.as_str()).collect();
        if near.is_empty() && known.len() <= 2 * NEAREST {
            near = known.iter().map(|(_, whole)| whole.as_str()).collect();
        }
        if near.is_empty() {
            return CallError::NotFound(format!("no task {shown:?}"));
        }
        CallError::NotFound(format!("no task {shown:?}; there is {}", near.join(", ")))
    }
}

/// The export of a name: the very one, or the only one that it fits with package and version left out.
fn find(interface: &Interface, name: &str) -> Result<Option<TaskIndex>, CallError> {
    let index = |at: usize| u16::try_from(at).ok().map(TaskIndex);
    if let Some(at) = interface.tasks.iter().position(|task| task.name == name) {
        return Ok(index(at));
    }
    let mut fitting = interface.tasks.iter().enumerate().filter(|(_, task)| fits(name, &task.name));
    match (fitting.next(), fitting.next()) {
        (None, _) => Ok(None),
        (Some((at, _)), None) => Ok(index(at)),
        (Some((_, one)), Some((_, other))) => {
            Err(CallError::Invalid(format!("{name:?} may be {} or {}; which?", one.name, other.name)))
        }
    }
}

/// Whether a short name may mean a whole one.
fn fits(name: &str, whole: &str) -> bool {
    let Some((instance, function)) = whole.split_once('#') else { return false };
    let Some((short, wanted)) = name.split_once('#') else { return name == function };
    let unversioned = instance.split('@').next().unwrap_or(instance);
    let bare = unversioned.rsplit('/').next().unwrap_or(unversioned);
    wanted == function && (short == unversioned || short == bare)
}

/// How many letters have to be changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().take(COMPARED).enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, same) in row.iter_mut().skip(1).zip(&other) {
            let cost = diagonal + usize::from(letter != *same);
            diagonal = *cell;
            left = cost.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("fib", "fib"), 0);
        assert_eq!(distance("flaw", "lawn"), 2);
    }

    #[test]
    fn package_and_version_may_be_left_out() {
        let whole = "a:b/math@1.2.3#add";
        assert!(fits("add", whole) && fits("math#add", whole) && fits("a:b/math#add", whole));
        assert!(!fits("sub", whole) && !fits("mat#add", whole) && !fits("add", "add"));
    }
}
