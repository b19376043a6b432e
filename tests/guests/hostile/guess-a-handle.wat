;; Uses a number as a handle that it was never given.
(component
  (import "taskcell:host/sync@0.1.0" (instance $sync
    (export "event" (type $event (sub resource)))
    (export "[method]event.is-set" (func (param "self" (borrow $event)) (result bool)))))
  (alias export $sync "event" (type $event))
  (core func $is-set (canon lower (func $sync "[method]event.is-set")))
  (core func $drop (canon resource.drop $event))
  (core module $m
    (import "host" "is-set" (func $is-set (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.and (local.get $n) (i32.const 1)) (then (call $drop (i32.shr_u (local.get $n) (i32.const 1)))))
      (call $is-set (i32.shr_u (local.get $n) (i32.const 1)))))
  (core instance $i (instantiate $m (with "host" (instance (export "is-set" (func $is-set)) (export "drop" (func $drop))))))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
