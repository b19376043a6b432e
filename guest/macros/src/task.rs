//! `#[task]`: a function as a task, without a line of WIT.
//!
//! The function's signature becomes a world with one export, in a package of its own; a component has as many as it likes.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, Ident, ItemFn, Pat, ReturnType, Type};

use crate::bindings;
use crate::types::{self, Crossing};

pub(crate) fn task(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    if !options.is_empty() {
        return Err(syn::Error::new_spanned(options, "`task` has no options"));
    }
    let function: ItemFn = syn::parse2(function)?;
    let border = Border::of(&function)?;
    let bindings = bindings::generate({
        let text = &border.world;
        quote!(inline: #text, path: [])
    })?;
    let (name, module) = (&border.name, format_ident!("__task_{}", border.name));
    let (parameters, arguments, result, answer) = (&border.parameters, &border.arguments, &border.result, &border.answer);
    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(unreachable_pub, clippy::all, reason = "the bindings are the generator's")]
        mod #module {
            #bindings

            struct Task;

            impl Guest for Task {
                fn #name(#(#parameters),*) #result {
                    let result = super::#name(#(#arguments),*);
                    #answer
                }
            }

            export!(Task);
        }
    })
}

/// What stands between the world outside and the function.
struct Border {
    name: Ident,
    world: String,
    parameters: Vec<TokenStream>,
    arguments: Vec<TokenStream>,
    result: TokenStream,
    /// What is given back of `result`.
    answer: TokenStream,
}

