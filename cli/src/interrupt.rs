//! Ctrl-C while a restore runs: the first one cancels it, and the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use crate::error::{Error, Result};

/// What a shell shows of a process that Ctrl-C has ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Whether Ctrl-C was pressed.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pressed: Arc<AtomicBool>,
}

impl Interrupt {
    /// From here on Ctrl-C no longer ends the process when it is pressed for the first time.
    pub(crate) fn listen() -> Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        // They run in this order: only from the second time on the first one finds it pressed.
        flag::register_conditional_shutdown(SIGINT, EXIT_INTERRUPTED, Arc::clone(&pressed))
            .and_then(|_| flag::register(SIGINT, Arc::clone(&pressed)))
            .map_err(Error::io("listen to", "Ctrl-C"))?;
        Ok(Self { pressed })
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Acquire)
    }
}
