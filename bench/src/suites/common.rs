//! What all suites are told alike: where they work, and what they put out.

use std::path::PathBuf;

use clap::Args;
use foldback_bench::{
    BucketChoice, Error, Figure, LimitOptions, Report, Result, SyncGroup, limits,
};
use tempfile::TempDir;

/// Which bucket is used.
#[derive(Debug, Args)]
pub(crate) struct BucketArgs {
    /// Bucket in which each run makes a place of its own, such as s3://bucket/prefix; without it,
    /// a directory beside the data.
    #[arg(long, value_name = "URL")]
    bucket: Option<String>,
    /// Option of the bucket's store, once for each.
    #[arg(long = "store-option", value_name = "NAME=VALUE", value_parser = store_option)]
    store_options: Vec<(String, String)>,
}

/// Where a suite works, and on what.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    bucket: BucketArgs,
    /// Where databases are made and removed: on the disk that is to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Determines all events.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What a suite puts out.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the report as a page with plots, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Leave out what the machine itself can do: its disk, its memory, zstd.
    #[arg(long)]
    no_limits: bool,
    /// Bytes of the file by which the disk's bandwidth is measured.
    #[arg(long, default_value_t = 256 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..))]
    limit_bytes: u64,
}

/// A directory for one run, which is removed after it, and a place in the bucket, which is not.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) bucket: BucketChoice,
}

impl Place {
    /// Whether the bucket is a directory of this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.bucket.url.as_ref().is_none_or(|url| url.starts_with("file://"))
    }
}

impl BucketArgs {
    /// The bucket itself.
    pub(crate) fn choice(&self) -> BucketChoice {
        let store_options = self.store_options.iter().cloned().collect();
        BucketChoice { url: self.bucket.clone(), store_options }
    }
}

impl PlaceArgs {
    /// Makes a place.
    pub(crate) fn make(&self) -> Result<Place> {
        let directory =
            tempfile::Builder::new().prefix("foldback-bench-").tempdir_in(&self.directory);
        let directory = directory.map_err(|source| Error::File {
            action: "make a directory in",
            path: self.directory.display().to_string(),
            source,
        })?;
        let name = directory.path().file_name().expect("it was made in a directory");
        let bucket = self.bucket.choice().below(&name.to_string_lossy());
        if let Some(url) = &bucket.url {
            eprintln!("the bucket keeps what this run writes: remove {url} afterwards");
        }
        Ok(Place { directory, bucket })
    }

    /// Notes in a report where it was measured, and on what.
    pub(crate) fn note_in(&self, report: Report) -> Report {
        let bucket = self.bucket.bucket.as_deref().unwrap_or("beside the data");
        report.setting("bucket", bucket).setting("seed", self.seed)
    }
}

impl OutputArgs {
    /// Refuses, before anything is measured, what could not be put out.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(html) = &self.html else { return Ok(()) };
        let parent = html.parent().filter(|parent| !parent.as_os_str().is_empty());
        if html.is_dir() || parent.is_some_and(|parent| !parent.is_dir()) {
            return Err(Error::Input(format!(
                "--html {} can't be written: it is a directory, or in none that exists; nothing \
                 was measured",
                html.display()
            )));
        }
        Ok(())
    }

    /// What the machine can do, unless that is left out.
    pub(crate) fn limits(&self, place: &Place, groups: &[SyncGroup]) -> Result<Vec<Figure>> {
        if self.no_limits {
            return Ok(Vec::new());
        }
        limits(&self.limit_options(place, groups))
    }

    /// Adds one more run of what the machine can do, unless that is left out: for suites whose
    /// contenders take turns with it.
    pub(crate) fn add_limits(
        &self,
        report: &mut Report,
        place: &Place,
        groups: &[SyncGroup],
    ) -> Result<()> {
        if self.no_limits {
            return Ok(());
        }
        for figure in limits(&LimitOptions { runs: 1, ..self.limit_options(place, groups) })? {
            match report.limits.iter_mut().find(|known| known.name == figure.name) {
                Some(known) => known.runs.extend(figure.runs),
                None => report.limits.push(figure),
            }
        }
        Ok(())
    }

    fn limit_options(&self, place: &Place, groups: &[SyncGroup]) -> LimitOptions {
        let (groups, file_bytes) = (groups.to_vec(), self.limit_bytes);
        LimitOptions { groups, file_bytes, ..LimitOptions::new(place.directory.path()) }
    }

    /// Prints the report, its last verdict last, and writes the page.
    pub(crate) fn show(&self, report: &Report) -> Result<()> {
        match self.json {
            true => println!("{}", report.json()),
            false => print!("{}", report.text()),
        }
        let Some(html) = &self.html else { return Ok(()) };
        std::fs::write(html, report.html()).map_err(|source| Error::File {
            action: "write",
            path: html.display().to_string(),
            source,
        })
    }
}

fn store_option(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, such as region=eu-west-1")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: u64) -> f64 {
    foldback_bench::as_f64(micros) / 1e3
}

/// Each figure in terms of the first.
pub(crate) fn ratios(figures: &[f64]) -> Vec<f64> {
    let first = figures.first().copied().filter(|first| *first > 0.0).unwrap_or(1.0);
    figures.iter().map(|figure| figure / first).collect()
}

/// Ratios with two digits, side by side.
pub(crate) fn side_by_side(ratios: &[f64]) -> String {
    ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" ")
}
