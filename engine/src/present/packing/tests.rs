//! What is packed comes out as it was, and takes blocks of the size that was expected.

use super::*;

#[test]
fn keys_and_values_lie_beside_each_other() {
    let mut packing = Packing::default();
    packing.expect(Packing::event_bytes(b"key", Some(b"value")));
    let (key, value) = (packing.key(b"key"), packing.value(b"value"));
    assert_eq!((&key[1..], &*value), (b"key".as_slice(), b"value".as_slice()));
    assert_eq!(key.as_ptr().wrapping_add(key.len()), value.as_ptr());
    assert_eq!(packing.block.capacity(), 0, "the block was as large as what it holds");
}

#[test]
fn a_long_value_stays_where_it_is_and_a_short_one_is_copied() {
    let mut packing = Packing::default();
    for (bytes, is_copied) in [(OWN_VALUE_BYTES - 1, true), (OWN_VALUE_BYTES, false)] {
        let value = Bytes::from(vec![7; bytes]);
        let packed = packing.owned_value(value.clone());
        assert_eq!(packed, value);
        assert_eq!(packed.as_ptr() != value.as_ptr(), is_copied, "{bytes} bytes");
        assert_eq!(Packing::event_bytes(b"", Some(&value)), 1 + if is_copied { bytes } else { 0 });
    }
}

#[test]
fn no_block_is_larger_than_the_bound_or_what_it_must_hold() {
    let mut packing = Packing::default();
    packing.expect(10 * BLOCK_BYTES);
    packing.key(b"key");
    assert!(packing.block.capacity() < BLOCK_BYTES);
    assert_eq!(packing.value(&[7; 2 * BLOCK_BYTES]), vec![7; 2 * BLOCK_BYTES]);
    assert_eq!(packing.value(b""), b"".as_slice());
}
