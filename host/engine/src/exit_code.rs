//! Keeps the exit codes of WASI p1 programs.
//!
//! The standard adapter answers `proc_exit` with `wasi:cli/exit.exit`, which knows success and failure only, so that each code but
//! 0 became 1: `grep` that found nothing (1) looked like `grep` that could not read (2). WASI 0.2.12 has `exit-with-code: func(status-code:
//! u8)`. As a core function it has the type of `proc_exit`, one `i32`, so the module's import can be given the other name and needs no
//! code between the two. The adapter loses nothing by not being asked: it keeps no output back, and would only pass the call on.
//!
//! Of the code the lowest 8 bits count, as on POSIX: the canonical ABI takes a `u8` out of an `i32` like that.
//!
//! The module is changed in one section; its code and names stay byte for byte. The road not taken is an adapter of our own: a
//! whole one to build and keep up to date, for one call.

use std::ops::Range;

use wasi_preview1_component_adapter_provider as adapter;
use wasmparser::{BinaryReader, BinaryReaderError, Imports, Parser, Payload, TypeRef};
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// What a program's core module imports in place of `proc_exit`: the interface in the version that the adapter imports too.
const INTERFACE: &str = "wasi:cli/exit@0.2.12";
const FUNCTION: &str = "exit-with-code";

/// The interface, in full, because the adapter's description of it has to be the same.
const WIT: &str = "package wasi:cli@0.2.12;
interface exit { exit: func(status: result); exit-with-code: func(status-code: u8); }
world exit-code { import exit; }";

/// The ids of two sections in the binary format.
const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;

/// The module with the other import; `None` if it has no `proc_exit`, or can't be changed, and is to be taken as it is.
pub(crate) fn keep(module: &[u8]) -> Option<Vec<u8>> {
    let Section { whole, content } = import_section(module).ok().flatten()?;
    let imports = renamed(module.get(content)?).ok().flatten()?;
    let mut out = Vec::with_capacity(module.len() + 1024);
    out.extend_from_slice(module.get(..whole.start)?);
    section(IMPORTS, &imports, &mut out);
    out.extend_from_slice(module.get(whole.end..)?);
    let mut described = Vec::new();
    name("component-type:exit-code", &mut described);
    described.extend_from_slice(&description()?);
    section(CUSTOM, &described, &mut out);
    Some(out)
}

/// Where a section is, with its header and without.
struct Section {
    whole: Range<usize>,
    content: Range<usize>,
}

fn import_section(module: &[u8]) -> Result<Option<Section>, BinaryReaderError> {
    let mut end = 0;
    for payload in Parser::new(0).parse_all(module) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "what stands before the imports; the list is the parser's")]
        match payload? {
            Payload::Version { range, .. } => end = range.end,
            Payload::ImportSection(imports) => {
                let content = imports.range();
                return Ok(Some(Section { whole: end..content.end, content }));
            }
            other => match other.as_section() {
                Some((_, range)) => end = range.end,
                None => return Ok(None),
            },
        }
    }
    Ok(None)
}

/// The import section's content with the other name in it.
fn renamed(bytes: &[u8]) -> Result<Option<Vec<u8>>, BinaryReaderError> {
    let section = wasmparser::ImportSectionReader::new(BinaryReader::new(bytes, 0))?;
    let count = section.count();
    // Each import's place, and whether it is the one.
    let mut places = Vec::new();
    for imports in section {
        // Imports that share a module's name are written together by no compiler of programs yet.
        let Imports::Single(start, import) = imports? else { return Ok(None) };
        let is_exit = import.module == adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME && import.name == "proc_exit";
        places.push((start, is_exit && matches!(import.ty, TypeRef::Func(_))));
    }
    if !places.iter().any(|(_, is_exit)| *is_exit) {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(bytes.len() + 32);
    length(count as usize, &mut out);
    let ends = places.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    for ((start, is_exit), end) in places.iter().zip(ends) {
        let Some(import) = bytes.get(*start..end) else { return Ok(None) };
        let mut rest = import;
        if *is_exit {
            let mut reader = BinaryReader::new(import, 0);
            reader.read_string()?;
            reader.read_string()?;
            rest = import.get(reader.original_position()..).unwrap_or(&[]);
            name(INTERFACE, &mut out);
            name(FUNCTION, &mut out);
        }
        out.extend_from_slice(rest);
    }
    Ok(Some(out))
}

/// The interface as component type information, the way wit-bindgen leaves it in a module.
fn description() -> Option<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("exit-code.wit", WIT).ok()?;
    let world = resolve.select_world(&[package], None).ok()?;
    wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).ok()
}

fn section(id: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    length(content.len(), out);
    out.extend_from_slice(content);
}

fn name(text: &str, out: &mut Vec<u8>) {
    length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// A number as the binary format has it: seven bits a byte, low first.
fn length(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn imports(module: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::ImportSection(section) = payload.unwrap() {
                found.extend(
                    section.into_imports().map(|one| one.map(|one| (one.module.to_owned(), one.name.to_owned())).unwrap()),
                );
            }
        }
        found
    }

    #[test]
    fn only_the_one_import_is_renamed() {
        let module = wat::parse_str(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
                (import "env" "proc_exit" (func (param i32)))
                (memory (export "memory") 1)
                (func (export "_start")))"#,
        )
        .unwrap();
        let kept = keep(&module).unwrap();
        let expected = [("wasi_snapshot_preview1", "fd_close"), (INTERFACE, FUNCTION), ("env", "proc_exit")];
        assert_eq!(imports(&kept), expected.map(|(module, name)| (module.to_owned(), name.to_owned())));
        let after = |bytes: &[u8]| bytes.windows(6).position(|window| window == b"memory").map(|at| bytes[at..].to_vec());
        assert!(after(&kept).unwrap().starts_with(&after(&module).unwrap()), "the rest stays as it was");
    }

    /// Whatever the bytes are: no panic, and a sound module stays sound. `EXIT_CODE_SEED` plays one again.
    #[test]
    fn damaged_modules_do_no_harm() {
        let whole = wat::parse_str(
            r#"(module
                (type (func (param i32)))
                (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func (type 0)))
                (memory (export "memory") 1)
                (func (export "_start") (call 1 (i32.const 3))))"#,
        )
        .unwrap();
        let seed: u64 = std::env::var("EXIT_CODE_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
        let mut state = seed | 1;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut sound = 0;
        for round in 0..20_000 {
            let mut module = whole.clone();
            for _ in 0..next(4) {
                let at = next(module.len());
                module[at] = u8::try_from(next(256)).unwrap();
            }
            module.truncate(module.len() - next(3) * next(8));
            let Some(kept) = keep(&module) else { continue };
            if wasmparser::validate(&module).is_ok() {
                sound += 1;
                assert!(wasmparser::validate(&kept).is_ok(), "seed {seed}, round {round}: {module:?}");
            }
        }
        assert!(sound > 1000, "seed {seed}: only {sound} sound modules were tried");
    }

    #[test]
    fn what_has_no_such_import_is_left_alone() {
        for text in [
            "(module)",
            r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32))))"#,
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (global i32)))"#,
        ] {
            assert_eq!(keep(&wat::parse_str(text).unwrap()), None, "{text}");
        }
        assert_eq!(keep(b"\0asm\x01\0\0\0\x02\x05"), None, "cut short");
        assert_eq!(keep(b""), None);
    }
}
