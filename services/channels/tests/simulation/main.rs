//! Hostile schedules: a seed draws hospitals, devices and what happens to them; then everything heals, and what was
//! promised must hold.
//!
//! `SEMBLANCE_SEEDS` is how many seeds are tried, from `SEMBLANCE_FIRST` on. A failing one is cut down to the
//! operations that matter and printed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test: what does not hold fails at once, and what happened is told"
)]

mod carry;
mod check;
mod counts;
mod draw;
mod drive;
mod forge;
mod people;
mod plan;
mod play;
mod settle;
mod stories;
mod submit;
mod trap;
mod truth;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use semblance_core::time::Timestamp;

use crate::counts::Counts;
use crate::plan::Plan;
use crate::play::Simulation;

/// openmls reads the system's clock when it checks a key package; the world begins at the same moment.
#[expect(clippy::disallowed_methods, reason = "openmls checks lifetimes against this clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// What happened, or what does not hold.
fn run(plan: &Plan) -> Result<Counts, Vec<String>> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let mut simulation = Simulation::new(plan, now());
        for (number, operation) in plan.operations.iter().enumerate() {
            simulation.play(number, operation);
        }
        simulation.settle();
        for device in 0..plan.devices.len() {
            (0..plan.channels.len()).for_each(|channel| simulation.say(device, channel));
        }
        simulation.settle();
        simulation.check();
        let failures = std::mem::take(&mut simulation.truth.failures);
        if failures.is_empty() { Ok(simulation.counts) } else { Err(failures) }
    }));
    told.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(vec![text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()])
    })
}

/// The operations without which a failing plan would not fail.
fn cut_down(plan: &Plan) -> Plan {
    let kinds = |failures: Vec<String>| {
        let kind = |text: String| text.chars().filter(|one| !one.is_ascii_digit()).take(60).collect::<String>();
        failures.into_iter().map(kind).collect::<std::collections::BTreeSet<_>>()
    };
    let Err(failures) = run(plan) else { return plan.clone() };
    let wanted = kinds(failures);
    let mut small = plan.clone();
    let mut size = small.operations.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < small.operations.len() {
            let mut smaller = small.clone();
            smaller.operations.drain(start..(start + size).min(smaller.operations.len()));
            let alike = run(&smaller).is_err_and(|failures| !kinds(failures).is_disjoint(&wanted));
            if alike { small = smaller } else { start += size }
        }
        size /= 2;
    }
    small
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn hostile_schedules_heal() {
    let (first, seeds) = (number("SEMBLANCE_FIRST", 0), number("SEMBLANCE_SEEDS", 300));
    let (next, counts, failed) = (AtomicU64::new(first), Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    let most = number("SEMBLANCE_FAILURES", 1);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while failed.lock().unwrap().len() < most as usize {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    match run(&draw::plan(seed)) {
                        Ok(told) => counts.lock().unwrap().join(&told),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    println!("| {seeds} seeds | |\n|---|---|\n{}", counts.into_inner().unwrap());
    let failed = failed.into_inner().unwrap();
    for seed in &failed {
        let plan = draw::plan(*seed);
        let small = cut_down(&plan);
        println!("seed {seed}: {:#?}\ncut down to {small:?}: {:#?}", run(&plan).err(), run(&small).err());
    }
    assert!(failed.is_empty(), "seeds {failed:?} failed");
}
