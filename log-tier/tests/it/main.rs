//! The log tier against what it will meet outside: S3 servers, a directory, rival publishers.

mod fuzz;
mod golden;
mod s3;
