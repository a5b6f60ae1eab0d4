//! Where log lines go: to standard error while somebody reads it, else into a file of bounded size.
//!
//! Standard error is a pipe to the server that started us. That server may die before us, and the next one cannot get at the pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A file that has grown to this size is begun anew.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Writes to one place until it fails, and from then on to a file.
pub struct Log<W> {
    first: Option<W>,
    path: PathBuf,
    file: Option<File>,
}

impl<W: Write> Log<W> {
    /// A log on `first`; once that is broken, on the file at `path`.
    pub fn new(first: W, path: PathBuf) -> Self {
        Self {
            first: Some(first),
            path,
            file: None,
        }
    }

    fn write_to_file(&mut self, line: &[u8]) -> io::Result<()> {
        let has_room = self.file.as_ref().map_or(Ok(false), |file| {
            file.metadata()
                .map(|facts| facts.len() + line.len() as u64 <= MAX_FILE_BYTES)
        })?;
        if !has_room {
            let mut options = OpenOptions::new();
            options.create(true).mode(0o600);
            // One that is full is emptied; one that an earlier engine left is added to, until it is full.
            let is_full = self.file.is_some();
            options.append(!is_full).write(true).truncate(is_full);
            self.file = Some(options.open(&self.path)?);
        }
        self.file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(line))
    }
}

impl<W: Write> Write for Log<W> {
    /// Takes a whole line or nothing, so that none is torn between the two places.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(first) = &mut self.first {
            if first.write_all(line).is_ok() {
                return Ok(line.len());
            }
            self.first = None;
        }
        self.write_to_file(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A pipe whose reader leaves after some lines.
    struct Reader {
        lines: Vec<String>,
        patience: usize,
    }

    impl Write for &mut Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.lines.len() == self.patience {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn path(name: &str) -> PathBuf {
        let name = format!("pagecalls-log-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn lines_go_on_in_the_file_when_nobody_reads_any_more() {
        let path = path("goes-on");
        let mut reader = Reader {
            lines: Vec::new(),
            patience: 1,
        };
        let mut log = Log::new(&mut reader, path.clone());
        for line in ["one\n", "two\n", "three\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        drop(log);
        assert_eq!(reader.lines, ["one\n"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\nthree\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // The next engine adds to what is there.
        let mut reader = Reader {
            lines: Vec::new(),
            patience: 0,
        };
        Log::new(&mut reader, path.clone())
            .write_all(b"four\n")
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\nthree\nfour\n");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let path = path("bounded");
        let mut reader = Reader {
            lines: Vec::new(),
            patience: 0,
        };
        let mut log = Log::new(&mut reader, path.clone());
        let line = vec![b'x'; 100_000];
        for _ in 0..100 {
            log.write_all(&line).unwrap();
        }
        let size = fs::metadata(&path).unwrap().len();
        assert!((1..=MAX_FILE_BYTES).contains(&size), "{size}");
        fs::remove_file(path).unwrap();
    }
}
