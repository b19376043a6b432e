//! Many byte strings in one: how inputs travel.
//!
//! A map of a million integers must not be a million allocations, on either side. Items stand one behind the other, each with
//! its length as postcard writes byte strings, and are read back as slices of the frame that they came in.

use crate::error::WireError;

/// Collects items into one byte string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemWriter {
    bytes: Vec<u8>,
    count: u32,
}

impl ItemWriter {
    /// An empty one that uses the memory of `bytes`.
    #[must_use]
    pub fn within(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, count: 0 }
    }

    /// Adds one item.
    pub fn push(&mut self, item: &[u8]) {
        push_length(item.len(), &mut self.bytes);
        self.bytes.extend_from_slice(item);
        self.count = self.count.saturating_add(1);
    }

    /// How many items there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The items as they travel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The items as they travel, and their number; the writer's memory goes with them.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, u32) {
        (self.bytes, self.count)
    }
}

/// postcard's length prefix: seven bits a byte, low first.
fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
}

/// Reads items back, as slices of what they came in.
#[derive(Debug, Clone, Copy)]
pub struct ItemReader<'a> {
    rest: &'a [u8],
}

impl<'a> ItemReader<'a> {
    /// Reads the items in `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for ItemReader<'a> {
    type Item = Result<&'a [u8], WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        // Most items are short: one length byte, then the item.
        if let Some((&length, rest)) = self.rest.split_first()
            && length < 0x80
            && let Some((item, rest)) = rest.split_at_checked(usize::from(length))
        {
            self.rest = rest;
            return Some(Ok(item));
        }
        match postcard::take_from_bytes::<&'a [u8]>(self.rest) {
            Ok((item, rest)) => {
                self.rest = rest;
                Some(Ok(item))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn items_come_back_as_they_went() {
        let items: Vec<Vec<u8>> = [0, 1, 2, 127, 128, 129, 300, 20_000].iter().map(|n| vec![7u8; *n]).collect();
        let mut writer = ItemWriter::default();
        items.iter().for_each(|item| writer.push(item));
        let (bytes, count) = writer.into_parts();
        let read: Vec<Vec<u8>> = ItemReader::new(&bytes).map(|item| item.unwrap().to_vec()).collect();
        assert_eq!((read, count), (items, 8));
    }

    #[test]
    fn a_length_over_the_rest_is_an_error_and_the_end() {
        let mut reader = ItemReader::new(&[5, 1, 2]);
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
        let mut reader = ItemReader::new(&[0xff; 12]);
        assert!(reader.next().unwrap().is_err());
    }
}
