//! `taskcell:host/task`.

use taskcell_wire::call::{self, Call, Reply, Tell};

use super::View;
use super::interfaces::task::{Host, Identity, Level};
use super::view::{certain, match_one};

/// The longest line of the log, in bytes.
const LINE: usize = 4096;
/// The longest note, in bytes.
const NOTE: usize = 256;

/// The beginning of a text, cut at a character's border.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

impl Host for View<'_> {
    /// Asked once for each attempt.
    fn self_(&mut self) -> wasmtime::Result<Identity> {
        let attempt = self.host.attempts.number();
        if self.host.identity.as_ref().is_none_or(|(of, _)| *of != attempt) {
            let identity = self.ask(&Call::Identity, |reply| match_one!(reply, Reply::Identity(identity) => identity));
            self.host.identity = Some((attempt, certain("task.self", identity)?));
        }
        let Some((_, call::Identity { id, attempt, name, parent })) = &self.host.identity else {
            return Err(wasmtime::format_err!("task.self was not answered"));
        };
        Ok(Identity { id: id.0, attempt: *attempt, name: name.clone(), parent: parent.map(|parent| parent.0) })
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.host.attempts.is_cancelled())
    }

    fn progress(&mut self, done: u64, total: Option<u64>, note: String) -> wasmtime::Result<()> {
        self.host.attempts.tell(&Tell::Progress { done, total, note: cut(&note, NOTE) });
        Ok(())
    }

    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => call::Level::Trace,
            Level::Debug => call::Level::Debug,
            Level::Info => call::Level::Info,
            Level::Warn => call::Level::Warn,
            Level::Error => call::Level::Error,
        };
        self.host.attempts.tell(&Tell::Log { level, text: cut(&message, LINE) });
        Ok(())
    }

    fn cpu_count(&mut self) -> wasmtime::Result<u32> {
        Ok(self.host.cpus.max(1))
    }
}
