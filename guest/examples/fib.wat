;; Fibonacci numbers as a component in text form. `taskcell` runs it as it stands:
;;
;;     taskcell map guest/examples/fib.wat fib 10 20 30

(component
  ;; What computes: a core module, which knows only the machine's numbers. It has no memory and imports nothing.
  (core module $numbers
    ;; fib(0) = 0, fib(1) = 1, fib(n) = fib(n - 1) + fib(n - 2). Recursive on purpose: its cost doubles about every one
    ;; and a half steps, which makes it a handy load. From fib(94) on the sum wraps around, modulo 2^64.
    (func $fib (export "fib") (param $n i32) (result i64)
      (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
        (then
          (i64.extend_i32_u (local.get $n)))
        (else
          (i64.add
            (call $fib (i32.sub (local.get $n) (i32.const 1)))
            (call $fib (i32.sub (local.get $n) (i32.const 2))))))))

  (core instance $numbers (instantiate $numbers))

  ;; What others see: the same function with a typed signature. The core module's i32 and i64 are lifted to u32 and u64.
  (func (export "fib") (param "n" u32) (result u64)
    (canon lift (core func $numbers "fib"))))
