//! The macros of `taskcell-guest`, which exports them with their documentation.

mod bindings;
mod program;
mod task;
mod types;

use proc_macro::TokenStream;

/// Documented in `taskcell-guest`.
#[proc_macro]
pub fn generate(options: TokenStream) -> TokenStream {
    bindings::generate(options.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Documented in `taskcell-guest`.
#[proc_macro_attribute]
pub fn task(options: TokenStream, function: TokenStream) -> TokenStream {
    task::task(options.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Documented in `taskcell-guest`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, function: TokenStream) -> TokenStream {
    program::main(options.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
