//! How far the shown score can be trusted: the share of shown cases that have the query's disease, by score.

use semblance_core::query::Breadth;
use serde_json::{Value, json};

use super::tokens::Collection;
use crate::cases::Case;

/// Thousandths of the shown score in one row.
const STEP: u64 = 50;
const ROWS: usize = 20;

/// What clean queries were shown, floor aside.
pub(super) struct Calibration {
    breadth: Breadth,
    queries: usize,
    /// Queries that are shown at least one case.
    answered: usize,
    /// Queries that still are with a floor at the row's lower end.
    answered_from: [usize; ROWS],
    /// Shown cases, and those of the query's disease.
    rows: [(usize, usize); ROWS],
}

impl Calibration {
    pub(super) const fn new(breadth: Breadth) -> Self {
        Self { breadth, queries: 0, answered: 0, answered_from: [0; ROWS], rows: [(0, 0); ROWS] }
    }

    /// Asks all queries.
    pub(super) fn add(&mut self, collection: &Collection<'_>, queries: &[Case]) -> anyhow::Result<()> {
        for query in queries {
            let shown = collection.shown(query, self.breadth)?;
            self.queries += 1;
            self.answered += usize::from(!shown.is_empty());
            let best = shown.iter().map(|(thousandths, _)| row(*thousandths)).max();
            for answered in self.answered_from.iter_mut().take(best.map_or(0, |best| best + 1)) {
                *answered += 1;
            }
            for (thousandths, right) in shown {
                if let Some((cases, of_disease)) = self.rows.get_mut(row(thousandths)) {
                    *cases += 1;
                    *of_disease += usize::from(right);
                }
            }
        }
        Ok(())
    }

    /// The breadth's name.
    pub(super) const fn name(&self) -> &'static str {
        match self.breadth {
            Breadth::Close => "close",
            Breadth::Wide => "wide",
        }
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!(
            "\nshown score, {}: {:.3} of clean queries are shown a case (3 shared tokens, no floor)\n\
             from   cases  same disease  queries answered with a floor here\n",
            self.name(),
            share(self.answered, self.queries),
        );
        for ((from, (cases, right)), answered) in (0..).zip(self.rows).zip(self.answered_from) {
            let from = share(from, ROWS);
            let (right, answered) = (share(right, cases), share(answered, self.queries));
            table.push_str(&format!("{from:.2} {cases:>7}  {right:.3}         {answered:.3}\n"));
        }
        table
    }

    pub(super) fn json(&self) -> Value {
        let row = |((from, (cases, right)), answered): ((u64, (usize, usize)), usize)| {
            json!({
                "from_thousandths": from * STEP,
                "cases": cases,
                "same_disease": share(right, cases),
                "answered": share(answered, self.queries),
            })
        };
        let rows: Vec<Value> = (0..).zip(self.rows).zip(self.answered_from).map(row).collect();
        json!({ "answered_without_floor": share(self.answered, self.queries), "rows": rows })
    }
}

fn row(thousandths: u64) -> usize {
    usize::try_from(thousandths / STEP).unwrap_or(ROWS).min(ROWS - 1)
}

fn share(part: usize, whole: usize) -> f64 {
    let share = part as f64 / whole.max(1) as f64;
    (share * 10_000.0).round() / 10_000.0
}
