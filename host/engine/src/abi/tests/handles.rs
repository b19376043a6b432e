//! Handles as parameters: those of the right type get into a guest, and nothing else does.

use taskcell_wire::call::HandleKind;
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Config, Engine, Store};

use super::super::{Arguments, Returned, with_result};
use crate::host::resource_type;
use crate::value::Value;

/// Functions of one parameter, each of which gives the index back that it was given; `dropping` drops it before.
const COMPONENT: &str = r#"(component
    (import "queue" (type $queue (sub resource)))
    (import "event" (type $event (sub resource)))
    (type $own' (resource (rep i32)))
    (export $own "thing" (type $own'))
    (core func $drop (canon resource.drop $queue))
    (core module $m
        (import "" "drop" (func $drop (param i32)))
        (func (export "same") (param i32) (result i32) (local.get 0))
        (func (export "dropping") (param i32) (result i32) (call $drop (local.get 0)) (local.get 0)))
    (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
    (func (export "queue") (param "x" (own $queue)) (result u32) (canon lift (core func $i "same")))
    (func (export "event") (param "x" (own $event)) (result u32) (canon lift (core func $i "same")))
    (func (export "mine") (param "x" (own $own)) (result u32) (canon lift (core func $i "same")))
    (func (export "lent") (param "x" (borrow $queue)) (result u32) (canon lift (core func $i "same")))
    (func (export "dropping") (param "x" (borrow $queue)) (result u32) (canon lift (core func $i "dropping")))
    (func (export "number") (param "x" u32) (result u32) (canon lift (core func $i "same"))))"#;

struct Called {
    store: Store<Vec<u32>>,
    instance: Instance,
}

impl Called {
    fn new() -> Self {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str(COMPONENT).unwrap()).unwrap();
        let mut linker = Linker::new(&engine);
        for kind in [HandleKind::Queue, HandleKind::Event] {
            let dropped = |mut store: wasmtime::StoreContextMut<'_, Vec<u32>>, place| {
                store.data_mut().push(place);
                Ok(())
            };
            linker.root().resource(kind.name(), resource_type(kind), dropped).unwrap();
        }
        let mut store = Store::new(&engine, Vec::new());
        let instance = linker.instantiate(&mut store, &component).unwrap();
        Self { store, instance }
    }

    fn call(&mut self, name: &str, value: Value) -> Result<Value, String> {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let func = func.typed::<&Arguments<'_>, Returned<1>>(&self.store).unwrap();
        let called = func.call(&mut self.store, &Arguments::Values(&[value]));
        called.map(|_| with_result(Option::take).unwrap()).map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn a_handle_is_the_guests_own_or_lent_to_it() {
    let mut called = Called::new();
    let queue = |place| Value::Handle(HandleKind::Queue, place);
    // All handles of an instance are counted together, whatever they are of; the place is the host's affair.
    assert_eq!(called.call("queue", queue(70)), Ok(Value::U32(1)));
    assert_eq!(called.call("event", Value::Handle(HandleKind::Event, 71)), Ok(Value::U32(2)));
    assert_eq!(called.call("queue", queue(u32::MAX)), Ok(Value::U32(3)));
    assert_eq!(called.call("dropping", queue(70)), Ok(Value::U32(4)));
    // What was lent is not the guest's to end.
    assert!(called.store.data().is_empty());
    let error = called.call("lent", queue(70)).unwrap_err();
    assert!(error.contains("borrow"), "{error}");
}

#[test]
fn nothing_else_gets_in_as_a_handle_nor_a_handle_as_anything_else() {
    for (name, value) in [
        ("queue", Value::Handle(HandleKind::Event, 1)),
        ("queue", Value::Handle(HandleKind::Lock, 1)),
        ("queue", Value::U32(1)),
        ("lent", Value::Handle(HandleKind::Event, 1)),
        ("lent", Value::U32(1)),
        ("mine", Value::Handle(HandleKind::Queue, 1)),
        ("mine", Value::U32(1)),
        ("number", Value::Handle(HandleKind::Queue, 1)),
    ] {
        let error = Called::new().call(name, value.clone()).unwrap_err();
        assert!(error.contains("not of its parameter's type"), "{name} {value:?}: {error}");
    }
}
