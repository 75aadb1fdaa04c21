//! Two committers, and what is done to one message through both of them at once.

use goim_proto::content::Recalled;
use goim_proto::{Call, Content, ErrorCode, Member};

use super::{blank, edit, edited, history, people, pulled, react, recall, said, seq};
use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::mint;
use crate::world::{device, server};

const ROUNDS: usize = 12;

/// The nodes hear of each other's entries by comparing heads.
fn often(config: &mut goim_server::Config) {
    config.catch_up_interval_ms = Some(20);
}

/// No edit gets behind the recall, and none before it is left.
async fn edit_against_recall(backend: &Backend) {
    let (here, there) = (server(backend, often).await, server(backend, often).await);
    let [mut ada, mut ben] = people(&[&here, &there]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    let (mut edits, mut refused) = (0, 0);
    let store = backend.open().await;
    for round in 0..ROUNDS {
        let first = ben.text(conversation, "secret").await.unwrap().seq;
        let (recalled, changed) = tokio::join!(
            seq(&mut ada, recall(conversation, first)),
            seq(&mut ben, edit(conversation, first, "more secret")),
        );
        let recalled = recalled.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let mut left = vec![blank()];
        match changed {
            Ok(at) => {
                assert!(at < recalled, "round {round}: an edit behind the recall");
                left.push(edited(first, &blank()));
                edits += 1;
            }
            Err(error) => {
                assert_eq!(error.code, ErrorCode::NotFound, "round {round}: {error}");
                refused += 1;
            }
        }
        left.push(Content::Recalled(Recalled { seq: first }));
        // From the store, by somebody whose node keeps nothing.
        let rows = store.entries(conversation, first.prev(), 9, 1 << 20).await.unwrap();
        assert_eq!(said(&rows), left, "round {round}");
        ben.announced(conversation, recalled).await;
        assert_eq!(pulled(&mut ben, conversation, first.prev().as_u64()).await, left, "round {round}");
        let page = history(&mut ada, conversation).await;
        assert_eq!((&said(&page.entries)[0], page.forms.len()), (&blank(), 0), "round {round}");
    }
    eprintln!("{edits} edits before the recall, {refused} refused");
}

/// Whoever is removed recalls before that, or nothing is recalled.
async fn recall_against_removal(backend: &Backend) {
    let (here, there) = (server(backend, often).await, server(backend, often).await);
    let [mut ada] = people(&[&here]).await;
    let mut factory = device(&there, "factory", "correct horse").await.0;
    let store = backend.open().await;
    for round in 0..ROUNDS {
        let mut ben = factory.bot(there.addr(), &format!("ben {round}")).await;
        let conversation = ada.group(vec![ben.me()]).await;
        let first = ben.text(conversation, "said").await.unwrap().seq;
        let remove = Member { conversation, user: ben.me(), client_msg_id: mint() };
        let (removed, recalled) = tokio::join!(
            seq(&mut ada, Call::RemoveMember(remove)),
            seq(&mut ben, recall(conversation, first)),
        );
        let left = match recalled {
            Ok(at) => {
                assert!(at < removed.unwrap(), "round {round}: a recall behind the removal");
                blank()
            }
            Err(error) => {
                assert_eq!(error.code, ErrorCode::NotMember, "round {round}: {error}");
                Content::text("said")
            }
        };
        let rows = store.entries(conversation, first.prev(), 1, 1 << 20).await.unwrap();
        assert_eq!(said(&rows), [left], "round {round}");
    }
}

/// Of many new kinds at once no more get in than there is room for.
async fn reactions_against_the_bound(backend: &Backend) {
    let (here, there) = (server(backend, often).await, server(backend, often).await);
    let [mut ada, mut ben] = people(&[&here, &there]).await;
    let conversation = ada.group(vec![ben.me()]).await;
    for round in 0..ROUNDS / 2 {
        let first = ada.text(conversation, "tea?").await.unwrap().seq;
        for n in 0..19 {
            seq(&mut ada, react(conversation, first, &format!("{n}"), true)).await.unwrap();
        }
        let (one, other) = tokio::join!(
            seq(&mut ada, react(conversation, first, "one", true)),
            seq(&mut ben, react(conversation, first, "other", true)),
        );
        let refused = [one, other].into_iter().filter_map(Result::err).map(|error| error.code);
        assert_eq!(refused.collect::<Vec<_>>(), [ErrorCode::TooLarge], "round {round}");
        assert_eq!(history(&mut ada, conversation).await.forms[0].reactions.len(), 20, "round {round}");
    }
}

on_both_stores! {
    super::edit_against_recall as g9_no_edit_gets_behind_a_recall_on_two_nodes,
    super::recall_against_removal as g9_no_recall_gets_behind_a_removal_on_two_nodes,
    super::reactions_against_the_bound as g9_kinds_of_reactions_are_bounded_on_two_nodes,
}
