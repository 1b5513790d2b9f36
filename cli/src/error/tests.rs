//! Tests of what scripts tell failures apart by.

use foldback::log_tier::Error as Tier;

use super::*;

fn missing() -> Tier {
    Tier::Missing { object: "history/x".to_owned() }
}

fn fenced() -> Tier {
    Tier::Fenced {
        number: 7,
        winner_epoch: 3,
        winner: "00000000000000aa".parse().expect("a writer"),
        epoch: 2,
    }
}

#[test]
fn each_way_to_react_has_its_code() {
    let cases = [
        (Tier::Superseded, EXIT_UNREACHABLE, true),
        (missing(), EXIT_DAMAGED, true),
        (Tier::corrupt("x", 1, "it is torn"), EXIT_DAMAGED, true),
        (fenced(), EXIT_FAILED, false),
        (Tier::Interrupted, EXIT_FAILED, false),
        (Tier::Unsupported("later".to_owned()), EXIT_USAGE, false),
    ];
    for (error, code, leaves_next_turn) in cases {
        let error = Error::Engine(foldback::Error::Tier(error));
        assert_eq!(
            (error.exit_code(), error.leaves_next_turn()),
            (code, leaves_next_turn),
            "{error}"
        );
    }
    assert!(!Error::usage("typed wrong").leaves_next_turn());
}

#[test]
fn what_helps_is_said_where_the_words_come_from_below() {
    let advice = |error| Error::Engine(foldback::Error::Tier(error)).advice().unwrap_or_default();
    assert!(advice(Tier::Superseded).contains("run the command again"));
    assert!(advice(fenced()).contains("two must never write to one bucket"));
    assert_eq!(advice(missing()), "");
}
