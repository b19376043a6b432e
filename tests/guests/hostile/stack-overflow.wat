;; Calls itself without end.
(component
  (core module $m
    (func $deeper (param $n i32) (result i32) (i32.add (i32.const 1) (call $deeper (i32.add (local.get $n) (i32.const 1)))))
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (return (call $deeper (i32.const 0)))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
