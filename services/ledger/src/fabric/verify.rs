//! Verifies a channel's history as a peer delivers it, and believes nothing in it: numbers, hash chain, orderers'
//! signatures, who submitted and who endorsed, what the contract did, and every validation code.
//!
//! Trusted is block 0 alone, which founded the channel; whether it is the right one, and that nobody rewrote all of it,
//! shows a kept head ([`crate::embedded::verify::check_head`]). Not checked: the dates of certificates (what they signed
//! was signed then), whether administrators signed a new configuration (a quorum of the orderers did), and claims that a
//! range of more than a hundred rows had changed, of which blocks hold a hash only.

mod call;
mod definition;
mod walk;

use futures::StreamExt;
use semblance_contract::Contract;
use semblance_fabric::proto::common::Block;

use super::FabricLedger;
use super::follow::failed;
use crate::embedded::verify::{Progress, Report};
use crate::{Ledger, LedgerError};
use walk::Walk;

/// Verifies blocks that somebody has kept, from the channel's first one on.
///
/// # Errors
/// There is no room for a copy of the public state. What is wrong with the history is a finding.
pub fn verify_blocks(
    contract: &dyn Contract,
    chaincode: &str,
    blocks: impl IntoIterator<Item = Block>,
) -> Result<Report, LedgerError> {
    let mut walk = Walk::new(contract, chaincode).map_err(LedgerError::Storage)?;
    for block in blocks {
        walk.block(block);
        if !walk.is_sound() {
            break;
        }
    }
    Ok(walk.finish())
}

impl FabricLedger {
    /// Verifies the history up to the newest block there is now, as the first of the organisation's peers that answers
    /// delivers it; `progress` is told how far it is.
    ///
    /// # Errors
    /// No peer answers, or it stops delivering. What is wrong with the history is a finding.
    pub async fn verify(
        &self,
        contract: &dyn Contract,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, LedgerError> {
        let height = self.height().await?;
        let mut walk = Walk::new(contract, &self.chaincode).map_err(LedgerError::Storage)?;
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.peers.in_order() {
            if walk.next() >= height || !walk.is_sound() {
                break;
            }
            // Where one peer breaks off the next one goes on: blocks are the same everywhere.
            let opened = network.blocks(walk.next(), Some(height.saturating_sub(1))).await;
            let mut blocks = match opened {
                Ok(blocks) => blocks,
                Err(error) => {
                    last = failed(&error);
                    continue;
                }
            };
            while let Some(block) = blocks.next().await {
                match block {
                    Ok(block) => walk.block(block),
                    Err(error) => {
                        last = failed(&error);
                        break;
                    }
                }
                progress(Progress { blocks: walk.next(), of: height });
                if !walk.is_sound() {
                    break;
                }
            }
        }
        if walk.is_sound() && walk.next() < height {
            return Err(last);
        }
        Ok(walk.finish())
    }
}
