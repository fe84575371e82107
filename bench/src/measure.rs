//! CPU time, so that a busy machine does not blur the figures.

use std::ops::AddAssign;
use std::path::Path;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds this thread has used.
pub(crate) fn thread_seconds() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

/// CPU seconds all threads have used.
pub(crate) fn process_seconds() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// What something took: seconds by the wall, and CPU seconds of this thread.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

impl Cost {
    /// Does something and says what it took.
    pub(crate) fn of<R>(work: impl FnOnce() -> R) -> (R, Self) {
        let (start, begun) = (Instant::now(), thread_seconds());
        let result = work();
        (result, Self { wall: start.elapsed().as_secs_f64(), cpu: thread_seconds() - begun })
    }

    /// So many times as much.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { wall: self.wall * factor, cpu: self.cpu * factor }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}
