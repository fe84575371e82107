//! The demo: several parties in one process, each with its own keys, folder and connections.

mod patients;
mod secrecy;
mod story;
