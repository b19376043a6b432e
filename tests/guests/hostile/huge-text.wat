;; Gives a text of 64 MiB.
(component
  (core module $m
    (memory (export "memory") 1100)
    (data (i32.const 64) "fine")
    (func (export "attack") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4))
      (if (i32.eqz (local.get $n))
        (then
          (i32.store (i32.const 4) (i32.const 0x4000000))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "attack") (param "n" u32) (result string) (canon lift (core func $i "attack") (memory $memory))))
