//! One of tantivy's segments, opened for our scoring. Its files never change; only the life of its cases does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;
use tantivy::columnar::ColumnValues;
use tantivy::index::SegmentId;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{InvertedIndexReader, SegmentReader};

use crate::accumulate::Entry;
use crate::columns::Columns;
use crate::error::IndexError;
use crate::forward::{Forward, Table};
use crate::postings::Postings;
use crate::schema::{EXPIRES, Fields, HANDLE_HIGH, HANDLE_LOW, HOSPITAL, LENGTH};

/// Seeking one case skips whole blocks of this many; shorter lists are read through.
const BLOCK: u64 = 128;

/// A segment's postings and metadata.
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) columns: Columns,
    handle_high: Arc<dyn ColumnValues>,
    handle_low: Arc<dyn ColumnValues>,
    postings: Arc<InvertedIndexReader>,
    /// Where each token's list stands: the dictionary walked once instead of once a query.
    lists: HashMap<Token, List>,
    pub(crate) forward: Forward,
}

/// A token of the segment: its number in the dictionary, and its list.
struct List {
    number: u32,
    place: TermInfo,
}

impl Segment {
    /// Reads the metadata of all cases and the dictionary.
    pub(crate) fn open(reader: &SegmentReader, fields: &Fields) -> Result<Self, IndexError> {
        let column = |name: &str| reader.fast_fields().u64(name).map(|column| column.first_or_default_col(0));
        let postings = reader.inverted_index(fields.token)?;
        let columns = read_columns(reader)?;
        let lists = read_lists(&postings)?;
        Ok(Self {
            id: reader.segment_id(),
            forward: read_forward(&columns, &lists, &postings)?,
            columns,
            handle_high: column(HANDLE_HIGH)?,
            handle_low: column(HANDLE_LOW)?,
            lists,
            postings,
        })
    }

    /// Marks as dead what was known to be dead where these cases came from.
    pub(crate) fn bury(&mut self, dead: &HashSet<u32>) {
        if dead.is_empty() {
            return;
        }
        let numbered = (0..).zip(self.columns.ordinals());
        let found: Vec<u32> = numbered.filter(|(_, ordinal)| dead.contains(ordinal)).map(|(case, _)| case).collect();
        found.into_iter().for_each(|case| self.columns.kill(case));
    }

    pub(crate) fn handle(&self, case: u32) -> Option<CaseHandle> {
        (case < self.columns.len()).then(|| {
            let (high, low) = (self.handle_high.get_val(case), self.handle_low.get_val(case));
            CaseHandle::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
        })
    }

    pub(crate) fn postings(&self, token: Token) -> Result<Option<Postings<'_>>, IndexError> {
        let Some(list) = self.lists.get(&token) else { return Ok(None) };
        let blocks = self.postings.read_block_postings_from_terminfo(&list.place, IndexRecordOption::Basic)?;
        Ok(Some(Postings::Stored(Box::new(blocks), 0)))
    }

    /// A query's entries by the numbers of this dictionary.
    pub(crate) fn table(&self, entries: &[(Entry, Token)]) -> Table {
        let number = |(entry, token): &(Entry, Token)| self.lists.get(token).map(|list| (list.number, *entry));
        Table::new(entries.iter().filter_map(number).collect(), self.lists.len())
    }

    /// The live cases of these names.
    pub(crate) fn find(&self, handles: &BTreeSet<CaseHandle>) -> Vec<u32> {
        if handles.is_empty() {
            return Vec::new();
        }
        let high = |handle: &CaseHandle| (u128::from_be_bytes(*handle.as_bytes()) >> 64) as u64;
        let wanted: HashSet<u64> = handles.iter().map(high).collect();
        // Half a name first: the other half is read only where that fits.
        let fits = |case: &u32| {
            wanted.contains(&self.handle_high.get_val(*case))
                && self.handle(*case).is_some_and(|handle| handles.contains(&handle))
        };
        self.columns.all_live().map(|(case, _)| case).filter(fits).collect()
    }

    /// How many of these cases (ascending) carry each token. There is no forward list: each token's list is asked.
    pub(crate) fn carried(&self, cases: &[u32]) -> Result<Vec<(Token, u32)>, IndexError> {
        let mut counts = Vec::new();
        if cases.is_empty() {
            return Ok(counts);
        }
        let mut among = vec![false; self.columns.len() as usize];
        for case in cases {
            if let Some(flag) = among.get_mut(*case as usize) {
                *flag = true;
            }
        }
        let mut blocks = BlockSegmentPostings::empty();
        for (token, list) in &self.lists {
            self.reset(&mut blocks, &list.place)?;
            let seek = u64::from(list.place.doc_freq) > BLOCK * 4 * cases.len() as u64;
            let count = if seek { count_seeking(&mut blocks, cases) } else { count_reading(&mut blocks, &among) };
            if count > 0 {
                counts.push((*token, count));
            }
        }
        Ok(counts)
    }

    /// How many live cases carry each token.
    pub(crate) fn frequencies(&self) -> Result<Vec<(Token, u32)>, IndexError> {
        let mut live = vec![false; self.columns.len() as usize];
        for (case, _) in self.columns.all_live() {
            if let Some(flag) = live.get_mut(case as usize) {
                *flag = true;
            }
        }
        let mut blocks = BlockSegmentPostings::empty();
        let mut counts = Vec::with_capacity(self.lists.len());
        for (token, list) in &self.lists {
            self.reset(&mut blocks, &list.place)?;
            counts.push((*token, count_reading(&mut blocks, &live)));
        }
        Ok(counts)
    }

    fn reset(&self, blocks: &mut BlockSegmentPostings, list: &TermInfo) -> Result<(), IndexError> {
        Ok(self.postings.reset_block_postings_from_terminfo(list, blocks)?)
    }
}

