//! From the table of system calls to a filter in the kernel.
//!
//! The compiler of filters we use knows two answers per filter, and the table has three (allow, refuse, kill), so there are
//! several filters. The kernel asks all and takes the harshest answer: those for refusals answer "allow" to all but their
//! calls, the last one answers "kill" to all that is not listed. That one comes last because it no longer lets us install
//! any. Calls with an unconditional "allow" cost nothing extra: the kernel remembers them in a bitmap.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::policy::{Answer, Check, Operand, Rule};

/// Filters in the order in which they are to be installed.
#[derive(Debug)]
pub(crate) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// Compiles a table. `own_pid` is this process's id as it sees it itself.
    pub(crate) fn compile(
        rules: impl Iterator<Item = &'static Rule> + Clone,
        own_pid: u32,
    ) -> Result<Self, seccompiler::BackendError> {
        let mut listed: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        let mut refused: BTreeMap<i64, u32> = BTreeMap::new();
        for rule in rules.clone() {
            if let Answer::Refuse(error) = rule.answer {
                refused.insert(rule.number, error.unsigned_abs());
                listed.insert(rule.number, Vec::new());
            }
        }
        for rule in rules {
            match rule.answer {
                Answer::Refuse(_) => continue,
                Answer::Allow => listed.insert(rule.number, Vec::new()),
                Answer::AllowIf(groups) => {
                    listed.insert(rule.number, groups.iter().map(|group| all_of(group, own_pid)).collect::<Result<_, _>>()?)
                }
            };
            // A line that allows goes before one that refuses.
            refused.remove(&rule.number);
        }
        let mut by_error: BTreeMap<u32, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
        for (number, error) in refused {
            by_error.entry(error).or_default().insert(number, Vec::new());
        }
        let mut filters = Vec::new();
        for (error, numbers) in by_error {
            filters.push(program(numbers, SeccompAction::Allow, SeccompAction::Errno(error))?);
        }
        filters.push(program(listed, SeccompAction::KillProcess, SeccompAction::Allow)?);
        Ok(Self(filters))
    }

    /// A filter that refuses one call which is never made here: a probe whether filters can be had at all.
    pub(crate) fn probe() -> Result<Self, seccompiler::Error> {
        let unused = BTreeMap::from([(libc::SYS_kcmp, Vec::new())]);
        Ok(Self(vec![program(unused, SeccompAction::Allow, SeccompAction::Errno(libc::EACCES.unsigned_abs()))?]))
    }

    /// Installs the filters on all threads of the process, for good.
    pub(crate) fn install(&self) -> Result<(), seccompiler::Error> {
        self.0.iter().try_for_each(|filter| seccompiler::apply_filter_all_threads(filter))
    }

    /// Installs the filters on the calling thread only.
    pub(crate) fn install_on_this_thread(&self) -> Result<(), seccompiler::Error> {
        self.0.iter().try_for_each(|filter| seccompiler::apply_filter(filter))
    }

    /// How many filters there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Instructions in all filters together.
    pub(crate) fn instructions(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    on_match: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, on_match, arch)?.try_into()
}

fn all_of(group: &[Check], own_pid: u32) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = group.iter().map(|check| {
        let value = match check.equals {
            Operand::Number(number) => number,
            Operand::OwnPid => own_pid,
        };
        let compare = SeccompCmpOp::MaskedEq(u64::from(check.mask));
        SeccompCondition::new(check.argument, SeccompCmpArgLen::Dword, compare, u64::from(value))
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Strictness;
    use crate::policy::{Policy, Role};

    #[test]
    fn every_role_compiles() {
        for role in [Role::Worker, Role::Zygote, Role::Compiler] {
            let mut policy = Policy::new(role, Strictness::Required);
            let last = Filters::compile(policy.rules(), 1).expect("the table is valid");
            let first = Filters::compile(policy.boot_rules(), 1).expect("the table is valid");
            policy.directories.push(crate::policy::Directory {
                descriptor: std::fs::File::open("/").expect("the root is there").into(),
                path: "/".into(),
                writable: false,
            });
            let open = Filters::compile(policy.rules(), 1).expect("the table is valid");
            assert!(last.instructions() > 100 && first.instructions() > last.instructions());
            assert!(open.instructions() > last.instructions());
        }
    }
}
