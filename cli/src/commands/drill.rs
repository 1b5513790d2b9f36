//! `drill`: random states are restored for proof, and compared with a replay of all history.

use std::io::Write;

use foldback::log_tier::WriterId;
use foldback::{
    Commit, Drill, DrillOptions, DrillOutcome, DrilledState, Seq, TableRecord, TableRef,
};

use super::Screen;
use crate::arguments::DrillArgs;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::human::counted;
use crate::output::progress::{Progress, ProgressUnit};
use crate::output::{Cell, printable_bytes};
use crate::session;

pub(super) fn run(settings: &Settings, args: &DrillArgs, screen: &mut Screen) -> Result<()> {
    let seed = args.seed.unwrap_or_else(|| u64::from_le_bytes(WriterId::random().0));
    let table = args.table.as_deref().map(TableRef::from);
    let options = DrillOptions { table, instants: args.instants, seed };
    eprintln!("foldback: --seed {seed} chooses these commits again");
    let states = match session::bucket_alone(settings) {
        Some(url) => drilled(&session::open_drill(settings, url)?, &options)?,
        None => {
            let database = session::open(settings, false)?;
            drilled(&database.drill(), &options)?
        }
    };
    list_states(&states, screen)?;
    screen.flush()?;
    let wrong: Vec<_> = states.iter().filter(|state| is_wrong(state)).collect();
    for state in &wrong {
        tell(state)?;
    }
    match u64::try_from(wrong.len()).unwrap_or(u64::MAX) {
        0 => Ok(()),
        count => Err(Error::Damaged(format!(
            "{} could not be proved to be restorable; nothing was changed, and nothing was published \
             of its table; run `verify --level replay`, which tells damaged files; a difference \
             without damage is a fault of Foldback: keep a copy of the bucket as it is, and report it",
            counted(count, "state")
        ))),
    }
}

fn drilled(drill: &Drill, options: &DrillOptions) -> Result<Vec<DrilledState>> {
    let mut shown: Option<(Seq, Progress)> = None;
    let mut watch = |record: &TableRecord, commit: Commit, bytes: u64| match &shown {
        Some((seq, bar)) if *seq == commit.seq => bar.set(bytes),
        _ => {
            shown = None;
            let label = format!("drilling {} at #{}", record.name, commit.seq);
            shown = Some((commit.seq, Progress::begin(&label, None, ProgressUnit::Bytes)));
        }
    };
    Ok(drill.run(options, &mut watch)?)
}

fn is_wrong(state: &DrilledState) -> bool {
    !matches!(state.outcome, DrillOutcome::Same(_))
}

fn list_states(states: &[DrilledState], screen: &mut Screen) -> Result<()> {
    let mut list = screen.list(&["table", "instant", "seq", "rows", "proved"]);
    for state in states {
        let rows = match &state.outcome {
            DrillOutcome::Same(rows) => Cell::Count(*rows),
            DrillOutcome::Differs(_) | DrillOutcome::Broken(_) => Cell::Empty,
        };
        list.row(vec![
            Cell::text(Some(&state.name)),
            Cell::Instant(state.commit.timestamp),
            Cell::Seq(state.commit.seq),
            rows,
            Cell::Flag(!is_wrong(state)),
        ])?;
    }
    list.finish().map(drop)
}

/// What is wrong with a state, in a sentence.
fn tell(state: &DrilledState) -> Result<()> {
    let DrilledState { table, name, commit, outcome } = state;
    let instant = foldback::instant::show(commit.timestamp);
    let what = match outcome {
        DrillOutcome::Same(_) => return Ok(()),
        DrillOutcome::Differs(difference) => format!(
            "the first key that differs is {:?}: a restore gets {}, the replay of all history {}",
            printable_bytes(&difference.key),
            difference.restored,
            difference.replayed
        ),
        DrillOutcome::Broken(reason) => reason.clone(),
    };
    let text = format!(
        "foldback: table {name:?} (id {table}) as of #{}, at {instant}: {what}\n",
        commit.seq
    );
    std::io::stderr().write_all(text.as_bytes()).map_err(Error::io("write", "what is wrong"))
}
