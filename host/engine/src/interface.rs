//! A component's type as data: tasks with signatures, imports, types.

use taskcell_wire::{Import, Interface, Signature, limits};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker};

use crate::error::EngineError;
use crate::{link, values};

/// Describes a compiled component.
pub(crate) fn describe<T: 'static>(
    component: &Component,
    linker: &Linker<T>,
    concurrent: bool,
) -> Result<Interface, EngineError> {
    let engine = component.engine();
    let ty = linker.substituted_component_type(component).unwrap_or_else(|_| component.component_type());
    let mut interface = Interface { is_concurrent: concurrent, ..Interface::default() };
    for (name, item) in ty.imports(engine) {
        // An import of types only (`use iface.{t}`) asks for nothing that could be missing.
        let types_only = match &item.ty {
            ComponentItem::Type(_) => true,
            ComponentItem::ComponentInstance(instance) => {
                instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
            }
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Resource(_) => false,
        };
        interface.imports.push(Import { name: name.to_owned(), provided: types_only || link::is_provided(name) });
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
