//! What was done to golden files to make the damaged ones, and what a reader must say of each.

use super::contents::{ACTIVE_SEGMENT, BASE_OF_A, DELTA, MANIFEST, SEALED_SEGMENT};

/// One damaged file: a golden one with one thing wrong.
pub(crate) struct Damage {
    /// Its directory below `testdata/damaged/`; the file keeps its own name in there.
    pub(crate) case: &'static str,
    /// The golden file that it was.
    pub(crate) path: &'static str,
    /// What was done to it.
    pub(crate) edit: fn(&mut Vec<u8>),
    /// What must come of reading it.
    pub(crate) expected: Expected,
}

/// What must come of reading a damaged file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// Damage of this file at this offset, for a reason that has these words.
    Corrupt(u64, &'static str),
    /// A file of a later release, as these words say.
    Unsupported(&'static str),
    /// No damage, but a torn tail: opening the log cuts it at this offset.
    Cut(u64),
}

impl Damage {
    /// Its path below `testdata/damaged/`.
    pub(crate) fn file(&self) -> String {
        let (_, name) = self.path.rsplit_once('/').expect("it lies in a directory");
        format!("{}/{name}", self.case)
    }
}

/// Every damaged file.
pub(crate) fn all() -> Vec<Damage> {
    let mut all = segments();
    all.extend(history_files());
    all.extend(manifests());
    all
}

fn segments() -> Vec<Damage> {
    use Expected::{Corrupt, Cut, Unsupported};
    let sealed = |case, edit, expected| Damage { case, path: SEALED_SEGMENT, edit, expected };
    let active = |case, edit, expected| Damage { case, path: ACTIVE_SEGMENT, edit, expected };
    vec![
        sealed(
            "segment-header-flipped",
            |bytes| bytes[30] ^= 0x10,
            Corrupt(0, "the checksum of the segment's header does not match"),
        ),
        sealed(
            "segment-later-version",
            |bytes| with_header_checksum(bytes, |header| header[8] = 2),
            Unsupported("has segment format 2"),
        ),
        sealed(
            "segment-of-another-database",
            |bytes| with_header_checksum(bytes, |header| header[12] ^= 1),
            Corrupt(12, "the segment belongs to database"),
        ),
        sealed(
            "sealed-frame-flipped",
            // A byte of the value `green`, in the second frame.
            |bytes| bytes[235] ^= 0x01,
            Corrupt(153, "the checksum of a frame does not match; commits up to 1 are sound"),
        ),
        sealed(
            "sealed-frame-missing",
            |bytes| drop(bytes.drain(153..259)),
            Corrupt(153, "the checksum of a frame does not match"),
        ),
        sealed(
            "sealed-cut",
            |bytes| bytes.truncate(360),
            Corrupt(259, "the file ends inside a frame"),
        ),
        active(
            "active-frame-flipped",
            // The last byte of the first frame. The second group says that it was synced.
            |bytes| bytes[302] ^= 0x80,
            Corrupt(64, "these bytes had been synced"),
        ),
        active(
            "active-last-frame-flipped",
            // Only the mark behind the last frame says that it was synced.
            |bytes| bytes[413] ^= 0x80,
            Corrupt(343, "these bytes had been synced"),
        ),
        active(
            "active-frames-zeroed",
            |bytes| bytes[64..303].fill(0),
            Corrupt(64, "there are zeros where a frame was, and these bytes had been synced"),
        ),
        active(
            "active-torn",
            // A crash before the last sync: half of the last frame, and no mark.
            |bytes| bytes[380..].fill(0),
            Cut(343),
        ),
    ]
}

fn history_files() -> Vec<Damage> {
    use Expected::Corrupt;
    let delta = |case, edit, expected| Damage { case, path: DELTA, edit, expected };
    vec![
        delta(
            "history-tail-cut",
            |bytes| bytes.truncate(bytes.len() - 10),
            Corrupt(1_013, "bytes were read of a tail up to"),
        ),
        delta(
            "history-footer-flipped",
            |bytes| *bytes.iter_mut().nth_back(20).expect("it is long") ^= 0x04,
            Corrupt(1_013, "the tail's BLAKE3 is not the one in the manifest"),
        ),
        delta(
            "history-page-flipped",
            |bytes| bytes[20] ^= 0x20,
            Corrupt(4, "a page's checksum does not match"),
        ),
        delta(
            "history-commit-index-flipped",
            |bytes| bytes[1_000] ^= 0x02,
            Corrupt(956, "the commit index is damaged"),
        ),
        Damage {
            case: "history-page-checksum-flipped",
            path: BASE_OF_A,
            edit: |bytes| bytes[292] ^= 0x01,
            expected: Corrupt(292, "the tail's BLAKE3 is not the one in the manifest"),
        },
    ]
}

fn manifests() -> Vec<Damage> {
    use Expected::{Corrupt, Unsupported};
    let manifest = |case, edit, expected| Damage { case, path: MANIFEST, edit, expected };
    vec![
        manifest(
            "manifest-byte-flipped",
            |bytes| replace(bytes, "\"epoch\": 2", "\"epoch\": 3"),
            Corrupt(0, "and its last line says"),
        ),
        manifest(
            "manifest-checksum-flipped",
            |bytes| *bytes.iter_mut().nth_back(4).expect("it is long") ^= 0x01,
            Corrupt(0, "and its last line says"),
        ),
        manifest(
            "manifest-cut",
            |bytes| bytes.truncate(1_000),
            Corrupt(919, "it does not end in a line with its checksum"),
        ),
        manifest(
            "manifest-not-json",
            |bytes| with_manifest_checksum(bytes, "\"epoch\": 2", "\"epoch\": two"),
            Corrupt(94, "expected ident"),
        ),
        manifest(
            "manifest-breaks-a-rule",
            |bytes| with_manifest_checksum(bytes, "\"rows\": 10", "\"rows\": 11"),
            Corrupt(0, "it has 11 rows, and its tables have 10"),
        ),
        manifest(
            "manifest-of-another-number",
            |bytes| with_manifest_checksum(bytes, "\"number\": 7", "\"number\": 8"),
            Corrupt(0, "it says that it is manifest 8"),
        ),
        manifest(
            "manifest-later-format",
            |bytes| with_manifest_checksum(bytes, "\"format\": 1", "\"format\": 2"),
            Unsupported("has manifest format 2"),
        ),
    ]
}

/// Edits a segment's header, and makes its checksum right again.
fn with_header_checksum(bytes: &mut [u8], edit: fn(&mut [u8])) {
    edit(&mut bytes[..60]);
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
}

/// Edits a manifest's text, and makes its checksum right again.
fn with_manifest_checksum(bytes: &mut Vec<u8>, from: &str, to: &str) {
    replace(bytes, from, to);
    seal_manifest(bytes);
}

/// Makes the checksum of a manifest right, whatever the text before it is.
pub(crate) fn seal_manifest(bytes: &mut Vec<u8>) {
    let line = b"  \"blake3\": \"";
    let at = bytes.windows(line.len()).rposition(|window| window == line);
    bytes.truncate(at.unwrap_or(bytes.len()));
    let checksum = blake3::hash(bytes).to_hex();
    bytes.extend_from_slice(line);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes.extend_from_slice(b"\"\n}\n");
}

/// Replaces the first `from`, which must be there.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(std::mem::take(bytes)).expect("a manifest is UTF-8");
    assert!(text.contains(from), "{from} is not in {text}");
    *bytes = text.replacen(from, to, 1).into_bytes();
}
