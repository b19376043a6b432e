//! The guests, compiled once for all tests.

use std::fs::File;
use std::sync::OnceLock;

use taskcell_engine::{CodeFile, compile};
use taskcell_sandbox::{Confined, sealed_memfd};
use taskcell_wire::Interface;

/// Code as a compile child hands it over.
pub(crate) struct Compiled {
    pub(crate) code: Vec<u8>,
    pub(crate) interface: Interface,
}

/// One function for each way in which a task can go.
pub(crate) const NUMBERS: usize = 0;
/// A program that prints six bytes to each of its two streams.
pub(crate) const PRINT: usize = 1;
/// A program that prints without end until it is cut: 100 lines of 10 bytes.
pub(crate) const CHATTY: usize = 2;

const TEXTS: [&str; 3] = [
    r#"(component
  (core module $m
    (memory (export "memory") 4)
    (global $count (mut i32) (i32.const 0))
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $top))
      (global.set $top (i32.add (global.get $top) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))))
      (local.get $at))
    (func (export "echo") (param i32) (result i32) (local.get 0))
    (func (export "echo-bytes") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    ;; How often it was called in this instance.
    (func (export "count") (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (global.get $count))
    ;; Never ends for 0, traps for 1, gives any other number back.
    (func (export "mood") (param $n i32) (result i32)
      (if (i32.eqz (local.get $n)) (then (loop $again (br $again))))
      (if (i32.eq (local.get $n) (i32.const 1)) (then (unreachable)))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "n" u32) (result u32) (canon lift (core func $i "echo")))
  (func (export "echo-bytes") (param "b" (list u8)) (result (list u8))
    (canon lift (core func $i "echo-bytes") (memory $i "memory") (realloc (func $i "realloc"))))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func (export "mood") (param "n" u32) (result u32) (canon lift (core func $i "mood"))))"#,
    r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))))"#,
    r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "123456789\n")
  (func (export "_start") (local $line i32)
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 10))
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $line (i32.add (local.get $line) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $line) (i32.const 100))))))"#,
];

pub(crate) fn compiled(which: usize) -> &'static Compiled {
    static ALL: [OnceLock<Compiled>; 3] = [const { OnceLock::new() }; 3];
    ALL[which].get_or_init(|| {
        let limits = super::limits();
        let code = compile(TEXTS[which].as_bytes(), &limits, true).unwrap();
        let file = File::from(sealed_memfd("code", &code.bytes).unwrap());
        let open =
            |confined: &Confined, file: &CodeFile<'_>| compile::open(confined, file, &limits, code.is_concurrent, code.has_start);
        let interface = super::with_code(&file, open).unwrap().describe().unwrap();
        Compiled { code: code.bytes, interface }
    })
}
