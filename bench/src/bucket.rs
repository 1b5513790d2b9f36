//! Which bucket a suite works against.

use std::collections::BTreeMap;

use foldback::Config;
use serde::{Deserialize, Serialize};

/// A bucket, and how its store is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketChoice {
    /// Its URL; `None` is a directory beside the data.
    pub url: Option<String>,
    /// Options of its store.
    pub store_options: BTreeMap<String, String>,
}

impl BucketChoice {
    /// A place of that name in it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let url = self.url.as_ref().map(|url| format!("{}/{name}", url.trim_end_matches('/')));
        Self { url, store_options: self.store_options.clone() }
    }

    /// The options by which a command of the harness is told of it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let url = self.url.iter().flat_map(|url| ["--bucket".to_owned(), url.clone()]);
        let options = self.store_options.iter();
        let options = options
            .flat_map(|(name, value)| ["--store-option".to_owned(), format!("{name}={value}")]);
        url.chain(options).collect()
    }

    /// Has a database use it.
    pub(crate) fn choose_in(&self, config: &mut Config) {
        config.bucket.clone_from(&self.url);
        config.remote.store_options.clone_from(&self.store_options);
    }
}
