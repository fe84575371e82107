//! What happened in a demo, for programs and in plain words.

use std::fmt::Write as _;
use std::path::PathBuf;

use semblance_core::limits::TERMS_FOR_WIDE;
use semblance_hospital::lookup::LookupReport;
use serde::Serialize;

use super::patients::SourceReport;
use super::secrecy::Search;
use super::talk::told::{Group, Met, Overheard, Parting};
use crate::failure::{Failure, Kind};
use crate::show::finding;

/// One party of the demo.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Party {
    /// Its organisation.
    pub(super) organisation: String,
    /// hospital or matcher.
    pub(super) kind: String,
    /// Where it listens.
    pub(super) address: String,
    /// Where its keys and data lie.
    pub(super) folder: PathBuf,
}

/// A hospital's part in filling the network.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Filled {
    /// The hospital.
    pub(super) hospital: String,
    /// Cases it imported, or had before.
    pub(super) cases: u64,
    /// Of these, published.
    pub(super) published: u64,
    /// Refused on the way, with the reason's code.
    pub(super) refused: Vec<String>,
}

/// A look-up and who asked.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    /// The asking hospital.
    pub(super) hospital: String,
    /// The disease of the case, known to the asking hospital alone.
    pub(super) disease: Option<String>,
    /// What was found.
    #[serde(flatten)]
    pub(super) report: LookupReport,
}

/// A receipt that a hospital opened.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OpenedReceipt {
    /// The hospital of the found case.
    pub(super) hospital: String,
    /// The found case, as that hospital calls it.
    pub(super) case: Option<String>,
    /// Its public name.
    pub(super) handle: String,
    /// Who found it.
    pub(super) asker: String,
    /// What for.
    pub(super) purpose: String,
    /// At which place of the answer.
    pub(super) rank: u8,
    /// In which look-up.
    pub(super) request: String,
}

/// A withdrawn consent.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Withdrawn {
    /// The hospital whose patient withdrew.
    pub(super) hospital: String,
    /// The case's public name.
    pub(super) handle: String,
    /// Its place in the first answer.
    pub(super) rank_before: u8,
    /// Whether the same question no longer finds it.
    pub(super) gone: bool,
    /// Publications whose private data were purged.
    pub(super) purged: u64,
    /// The block that holds the next answer's entry.
    pub(super) block: u64,
}

/// The chain, checked from its first block.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verified {
    /// Which ledger it is.
    pub(super) ledger: String,
    /// Blocks read.
    pub(super) blocks: u64,
    /// The hash of the last one.
    pub(super) head: String,
    /// Whether every hash, link, signature and rule holds.
    pub(super) intact: bool,
}

/// Everything, in order.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    /// Whether the patients were made up.
    pub(super) synthetic: bool,
    /// What became of the rows of the source, for patients that were not made up.
    pub(super) source: Option<SourceReport>,
    /// Whether an earlier demo's folder was taken up again.
    pub(super) resumed: bool,
    /// The state's folder; gone at the end unless it was named.
    pub(super) data: PathBuf,
    /// The network's id.
    pub(super) network: String,
    /// The vocabulary's HPO release.
    pub(super) vocabulary: String,
    /// Who takes part.
    pub(super) parties: Vec<Party>,
    /// What each hospital brought.
    pub(super) filled: Vec<Filled>,
    /// What was asked and found.
    pub(super) lookups: Vec<Asked>,
    /// The receipts of these look-ups, the last one's left out.
    pub(super) receipts: Vec<OpenedReceipt>,
    /// The channel of the first match; this and all that follows is none when no case was found.
    pub(super) channel: Option<Met>,
    /// The symptom group.
    pub(super) group: Option<Group>,
    /// The withdrawal.
    pub(super) withdrawal: Option<Withdrawn>,
    /// What it meant for channels.
    pub(super) parting: Option<Parting>,
    /// The first question with a match, asked again after that.
    pub(super) asked_again: Option<Asked>,
    /// The chain.
    pub(super) chain: Verified,
    /// The ledger's and the matcher's files.
    pub(super) plaintext: Search,
    /// The hubs' and the ledger's files, searched for what was said.
    pub(super) overheard: Option<Overheard>,
    /// Seconds each part took.
    pub(super) seconds: Vec<(String, f64)>,
}

/// Receipts told one by one.
const RECEIPTS_TOLD: usize = 5;

