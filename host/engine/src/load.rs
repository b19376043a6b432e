//! The one place where machine code is taken from bytes.
//!
//! Those bytes are hostile until the opposite is shown: a compile child wrote them, whose input an
//! attacker may have made. So they are parsed, mapped and made executable by a confined process only.
#![expect(unsafe_code, reason = "loading compiled code trusts its bytes; see the SAFETY note")]

use std::path::Path;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};
use taskcell_sandbox::Confined;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::{EngineError, one_line};

/// The sections that the settings of [`config`](crate::config) make. Others would be handed to debuggers,
/// or their tables to the unwinder.
const SECTIONS: [&str; 12] = [
    "",
    ".text",
    ".symtab",
    ".strtab",
    ".shstrtab",
    ".rodata.wasm",
    ".name.wasm",
    ".wasmtime.engine",
    ".wasmtime.bti",
    ".wasmtime.info",
    ".wasmtime.traps",
    ".wasmtime.exceptions",
];

/// Compiled code in a sealed memory file.
#[derive(Debug, Clone, Copy)]
pub struct CodeFile<'a> {
    /// A name that leads to the file during the call: the engine maps it by that.
    pub path: &'a Path,
    /// The file's contents.
    pub bytes: &'a [u8],
}

/// Maps compiled code. No code of the guest runs here.
pub(crate) fn load(_: &Confined, engine: &Engine, code: &CodeFile<'_>) -> Result<Component, EngineError> {
    check_sections(code.bytes)?;
    // SAFETY: the bytes must be what this engine's version serialised, and must not change while they are mapped.
    // - They come from a compile child of this very binary (checked by the protocol version), either directly or through the cache,
    //   whose folder only this user can write and whose entries carry a digest; never from a file that a user names
    //   (`accept` refuses precompiled code). wasmtime checks its own version and settings in the header.
    // - They can't change: the supervisor sealed the memory file against writing, growing and shrinking before it passed it on.
    // - Should a hostile component have taken over the compile child, the code is hostile. This process is confined (the
    //   first argument) as if it ran native code of an attacker; the supervisor never loads code.
    unsafe { Component::deserialize_file(engine, code.path) }.map_err(|error| refused(&one_line(&error)))
}

/// Refuses artifacts with sections that this host's settings never make, before the engine looks at them.
fn check_sections(bytes: &[u8]) -> Result<(), EngineError> {
    let broken = |_: object::read::Error| EngineError::Load("it is no code of this engine".into());
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let sections = header.sections(endian, bytes).map_err(broken)?;
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(broken)?;
        let is_relocation = section.sh_type(endian) == object::elf::SHT_RELA || section.sh_type(endian) == object::elf::SHT_REL;
        if is_relocation || !SECTIONS.iter().any(|known| known.as_bytes() == name) {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(EngineError::Load(format!("it has a section that is never made here: {name:?}")));
        }
    }
    Ok(())
}

/// The engine checks a component's fixed needs against its pool when it loads it; a limit of ours then has the pool's words.
fn refused(text: &str) -> EngineError {
    let limit =
        [("memory", "memory", "--memory"), ("table", "table", "--max-table"), ("instances", "instances", "--max-instances")]
            .into_iter()
            .find(|(word, _, _)| text.contains("pooling allocator") && text.contains(word));
    match limit {
        Some((_, limit, option)) => EngineError::OverLimit { limit, option, text: text.to_owned() },
        None => EngineError::Load(text.to_owned()),
    }
}
