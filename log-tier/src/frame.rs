//! Frames: how one commit lies in a segment, and how it is known to be whole and in its place.
//!
//! A frame is a header of [`FRAME_HEADER_BYTES`] and a payload. The checksum covers the segment's
//! salt, the frame's offset, the rest of the header and the payload, so a stale frame, or a copy
//! of one inside a value, never checks.

use bytes::{Buf, Bytes};

use crate::fs::to_length;
use crate::{Batch, Change, Commit, CommittedBatch, Error, Event, Result, Seq, TableId, Timestamp};

/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 20;
/// Greatest length of a frame's payload.
pub const FRAME_PAYLOAD_BYTES_MAX: u64 = 80 << 20;
/// The first four bytes of every frame. None is zero, so preallocated space holds no frame.
pub const FRAME_MAGIC: [u8; 4] = [0xf0, 0x1d, 0xba, 0xc4];

/// Fixed part of a payload: seq, timestamp, number of events.
const PAYLOAD_FIXED_BYTES: usize = 8 + 8 + 4;
/// Fixed part of an event: table, op, length of the key, length of the value.
const EVENT_FIXED_BYTES: usize = 8 + 1 + 4 + 4;
const OP_DELETE: u8 = 0;
const OP_PUT: u8 = 1;
/// Where in a header the checksum stands.
const CRC_AT: std::ops::Range<usize> = 4..8;

/// Where a frame lies. Its checksum binds it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// The salt of the segment.
    pub salt: u64,
    /// The offset of the frame's first byte in the segment.
    pub offset: u64,
}

/// A frame's header, not yet checked against its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    crc32c: u32,
    payload_bytes: u32,
    /// Every byte of the segment before this offset was synced when the frame was written:
    /// `durable <= offset of the frame`.
    pub durable: u64,
}

/// What a frame holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameContent {
    /// One commit.
    Commit(CommittedBatch),
    /// Nothing: a mark, written where the next frame will lie, once all before it is synced.
    Mark,
}

/// The length of `committed` as a frame.
///
/// # Errors
///
/// [`Error::Unsupported`] if the payload would be longer than [`FRAME_PAYLOAD_BYTES_MAX`].
pub fn encoded_bytes(committed: &CommittedBatch) -> Result<u64> {
    let events = committed.batch.events.iter().map(|event| {
        let value = event.change.value().map_or(0, Bytes::len);
        to_length(EVENT_FIXED_BYTES) + to_length(event.key.len()) + to_length(value)
    });
    let payload = to_length(PAYLOAD_FIXED_BYTES) + events.sum::<u64>();
    if payload > FRAME_PAYLOAD_BYTES_MAX {
        return Err(Error::Unsupported(format!(
            "the batch of commit {} takes {payload} bytes in the log, but one batch can take at \
             most {FRAME_PAYLOAD_BYTES_MAX}; nothing was written; split it into smaller batches",
            committed.commit.seq
        )));
    }
    Ok(to_length(FRAME_HEADER_BYTES) + payload)
}

/// Appends the frame of `committed` to `out`.
///
/// # Errors
///
/// Those of [`encoded_bytes`]; `out` is then unchanged.
///
/// # Panics
///
/// If `durable > place.offset`, or a seq or a table id is out of its range: only a bug does that.
pub fn encode(
    committed: &CommittedBatch,
    place: FramePlace,
    durable: u64,
    out: &mut Vec<u8>,
) -> Result<()> {
    let frame_bytes = encoded_bytes(committed)?;
    let Commit { seq, timestamp } = committed.commit;
    assert!((Seq(1)..=Seq::MAX).contains(&seq), "seq {seq} is out of range");
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    out.extend_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&timestamp.0.to_le_bytes());
    out.extend_from_slice(&to_u32(committed.batch.events.len()).to_le_bytes());
    for event in &committed.batch.events {
        encode_event(event, out);
    }
    assert_eq!(to_length(out.len() - start), frame_bytes, "the length was foretold");
    finish(place, durable, &mut out[start..]);
    Ok(())
}

