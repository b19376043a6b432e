//! The taskcell command.
