//! The listening end of the Unix socket: open to our own user, put in a dead one's place, taken away at the end.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The listening socket. It is taken away again when this is dropped, unless another has taken its place.
pub struct Listener {
    pub(super) socket: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Listener {
    /// Listens at `path`, open to our own user only. A socket that nobody listens on any more is replaced.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let socket = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if UnixStream::connect(path).is_ok() {
                    return Err(error);
                }
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            result => result?,
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            inode: fs::metadata(path)?.ino(),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
