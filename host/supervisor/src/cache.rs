//! Compiled code on disk, so that a component is compiled once.
//!
//! Code in the cache is executed (in workers), so the folder must be this user's alone. It is opened once, looked at through
//! its descriptor, and used through it; so is each entry, which must be a file of this user's with one name. An entry has a digest
//! of itself and its key: a damaged or renamed one is compiled again. Entries are written beside and renamed into place, so concurrent runs see whole entries only.
//! Nothing here is ever an error for the user: without a cache, things are slower.
//! What an entry looks like is in [`taskcell_wire::entry`]; its digest is BLAKE3.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use taskcell_wire::{Interface, Limits, PROTOCOL_VERSION, entry, limits};

/// All entries together, in bytes; the least recently used go first.
const MOST_BYTES: u64 = 2 << 30;
/// The code of one entry, in bytes: a quarter, so that no component empties the cache of all others.
const ENTRY_BYTES: u64 = MOST_BYTES / 4;

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

/// A folder of entries, by its descriptor: what its path leads to later makes no difference.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: Arc<OwnedFd>,
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(rustix::fs::open(folder, flags, Mode::empty()).ok()?);
        let found = folder.metadata().ok()?;
        let own = is_own(&found) && found.mode() & 0o077 == 0;
        own.then(|| Self { folder: Arc::new(folder.into()) })
    }

    /// The entry, if there is a sound one.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        // Opening a pipe that somebody put there must not wait for its other end.
        let file = self.open(&key.0, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
        let entry = read(&file, key);
        match &entry {
            // Used just now: the last to go.
            Some(_) => drop(file.set_modified(SystemTime::now())),
            None => drop(self.remove(&key.0)),
        }
        entry
    }

    /// Keeps an entry, unless it would take the place of many others. A failure (no space, no right) leaves nothing behind and is
    /// nobody's concern.
    pub(crate) fn put(&self, key: &Key, interface: &Interface, code: &[u8]) {
        if code.len() as u64 > ENTRY_BYTES {
            return;
        }
        let beside = format!("{}.{}.new", key.0, std::process::id());
        let rename = || Ok(rustix::fs::renameat(&self.folder, &beside, &self.folder, &key.0)?);
        if self.write(&beside, key, interface, code).and_then(|()| rename()).is_err() {
            let _ = self.remove(&beside);
        }
        self.shrink(MOST_BYTES);
    }

    fn write(&self, name: &str, key: &Key, interface: &Interface, code: &[u8]) -> std::io::Result<()> {
        let head = entry::head(interface, code, |parts| digest(key, parts)).map_err(std::io::Error::other)?;
        let mut file = self.open(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        file.write_all(&head)?;
        file.write_all(code)?;
        // A rename may reach the disk before the bytes do; the digest tells such an entry, so no fsync.
        Ok(())
    }

    /// Removes the least recently used entries until at most `most` bytes are left, and what a killed run left behind.
    fn shrink(&self, most: u64) {
        let Ok(folder) = Dir::read_from(&self.folder) else { return };
        let mut entries: Vec<(SystemTime, u64, String)> = folder
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
                let found = self.open(&name, OFlags::PATH).ok()?.metadata().ok()?;
                found.is_file().then_some((found.modified().ok()?, found.len(), name))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, length, _)| length).sum();
        let now = SystemTime::now();
        for (modified, length, name) in entries {
            let unfinished = name.ends_with(".new") && now.duration_since(modified).is_ok_and(|age| age.as_secs() > 600);
            if total <= most && !unfinished {
                continue;
            }
            if self.remove(&name).is_ok() {
                total = total.saturating_sub(length);
            }
        }
    }

    /// Opens a file of the folder; a link is an error.
    fn open(&self, name: &str, flags: OFlags) -> std::io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn remove(&self, name: &str) -> rustix::io::Result<()> {
        rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())
    }
}

/// Reads an entry that nobody else can have written or can change: a file of this user's, under this name only.
fn read(file: &File, key: &Key) -> Option<Entry> {
    let found = file.metadata().ok()?;
    let is_ours = found.is_file() && is_own(&found) && found.mode() & 0o022 == 0 && found.nlink() == 1;
    let most = ENTRY_BYTES.saturating_add(limits::INTERFACE_FRAME);
    if !is_ours || found.len() > most {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).ok()?);
    file.take(most).read_to_end(&mut bytes).ok()?;
    let (interface, code) = entry::decode(&bytes, |parts| digest(key, parts))?;
    bytes.drain(..code);
    Some(Entry { interface, code: bytes })
}

fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// The key is in the digest, so that an entry under another name than its own is not sound.
fn digest(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.0.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(size: usize) -> Entry {
        Entry { interface: Interface::default(), code: vec![7; size] }
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&path(&folder)).unwrap();
        (folder, cache)
    }

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("taskcell")
    }

    fn put(cache: &Cache, key: &Key, size: usize) {
        let Entry { interface, code } = entry(size);
        cache.put(key, &interface, &code);
    }

    #[test]
    fn an_entry_comes_back_and_other_keys_do_not() {
        let (_folder, cache) = cache();
        let key = Key::new(b"a", &Settings::default());
        put(&cache, &key, 100);
        assert_eq!(cache.get(&key), Some(entry(100)));
        assert_eq!(cache.get(&Key::new(b"b", &Settings::default())), None);
        let fuel = Limits { fuel: Some(1), ..Limits::default() };
        assert_ne!(Key::new(b"a", &Settings { limits: fuel, concurrency: false }), key);
        assert_ne!(Key::new(b"a", &Settings { concurrency: true, ..Settings::default() }), key);
    }

    #[test]
    fn a_damaged_entry_is_no_entry_and_is_removed() {
        let (folder, cache) = cache();
        let key = Key::new(b"a", &Settings::default());
        for at in [0, 40, 60] {
            put(&cache, &key, 100);
            let path = path(&folder).join(&key.0);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(cache.get(&key), None, "flipped at {at}");
            assert!(!path.exists());
        }
        put(&cache, &key, 100);
        let path = path(&folder).join(&key.0);
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 10, 33, 50] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(cache.get(&key), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let (folder, cache) = cache();
        for n in 0..4u8 {
            let key = Key::new(&[n], &Settings::default());
            put(&cache, &key, 1000);
            let file = File::options().append(true).open(path(&folder).join(&key.0)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(n))).unwrap();
        }
        cache.shrink(2500);
        let kept: Vec<bool> = (0..4u8).map(|n| cache.get(&Key::new(&[n], &Settings::default())).is_some()).collect();
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn an_entry_under_another_key_is_not_believed() {
        let (folder, cache) = cache();
        let [own, other] = [b"a", b"b"].map(|component| Key::new(component, &Settings::default()));
        put(&cache, &own, 100);
        std::fs::rename(path(&folder).join(&own.0), path(&folder).join(&other.0)).unwrap();
        assert_eq!(cache.get(&other), None);
    }

    #[test]
    fn an_entry_that_somebody_else_could_change_is_not_believed() {
        type Change = fn(&Path, &Path);
        let changes: [(&str, Change); 5] = [
            ("a link to an entry", |entry, aside| {
                std::fs::rename(entry, aside).unwrap();
                std::os::unix::fs::symlink(aside, entry).unwrap();
            }),
            ("a second name", |entry, aside| std::fs::hard_link(entry, aside).unwrap()),
            ("the group may write", |entry, _| std::fs::set_permissions(entry, Permissions::from_mode(0o620)).unwrap()),
            ("others may write", |entry, _| std::fs::set_permissions(entry, Permissions::from_mode(0o602)).unwrap()),
            ("a folder", |entry, _| {
                std::fs::remove_file(entry).unwrap();
                std::fs::create_dir(entry).unwrap();
            }),
        ];
        for (what, change) in changes {
            let (folder, cache) = cache();
            let key = Key::new(b"a", &Settings::default());
            put(&cache, &key, 100);
            assert!(cache.get(&key).is_some(), "{what}: before");
            change(&path(&folder).join(&key.0), &folder.path().join("aside"));
            assert_eq!(cache.get(&key), None, "{what}");
        }
    }

    #[test]
    fn a_folder_that_takes_the_place_of_the_cache_is_not_looked_into() {
        let (folder, cache) = cache();
        let key = Key::new(b"a", &Settings::default());
        put(&cache, &key, 100);
        std::fs::rename(path(&folder), folder.path().join("aside")).unwrap();
        let other = Cache::at(&path(&folder)).unwrap();
        put(&other, &key, 200);
        assert_eq!(cache.get(&key), Some(entry(100)), "the descriptor is of the folder that was looked at");
        put(&cache, &key, 300);
        assert_eq!((cache.get(&key), other.get(&key)), (Some(entry(300)), Some(entry(200))));
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
