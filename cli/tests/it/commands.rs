//! Every command of the binary, as a person or a script would type it.

mod backups;
mod bench;
mod buckets;
mod damage;
mod demo;
mod exports;
mod folds;
mod imports;
mod instants;
mod past_rows;
mod restores;
mod retention;
mod rows;
mod schedules;
mod settings;
mod tables;
mod upkeep;
mod verify;