fn count_seeking(blocks: &mut BlockSegmentPostings, cases: &[u32]) -> u32 {
    let mut count = 0;
    for case in cases {
        let place = blocks.seek(*case);
        count += u32::from(blocks.docs().get(place) == Some(case));
    }
    count
}

fn count_reading(blocks: &mut BlockSegmentPostings, among: &[bool]) -> u32 {
    let mut count = 0;
    while !blocks.docs().is_empty() {
        for case in blocks.docs() {
            count += u32::from(among.get(*case as usize).copied().unwrap_or(false));
        }
        blocks.advance();
    }
    count
}

fn read_columns(reader: &SegmentReader) -> Result<Columns, IndexError> {
    let read = |name: &str| -> Result<Vec<u64>, IndexError> {
        let column = reader.fast_fields().u64(name)?.first_or_default_col(0);
        let mut values = vec![0; reader.max_doc() as usize];
        column.get_range(0, &mut values);
        Ok(values)
    };
    let (ordinals, hospitals) = (read(Fields::ordinal_name())?, read(HOSPITAL)?);
    let (lengths, expiries) = (read(LENGTH)?, read(EXPIRES)?);
    let mut columns = Columns::with_capacity(reader.max_doc() as usize);
    let damaged = |_| IndexError::Unusable("a column holds a number out of range");
    for (((ordinal, hospital), length), expires) in ordinals.into_iter().zip(hospitals).zip(lengths).zip(expiries) {
        let ordinal = u32::try_from(ordinal).map_err(damaged)?;
        let hospital = u16::try_from(hospital).map_err(damaged)?;
        let length = u8::try_from(length).map_err(damaged)?;
        columns.push(ordinal, hospital, length, Timestamp::from_millis(expires));
    }
    if reader.has_deletes() {
        (0..reader.max_doc()).filter(|case| reader.is_deleted(*case)).for_each(|case| columns.kill(case));
    }
    Ok(columns)
}

fn read_lists(postings: &InvertedIndexReader) -> Result<HashMap<Token, List>, IndexError> {
    let mut lists = HashMap::with_capacity(postings.terms().num_terms());
    let mut stream = postings.terms().stream()?;
    let mut numbers = 0..;
    while let (Some((key, list)), Some(number)) = (stream.next(), numbers.next()) {
        let key: [u8; 8] = key.try_into().map_err(|_| IndexError::Unusable("its dictionary holds no tokens"))?;
        lists.insert(Token(u64::from_be_bytes(key)), List { number, place: list.clone() });
    }
    Ok(lists)
}

fn read_forward(
    columns: &Columns,
    lists: &HashMap<Token, List>,
    postings: &InvertedIndexReader,
) -> Result<Forward, IndexError> {
    let mut forward = Forward::with_lengths(columns.lengths(), lists.len());
    let mut filled = vec![0; columns.len() as usize];
    let mut blocks = BlockSegmentPostings::empty();
    for list in lists.values() {
        postings.reset_block_postings_from_terminfo(&list.place, &mut blocks)?;
        while !blocks.docs().is_empty() {
            blocks.docs().iter().for_each(|case| forward.put(*case, list.number, &mut filled));
            blocks.advance();
        }
    }
    Ok(forward)
}
