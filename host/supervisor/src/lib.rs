//! Run tasks of WebAssembly components in sandboxed worker processes: the library.
