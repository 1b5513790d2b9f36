//! The S3 servers that `./test` starts, with buckets made on them.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::workplace::{Workplace, run};

/// A server and the credentials that it was started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct S3Server {
    variable: &'static str,
    key_id: &'static str,
    secret: &'static str,
}

pub(crate) const MINISTACK: S3Server =
    S3Server { variable: "FOLDBACK_TEST_MINISTACK", key_id: "test", secret: "test" };
pub(crate) const SEAWEEDFS: S3Server = S3Server {
    variable: "FOLDBACK_TEST_SEAWEEDFS",
    key_id: "test-access",
    secret: "test-secret-key-0123456789",
};
pub(crate) const S3RVER: S3Server =
    S3Server { variable: "FOLDBACK_TEST_S3RVER", key_id: "S3RVER", secret: "S3RVER" };

/// The SHA-256 of no bytes: s3rver wants it to be said.
const EMPTY_BODY: &str =
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How many buckets this process has made.
static BUCKETS: AtomicU64 = AtomicU64::new(0);

impl S3Server {
    pub(crate) fn endpoint(&self) -> String {
        let endpoint = std::env::var(self.variable).ok().filter(|url| !url.is_empty());
        endpoint.unwrap_or_else(|| {
            panic!("{} is not set: run ./test, which starts the servers", self.variable)
        })
    }

    /// Makes a bucket with a new name. Foldback itself never makes one, so curl does.
    pub(crate) fn bucket(&self, place: &Workplace) -> String {
        let number = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{number}", std::process::id());
        let url = format!("{}/{name}", self.endpoint());
        let user = format!("{}:{}", self.key_id, self.secret);
        let sign = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
        let put = [
            "--silent",
            "--show-error",
            "--fail",
            "--request",
            "PUT",
            "--header",
            EMPTY_BODY,
            &url,
        ];
        run(&mut place.program("curl", &[&sign[..], &put].concat())).done();
        name
    }

    /// The variables that name this server, as its users set them.
    pub(crate) fn name_in_environment(&self, command: &mut Command, endpoint: &str) {
        command.env("AWS_ENDPOINT", endpoint).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", self.key_id).env("AWS_SECRET_ACCESS_KEY", self.secret);
    }

    /// The table `[s3]` of a configuration file that names this server.
    pub(crate) fn in_file(&self) -> String {
        format!(
            "[s3]\nendpoint = \"{}\"\nallow_http = true\nregion = \"us-east-1\"\naccess_key_id = \
             \"{}\"\nsecret_access_key = \"{}\"\n",
            self.endpoint(),
            self.key_id,
            self.secret
        )
    }
}
