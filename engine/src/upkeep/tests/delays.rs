//! Jobs that are decided on by one compactor, and done after others have lived on for a while.

use super::*;

/// What happens next, beside the steps of one process.
#[derive(Clone, Debug)]
enum Turn {
    Step(Step),
    /// The rival decides on its next job, unless it has one.
    Decide,
    /// The rival does the job that it decided on.
    Run,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        5 => step().prop_map(Turn::Step),
        2 => Just(Turn::Decide),
        1 => Just(Turn::Run),
    ]
}

/// A compactor that stalls between what it decides and what it does.
struct Rival {
    process: Process,
    decided: Option<(Job, Ground)>,
}

impl Rival {
    fn decide(&mut self, world: &World) {
        // What others published may be known or not.
        let ground = world.ground();
        if self.decided.is_none()
            && let Some(job) = self.process.upkeep.next(&ground)
        {
            match job {
                Job::Look => drop(self.process.upkeep.run(job, &ground)),
                job => self.decided = Some((job, ground)),
            }
        }
    }

    fn run(&mut self) {
        if let Some((job, ground)) = self.decided.take() {
            // It may fail, as files that it needs are gone by now; it may not harm.
            let _ = self.process.upkeep.run(job, &ground);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_job_that_is_done_late_harms_nobody(turns in prop::collection::vec(turn(), 20..90)) {
        let (mut world, mut process) = inhabited();
        let mut rival = Rival { process: world.start(false, EAGER), decided: None };
        for turn in &turns {
            match turn {
                Turn::Step(step) => take(&mut world, &mut process, step),
                Turn::Decide => rival.decide(&world),
                Turn::Run => {
                    rival.run();
                    world.check();
                }
            }
            if matches!(turn, Turn::Step(Step::KeepUp)) {
                world.check();
            }
        }
        rival.run();
        let mut process = world.start(true, EAGER);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.check();
    }
}
