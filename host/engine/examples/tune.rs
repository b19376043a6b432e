#![allow(clippy::all, clippy::pedantic, clippy::restriction, missing_docs)]
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use taskcell_engine::compile::{compile, open};
use taskcell_engine::{Guest, GuestOptions, NoPort, PrintSink, Stop};
use taskcell_wire::{Encoding, Grants, Isolation, Limits, Outcome, Stream, TaskIndex};
struct Never;
impl Stop for Never { fn is_asked(&self) -> bool { false } fn set_polite(&self) {} }
struct Quiet;
impl PrintSink for Quiet { fn printed(&self, _: Stream, _: &[u8]) {} }
fn file(bytes: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!("tune-{}", std::process::id()));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file
}
fn cpu() -> u64 { std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap() }
fn main() {
    let dir = "/work/main/.cache/guests/";
    let words: Vec<u8> = { let mut s = String::new(); let mut x = 1u32; while s.len() < (1 << 20) { x = x.wrapping_mul(1664525).wrapping_add(1013904223); s.push_str(["the","quick","brown","fox","jumps","over","lazy","dog","lorem","ipsum"][(x >> 28) as usize % 10]); s.push_str(&(x >> 22 & 63).to_string()); s.push(if x >> 16 & 15 == 0 {'\n'} else {' '}); } s.into_bytes() };
    let text = serde_json(&words);
    let loads: Vec<(&str, &str, Vec<u8>)> = vec![
        ("fib", "fib", b"36".to_vec()), ("word-count", "count-text", text.clone()), ("c-word-count", "count-text", text),
        ("js-fib", "fib", b"24".to_vec()), ("python-fib", "fib", b"22".to_vec()), ("c-fib", "fib", b"36".to_vec()),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, task, input) in loads {
        if !only.is_empty() && !only.split(',').any(|o| o == name) { continue; }
        let limits = Limits::default();
        let began = std::time::Instant::now();
        let cached = format!("/tmp/tune-cache-{}-{name}", std::env::var("TUNE").unwrap_or_default());
        let (bytes, conc, compiled) = match std::fs::read(&cached) { Ok(b) => (b[1..].to_vec(), b[0] == 1, 0), Err(_) => {
            let code = compile(&std::fs::read(format!("{dir}{name}.wasm")).unwrap(), &limits).unwrap();
            let mut b = vec![u8::from(code.is_concurrent)]; b.extend_from_slice(&code.bytes); std::fs::write(&cached, &b).unwrap();
            (code.bytes, code.is_concurrent, began.elapsed().as_millis()) } };
        let size = bytes.len();
        let f = file(&bytes);
        let interface = open(&f, &limits, conc).unwrap().describe().unwrap();
        let at = interface.tasks.iter().position(|t| t.name == task).unwrap();
        let options = GuestOptions { interface, limits, grants: Grants::default(), isolation: Isolation::Reuse, stop: Arc::new(Never), sink: Arc::new(Quiet), port: Arc::new(NoPort), cpus: 1 };
        let mut guest = Guest::load(&f, options).unwrap();
        guest.start_threads().unwrap();
        guest.warm_up().unwrap();
        let mut times = Vec::new();
        for _ in 0..5 {
            let began = cpu();
            match guest.run(TaskIndex(at as u16), Encoding::Json, Encoding::Json, &input) { Outcome::Ok(_) => {}, other => panic!("{name}: {other:?}") }
            times.push(cpu() - began);
        }
        times.sort_unstable();
        println!("{} {name} {} {size} {compiled}", std::env::var("TUNE").unwrap_or_default(), times[2] / 1000);
    }
}
fn serde_json(bytes: &[u8]) -> Vec<u8> { let mut o = vec![b'"']; for b in bytes { if *b == b'\n' { o.extend(b"\\n") } else { o.push(*b) } } o.push(b'"'); o }
