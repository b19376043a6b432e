;; A WASI p1 program: asks for 100 random bytes at once.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (if (call $random (i32.const 1024) (i32.const 100)) (then (unreachable)))))
