//! What the log relies on, checked on both file systems.

use std::path::Path;

use super::{Fs, OsFs, SimulatedFs};
use crate::Error;

fn on_both(check: impl Fn(&dyn Fs, &Path)) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    check(&OsFs, &directory.path().join("a/b"));
    check(&SimulatedFs::new(), Path::new("/a/b"));
}

#[test]
fn a_file_reads_as_it_was_written() {
    on_both(|fs, directory| {
        fs.create_directory(directory).expect("created with its parents");
        fs.create_directory(directory).expect("one that exists is fine");
        let path = directory.join("file");
        let file = fs.create(&path).expect("created");
        assert!(matches!(fs.create(&path), Err(Error::Local { action: "create", .. })));
        file.write_at(3, b"abc").expect("written");
        file.preallocate(9).expect("extended");
        file.preallocate(4).expect("a smaller length changes nothing");
        file.write_at(8, b"zz").expect("written");
        file.sync().expect("synced");
        let again = fs.open(&path, false).expect("opened");
        assert_eq!(again.len().expect("a length"), 10);
        assert_eq!(again.path(), path);
        assert_eq!(again.read_at(0, 10).expect("read"), b"\0\0\0abc\0\0zz");
        assert_eq!(again.read_at(8, 10).expect("read at the end"), b"zz");
        assert_eq!(again.read_at(99, 1).expect("read past the end"), b"");
        file.truncate(4).expect("truncated");
        file.preallocate(6).expect("extended");
        assert_eq!(again.read_at(0, 10).expect("read"), b"\0\0\0a\0\0");
    });
}

#[test]
fn a_directory_lists_what_is_in_it() {
    on_both(|fs, directory| {
        fs.create_directory(&directory.join("child")).expect("created");
        for name in ["b", "a"] {
            fs.create(&directory.join(name)).expect("created");
        }
        assert_eq!(fs.list(directory).expect("listed"), ["a", "b", "child"]);
        fs.rename(&directory.join("b"), &directory.join("a")).expect("renamed over another");
        assert_eq!(fs.list(directory).expect("listed"), ["a", "child"]);
        fs.remove(&directory.join("a")).expect("removed");
        fs.sync_directory(directory).expect("synced");
        assert_eq!(fs.list(directory).expect("listed"), ["child"]);
        assert!(fs.remove(&directory.join("a")).is_err());
        assert!(fs.open(&directory.join("a"), true).is_err());
        assert!(fs.list(&directory.join("none")).is_err());
    });
}

#[test]
fn a_lock_has_one_holder_who_is_named() {
    on_both(|fs, directory| {
        fs.create_directory(directory).expect("created");
        let path = directory.join("lock");
        let held = fs.lock(&path).expect("locked");
        match fs.lock(&path) {
            Err(Error::Locked { path, pid }) => {
                assert_eq!((path.as_path(), pid), (directory, std::process::id().to_string()));
            }
            other => panic!("the lock is held, but {other:?}"),
        }
        drop(held);
        fs.lock(&path).expect("locked again");
    });
}
