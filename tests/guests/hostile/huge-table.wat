;; Wants a larger table than it may have, to begin with.
(component
  (core module $m
    (table 5000000 funcref)
    (func $begin (nop))
    (start $begin)
    (func (export "attack") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
