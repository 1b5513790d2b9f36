//! The engine from outside: whole databases on real directories and real buckets.

mod bucket_reader;
mod end_to_end;
mod histories;
mod kill;
mod model;
mod opening;
mod past_views;
mod recovery_cases;
mod support;
mod targets;
mod upkeep;
mod verify;
mod views;
