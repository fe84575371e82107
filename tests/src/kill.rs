//! Runs a writer in a process of its own and kills it in the middle.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// So many rounds a crash test runs: `SEMBLANCE_CRASH_ROUNDS`, or this many.
#[must_use]
pub fn rounds(usual: u64) -> u64 {
    let asked = std::env::var("SEMBLANCE_CRASH_ROUNDS");
    asked.ok().map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Draws when to kill: `SEMBLANCE_CRASH_SEED` begins another series.
pub struct Moments(ChaCha20Rng);

impl Default for Moments {
    fn default() -> Self {
        let seed = std::env::var("SEMBLANCE_CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
        Self(ChaCha20Rng::seed_from_u64(seed))
    }
}

impl Moments {
    /// Up to so long after the writer has begun.
    pub fn next(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(f64::from(self.0.next_u32()) / f64::from(u32::MAX))
    }
}

/// Starts a writer, waits for its first line, which says that it writes, then so long; kills it with SIGKILL and
/// returns the whole lines it said after the first. A line cut short was not said.
#[must_use]
pub fn run_and_kill(program: &Path, arguments: &[&OsStr], after: Duration) -> Vec<String> {
    let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (began, begins) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = output.read(&mut piece) {
            said.extend_from_slice(&piece[..read]);
            if said.contains(&b'\n') {
                let _ = began.send(());
            }
        }
        said
    });
    assert!(begins.recv().is_ok(), "the writer ended before it began: see its message above");
    std::thread::sleep(after);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success() || cfg!(not(unix)), "the writer ended by itself: it has too little to write");
    let said = String::from_utf8(reader.join().unwrap()).unwrap();
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole.lines().skip(1).map(str::to_owned).collect()
}

/// What follows a word in the lines that begin with it.
pub fn after<'a>(lines: &'a [String], word: &'static str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
}
