//! From the bytes that a user names to a component: what is taken, what is refused and with which advice.
//!
//! Taken are components, binary or text, and core modules that can be made into one: those with component type information (as
//! wit-bindgen leaves it) and WASI p1 commands and reactors, through the standard adapter. So nobody needs another tool between
//! their compiler and a task. Precompiled code is refused whatever it is: it would run as it is.
//!
//! Runs in the compile child only, since everything here parses hostile bytes.

use std::borrow::Cow;

use taskcell_wire::RefusalKind;
use wasi_preview1_component_adapter_provider as adapter;
use wasmparser::{Encoding, ExternalKind, Parser, Payload};

use crate::error::{EngineError, truncate};
use crate::exit_code;

const NOT_WASM: &str = "not WebAssembly: neither the binary format (which begins with \\0asm) nor its text form";

/// Turns `bytes` into a component's binary form.
///
/// # Errors
/// [`EngineError::Refused`] with what they are instead and what to do about it.
pub fn accept(bytes: &[u8]) -> Result<Cow<'_, [u8]>, EngineError> {
    let binary = binary(bytes)?;
    let (encoding, found) = survey(&binary)?;
    match encoding {
        Encoding::Component => Ok(binary),
        Encoding::Module => {
            let kept = if found.wasi_p1 { exit_code::keep(&binary).and_then(|kept| adapt(&kept, &found).ok()) } else { None };
            // A module whose `proc_exit` is not what it should be is told so in its own words.
            kept.map_or_else(|| adapt(&binary, &found), Ok).map(Cow::Owned)
        }
    }
}

/// Whether any module of a component has a start function, or the component itself. A broken component has
/// none: it doesn't compile.
pub(crate) fn has_start(component: &[u8]) -> bool {
    let is_start = |payload| matches!(payload, Ok(Payload::StartSection { .. } | Payload::ComponentStartSection { .. }));
    Parser::new(0).parse_all(component).any(is_start)
}

/// Text becomes binary; what is neither is named.
fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, EngineError> {
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        let text =
            "precompiled code, which would run unchecked; give the .wasm that it was compiled from, the cache keeps it fast";
        return Err(EngineError::refuse(RefusalKind::Precompiled, text));
    }
    if bytes.is_empty() {
        return Err(EngineError::refuse(RefusalKind::NotWasm, "the file is empty"));
    }
    if bytes.starts_with(b"\x7fELF") {
        let text = "a native program (ELF); compile it to WebAssembly";
        return Err(EngineError::refuse(RefusalKind::NotWasm, text));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(EngineError::refuse(RefusalKind::NotWasm, NOT_WASM));
    };
    // Comments and space may come first; the first token of a module or component in text form is a parenthesis.
    if !text.contains("(component") && !text.contains("(module") {
        return Err(EngineError::refuse(RefusalKind::NotWasm, NOT_WASM));
    }
    match wat::parse_str(text) {
        Ok(binary) => Ok(Cow::Owned(binary)),
        Err(error) => {
            let text = error.to_string();
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('|')).collect();
            Err(EngineError::refuse(RefusalKind::Malformed, truncate(format!("broken text form: {}", lines.join(" ")))))
        }
    }
}

/// What decides how a core module becomes a component.
#[derive(Debug, Default)]
struct Found {
    component_type: bool,
    wasi_p1: bool,
    start: bool,
    other_import: Option<String>,
}

