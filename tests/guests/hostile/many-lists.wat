;; Gives eight million lists, each of which says that it is the same sixteen megabytes.
(component
  (core module $m
    (memory (export "memory") 1100)
    (func (export "attack") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 0))
      (if (i32.eqz (local.get $n))
        (then
          (i32.store (i32.const 0) (i32.const 1048576))
          (i32.store (i32.const 4) (i32.const 8000000))
          (memory.fill (i32.const 1048576) (i32.const 0x01) (i32.const 64000000))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "attack") (param "n" u32) (result (list (list u8))) (canon lift (core func $i "attack") (memory $memory))))
