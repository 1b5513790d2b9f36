//! Bytes that are not what was written: every command that needs them says so, and which.

use std::path::PathBuf;

use crate::workplace::Workplace;

/// Bytes of a file that are damaged in turn.
const PLACES: usize = 40;

/// A table whose history is one sealed file.
fn table() -> (Workplace, PathBuf) {
    let place = Workplace::new();
    let event = |number: u64| {
        format!("{{\"key\":\"k{number}\",\"value\":\"v{number}\",\"timestamp\":{}}}\n", number + 1)
    };
    let events: String = (0..500).map(event).collect();
    let import = ["import", "jsonl", "-", "main", "--create", "--protect", "forever"];
    place.db_fed(events.as_bytes(), &import).done();
    let files = place.db_json(&["plan", "main", "--latest", "--files"]).done().records();
    assert_eq!(files.len(), 1);
    let file = PathBuf::from(files[0]["location"].as_str().expect("a path"));
    (place, file)
}

/// Turns the bits of one byte around.
fn damage(file: &PathBuf, at: usize) {
    let mut bytes = std::fs::read(file).expect("the file is there");
    bytes[at] ^= 0xff;
    std::fs::write(file, bytes).expect("it can be written");
}

/// Not every byte is needed for every table: the file holds those of others too.
#[test]
fn a_damaged_history_file_is_named_wherever_its_damage_is_read() {
    let (place, file) = table();
    let name = file.file_name().and_then(|name| name.to_str()).expect("it has a name");
    let export = ["export", "main", "--as-of", "#300", "-o"];
    place.db(&[&export[..], &["right"]].concat()).done();
    let whole = std::fs::read(&file).expect("the file is there");
    let mut noticed = 0;
    for step in 0..PLACES {
        damage(&file, step * (whole.len() - 1) / (PLACES - 1));
        let output = format!("rows-{step}");
        let answer = place.db(&[&export[..], &[&output]].concat());
        if answer.err.is_empty() {
            answer.done();
            assert_eq!(place.read(&output), place.read("right"));
        } else {
            answer.refused(5, &[name, "is damaged at byte"]);
            assert!(!place.path(&output).exists());
            assert!(!place.path(&format!("{output}.unfinished")).exists());
            noticed += 1;
        }
        std::fs::write(&file, &whole).expect("it can be written");
    }
    assert!(noticed > PLACES / 2, "{noticed} of {PLACES} were noticed");
}

#[test]
fn nothing_is_made_of_damaged_history() {
    let (place, file) = table();
    let length = std::fs::read(&file).expect("the file is there").len();
    damage(&file, length - 10);
    place.db(&["restore", "main", "new", "--seq", "300"]).refused(5, &["is damaged at byte"]);
    place.db(&["table", "describe", "new"]).refused(3, &["there is no table \"new\""]);
    // The present needs no history: reads and writes go on.
    assert_eq!(place.db(&["get", "main", "k7"]).done().text(), "v7\n");
    place.db(&["put", "main", "k7", "new"]).done();
}

#[test]
fn a_history_file_that_is_gone_is_named() {
    let (place, file) = table();
    std::fs::remove_file(&file).expect("it is there");
    let name = file.file_name().and_then(|name| name.to_str()).expect("it has a name");
    place.db(&["restore", "main", "new", "--seq", "300"]).refused(5, &[name, "is missing"]);
    assert_eq!(place.db_json(&["table", "list"]).done().records().len(), 1);
}

#[test]
fn a_damaged_log_is_refused_before_anything_is_made_of_it() {
    let place = Workplace::new();
    place.db(&["table", "create", "main"]).done();
    for number in 0..5 {
        place.db(&["put", "main", &format!("key {number}"), "value"]).done();
    }
    let log = std::fs::read_dir(place.path("db/log")).expect("there is a log");
    let mut segments: Vec<_> = log.map(|entry| entry.expect("it can be listed").path()).collect();
    segments.sort();
    let segment = segments.last().expect("there is a segment");
    let bytes = std::fs::read(segment).expect("it can be read");
    let at = bytes.windows(5).position(|window| window == b"key 1").expect("it is in the log");
    damage(segment, at);
    let before = std::fs::read(segment).expect("it can be read");
    let name = segment.file_name().and_then(|name| name.to_str()).expect("it has a name");
    place.db(&["scan", "main"]).refused(5, &[name, "is damaged at byte"]);
    assert!(before == std::fs::read(segment).expect("it can be read"), "nothing is repaired");
}
