;; Takes all memory before anything was asked of it.
(component
  (core module $m
    (memory 1)
    (func $begin (loop $again (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $again)))
    (start $begin)
    (func (export "attack") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
