//! The tasks of the guest: one for each function of `taskcell:host`, and some that do more than one thing.

use std::sync::OnceLock;

use taskcell_wire::Limits;

use crate::guest::Does::{Call, On, Wat};
use crate::guest::{Task, component};
use crate::stage::Compiled;

const USES: &str = "
    use taskcell:host/types@0.1.0.{duration, error, value, outcome, state};
    use taskcell:host/queue@0.1.0.{queue, rights as queue-rights, options as queue-options, counts, rejected-message};
    use taskcell:host/pipe@0.1.0.{connection, options as pipe-options};
    use taskcell:host/shared-map@0.1.0.{shared-map, rights as map-rights, entry, assignment, change, swap-result};
    use taskcell:host/shared-map@0.1.0.{update-result, key-page, item-page};
    use taskcell:host/sync@0.1.0.{lock, semaphore, event, condition, barrier, acquired, woken, semaphore-kind};
    use taskcell:host/process@0.1.0.{options as process-options};
    use taskcell:host/pool@0.1.0.{options as pool-options, mapped};
    use taskcell:host/task@0.1.0.{identity, level};";

const RECEIVE: &str = "(call $queue/queue.receive (local.get 0) (i64.const 5) (i32.const 0) (i64.const 0) (i32.const 512))
    (local.set $h (call $made))";
const SPAWN: &str = "(call $process/process.spawn (call $process/new.invocation (i32.const 1024) (i32.const 5))
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 512))
    (local.set $h (call $made))";
/// With as many workers as there are CPUs.
const POOL: &str = "(call $pool/pool.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))
    (local.set $h (call $made))";
const FUTURE: &str = "(call $pool/pool.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))
    (call $pool/pool.submit (call $made) (call $process/new.invocation (i32.const 1024) (i32.const 5)) (i32.const 512))
    (local.set $h (call $made))";
const MAPPING: &str =
    "(call $pool/pool.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))
    (call $pool/pool.imap (call $made) (i32.const 1024) (i32.const 5) (i32.const 1) (i32.const 7) (i32.const 512))
    (local.set $h (call $made))";
const INVOCATION: &str = "(local.set $h (call $process/new.invocation (i32.const 1024) (i32.const 5)))";

macro_rules! tasks {
    ($($name:literal: $wit:literal = $does:expr;)*) => { &[$(Task { name: $name, wit: $wit, does: $does }),*] };
}

