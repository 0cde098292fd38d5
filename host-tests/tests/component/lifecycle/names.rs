//! Tokens by what their owners know: found by name or client id, ensured to be there, and looked for after a create that was lost.

use std::time::Duration;

use cloudflare_access_host_tests::lifecycle::{Ensured, Selector};
use cloudflare_access_host_tests::requests::named;
use cloudflare_access_host_tests::types::{
    CreateParams, ErrorKind, IssuedToken, Outcome, PreviousSecret, ServiceToken,
};
use cloudflare_access_host_tests::{Host, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, ListBehaviour, Operation, Simulator};

use super::{living, names, passes, setting};

fn by_name(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

fn by_client_id(client_id: &str) -> Selector {
    Selector::ClientId(client_id.to_owned())
}

#[tokio::test]
async fn find_compares_names_exactly_over_all_pages() {
    for behaviour in [ListBehaviour::Honoured, ListBehaviour::AllIgnored] {
        let builder = Simulator::builder()
            .zones_like_accounts()
            .default_per_page(if behaviour == ListBehaviour::Honoured { 10 } else { 1000 });
        let builder = builder.account_lists(behaviour).zone_lists(behaviour);
        let simulator = builder.start().await.expect("a simulator");
        let options = options(&simulator);
        let mut plugin = Host::shared().instance().await;
        for home in [simulator.account(), simulator.zone()] {
            let _ = simulator.add_tokens(home, 40);
            for name in ["twin", "twin", "twin 2", "Twin", " twin"] {
                let _ = simulator.add_token(home, name);
            }
            let home = scope(home);
            let found = plugin.find(&home, &by_name("twin"), Some(&options)).await.expect("found");
            assert_eq!(names(&found), ["twin", "twin"], "{behaviour:?}");
            for nobody in ["nobody", "twi", "win", "token"] {
                let found = plugin.find(&home, &by_name(nobody), Some(&options)).await.expect("found");
                assert!(found.is_empty(), "{nobody}: {found:?}");
            }
        }
    }
}

#[tokio::test]
async fn find_compares_client_ids_exactly_over_all_pages() {
    let simulator = Simulator::builder().zones_like_accounts().default_per_page(10).start().await.expect("a simulator");
    let options = options(&simulator);
    let mut plugin = Host::shared().instance().await;
    for home in [simulator.account(), simulator.zone()] {
        let _ = simulator.add_tokens(home, 25);
        let wanted = simulator.add_token(home, "wanted").token;
        let _ = simulator.add_tokens(home, 10);
        let home = scope(home);
        let found = plugin.find(&home, &by_client_id(&wanted.client_id), Some(&options)).await.expect("found");
        assert_eq!(found.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), [wanted.id.as_str()]);
        let (part, _) = wanted.client_id.split_once('.').expect("a client id ends in .access");
        for nobody in
            [part, &wanted.client_id[1..], &format!("{}s", wanted.client_id), &wanted.client_id.to_uppercase()]
        {
            let found = plugin.find(&home, &by_client_id(nobody), Some(&options)).await.expect("found");
            assert!(found.is_empty(), "{nobody}: {found:?}");
        }
    }
}

fn created(ensured: Ensured) -> IssuedToken {
    match ensured {
        Ensured::Created(issued) => issued,
        other => panic!("{other:?} and not created"),
    }
}

fn updated(ensured: Ensured) -> ServiceToken {
    match ensured {
        Ensured::Updated(token) => token,
        other => panic!("{other:?} and not updated"),
    }
}

fn unchanged(ensured: Ensured) -> ServiceToken {
    match ensured {
        Ensured::Unchanged(token) => token,
        other => panic!("{other:?} and not unchanged"),
    }
}

