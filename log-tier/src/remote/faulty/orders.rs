//! What happens to the next call: a crash comes first, then a script, then the dice.

use std::collections::{BTreeMap, VecDeque};

use object_store::Error;

use super::{Fault, StoreCall};

/// How a call ends.
#[derive(Debug)]
pub(super) enum Passage {
    /// It goes through.
    Through,
    /// It takes effect, and its caller gets this error.
    EffectOnly(Error),
    /// It has no effect.
    Refused(Error),
}

/// Scripts come before dice; where a call's script has ended, the dice decide.
#[derive(Debug, Default)]
pub(super) struct FaultOrders {
    scripts: BTreeMap<StoreCall, VecDeque<Fault>>,
    dice: Option<FaultDice>,
    life: Life,
}

/// Whether the process whose calls these are still lives.
#[derive(Debug, Default)]
enum Life {
    /// Nothing has been said about its end.
    #[default]
    Open,
    /// It dies in the call after `calls_left` more.
    Ending { calls_left: u64, takes_effect: bool },
    /// It is dead.
    Over,
}

/// A generator of faults: a call in `one_in` fails.
#[derive(Debug)]
struct FaultDice {
    state: u64,
    one_in: u64,
}

impl FaultOrders {
    pub(super) fn script(&mut self, call: StoreCall, faults: &[Fault]) {
        self.scripts.entry(call).or_default().extend(faults);
    }

    pub(super) fn seed(&mut self, seed: u64, one_in: u64) {
        self.dice = Some(FaultDice { state: seed, one_in });
    }

    pub(super) fn crash_after(&mut self, calls_left: u64, takes_effect: bool) {
        self.life = Life::Ending { calls_left, takes_effect };
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life, Life::Over)
    }

    /// Decides about one call.
    pub(super) fn next_passage(&mut self, call: StoreCall, at: &str) -> Passage {
        match &mut self.life {
            Life::Open => {}
            Life::Ending { calls_left: calls_left @ 1.., .. } => *calls_left -= 1,
            Life::Ending { calls_left: 0, takes_effect } => {
                let takes_effect = *takes_effect;
                self.life = Life::Over;
                return if takes_effect {
                    Passage::EffectOnly(died())
                } else {
                    Passage::Refused(died())
                };
            }
            Life::Over => return Passage::Refused(died()),
        }
        match self.next_fault(call) {
            Fault::None => Passage::Through,
            fault @ (Fault::AnswerLost | Fault::MetItself) => Passage::EffectOnly(fault.error(at)),
            fault => Passage::Refused(fault.error(at)),
        }
    }

    fn next_fault(&mut self, call: StoreCall) -> Fault {
        let scripted = self.scripts.get_mut(&call).and_then(VecDeque::pop_front);
        scripted.or_else(|| Some(self.dice.as_mut()?.roll(call))).unwrap_or(Fault::None)
    }
}

impl FaultDice {
    fn roll(&mut self, call: StoreCall) -> Fault {
        if !self.draw().is_multiple_of(self.one_in) {
            return Fault::None;
        }
        let writes = matches!(call, StoreCall::Create | StoreCall::Put | StoreCall::Delete);
        match self.draw() % 4 {
            0 if call == StoreCall::Create => Fault::MetItself,
            1 if call == StoreCall::Create => Fault::Conflict,
            0..=2 if writes => Fault::AnswerLost,
            _ => Fault::Busy,
        }
    }

    /// The next number of a linear congruential sequence, of which the high bits are the good ones.
    fn draw(&mut self) -> u64 {
        const FACTOR: u64 = 0x5851_f42d_4c95_7f2d;
        const STEP: u64 = 0x1405_7b7e_f767_814f;
        self.state = self.state.wrapping_mul(FACTOR).wrapping_add(STEP);
        self.state >> 33
    }
}

impl Fault {
    fn error(self, at: &str) -> Error {
        let path = at.to_owned();
        match self {
            Self::MetItself | Self::Conflict => {
                Error::AlreadyExists { path, source: "injected: there is such an object".into() }
            }
            Self::NotFound => {
                Error::NotFound { path, source: "injected: there is no such object".into() }
            }
            Self::None | Self::AnswerLost | Self::Busy => {
                generic("injected: the store is busy or its answer was lost")
            }
        }
    }
}

fn died() -> Error {
    generic("injected: the process has died")
}

fn generic(reason: &'static str) -> Error {
    Error::Generic { store: "FaultyStore", source: reason.into() }
}
