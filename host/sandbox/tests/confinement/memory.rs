//! Memory handed to a child: what is sealed stays as it is, what is shared stays in its bounds.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use taskcell_sandbox::{
    MappedBytes, MemfdError, SharedMemory, SharedMemoryError, Termination, seal, sealed_memfd, writable_memfd,
};

use crate::Case;
use crate::child::Puppet;

pub(crate) const CASES: &[Case] = &[
    ("a_sealed_memfd_refuses_every_change", a_sealed_memfd_refuses_every_change),
    ("a_memfd_can_be_filled_then_sealed", a_memfd_can_be_filled_then_sealed),
    ("only_sealed_memfds_are_mapped", only_sealed_memfds_are_mapped),
    ("a_child_reads_a_sealed_memfd", a_child_reads_a_sealed_memfd),
    ("a_shared_page_is_seen_by_both_sides", a_shared_page_is_seen_by_both_sides),
    ("a_shared_page_cannot_shrink", a_shared_page_cannot_shrink),
    ("only_sealed_pages_are_mapped", only_sealed_pages_are_mapped),
];

fn refuses_change(fd: OwnedFd) {
    let mut file = File::from(fd);
    assert!(file.write_all(b"x").is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.set_len(64 << 20).is_err());
    assert!(rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::GROW).is_err());
}

fn a_sealed_memfd_refuses_every_change() {
    refuses_change(sealed_memfd("test", b"bytes").unwrap());
}

fn a_memfd_can_be_filled_then_sealed() {
    let mut file = File::from(writable_memfd("test").unwrap());
    file.write_all(b"bytes").unwrap();
    seal(&file).unwrap();
    assert_eq!(&*MappedBytes::map(&file).unwrap(), b"bytes");
    refuses_change(file.into());
}

fn only_sealed_memfds_are_mapped() {
    let unsealed = writable_memfd("test").unwrap();
    assert!(matches!(MappedBytes::map(&unsealed), Err(MemfdError::NotSealed)));
    let file = File::open("/proc/self/exe").unwrap();
    assert!(matches!(MappedBytes::map(&file), Err(MemfdError::Seals(_))));
    let empty = sealed_memfd("test", b"").unwrap();
    assert_eq!(&*MappedBytes::map(&empty).unwrap(), b"");
}

fn a_child_reads_a_sealed_memfd() {
    let mut child = Puppet::worker_with("mapped", sealed_memfd("test", b"compiled code").unwrap());
    child.expect("compiled code");
    assert_eq!(child.end(), Termination::Exited(0));
}

fn a_shared_page_is_seen_by_both_sides() {
    let (page, fd) = SharedMemory::create().unwrap();
    page.word(0).store(41, Ordering::Release);
    let mut child = Puppet::worker_with("page", fd);
    child.expect("stored");
    assert_eq!(page.word(8).load(Ordering::Acquire), 42);
    page.word(page.words() - 1).store(43, Ordering::Release);
    page.release(512);
    assert_eq!(page.word(page.words() - 1).load(Ordering::Acquire), 0, "given back");
    assert_eq!(page.word(8).load(Ordering::Acquire), 42, "before what is given back");
    // Beyond the end it begins again.
    assert_eq!(page.word(page.words()).load(Ordering::Acquire), 41);
    assert_eq!(page.word(usize::MAX).load(Ordering::Acquire), 0);
    assert_eq!(child.end(), Termination::Exited(0));
}

fn a_shared_page_cannot_shrink() {
    let (_page, fd) = SharedMemory::create().unwrap();
    let file = File::from(fd);
    assert!(file.set_len(0).is_err());
    assert!(file.set_len(64 << 20).is_err());
}

fn only_sealed_pages_are_mapped() {
    let unsealed = File::from(writable_memfd("test").unwrap());
    unsealed.set_len(4096).unwrap();
    assert!(matches!(SharedMemory::map(unsealed.into()), Err(SharedMemoryError::NotSealed)));
    let short = sealed_memfd("test", b"short").unwrap();
    assert!(matches!(SharedMemory::map(short), Err(SharedMemoryError::WrongSize(5))));
    let file = File::open("/proc/self/exe").unwrap();
    assert!(matches!(SharedMemory::map(file.into()), Err(SharedMemoryError::Seals(_))));
}
