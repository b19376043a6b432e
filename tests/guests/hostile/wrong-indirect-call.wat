;; Calls through a table what is not there.
(component
  (core module $m
    (table 10 funcref)
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (call_indirect (param) (i32.const 5))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
