//! What a child does when it is told to: the acts of the play, each named by the line that asks for it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, renameat, unlinkat, utimensat};
use taskcell_sandbox::{
    Confined, Directory, LayerState, MappedBytes, Policy, Role, Sealed, SharedMemory, Strictness, Unconfined, take_inherited,
    writable_memfd,
};

use crate::{forbidden, forking, refusals, startup};

const NOW: Timestamps = {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
};

pub(crate) struct Stage {
    pub(crate) policy: Policy,
    lines: BufReader<UnixStream>,
    socket: UnixStream,
    extra: Option<OwnedFd>,
    confined: Option<Confined>,
}

impl Stage {
    pub(crate) fn say(&mut self, line: &str) {
        self.socket.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line from the runner; `None` when it has let go.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// The walls up to the first filter, unless a zygote took them.
    pub(crate) fn first(&mut self) -> Confined {
        self.confined.take().unwrap_or_else(|| Unconfined.confine(&self.policy).unwrap())
    }

    pub(crate) fn confine(&mut self) -> Sealed {
        self.first().seal(&self.policy).unwrap()
    }

    fn extra(&mut self) -> OwnedFd {
        self.extra.take().unwrap()
    }
}

pub(crate) fn main(role: Role) -> ! {
    let started = startup::now();
    let policy = Policy::new(role, Strictness::Required);
    let (descriptors, confined) = match role {
        Role::Worker | Role::Compiler => (take_inherited(2).unwrap(), None),
        Role::Zygote => forking::zygote(&policy),
    };
    let mut descriptors = descriptors.into_iter();
    let socket = UnixStream::from(descriptors.next().unwrap());
    let lines = BufReader::new(socket.try_clone().unwrap());
    let mut stage = Stage { policy, lines, socket, extra: descriptors.next(), confined };
    let line = stage.hear().unwrap();
    let (act, argument) = line.split_once(' ').unwrap_or((&line, ""));
    match act {
        "confine" => confine(&mut stage),
        "idle" => stage.say("here"),
        "hang" => hang(&mut stage),
        "exit" => std::process::exit(argument.parse().unwrap()),
        "surroundings" => surroundings(&mut stage),
        "work" => work(&mut stage),
        "panic" => panic_in_confinement(&mut stage),
        "abort" => {
            stage.confine();
            std::process::abort();
        }
        "overflow" => {
            stage.confine();
            println!("{}", overflow(1));
        }
        "threads" => threads(&mut stage),
        "write" => write(&mut stage),
        "directories" => directories(&mut stage, argument),
        "page" => page(&mut stage),
        "mapped" => mapped(&mut stage),
        "take-again" => stage.say(&take_inherited(0).unwrap_err().to_string()),
        "allocate" => allocate(&mut stage, argument.parse().unwrap()),
        "spin" => spin(),
        "forbidden" => forbidden::act(&mut stage, argument.parse().unwrap()),
        #[cfg(target_arch = "x86_64")]
        "abi" => forbidden::other_abi(&mut stage, argument),
        "refuse" => refusals::act(&mut stage, argument),
        "startup" => startup::act(&mut stage, argument, started),
        unknown => panic!("no such act: {unknown}"),
    }
    // Stays until the runner lets go.
    while stage.hear().is_some() {}
    std::process::exit(0)
}

fn confine(stage: &mut Stage) {
    let confined = stage.confine();
    for applied in confined.layers() {
        let state = match &applied.state {
            LayerState::Active(detail) => format!("active {detail}"),
            LayerState::Missing(why) => format!("missing {why}"),
        };
        stage.say(&format!("{} {state}", applied.layer));
    }
    stage.say("confined");
}

/// Ends by no means of its own: it doesn't even notice that its socket is closed.
fn hang(stage: &mut Stage) {
    stage.confine();
    stage.say("hanging");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn surroundings(stage: &mut Stage) {
    let environment: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    stage.say(&environment.join(" "));
    stage.say(&std::env::args().collect::<Vec<_>>().join(" "));
    let mut open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().ok())
        .collect();
    open.sort_unstable();
    let targets: Vec<String> = open
        .iter()
        .filter_map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok())
        .map(|target| target.display().to_string())
        // The listing itself, and the socket's copy that this test made.
        .filter(|target| !target.starts_with("/proc/"))
        .collect();
    stage.say(&targets.join(" "));
    let own = rustix::process::getpid();
    stage.say(&format!("session of its own: {}", rustix::process::getsid(None).unwrap() == own));
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    for name in ["Max core file size", "Max open files"] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        stage.say(&line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    stage.say("done");
}

/// All that a worker's steady state does.
fn work(stage: &mut Stage) {
    let confined = stage.first();
    let (ask, questions) = channel::<u64>();
    let (reply, answers) = channel();
    let thread = std::thread::spawn(move || {
        for question in questions {
            reply.send(vec![question; 1 << 20].iter().sum::<u64>()).unwrap();
        }
    });
    // Once it answers, its start, which takes calls of its own, is over.
    ask.send(0).unwrap();
    assert_eq!(answers.recv().unwrap(), 0);
    confined.seal(&stage.policy).unwrap();
    let block = vec![1_u8; 64 << 20];
    assert_eq!(block.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 64 << 20);
    drop(block);
    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(1));
    assert!(before.elapsed() >= Duration::from_millis(1));
    assert!(std::time::SystemTime::now().elapsed().is_ok());
    assert_eq!(HashMap::from([(1, 2)]).get(&1), Some(&2));
    let mut random = [0_u8; 32];
    // SAFETY: fills a buffer of this length.
    assert_eq!(unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) }, 32);
    assert!(std::thread::available_parallelism().is_ok());
    for number in 0..100 {
        ask.send(number).unwrap();
        assert_eq!(answers.recv().unwrap(), number << 20);
    }
    drop(ask);
    thread.join().unwrap();
    stage.say("worked");
}

