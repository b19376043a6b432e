//! `#[main]`: what has to happen in a program before anything else.
//!
//! A command's entry point leaves it to the linker to run the C library's constructors, and the linker leaves it to whoever mentions them:
//! the run time of the bindings does, for exports. Nobody is left for `main`, and a C library without its constructors has no
//! directories.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

pub(crate) fn main(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    if !options.is_empty() {
        return Err(syn::Error::new_spanned(options, "`main` has no options"));
    }
    let function: ItemFn = syn::parse2(function)?;
    if function.sig.ident != "main" || !function.sig.inputs.is_empty() || function.sig.asyncness.is_some() {
        return Err(syn::Error::new_spanned(&function.sig, "this is for `fn main()`"));
    }
    let (attributes, visibility, signature, block) = (&function.attrs, &function.vis, &function.sig, &function.block);
    let statements = &block.stmts;
    Ok(quote! {
        #(#attributes)*
        #visibility #signature {
            ::taskcell_guest::prepare();
            #(#statements)*
        }
    })
}
