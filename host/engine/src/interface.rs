//! A component's type as data: tasks with signatures, imports, types.

use taskcell_wire::{Import, Interface, Signature, limits};
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, ResourceType};

use crate::error::EngineError;
use crate::{link, values};

/// Describes a compiled component.
pub(crate) fn describe<T: 'static>(
    component: &Component,
    linker: &Linker<T>,
    concurrent: bool,
    has_start: bool,
) -> Result<Interface, EngineError> {
    let engine = component.engine();
    let ty = linker.substituted_component_type(component).unwrap_or_else(|_| component.component_type());
    let mut interface = Interface { is_concurrent: concurrent, has_start, ..Interface::default() };
    // Resources of imports that came before.
    let mut resources = Vec::new();
    for (name, item) in ty.imports(engine) {
        // An import of types only (`use iface.{t}`) asks for nothing that could be missing, nor does one of a resource that another
        // import has already.
        let asks_nothing = match &item.ty {
            ComponentItem::Type(_) => true,
            ComponentItem::Resource(resource) => resources.contains(resource),
            ComponentItem::ComponentInstance(instance) => {
                types_only(instance.exports(engine).map(|(_, item)| item.ty), &mut resources)
            }
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_) => false,
        };
        let provided = asks_nothing || link::is_provided(name);
        interface.imports.push(Import { name: name.to_owned(), provided, functions: has_functions(engine, &item.ty) });
    }
    for (name, item) in ty.exports(engine) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only functions are tasks; the rest of the list is the engine's")]
        match item.ty {
            ComponentItem::ComponentFunc(func) => add(&mut interface, name.to_owned(), &func)?,
            ComponentItem::ComponentInstance(instance) => {
                interface.is_command |= name.starts_with("wasi:cli/run@0.2.");
                for (function, item) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(func) = item.ty {
                        add(&mut interface, format!("{name}#{function}"), &func)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(interface)
}

/// Whether an import is more than types and resources.
fn has_functions(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) | ComponentItem::Resource(_) => false,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).any(|(_, item)| !matches!(item.ty, ComponentItem::Type(_) | ComponentItem::Resource(_)))
        }
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) | ComponentItem::Module(_) | ComponentItem::Component(_) => {
            true
        }
    }
}

/// Whether all of these are types, or resources that are known already; those that are not, are from now on.
fn types_only(items: impl Iterator<Item = ComponentItem>, resources: &mut Vec<ResourceType>) -> bool {
    let mut only = true;
    for item in items {
        match item {
            ComponentItem::Type(_) => {}
            ComponentItem::Resource(resource) => {
                only &= resources.contains(&resource);
                resources.push(resource);
            }
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::ComponentInstance(_) => only = false,
        }
    }
    only
}

fn add(interface: &mut Interface, name: String, func: &ComponentFunc) -> Result<(), EngineError> {
    // Methods, constructors and statics of resources have names like `[method]queue.put`; a task has no resource to call them on.
    let is_of_resource = name.rsplit('#').next().is_some_and(|function| function.starts_with('['));
    if is_of_resource || interface.tasks.len() >= limits::TASKS {
        return Ok(());
    }
    let mut params = Vec::new();
    for (name, ty) in func.params() {
        params.push((name.to_owned(), values::describe(&mut interface.types, &ty)?));
    }
    let result = func.results().next().map(|ty| values::describe(&mut interface.types, &ty)).transpose()?;
    interface.tasks.push(Signature { name, params, result, is_async: func.async_() });
    Ok(())
}
