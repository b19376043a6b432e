//! Why a component could not be compiled, loaded or warmed up. How a task ended is not an error: see `taskcell_wire::Outcome`.

use taskcell_wire::{Refusal, RefusalKind, WireError};

/// A step of the engine that failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The bytes can't be run here; the refusal says why, for people.
    #[error("{}", .0.text)]
    Refused(Refusal),
    /// The engine could not be set up on this machine.
    #[error("set up the engine: {0}")]
    Configure(String),
    /// Compiled code could not be loaded.
    #[error("load compiled code: {0}")]
    Load(String),
    /// The component wants more from the start than it may have.
    #[error("load the component within its {limit} limit ({option} raises it): {text}")]
    OverLimit {
        /// Which limit.
        limit: &'static str,
        /// The option that raises it.
        option: &'static str,
        /// The engine's words.
        text: String,
    },
    /// The guest's imports could not be provided.
    #[error("link the component: {0}")]
    Link(String),
    /// An instance could not be made.
    #[error("make an instance: {0}")]
    Instantiate(String),
    /// The description that came with the code is not that of the code.
    #[error("match the component with its description")]
    Mismatch,
    /// The component's types are too many or too deep.
    #[error("describe the component: {0}")]
    Describe(#[from] WireError),
}

impl EngineError {
    pub(crate) fn refuse(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self::Refused(Refusal { kind, text: text.into() })
    }
}

/// An engine's error as one line: its chain of causes, without the backtrace that wasmtime puts between.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if cause.starts_with("error while executing at wasm backtrace") {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        let line: Vec<&str> = cause.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        text.push_str(&line.join(" "));
    }
    truncate(text)
}

/// Cuts a text to what may travel, at a character's border.
pub(crate) fn truncate(mut text: String) -> String {
    let most = taskcell_wire::limits::EXPLANATION_BYTES;
    if text.len() > most {
        let cut = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
    }
    text
}
