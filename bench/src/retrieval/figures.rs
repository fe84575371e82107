//! From ranks to figures.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Ranking;
use crate::cases::Case;

/// The rank of the first right case for each query, with the query's disease.
pub(super) type Ranks = Vec<(usize, Option<usize>)>;

/// Asks all queries, on as many threads as the machine has.
pub(super) fn ranks(ranking: &dyn Ranking, queries: &[Case]) -> anyhow::Result<Ranks> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = queries.len().div_ceil(threads).max(1);
    let ask = |queries: &[Case]| -> anyhow::Result<Ranks> {
        queries.iter().map(|query| Ok((query.disease, ranking.rank(query)?))).collect()
    };
    let mut ranks = Ranks::with_capacity(queries.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = queries.chunks(share).map(|chunk| scope.spawn(move || ask(chunk))).collect();
        for thread in running {
            ranks.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread of the bench failed"))??);
        }
        Ok(ranks)
    })
}

/// Shares of queries.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Figures {
    #[serde(serialize_with = "rounded")]
    hit1: f64,
    #[serde(serialize_with = "rounded")]
    hit10: f64,
    #[serde(serialize_with = "rounded")]
    hit50: f64,
    #[serde(serialize_with = "rounded")]
    mrr: f64,
}

impl Figures {
    fn of(rank: Option<usize>) -> Self {
        let within = |limit: usize| f64::from(u8::from(rank.is_some_and(|rank| rank <= limit)));
        let mrr = rank.map_or(0.0, |rank| 1.0 / f64::from(u32::try_from(rank).unwrap_or(u32::MAX)));
        Self { hit1: within(1), hit10: within(10), hit50: within(50), mrr }
    }

    fn mean(all: &[Self]) -> Self {
        let count = f64::from(u32::try_from(all.len().max(1)).unwrap_or(u32::MAX));
        let mean = |part: fn(&Self) -> f64| all.iter().map(part).sum::<f64>() / count;
        Self {
            hit1: mean(|one| one.hit1),
            hit10: mean(|one| one.hit10),
            hit50: mean(|one| one.hit50),
            mrr: mean(|one| one.mrr),
        }
    }
}

fn rounded<S: serde::Serializer>(share: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((share * 10_000.0).round() / 10_000.0)
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}  {:.3}  {:.3}  {:.3}", self.hit1, self.hit10, self.hit50, self.mrr)
    }
}

/// Figures of several seeds.
#[derive(Default)]
pub(super) struct Tally(Vec<Figures>);

impl Tally {
    /// Averages one seed's ranks over the queries of each disease, then over diseases.
    pub(super) fn add_seed(&mut self, ranks: &Ranks) {
        let mut diseases: BTreeMap<usize, Vec<Figures>> = BTreeMap::new();
        for (disease, rank) in ranks {
            diseases.entry(*disease).or_default().push(Figures::of(*rank));
        }
        let means: Vec<Figures> = diseases.values().map(|figures| Figures::mean(figures)).collect();
        self.0.push(Figures::mean(&means));
    }

    /// The mean over seeds.
    pub(super) fn figures(&self) -> Figures {
        Figures::mean(&self.0)
    }
}
