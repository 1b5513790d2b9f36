//! The log tier against what it will meet outside: S3 servers, a directory, several processes' worth
//! of publishers.

mod s3;
