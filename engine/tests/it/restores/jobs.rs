//! A restore while it runs, and what is told of it afterwards.

use super::*;

#[test]
fn a_restore_that_is_cancelled_at_any_report_leaves_nothing() {
    let place = Place::new(10_000);
    place.database.seal().expect("the bucket takes it");
    let (names, trees) = (place.names(), place.trees());
    let plan = place.plan("orders", &Selection::all());
    let mut told = Vec::new();
    place
        .database
        .restore_with(&plan, "copy", &RestoreOptions::default(), &mut |progress| {
            told.push(progress);
            ControlFlow::Continue(())
        })
        .expect("it restores");
    assert!(told.len() > 3, "{told:?}");
    let (first, last) = (told[0], told[told.len() - 1]);
    assert_eq!((first.rows, last.rows), (0, 10_000));
    assert_eq!((first.plan_bytes, last.plan_bytes), (plan.bucket_bytes(), plan.bucket_bytes()));
    assert!(plan.bucket_bytes() > 0 && last.read_bytes == last.plan_bytes, "{last:?}");
    assert!(told.windows(2).all(|pair| pair[0].read_bytes <= pair[1].read_bytes));
    place.database.drop_table("copy").expect("it is there");
    for at in 0..told.len() {
        let mut left = at;
        let options = RestoreOptions { by: Some("me".to_owned()), ..RestoreOptions::default() };
        let cancelled = place.database.restore_with(&plan, "copy", &options, &mut |_| {
            let ends = left == 0;
            left = left.saturating_sub(1);
            if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
        assert_eq!((place.names(), place.trees()), (names.clone(), trees.clone()), "at {at}");
        let log = place.database.restores();
        assert_eq!(log.len(), at + 2);
        assert_eq!(log[0].outcome, RestoreOutcome::Cancelled);
        assert_eq!(log[0].into, RestoredInto::Table { name: "copy".to_owned(), id: None });
    }
    place.database.restore(&plan, "copy").expect("the name is free");
}

#[test]
fn the_log_tells_who_when_why_and_what_it_took() {
    let place = Place::new(2_000);
    place.database.seal().expect("the bucket takes it");
    let plan = place.plan("orders", &Selection::all());
    let options = RestoreOptions {
        by: Some("anna@desk".to_owned()),
        reason: Some("someone dropped it".to_owned()),
        ..RestoreOptions::default()
    };
    let restored = place.database.restore_with(&plan, "copy", &options, &mut on);
    let restored = restored.expect("it restores");
    let log = place.database.restores();
    let [record] = log.as_slice() else { panic!("{log:?}") };
    assert_eq!((record.id, record.source, record.source_name.as_str()), (1, plan.table, "orders"));
    assert_eq!((record.target, record.database), (plan.target, None));
    assert_eq!((&record.by, &record.reason), (&options.by, &options.reason));
    assert_eq!(record.ended, restored.commit.timestamp);
    assert!(record.started <= record.ended && record.actual.micros > 0);
    assert_eq!((record.actual.rows, record.actual.row_bytes), (2_000, restored.bytes));
    assert_eq!(record.estimate.bytes, plan.bucket_bytes());
    // With the rows come the tails, and what is small and lies between.
    let most = plan.files().map(|read| read.file.bytes).sum();
    assert!((plan.bucket_bytes()..=most).contains(&record.actual.bytes), "{record:?}");
    assert!(record.actual.requests > 0 && record.actual.requests <= record.estimate.requests);
    assert_eq!((restored.bucket_requests, restored.bucket_bytes), {
        (record.actual.requests, record.actual.bytes)
    });

    // Into a file, which another one failed to become.
    let wrote = place.database.restore_to_file(
        (&plan, "orders.csv"),
        &options,
        &mut on,
        |rows| -> Result<usize> { Ok(rows.collect::<Result<Vec<_>>>()?.len()) },
    );
    assert_eq!(wrote.expect("it restores"), 2_000);
    let full = || Error::Lost("no space".to_owned());
    let failed =
        place.database.restore_to_file((&plan, "b"), &options, &mut on, |_| Err::<(), _>(full()));
    failed.expect_err("it can't be written");
    let log = place.database.restores();
    let told: Vec<_> = log.iter().map(|record| (&record.into, &record.outcome)).collect();
    assert_eq!(told[0].1, &RestoreOutcome::Failed("no space".to_owned()));
    let file = RestoredInto::File("orders.csv".to_owned());
    assert_eq!(told[1], (&file, &RestoreOutcome::Done));

    // It is kept as all of the catalog is.
    place.database.seal().expect("the bucket takes it");
    let Place { scratch, database } = place;
    drop(database);
    let database = Database::open(config(scratch.path(), "data")).expect("it opens");
    assert_eq!(database.restores(), log);
    drop(database);
    let recovery = Database::recover(config(scratch.path(), "elsewhere")).expect("it recovers");
    assert_eq!(recovery.database.restores(), log);
}
