//! DuckDB computes tables at instants from the files of a plan, with the very SQL that the README
//! shows; and it reads what `export` writes as Parquet.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::workplace::{Workplace, run};

/// Runs the statements of a file and prints the rows of the last, a key and a value a line in hex.
const SCRIPT: &str = "
import sys, duckdb
with open(sys.argv[1], encoding='utf-8') as file:
    rows = duckdb.execute(file.read()).fetchall()
for key, value in rows:
    print(bytes(key).hex(), bytes(value).hex())
";

/// A row in hex, as [`SCRIPT`] prints it.
type HexRow = String;

fn python() -> PathBuf {
    let python = std::env::var_os("FOLDBACK_TEST_PYTHON").filter(|path| !path.is_empty());
    PathBuf::from(python.unwrap_or_else(|| {
        panic!("FOLDBACK_TEST_PYTHON is not set: run ./test, which installs DuckDB")
    }))
}

/// The first block of SQL in the README.
fn readme_sql() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("there is a README");
    let (_, after) = readme.split_once("```sql\n").expect("the README shows SQL");
    let (sql, _) = after.split_once("```").expect("the block ends");
    sql.to_owned()
}

/// What DuckDB makes of a plan by the README: the plan is in `plan.json`, and what the SQL leaves
/// open is filled in.
fn computed(place: &Workplace, plan: &[&str]) -> Vec<HexRow> {
    let files = place.db_json(&[plan, &["--files"]].concat()).done();
    place.write("plan.json", files.bytes());
    let locations: Vec<_> = files
        .records()
        .iter()
        .map(|file| format!("'{}'", file["location"].as_str().expect("a path")))
        .collect();
    let plan = place.db_json(plan).done().record();
    let sql = readme_sql()
        .replace("{files}", &locations.join(", "))
        .replace("{table_id}", &plan["table_id"].to_string())
        .replace("{seq}", &plan["seq"].to_string());
    query(place, &sql)
}

/// The rows of the last statement.
fn query(place: &Workplace, sql: &str) -> Vec<HexRow> {
    place.write("query.sql", sql);
    let answer = run(&mut place.program(python(), &["-c", SCRIPT, "query.sql"])).done();
    answer.lines().into_iter().map(str::to_owned).collect()
}

/// What Foldback itself says, in the same form.
fn exported(place: &Workplace, export: &[&str]) -> Vec<HexRow> {
    let rows = place.db(&[&["export", "--base64"], export].concat()).done().records();
    let hex = |row: &serde_json::Value, name: &str| -> String {
        let bytes = STANDARD.decode(row[name].as_str().expect("text")).expect("base64");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    rows.iter().map(|row| format!("{} {}", hex(row, "key"), hex(row, "value"))).collect()
}

/// Commits of a history by arithmetic: overwrites, deletes, keys deleted and put again, empty
/// values, and values that are no text.
fn events(first: u64, last: u64, name: &str) -> String {
    let event = |number: u64| {
        let key = STANDARD.encode(format!("{name}/{:03}", number * number % 211));
        let value = match number % 5 {
            0 => "null".to_owned(),
            1 => "\"\"".to_owned(),
            2 => "\"/wD+\"".to_owned(),
            _ => format!("\"{}\"", STANDARD.encode(format!("value {number} of {name}"))),
        };
        format!("{{\"key\":\"{key}\",\"value\":{value},\"timestamp\":{}}}\n", number * 1_000)
    };
    (first..=last).map(event).collect()
}

/// Imports a part of a history into a table, and seals it: a delta each time.
fn import(place: &Workplace, table: &str, range: (u64, u64), making: &[&str]) {
    let lines = events(range.0, range.1, table);
    let import = ["import", "jsonl", "-", table, "--base64"];
    place.db_fed(lines.as_bytes(), &[&import[..], making].concat()).done();
}

#[test]
fn duckdb_computes_a_table_at_an_instant() {
    let place = Workplace::new();
    let protect = ["--create", "--protect", "forever"];
    // Each delta holds events of both tables, of one, or of neither at some instants.
    import(&place, "main", (1, 500), &protect);
    import(&place, "other", (501, 900), &protect);
    import(&place, "main", (901, 1_400), &[]);
    import(&place, "other", (1_401, 1_500), &[]);
    import(&place, "main", (1_501, 2_000), &[]);
    let mut rows = 0;
    for table in ["main", "other"] {
        for thousandths in [901, 1_455, 1_777] {
            let instant = format!("0.{:06}", thousandths * 1_000 % 1_000_000);
            let instant = format!("{}{}", thousandths / 1_000, &instant[1..]);
            let found = computed(&place, &["plan", table, "--at", &instant]);
            assert_eq!(found, exported(&place, &[table, "--as-of", &instant]), "{table} {instant}");
            rows += found.len();
        }
    }
    assert!(rows > 500, "{rows} rows were compared");
    assert_eq!(computed(&place, &["plan", "main", "--latest"]), exported(&place, &["main"]));
}

#[test]
fn duckdb_starts_from_the_base_of_a_table_that_was_protected_late() {
    let place = Workplace::new();
    import(&place, "main", (1, 300), &["--create"]);
    place.db(&["protect", "main"]).done();
    for number in 0..10 {
        place.db(&["put", "main", &format!("main/{number:03}"), "after"]).done();
    }
    place.db(&["delete", "main", "main/004"]).done();
    place.db(&["seal"]).done();
    let kinds = place.db_json(&["plan", "main", "--latest", "--files"]).done().records();
    let kinds: Vec<_> = kinds.iter().map(|file| file["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("base"), Some("delta")]);
    assert_eq!(computed(&place, &["plan", "main", "--latest"]), exported(&place, &["main"]));
}

/// One delta holds the end of the first history and the beginning of the second, and nobody wrote
/// down what happened in between.
#[test]
fn duckdb_leaves_out_what_a_plan_leaves_out() {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "forever"]).done();
    for key in ["a", "b/1", "b/2", "c"] {
        place.db(&["put", "main", key, "old"]).done();
    }
    place.db(&["unprotect", "main"]).done();
    place.db(&["delete", "main", "a"]).done();
    place.db(&["protect", "main"]).done();
    place.db(&["put", "main", "b/2", "new"]).done();
    place.db(&["seal"]).done();
    let present = exported(&place, &["main"]);
    assert_eq!(present.len(), 3);
    assert_eq!(computed(&place, &["plan", "main", "--latest"]), present);
    let prefix = computed(&place, &["plan", "main", "--latest", "--prefix", "b/"]);
    assert_eq!(prefix, present[..2]);
}

#[test]
fn duckdb_reads_an_export() {
    let place = Workplace::new();
    import(&place, "main", (1, 700), &["--create"]);
    place.db(&["--format", "parquet", "export", "main", "-o", "rows.parquet"]).done();
    let rows = query(&place, "SELECT key, value FROM 'rows.parquet'");
    assert!(rows.len() > 50, "{} rows", rows.len());
    assert_eq!(rows, exported(&place, &["main"]));
}
