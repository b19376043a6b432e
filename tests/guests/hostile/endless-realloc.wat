;; Never comes back when it is asked for room for a long input.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (i32.ge_u (local.get 3) (i32.const 10)) (then (loop $again (br $again))))
      (i32.const 64))
    (func (export "attack") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "attack") (param "text" string) (result u32)
    (canon lift (core func $i "attack") (memory $memory) (realloc $realloc))))
