//! What inputs are called in messages: where a user finds them.

/// What is known of the inputs.
#[derive(Debug)]
pub(crate) enum Places {
    /// They stand on the command line.
    Arguments,
    /// They are the lines of this file, or of standard input.
    Lines(Option<String>),
    /// They are the contents of these files.
    Files(Vec<String>),
}

impl Places {
    /// For messages.
    pub(crate) fn name(&self, index: u64) -> String {
        match self {
            Self::Arguments => format!("argument {}", index + 1),
            Self::Lines(None) => format!("line {}", index + 1),
            Self::Lines(Some(file)) => format!("{file}:{}", index + 1),
            Self::Files(_) => self.file(index).unwrap_or_default().to_owned(),
        }
    }

    /// The file that is the input.
    pub(crate) fn file(&self, index: u64) -> Option<&str> {
        match self {
            Self::Files(names) => names.get(usize::try_from(index).ok()?).map(String::as_str),
            Self::Arguments | Self::Lines(_) => None,
        }
    }
}
