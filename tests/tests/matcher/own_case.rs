use semblance_core::query::{Breadth, Group, Query};
use semblance_core::token::Token;
use semblance_tests::by_hand::{again, ask, instead, lookups_of_today};
use semblance_tests::world::question;

use crate::world;

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_made_from_the_asked_case_or_refused() {
    let (world, _) = world(21).await;
    let north = world.network.member("north").signing.clone();
    let honest = Query::decode(&world.sent().pop().unwrap().query).unwrap();
    let changed = |own: fn(Token) -> Token| {
        let mut groups: Vec<Group> = honest.groups().to_vec();
        groups[2].own = own(groups[2].own);
        Query::new(honest.epoch(), Breadth::Close, groups, 10).unwrap()
    };
    let error = ask(&world, "north", instead(&world, &north, &changed(|own| Token(own.0 ^ 1)))).await.unwrap_err();
    assert_eq!(error.word(), "not-own-case", "{error}");
    assert_eq!(lookups_of_today(&world).await.len(), 1, "nothing is recorded but the denial");

    // The same tokens from another own case, which does not have them.
    let others: Vec<_> = world.disease(9).into_iter().take(8).collect();
    world.admit("north", &[("invented", others)]).await;
    world.settle().await;
    world.look_up("north", "invented").await.unwrap();
    let error = ask(&world, "north", instead(&world, &north, &honest)).await.unwrap_err();
    assert_eq!(error.word(), "not-own-case", "{error}");
    ask(&world, "north", again(&world, &north, |_| {})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relatives_of_a_wide_query_are_not_the_cases_own() {
    let (world, _) = world(22).await;
    let wide = || semblance_hospital::lookup::Question { breadth: Breadth::Wide, ..question("asker") };
    assert_eq!(world.hospital("north").look_up(wide()).await.unwrap().matches.len(), 2);
    let north = world.network.member("north").signing.clone();
    let mut groups = Query::decode(&world.sent().pop().unwrap().query).unwrap().groups().to_vec();
    // A relative in the symptom's place is asked for as if the case had it.
    let Group { own, relatives } = &mut groups[0];
    std::mem::swap(own, &mut relatives[0]);
    let query = Query::new(semblance_tests::network::EPOCH, Breadth::Wide, groups, 10).unwrap();
    let error = ask(&world, "north", instead(&world, &north, &query)).await.unwrap_err();
    assert_eq!(error.word(), "not-own-case", "{error}");
}
