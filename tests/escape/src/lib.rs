//! Tests only; see `tests/escape.rs`.
