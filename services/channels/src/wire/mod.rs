//! What clients, homes and hubs tell each other, in the layouts of [`semblance_core::encode`].

mod call;
mod charter;
mod facts;
mod item;
mod refusal;
mod submission;

pub use call::{Answer, DeviceCall, HubCall, KeyPackageUpload, Offer, Piece};
pub use charter::{Charter, CharterError, Opening, Terms};
pub use facts::{ConsentFact, Facts, MemberKeys};
pub use item::{Body, Ground, Item, WelcomePackage};
pub use refusal::Refusal;
pub use submission::{Admission, Commit, Creation, Note, RejoinInfo, Submission};

use semblance_core::attestation::LeafProof;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::record::Record;

fn write_proofs(writer: &mut Writer, proofs: &[LeafProof]) {
    writer.count(proofs.len());
    for proof in proofs {
        Record::write(proof, writer);
    }
}

fn read_proofs(reader: &mut Reader<'_>, limit: usize) -> Result<Vec<LeafProof>, DecodeError> {
    let count = reader.count("leaf proofs", limit)?;
    (0..count).map(|_| LeafProof::read(reader)).collect()
}
