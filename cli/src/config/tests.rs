//! Tests of where settings come from and what is refused.

use super::names::{COST_NAMES, ENGINE_NAMES, STORE_NAMES, StoreValue, TOP_NAMES};
use super::*;

const WHOLE_FILE: &str = r#"
data = "db"
bucket = "s3://bucket/prefix"

[s3]
endpoint = "http://127.0.0.1:9000"
region = "us-east-1"
access_key_id = "minio"
secret_access_key = "minio123"
allow_http = true

[engine]
segment_bytes_max = 1048576
segment_age_max_secs = 3
durability = "buffered"
block_cache_bytes = 33554432
history_cache_bytes = 16777216
memtable_bytes_max = 16777216
single_writer = true
compactor = false
fold_ratio = 0.5
fold_bytes_min = 4096
fold_files_max = 16
merge_fanout = 4
file_bytes_target = 33554432
grace_secs = 3600
shortening_undo_secs = 60
"#;

/// Settings from a file with this text, where the variables of `set` are set.
fn load(text: &str, arguments: &SettingsArgs, set: &[&str]) -> Result<Settings> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("settings.toml");
    std::fs::write(&path, text).expect("the file is written");
    let arguments = SettingsArgs { config: Some(path), ..arguments.clone() };
    Settings::load(&arguments, |name| set.contains(&name))
}

fn check_refused(text: &str, line: u64, expected: &str) {
    let error = load(text, &SettingsArgs::default(), &[]).expect_err(text);
    assert!(matches!(&error, Error::Config { line: l, .. } if *l == line), "{text}: {error}");
    let shown = error.to_string();
    assert!(shown.contains("settings.toml, line "), "{text}: {shown}");
    assert!(shown.contains(expected), "{text}: {shown}");
}

#[test]
fn a_whole_file_is_read() {
    let settings = load(WHOLE_FILE, &SettingsArgs::default(), &[]).expect("it is right");
    let file = settings.file.clone().expect("it was read from a file");
    assert_eq!(settings.data, Some(file.with_file_name("db")), "beside the file");
    assert_eq!(settings.bucket.as_deref(), Some("s3://bucket/prefix"));
    let options: Vec<(&str, &str)> =
        settings.store_options.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        options,
        [
            ("aws_access_key_id", "minio"),
            ("aws_allow_http", "true"),
            ("aws_endpoint", "http://127.0.0.1:9000"),
            ("aws_region", "us-east-1"),
            ("aws_secret_access_key", "minio123"),
        ]
    );
    let expected = EngineSettings {
        segment_bytes_max: Some(1_048_576),
        segment_age_max_secs: Some(3),
        durability: Some(DurabilitySetting::Buffered),
        block_cache_bytes: Some(33_554_432),
        history_cache_bytes: Some(16_777_216),
        memtable_bytes_max: Some(16_777_216),
        single_writer: true,
        compactor: Some(false),
        fold_ratio: Some(0.5),
        fold_bytes_min: Some(4096),
        fold_files_max: Some(16),
        merge_fanout: Some(4),
        file_bytes_target: Some(33_554_432),
        grace_secs: Some(3600),
        shortening_undo_secs: Some(60),
    };
    assert_eq!(settings.engine, expected);
}

#[test]
fn flags_and_variables_win_over_the_file() {
    let arguments = SettingsArgs {
        data: Some(PathBuf::from("elsewhere")),
        bucket: Some("s3://other".to_owned()),
        config: None,
    };
    let set = ["AWS_DEFAULT_REGION", "AWS_SECRET_ACCESS_KEY"];
    let settings = load(WHOLE_FILE, &arguments, &set).expect("it is right");
    assert_eq!(settings.data, Some(PathBuf::from("elsewhere")));
    assert_eq!(settings.bucket.as_deref(), Some("s3://other"));
    let options: Vec<&str> = settings.store_options.keys().map(String::as_str).collect();
    assert_eq!(options, ["aws_access_key_id", "aws_allow_http", "aws_endpoint"]);
}

#[test]
fn a_bucket_named_elsewhere_leaves_the_options_of_s3_behind() {
    let local =
        SettingsArgs { bucket: Some("file:///srv/b".to_owned()), ..SettingsArgs::default() };
    let settings = load(WHOLE_FILE, &local, &[]).expect("it is right");
    assert!(settings.store_options.is_empty());
    // In the file itself the two contradict each other, and the engine says so.
    let contradiction = "bucket = 'file:///srv/b'\n[s3]\nregion = 'x'";
    let settings = load(contradiction, &SettingsArgs::default(), &[]).expect("it is read");
    assert_eq!(settings.store_options.len(), 1);
}

#[test]
fn an_empty_file_sets_nothing_and_an_absolute_directory_stays() {
    let mut settings = load("", &SettingsArgs::default(), &[]).expect("it is right");
    settings.file = None;
    assert_eq!(settings, Settings::default());
    let settings = load("data = '/srv/db'", &SettingsArgs::default(), &[]).expect("it is right");
    assert_eq!(settings.data, Some(PathBuf::from("/srv/db")));
}

