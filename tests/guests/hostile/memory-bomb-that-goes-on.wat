;; Asks for memory without end, whatever the answer.
(component
  (core module $m
    (memory 1)
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (loop $again (drop (memory.grow (i32.const 1))) (br $again))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
