//! The engine from outside: whole databases on real directories and real buckets.

mod backups;
mod bucket_reader;
mod commits;
mod detached;
mod end_to_end;
mod histories;
mod kill;
mod model;
mod opening;
mod past_views;
mod point_reads;
mod recovery_cases;
mod restores;
mod schedules;
mod support;
mod targets;
mod upkeep;
mod verify;
mod views;
