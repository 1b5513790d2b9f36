//! Which range of which table is folded next.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{KeyRange, Seq};

use super::{Job, JobInputs};
use crate::FoldInputs;
use crate::cover::cover;
use crate::kept::Interval;

/// Deltas that one fold reads at most: each takes memory while they are merged. Where there are
/// more, the range is folded up to the last of so many, and then on.
const FOLD_DELTAS_MAX: usize = 32;

/// So many adjacent pieces of base are joined, if they are small: keys that come and go leave
/// ranges behind in which there is next to nothing.
const JOINED_PIECES_MIN: usize = 8;
/// Joined pieces have at most this part of a file together, so that they are not soon cut again.
const JOINED_PART_OF_FILE: u64 = 4;

/// A range of keys, its base if it has one, and the commit up to which its state is in that.
type Piece<'a> = (KeyRange, Vec<&'a HistoryEntry>, Seq);

/// A fold that could be done, and how much it is due.
struct Candidate {
    inputs: FoldInputs,
    base_bytes: u64,
    delta_bytes: u64,
    /// Deltas that hold events of these keys and are in no base.
    delta_files: usize,
    /// Bytes of deltas that could expire, were there not an event of these keys in them that no
    /// base holds.
    held_bytes: u64,
    /// Whether it makes one piece of many small ones.
    joins: bool,
}

/// The fold that is most overdue for its size, so that a small table never waits for a large one.
pub(super) fn fold(inputs: JobInputs<'_>) -> Option<Job> {
    let open = inputs.intervals.iter().filter(|interval| interval.last.is_none());
    let candidates = open.flat_map(|interval| candidates(inputs, interval));
    let due = candidates.filter(|candidate| is_due(inputs, candidate));
    let readable = due.filter(|candidate| {
        let FoldInputs { base, deltas, .. } = &candidate.inputs;
        !base.iter().chain(deltas).any(|file| inputs.is_avoided(file))
    });
    let most = readable.max_by(|left, right| overdue(left).total_cmp(&overdue(right)))?;
    Some(Job::Fold(most.inputs))
}

fn is_due(inputs: JobInputs<'_>, candidate: &Candidate) -> bool {
    let policy = inputs.policy;
    let Candidate { base_bytes, delta_bytes, held_bytes, .. } = *candidate;
    let outweigh = delta_bytes >= policy.fold_bytes_min
        && as_float(delta_bytes) >= policy.fold_ratio * as_float(base_bytes);
    // Few events of an idle table would keep all that was written since, of any table, for ever.
    let frees_more = held_bytes >= policy.fold_bytes_min.max(base_bytes + delta_bytes);
    let many_files = candidate.delta_files >= policy.fold_files_max;
    outweigh || frees_more || many_files || candidate.joins
}

/// How many times its base the deltas of a candidate have.
fn overdue(candidate: &Candidate) -> f64 {
    as_float(candidate.delta_bytes) / as_float(candidate.base_bytes.max(1))
}

/// The folds of a table up to what is sealed: one of all keys while that makes one file, and one
/// for each file of its base after that.
fn candidates(inputs: JobInputs<'_>, interval: &Interval) -> Vec<Candidate> {
    let manifest = inputs.manifest;
    let start = interval.floor(manifest).unwrap_or(interval.first).seq;
    let cover = cover(interval.bases(manifest), &[KeyRange::all()]);
    if !cover.bare.is_empty() && !interval.starts_empty {
        return Vec::new();
    }
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (keys, base) in cover.covered {
        pieces.push((keys, vec![base], base.holds_to().seq));
    }
    pieces.extend(cover.bare.into_iter().map(|keys| (keys, Vec::new(), start)));
    let floor = pieces.first().map_or(start, |piece| piece.2);
    let whole = pieces.iter().all(|piece| piece.2 == floor).then(|| {
        let bases = pieces.iter().flat_map(|piece| piece.1.clone()).collect();
        candidate(inputs, interval, (KeyRange::all(), bases, floor))
    });
    let whole = whole.flatten().filter(|whole| {
        whole.base_bytes + whole.delta_bytes <= inputs.policy.file_bytes_target || pieces.len() == 1
    });
    match whole {
        Some(whole) => vec![whole],
        None => {
            let joined = small_run(&pieces, inputs.policy.file_bytes_target);
            let joined = joined.and_then(|pieces| join(inputs, interval, pieces));
            let each = pieces.iter().filter_map(|piece| candidate(inputs, interval, piece.clone()));
            each.chain(joined).collect()
        }
    }
}

