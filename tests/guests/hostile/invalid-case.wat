;; Gives a case that its type does not have.
(component
  (type $colour' (enum "red" "green"))
  (export $colour "colour" (type $colour'))
  (core module $m
    (func (export "attack") (param $n i32) (result i32) (if (result i32) (local.get $n) (then (i32.const 1)) (else (i32.const 99)))))
  (core instance $i (instantiate $m))
  (func $attack (param "n" u32) (result $colour') (canon lift (core func $i "attack")))
  (export "attack" (func $attack) (func (param "n" u32) (result $colour))))
