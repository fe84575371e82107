//! `[node]`: who this is.

use std::path::PathBuf;

use serde::Deserialize;

/// Who this node is and where its files lie.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// The organisation's name in the network.
    pub organisation: String,
    /// The folder of the node's data; made when it is missing.
    pub data: PathBuf,
    /// The network's genesis file: its id and its first members with their keys and roots.
    pub genesis: PathBuf,
    /// The epoch's vocabulary, a file of `semblance vocabulary build`; without it, the one built into the program.
    pub vocabulary: Option<PathBuf>,
}
