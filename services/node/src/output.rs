//! What the program says: text for people or one JSON document for programs, never both.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Failure, Kind};

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Text, or JSON.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the one JSON document is wanted; then nothing else may reach standard output.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// A line for people; silent when JSON is wanted.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            // A closed pipe is no failure of ours: the reader has seen enough.
            let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
        }
    }

    /// A line for people on standard error, in both modes: warnings that must not be missed.
    pub fn warn(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "warning: {}", text.as_ref());
    }

    /// The JSON document, or the text made from the same value.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.json {
            let document = serde_json::to_string_pretty(value)?;
            let _ = writeln!(std::io::stdout().lock(), "{document}");
        } else {
            let _ = writeln!(std::io::stdout().lock(), "{}", text(value).trim_end());
        }
        Ok(())
    }

    /// One line that a server is ready, as text or JSON, flushed: whoever started it may be waiting for it.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn ready<T: Serialize>(&self, value: &T, text: impl AsRef<str>) -> anyhow::Result<()> {
        let line = if self.json { serde_json::to_string(value)? } else { text.as_ref().to_owned() };
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        Ok(())
    }

    /// Tells the failure on standard error, as JSON when that is wanted, and gives the exit code.
    #[must_use]
    pub fn fail(&self, error: &anyhow::Error) -> ExitCode {
        let failure = Failure::of(error);
        let kind = failure.map_or(Kind::Failed, Failure::kind);
        let hint = failure.and_then(Failure::next_step);
        let mut stderr = std::io::stderr().lock();
        let _ = if self.json {
            let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
            let document = serde_json::json!({
                "error": { "kind": kind.word(), "message": error.to_string(), "causes": causes, "hint": hint }
            });
            writeln!(stderr, "{document}")
        } else {
            let causes: String = error.chain().skip(1).map(|cause| format!("\n  because: {cause}")).collect();
            let hint = hint.map(|hint| format!("\n  to do: {hint}")).unwrap_or_default();
            writeln!(stderr, "error: {error}{causes}{hint}")
        };
        ExitCode::from(kind.code())
    }
}
