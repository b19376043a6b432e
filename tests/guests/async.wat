;; A component with an `async func` of the component model, which the host accepts with --async only.
(component
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "" "return" (func $return (param i32)))
    (func (export "next") (param $n i32) (result i32)
      (call $return (i32.add (local.get $n) (i32.const 1)))
      (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (unreachable)))
  (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
  (func (export "next") async (param "n" u32) (result u32)
    (canon lift (core func $i "next") async (callback (core func $i "callback")))))
