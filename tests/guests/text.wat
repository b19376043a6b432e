;; Bytes and text: the length of each, and the same back.
(component
  (core module $m
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))

    ;; Takes memory and never gives any back: an instance serves one task.
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local $pages i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (local.set $pages (i32.sub (i32.add (i32.shr_u (global.get $free) (i32.const 16)) (i32.const 1)) (memory.size)))
      (if (i32.gt_s (local.get $pages) (i32.const 0))
        (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable)))))
      (local.get $at))

    (func (export "length") (param $at i32) (param $length i32) (result i32) (local.get $length))

    (func (export "same") (param $at i32) (param $length i32) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $length))
      (i32.const 16)))

  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "count-bytes") (param "bytes" (list u8)) (result u32)
    (canon lift (core func $i "length") (memory $memory) (realloc $realloc)))
  (func (export "count-text") (param "text" string) (result u32)
    (canon lift (core func $i "length") (memory $memory) (realloc $realloc)))
  (func (export "same-text") (param "text" string) (result string)
    (canon lift (core func $i "same") (memory $memory) (realloc $realloc)))
  (func (export "same-bytes") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $i "same") (memory $memory) (realloc $realloc))))
