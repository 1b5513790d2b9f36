use super::{Digest, Digester};

/// The digest of no bytes, as the authors of BLAKE3 give it.
const OF_NOTHING: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

#[test]
fn pieces_have_the_digest_of_the_whole() {
    assert_eq!(Digest::of(b"").to_string(), OF_NOTHING);
    let whole: Vec<u8> = (0..5_000_u32).flat_map(u32::to_le_bytes).collect();
    for length in [1, 7, 1_024, 4_999] {
        let mut digester = Digester::default();
        whole.chunks(length).for_each(|piece| digester.update(piece));
        assert_eq!(digester.finish(), Digest::of(&whole), "pieces of {length}");
    }
    assert_ne!(Digest::of(&whole[1..]), Digest::of(&whole));
}
