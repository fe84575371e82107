//! What a bench prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a bench is for")]

use serde_json::Value;

/// Prints the report as JSON, or the table made for people.
pub(crate) fn print(json: bool, report: &Value, table: &str) {
    if json {
        println!("{report:#}");
    } else {
        print!("{table}");
    }
}

/// Says what is under way.
pub(crate) fn tell(what: &str) {
    eprintln!("{what}");
}
