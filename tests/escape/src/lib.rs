//! Tests only: see `tests/escape/main.rs`. Cargo wants a target beside them.
