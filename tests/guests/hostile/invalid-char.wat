;; Gives a character that is none: half of a pair.
(component
  (core module $m
    (func (export "attack") (param $n i32) (result i32)
      (if (result i32) (local.get $n) (then (i32.const 0x61)) (else (i32.const 0xd800)))))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result char) (canon lift (core func $i "attack"))))
