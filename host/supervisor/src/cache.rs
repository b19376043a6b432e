//! Compiled code on disk, so that a component is compiled once.
//!
//! Code in the cache is executed (in workers), so the folder must be this user's alone, and each entry carries a digest: a
//! damaged one is compiled again. Entries are written beside and renamed into place, so concurrent runs see whole entries only.
//! Nothing here is ever an error for the user: without a cache, things are slower.
//! What an entry looks like is in [`taskcell_wire::entry`]; its digest is BLAKE3.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use taskcell_wire::{Interface, Limits, PROTOCOL_VERSION, entry, limits};

/// All entries together, in bytes; the least recently used go first.
const MOST_BYTES: u64 = 2 << 30;
/// One entry, in bytes: machine code is about twice as long as the component.
const ENTRY_BYTES: u64 = 8 * limits::COMPONENT_BYTES;

/// What changes the code of a component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The stack and fuel are in the code.
    pub(crate) limits: Limits,
    /// Whether components with `async func` are accepted.
    pub(crate) concurrency: bool,
}

/// What identifies compiled code: the component, the engine, the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn new(component: &[u8], settings: &Settings) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(taskcell_engine::fingerprint(&settings.limits).as_bytes());
        hasher.update(&[u8::from(settings.concurrency)]);
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(&PROTOCOL_VERSION.to_le_bytes());
        hasher.update(component);
        Self(hasher.finalize().to_hex().to_string())
    }
}

/// Code with its description.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) interface: Interface,
    pub(crate) code: Vec<u8>,
}

/// A folder of entries.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The user's cache: `$XDG_CACHE_HOME/taskcell` or `~/.cache/taskcell`. `None` if there is no place for it, or somebody else
    /// could write to it.
    pub(crate) fn of_user() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
        Self::at(&base.join("taskcell"))
    }

    pub(crate) fn at(folder: &Path) -> Option<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
        let found = std::fs::symlink_metadata(folder).ok()?;
        let own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0;
        own.then(|| Self { folder: folder.to_owned() })
    }

    /// The entry, if there is a sound one.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        let path = self.folder.join(&key.0);
        let file = File::open(&path).ok()?;
        let length = file.metadata().ok()?.len();
        if length > ENTRY_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        file.take(ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
        let entry = decode(bytes);
        match &entry {
            // Used just now: the last to go.
            Some(_) => drop(File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()))),
            None => drop(std::fs::remove_file(&path)),
        }
        entry
    }

    /// Keeps an entry. A failure (no space, no right) leaves nothing behind and is nobody's concern.
    pub(crate) fn put(&self, key: &Key, entry: &Entry) {
        let beside = self.folder.join(format!("{}.{}.new", key.0, std::process::id()));
        let written = write(&beside, entry).and_then(|()| std::fs::rename(&beside, self.folder.join(&key.0)));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        self.shrink(MOST_BYTES);
    }

    /// Removes the least recently used entries until at most `most` bytes are left, and what a killed run left behind.
    fn shrink(&self, most: u64) {
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return };
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = folder
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, length, _)| length).sum();
        let now = SystemTime::now();
        for (modified, length, path) in entries {
            let unfinished = path.extension().is_some_and(|ending| ending == "new")
                && now.duration_since(modified).is_ok_and(|age| age.as_secs() > 600);
            if total <= most && !unfinished {
                continue;
            }
            if std::fs::remove_file(&path).is_ok() {
                total = total.saturating_sub(length);
            }
        }
    }
}

fn write(path: &Path, entry: &Entry) -> std::io::Result<()> {
    let head = entry::head(&entry.interface, &entry.code, digest).map_err(std::io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&head)?;
    file.write_all(&entry.code)?;
    // A rename may reach the disk before the bytes do; the digest tells such an entry, so no fsync.
    Ok(())
}

fn decode(mut bytes: Vec<u8>) -> Option<Entry> {
    let (interface, code) = entry::decode(&bytes, digest)?;
    bytes.drain(..code);
    Some(Entry { interface, code: bytes })
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn entry(size: usize) -> Entry {
        Entry { interface: Interface::default(), code: vec![7; size] }
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("taskcell")).unwrap();
        (folder, cache)
    }

    #[test]
    fn an_entry_comes_back_and_other_keys_do_not() {
        let (_folder, cache) = cache();
        let key = Key::new(b"a", &Settings::default());
        cache.put(&key, &entry(100));
        assert_eq!(cache.get(&key), Some(entry(100)));
        assert_eq!(cache.get(&Key::new(b"b", &Settings::default())), None);
        let fuel = Limits { fuel: Some(1), ..Limits::default() };
        assert_ne!(Key::new(b"a", &Settings { limits: fuel, concurrency: false }), key);
        assert_ne!(Key::new(b"a", &Settings { concurrency: true, ..Settings::default() }), key);
    }

    #[test]
    fn a_damaged_entry_is_no_entry_and_is_removed() {
        let (_folder, cache) = cache();
        let key = Key::new(b"a", &Settings::default());
        for at in [0, 40, 60] {
            cache.put(&key, &entry(100));
            let path = cache.folder.join(&key.0);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(cache.get(&key), None, "flipped at {at}");
            assert!(!path.exists());
        }
        cache.put(&key, &entry(100));
        let path = cache.folder.join(&key.0);
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 10, 33, 50] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(cache.get(&key), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let (_folder, cache) = cache();
        for n in 0..4u8 {
            let key = Key::new(&[n], &Settings::default());
            cache.put(&key, &entry(1000));
            let file = File::options().append(true).open(cache.folder.join(&key.0)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(n))).unwrap();
        }
        cache.shrink(2500);
        let kept: Vec<bool> = (0..4u8).map(|n| cache.get(&Key::new(&[n], &Settings::default())).is_some()).collect();
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn a_folder_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        DirBuilder::new().mode(0o755).create(&open).unwrap();
        assert!(Cache::at(&open).is_none());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/tmp", &link).unwrap();
        assert!(Cache::at(&link).is_none());
    }
}
