//! A small disk for one process: a file system in memory, which can be filled to the last byte and emptied again.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its size: room for the log files that etcd lays out ahead of need, 64 MiB each, and for what a run of some minutes
/// writes.
const SIZE_MIB: u32 = 768;
/// What all mounts begin with; this process's id follows.
const NAME: &str = "reward-points-chaos-";
/// What is written at once to fill it; at the end, single blocks.
static CHUNK: [u8; 1024 * 1024] = [0; 1024 * 1024];
const BLOCK_BYTES: usize = 4096;

/// A mounted disk. Unmounted on drop.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `at`, a directory that is made.
    ///
    /// # Errors
    /// Why this machine does not allow it.
    pub(crate) fn mount(at: PathBuf) -> Result<Self, String> {
        remove_leftovers();
        std::fs::create_dir_all(&at)
            .map_err(|error| format!("create {}: {error}", at.display()))?;
        let mut mount = Command::new("mount");
        let size = format!("size={SIZE_MIB}m,mode=0700");
        mount
            .args(["-t", "tmpfs", "-o", &size, &own_name()])
            .arg(&at);
        let output = mount.output().map_err(|error| format!("mount: {error}"))?;
        if output.status.success() {
            return Ok(Self { at });
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(words.trim().to_owned())
    }

    /// A directory on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.at.join("data")
    }

    /// Takes all the room that is left, and tells how many bytes that was.
    ///
    /// # Errors
    /// What else goes wrong than that the room is gone.
    pub(crate) fn fill(&self) -> std::io::Result<u64> {
        let mut file = File::create(self.filler())?;
        let mut filled = 0;
        for size in [CHUNK.len(), BLOCK_BYTES] {
            let part = CHUNK.get(..size).unwrap_or(&CHUNK);
            loop {
                match file.write(part) {
                    Ok(written) => filled += written as u64,
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(filled)
    }

    /// Gives the room back, if any was taken.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(crate) fn empty(&self) -> std::io::Result<()> {
        match std::fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: it goes with the last process that still looks into it.
        if !unmount(&self.at, &[]) {
            unmount(&self.at, &["-l"]);
        }
    }
}

/// What the mount is called: it tells whose it is.
fn own_name() -> String {
    format!("{NAME}{}", std::process::id())
}

/// Unmounts what a run left behind that was killed: its process is gone.
fn remove_leftovers() {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let pid = words.next().and_then(|name| name.strip_prefix(NAME));
        if let (Some(pid), Some(at)) = (pid, words.next())
            && pid.parse::<u32>().is_ok_and(crate::is_gone)
        {
            unmount(Path::new(at), &["-l"]);
        }
    }
}

fn unmount(at: &Path, options: &[&str]) -> bool {
    let output = Command::new("umount").args(options).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}
