;; Never comes to be.
(component
  (core module $m
    (func $begin (loop $again (br $again)))
    (start $begin)
    (func (export "attack") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
