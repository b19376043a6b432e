//! A guest that hands what it is given to the host and what it gets back to the test, made from WIT and a few lines of WAT.
//!
//! Each task is an import under another name: its parameters go to the imported function as they are, and its result comes back as it is.
//! Only handles are numbers in its result, because a task can't give them. So arguments and results are JSON, read and written by the
//! engine, and no layout stands in a test.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{Function, Resolve, WorldId, WorldItem};

/// One exported task.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// Its type in WIT.
    pub(crate) wit: &'static str,
    pub(crate) does: Does,
}

/// What a task does.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Calls this function with its parameters.
    Call(&'static str),
    /// Runs this first, which uses so many parameters up and leaves a handle in `$h`; then calls the function with that and the rest.
    On(&'static str, usize, &'static str),
    /// This.
    Wat(&'static str),
}

impl Does {
    /// What it says, with the names of what it calls.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Call(call) => format!("${call} "),
            Self::On(before, _, call) => format!("{before} ${call} "),
            Self::Wat(wat) => (*wat).to_owned(),
        }
    }
}

/// Where results of the function that a task stands for are.
pub(crate) const RESULT: u32 = 64;

/// Memory, an allocator that only fills up, and some text at 1024: `task!`.
const LIBRARY: &str = r#"
    (memory (export "memory") 2)
    (data (i32.const 1024) "task!")
    (global $top (mut i32) (i32.const 4096))
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32) (local $more i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (local.set $more (i32.sub (i32.shr_u (i32.add (global.get $top) (i32.const 65535)) (i32.const 16)) (memory.size)))
        (if (i32.gt_s (local.get $more) (i32.const 0)) (then (if (i32.lt_s (memory.grow (local.get $more)) (i32.const 0)) (then unreachable))))
        (local.get $at))
    ;; Gives the handle in a result at 512, or traps if it is an error.
    (func $made (result i32) (if (i32.load8_u (i32.const 512)) (then unreachable)) (i32.load (i32.const 516)))"#;

/// The name of an import in WAT: `$queue/queue.put`, `$queue/drop.queue`, `$process/new.invocation`.
fn id(interface: &str, function: &str) -> String {
    let interface = interface.rsplit('/').next().unwrap().split('@').next().unwrap();
    let function = match function.split_once(']') {
        Some(("[constructor", name)) => format!("new.{name}"),
        Some((_, name)) => name.to_owned(),
        None => function.to_owned(),
    };
    format!("${interface}/{function}")
}

fn types(word: &str, types: &[WasmType]) -> String {
    let names = types.iter().map(|ty| match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
        WasmType::I64 | WasmType::PointerOrI64 => " i64",
        WasmType::F32 => " f32",
        WasmType::F64 => " f64",
    });
    format!("({word}{})", names.collect::<String>())
}

struct Imports {
    wat: String,
    by_id: HashMap<String, WasmSignature>,
}