impl Border {
    fn of(function: &ItemFn) -> syn::Result<Self> {
        let signature = &function.sig;
        let refuse = |what: &dyn quote::ToTokens, text: &str| Err(syn::Error::new_spanned(what, text));
        if let Some(keyword) = &signature.asyncness {
            return refuse(keyword, "a task is a plain function: its calls wait by themselves");
        }
        if !signature.generics.params.is_empty() {
            return refuse(&signature.generics, "a task has no type parameters: its types stand in its interface");
        }
        if signature.ident.to_string().starts_with("r#") {
            return refuse(&signature.ident, "a task's name can't be a keyword: the bindings have another name for it");
        }
        let mut imports = BTreeSet::new();
        let (mut list, mut parameters, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
        for (at, input) in signature.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { return refuse(input, "a task is a function, not a method") };
            let crossing = types::parameter(&input.ty)?;
            imports.extend(types::import_of(&crossing.wit));
            let name = match &*input.pat {
                Pat::Ident(name) => kebab(&name.ident),
                _ => format!("argument{at}"),
            };
            list.push(format!("%{name}: {}", crossing.wit));
            let (place, rust) = (format_ident!("argument{at}"), &crossing.rust);
            parameters.push(quote!(#place: #rust));
            arguments.push(cross(&crossing, quote!(#place)));
        }
        let (wit, result, answer) = result(&signature.output)?;
        let name = kebab(&signature.ident);
        // One line for each thing, as a mistake in it is shown with its line.
        let imports = imports.into_iter().collect::<Vec<_>>().join("\n    ");
        let parameter_list = list.join(", ");
        let world = format!(
            "package task:%{name};\nworld task {{\n    {imports}\n    export %{name}: func({parameter_list}){wit};\n}}\n"
        );
        Ok(Self { name: signature.ident.clone(), world, parameters, arguments, result, answer })
    }
}

/// The value on the other side.
fn cross(crossing: &Crossing, value: TokenStream) -> TokenStream {
    if crossing.same { value } else { quote!(::core::convert::From::from(#value)) }
}

/// What a function gives back: in WIT, in the bindings, and the expression that makes the one of the other.
fn result(output: &ReturnType) -> syn::Result<(String, TokenStream, TokenStream)> {
    let ReturnType::Type(_, ty) = output else { return Ok((String::new(), quote!(), quote!(result))) };
    if is_unit(ty) {
        return Ok((String::new(), quote!(), quote!(result)));
    }
    let Some(segment) = types::last_segment(ty).filter(|segment| segment.ident == "Result") else {
        let crossing = types::outermost(ty)?;
        let rust = &crossing.rust;
        return Ok((format!(" -> {}", crossing.wit), quote!(-> #rust), cross(&crossing, quote!(result))));
    };
    let arguments = types::arguments(segment);
    let (ok, ok_rust, ok_value) = match arguments.first().copied() {
        Some(ty) if !is_unit(ty) => {
            let crossing = types::outermost(ty)?;
            let value = cross(&crossing, quote!(value));
            (crossing.wit, crossing.rust, value)
        }
        _ => ("_".to_owned(), quote!(()), quote!(value)),
    };
    // An error of the author's own is told by its text. So is the default one of an alias, whatever that is.
    let (error, error_rust, error_value) = match arguments.get(1).map(|ty| types::value(ty)) {
        Some(Ok((wit, rust))) => (wit, rust, quote!(error)),
        Some(Err(_)) | None => {
            ("string".to_owned(), quote!(::std::string::String), quote!(::std::string::ToString::to_string(&error)))
        }
    };
    Ok((
        format!(" -> result<{ok}, {error}>"),
        quote!(-> ::core::result::Result<#ok_rust, #error_rust>),
        quote! {
            match result {
                ::core::result::Result::Ok(value) => ::core::result::Result::Ok(#ok_value),
                ::core::result::Result::Err(error) => ::core::result::Result::Err(#error_value),
            }
        },
    ))
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// A name as WIT has it.
fn kebab(name: &Ident) -> String {
    let name = name.to_string();
    name.trim_start_matches("r#").trim_matches('_').replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn border(function: TokenStream) -> Border {
        let function = syn::parse2(function).unwrap_or_else(|error| panic!("{error}"));
        Border::of(&function).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_signature_becomes_a_world() {
        let border = border(quote! {
            fn modify_data(shared_dict: SharedMap<String, u32>, key: String, value: u32) {}
        });
        assert!(border.world.contains("package task:%modify-data;"), "{}", border.world);
        assert!(border.world.contains("use taskcell:host/shared-map@0.1.0.{shared-map};"), "{}", border.world);
        let export = "export %modify-data: func(%shared-dict: shared-map, %key: string, %value: u32);";
        assert!(border.world.contains(export), "{}", border.world);
    }

    #[test]
    fn an_error_of_ones_own_is_told_by_its_text() {
        for (output, wit) in [
            (quote!(-> Result<u8, String>), "-> result<u8, string>"),
            (quote!(-> Result<(), u32>), "-> result<_, u32>"),
            (quote!(-> taskcell_guest::Result<Bytes>), "-> result<list<u8>, string>"),
            (quote!(-> Result<(), Box<dyn Error>>), "-> result<_, string>"),
            (quote!(-> Result), "-> result<_, string>"),
            (quote!(-> Vec<(String, u32)>), "-> list<tuple<string, u32>>"),
        ] {
            let border = border(quote!(fn f() #output { x }));
            assert!(border.world.contains(&format!("func() {wit};")), "{}", border.world);
        }
    }

    #[test]
    fn what_can_be_no_task_is_refused() {
        for (function, reason) in [
            ("fn f<T>(t: T) {}", "type parameters"),
            ("async fn f() {}", "plain function"),
            ("fn f(self) {}", "not a method"),
            ("fn r#loop() {}", "keyword"),
            ("fn f() -> Queue<u8> { q }", "write the world in WIT"),
        ] {
            let tokens = function.parse().unwrap_or_else(|error| panic!("{error}"));
            let refusal = task(TokenStream::new(), tokens).map_or_else(|error| error.to_string(), |tokens| panic!("{tokens}"));
            assert!(refusal.contains(reason), "{function}: {refusal}");
        }
    }
}
