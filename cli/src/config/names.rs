//! The names a configuration file may use, and what to say about those that it may not.

use toml::de::{DeTable, DeValue};

use foldback::log_tier::near_names::did_you_mean;

/// Settings outside any table.
pub(super) const TOP_NAMES: [&str; 5] = ["data", "bucket", "s3", "engine", "costs"];

/// Settings of the table `[engine]`.
pub(super) const ENGINE_NAMES: [&str; 15] = [
    "segment_bytes_max",
    "segment_age_max_secs",
    "durability",
    "block_cache_bytes",
    "history_cache_bytes",
    "memtable_bytes_max",
    "single_writer",
    "compactor",
    "fold_ratio",
    "fold_bytes_min",
    "fold_files_max",
    "merge_fanout",
    "file_bytes_target",
    "grace_secs",
    "shortening_undo_secs",
];

/// Settings of the table `[costs]`.
pub(super) const COST_NAMES: [&str; 6] =
    ["as_of", "currency", "gets_per_thousand", "transfer_per_gb", "request_millis", "mib_per_sec"];

/// One setting of the table `[s3]`. The object store knows it by the same name after `aws_`, and
/// the environment by that name in capitals.
pub(super) struct StoreName {
    /// What the file calls it.
    pub(super) name: &'static str,
    /// Other environment variables that say the same.
    other_variables: &'static [&'static str],
    /// What its value is.
    pub(super) value: StoreValue,
}

/// What the value of a setting of `[s3]` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreValue {
    /// A string.
    Text,
    /// `true` or `false`.
    Switch,
}

/// Settings of the table `[s3]`. Conditional puts are not among them: whether the store honours
/// those is found out when the database is opened, not declared.
pub(super) static STORE_NAMES: [StoreName; 17] = {
    use StoreValue::{Switch, Text};
    [
        store("endpoint", &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"], Text),
        store("region", &["AWS_DEFAULT_REGION"], Text),
        store("access_key_id", &[], Text),
        store("secret_access_key", &[], Text),
        store("session_token", &["AWS_TOKEN"], Text),
        store("allow_http", &[], Switch),
        store("allow_invalid_certificates", &[], Switch),
        store("virtual_hosted_style_request", &[], Switch),
        store("skip_signature", &[], Switch),
        store("unsigned_payload", &[], Switch),
        store("checksum_algorithm", &[], Text),
        store("server_side_encryption", &[], Text),
        store("sse_kms_key_id", &[], Text),
        store("sse_bucket_key_enabled", &[], Switch),
        store("connect_timeout", &[], Text),
        store("timeout", &[], Text),
        store("proxy_url", &[], Text),
    ]
};

/// A setting that can't stand where it stands.
pub(super) struct UnknownSetting {
    /// Where in the file it begins, in bytes.
    pub(super) offset: usize,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// The first setting of `document`, in the order of the file, that no table knows.
pub(super) fn first_unknown(document: &DeTable<'_>) -> Option<UnknownSetting> {
    let mut unknown = unknown_in(document, None, &TOP_NAMES);
    for (name, value) in document {
        let DeValue::Table(table) = value.get_ref() else { continue };
        match name.get_ref().as_ref() {
            "engine" => unknown.extend(unknown_in(table, Some("engine"), &ENGINE_NAMES)),
            "costs" => unknown.extend(unknown_in(table, Some("costs"), &COST_NAMES)),
            "s3" => {
                let names: Vec<&str> = STORE_NAMES.iter().map(|option| option.name).collect();
                unknown.extend(unknown_in(table, Some("s3"), &names));
                unknown.extend(wrong_store_values(table));
            }
            _ => {}
        }
    }
    unknown.into_iter().min_by_key(|unknown| unknown.offset)
}

/// The object store's name for the setting `name` of `[s3]`.
pub(super) fn store_key(name: &str) -> String {
    format!("aws_{name}")
}

/// True when an environment variable says what the setting `name` of `[s3]` says.
pub(super) fn environment_says(name: &str, is_set: impl Fn(&str) -> bool) -> bool {
    let others = find_store_name(name).map_or(&[][..], |option| option.other_variables);
    is_set(&store_key(name).to_ascii_uppercase()) || others.iter().any(|variable| is_set(variable))
}

const fn store(
    name: &'static str,
    other_variables: &'static [&'static str],
    value: StoreValue,
) -> StoreName {
    StoreName { name, other_variables, value }
}

fn find_store_name(name: &str) -> Option<&'static StoreName> {
    STORE_NAMES.iter().find(|option| option.name == name)
}

fn unknown_in(table: &DeTable<'_>, header: Option<&str>, known: &[&str]) -> Vec<UnknownSetting> {
    let place = header.map_or(String::new(), |header| format!(" in [{header}]"));
    let unknown = table.keys().filter(|name| !known.contains(&name.get_ref().as_ref()));
    unknown
        .map(|name| {
            let asked = name.get_ref().as_ref();
            let hint = match home_of(asked) {
                Some(home) => format!("; it belongs {home}"),
                None => did_you_mean(asked, known.iter().copied()),
            };
            let reason = format!("unknown setting {asked:?}{place}{hint}");
            UnknownSetting { offset: name.span().start, reason }
        })
        .collect()
}

/// Where a setting that stands in the wrong table belongs.
fn home_of(name: &str) -> Option<&'static str> {
    if ENGINE_NAMES.contains(&name) {
        return Some("under [engine]");
    }
    if COST_NAMES.contains(&name) {
        return Some("under [costs]");
    }
    if find_store_name(name).is_some() {
        return Some("under [s3]");
    }
    TOP_NAMES.contains(&name).then_some("above the first [table]")
}

fn wrong_store_values(table: &DeTable<'_>) -> Vec<UnknownSetting> {
    let wrong = table.iter().filter_map(|(name, value)| {
        let option = find_store_name(name.get_ref())?;
        let (fits, expected) = match option.value {
            StoreValue::Text => (value.get_ref().is_str(), "a string in quotes"),
            StoreValue::Switch => (value.get_ref().is_bool(), "true or false, without quotes"),
        };
        let reason = format!("setting {:?} in [s3] must be {expected}", option.name);
        (!fits).then(|| UnknownSetting { offset: value.span().start, reason })
    });
    wrong.collect()
}
