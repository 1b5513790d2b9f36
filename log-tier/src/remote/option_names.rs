//! The names of the options that stores on the network take, and the ones near a misspelt name.

use std::collections::BTreeSet;

use crate::Error;
use crate::near_names::near_names;

/// Options of S3 stores. The bucket comes from its URL; and whether puts are conditional is no
/// option, since that is what keeps two writers apart.
pub(super) const S3_OPTIONS: &[&str] = &[
    "aws_access_key_id",
    "aws_allow_http",
    "aws_allow_invalid_certificates",
    "aws_checksum_algorithm",
    "aws_connect_timeout",
    "aws_container_authorization_token_file",
    "aws_container_credentials_full_uri",
    "aws_container_credentials_relative_uri",
    "aws_default_region",
    "aws_disable_tagging",
    "aws_endpoint",
    "aws_endpoint_url",
    "aws_endpoint_url_s3",
    "aws_endpoint_url_sts",
    "aws_http1_only",
    "aws_http2_only",
    "aws_imdsv1_fallback",
    "aws_metadata_endpoint",
    "aws_pool_idle_timeout",
    "aws_pool_max_idle_per_host",
    "aws_proxy_ca_certificate",
    "aws_proxy_excludes",
    "aws_proxy_url",
    "aws_region",
    "aws_request_payer",
    "aws_role_arn",
    "aws_role_session_name",
    "aws_s3_express",
    "aws_secret_access_key",
    "aws_server_side_encryption",
    "aws_session_token",
    "aws_skip_signature",
    "aws_sse_bucket_key_enabled",
    "aws_sse_customer_key_base64",
    "aws_sse_kms_key_id",
    "aws_timeout",
    "aws_unsigned_payload",
    "aws_user_agent",
    "aws_virtual_hosted_style_request",
    "aws_web_identity_token_file",
];

/// Options of Google Cloud Storage.
#[cfg(feature = "gcs")]
pub(super) const GCS_OPTIONS: &[&str] = &[
    "google_application_credentials",
    "google_base_url",
    "google_connect_timeout",
    "google_proxy_url",
    "google_service_account",
    "google_service_account_key",
    "google_skip_signature",
    "google_timeout",
    "google_user_agent",
];

/// Options of Azure Blob Storage.
#[cfg(feature = "azure")]
pub(super) const AZURE_OPTIONS: &[&str] = &[
    "azure_allow_http",
    "azure_connect_timeout",
    "azure_endpoint",
    "azure_federated_token_file",
    "azure_msi_endpoint",
    "azure_msi_resource_id",
    "azure_object_id",
    "azure_proxy_url",
    "azure_skip_signature",
    "azure_storage_access_key",
    "azure_storage_account_name",
    "azure_storage_authority_host",
    "azure_storage_client_id",
    "azure_storage_client_secret",
    "azure_storage_sas_token",
    "azure_storage_tenant_id",
    "azure_storage_token",
    "azure_timeout",
    "azure_use_azure_cli",
    "azure_use_emulator",
    "azure_user_agent",
];

/// How many near names an error tells.
const NEAR_NAMES_MAX: usize = 3;

/// What a user is told about the option `name`, which is none of `known`.
pub(super) fn unknown_option(name: &str, known: &[&str]) -> Error {
    let near = near_options(name, known);
    let advice = if near.is_empty() {
        format!("the options are {}", known.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Error::Unsupported(format!("the bucket's store has no option {name:?}; {advice}"))
}

/// The names that `name` is a part of, and those that it may be a slip for.
fn near_options<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    let lowercase = name.to_ascii_lowercase();
    let is_part = |known: &&&str| !name.is_empty() && known.contains(&lowercase);
    let mut near: Vec<_> = known.iter().filter(is_part).copied().collect();
    near.sort_unstable_by_key(|known| (known.len(), *known));
    near.extend(near_names(name, known.iter().copied()));
    let mut seen = BTreeSet::new();
    near.retain(|known| seen.insert(*known));
    near.truncate(NEAR_NAMES_MAX);
    near
}

#[cfg(test)]
mod tests;
