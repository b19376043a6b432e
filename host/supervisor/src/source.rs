//! Reading a component's bytes from where a user says they are.
//!
//! A path may name anything: a directory, a pipe that nobody writes to, a file of terabytes. The file is opened without waiting, looked
//! at through its descriptor (so that it can't be exchanged in between), and read up to a cap.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use taskcell_wire::limits::COMPONENT_BYTES;

use crate::error::Error;

/// Reads the whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let length = regular(&file, path)?;
    if length > COMPONENT_BYTES {
        return Err(too_long(path, length));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // One more than the cap: a file that grows while it is read is noticed.
    file.take(COMPONENT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > COMPONENT_BYTES {
        return Err(too_long(path, bytes.len() as u64));
    }
    Ok(bytes)
}

fn too_long(path: &Path, length: u64) -> Error {
    Error::TooLong { name: path.display().to_string(), length, most: COMPONENT_BYTES }
}

fn regular(file: &File, path: &Path) -> Result<u64, Error> {
    let metadata = file.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(metadata.len());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Error::NotAFile { path: path.to_owned(), what })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn what_is_no_file_is_named() {
        let error = read(Path::new("/")).unwrap_err().to_string();
        assert_eq!(error, "read /: it is a directory, not a file");
        let error = read(Path::new("/dev/null")).unwrap_err().to_string();
        assert_eq!(error, "read /dev/null: it is a device, not a file");
        assert!(matches!(read(Path::new("/no/such/file")), Err(Error::Read { .. })));
    }
}
