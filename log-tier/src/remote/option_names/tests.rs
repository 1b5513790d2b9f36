//! Misspelt options, and the names that are told for them.

use super::*;

#[test]
fn a_slip_finds_the_name_that_was_meant() {
    let check = |name: &str, expected: &str| {
        assert_eq!(near_options(name, S3_OPTIONS).first(), Some(&expected), "{name}");
    };
    check("aws_regoin", "aws_region");
    check("AWS_REGION", "aws_region");
    check("region", "aws_region");
    check("aws_acces_key_id", "aws_access_key_id");
    check("aws_endpoint-url", "aws_endpoint_url");
    assert!(near_options("colour", S3_OPTIONS).is_empty());
}

#[test]
fn all_names_are_ones_that_the_store_knows() {
    for name in S3_OPTIONS {
        assert!(name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok(), "{name}");
    }
}