/// Appends a mark to `out`: it says that every byte before `place.offset` is synced.
pub fn encode_mark(place: FramePlace, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    finish(place, place.offset, &mut out[start..]);
}

impl FrameHeader {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// Why `bytes` can't be the header of a frame.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let short = |_| "the file ends inside the header of a frame";
        let magic = bytes.try_get_u32_le().map_err(short)?;
        if magic != u32::from_le_bytes(FRAME_MAGIC) {
            return Err("there is no frame");
        }
        let crc32c = bytes.try_get_u32_le().map_err(short)?;
        let payload_bytes = bytes.try_get_u32_le().map_err(short)?;
        let durable = bytes.try_get_u64_le().map_err(short)?;
        if u64::from(payload_bytes) > FRAME_PAYLOAD_BYTES_MAX {
            return Err("the length of a frame is out of range");
        }
        Ok(Self { crc32c, payload_bytes, durable })
    }

    /// Length of the whole frame.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        to_length(FRAME_HEADER_BYTES) + u64::from(self.payload_bytes)
    }

    /// Whether this header and `payload` were written together, at `place`.
    #[must_use]
    pub fn matches(&self, place: FramePlace, payload: &[u8]) -> bool {
        to_length(payload.len()) == u64::from(self.payload_bytes)
            && self.durable <= place.offset
            && checksum(place, self.payload_bytes, self.durable, payload) == self.crc32c
    }
}

/// One event where it lies in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// The table that it changes.
    pub table: TableId,
    /// The key.
    pub key: &'a [u8],
    /// The key's new value; `None` deletes it.
    pub value: Option<&'a [u8]>,
}

/// The events of a commit where they lie, in order. It ends after the first error; whoever reaches
/// its end has checked the whole payload.
#[derive(Clone, Debug)]
pub struct EventRefs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for EventRefs<'a> {
    type Item = Result<EventRef<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                read_event(&mut self.rest)
            }
            None if self.rest.is_empty() => return None,
            None => Err("bytes follow the last event of a commit"),
        };
        if read.is_err() {
            (self.rest, self.left) = (&[], 0);
        }
        Some(read)
    }
}

/// Reads a payload whose checksum matched, without copies; `None` is a mark.
///
/// # Errors
///
/// What in its fixed part no encoder writes.
pub fn read_payload(mut rest: &[u8]) -> Result<Option<(Commit, EventRefs<'_>)>, &'static str> {
    if rest.is_empty() {
        return Ok(None);
    }
    if rest.len() < PAYLOAD_FIXED_BYTES {
        return Err("a payload is too short for a commit");
    }
    let seq = Seq(rest.get_u64_le());
    let timestamp = Timestamp(rest.get_i64_le());
    let left = usize::try_from(rest.get_u32_le()).map_err(|_| "too many events")?;
    if !(Seq(1)..=Seq::MAX).contains(&seq) {
        return Err("a seq is out of range");
    }
    if left > rest.len() / EVENT_FIXED_BYTES {
        return Err("a commit says that it has more events than its payload can hold");
    }
    Ok(Some((Commit { seq, timestamp }, EventRefs { rest, left })))
}

/// Decodes a payload whose checksum matched. Keys and values are slices of it, not copies.
///
/// # Errors
///
/// What in it no encoder writes.
pub fn decode_payload(payload: Bytes) -> Result<FrameContent, &'static str> {
    let Some((commit, events)) = read_payload(&payload)? else { return Ok(FrameContent::Mark) };
    let batch = decode_events(&payload, events)?;
    Ok(FrameContent::Commit(CommittedBatch { commit, batch }))
}