/// The functions, by interface.
pub(crate) const FUNCTIONS: &[Task] = tasks! {
    "queue-create": "func(options: queue-options) -> result<u32, error>" = Call("queue/queue.create");
    "queue-put": "func(q: queue, message: list<u8>, timeout: option<duration>) -> result<_, error>" = Call("queue/queue.put");
    "queue-put-many": "func(q: queue, messages: list<list<u8>>, timeout: option<duration>) -> result<_, error>" = Call("queue/queue.put-many");
    "queue-get": "func(q: queue, timeout: option<duration>) -> result<list<u8>, error>" = Call("queue/queue.get");
    "queue-get-many": "func(q: queue, limit: u32, timeout: option<duration>) -> result<list<list<u8>>, error>" = Call("queue/queue.get-many");
    "queue-receive": "func(q: queue, lease: duration, timeout: option<duration>) -> result<u32, error>" = Call("queue/queue.receive");
    "queue-len": "func(q: queue) -> u32" = Call("queue/queue.len");
    "queue-counts": "func(q: queue) -> counts" = Call("queue/queue.counts");
    "queue-close": "func(q: queue) -> result<_, error>" = Call("queue/queue.close");
    "queue-join": "func(q: queue, timeout: option<duration>) -> result<_, error>" = Call("queue/queue.join");
    "queue-take-rejected": "func(q: queue, limit: u32) -> result<list<rejected-message>, error>" = Call("queue/queue.take-rejected");
    "queue-restrict": "func(q: queue, rights: queue-rights) -> result<u32, error>" = Call("queue/queue.restrict");
    "queue-get-ready": "func(q: queue) -> u32" = Call("queue/queue.get-ready");
    "queue-put-ready": "func(q: queue) -> u32" = Call("queue/queue.put-ready");
    "queue-drop": "func(q: queue)" = Call("queue/drop.queue");
    "delivery-message": "func(q: queue) -> list<u8>" = On(RECEIVE, 1, "queue/delivery.message");
    "delivery-attempt": "func(q: queue) -> u32" = On(RECEIVE, 1, "queue/delivery.attempt");
    "delivery-ack": "func(q: queue) -> result<_, error>" = On(RECEIVE, 1, "queue/delivery.ack");
    "delivery-nack": "func(q: queue, delay: duration) -> result<_, error>" = On(RECEIVE, 1, "queue/delivery.nack");
    "delivery-extend": "func(q: queue, lease: duration) -> result<_, error>" = On(RECEIVE, 1, "queue/delivery.extend");
    "delivery-reject": "func(q: queue) -> result<_, error>" = On(RECEIVE, 1, "queue/delivery.reject");
    "delivery-drop": "func(q: queue)" = On(RECEIVE, 1, "queue/drop.delivery");

    "pipe-open": "func(options: pipe-options) -> result<tuple<u32, u32>, error>" = Call("pipe/open");
    "pipe-send": "func(end: connection, message: list<u8>, timeout: option<duration>) -> result<_, error>" = Call("pipe/connection.send");
    "pipe-recv": "func(end: connection, timeout: option<duration>) -> result<list<u8>, error>" = Call("pipe/connection.recv");
    "pipe-poll": "func(end: connection, timeout: option<duration>) -> result<bool, error>" = Call("pipe/connection.poll");
    "pipe-close": "func(end: connection)" = Call("pipe/connection.close");
    "pipe-recv-ready": "func(end: connection) -> u32" = Call("pipe/connection.recv-ready");
    "pipe-drop": "func(end: connection)" = Call("pipe/drop.connection");

    "map-create": "func(name: option<string>) -> result<u32, error>" = Call("shared-map/shared-map.create");
    "map-get": "func(m: shared-map, key: string) -> result<option<entry>, error>" = Call("shared-map/shared-map.get");
    "map-get-many": "func(m: shared-map, keys: list<string>) -> result<list<option<entry>>, error>" = Call("shared-map/shared-map.get-many");
    "map-set": "func(m: shared-map, key: string, value: list<u8>, expires-in: option<duration>) -> result<u64, error>" = Call("shared-map/shared-map.set");
    "map-set-many": "func(m: shared-map, entries: list<assignment>) -> result<u64, error>" = Call("shared-map/shared-map.set-many");
    "map-set-default": "func(m: shared-map, key: string, value: list<u8>) -> result<entry, error>" = Call("shared-map/shared-map.set-default");
    "map-remove": "func(m: shared-map, key: string) -> result<bool, error>" = Call("shared-map/shared-map.remove");
    "map-pop": "func(m: shared-map, key: string) -> result<option<entry>, error>" = Call("shared-map/shared-map.pop");
    "map-contains": "func(m: shared-map, key: string) -> result<bool, error>" = Call("shared-map/shared-map.contains");
    "map-len": "func(m: shared-map) -> result<u64, error>" = Call("shared-map/shared-map.len");
    "map-clear": "func(m: shared-map) -> result<u64, error>" = Call("shared-map/shared-map.clear");
    "map-keys": "func(m: shared-map, prefix: string, cursor: option<string>, limit: u32) -> result<key-page, error>" = Call("shared-map/shared-map.keys");
    "map-items": "func(m: shared-map, prefix: string, cursor: option<string>, limit: u32) -> result<item-page, error>" = Call("shared-map/shared-map.items");
    "map-swap": "func(m: shared-map, key: string, version: option<u64>, value: list<u8>, expires-in: option<duration>) -> result<swap-result, error>" = Call("shared-map/shared-map.compare-and-swap");
    "map-increment": "func(m: shared-map, key: string, by: s64) -> result<s64, error>" = Call("shared-map/shared-map.increment");
    "map-update": "func(m: shared-map, changes: list<change>) -> result<update-result, error>" = Call("shared-map/shared-map.update-many");
    "map-watch": "func(m: shared-map, key: string, since: option<u64>, timeout: option<duration>) -> result<option<entry>, error>" = Call("shared-map/shared-map.watch");
    "map-restrict": "func(m: shared-map, rights: map-rights, prefix: string) -> result<u32, error>" = Call("shared-map/shared-map.restrict");
    "map-drop": "func(m: shared-map)" = Call("shared-map/drop.shared-map");

    "lock-create": "func(reentrant: bool, name: option<string>) -> result<u32, error>" = Call("sync/lock.create");
    "lock-acquire": "func(l: lock, timeout: option<duration>) -> result<acquired, error>" = Call("sync/lock.acquire");
    "lock-release": "func(l: lock) -> result<_, error>" = Call("sync/lock.release");
    "lock-drop": "func(l: lock)" = Call("sync/drop.lock");
    "semaphore-create": "func(permits: u32, kind: semaphore-kind, name: option<string>) -> result<u32, error>" = Call("sync/semaphore.create");
    "semaphore-acquire": "func(s: semaphore, permits: u32, timeout: option<duration>) -> result<_, error>" = Call("sync/semaphore.acquire");
    "semaphore-release": "func(s: semaphore, permits: u32) -> result<_, error>" = Call("sync/semaphore.release");
    "semaphore-available": "func(s: semaphore) -> u32" = Call("sync/semaphore.available");
    "semaphore-drop": "func(s: semaphore)" = Call("sync/drop.semaphore");
    "event-create": "func(name: option<string>) -> result<u32, error>" = Call("sync/event.create");
    "event-set": "func(e: event)" = Call("sync/event.set");
    "event-clear": "func(e: event)" = Call("sync/event.clear");
    "event-is-set": "func(e: event) -> bool" = Call("sync/event.is-set");
    "event-wait": "func(e: event, timeout: option<duration>) -> result<_, error>" = Call("sync/event.wait");
    "event-ready": "func(e: event) -> u32" = Call("sync/event.ready");
    "event-drop": "func(e: event)" = Call("sync/drop.event");
    "condition-create": "func(l: lock, name: option<string>) -> result<u32, error>" = Call("sync/condition.create");
    "condition-wait": "func(c: condition, timeout: option<duration>) -> result<woken, error>" = Call("sync/condition.wait");
    "condition-notify": "func(c: condition, count: u32) -> result<u32, error>" = Call("sync/condition.notify");
    "condition-notify-all": "func(c: condition) -> result<u32, error>" = Call("sync/condition.notify-all");
    "condition-drop": "func(c: condition)" = Call("sync/drop.condition");
    "barrier-create": "func(parties: u32, name: option<string>) -> result<u32, error>" = Call("sync/barrier.create");
    "barrier-wait": "func(b: barrier, timeout: option<duration>) -> result<u32, error>" = Call("sync/barrier.wait");
    "barrier-reset": "func(b: barrier)" = Call("sync/barrier.reset");
    "barrier-drop": "func(b: barrier)" = Call("sync/drop.barrier");

    "process-spawn": "func(options: process-options) -> result<u32, error>" = On(INVOCATION, 0, "process/process.spawn");
    "process-id": "func() -> u64" = On(SPAWN, 0, "process/process.id");
    "process-pid": "func() -> option<u32>" = On(SPAWN, 0, "process/process.pid");
    "process-name": "func() -> string" = On(SPAWN, 0, "process/process.name");
    "process-state": "func() -> state" = On(SPAWN, 0, "process/process.state");
    "process-join": "func(timeout: option<duration>) -> result<outcome, error>" = On(SPAWN, 0, "process/process.join");
    "process-terminate": "func(grace: duration)" = On(SPAWN, 0, "process/process.terminate");
    "process-kill": "func()" = On(SPAWN, 0, "process/process.kill");
    "process-ended": "func() -> u32" = On(SPAWN, 0, "process/process.ended");
    "process-drop": "func()" = On(SPAWN, 0, "process/drop.process");

    "pool-create": "func(options: pool-options) -> result<u32, error>" = Call("pool/pool.create");
    "pool-map": "func(task: string, values: list<value>) -> result<list<outcome>, error>" = On(POOL, 0, "pool/pool.map");
    "pool-imap": "func(task: string, ordered: bool, window: u32) -> result<u32, error>" = On(POOL, 0, "pool/pool.imap");
    "pool-drain": "func(timeout: option<duration>) -> result<_, error>" = On(POOL, 0, "pool/pool.drain");
    "pool-shutdown": "func(cancel-pending: bool)" = On(POOL, 0, "pool/pool.shutdown");
    "pool-kill": "func()" = On(POOL, 0, "pool/pool.kill");
    "pool-drop": "func()" = On(POOL, 0, "pool/drop.pool");
    "future-id": "func() -> u64" = On(FUTURE, 0, "pool/task-future.id");
    "future-state": "func() -> state" = On(FUTURE, 0, "pool/task-future.state");
    "future-result": "func(timeout: option<duration>) -> result<outcome, error>" = On(FUTURE, 0, "pool/task-future.result");
    "future-cancel": "func() -> bool" = On(FUTURE, 0, "pool/task-future.cancel");
    "future-ready": "func() -> u32" = On(FUTURE, 0, "pool/task-future.ready");
    "future-drop": "func()" = On(FUTURE, 0, "pool/drop.task-future");
    "mapping-push": "func(values: list<value>, timeout: option<duration>) -> result<u32, error>" = On(MAPPING, 0, "pool/mapping.push");
    "mapping-finish": "func()" = On(MAPPING, 0, "pool/mapping.finish");
    "mapping-next": "func(limit: u32, timeout: option<duration>) -> result<list<mapped>, error>" = On(MAPPING, 0, "pool/mapping.next");
    "mapping-ready": "func() -> u32" = On(MAPPING, 0, "pool/mapping.ready");
    "mapping-drop": "func()" = On(MAPPING, 0, "pool/drop.mapping");

    "waitable-ready": "func(e: event) -> bool" = On("(local.set $h (call $sync/event.ready (local.get 0)))", 1, "waiting/waitable.ready");

    "task-self": "func() -> identity" = Call("task/self");
    "task-cancelled": "func() -> bool" = Call("task/cancelled");
    "task-progress": "func(done: u64, total: option<u64>, note: string)" = Call("task/progress");
    "task-log": "func(level: level, message: string)" = Call("task/log");
    "task-cpu-count": "func() -> u32" = Call("task/cpu-count");
};

