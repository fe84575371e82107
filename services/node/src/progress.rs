//! Progress people can see: on standard error, only on a terminal, never when JSON is wanted.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar for so many steps.
pub(crate) fn bar(output: &Output, what: &str, steps: u64) -> ProgressBar {
    styled(output, what, steps, "  {msg:34} {bar:30} {pos}/{len} {elapsed}")
}

/// A bar for so many bytes; 0 when nobody knows.
pub(crate) fn bytes(output: &Output, what: &str, bytes: u64) -> ProgressBar {
    match bytes {
        0 => styled(output, what, 0, "  {msg} {bytes} {elapsed}"),
        bytes => styled(output, what, bytes, "  {msg:34} {bar:30} {bytes}/{total_bytes} {elapsed}"),
    }
}

/// A sign of life for work that does not say how long it takes.
pub(crate) fn working(output: &Output, what: &str) -> ProgressBar {
    let bar = styled(output, what, 0, "  {spinner} {msg} {elapsed}");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn styled(output: &Output, what: &str, length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if output.json() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