impl Imports {
    fn add(&mut self, module: &str, function: &str, id: String, signature: WasmSignature) {
        let ty = format!("{} {}", types("param", &signature.params), types("result", &signature.results));
        writeln!(self.wat, r#"(import "{module}" "{function}" (func {id} {ty}))"#).unwrap();
        self.by_id.insert(id, signature);
    }

    fn of(resolve: &Resolve, world: WorldId) -> Self {
        let mut imports = Self { wat: String::new(), by_id: HashMap::new() };
        for (key, item) in &resolve.worlds[world].imports {
            let WorldItem::Interface { id: interface, .. } = item else { continue };
            let module = resolve.name_world_key(key);
            for function in resolve.interfaces[*interface].functions.values() {
                let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
                imports.add(&module, &function.name, id(&module, &function.name), signature);
            }
            for (name, ty) in &resolve.interfaces[*interface].types {
                if matches!(resolve.types[*ty].kind, wit_parser::TypeDefKind::Resource) {
                    let drops =
                        WasmSignature { params: vec![WasmType::I32], results: vec![], indirect_params: false, retptr: false };
                    let drop = format!("[resource-drop]{name}");
                    imports.add(&module, &drop, id(&module, &format!("[]drop.{name}")), drops);
                }
            }
        }
        imports
    }
}

fn body(task: &Task, own: &WasmSignature, imports: &Imports) -> String {
    let (before, used, call) = match task.does {
        Does::Wat(wat) => return wat.to_owned(),
        Does::Call(call) => ("", None, call),
        Does::On(before, used, call) => (before, Some(used), call),
    };
    let callee = imports.by_id.get(&format!("${call}")).unwrap_or_else(|| panic!("no import ${call}"));
    let mut arguments: Vec<String> = used.iter().map(|_| "(local.get $h)".to_owned()).collect();
    arguments.extend((used.unwrap_or(0)..own.params.len()).map(|at| format!("(local.get {at})")));
    let (pointer, result) = if callee.retptr {
        (format!("(i32.const {RESULT})"), format!("(i32.const {RESULT})"))
    } else {
        (String::new(), String::new())
    };
    format!("(local $h i32) {before} (call ${call} {} {pointer}) {result}", arguments.join(" "))
}

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    resolve.push_str("poll.wit", "package wasi:io@0.2.0; interface poll { resource pollable { block: func(); } }").unwrap();
    let clock =
        "interface monotonic-clock { use wasi:io/poll@0.2.0.{pollable}; subscribe-duration: func(when: u64) -> pollable; }";
    resolve.push_str("clock.wit", &format!("package wasi:clocks@0.2.0; {clock}")).unwrap();
    resolve
}

/// The names of all that a guest can import, as they stand in WAT.
pub(crate) fn imports() -> Vec<String> {
    let resolve = resolve();
    let world = resolve.worlds.iter().find(|(_, world)| world.name == "imports").unwrap().0;
    Imports::of(&resolve, world).by_id.into_keys().collect()
}

/// An `async func`: its parameters in WIT and in WAT, and what it does.
pub(crate) type Later = (&'static str, &'static str, &'static str);

/// A component with these tasks. With an `async func` called `later` beside them, it needs the engine's support for such.
pub(crate) fn component(uses: &str, tasks: &[Task], later: Option<Later>) -> Vec<u8> {
    let mut exports = String::new();
    for task in tasks {
        writeln!(exports, "export {}: {};", task.name, task.wit).unwrap();
    }
    let asynchronous = later.map_or(String::new(), |(params, _, _)| format!("export later: async func{params};"));
    let text =
        format!("package test:driver; world driver {{ include taskcell:host/imports@0.1.0; {uses} {exports} {asynchronous} }}");
    let mut resolve = resolve();
    let package = resolve.push_str("driver.wit", &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let world = resolve.select_world(&[package], Some("driver")).unwrap();
    let imports = Imports::of(&resolve, world);

    let mut functions = String::new();
    for task in tasks {
        let item = resolve.worlds[world].exports.values().find_map(|item| match item {
            WorldItem::Function(function) if function.name == task.name => Some(function),
            WorldItem::Function(_) | WorldItem::Interface { .. } | WorldItem::Type { .. } => None,
        });
        let function: &Function = item.unwrap();
        let own = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let ty = format!("{} {}", types("param", &own.params), types("result", &own.results));
        writeln!(functions, r#"(func (export "{}") {ty} {})"#, task.name, body(task, &own, &imports)).unwrap();
    }
    let (later, returns) = match later {
        Some((_, params, does)) => (
            format!(
                r#"(func (export "[async-lift]later") {params} (result i32) {does} (call $return) (i32.const 0))
                (func (export "[callback][async-lift]later") (param i32 i32 i32) (result i32) unreachable)"#
            ),
            r#"(import "[export]$root" "[task-return]later" (func $return))"#,
        ),
        None => (String::new(), ""),
    };
    let module = format!("(module {} {returns} {LIBRARY} {functions} {later})", imports.wat);
    let mut binary = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    embed_component_metadata(&mut binary, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&binary).unwrap().validate(true).encode().unwrap_or_else(|error| panic!("{error:?}"))
}
