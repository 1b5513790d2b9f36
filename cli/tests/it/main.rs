//! The integration tests of the command line, and of the workspace as a whole.

mod tidy;
