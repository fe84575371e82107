//! Tantivy as it comes: boolean queries of boosted terms under its own BM25, summed rather than grouped.

use std::collections::HashSet;
use std::path::Path;

use semblance_core::query::{Query as Question, Weight};
use semblance_core::token::Token;
use semblance_index::IndexedCase;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{BooleanQuery, BoostQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, Searcher, TantivyDocument, Term};

/// An index with frequencies and norms, which its pruning needs.
pub(crate) struct Stock {
    searcher: Searcher,
    token: Field,
}

impl Stock {
    pub(crate) fn new(folder: &Path, cases: &[IndexedCase], withdrawn: &HashSet<u32>) -> anyhow::Result<Self> {
        let mut builder = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("whitespace")
            .set_index_option(IndexRecordOption::WithFreqs)
            .set_fieldnorms(true);
        let token = builder.add_text_field("token", TextOptions::default().set_indexing_options(indexing));
        let ordinal = builder.add_u64_field("ordinal", NumericOptions::default().set_fast().set_indexed());
        let index = Index::create_in_dir(folder, builder.build())?;
        let mut writer = index.writer_with_num_threads(1, 256 << 20)?;
        for case in cases {
            let mut document = TantivyDocument::new();
            let words: Vec<String> = case.tokens().iter().map(word).collect();
            document.add_text(token, words.join(" "));
            document.add_u64(ordinal, u64::from(case.ordinal()));
            writer.add_document(document)?;
        }
        writer.commit()?;
        for gone in withdrawn {
            writer.delete_term(Term::from_field_u64(ordinal, u64::from(*gone)));
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        Ok(Self { searcher: index.reader()?.searcher(), token })
    }

    /// A query for both ways of searching.
    pub(crate) fn query(&self, question: &Question) -> BooleanQuery {
        let mut clauses: Vec<Box<dyn Query>> = Vec::new();
        for group in question.groups() {
            clauses.push(self.clause(&group.own, Weight::OWN));
            clauses.extend(group.relatives.iter().map(|token| self.clause(token, Weight::RELATIVE)));
        }
        BooleanQuery::union(clauses)
    }

    fn clause(&self, token: &Token, weight: Weight) -> Box<dyn Query> {
        let term = TermQuery::new(Term::from_field_text(self.token, &word(token)), IndexRecordOption::WithFreqs);
        Box::new(BoostQuery::new(Box::new(term), f32::from(weight.tenths()) / 10.0))
    }

    /// Its default for the best k: block-max WAND.
    pub(crate) fn search_pruning(&self, query: &BooleanQuery, wanted: usize) -> anyhow::Result<usize> {
        Ok(self.searcher.search(query, &TopDocs::with_limit(wanted).order_by_score())?.len())
    }

    /// Every matching case scored, by asking for the count as well.
    pub(crate) fn search_all(&self, query: &BooleanQuery, wanted: usize) -> anyhow::Result<usize> {
        Ok(self.searcher.search(query, &(TopDocs::with_limit(wanted).order_by_score(), Count))?.0.len())
    }
}

fn word(token: &Token) -> String {
    format!("{:016x}", token.0)
}
