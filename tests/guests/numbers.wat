;; Small functions over numbers, each for one way in which a task can go.
(component
  (core module $m
    (global $count (mut i32) (i32.const 0))
    (memory $memory 1)

    (func (export "echo") (param i32) (result i32) (local.get 0))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "answer") (result i32) (i32.const 42))

    ;; How often it was called in this instance.
    (func (export "count") (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (global.get $count))

    ;; Goes round $n times: half a second for 1,000,000,000.
    (func $burn (export "burn") (param $n i64) (result i64)
      (local $at i64)
      (block $done
        (loop $again
          (br_if $done (i64.ge_u (local.get $at) (local.get $n)))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br $again)))
      (local.get $at))

    ;; Never ends for 0, and gives any other number back.
    (func (export "spin") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (loop $again (br $again))))
      (local.get $n))

    ;; Never ends for 0, and traps for any other number.
    (func (export "spin-or-trap") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (loop $again (br $again))))
      (unreachable))

    ;; Traps for 0.
    (func (export "trap") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (unreachable)))
      (local.get $n))

    ;; Divides by the number.
    (func (export "divide") (param $n i32) (result i32) (i32.div_u (i32.const 1000) (local.get $n)))

    ;; Calls itself for ever for 0.
    (func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))
    (func (export "recurse") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (return (call $deep (local.get $n)))))
      (local.get $n))

    ;; Grows its memory by so many MiB; traps if it does not get them.
    (func (export "grow") (param $n i32) (result i32)
      (if (i32.eq (memory.grow (i32.mul (local.get $n) (i32.const 16))) (i32.const -1)) (then (unreachable)))
      (local.get $n)))

  (core instance $i (instantiate $m))
  (func (export "echo") (param "n" u32) (result u32) (canon lift (core func $i "echo")))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "answer") (result u32) (canon lift (core func $i "answer")))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func (export "burn") (param "n" u64) (result u64) (canon lift (core func $i "burn")))
  (func (export "spin") (param "n" u32) (result u32) (canon lift (core func $i "spin")))
  (func (export "spin-or-trap") (param "n" u32) (result u32) (canon lift (core func $i "spin-or-trap")))
  (func (export "trap") (param "n" u32) (result u32) (canon lift (core func $i "trap")))
  (func (export "divide") (param "n" u32) (result u32) (canon lift (core func $i "divide")))
  (func (export "recurse") (param "n" u32) (result u32) (canon lift (core func $i "recurse")))
  (func (export "grow") (param "mebibytes" u32) (result u32) (canon lift (core func $i "grow"))))
