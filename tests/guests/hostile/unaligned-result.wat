;; Gives an odd place for its result.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "fine")
    (func (export "attack") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4))
      (if (i32.eqz (local.get $n))
        (then
          (return (i32.const 1))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "attack") (param "n" u32) (result string) (canon lift (core func $i "attack") (memory $memory))))
