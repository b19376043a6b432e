//! One message of every kind, every variant of every enum among them, and its name.

mod calls;

use taskcell_wire::from_worker::BootFailure;
use taskcell_wire::{
    Boot, ChunkId, DirGrant, Encoding, FromCompiler, FromWorker, Grants, Import, Interface, Isolation, ItemWriter, LayerReport,
    Limit, Limits, Outcome, OutcomeWriter, Ready, Refusal, RefusalKind, Run, Signature, Stream, TaskIndex, ToCompiler, ToWorker,
    TrapKind, Turn, TypeDef, TypeTable,
};

/// Limits with a number of their own in each field.
pub(crate) fn limits() -> Limits {
    Limits {
        memory_bytes: 0x11,
        table_elements: 0x12,
        instances: 0x13,
        stack_bytes: 0x14,
        fuel: Some(0x15),
        host_call_bytes: 0x16,
        handles: 0x17,
        message_bytes: 0x18,
        result_bytes: 0x19,
        log_bytes: 0x1a,
        random_bytes: 0x1b,
    }
}

/// Every kind of type, tasks of both kinds, imports of both kinds.
pub(crate) fn interface() -> Interface {
    let mut types = TypeTable::default();
    let mut add = |def| types.add(def).unwrap();
    let plain = [
        TypeDef::Bool,
        TypeDef::U8,
        TypeDef::U16,
        TypeDef::U32,
        TypeDef::U64,
        TypeDef::S8,
        TypeDef::S16,
        TypeDef::S32,
        TypeDef::S64,
        TypeDef::F32,
        TypeDef::F64,
        TypeDef::Char,
        TypeDef::String,
    ];
    let [bool, u8, ..] = plain.map(&mut add);
    let list = add(TypeDef::List(u8));
    add(TypeDef::FixedList(u8, 300));
    add(TypeDef::Record(vec![("a".into(), u8), ("b".into(), list)]));
    add(TypeDef::Tuple(vec![bool, u8]));
    add(TypeDef::Variant(vec![("none".into(), None), ("some".into(), Some(u8))]));
    add(TypeDef::Enum(vec!["red".into(), "blue".into()]));
    add(TypeDef::Option(list));
    let result = add(TypeDef::Result { ok: Some(u8), error: None });
    add(TypeDef::Flags(vec!["read".into()]));
    add(TypeDef::Map(bool, list));
    add(TypeDef::Handle("borrow<queue>".into()));
    Interface {
        types,
        tasks: vec![
            Signature { name: "fib".into(), params: vec![("n".into(), u8)], result: Some(result), is_async: false },
            Signature { name: "a:b/c@1.0.0#d".into(), params: vec![], result: None, is_async: true },
        ],
        imports: vec![
            Import { name: "wasi:cli/stdout@0.2.6".into(), provided: true, functions: true },
            Import { name: "x".into(), provided: false, functions: false },
        ],
        is_command: true,
        is_concurrent: false,
        has_start: true,
    }
}

/// Inputs as they travel: a short one, an empty one, one whose length takes two bytes.
pub(crate) fn items() -> (Vec<u8>, u32) {
    let mut items = ItemWriter::default();
    [&b"[1]"[..], b"", &[7; 130]].iter().for_each(|item| items.push(item));
    items.into_parts()
}

pub(crate) const TRAPS: [TrapKind; 6] =
    [TrapKind::Unreachable, TrapKind::MemoryOutOfBounds, TrapKind::Table, TrapKind::Arithmetic, TrapKind::Abi, TrapKind::Other];

pub(crate) const LIMITS: [Limit; 10] = [
    Limit::Memory,
    Limit::Table,
    Limit::Instances,
    Limit::Stack,
    Limit::Fuel,
    Limit::HostCall,
    Limit::Handles,
    Limit::Message,
    Limit::Result,
    Limit::Random,
];

/// Outcomes as they travel: every way to end, every trap, every limit.
pub(crate) fn outcomes() -> OutcomeWriter {
    let mut writer = OutcomeWriter::default();
    writer.push(0, &Outcome::Ok(b"42"));
    writer.push(300, &Outcome::Failed(b"\"no\""));
    writer.push(5, &Outcome::Exited(3));
    for kind in TRAPS {
        writer.push(1, &Outcome::Trapped { kind, text: "trap" });
    }
    writer.push(2, &Outcome::TimedOut);
    for limit in LIMITS {
        writer.push(3, &Outcome::OverLimit { limit, text: "over" });
    }
    writer.push(4, &Outcome::Cancelled);
    writer.push(u64::MAX, &Outcome::Invalid { text: "at [0]" });
    writer
}

