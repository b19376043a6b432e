;; Makes a table larger and larger, and gives up when that goes no further.
(component
  (core module $m
    (table 1 funcref)
    (func (export "attack") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n))
        (then
          (loop $again
            (if (i32.eq (table.grow 0 (ref.null func) (i32.const 10000)) (i32.const -1)) (then (unreachable)))
            (br $again))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "attack") (param "n" u32) (result u32) (canon lift (core func $i "attack"))))