impl Story {
    /// Whether everything a demo promises came true.
    pub(super) fn holds(&self) -> Result<(), Failure> {
        let broken = |why: String| Err(Failure::new(Kind::Failed, format!("the demo does not hold: {why}")));
        if !self.chain.intact {
            return broken("the chain does not verify".to_owned());
        }
        if self.plaintext.files == 0 {
            return broken("no file of the ledger and the matchers was searched".to_owned());
        }
        if let Some(file) = self.plaintext.found.first() {
            return broken(format!("{} holds a plaintext symptom or a case's local name", file.display()));
        }
        if self.lookups.iter().any(|asked| !asked.report.failed.is_empty()) {
            return broken("the own ledger does not confirm every match".to_owned());
        }
        let found: usize = self.lookups.iter().map(|asked| asked.report.matches.len()).sum();
        if found == 0 {
            return Err(self.nothing_found());
        }
        if self.receipts.len() != found {
            return broken(format!("{found} cases were found, but {} receipts opened", self.receipts.len()));
        }
        match &self.withdrawal {
            None => broken("no case was withdrawn".to_owned()),
            Some(withdrawal) if !withdrawal.gone => broken("the withdrawn case is still found".to_owned()),
            Some(withdrawal) if withdrawal.purged == 0 => {
                broken("the withdrawn case's private data were not purged".to_owned())
            }
            Some(_) => self.broken_talk().map_or(Ok(()), broken),
        }
    }

    /// What of the channels' promises did not come true.
    fn broken_talk(&self) -> Option<String> {
        let missing = |what: &str| Some(what.to_owned());
        if !self.channel.as_ref().is_some_and(Met::holds) {
            return missing("two clinicians and a patient of a match did not read each other in a channel");
        }
        if !self.group.as_ref().is_some_and(Group::holds) {
            return missing("people of three hospitals did not read each other in a symptom group");
        }
        match (&self.parting, &self.overheard) {
            (None, _) => missing("nobody withdrew from a channel"),
            (_, None) => missing("the hubs' files were not searched for what was said"),
            (Some(parting), Some(overheard)) => parting.broken().or_else(|| overheard.broken()),
        }
    }

    fn nothing_found(&self) -> Failure {
        let what = match self.lookups.len() {
            0 => format!("nothing similar was found: no patient has the {TERMS_FOR_WIDE} symptoms to ask with"),
            count => {
                format!("nothing similar was found in {count} look-ups, so receipts and withdrawal were not shown")
            }
        };
        let hint = if self.synthetic {
            "try more patients, for example --patients 300: a case is found when several others share its symptoms"
        } else {
            "try more cases: a case is found when cases of other hospitals share three symptoms with it; without \
             --cases the demo makes 300 patients up"
        };
        Failure::new(Kind::Failed, what).hint(hint)
    }

    /// The end of the story in words; its beginning was told while it happened.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        for asked in &self.lookups {
            let disease = asked.disease.as_deref().map(|disease| format!(", whose own patient has {disease}"));
            let _ = writeln!(text, "{}{} asks", asked.hospital, disease.unwrap_or_default());
            let _ = writeln!(text, "{}", finding(&asked.report));
        }
        self.tell_receipts(&mut text);
        self.channel.iter().for_each(|met| met.tell(&mut text));
        self.group.iter().for_each(|group| group.tell(&mut text));
        if let Some(withdrawal) = &self.withdrawal {
            let Withdrawn { hospital, handle, rank_before, gone, .. } = withdrawal;
            let end = if *gone { "it is gone from the next answer" } else { "IT IS STILL FOUND" };
            let short = handle.get(..12).unwrap_or(handle);
            let _ = writeln!(
                text,
                "a patient of {hospital} withdrew: case {short}…, found at place {rank_before} before; {end}"
            );
        }
        match &self.parting {
            Some(parting) => parting.tell(&mut text),
            None => text.push('\n'),
        }
        let chain = if self.chain.intact { "every hash, link and signature holds" } else { "IT DOES NOT VERIFY" };
        let _ = writeln!(
            text,
            "ledger ({}): {} blocks, {chain}; head {}",
            self.chain.ledger, self.chain.blocks, self.chain.head
        );
        let Search { files, bytes, words, found } = &self.plaintext;
        let secrecy = if found.is_empty() { "no plaintext symptom" } else { "PLAINTEXT" };
        let _ = writeln!(
            text,
            "ledger's and matchers' files: {files} files, {bytes} bytes, {secrecy} in them (searched for HP: and HP_ \
             ids, and for {words} labels and local names of the cases that asked)"
        );
        self.overheard.iter().for_each(|overheard| overheard.tell(&mut text));
        let seconds: Vec<String> = self.seconds.iter().map(|(part, time)| format!("{part} {time:.1} s")).collect();
        let _ = writeln!(text, "took: {}", seconds.join(", "));
        text
    }

    fn tell_receipts(&self, text: &mut String) {
        let _ = writeln!(text, "the hospitals opened {} receipts of these look-ups, for example", self.receipts.len());
        for receipt in self.receipts.iter().take(RECEIPTS_TOLD) {
            let OpenedReceipt { hospital, case, asker, purpose, rank, .. } = receipt;
            let case = case.as_deref().unwrap_or("a case withdrawn since");
            let _ = writeln!(text, "  {hospital}: {case} was found by {asker} at place {rank} (purpose: {purpose})");
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests;
