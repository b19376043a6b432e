//! What comes when nobody waits for it any more: results of a job that was closed, deaths of workers whose tasks were told lost before.

use taskcell_broker::{ResultCheck, Results};
use taskcell_wire::call::{Batch, Call, Create, Ended, Mapped, MappingCall, PoolCall, PoolReply, PoolSettings, Reply};
use taskcell_wire::{Outcome, OutcomeWriter, WorkerId};

use crate::host::{Host, ROOT, json, options};

#[test]
fn a_worker_is_honest_though_its_job_was_closed_meanwhile() {
    let (mut host, worker) = Host::with(options(), 1);
    let (chunk, first) = host.at(worker).unwrap();
    host.broker.close_job(host.now, ROOT);
    host.settle();
    let mut outcomes = OutcomeWriter::default();
    outcomes.push(0, &Outcome::Ok(b"1"));
    let results = Results { chunk, first, count: 1, nanoseconds: 1, outcomes: outcomes.bytes().into() };
    let check = ResultCheck { pid: 7, result_bytes: 100, is_printable_json: |bytes| bytes == b"1" };
    let mut finished = Vec::new();
    assert_eq!(host.broker.results(host.now, worker, results.clone(), &check, &mut |one| finished.push(one)), Ok(()));
    assert_eq!(finished.iter().map(|one| (one.job, one.first, one.count)).collect::<Vec<_>>(), [(ROOT, 0, 1)]);
    assert_eq!(host.broker.results(host.now, worker, results, &check, &mut |one| panic!("{one:?} again")).ok(), None);
}

#[test]
fn a_task_that_was_lost_with_its_pool_does_not_end_again_with_its_worker() {
    let (mut host, root) = Host::program();
    let pool = host.make(root, Create::Pool(PoolSettings { workers: Some(2), ..PoolSettings::default() }));
    let imap = Call::Pool(pool, PoolCall::Imap { task: "fib", ordered: true, window: 3 });
    let Some(Ok(Reply::Handle(mapping))) = host.call(root, imap) else { panic!("no mapping") };
    let values = Batch(["1", "2", "3"].map(json).to_vec());
    host.call(root, Call::Mapping(mapping, MappingCall::Push { values, timeout: None }));
    let workers: Vec<WorkerId> = host.busy().into_iter().filter(|id| *id != root).collect();
    assert_eq!(workers.len(), 2);
    host.quick = false;
    let pool = host.broker.pool_of(workers[0]);
    host.broker.fail(host.now, pool, "it failed".into());
    host.settle();
    let next = |host: &mut Host, limit| host.call(root, Call::Mapping(mapping, MappingCall::Next { limit, timeout: None }));
    let lost = |places: &[u64]| {
        let mapped = places.iter().map(|index| Mapped { index: *index, ended: Ended::Lost("it failed".into()) });
        Some(Ok(Reply::Pool(PoolReply::Mapped(mapped.collect()))))
    };
    assert_eq!(next(&mut host, 2), lost(&[0, 1]));
    workers.into_iter().for_each(|id| host.die(id));
    assert_eq!(next(&mut host, 2), lost(&[2]));
}
