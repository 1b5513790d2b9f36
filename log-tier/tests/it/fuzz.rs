//! Fuzzing: hostile inputs for everything that decodes. Nothing may panic, and nothing that a
//! checksum covers may decode to other content than was written.
//!
//! `FOLDBACK_FUZZ_SECS` says for how long, and `FOLDBACK_SEED` repeats a run.

mod doors;
mod mutation;
mod numbers;
mod samples;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use doors::Door;
use foldback_log_tier::WriterId;
use numbers::Numbers;
use samples::Sample;

/// Seconds that a run takes where nothing else is asked for.
const SECS_DEFAULT: u64 = 10;
/// How many samples of random content there are beside the golden files.
const FRESH_SAMPLES: u64 = 5;

thread_local! {
    /// Whether this thread is inside of a door, where panics are expected to be caught.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What the last panic inside said, and where.
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

#[test]
fn no_input_panics_or_is_taken_for_another() {
    let seed = number_from("FOLDBACK_SEED").unwrap_or_else(random_seed);
    let secs = number_from("FOLDBACK_FUZZ_SECS").unwrap_or(SECS_DEFAULT);
    say(&format!("fuzzing for {secs} s with FOLDBACK_SEED={seed}"));
    let mut numbers = Numbers::new(seed);
    let fresh = (1..=FRESH_SAMPLES).map(|number| Sample::fresh(number, &mut numbers));
    let samples: Vec<_> = std::iter::once(Sample::golden()).chain(fresh).collect();
    let mut doors: Vec<_> = doors::all(&samples).into_iter().zip(0..).map(Visit::new).collect();
    quiet_inside();
    for visit in &mut doors {
        visit.check_sound_inputs(seed);
    }
    let started = steady_now();
    while started.elapsed().as_secs() < secs {
        for visit in &mut doors {
            visit.take_turn(seed);
        }
    }
    for Visit { door, rounds, accepted, .. } in &doors {
        println!("{}: {rounds} inputs, {accepted} of them accepted", door.name);
    }
}

/// A door, and how many inputs it was given.
struct Visit {
    door: Door,
    purpose: u64,
    rounds: u64,
    accepted: u64,
}

impl Visit {
    fn new((door, purpose): (Door, u64)) -> Self {
        assert!(!door.inputs.is_empty(), "{} has no inputs", door.name);
        Self { door, purpose, rounds: 0, accepted: 0 }
    }

    /// Hands in what was not changed: a door that refuses it would let every test pass.
    fn check_sound_inputs(&self, seed: u64) {
        for (number, input) in self.door.inputs.iter().enumerate() {
            assert!(self.hand_in(seed, number, input), "{}: {number} is refused", self.door.name);
        }
    }

    fn take_turn(&mut self, seed: u64) {
        for _ in 0..self.door.inputs_a_turn {
            let mut numbers = Numbers::of(seed, self.purpose, self.rounds);
            let round = usize::try_from(self.rounds).expect("there is no time for more");
            let inputs = &self.door.inputs;
            // Each input in turn is changed twice in a row: once by the sweep, once by chance.
            let number = round / 2 % inputs.len();
            let round_of_input = round / 2 / inputs.len() * 2 + round % 2;
            let other = numbers.one_of(inputs);
            let input = mutation::mutate(&inputs[number], &other, round_of_input, &mut numbers);
            self.accepted += u64::from(self.hand_in(seed, number, &input));
            self.rounds += 1;
        }
    }

    /// Hands in one input; if that panics, says how to do it again.
    fn hand_in(&self, seed: u64, number: usize, input: &[u8]) -> bool {
        INSIDE.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| (self.door.check)(number, input)));
        INSIDE.set(false);
        result.unwrap_or_else(|panic| self.report(seed, number, input, panic))
    }

    fn report(&self, seed: u64, number: usize, input: &[u8], panic: Box<dyn Any + Send>) -> ! {
        let name = self.door.name.replace(' ', "-");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{seed}"));
        let report = format!(
            "{}\ndoor \"{}\", input {} made of sound input {number}, {} bytes, kept in {}\nrepeat it \
             with: FOLDBACK_SEED={seed} FOLDBACK_FUZZ_SECS=3600 cargo test --release -p \
             foldback-log-tier --test it fuzz::",
            LAST_PANIC.take(),
            self.door.name,
            self.rounds,
            input.len(),
            file.display()
        );
        std::fs::write(&file, input).expect("the input can be kept");
        say(&report);
        std::panic::resume_unwind(panic)
    }
}

/// Prints what must be seen even if the test passes, or the process dies: print macros keep it for
/// the test's end.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("standard error can be written");
}

/// Keeps what is said of panics inside of a door, instead of printing it: the decoders of parquet
/// panic at some inputs, which their caller catches, and each would cost a printed backtrace.
fn quiet_inside() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if INSIDE.get() {
            LAST_PANIC.replace(panic.to_string());
        } else {
            loud(panic);
        }
    }));
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn random_seed() -> u64 {
    u64::from_le_bytes(WriterId::random().0)
}

#[expect(clippy::disallowed_methods, reason = "a run ends after a time")]
fn steady_now() -> Instant {
    Instant::now()
}
