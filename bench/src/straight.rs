//! The straight decode: what a plan reads, decoded and no more, as the limit of any restore by it.
//!
//! Whoever restores has to fetch these bytes, verify and decompress them, and take them apart into
//! rows. Here nothing else is done: one row group after the other, all columns, by one thread at a
//! time, nothing merged and nothing written. A restore that leaves columns or pages out, or
//! that decodes on several cores, may be faster than this.

use std::path::Path;

use foldback::log_tier::remote::{BucketUrl, RemoteLog};
use foldback::{Config, RestorePlan};
use foldback_compactor::Network;

use crate::{Error, Result};

/// Decodes all row groups of a plan, and counts their rows. Local segments are not read.
///
/// # Errors
///
/// What reading and decoding fails with; [`Error::Wrong`] if there are not as many rows as the
/// files say.
pub fn decode_straight(config: &Config, plan: &RestorePlan) -> Result<u64> {
    let network = Network::start().map_err(Error::io("start threads for", &config.directory))?;
    let remote = connect(config, &network)?;
    let (mut decoded, mut stated) = (0, 0);
    for read in plan.files().filter(|read| !read.row_groups.is_empty()) {
        let (file, from) = (read.file.clone(), remote.clone());
        let tail = network.run(async move { from.read_tail(&file).await })?;
        for index in &read.row_groups {
            let at = usize::try_from(*index).expect("memory has at least 32 bits");
            let group = &tail.row_groups()[at];
            let (name, range, from) = (read.file.name.clone(), group.range(), remote.clone());
            let bytes = network.run(async move { from.read(&name, range).await })?;
            let rows = tail.decode_row_group(*index, bytes)?;
            std::hint::black_box(&rows);
            decoded += u64::try_from(rows.len()).expect("64 bits suffice");
            stated += group.rows;
        }
    }
    match decoded == stated {
        true => Ok(decoded),
        false => Err(Error::Wrong(format!("{decoded} rows were decoded, {stated} are stated"))),
    }
}

fn connect(config: &Config, network: &Network) -> Result<RemoteLog> {
    let url: BucketUrl = match &config.bucket {
        Some(url) => url.parse()?,
        None => {
            let beside = config.directory.join("bucket");
            let beside = std::path::absolute(&beside).map_err(Error::io("find", &beside))?;
            BucketUrl::for_directory(Path::new(&beside))?
        }
    };
    let options = config.remote.clone();
    Ok(network.run(async move { RemoteLog::connect(&url, &options).await })?)
}
