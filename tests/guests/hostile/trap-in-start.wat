;; Traps before anything was asked of it.
(component
  (core module $m
    (func $begin (unreachable))
    (start $begin)
    (func (export "attack") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