pub(crate) fn to_worker<'a>(items: &'a [u8], count: u32) -> Vec<(&'static str, ToWorker<'a>)> {
    let boot = Boot {
        version: 0x0102,
        interface: interface(),
        limits: limits(),
        grants: Grants {
            env: vec![("A".into(), "b".into())],
            dirs: vec![DirGrant { host: "/srv/data".into(), guest: "/data".into(), writable: true }],
            args: vec!["program".into()],
            stdin: true,
        },
        isolation: Isolation::Reuse,
        strict: true,
        restrict_speculation: false,
        send_printed: false,
        cpus: 2,
    };
    let run = Run {
        chunk: ChunkId(0x0304),
        task: TaskIndex(5),
        input: Encoding::Json,
        output: Encoding::Bytes,
        timeout: Some(1_000_000_000),
        timed: true,
        turn: Turn(0x0506),
        together: 3,
        claimed: true,
        count,
        items,
    };
    let bare = Run { timeout: None, timed: false, claimed: false, input: Encoding::Bytes, output: Encoding::Json, ..run };
    let arguments = Run { input: Encoding::Arguments, ..run };
    let command = Run { input: Encoding::Command, output: Encoding::Command, ..run };
    vec![
        ("ToWorker::Boot", ToWorker::Boot(Box::new(boot.clone()))),
        ("ToWorker::Boot, fresh instances", ToWorker::Boot(Box::new(Boot { isolation: Isolation::Fresh, ..boot }))),
        ("ToWorker::Run", ToWorker::Run(run)),
        ("ToWorker::Run, without timeout", ToWorker::Run(bare)),
        ("ToWorker::Run, with arguments", ToWorker::Run(arguments)),
        ("ToWorker::Run, of commands", ToWorker::Run(command)),
    ]
    .into_iter()
    .chain(calls::replies())
    .chain([
        ("ToWorker::Shutdown", ToWorker::Shutdown),
        ("ToWorker::LaidRun", ToWorker::LaidRun(70_000)),
        ("ToWorker::Laid", ToWorker::Laid(taskcell_wire::call::CallId(0x0304), 5)),
    ])
    .chain(calls::loans())
    .collect()
}

pub(crate) fn from_worker(outcomes: &OutcomeWriter) -> Vec<(&'static str, FromWorker<'_>)> {
    let layer = LayerReport { name: "seccomp".into(), active: true, detail: "60 calls".into() };
    let printed = |stream| FromWorker::Printed { chunk: ChunkId(6), task: 7, stream, bytes: b"hi\n" };
    vec![
        ("FromWorker::Ready", FromWorker::Ready(Ready { version: 0x0102, layers: vec![layer] })),
        ("FromWorker::Failed, sandbox", FromWorker::Failed { kind: BootFailure::Sandbox, text: "why" }),
        ("FromWorker::Failed, guest", FromWorker::Failed { kind: BootFailure::Guest, text: "why" }),
        ("FromWorker::Failed, boot", FromWorker::Failed { kind: BootFailure::Boot, text: "why" }),
        (
            "FromWorker::Results",
            FromWorker::Results {
                chunk: ChunkId(6),
                first: 7,
                count: outcomes.count(),
                nanoseconds: 1 << 33,
                outcomes: outcomes.bytes(),
            },
        ),
        ("FromWorker::Printed, stdout", printed(Stream::Stdout)),
        ("FromWorker::Printed, stderr", printed(Stream::Stderr)),
    ]
    .into_iter()
    .chain(calls::calls())
    .chain(calls::tells())
    .chain([("FromWorker::LaidResults", FromWorker::LaidResults(70_000)), ("FromWorker::Laid", FromWorker::Laid)])
    .collect()
}

pub(crate) fn to_compiler() -> Vec<(&'static str, ToCompiler)> {
    vec![
        ("ToCompiler::Compile", ToCompiler::Compile { version: 0x0102, limits: limits(), strict: true, concurrency: false }),
        (
            "ToCompiler::Describe",
            ToCompiler::Describe { version: 0x0102, limits: limits(), strict: false, is_concurrent: true, has_start: false },
        ),
    ]
}

pub(crate) fn from_compiler() -> Vec<(&'static str, FromCompiler)> {
    let refused = |kind| FromCompiler::Refused(Refusal { kind, text: "why".into() });
    vec![
        ("FromCompiler::Compiled", FromCompiler::Compiled { is_concurrent: true, has_start: false }),
        ("FromCompiler::Described", FromCompiler::Described(interface())),
        ("FromCompiler::Refused, not wasm", refused(RefusalKind::NotWasm)),
        ("FromCompiler::Refused, precompiled", refused(RefusalKind::Precompiled)),
        ("FromCompiler::Refused, malformed", refused(RefusalKind::Malformed)),
        ("FromCompiler::Refused, no component", refused(RefusalKind::NotComponent)),
        ("FromCompiler::Refused, unsupported", refused(RefusalKind::Unsupported)),
        ("FromCompiler::Refused, sandbox", refused(RefusalKind::Sandbox)),
    ]
}
