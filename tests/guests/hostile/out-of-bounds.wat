;; Reads where it has no memory.
(component
  (core module $m
    (memory 1)
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (return (i32.load (i32.const 0x7ffffff0)))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
