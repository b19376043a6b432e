//! Commands: programs that know nothing of tasks, each run a task with its own arguments and standard input.
//!
//! Anything that was compiled to a WASI command works, unchanged: an interpreter, a converter, a compiler. What a task needs beside
//! its values, a command has as every program does: arguments in, standard output and an exit code out.

use std::time::Duration;

use taskcell_wire::{CommandInput, Encoding, ItemWriter, TaskIndex};

use crate::component::Component;
use crate::error::{Error, TaskError};
use crate::future::Future;
use crate::mapping::{Mapping, MappingOptions, Next, Source, Supply};
use crate::pool::{Pool, RunOptions};
use crate::written::Written;

/// What one run of a command is given.
///
/// ```no_run
/// use taskcell::{Command, Component, Pool};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     taskcell::init();
///     let python = Component::open("python.wasm")?;
///     let pool = Pool::builder(&python).build()?;
///
///     let end = pool.submit_command(&Command::new().args(["-c", "print(6 * 7)"]))?.end();
///     assert_eq!((end.code(), end.written.stdout.as_slice()), (Some(0), &b"42\n"[..]));
///
///     let upper = "import sys; print(sys.stdin.read().upper())";
///     let commands = ["one", "two"].map(|text| Command::new().args(["-c", upper]).stdin(text));
///     for end in pool.map_commands(commands)? {
///         end.result?;
///         print!("{}", String::from_utf8_lossy(&end.written.stdout));
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl Command {
    /// No arguments, an empty standard input. Environment and directories are the pool's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument after the program's name.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What it reads as its standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// As one input of a [`Mapping`] in [`Encoding::Command`], for a component.
    ///
    /// # Errors
    /// What is wrong with an argument, or that it is all longer than an input may be; for people.
    pub fn item(&self, component: &Component) -> Result<Vec<u8>, String> {
        if let Some(at) = self.args.iter().position(|arg| arg.contains('\0')) {
            return Err(format!("argument {} has a NUL byte in it, which arguments can't hold", at + 1));
        }
        let mut args = vec![component.program()];
        args.extend(self.args.iter().map(String::as_str));
        let item = CommandInput { args, stdin: &self.stdin }.item();
        let most = component.limits().message_bytes;
        if item.len() as u64 > most {
            return Err(format!("arguments and standard input have {} bytes, the most is {most}", item.len()));
        }
        Ok(item)
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEnd {
    /// `Ok` for exit code 0; [`TaskError::Exited`] has another one, and the other errors are those of every task.
    pub result: Result<(), TaskError>,
    /// What it wrote up to its end, whatever that was.
    pub written: Written,
}

impl CommandEnd {
    /// Its exit code; `None` if it did not end by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.result.as_ref().map_or_else(TaskError::exit_code, |()| Some(0))
    }
}

/// A submitted command's end, later. Dropping it cancels the command.
#[derive(Debug)]
pub struct CommandFuture(Future<()>);

impl CommandFuture {
    /// Waits for the end of the command.
    #[must_use]
    pub fn end(mut self) -> CommandEnd {
        self.wait(None).unwrap_or_else(|| {
            // Without a bound the wait ends with the task or the pool.
            let result = Err(TaskError::Stopped { text: "the pool is gone".into() });
            CommandEnd { result, written: Written::default() }
        })
    }

    /// Waits at most `timeout`; `None` if the command has not ended by then. Zero looks without waiting. What it wrote is given once.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Option<CommandEnd> {
        let result = self.0.wait(timeout)?;
        Some(CommandEnd { result, written: self.0.take_written() })
    }

    /// Cancels the command. The end then is [`TaskError::Cancelled`], unless the command was faster.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// A [`Source`] over an iterator of commands.
#[derive(Debug)]
struct Commands<I> {
    commands: I,
    component: Component,
}

impl<I: Iterator<Item = Command>> Source for Commands<I> {
    fn supply(&mut self, items: &mut ItemWriter, tasks: u32, bytes: usize) -> Supply {
        while items.count() < tasks && items.bytes().len() < bytes {
            let Some(command) = self.commands.next() else { return Supply::End };
            match command.item(&self.component) {
                Ok(item) => items.push(&item),
                Err(why) => return Supply::Bad(why),
            }
        }
        Supply::More
    }
}

/// Ends of a map of commands, in the order of the commands.
///
/// Lazy: commands are taken from the given iterator as workers can run them. Dropping it cancels what has not ended.
#[derive(Debug)]
pub struct CommandMap<I> {
    mapping: Mapping<Commands<I>>,
    ready: std::collections::VecDeque<CommandEnd>,
    done: bool,
}

impl<I: Iterator<Item = Command>> Iterator for CommandMap<I> {
    type Item = CommandEnd;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.done {
            match self.mapping.next(None) {
                Next::Block(block) => block.each(|end| {
                    let written = end.written.cloned().unwrap_or_default();
                    self.ready.push_back(CommandEnd { result: end.result.map(|_| ()), written });
                }),
                Next::End => self.done = true,
                Next::Timeout => {}
                Next::Stopped(text) => {
                    self.done = true;
                    let result = Err(TaskError::Stopped { text });
                    self.ready.push_back(CommandEnd { result, written: Written::default() });
                }
            }
        }
        self.ready.pop_front()
    }
}

impl Pool {
    /// Runs the component as a program, once, in an instance of its own whatever the pool's isolation is.
    ///
    /// # Errors
    /// [`Error::NotAProgram`], or [`Error::Input`] if an argument has a NUL byte or all is too long.
    pub fn submit_command(&self, command: &Command) -> Result<CommandFuture, Error> {
        let task = self.component().command()?;
        let item =
            command.item(self.component()).map_err(|why| Error::Input { task: self.component().name().to_owned(), why })?;
        Ok(CommandFuture(self.submit_item(task, &item, Encoding::Command, Encoding::Command, |_| Ok(()))))
    }

    /// Runs the component as a program once for each command, lazily, and gives their ends in the order of the commands.
    ///
    /// # Errors
    /// [`Error::NotAProgram`]. What goes wrong with one command is an item of the result.
    pub fn map_commands<I>(&self, commands: I) -> Result<CommandMap<I::IntoIter>, Error>
    where
        I: IntoIterator<Item = Command>,
    {
        let task: TaskIndex = self.component().command()?;
        let source = Commands { commands: commands.into_iter(), component: self.component().clone() };
        let run = RunOptions { input: Encoding::Command, output: Encoding::Command, timed: false };
        let mapping = self.mapping(task, source, run, MappingOptions { ordered: true, chunk: None });
        Ok(CommandMap { mapping, ready: std::collections::VecDeque::new(), done: false })
    }
}