/// Those that do more than one thing.
const OTHERS: &[Task] = tasks! {
    // Waits for both sides of a queue and for an event; drops the queue's handle before, which its waitables keep alive.
    "wait-any": "func(q: queue, e: event, timeout: option<duration>) -> result<list<u32>, error>" = Wat("
        (i32.store (i32.const 600) (call $queue/queue.get-ready (local.get 0)))
        (i32.store (i32.const 604) (call $sync/event.ready (local.get 1)))
        (i32.store (i32.const 608) (call $queue/queue.put-ready (local.get 0)))
        (call $queue/drop.queue (local.get 0))
        (call $waiting/wait-any (i32.const 600) (i32.const 3) (local.get 2) (local.get 3) (i32.const 64))
        (call $waiting/drop.waitable (i32.load (i32.const 600)))
        (call $waiting/drop.waitable (i32.load (i32.const 608)))
        (i32.const 64)");
    // The same waitable so many times.
    "wait-many": "func(e: event, count: u32) -> result<list<u32>, error>" = Wat("(local $at i32) (local $h i32)
        (local.set $h (call $sync/event.ready (local.get 0)))
        (local.set $at (i32.const 8192))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (i32.add (i32.const 8192) (i32.mul (i32.const 4) (local.get 1)))))
            (i32.store (local.get $at) (local.get $h))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $next)))
        (call $waiting/wait-any (i32.const 8192) (local.get 1) (i32.const 0) (i64.const 0) (i32.const 64))
        (i32.const 64)");
    // Pushes one of each, and spawns.
    "spawn-with-all": "func(q: queue, c: connection, m: shared-map, l: lock, s: semaphore, e: event, n: condition, b: barrier) -> result<u32, error>" = Wat("
        (local $h i32)
        (local.set $h (call $process/new.invocation (i32.const 1024) (i32.const 5)))
        (call $process/invocation.push (local.get $h) (i32.const 1) (i32.const 1024) (i32.const 4))
        (call $process/invocation.push-queue (local.get $h) (local.get 0))
        (call $process/invocation.push-connection (local.get $h) (local.get 1))
        (call $process/invocation.push-shared-map (local.get $h) (local.get 2))
        (call $process/invocation.push-lock (local.get $h) (local.get 3))
        (call $process/invocation.push (local.get $h) (i32.const 2) (i32.const 1025) (i32.const 4))
        (call $process/invocation.push-semaphore (local.get $h) (local.get 4))
        (call $process/invocation.push-event (local.get $h) (local.get 5))
        (call $process/invocation.push-condition (local.get $h) (local.get 6))
        (call $process/invocation.push-barrier (local.get $h) (local.get 7))
        (call $process/invocation.push (local.get $h) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $queue/drop.queue (local.get 0))
        (call $process/process.spawn (local.get $h)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 64))
        (i32.const 64)");
    // Gives an end of a pipe away with a task of a pool; what is waited for afterwards is that end and an event.
    "give-end": "func(c: connection, e: event) -> result<list<u32>, error>" = Wat("(local $p i32)
        (i32.store (i32.const 600) (call $pipe/connection.recv-ready (local.get 0)))
        (i32.store (i32.const 604) (call $sync/event.ready (local.get 1)))
        (call $pool/pool.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))
        (local.set $p (call $process/new.invocation (i32.const 1024) (i32.const 5)))
        (call $process/invocation.push-connection (local.get $p) (local.get 0))
        (call $pool/pool.submit (call $made) (local.get $p) (i32.const 512))
        (call $waiting/wait-any (i32.const 600) (i32.const 2) (i32.const 0) (i64.const 0) (i32.const 64))
        (i32.const 64)");
    // Uses an end of a pipe that it gave away.
    "use-moved-end": "func(c: connection)" = Wat("
        (call $process/invocation.push-connection (call $process/new.invocation (i32.const 1024) (i32.const 5)) (local.get 0))
        (call $pipe/connection.close (local.get 0))");
    // Handles that are none of its own, or of something else.
    "drop-twice": "func(q: queue)" = Wat("(call $queue/drop.queue (local.get 0)) (call $queue/drop.queue (local.get 0))");
    "use-as-event": "func(q: queue)" = Wat("(call $sync/event.set (local.get 0))");
    "guess": "func(at: u32) -> u32" = Wat("(call $queue/queue.len (local.get 0))");
    // Drops an invocation with an end of a pipe and a queue in it.
    "drop-invocation": "func(c: connection, q: queue)" = Wat("(local $h i32)
        (local.set $h (call $process/new.invocation (i32.const 1024) (i32.const 5)))
        (call $process/invocation.push-connection (local.get $h) (local.get 0))
        (call $process/invocation.push-queue (local.get $h) (local.get 1))
        (call $process/drop.invocation (local.get $h))");
    // Pushes so many bytes so many times into each of so many invocations, and spawns the last one, with an end of a pipe in it.
    "push-much": "func(c: connection, bytes: u32, times: u32, invocations: u32) -> result<u32, error>" = Wat("(local $h i32) (local $left i32)
        (loop $next
            (local.set $h (call $process/new.invocation (i32.const 1024) (i32.const 5)))
            (local.set $left (local.get 2))
            (block $done (loop $push
                (br_if $done (i32.eqz (local.get $left)))
                (call $process/invocation.push (local.get $h) (i32.const 2) (i32.const 8192) (local.get 1))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $push)))
            (local.set 3 (i32.sub (local.get 3) (i32.const 1)))
            (br_if $next (local.get 3)))
        (call $process/invocation.push-connection (local.get $h) (local.get 0))
        (call $process/process.spawn (local.get $h)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 64))
        (i32.const 64)");
    // Puts a list of the first bytes of memory, as long and as often as told.
    "put-much": "func(q: queue, length: u32, times: u32) -> result<_, error>" = Wat("(local $at i32) (local $end i32)
        (local.set $at (i32.const 8192))
        (local.set $end (i32.add (i32.const 8192) (i32.mul (i32.const 8) (local.get 2))))
        (if (i32.lt_u (memory.size) (i32.const 40)) (then (drop (memory.grow (i32.const 40)))))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (i32.store (local.get $at) (i32.const 0))
            (i32.store (i32.add (local.get $at) (i32.const 4)) (local.get 1))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br $next)))
        (call $queue/queue.put-many (local.get 0) (i32.const 8192) (local.get 2) (i32.const 0) (i64.const 0) (i32.const 64))
        (i32.const 64)");
    // Receives a message twice, answers for the first and drops both, and the queue in between.
    "receive-two": "func(q: queue)" = Wat("(local $first i32) (local $second i32)
        (call $queue/queue.receive (local.get 0) (i64.const 5) (i32.const 0) (i64.const 0) (i32.const 512))
        (local.set $first (call $made))
        (call $queue/queue.receive (local.get 0) (i64.const 5) (i32.const 0) (i64.const 0) (i32.const 512))
        (local.set $second (call $made))
        (call $queue/delivery.ack (local.get $first) (i32.const 512))
        (call $queue/drop.queue (local.get 0))
        (call $queue/drop.delivery (local.get $first))
        (call $queue/drop.delivery (local.get $second))");
    // Makes waitables until there is no room for one more.
    "fill-table": "func(e: event)" = Wat("(loop $next (drop (call $sync/event.ready (local.get 0))) (br $next))");
    // Fills the table but for so many places, and then does what needs some.
    "nearly-full": "func(e: event, q: queue, made: u32, which: u32) -> result<u32, error>" = Wat("
        (loop $next
            (drop (call $sync/event.ready (local.get 0)))
            (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
            (br_if $next (local.get 2)))
        (if (i32.eq (local.get 3) (i32.const 0))
            (then (call $queue/queue.receive (local.get 1) (i64.const 5) (i32.const 0) (i64.const 0) (i32.const 64))))
        (if (i32.eq (local.get 3) (i32.const 1))
            (then (call $pipe/open (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))))
        (if (i32.eq (local.get 3) (i32.const 2))
            (then (call $sync/event.create (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))))
        (i32.const 64)");
    // Receives until it may keep no more.
    "receive-much": "func(q: queue) -> result<_, error>" = Wat("
        (block $done (loop $next
            (call $queue/queue.receive (local.get 0) (i64.const 5) (i32.const 0) (i64.const 0) (i32.const 512))
            (br_if $done (i32.load8_u (i32.const 512)))
            (br $next)))
        (i32.store8 (i32.const 64) (i32.const 1))
        (memory.copy (i32.const 68) (i32.const 516) (i32.const 12))
        (i32.const 64)");
    // Has it for the length of the call only.
    "borrow-queue": "func(q: borrow<queue>) -> u32" = Wat("
        (call $queue/queue.len (local.get 0)) (call $queue/drop.queue (local.get 0))");
    "keep-borrowed": "func(q: borrow<queue>)" = Wat("");
    // Many parameters, which are passed in memory, with handles between them.
    "many-parameters": "func(a: u64, q: queue, b: tuple<u64, u64, u64, u64, u64, u64, u64, u64>, text: string, c: borrow<connection>, d: list<u8>, f: u64, g: u64) -> list<u8>" = Wat("
        (call $queue/drop.queue (i32.load (i32.add (local.get 0) (i32.const 8))))
        (call $pipe/drop.connection (i32.load (i32.add (local.get 0) (i32.const 88))))
        (i32.add (local.get 0) (i32.const 92))");
    // Keeps its queue for the next task, and uses what the last one left there.
    "keep-queue": "func(q: queue) -> u32" = Wat("(i32.store (i32.const 640) (local.get 0)) (i32.const 1)");
    "use-kept": "func() -> result<list<u8>, error>" = Wat("
        (call $queue/queue.get (i32.load (i32.const 640)) (i32.const 0) (i64.const 0) (i32.const 64)) (i32.const 64)");
    "len-of-kept": "func() -> u32" = Wat("(call $queue/queue.len (i32.load (i32.const 640)))");
    "ready-of-kept": "func() -> bool" = Wat("(call $waiting/waitable.ready (call $queue/queue.get-ready (i32.load (i32.const 640))))");
    "drop-kept": "func()" = Wat("(call $queue/drop.queue (i32.load (i32.const 640)))");
    // Asks whether it is to stop until it is, and then goes on for a while.
    "until-cancelled": "func() -> bool" = Wat("(local $n i32)
        (loop $ask (br_if $ask (i32.eqz (call $task/cancelled))))
        (local.set $n (i32.const 20000000))
        (loop $on (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $on (local.get $n)))
        (i32.const 1)");
    "for-ever": "func()" = Wat("(loop $on (br $on))");
    // Waits in a call, and goes on for ever.
    "wait-and-go-on": "func(e: event)" = Wat("
        (call $sync/event.wait (local.get 0) (i32.const 0) (i64.const 0) (i32.const 64)) (loop $on (br $on))");
    "self-twice": "func() -> u64" = Wat("
        (call $task/self (i32.const 512)) (call $task/self (i32.const 64)) (i64.add (i64.load (i32.const 64)) (i64.load (i32.const 512)))");
    "plain": "func(a: u32, b: list<u8>, c: string) -> u32" = Wat("(local.get 0)");
    "nothing": "func()" = Wat("");
    "only-bytes": "func(b: list<u8>) -> u32" = Wat("(local.get 1)");
    "deep": "func(q: option<borrow<queue>>) -> u32" = Wat("(local.get 0)");
    "other-handle": "func(d: borrow<queue>, t: list<queue>) -> u32" = Wat("unreachable");
};

pub(crate) fn all() -> Vec<Task> {
    [FUNCTIONS, OTHERS].concat()
}

/// The guest, compiled once.
pub(crate) fn compiled() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| Compiled::new(&component(USES, &all(), None), Limits::default()))
}

/// The same beside an `async func`.
pub(crate) fn concurrent() -> &'static Compiled {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    COMPILED.get_or_init(|| Compiled::new(&component(USES, &all(), Some(("()", "", ""))), Limits::default()))
}
