//! The owner of all shared state, as pure state machines: (state, event, now) -> effects.
