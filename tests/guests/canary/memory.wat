;; Leaves a mark wherever an instance can keep one, or looks for it. `act` of 0 looks, and gives the sum of where it found one: 1 in its
;; first memory, 2 in memory that it has grown by, 4 in a global, 8 in a table, 16 in a table's length. `act` of anything else leaves the
;; mark everywhere; of 2, it traps then.
(component
  (core module $m
    (memory 16)
    (table $t 4 funcref)
    (global $g (mut i64) (i64.const 0))
    (elem declare func $mark)
    (func $canary (result i64) (i64.const 0x79_72_61_6e_61_63_20_61))
    (func $mark (param $from i32) (param $to i32)
      (loop $next
        (i64.store (local.get $from) (call $canary))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $from) (local.get $to)))))
    (func $marked (param $from i32) (param $to i32) (result i32)
      (loop $next
        (if (i64.eq (i64.load (local.get $from)) (call $canary)) (then (return (i32.const 1))))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $from) (local.get $to))))
      (i32.const 0))
    (func $grow
      (if (i32.lt_u (memory.size) (i32.const 256))
        (then (if (i32.eq (memory.grow (i32.sub (i32.const 256) (memory.size))) (i32.const -1)) (then (unreachable))))))
    (func (export "act") (param $n i32) (result i32)
      (local $found i32)
      (if (local.get $n)
        (then
          (call $grow)
          (call $mark (i32.const 0) (i32.const 0x1000000))
          (global.set $g (call $canary))
          (if (i32.eq (table.size $t) (i32.const 4)) (then (drop (table.grow $t (ref.null func) (i32.const 4)))))
          (table.set $t (i32.const 1) (ref.func $mark))
          (if (i32.eq (local.get $n) (i32.const 2)) (then (unreachable)))
          (return (local.get $n))))
      (local.set $found (call $marked (i32.const 0) (i32.const 0x100000)))
      (call $grow)
      (if (call $marked (i32.const 0x100000) (i32.const 0x1000000))
        (then (local.set $found (i32.or (local.get $found) (i32.const 2)))))
      (if (i64.eq (global.get $g) (call $canary))
        (then (local.set $found (i32.or (local.get $found) (i32.const 4)))))
      (if (i32.eqz (ref.is_null (table.get $t (i32.const 1))))
        (then (local.set $found (i32.or (local.get $found) (i32.const 8)))))
      (if (i32.ne (table.size $t) (i32.const 4))
        (then (local.set $found (i32.or (local.get $found) (i32.const 16)))))
      (local.get $found)))
  (core instance $i (instantiate $m))
  (func (export "act") (param "n" u32) (result u32) (canon lift (core func $i "act"))))
