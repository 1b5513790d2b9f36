//! Frames come back as they were written, and anything else is refused without a panic.

use proptest::prelude::*;

use super::*;

const PLACE: FramePlace = FramePlace { salt: 0x1234_5678_9abc_def0, offset: 4096 };
const DURABLE: u64 = 1024;

fn event() -> impl Strategy<Value = Event> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let table = (0..=TableId::MAX.0).prop_map(TableId);
    (table, bytes(), prop::option::of(bytes())).prop_map(|(table, key, value)| Event {
        table,
        key,
        change: value.map_or(Change::Delete, Change::Put),
    })
}

fn committed() -> impl Strategy<Value = CommittedBatch> {
    let events = prop::collection::vec(event(), 0..6);
    (1..=Seq::MAX.0, any::<i64>(), events).prop_map(|(seq, timestamp, events)| CommittedBatch {
        commit: Commit { seq: Seq(seq), timestamp: Timestamp(timestamp) },
        batch: Batch { events },
    })
}

fn small() -> CommittedBatch {
    let put = Change::Put(Bytes::from_static(b"value"));
    let event = |key, change| Event { table: TableId(7), key: Bytes::from_static(key), change };
    CommittedBatch {
        commit: Commit { seq: Seq(9), timestamp: Timestamp(-3) },
        batch: Batch { events: vec![event(b"key", put), event(b"gone", Change::Delete)] },
    }
}

fn encoded(committed: &CommittedBatch) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(committed, PLACE, DURABLE, &mut frame).expect("small enough");
    frame
}

/// A frame around any payload, with a checksum that matches.
fn sealed(payload: &[u8]) -> Bytes {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    frame.extend_from_slice(payload);
    finish(PLACE, DURABLE, &mut frame);
    frame.into()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let frame = encoded(&small());
    for at in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        decode(&flipped.into(), PLACE).expect_err("one bit is wrong");
    }
}

#[test]
fn every_shorter_frame_is_noticed() {
    let frame = Bytes::from(encoded(&small()));
    for length in 0..frame.len() {
        decode(&frame.slice(..length), PLACE).expect_err("bytes are missing");
    }
}

#[test]
fn a_frame_is_sound_only_in_its_place() {
    let frame = Bytes::from(encoded(&small()));
    decode(&frame, PLACE).expect("its place");
    decode(&frame, FramePlace { offset: PLACE.offset + 1, ..PLACE }).expect_err("another offset");
    decode(&frame, FramePlace { salt: PLACE.salt + 1, ..PLACE }).expect_err("another segment");
    decode(&frame, FramePlace { offset: DURABLE - 1, ..PLACE }).expect_err("before `durable`");
}

#[test]
fn a_mark_is_sound_only_in_its_place() {
    let mut mark = Vec::new();
    encode_mark(PLACE, &mut mark);
    assert_eq!(mark.len(), FRAME_HEADER_BYTES);
    assert_eq!(decode(&mark.into(), PLACE), Ok((FrameContent::Mark, FRAME_HEADER_BYTES)));
    decode(&sealed(b""), PLACE).expect_err("a mark that speaks of an earlier place");
}

#[test]
fn keys_and_values_are_not_copied() {
    let frame = Bytes::from(encoded(&small()));
    let Ok((FrameContent::Commit(read), _)) = decode(&frame, PLACE) else {
        panic!("the frame is sound")
    };
    let within = |part: &Bytes| frame.as_ptr_range().contains(&part.as_ptr());
    assert!(read.batch.events.iter().all(|event| within(&event.key)));
    assert!(read.batch.events[0].change.value().is_some_and(within));
}

