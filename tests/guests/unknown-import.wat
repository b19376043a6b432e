;; Needs an interface that no host provides.
(component
  (import "example:weather/forecast@1.0.0" (instance $forecast
    (export "tomorrow" (func (result u32)))))
  (core module $m (import "forecast" "tomorrow" (func $f (result i32))) (func (export "echo") (param i32) (result i32) (call $f)))
  (core func $tomorrow (canon lower (func $forecast "tomorrow")))
  (core instance $i (instantiate $m (with "forecast" (instance (export "tomorrow" (func $tomorrow))))))
  (func (export "echo") (param "n" u32) (result u32) (canon lift (core func $i "echo"))))
