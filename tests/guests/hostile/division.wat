;; Divides by zero.
(component
  (core module $m
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (return (i32.div_u (i32.const 1) (local.get $n)))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
