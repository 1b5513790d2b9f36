//! Mutations: what can be done to a sound input to make a hostile one.

use super::numbers::Numbers;

/// Integers at which code that counts, adds and compares goes wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x0500_0001,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];
/// Widths of the integers in our formats.
const WIDTHS: [usize; 3] = [4, 8, 1];
/// Distance of the offsets at which the sweep puts integers.
const ALIGNMENT: usize = 4;
/// How many mutations are made of one input, at most.
const MUTATIONS_MAX: usize = 4;
/// How many bytes are inserted, at most.
const INSERTED_BYTES_MAX: usize = 12;

/// Makes a hostile input of `input`; `other` is one to splice it with. Every second round is a
/// step of the sweep, as long as there are steps; the others draw what they do.
pub(crate) fn mutate(input: &[u8], other: &[u8], round: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let swept = round.is_multiple_of(2) && sweep(&mut bytes, round / 2);
    if !swept {
        for _ in 0..=numbers.below(MUTATIONS_MAX) {
            mutate_once(&mut bytes, other, numbers);
        }
    }
    bytes
}

/// Puts each edge in each width at each aligned offset, one a step. `false` after the last step.
fn sweep(bytes: &mut [u8], step: usize) -> bool {
    let edge = EDGES[step % EDGES.len()];
    let width = WIDTHS[step / EDGES.len() % WIDTHS.len()];
    let offset = step / EDGES.len() / WIDTHS.len() * ALIGNMENT;
    put(bytes, offset, edge, width);
    offset < bytes.len()
}

fn mutate_once(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    match numbers.below(11) {
        0 | 1 => flip(bytes, at, numbers),
        2 => put(bytes, at, u64::from(numbers.byte()), 1),
        3 => put(bytes, at, numbers.one_of(&EDGES), numbers.one_of(&WIDTHS)),
        4 => {
            let count = 1 + numbers.below(INSERTED_BYTES_MAX);
            let inserted = match numbers.below(2) {
                0 => numbers.bytes(count),
                _ => part(other, numbers)[..].iter().copied().take(count).collect(),
            };
            bytes.splice(at..at, inserted);
        }
        5 => remove(bytes, at, numbers),
        6 => bytes.truncate(at),
        7 => {
            let copied = part(bytes, numbers);
            bytes.splice(at..at, copied);
        }
        8 => put_digits(bytes, at, numbers),
        9 => {
            // The beginning of this input and the end of the other one.
            bytes.truncate(at);
            bytes.extend_from_slice(&other[numbers.below(other.len())..]);
        }
        _ => {
            // A part of the other input in its own place.
            let from = numbers.below(other.len().min(bytes.len()));
            let length = numbers.below(other.len().min(bytes.len()) - from);
            bytes[from..from + length].copy_from_slice(&other[from..from + length]);
        }
    }
}

fn flip(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let bit = numbers.below(8);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

/// Writes the low `width` bytes of `number` at `at`, as far as there is room.
fn put(bytes: &mut [u8], at: usize, number: u64, width: usize) {
    let room = bytes.iter_mut().skip(at);
    room.zip(number.to_le_bytes()).take(width).for_each(|(byte, new)| *byte = new);
}

/// Writes a number in place of the one in decimal digits that begins at `at` or after it, if any.
fn put_digits(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(begin) = bytes[at.min(bytes.len())..].iter().position(is_digit) else { return };
    let begin = at + begin;
    let digits = bytes[begin..].iter().take_while(|byte| is_digit(byte)).count();
    let number = numbers.one_of(&EDGES).to_string();
    bytes.splice(begin..begin + digits, number.into_bytes());
}

fn remove(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let end = (at + 1 + numbers.below(INSERTED_BYTES_MAX)).min(bytes.len());
    bytes.drain(at.min(end)..end);
}

/// Some part of `bytes`.
fn part(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let from = numbers.below(bytes.len());
    let until = from + numbers.below(bytes.len() - from + 1);
    bytes[from..until].to_vec()
}
