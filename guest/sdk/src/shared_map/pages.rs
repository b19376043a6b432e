//! Keys and items, page by page.

use std::marker::PhantomData;

use super::FromKey;
use crate::bindings::taskcell::host::shared_map as raw;
use crate::error::Result;
use crate::message::Decode;

/// As many as the host gives in a page.
const ALL: u32 = 0;

/// The keys of a map; see [`SharedMap::keys`](super::SharedMap::keys).
#[derive(Debug)]
pub struct Keys<'a, K> {
    map: &'a raw::SharedMap,
    prefix: String,
    pages: Pages<String>,
    keys: PhantomData<fn() -> K>,
}

/// The items of a map; see [`SharedMap::items`](super::SharedMap::items).
#[derive(Debug)]
pub struct Items<'a, K, V> {
    map: &'a raw::SharedMap,
    prefix: String,
    pages: Pages<raw::Item>,
    items: PhantomData<fn() -> (K, V)>,
}

impl<'a, K> Keys<'a, K> {
    pub(super) fn new(map: &'a raw::SharedMap, prefix: String) -> Self {
        Self { map, prefix, pages: Pages::default(), keys: PhantomData }
    }
}

impl<'a, K, V> Items<'a, K, V> {
    pub(super) fn new(map: &'a raw::SharedMap, prefix: String) -> Self {
        Self { map, prefix, pages: Pages::default(), items: PhantomData }
    }
}

impl<K: FromKey> Iterator for Keys<'_, K> {
    type Item = Result<K>;

    fn next(&mut self) -> Option<Result<K>> {
        let (map, prefix) = (self.map, &self.prefix);
        let key = self.pages.next(|cursor| {
            let page = map.keys(prefix, cursor, ALL)?;
            Ok((page.keys, page.next))
        })?;
        Some(key.and_then(K::from_key))
    }
}

impl<K: FromKey, V: Decode> Iterator for Items<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        let (map, prefix) = (self.map, &self.prefix);
        let item = self.pages.next(|cursor| {
            let page = map.items(prefix, cursor, ALL)?;
            Ok((page.items, page.next))
        })?;
        Some(item.and_then(|item| Ok((K::from_key(item.key)?, V::decode(item.entry.value)?))))
    }
}

/// What was asked for and not yet given, and how to go on.
#[derive(Debug)]
struct Pages<T> {
    page: std::vec::IntoIter<T>,
    /// The cursor of the next page; `None`: there is none.
    next: Option<Option<String>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { page: Vec::new().into_iter(), next: Some(None) }
    }
}

impl<T> Pages<T> {
    /// The next one; `ask` is given a cursor. After an error there is no more.
    fn next(&mut self, ask: impl Fn(Option<&str>) -> Result<(Vec<T>, Option<String>)>) -> Option<Result<T>> {
        loop {
            if let Some(one) = self.page.next() {
                return Some(Ok(one));
            }
            // A page may be empty and not the last: all that it was to show was removed meanwhile.
            let cursor = self.next.take()?;
            match ask(cursor.as_deref()) {
                Ok((page, next)) => {
                    self.page = page.into_iter();
                    self.next = next.map(Some);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::error::Error;

    #[test]
    fn pages_follow_each_other() {
        let asked = RefCell::new(Vec::new());
        let ask = |cursor: Option<&str>| {
            asked.borrow_mut().push(cursor.map(str::to_owned));
            Ok(match cursor {
                None => (vec![1, 2], Some("b".to_owned())),
                Some("b") => (vec![], Some("c".to_owned())),
                Some(_) => (vec![3], None),
            })
        };
        let mut pages = Pages::default();
        let all: Vec<_> = std::iter::from_fn(|| pages.next(ask)).collect();
        assert_eq!(all, [Ok(1), Ok(2), Ok(3)]);
        assert_eq!(*asked.borrow(), [None, Some("b".to_owned()), Some("c".to_owned())]);
        assert_eq!(pages.next(ask), None);
    }

    #[test]
    fn an_error_is_the_end() {
        let mut pages = Pages::<u8>::default();
        assert_eq!(pages.next(|_| Err(Error::Denied)), Some(Err(Error::Denied)));
        assert_eq!(pages.next(|_| Err(Error::Denied)), None);
    }
}
