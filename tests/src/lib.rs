//! End-to-end tests, hostile guests, benches and the house rules as tests.