#[tokio::test]
async fn ensure_creates_once_then_changes_only_what_differs_and_refuses_twins() {
    let (simulator, mut plugin, options, _) = setting().await;
    let some = Some(&options);
    for home in [simulator.account(), simulator.zone()] {
        let place = scope(home);
        let wanted = living("CI", "24h");
        let first = created(plugin.ensure(&place, &wanted, some).await.expect("ensured"));
        assert!(passes(&simulator, &first.token, &first.client_secret));

        // A secret version counts only for a token that is made.
        let raised = CreateParams { client_secret_version: Some(7), ..named("CI") };
        let enabled = CreateParams { enabled: Some(true), ..named("CI") };
        for same in [wanted.clone(), living("CI", "1440m"), named("CI"), enabled, raised] {
            simulator.clear_requests();
            let again = unchanged(plugin.ensure(&place, &same, some).await.expect("ensured"));
            assert_eq!((again.id.as_str(), simulator.request_count()), (first.token.id.as_str(), 1), "{same:?}");
        }
        let longer = CreateParams { enabled: Some(false), ..living("CI", "48h") };
        let changed = updated(plugin.ensure(&place, &longer, some).await.expect("ensured"));
        assert_eq!((changed.duration.as_deref(), changed.enabled), (Some("48h"), Some(false)));
        let sent = simulator.requests().pop().expect("an update").json();
        assert_eq!(sent, serde_json::json!({"duration": "48h", "enabled": false}));
        let enabled = CreateParams { enabled: Some(true), ..longer };
        plugin.ensure(&place, &enabled, some).await.map(updated).expect("ensured");
        assert_eq!(simulator.requests().pop().expect("an update").json(), serde_json::json!({"enabled": true}));
        assert!(passes(&simulator, &first.token, &first.client_secret), "the secret is as before");

        let twin = simulator.add_token(home, "CI").token.id;
        let before = simulator.commits().len();
        let error = plugin.ensure(&place, &enabled, some).await.expect_err("two");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
        assert!(error.message.contains(&twin) && error.message.contains(&first.token.id), "{}", error.message);
        assert_eq!(simulator.commits().len(), before, "nothing was changed");
    }
}

#[tokio::test]
async fn ensure_makes_one_token_at_most_whatever_becomes_of_the_answer() {
    let (simulator, mut plugin, options, account) = setting().await;
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let error = plugin.ensure(&account, &named("CI"), Some(&options)).await.expect_err("the answer is lost");
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Connection, Outcome::Unknown, 2));
    // The next call finds it. Its secret is nobody's: that is what `resolve-create` is for.
    unchanged(plugin.ensure(&account, &named("CI"), Some(&options)).await.expect("ensured"));
    assert_eq!(simulator.tokens(simulator.account()).len(), 1);
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_resolved_by_name_and_time() {
    let (simulator, mut plugin, options, _) = setting().await;
    let some = Some(&options);
    for home in [simulator.account(), simulator.zone()] {
        let place = scope(home);
        let _ = simulator.add_token(home, "CI");
        simulator.advance(Duration::from_hours(1));
        let since = simulator.timestamp_in(Duration::ZERO);
        let _ = simulator.add_token(home, "CI 2");
        simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
        let error = plugin.create(&place, &named("CI"), some).await.expect_err("the answer is lost");
        assert_eq!(error.outcome, Outcome::Unknown);
        let found = plugin.resolve_create(&place, "CI", &since, some).await.expect("resolved");
        assert_eq!(names(&found), ["CI"], "neither the one that was there before nor one of another name");
        let later = simulator.timestamp_in(Duration::from_secs(1));
        assert!(plugin.resolve_create(&place, "CI", &later, some).await.expect("resolved").is_empty());
    }
    let account = scope(simulator.account());

    // The recipe of the documentation: a new secret for the token that nobody has one of.
    let lost = plugin.resolve_create(&account, "CI", "2000-01-01T00:00:00Z", some).await.expect("resolved").pop();
    let lost = lost.expect("the lost one");
    let id = simulator.account().id();
    let issued = plugin.rotate(id, &lost.id, &PreviousSecret::ExpiresNow, some).await.expect("rotated");
    assert!(passes(&simulator, &issued.token, &issued.client_secret));

    let error = plugin.resolve_create(&account, "CI", "today", some).await.expect_err("no time");
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
    assert!(error.message.contains("since is \"today\""), "{}", error.message);
}

#[tokio::test]
async fn a_token_that_does_not_say_when_it_was_made_may_be_the_lost_one() {
    let (simulator, mut plugin, options, account) = setting().await;
    let _ = simulator.add_token(simulator.account(), "CI");
    let later = simulator.timestamp_in(Duration::from_hours(1));
    for kind in [FaultKind::missing("/result/0/created_at"), FaultKind::replaced("/result/0/created_at", "some day")] {
        simulator.inject(kind);
        let found = plugin.resolve_create(&account, "CI", &later, Some(&options)).await.expect("resolved");
        assert_eq!((found.len(), simulator.faults().len()), (1, 0));
    }
}
