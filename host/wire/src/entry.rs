//! Compiled code with its description, as it lies in the cache.
//!
//! A digest of all that follows (32 bytes), the length of the description (4 bytes, little-endian), the description in postcard, the
//! code. The digest tells an entry that was damaged or half written; it is no defence against one who can write to the cache, which is
//! why the folder is this user's alone. Still nothing here believes a length or a type before it is checked.

use crate::codec;
use crate::error::WireError;
use crate::types::Interface;

const DIGEST: usize = 32;
const LENGTH: usize = 4;

/// What stands before the code. `digest`: this crate links no hash function; it may be of more than the parts that it gets.
///
/// # Errors
/// [`WireError::MessageTooLong`] for a description of 4 GiB or more.
pub fn head(interface: &Interface, code: &[u8], digest: impl Fn(&[&[u8]]) -> [u8; DIGEST]) -> Result<Vec<u8>, WireError> {
    let description = postcard::to_stdvec(interface)?;
    let length = u32::try_from(description.len())
        .map_err(|_| WireError::MessageTooLong { length: description.len() as u64, cap: u64::from(u32::MAX) })?
        .to_le_bytes();
    let mut head = digest(&[&length, &description, code]).to_vec();
    head.extend_from_slice(&length);
    head.extend_from_slice(&description);
    Ok(head)
}

/// The description of an entry, and where its code begins; `None` if it is not sound.
#[must_use]
pub fn decode(entry: &[u8], digest: impl Fn(&[&[u8]]) -> [u8; DIGEST]) -> Option<(Interface, usize)> {
    let (told, rest) = entry.split_first_chunk::<DIGEST>()?;
    if digest(&[rest]) != *told {
        return None;
    }
    let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let interface: Interface = codec::decode(rest.get(..length)?).ok()?;
    interface.check().ok()?;
    Some((interface, DIGEST + LENGTH + length))
}