#[test]
fn payloads_that_no_encoder_writes_are_refused() {
    let sound = encoded(&small()).split_off(FRAME_HEADER_BYTES);
    let with = |at: usize, bytes: &[u8]| {
        let mut payload = sound.clone();
        payload[at..at + bytes.len()].copy_from_slice(bytes);
        payload
    };
    let event = PAYLOAD_FIXED_BYTES;
    let delete = event + EVENT_FIXED_BYTES + b"keyvalue".len();
    let cases = [
        (sound[..19].to_vec(), "a payload is too short for a commit"),
        (with(0, &0_u64.to_le_bytes()), "a seq is out of range"),
        (with(0, &u64::MAX.to_le_bytes()), "a seq is out of range"),
        (with(16, &1_u32.to_le_bytes()), "bytes follow the last event of a commit"),
        (
            with(16, &u32::MAX.to_le_bytes()),
            "a commit says that it has more events than its payload can hold",
        ),
        (with(event, &u64::MAX.to_le_bytes()), "a table id is out of range"),
        (with(event + 8, &[2]), "an event is neither a put nor a delete"),
        (with(event + 8, &[0]), "a delete has a value"),
        (
            with(event + 9, &u32::MAX.to_le_bytes()),
            "a key or a value runs past the end of its payload",
        ),
        (
            with(event + 13, &u32::MAX.to_le_bytes()),
            "a key or a value runs past the end of its payload",
        ),
        (
            with(delete + 13, &1_u32.to_le_bytes()),
            "a key or a value runs past the end of its payload",
        ),
        (sound[..delete + 10].to_vec(), "a payload ends inside an event"),
        ([sound.as_slice(), &[0]].concat(), "bytes follow the last event of a commit"),
    ];
    for (payload, reason) in cases {
        assert_eq!(decode(&sealed(&payload), PLACE), Err(reason));
    }
}

#[test]
fn a_batch_too_large_for_a_frame_is_refused_before_anything_is_written() {
    let most = usize::try_from(FRAME_PAYLOAD_BYTES_MAX).expect("fits");
    let fixed = PAYLOAD_FIXED_BYTES + EVENT_FIXED_BYTES;
    let of_value = |length: usize| CommittedBatch {
        commit: Commit { seq: Seq(1), timestamp: Timestamp(0) },
        batch: Batch {
            events: vec![Event {
                table: TableId(1),
                key: Bytes::new(),
                change: Change::Put(vec![0; length].into()),
            }],
        },
    };
    encoded_bytes(&of_value(most - fixed)).expect("just fits");
    let mut out = vec![1];
    let error = encode(&of_value(most - fixed + 1), PLACE, DURABLE, &mut out);
    assert!(matches!(error, Err(Error::Unsupported(_))), "{error:?}");
    assert_eq!(out, [1]);
}

proptest! {
    #[test]
    fn a_frame_decodes_to_what_was_encoded(
        committed in committed(),
        before in prop::collection::vec(any::<u8>(), 0..9),
        after in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut out = before.clone();
        encode(&committed, PLACE, DURABLE, &mut out).expect("small enough");
        let frame_bytes = out.len() - before.len();
        prop_assert_eq!(to_length(frame_bytes), encoded_bytes(&committed).expect("small enough"));
        out.extend_from_slice(&after);
        let frame = Bytes::from(out).slice(before.len()..);
        prop_assert_eq!(FrameHeader::decode(&frame).expect("a header").durable, DURABLE);
        prop_assert_eq!(decode(&frame, PLACE), Ok((FrameContent::Commit(committed), frame_bytes)));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        offset: u64,
    ) {
        let place = FramePlace { salt: 1, offset };
        let with_magic = [FRAME_MAGIC.as_slice(), &bytes].concat();
        prop_assert!(decode(&with_magic.into(), place).is_err());
        let _ = decode_payload(bytes.clone().into());
        let _ = decode(&sealed(&bytes), PLACE);
    }

    #[test]
    fn no_changed_payload_makes_the_decoder_panic(
        committed in committed(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut payload = encoded(&committed).split_off(FRAME_HEADER_BYTES);
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let frame = sealed(&payload);
        if let Ok((FrameContent::Commit(read), _)) = decode(&frame, PLACE) {
            prop_assert_eq!(encoded(&read), frame, "what decodes is what the encoder writes");
        }
    }
}
