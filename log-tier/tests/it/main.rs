//! The log tier against what it will meet outside: S3 servers, a directory, rival publishers.

mod s3;
