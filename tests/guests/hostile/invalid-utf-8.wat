;; Gives a text that is no text.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "fine")
    (data (i32.const 128) "\ff\fe")
    (func (export "attack") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4))
      (if (i32.eqz (local.get $n))
        (then
          (i32.store (i32.const 0) (i32.const 128))
          (i32.store (i32.const 4) (i32.const 2))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "attack") (param "n" u32) (result string) (canon lift (core func $i "attack") (memory $memory))))
