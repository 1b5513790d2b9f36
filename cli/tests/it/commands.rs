//! Every command of the binary, as a person or a script would type it.

mod bench;
mod buckets;
mod damage;
mod demo;
mod exports;
mod folds;
mod imports;
mod instants;
mod past_rows;
mod rows;
mod settings;
mod tables;
mod upkeep;
mod verify;