/// Reads the outermost level once, front to back.
fn survey(binary: &[u8]) -> Result<(Encoding, Found), EngineError> {
    let mut found = Found::default();
    let mut kind = None;
    let broken = |error: wasmparser::BinaryReaderError| {
        let text = format!("broken at byte {}: {}", error.offset(), error.message());
        EngineError::refuse(RefusalKind::Malformed, truncate(text))
    };
    for payload in Parser::new(0).parse_all(binary) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "sections that decide nothing here; the list is the parser's")]
        match payload.map_err(broken)? {
            Payload::Version { encoding, .. } => {
                if kind.is_none() {
                    kind = Some(encoding);
                }
                if encoding == Encoding::Component {
                    break;
                }
            }
            Payload::CustomSection(section) => found.component_type |= section.name().starts_with("component-type"),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(broken)?;
                    if import.module == adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                        found.wasi_p1 = true;
                    } else {
                        found.other_import = Some(format!("{}.{}", import.module, import.name));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.map_err(broken)?;
                    found.start |= export.name == "_start" && export.kind == ExternalKind::Func;
                }
            }
            _ => {}
        }
    }
    let kind = kind.ok_or_else(|| EngineError::refuse(RefusalKind::Malformed, "broken: the header is cut short"))?;
    Ok((kind, found))
}

fn adapt(module: &[u8], found: &Found) -> Result<Vec<u8>, EngineError> {
    if !found.component_type && !found.wasi_p1 {
        let imports = found.other_import.as_ref().map(|name| format!(" (it imports {name})")).unwrap_or_default();
        let text = format!(
            "a core module without component types{imports}; build it with wit-bindgen or for wasm32-wasip2, or embed its WIT with `wasm-tools component embed`"
        );
        return Err(EngineError::refuse(RefusalKind::NotComponent, truncate(text)));
    }
    let bytes = if found.start {
        adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let name = adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let encoded = wit_component::ComponentEncoder::default()
        .validate(false)
        .module(module)
        .and_then(|encoder| if found.wasi_p1 { encoder.adapter(name, bytes) } else { Ok(encoder) })
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| {
        let chain: Vec<String> = error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect();
        let text = format!("a core module that can't be made into a component: {}", chain.join(": "));
        EngineError::refuse(RefusalKind::NotComponent, truncate(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> (RefusalKind, String) {
        match accept(bytes) {
            Err(EngineError::Refused(refusal)) => (refusal.kind, refusal.text),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn what_is_no_wasm_is_named() {
        assert_eq!(refusal(b"").0, RefusalKind::NotWasm);
        assert!(refusal(b"\x7fELF\x02\x01").1.contains("ELF"));
        assert_eq!(refusal(b"hello, world").0, RefusalKind::NotWasm);
        assert_eq!(refusal(&[0xff, 0xfe, 0, 1, 2]).0, RefusalKind::NotWasm);
    }

    #[test]
    fn a_cut_binary_says_where() {
        let whole = wat::parse_str("(component (core module (func)))").unwrap_or_default();
        for end in 4..8 {
            assert_eq!(refusal(&whole[..end]).0, RefusalKind::Malformed, "cut at {end}");
        }
    }

    #[test]
    fn broken_text_is_told_with_its_place() {
        let (kind, text) = refusal(b"(component (core module (fun)))");
        assert_eq!(kind, RefusalKind::Malformed);
        assert!(!text.contains('\n'), "{text}");
        assert!(text.contains("1:"), "{text}");
    }

    #[test]
    fn a_bare_core_module_gets_advice() {
        let (kind, text) = refusal(b"(module (import \"env\" \"f\" (func)))");
        assert_eq!(kind, RefusalKind::NotComponent);
        assert!(text.contains("env.f") && text.contains("wit-bindgen"), "{text}");
    }

    #[test]
    fn a_wasi_p1_command_becomes_a_component() {
        let module = br#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")))"#;
        let component = accept(module).map(Cow::into_owned).unwrap_or_default();
        assert!(matches!(survey(&component), Ok((Encoding::Component, _))));
    }

    #[test]
    fn a_wrong_exit_is_told_as_the_module_has_it() {
        let module = br#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i64)))
            (memory (export "memory") 1)
            (func (export "_start")))"#;
        let (kind, text) = refusal(module);
        assert_eq!(kind, RefusalKind::NotComponent);
        assert!(text.contains("wasi_snapshot_preview1") && text.contains("proc_exit"), "{text}");
    }
}
