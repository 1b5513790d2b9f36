//! The header of a segment comes back as it was written, or is refused with a reason.

use std::path::Path;

use super::*;
use crate::fs::to_length;

const PATH: &str = "/log/00000000000000000043.segment";

/// Format version 1, byte by byte: this must decode for ever.
const GOLDEN: [u8; SEGMENT_HEADER_BYTES] = [
    b'F', b'O', b'L', b'D', b'S', b'E', b'G', b'\n', 1, 0, 0, 0, // magic, version
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // database
    0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, // salt
    43, 0, 0, 0, 0, 0, 0, 0, // first
    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // timestamp of the commit before
    5, 0, 0, 0, 0, 0, 0, 0, // segment before
    64, 10, 69, 130, // checksum
];

fn header() -> SegmentHeader {
    SegmentHeader {
        database: RandomId([7; 16]),
        salt: 0x0123_4567_89ab_cdef,
        before: Commit { seq: Seq(42), timestamp: Timestamp(-2) },
        previous: Seq(5),
    }
}

fn decode(bytes: &[u8]) -> Result<SegmentHeader> {
    SegmentHeader::decode(Path::new(PATH), bytes)
}

/// A header with a checksum that matches, whatever else it says.
fn sealed(mut bytes: [u8; SEGMENT_HEADER_BYTES]) -> [u8; SEGMENT_HEADER_BYTES] {
    let crc32c = crc32c::crc32c(&bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&crc32c.to_le_bytes());
    bytes
}

#[test]
fn the_header_is_these_bytes() {
    assert_eq!(FRAMES_OFFSET, to_length(SEGMENT_HEADER_BYTES));
    assert_eq!(header().encode(), GOLDEN);
    assert_eq!(decode(&GOLDEN).expect("sound"), header());
}

#[test]
fn every_flipped_bit_of_a_header_is_damage_at_its_start() {
    for at in 0..SEGMENT_HEADER_BYTES * 8 {
        let mut bytes = header().encode();
        bytes[at / 8] ^= 1 << (at % 8);
        let error = decode(&bytes);
        assert!(
            matches!(&error, Err(Error::Corrupt { file, offset: 0, .. }) if file == PATH),
            "{error:?}"
        );
    }
}

#[test]
fn a_header_that_is_cut_short_is_damage() {
    for length in 0..SEGMENT_HEADER_BYTES {
        let error = decode(&header().encode()[..length]);
        assert!(matches!(error, Err(Error::Corrupt { .. })), "{length} bytes: {error:?}");
    }
}

#[test]
fn a_later_format_is_unsupported_and_not_damage() {
    let mut bytes = GOLDEN;
    bytes[8] = 2;
    let error = decode(&sealed(bytes)).expect_err("format 2");
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
}

#[test]
fn seqs_that_no_writer_writes_are_damage() {
    for (first, previous) in [(0, 0), (u64::MAX, 0), (43, 43), (43, 44)] {
        let mut bytes = GOLDEN;
        bytes[36..44].copy_from_slice(&u64::to_le_bytes(first));
        bytes[52..60].copy_from_slice(&u64::to_le_bytes(previous));
        let error = decode(&sealed(bytes));
        assert!(matches!(error, Err(Error::Corrupt { .. })), "{first} {previous}: {error:?}");
    }
}

#[test]
fn a_segment_of_another_database_or_by_another_name_is_told_so() {
    let expect = |database: DatabaseId, first: Seq| {
        header().expect(Path::new(PATH), database, first).map_err(|error| error.to_string())
    };
    expect(header().database, Seq(43)).expect("its own database and name");
    let error = expect(RandomId([8; 16]), Seq(43)).expect_err("another database");
    assert!(error.contains("belongs to database 0707"), "{error}");
    assert!(error.contains("but this is database 0808"), "{error}");
    let error = expect(header().database, Seq(44)).expect_err("another name");
    assert!(error.contains("begins with commit 43"), "{error}");
    assert!(error.contains("named for commit 44"), "{error}");
}