/// The first run of adjacent pieces that are small together and many.
fn small_run<'a, 'b>(pieces: &'b [Piece<'a>], file_bytes_target: u64) -> Option<&'b [Piece<'a>]> {
    // Its rows count: what every file has besides is saved.
    let rows_of = |file: &&HistoryEntry| file.tables.iter().map(|entry| entry.bytes).sum::<u64>();
    let bytes = |piece: &Piece<'_>| piece.1.iter().map(rows_of).sum::<u64>();
    let bytes_max = file_bytes_target / JOINED_PART_OF_FILE;
    let (mut begin, mut held) = (0, 0);
    for (at, piece) in pieces.iter().enumerate() {
        if piece.1.is_empty() || held + bytes(piece) > bytes_max {
            if at - begin >= JOINED_PIECES_MIN {
                return Some(&pieces[begin..at]);
            }
            let fits = !piece.1.is_empty() && bytes(piece) <= bytes_max;
            (begin, held) = if fits { (at, bytes(piece)) } else { (at + 1, 0) };
        } else {
            held += bytes(piece);
        }
    }
    (pieces.len() - begin >= JOINED_PIECES_MIN).then(|| &pieces[begin..])
}

/// The fold that makes one piece of these. What is in one of their bases already is read from the
/// deltas again, where another is older, and comes to the same.
fn join(inputs: JobInputs<'_>, interval: &Interval, pieces: &[Piece<'_>]) -> Option<Candidate> {
    let (first, last) = (pieces.first()?, pieces.last()?);
    let keys = KeyRange { from: first.0.from.clone(), until: last.0.until.clone() };
    let floor = pieces.iter().map(|piece| piece.2).min()?;
    let newest = pieces.iter().map(|piece| piece.2).max()?;
    let deltas = deltas_above(inputs.manifest, interval, &keys, floor);
    // The new base must be the newest of all its keys.
    if inputs.manifest.sealed.seq <= newest || deltas.len() > FOLD_DELTAS_MAX {
        return None;
    }
    let owned = |files: &[&HistoryEntry]| files.iter().map(|file| (*file).clone()).collect();
    let bases: Vec<_> = pieces.iter().flat_map(|piece| piece.1.clone()).collect();
    let base_bytes = bases.iter().map(|base| base.bytes).sum();
    let fold = FoldInputs {
        table: interval.table,
        keys,
        at: inputs.manifest.sealed,
        base: owned(&bases),
        floor,
        deltas: owned(&deltas),
        file_bytes_target: inputs.policy.file_bytes_target,
    };
    let (delta_bytes, delta_files, held_bytes, joins) = (0, 0, 0, true);
    Some(Candidate { inputs: fold, base_bytes, delta_bytes, delta_files, held_bytes, joins })
}

/// The fold of one range; `None` if nothing happened to its keys.
fn candidate(
    inputs: JobInputs<'_>,
    interval: &Interval,
    (keys, bases, floor): Piece<'_>,
) -> Option<Candidate> {
    let (table, manifest) = (interval.table, inputs.manifest);
    let mut deltas = deltas_above(manifest, interval, &keys, floor);
    if deltas.is_empty() || manifest.sealed.seq <= floor {
        return None;
    }
    let bytes = |files: &[&HistoryEntry]| -> u64 {
        let entries = files.iter().filter_map(|file| file.table(table));
        entries.map(|entry| entry.bytes_in(&keys)).sum()
    };
    let (base_bytes, delta_bytes) = (bytes(&bases), bytes(&deltas));
    let held_bytes = held_back(inputs, interval, deltas[0], floor);
    let owned = |files: Vec<&HistoryEntry>| files.into_iter().cloned().collect();
    let delta_files = deltas.len();
    let mut at = manifest.sealed;
    if deltas.len() > FOLD_DELTAS_MAX {
        deltas.truncate(FOLD_DELTAS_MAX);
        at = deltas[FOLD_DELTAS_MAX - 1].last;
    }
    let inputs = FoldInputs {
        table,
        keys,
        at,
        base: owned(bases),
        floor,
        deltas: owned(deltas),
        file_bytes_target: inputs.policy.file_bytes_target,
    };
    let joins = false;
    Some(Candidate { inputs, base_bytes, delta_bytes, delta_files, held_bytes, joins })
}

/// Bytes of the deltas above `floor` that are older than the horizon; none if `oldest`, the first
/// that holds an event of the keys, is not.
fn held_back(inputs: JobInputs<'_>, interval: &Interval, oldest: &HistoryEntry, floor: Seq) -> u64 {
    let Some(horizon) = interval.horizon(inputs.expiry_now()) else { return 0 };
    if oldest.last.timestamp > horizon {
        return 0;
    }
    let deltas = inputs.manifest.files.iter().filter(|file| file.kind == FileKind::Delta);
    let old = deltas.filter(|file| file.last.seq > floor && file.last.timestamp <= horizon);
    old.map(|file| file.bytes).sum()
}

/// The deltas that may hold events of these keys after `floor`, oldest first.
fn deltas_above<'a>(
    manifest: &'a Manifest,
    interval: &Interval,
    keys: &KeyRange,
    floor: Seq,
) -> Vec<&'a HistoryEntry> {
    let mut deltas: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Delta && file.last.seq > floor)
        .filter(|file| {
            file.table(interval.table).is_some_and(|entry| {
                entry.seq_max > floor && keys.intersects(&entry.key_min, &entry.key_max)
            })
        })
        .collect();
    deltas.sort_by_key(|delta| delta.first.seq);
    deltas
}

#[expect(clippy::cast_precision_loss, reason = "sizes decide only when, and nearly is enough")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}
