//! The WIT types of a function's Rust types, taken by their names, and how a value goes from one to the other.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// How a value crosses the border.
pub(crate) struct Crossing {
    /// Its type in WIT.
    pub(crate) wit: String,
    /// Its type in the bindings.
    pub(crate) rust: TokenStream,
    /// Whether both sides have the same type; if not, `From` converts.
    pub(crate) same: bool,
}

/// A handle: its name in Rust, its interface and its name in WIT, and its path in the bindings.
struct Handle {
    names: &'static [&'static str],
    interface: &'static str,
    wit: &'static str,
    rust: fn() -> TokenStream,
}

const HANDLES: &[Handle] = &[
    Handle { names: &["Queue"], interface: "queue", wit: "queue", rust: || quote!(queue::Queue) },
    Handle {
        names: &["Sender", "Receiver", "Connection"],
        interface: "pipe",
        wit: "connection",
        rust: || quote!(pipe::Connection),
    },
    Handle { names: &["SharedMap"], interface: "shared-map", wit: "shared-map", rust: || quote!(shared_map::SharedMap) },
    Handle { names: &["Lock", "RLock"], interface: "sync", wit: "lock", rust: || quote!(sync::Lock) },
    Handle { names: &["Semaphore"], interface: "sync", wit: "semaphore", rust: || quote!(sync::Semaphore) },
    Handle { names: &["Event"], interface: "sync", wit: "event", rust: || quote!(sync::Event) },
    Handle { names: &["Condition"], interface: "sync", wit: "condition", rust: || quote!(sync::Condition) },
    Handle { names: &["Barrier"], interface: "sync", wit: "barrier", rust: || quote!(sync::Barrier) },
];

/// The `use` that a WIT type needs, if it is a handle's.
pub(crate) fn import_of(wit: &str) -> Option<String> {
    let handle = HANDLES.iter().find(|handle| handle.wit == wit)?;
    Some(format!("use taskcell:host/{}@0.1.0.{{{}}};", handle.interface, handle.wit))
}

/// The crossing of a parameter: a value, bytes, or a handle.
pub(crate) fn parameter(ty: &Type) -> syn::Result<Crossing> {
    if let Some(segment) = last_segment(ty)
        && let Some(handle) = HANDLES.iter().find(|handle| handle.names.iter().any(|name| segment.ident == name))
    {
        let path = (handle.rust)();
        let rust = quote!(::taskcell_guest::bindings::taskcell::host::#path);
        return Ok(Crossing { wit: handle.wit.to_owned(), rust, same: false });
    }
    outermost(ty)
}

/// The crossing of a value that is not inside another one.
pub(crate) fn outermost(ty: &Type) -> syn::Result<Crossing> {
    if last_segment(ty).is_some_and(|segment| segment.ident == "Bytes") {
        return Ok(Crossing { wit: "list<u8>".to_owned(), rust: quote!(::std::vec::Vec<u8>), same: false });
    }
    let (wit, rust) = value(ty)?;
    Ok(Crossing { wit, rust, same: true })
}

/// A value's type in WIT and in the bindings. It is the same in the function's signature.
pub(crate) fn value(ty: &Type) -> syn::Result<(String, TokenStream)> {
    let unknown = || {
        let text = "a task's types are numbers, bool, char, String, Bytes, Vec, Option and tuples of these, and, as parameters of their \
                    own, the handles of this library; for types of your own write the world in WIT and use `generate!`";
        syn::Error::new_spanned(ty, text)
    };
    match ty {
        Type::Paren(inner) => value(&inner.elem),
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            let parts = tuple.elems.iter().map(value).collect::<syn::Result<Vec<_>>>()?;
            let (wit, rust): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            Ok((format!("tuple<{}>", wit.join(", ")), quote!((#(#rust,)*))))
        }
        _ => {
            let segment = last_segment(ty).ok_or_else(unknown)?;
            let name = segment.ident.to_string();
            let scalar = match name.as_str() {
                "bool" | "char" | "u8" | "u16" | "u32" | "u64" | "f32" | "f64" => Some(name.clone()),
                "i8" | "i16" | "i32" | "i64" => Some(name.replace('i', "s")),
                "String" => Some("string".to_owned()),
                _ => None,
            };
            if let Some(wit) = scalar {
                let ident = &segment.ident;
                let rust = if name == "String" { quote!(::std::string::String) } else { quote!(::core::primitive::#ident) };
                return Ok((wit, rust));
            }
            let [inner] = arguments(segment)[..] else { return Err(unknown()) };
            let (wit, rust) = value(inner)?;
            match name.as_str() {
                "Vec" => Ok((format!("list<{wit}>"), quote!(::std::vec::Vec<#rust>))),
                "Option" => Ok((format!("option<{wit}>"), quote!(::core::option::Option<#rust>))),
                _ => Err(unknown()),
            }
        }
    }
}

/// The last part of a path: types go by their names, wherever they are from.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        _ => None,
    }
}

/// The types between the angle brackets.
pub(crate) fn arguments(segment: &PathSegment) -> Vec<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(list) => {
            let types = list.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        PathArguments::None | PathArguments::Parenthesized(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wit(text: &str) -> String {
        let ty = syn::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        parameter(&ty).map_or_else(|error| error.to_string(), |crossing| crossing.wit)
    }

    #[test]
    fn values_have_their_wit_types() {
        for (rust, expected) in [
            ("u32", "u32"),
            ("i64", "s64"),
            ("String", "string"),
            ("std::string::String", "string"),
            ("Vec<u8>", "list<u8>"),
            ("Bytes", "list<u8>"),
            ("Vec<(String, Option<f64>)>", "list<tuple<string, option<f64>>>"),
            ("(u8,)", "tuple<u8>"),
        ] {
            assert_eq!(wit(rust), expected);
        }
    }

    #[test]
    fn handles_go_by_their_names() {
        assert_eq!(wit("Queue<String>"), "queue");
        assert_eq!(wit("taskcell_guest::Receiver<u8>"), "connection");
        assert_eq!(wit("SharedMap<String, u64>"), "shared-map");
        assert_eq!(wit("RLock"), "lock");
        assert_eq!(import_of("shared-map").as_deref(), Some("use taskcell:host/shared-map@0.1.0.{shared-map};"));
        assert_eq!(import_of("string"), None);
    }

    #[test]
    fn other_types_are_refused_with_advice() {
        for rust in ["usize", "MyRecord", "Vec<Queue<u8>>", "Option<Bytes>", "&'static str", "HashMap<String, u8>", "()"] {
            assert!(wit(rust).contains("write the world in WIT"), "{rust}");
        }
    }
}