fn panic_in_confinement(stage: &mut Stage) {
    stage.confine();
    let caught = std::panic::catch_unwind(|| {
        let _trace = std::backtrace::Backtrace::force_capture().to_string();
        panic!("on purpose")
    });
    assert!(caught.is_err());
    stage.say("survived");
}

#[expect(unconditional_recursion, reason = "that is the act")]
#[inline(never)]
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + room.iter().sum::<u64>()
}

fn threads(stage: &mut Stage) {
    stage.confine();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let thread = std::thread::Builder::new().name(format!("late-{number}"));
            thread.spawn(move || vec![number; 1 << 20].len()).unwrap()
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 1 << 20);
    }
    stage.say("threaded");
}

/// Writes to a memfd that was opened before the lock, as compiled code is.
fn write(stage: &mut Stage) {
    let mut file = File::from(writable_memfd("act").unwrap());
    file.write_all(b"before").unwrap();
    stage.confine();
    let outcome = file.write_all(b"after").map_err(|error| error.raw_os_error());
    stage.say(&format!("{outcome:?}"));
}

fn directories(stage: &mut Stage, base: &str) {
    let base = std::path::Path::new(base);
    let (readable, writable) = (base.join("readable"), base.join("writable"));
    for (path, writable) in [(&readable, false), (&writable, true)] {
        let descriptor = File::open(path).unwrap().into();
        stage.policy.directories.push(Directory { descriptor, path: path.clone(), writable });
    }
    let confined = stage.first();
    let [readable, writable] = confined.directories() else { panic!("two directories") };
    let (readable, writable) = (readable.clone(), writable.clone());
    confined.seal(&stage.policy).unwrap();
    let mut say = |what: &str, ok: bool| stage.say(&format!("{what}: {ok}"));
    say("read", std::fs::read_to_string(readable.join("file")).is_ok_and(|text| text == "text"));
    say("list", std::fs::read_dir(&readable).is_ok_and(|entries| entries.count() == 1));
    say("write to readable", std::fs::write(readable.join("new"), "x").is_ok());
    say("remove from readable", unlinkat(CWD, readable.join("file"), AtFlags::empty()).is_ok());
    say("write to writable", std::fs::write(writable.join("new"), "x").is_ok());
    say("read of writable", std::fs::read_to_string(writable.join("new")).is_ok_and(|text| text == "x"));
    say("move out of writable", renameat(CWD, writable.join("new"), CWD, base.join("new")).is_ok());
    say("read beside", std::fs::read_to_string(base.join("beside")).is_ok());
    say("read above by ..", std::fs::read_to_string(readable.join("../beside")).is_ok());
    say("see beside", std::fs::symlink_metadata(base.join("beside")).is_ok());
    say("see above by ..", std::fs::symlink_metadata(readable.join("../beside")).is_ok());
    say("list the root's other entries", std::fs::read_dir("/").is_ok_and(|entries| entries.count() > 2));
    say("set times beside", utimensat(CWD, base.join("beside"), &NOW, AtFlags::empty()).is_ok());
    say("read /etc/passwd", std::fs::read("/etc/passwd").is_ok());
    say("read /proc/self/maps", std::fs::read("/proc/self/maps").is_ok());
}

fn page(stage: &mut Stage) {
    let page = SharedMemory::map(stage.extra()).unwrap();
    stage.confine();
    assert_eq!(page.word(0).load(Ordering::Acquire), 41);
    page.word(8).store(42, Ordering::Release);
    stage.say("stored");
}

fn mapped(stage: &mut Stage) {
    let bytes = MappedBytes::map(stage.extra()).unwrap();
    stage.confine();
    stage.say(std::str::from_utf8(&bytes).unwrap());
}

fn allocate(stage: &mut Stage, mebibytes: usize) {
    let mut block: Vec<u8> = Vec::new();
    let allocated = block.try_reserve_exact(mebibytes << 20).is_ok();
    stage.say(if allocated { "allocated" } else { "refused" });
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
