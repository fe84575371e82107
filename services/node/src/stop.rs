//! Graceful stop: SIGTERM and SIGINT end the accepting of work; what was accepted is finished.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled at SIGTERM or SIGINT; a second signal ends the process at once, as the system's default
/// would.
///
/// # Errors
/// The signals cannot be caught.
#[cfg(unix)]
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping: no new work is accepted");
        cancelled.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "stopping at once");
        std::process::exit(i32::from(crate::Kind::Failed.code()));
    });
    Ok(token)
}

/// A token that is cancelled at Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancelled.cancel();
        }
    });
    Ok(token)
}
