//! Where lines come from: a file or standard input, plain or compressed with zstd.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::refuse_line;
use crate::error::{Error, Result};

/// Longest line. A value of 16 MiB whose every byte is written as an escape still fits.
const LINE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Largest window that is decompressed: 128 MiB of memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Bytes that are read ahead.
const BUFFER_BYTES: usize = 256 * 1024;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Lines, counted from 1, of a file that is read once from its beginning to its end.
pub(super) struct LineSource {
    reader: Box<dyn BufRead + Send>,
    /// The file as errors name it.
    name: String,
    /// The line that `next_line` gave last.
    line: u64,
    buffer: Vec<u8>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
}

/// Counts what is read through it.
struct CountingReader<R> {
    inner: R,
    bytes_read: Arc<AtomicU64>,
}

impl LineSource {
    /// Opens `path`, or standard input where it is `-`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::new("standard input".to_owned(), std::io::stdin(), None);
        }
        let file = File::open(path).map_err(Error::path("open", path))?;
        let metadata = file.metadata().map_err(Error::path("open", path))?;
        if metadata.is_dir() {
            return Err(Error::usage(format!(
                "{} is a directory; name a file of JSON Lines, or - for standard input",
                path.display()
            )));
        }
        // A pipe under a file's name has no length.
        let bytes_total = metadata.is_file().then_some(metadata.len());
        Self::new(path.display().to_string(), file, bytes_total)
    }

    /// Lines of `input`, which errors call `name`.
    pub(super) fn new(
        name: String,
        input: impl Read + Send + 'static,
        bytes_total: Option<u64>,
    ) -> Result<Self> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counting = CountingReader { inner: input, bytes_read: Arc::clone(&bytes_read) };
        let mut plain = BufReader::with_capacity(BUFFER_BYTES, counting);
        let reading = |error| Error::io("read", name.clone())(error);
        // A pipe may give its first bytes one by one, so they are taken, looked at and put back.
        let mut magic = Vec::new();
        plain.by_ref().take(4).read_to_end(&mut magic).map_err(reading)?;
        if magic.starts_with(&GZIP_MAGIC) {
            return Err(Error::usage(format!(
                "{name} is compressed with gzip, which is not read; unpack it on the way: gzip \
                 -dc FILE | foldback import jsonl - TABLE"
            )));
        }
        let is_zstd = magic.starts_with(&ZSTD_MAGIC);
        let whole = std::io::Cursor::new(magic).chain(plain);
        let mut reader: Box<dyn BufRead + Send> = if is_zstd {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(whole).map_err(reading)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(reading)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            Box::new(whole)
        };
        if reader.fill_buf().is_ok_and(|start| start.starts_with(&UTF8_MARK)) {
            reader.consume(UTF8_MARK.len());
        }
        Ok(Self { reader, name, line: 0, buffer: Vec::new(), bytes_read, bytes_total })
    }

    /// The next line with its number, without its end; `None` after the last.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>> {
        self.buffer.clear();
        let line = self.line + 1;
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX + 1);
        let bytes = limited.read_until(b'\n', &mut self.buffer).map_err(|error| {
            refuse_line(
                &self.name,
                line,
                format!(
                    "the file can't be read on from here: {error}; if it is compressed, it is \
                     damaged or cut off: copy it again and try `zstd -t` on it"
                ),
            )
        })?;
        if bytes == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if bytes as u64 > LINE_BYTES_MAX {
            return Err(self.refuse(
                line,
                format!(
                    "the line is over {LINE_BYTES_MAX} bytes; is this a file of JSON Lines, one \
                     event a line?"
                ),
            ));
        }
        self.line = line;
        Ok(Some((line, &self.buffer)))
    }

    /// The error of a line, with the name of the file.
    pub(super) fn refuse(&self, line: u64, reason: String) -> Error {
        refuse_line(&self.name, line, reason)
    }

    /// Bytes taken from the file so far, as it is stored.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Bytes of the file as it is stored, where that is known.
    pub(super) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
