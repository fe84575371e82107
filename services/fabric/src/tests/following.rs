//! Following a channel's blocks.

use futures::StreamExt;

use super::{CHANNEL, PATIENCE, World};
use crate::testing::Fault;
use crate::{BlockStream, DeliverError};

/// All that a stream tells until it ends, and its error if that is how.
pub(super) async fn collect<T: Send + 'static>(stream: BlockStream<T>) -> (Vec<T>, Option<DeliverError>) {
    let all = tokio::time::timeout(PATIENCE, stream.collect::<Vec<_>>()).await.expect("the stream does not end");
    let (mut blocks, mut error) = (Vec::new(), None);
    for item in all {
        assert_eq!(error, None, "an error is the last word");
        match item {
            Ok(block) => blocks.push(block),
            Err(found) => error = Some(found),
        }
    }
    (blocks, error)
}

#[tokio::test]
async fn blocks_with_private_data_come_too_and_new_ones_as_they_are_made() {
    let world = World::start();
    world.put(&["one"]).await;
    let stream = world.network().blocks_with_private_data(0, Some(1)).await.unwrap();
    let (blocks, error) = collect(stream).await;
    assert_eq!((blocks.len(), error), (2, None));
    let mut stream = world.network().blocks(2, None).await.unwrap();
    let (block, _) = tokio::join!(stream.next(), world.put(&["two"]));
    assert_eq!(block.unwrap().unwrap().header.unwrap().number, 2);
}

#[tokio::test]
async fn a_stream_that_does_not_tell_everything_ends_with_an_error() {
    let world = World::start();
    world.put(&["one", "two", "three"]).await;
    // Without its last block a stream ends too early with success.
    for (fault, told) in [(Fault::Break(2), 2), (Fault::HangUp(2), 2), (Fault::HangUp(4), 4), (Fault::LeaveOut(3), 3)] {
        world.peer.fault(fault);
        let (blocks, error) = collect(world.network().blocks(0, Some(3)).await.unwrap()).await;
        assert_eq!(blocks.len(), told);
        assert!(matches!(error, Some(DeliverError::Broken { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn refusals_tell_their_status() {
    let world = World::start();
    let refused = async |gateway: &crate::Gateway, channel: &str| {
        collect(gateway.network(channel).blocks(0, Some(0)).await.unwrap()).await.1
    };
    assert_eq!(refused(&world.gateway, "no-such-channel").await, Some(DeliverError::Refused { status: 404 }));
    // A question that is bound to another connection's certificate.
    let network = world.network();
    let (request, digest) = network.blocks_request(0, Some(0));
    let identity = world.organisation.identity("client");
    let other = world.peer.gateway(&identity).network(CHANNEL);
    let stolen = other.blocks_signed(request, identity.signer()(&digest).unwrap()).await.unwrap();
    assert_eq!(collect(stolen).await.1, Some(DeliverError::Refused { status: 400 }));
    let (request, _) = network.blocks_request(0, Some(0));
    let unsigned = network.blocks_signed(request, Vec::new()).await.unwrap();
    assert_eq!(collect(unsigned).await.1, Some(DeliverError::Refused { status: 403 }));
}

#[tokio::test]
async fn a_follower_goes_on_where_its_stream_broke() {
    let world = World::start();
    world.put(&["one", "two", "three"]).await;
    let (mut heights, mut next) = (Vec::new(), 0);
    for fault in [Some(Fault::Break(2)), Some(Fault::Break(0)), Some(Fault::HangUp(1)), None] {
        fault.into_iter().for_each(|fault| world.peer.fault(fault));
        let (blocks, error) = collect(world.network().blocks(next, Some(3)).await.unwrap()).await;
        heights.extend(blocks.into_iter().map(|block| block.header.unwrap().number));
        next = heights.last().unwrap() + 1;
        assert_eq!(error.is_none(), next == 4, "{error:?}");
    }
    assert_eq!(heights, [0, 1, 2, 3], "none twice and none never");
}

#[tokio::test]
async fn a_block_that_is_missing_or_comes_twice_ends_a_stream() {
    let world = World::start();
    world.put(&["one", "two", "three"]).await;
    for (fault, told) in
        [(Fault::LeaveOut(0), 0), (Fault::LeaveOut(1), 1), (Fault::Repeat(1), 2), (Fault::Repeat(3), 4)]
    {
        world.peer.fault(fault.clone());
        let (blocks, error) = collect(world.network().blocks(0, Some(3)).await.unwrap()).await;
        assert_eq!((blocks.len(), error), (told, Some(DeliverError::Malformed)), "{fault:?}");
        world.peer.fault(fault);
        let private = world.network().blocks_with_private_data(0, Some(3)).await.unwrap();
        let (blocks, error) = collect(private).await;
        assert_eq!((blocks.len(), error), (told, Some(DeliverError::Malformed)));
    }
}

#[tokio::test]
async fn a_follower_that_waits_for_a_block_is_told_of_the_end_of_its_peer() {
    let mut world = World::start();
    let mut blocks = world.network().blocks(0, None).await.unwrap();
    assert!(blocks.next().await.unwrap().is_ok());
    world.peer.stop();
    let told = tokio::time::timeout(PATIENCE, blocks.next()).await.expect("nothing is told").unwrap();
    assert!(matches!(told, Err(DeliverError::Broken { code: tonic::Code::Unavailable, .. })), "{told:?}");
    assert!(blocks.next().await.is_none(), "an error is the last word");
}
