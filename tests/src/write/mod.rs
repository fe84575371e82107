//! Writers that go on until they are killed. Each says on its output what was acknowledged to it, line by line.

pub mod hospital;
pub mod index;
pub mod ledger;
pub mod matcher;
pub mod publication;

use std::io::Write;

/// Says a line. It is in the pipe, and outlives this process, when this returns.
pub fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // The one who listens may be gone: then there is nobody to say it to.
    let _ = output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush());
}