/// The events of a payload as slices of it.
pub(crate) fn decode_events(payload: &Bytes, events: EventRefs<'_>) -> Result<Batch, &'static str> {
    let mut decoded = Vec::with_capacity(events.left);
    for event in events {
        let EventRef { table, key, value } = event?;
        let change = value.map_or(Change::Delete, |value| Change::Put(payload.slice_ref(value)));
        decoded.push(Event { table, key: payload.slice_ref(key), change });
    }
    Ok(Batch { events: decoded })
}

/// Decodes the frame that `bytes` begins with, and says how long it is.
///
/// # Errors
///
/// Why there is no sound frame. This never panics, whatever the bytes are.
pub fn decode(bytes: &Bytes, place: FramePlace) -> Result<(FrameContent, usize), &'static str> {
    let header = FrameHeader::decode(bytes)?;
    let frame_bytes = usize::try_from(header.frame_bytes()).map_err(|_| "a frame is too long")?;
    if frame_bytes > bytes.len() {
        return Err("the file ends inside a frame");
    }
    let payload = bytes.slice(FRAME_HEADER_BYTES..frame_bytes);
    if !header.matches(place, &payload) {
        return Err("the checksum of a frame does not match");
    }
    let content = decode_payload(payload)?;
    if content == FrameContent::Mark && header.durable != place.offset {
        return Err("a mark does not speak of its own place");
    }
    Ok((content, frame_bytes))
}

fn encode_event(event: &Event, out: &mut Vec<u8>) {
    assert!(event.table <= TableId::MAX, "table id {} is out of range", event.table);
    let (op, value) = match &event.change {
        Change::Put(value) => (OP_PUT, value.as_ref()),
        Change::Delete => (OP_DELETE, [].as_slice()),
    };
    out.extend_from_slice(&event.table.0.to_le_bytes());
    out.push(op);
    out.extend_from_slice(&to_u32(event.key.len()).to_le_bytes());
    out.extend_from_slice(&to_u32(value.len()).to_le_bytes());
    out.extend_from_slice(&event.key);
    out.extend_from_slice(value);
}

fn read_event<'a>(rest: &mut &'a [u8]) -> Result<EventRef<'a>, &'static str> {
    let Some((mut fixed, after)) = rest.split_at_checked(EVENT_FIXED_BYTES) else {
        return Err("a payload ends inside an event");
    };
    let table = TableId(fixed.get_u64_le());
    let op = fixed.get_u8();
    let key_bytes = usize::try_from(fixed.get_u32_le()).map_err(|_| "a key is too long")?;
    let value_bytes = usize::try_from(fixed.get_u32_le()).map_err(|_| "a value is too long")?;
    if table > TableId::MAX {
        return Err("a table id is out of range");
    }
    let past_end = "a key or a value runs past the end of its payload";
    let (key, after) = after.split_at_checked(key_bytes).ok_or(past_end)?;
    let (value, after) = after.split_at_checked(value_bytes).ok_or(past_end)?;
    *rest = after;
    let value = match op {
        OP_PUT => Some(value),
        OP_DELETE if value.is_empty() => None,
        OP_DELETE => return Err("a delete has a value"),
        _ => return Err("an event is neither a put nor a delete"),
    };
    Ok(EventRef { table, key, value })
}

/// Fills in the header of `frame`, whose payload is complete.
fn finish(place: FramePlace, durable: u64, frame: &mut [u8]) {
    assert!(durable <= place.offset, "no frame says that bytes after its start are synced");
    let (header, payload) = frame.split_at_mut(FRAME_HEADER_BYTES);
    let payload_bytes = to_u32(payload.len());
    header[..CRC_AT.start].copy_from_slice(&FRAME_MAGIC);
    let crc32c = checksum(place, payload_bytes, durable, payload);
    header[CRC_AT].copy_from_slice(&crc32c.to_le_bytes());
    header[8..12].copy_from_slice(&payload_bytes.to_le_bytes());
    header[12..].copy_from_slice(&durable.to_le_bytes());
}

fn checksum(place: FramePlace, payload_bytes: u32, durable: u64, payload: &[u8]) -> u32 {
    let mut bound = [0; 28];
    bound[..8].copy_from_slice(&place.salt.to_le_bytes());
    bound[8..16].copy_from_slice(&place.offset.to_le_bytes());
    bound[16..20].copy_from_slice(&payload_bytes.to_le_bytes());
    bound[20..].copy_from_slice(&durable.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&bound), payload)
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).expect("a payload is bounded by FRAME_PAYLOAD_BYTES_MAX")
}

#[cfg(test)]
mod tests;
