//! What becomes of a network's processes, and of what they hold: stories that only a real network can tell.

mod demo;
mod history;
mod official;
mod processes;
mod publishing;
mod secrecy;
mod strangers;

use futures::future::BoxFuture;
use semblance_ledger::suite::Told;

use crate::under_test::FabricFactory;

/// A story by its name.
pub(crate) type Trial = (&'static str, fn(&'static FabricFactory) -> BoxFuture<'static, Told>);

macro_rules! trials {
    ($($module:ident: $($trial:ident),*;)*) => {
        vec![$($((stringify!($trial), |factory| Box::pin($module::$trial(factory)))),*),*]
    };
}

/// All of them.
pub(crate) fn trials() -> Vec<Trial> {
    trials! {
        // These while the peers' databases are small: the demo searches through all of them, and bytes of a key leave the
        // disk when its part of them is written anew.
        demo: the_demo_runs_and_its_nodes_are_healthy;
        secrecy: a_purged_fingerprint_leaves_the_disk, fingerprints_lie_on_matchers_peers_alone;
        history: a_channels_blocks_verify_by_themselves;
        official: the_official_client_publishes_and_reads;
        strangers: strangers_are_refused, a_member_of_the_channel_alone_is_refused;
        processes: another_peer_of_the_hospital_takes_over, a_matcher_is_down_and_publishing_goes_on, a_half_delivered_publication_stalls_nobody,
            chaincode_servers_are_restarted, every_process_is_killed_and_nothing_acknowledged_is_lost;
    }
}
