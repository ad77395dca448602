//! A disk that is full when a test says so: a small file system in memory, mounted for the test alone.
//!
//! Mounting needs rights that not every machine gives; a test that gets none says so loudly and is not counted as run.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A mounted file system of a fixed size.
#[derive(Debug)]
pub struct SmallDisk {
    at: TempDir,
}

impl SmallDisk {
    /// Mounts one of this size; none, after saying so, without the rights for it.
    ///
    /// # Panics
    /// If there is no temporary folder to mount it at.
    pub fn mount(test: &str, mebibytes: u32) -> Option<Self> {
        let at = tempfile::Builder::new().prefix("taiwa-disk-").tempdir().expect("a temporary folder is made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(at.path());
        if mount.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Some(Self { at });
        }
        // Not the mark that `cargo xtask test` counts: no machine has to give this right.
        println!("NOT RUN: {test}: mounting a small file system needs rights (try as root)");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.at.path()
    }

    /// Takes all the room that is left, to the last byte.
    ///
    /// # Panics
    /// If writing fails for want of anything but room.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("the disk takes a file");
        for block in [1 << 20, 1 << 12, 1] {
            let bytes = vec![0; block];
            loop {
                match ballast.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling a disk: {error}"),
                }
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// If it was not full.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.at.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may have files open on it.
        let _ = Command::new("umount").arg("-l").arg(self.at.path()).status();
    }
}
