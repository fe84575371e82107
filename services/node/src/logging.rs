//! Logs: to standard error, as text or one JSON object a line. No symptom, token or message text is ever a field.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging with the filter given or, without one, the command's own level.
///
/// # Errors
/// The filter cannot be read.
pub(crate) fn start(filter: Option<&str>, json: bool, default: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).map_err(|error| {
        Failure::usage(format!("the log filter cannot be read: {error}"))
            .hint("give a level (error, warn, info, debug, trace) or target=level pairs with commas")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first logger.
    let _ = if json { builder.json().try_init() } else { builder.compact().try_init() };
    Ok(())
}