#[test]
fn an_unknown_setting_is_refused_with_its_line_and_the_near_name() {
    check_refused("bukket = 'x'", 1, "unknown setting \"bukket\"; did you mean \"bucket\"?");
    check_refused("\n\n[engin]\n", 3, "did you mean \"engine\"?");
    check_refused(
        "[engine]\nsingle_writer = true\nsegment_byte_max = 1\n",
        3,
        "unknown setting \"segment_byte_max\" in [engine]; did you mean \"segment_bytes_max\"?",
    );
    check_refused("[s3]\naws_endpoint = 'x'", 2, "did you mean \"endpoint\"?");
    check_refused("endpoint = 'x'", 1, "it belongs under [s3]");
    check_refused("[s3]\ndurability = 'synced'", 2, "it belongs under [engine]");
    check_refused("[s3]\nregion = 'x'\nbucket = 'y'", 3, "it belongs above the first [table]");
    check_refused("[s3]\nconditional_put = 'disabled'", 2, "unknown setting");
    check_refused("[engine]\nb = 1\na = 1", 2, "\"b\"");
    check_refused("engine.colour = 1", 1, "unknown setting \"colour\" in [engine]");
}

#[test]
fn a_wrong_value_is_refused_with_its_line() {
    check_refused("data = 5", 1, "expected");
    check_refused("[engine]\n\ndurability = 'none'", 3, "expected `synced` or `buffered`");
    check_refused("[engine]\nsegment_bytes_max = -1", 2, "-1");
    check_refused("[engine]\nblock_cache_bytes = '64MiB'", 2, "expected");
    check_refused("[s3]\nallow_http = 'yes'", 2, "must be true or false, without quotes");
    check_refused("[s3]\nregion = 5", 2, "must be a string in quotes");
    check_refused("s3 = 5", 1, "expected");
    check_refused("\n\ndata = ", 3, "");
    check_refused("data = 'a'\ndata = 'b'", 2, "duplicate");
}

#[test]
fn a_named_file_must_be_there() {
    let arguments =
        SettingsArgs { config: Some(PathBuf::from("/nowhere/x.toml")), ..SettingsArgs::default() };
    let error = Settings::load(&arguments, |_| false).expect_err("it is absent").to_string();
    assert!(error.starts_with("cannot read configuration file /nowhere/x.toml: "), "{error}");
}

#[test]
fn what_is_missing_is_said_with_the_ways_to_say_it() {
    let settings = Settings::default();
    let data = settings.require_data().expect_err("none is set").to_string();
    for way in ["--data DIR", "FOLDBACK_DATA", "foldback.toml"] {
        assert!(data.contains(way), "{data}");
    }
    let bucket = settings.require_bucket().expect_err("none is set").to_string();
    for way in ["--bucket URL", "FOLDBACK_BUCKET", "foldback.toml"] {
        assert!(bucket.contains(way), "{bucket}");
    }
}

const COSTS: &str = "[costs]
as_of = '2026-11-01'
currency = 'EUR'
gets_per_thousand = 0.5
transfer_per_gb = 0
request_millis = 20
mib_per_sec = 80.5
";

#[test]
fn a_table_of_costs_is_given_whole() {
    let settings = load(COSTS, &SettingsArgs::default(), &[]).expect("it is whole");
    let costs = foldback::Costs::from(settings.costs.expect("it was read"));
    assert_eq!((costs.as_of.as_str(), costs.currency.as_str()), ("2026-11-01", "EUR"));
    assert_eq!((costs.gets_per_thousand, costs.transfer_per_gb), (0.5, 0.0));
    assert_eq!((costs.request_millis, costs.mib_per_sec), (20.0, 80.5));
    for name in COST_NAMES {
        let without: Vec<_> = COSTS.lines().filter(|line| !line.starts_with(name)).collect();
        check_refused(&without.join("\n"), 1, &format!("missing field `{name}`"));
    }
    check_refused("[costs]\nput_per_thousand = 1", 2, "unknown setting \"put_per_thousand\"");
    check_refused("currency = 'EUR'", 1, "it belongs under [costs]");
}

#[test]
fn every_known_name_is_read() {
    for name in TOP_NAMES {
        let text = match name {
            "s3" | "engine" => format!("[{name}]"),
            "costs" => COSTS.to_owned(),
            _ => format!("{name} = 'x'"),
        };
        load(&text, &SettingsArgs::default(), &[]).expect(name);
    }
    for name in ENGINE_NAMES {
        let value = match name {
            "durability" => "'synced'",
            "single_writer" | "compactor" => "false",
            _ => "1",
        };
        load(&format!("[engine]\n{name} = {value}"), &SettingsArgs::default(), &[]).expect(name);
    }
    for option in &STORE_NAMES {
        let value = if option.value == StoreValue::Switch { "true" } else { "'x'" };
        let text = format!("[s3]\n{} = {value}", option.name);
        let settings = load(&text, &SettingsArgs::default(), &[]).expect(option.name);
        assert!(
            settings.store_options.contains_key(&format!("aws_{}", option.name)),
            "{}",
            option.name
        );
    }
}
