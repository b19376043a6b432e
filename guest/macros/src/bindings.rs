//! `generate!`: wit-bindgen's generator, with the package `taskcell:host` at hand and its types shared.
//!
//! Each run of the generator would make types of its own for the resources of `taskcell:host`. So that a handle that an export
//! takes is the same type as the library's, the generator is told (`with`) to use the library's bindings for the interfaces that a
//! world needs. It refuses to be told of others, so the world is resolved here first.

use std::path::PathBuf;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{LitStr, Token, bracketed};
use wit_bindgen_core::wit_parser::{PackageId, Resolve, WorldId, WorldItem};

/// Where the package `taskcell:host` is.
const HOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");

/// The options that matter here; the rest is passed on as it is.
#[derive(Default)]
struct Options {
    path: Option<Vec<LitStr>>,
    inline: Option<LitStr>,
    world: Option<LitStr>,
    with: TokenStream,
    rest: Vec<TokenStream>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            match name.to_string().as_str() {
                "path" => options.path = Some(value(input, paths)?),
                "inline" => options.inline = Some(value(input, <LitStr as Parse>::parse)?),
                "world" => options.world = Some(value(input, <LitStr as Parse>::parse)?),
                "with" => options.with = value(input, map)?,
                // Always given.
                "generate_all" => {}
                _ => options.rest.push(other(name, input)?),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn value<T>(input: ParseStream<'_>, parse: fn(ParseStream<'_>) -> syn::Result<T>) -> syn::Result<T> {
    input.parse::<Token![:]>()?;
    parse(input)
}

fn paths(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    if input.peek(LitStr) {
        return Ok(vec![input.parse()?]);
    }
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// What stands between the braces, ready to have more before it.
fn map(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let entries;
    syn::braced!(entries in input);
    entries.parse()
}

/// An option and its value, up to the comma that ends it.
fn other(name: Ident, input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut option = quote!(#name);
    while !input.is_empty() && !input.peek(Token![,]) {
        let token: TokenTree = input.parse()?;
        option.extend([token]);
    }
    Ok(option)
}

/// A world, and what else is known of it once it is resolved.
struct Resolved {
    /// Whether `taskcell:host` had to be given to it.
    host: bool,
    /// The world's full name.
    name: String,
    /// The interfaces of `taskcell:host` that it needs.
    interfaces: Vec<String>,
}

pub(crate) fn generate(options: TokenStream) -> syn::Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let folders: Vec<PathBuf> = match (&options.path, &options.inline) {
        (Some(paths), _) => paths.iter().map(|path| own_folder(&path.value())).collect(),
        (None, None) => vec![own_folder("wit")],
        (None, Some(_)) => Some(own_folder("wit")).filter(|wit| wit.exists()).into_iter().collect(),
    };
    // A world that has all it needs, perhaps a copy of `taskcell:host` in its `deps`, is left as it is. What is wrong with a world
    // the generator tells better, as it knows the places.
    let resolved = resolve(&options, &folders, false).or_else(|_| resolve(&options, &folders, true)).ok();
    let host = resolved.as_ref().is_none_or(|world| world.host).then(|| HOST.to_owned());
    let folders = host.into_iter().chain(folders.iter().map(|folder| folder.display().to_string()));
    let path = (options.inline.is_none() || resolved.is_some()).then(|| quote!(path: [#(#folders),*],));
    let name = resolved.as_ref().map(|world| world.name.clone()).or_else(|| options.world.as_ref().map(LitStr::value));
    let world = name.map(|name| quote!(world: #name,));
    let shared = resolved.iter().flat_map(|world| &world.interfaces).filter(|name| !mentions(&options.with, name)).map(|name| {
        let module =
            syn::parse_str::<Ident>(&module_of(name)).map(|module| quote!(::taskcell_guest::bindings::taskcell::host::#module));
        module.map(|module| quote!(#name: #module,))
    });
    let shared = shared.collect::<syn::Result<TokenStream>>()?;
    let inline = options.inline.map(|text| quote!(inline: #text,));
    let (with, rest) = (options.with, options.rest);
    Ok(quote! {
        ::taskcell_guest::wit_bindgen::generate!({
            runtime_path: "::taskcell_guest::wit_bindgen::rt",
            generate_all,
            with: { #shared #with },
            #path
            #inline
            #world
            #(#rest,)*
        });
    })
}

/// As the generator takes paths: from the folder of the crate that is being built.
fn own_folder(path: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(path)
}

fn resolve(options: &Options, folders: &[PathBuf], host: bool) -> Result<Resolved, Box<dyn std::error::Error>> {
    let mut resolve = Resolve::default();
    if host {
        resolve.push_path(HOST)?;
    }
    let mut packages = Vec::<PackageId>::new();
    for folder in folders {
        packages.push(resolve.push_path(folder)?.0);
    }
    if let Some(text) = &options.inline {
        packages = vec![resolve.push_str("inline", &text.value())?];
    }
    let world = resolve.select_world(&packages, options.world.as_ref().map(LitStr::value).as_deref())?;
    let (name, interfaces) = describe(&resolve, world).ok_or("a world without a package")?;
    Ok(Resolved { host, name, interfaces })
}

fn describe(resolve: &Resolve, world: WorldId) -> Option<(String, Vec<String>)> {
    let found = &resolve.worlds[world];
    let name = resolve.id_of_name(found.package?, &found.name);
    let interfaces = found.imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    Some((name, interfaces.filter(|name| name.starts_with("taskcell:host/")).collect()))
}

/// Whether the author says what is to be used for this interface.
fn mentions(with: &TokenStream, interface: &str) -> bool {
    with.clone().into_iter().any(|token| match token {
        TokenTree::Literal(literal) => {
            syn::parse_str::<LitStr>(&literal.to_string()).is_ok_and(|literal| literal.value() == interface)
        }
        TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) => false,
    })
}

/// The name of the module that the generator makes of `taskcell:host/shared-map@0.1.0`.
fn module_of(interface: &str) -> String {
    let name = interface.rsplit('/').next().unwrap_or(interface);
    name.split('@').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(options: TokenStream) -> String {
        generate(options).map(|tokens| tokens.to_string().replace(' ', "")).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_world_without_handles_stands_by_itself() {
        let text = expand(quote!(inline: "package a:b; world w { export f: func(); }"));
        assert!(text.contains(r#"world:"a:b/w""#), "{text}");
        assert!(text.contains("with:{}"), "{text}");
        assert!(text.contains("path:[]"), "{text}");
    }

    #[test]
    fn a_handle_brings_the_interfaces_that_it_needs() {
        let world = r#"inline: "package a:b; world w { use taskcell:host/queue@0.1.0.{queue}; export f: func(q: queue); }""#;
        let text = expand(world.parse().unwrap_or_default());
        for interface in ["types", "waiting", "queue"] {
            let shared = format!(r#""taskcell:host/{interface}@0.1.0":::taskcell_guest::bindings::taskcell::host::{interface}"#);
            assert!(text.contains(&shared), "{interface} in {text}");
        }
        assert!(!text.contains("pipe"), "{text}");
        assert!(text.contains("/wit\"]"), "{text}");
    }

    #[test]
    fn what_the_author_says_comes_first() {
        let text = expand(
            r#"inline: "package a:b; world w { import taskcell:host/task@0.1.0; }",
               with: { "taskcell:host/task@0.1.0": crate::own }, additional_derives: [PartialEq, Eq], generate_all"#
                .parse()
                .unwrap_or_default(),
        );
        assert!(text.contains(r#"with:{"taskcell:host/task@0.1.0":crate::own}"#), "{text}");
        assert!(text.contains("additional_derives:[PartialEq,Eq],"), "{text}");
        assert_eq!(text.matches("generate_all").count(), 1, "{text}");
    }

    #[test]
    fn an_interface_is_a_module() {
        assert_eq!(module_of("taskcell:host/shared-map@0.1.0"), "shared_map");
    }
}
