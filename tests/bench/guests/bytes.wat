;; Gives bytes back as they came: what is left is the way there and back.
(component
  (core module $m
    (memory (export "memory") 1)

    ;; One block, which each call takes again: a call has one list.
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $pages i32)
      (local.set $pages
        (i32.sub
          (i32.shr_u (i32.add (local.get $size) (i32.const 66559)) (i32.const 16))
          (memory.size)))
      (if (i32.gt_s (local.get $pages) (i32.const 0))
        (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable)))))
      (i32.const 1024))

    (func (export "same") (param $at i32) (param $length i32) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $length))
      (i32.const 16)))

  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "same") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $i "same") (memory $memory) (realloc $realloc))))
