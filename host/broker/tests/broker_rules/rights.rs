//! Rights by need: a worker makes the calls whose functions its component imports, and no others.

use taskcell_broker::{BrokerOptions, Module, Violation};
use taskcell_wire::CallKind;
use taskcell_wire::call::{Call, Create, Level, ProcessOptions, QueueOptions, QueueRights, Tell};

use crate::host::{Host, imports, interface, invocation, options};

/// A component that imports these, beside one that imports all.
fn importing(kinds: &[CallKind]) -> BrokerOptions {
    let mut options = options();
    options.modules = vec![
        Module { name: String::new(), interface: taskcell_wire::Interface { imports: imports(kinds), ..interface() } },
        Module { name: "other".into(), interface: interface() },
    ];
    options
}

fn process() -> Call<'static> {
    Call::Create(Create::Process { task: invocation("quiet", vec![]), options: ProcessOptions::default() })
}

#[test]
fn a_component_that_imports_nothing_makes_no_call_and_starts_no_process() {
    let (mut host, root) = Host::with(importing(&[]), 1);
    let workers = host.workers.len();
    for call in [process(), Call::Create(Create::Map(None)), Call::Identity, Call::Input(1)] {
        assert_eq!(host.raw_call(root, call), Err(Violation::NotImported));
    }
    assert_eq!((host.workers.len(), host.broker.census().objects), (workers, 0));
}

#[test]
fn an_import_gives_its_own_calls_and_no_others() {
    let (mut host, root) = Host::with(importing(&[CallKind::Queue]), 1);
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    assert!(host.raw_call(root, Call::RestrictQueue(queue, QueueRights::ALL)).is_ok());
    assert_eq!(host.raw_call(root, process()), Err(Violation::NotImported));
    assert_eq!(host.raw_call(root, Call::Identity), Err(Violation::NotImported));
}

#[test]
fn rights_are_those_of_the_component_that_a_worker_runs() {
    let (mut host, root) = Host::with(importing(&[CallKind::Process]), 1);
    let (_, _, child) = host.spawn(root, "other/quiet", vec![]);
    assert_eq!(host.raw_call(root, Call::Create(Create::Map(None))), Err(Violation::NotImported));
    assert!(host.raw_call(child, Call::Create(Create::Map(None))).is_ok(), "the other component imports maps");
}

#[test]
fn what_a_task_tells_needs_an_import_too_and_a_drop_does_not() {
    let (mut host, root) = Host::with(importing(&[CallKind::Queue]), 1);
    let queue = host.make(root, Create::Queue(QueueOptions::default()));
    let log = Tell::Log { level: Level::Info, text: "forged" };
    let progress = Tell::Progress { done: 1, total: None, note: "forged" };
    assert_eq!(host.broker.tell(host.now, root, log), Err(Violation::NotImported));
    assert_eq!(host.broker.tell(host.now, root, progress), Err(Violation::NotImported));
    host.drop(root, queue);
    assert_eq!(host.broker.census().objects, 0);
}
