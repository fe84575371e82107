//! A hospital's case, as far as others may know of it.

use crate::encode::{Writer, domain};
use crate::id::{Digest, NetworkId, OrganisationId};

/// The salted commitment to a local case: BLAKE3 keyed with the salt over the statement `semblance/case-commitment`
/// version 1 (network), hospital, local case id.
///
/// The salt is drawn once for a consent and stays at the hospital: whoever knows it and the local id can show that
/// consent, published case and look-up speak of one case, and nobody else can guess the id.
#[must_use]
pub fn case_commitment(salt: &[u8; 32], network: NetworkId, hospital: &OrganisationId, local_id: &str) -> Digest {
    let mut writer = Writer::statement(domain::CASE_COMMITMENT, 1, network);
    hospital.write(&mut writer);
    writer.text(local_id);
    Digest::from_bytes(*blake3::keyed_hash(salt, &writer.finish()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let commit = |salt, network, hospital: &str, id: &str| {
            let hospital = OrganisationId::new(hospital).unwrap();
            case_commitment(&[salt; 32], NetworkId::from_bytes([network; 16]), &hospital, id)
        };
        let base = commit(1, 1, "north", "4711");
        assert_eq!(base, commit(1, 1, "north", "4711"));
        let others = [commit(2, 1, "north", "4711"), commit(1, 2, "north", "4711"), commit(1, 1, "south", "4711")];
        assert!(others.iter().all(|other| *other != base) && base != commit(1, 1, "north", "4712"));
    }
}
