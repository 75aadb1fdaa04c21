//! Users: profiles, devices, friends, requests and blocks.

use futures_util::{StreamExt, TryStreamExt};
use goim_client::{Content, DeviceId, ProfileUpdate, UserId};
use goim_proto::content::{FriendAnswered, FriendRequested};
use goim_server::store::{Notice, StoreResult};
use rand::RngExt;
use rand::rngs::StdRng;

use super::super::world::PEER;
use super::{ANY_NUMBER, AT_ONCE, SeedError, Shared, Size, any, each, futures, some};
use crate::host::HEAVY;

/// Friends of the heavy user; every tenth user at most.
const FRIENDS_MAX: usize = 500;
/// Requests that he was sent and has not answered, and half as many that he sent.
const REQUESTS_MAX: usize = 200;
const BLOCKED: usize = 20;

const NAMES: [&str; 16] = [
    "ada", "ben", "carla", "dmitri", "elif", "farid", "greta", "hana", "ivo", "june", "kofi", "lena", "mei",
    "nils", "olga", "pablo",
];
const SURNAMES: [&str; 8] = ["Abe", "Brandt", "Costa", "Duval", "Eriksen", "Fodor", "Grant", "Hu"];

/// Everybody.
#[derive(Debug)]
pub(crate) struct People {
    /// The one whose calls are measured.
    pub(crate) heavy: UserId,
    /// A friend of his, who makes what he shall meet.
    pub(crate) peer: UserId,
    /// All others, and what each is called.
    pub(crate) others: Vec<UserId>,
    pub(crate) names: Vec<String>,
    /// A device of each.
    pub(crate) devices: Vec<DeviceId>,
    /// The heavy user's; his peer is not among them.
    pub(crate) friends: Vec<UserId>,
    /// Who is nothing to him yet.
    pub(crate) strangers: Vec<UserId>,
}

pub(super) async fn write(
    store: &Shared,
    size: Size,
    random: &mut StdRng,
    at_ms: u64,
) -> Result<People, SeedError> {
    let row = store.user_by_name(HEAVY).await?.ok_or(SeedError::NoHeavy)?;
    let peer = store.user_by_name(PEER).await?.ok_or(SeedError::NoHeavy)?.user;
    let count = size.users as usize - 2;
    let names: Vec<_> = (0..count).map(|number| format!("{}{number}", any(random, &NAMES))).collect();
    let profiles: Vec<_> = names.iter().map(|name| (name.as_str(), profile(random))).collect();
    // One password is hashed and serves all: what a hash costs is measured elsewhere.
    let hash = row.password_hash.as_deref();
    let made = each(profiles, |(name, profile)| user(store, name, hash, profile, at_ms)).await?;
    let (others, devices): (Vec<_>, Vec<_>) = made.into_iter().flatten().unzip();
    let heavy = row.user;
    let friends_count = (count / 10).min(FRIENDS_MAX);
    let requests = (count / 20).min(REQUESTS_MAX);
    let mut known = some(random, &others, friends_count + requests * 3 / 2 + BLOCKED);
    let blocked = known.split_off(known.len() - BLOCKED);
    let sent = known.split_off(friends_count + requests);
    let received = known.split_off(friends_count);
    let mut friends = known;
    friends.sort_unstable();
    let mut pairs: Vec<_> = friends.iter().map(|friend| (*friend, heavy)).collect();
    pairs.push((peer, heavy));
    // Few of them meet twice; then there is nothing to do the second time.
    pairs.extend((0..count).map(|_| (any(random, &others), any(random, &others))));
    pairs.retain(|(one, other)| one != other);
    befriend(store, pairs, at_ms).await?;
    each(received, |from| request(store, from, heavy, at_ms)).await?;
    each(sent, |to| request(store, heavy, to, at_ms)).await?;
    each(&blocked, |user| store.set_block(heavy, *user, true, u64::MAX)).await?;
    let met: std::collections::HashSet<_> = friends.iter().chain(&blocked).copied().collect();
    let strangers = others.iter().copied().filter(|user| !met.contains(user)).collect();
    Ok(People { heavy, peer, others, names, devices, friends, strangers })
}

fn profile(random: &mut StdRng) -> ProfileUpdate {
    let nickname = Some(format!("{} {}", any(random, &NAMES), any(random, &SURNAMES)));
    let bio = random.random_bool(0.5).then(|| crate::logs::words(random));
    ProfileUpdate { nickname, bio, ..ProfileUpdate::default() }
}

async fn user(
    store: &Shared,
    name: &str,
    hash: Option<&str>,
    profile: ProfileUpdate,
    at_ms: u64,
) -> StoreResult<Option<(UserId, DeviceId)>> {
    let Some(row) = store.create_user(name, hash, None, at_ms).await? else { return Ok(None) };
    store.update_profile(row.user, &profile).await?;
    Ok(Some((row.user, store.create_device(row.user, "phone", at_ms).await?)))
}

/// Makes friends of pairs, one user after the other asked by the first.
async fn befriend(store: &Shared, pairs: Vec<(UserId, UserId)>, at_ms: u64) -> StoreResult<()> {
    let answered = Notice::of(&Content::FriendAnswered(FriendAnswered { accepted: true }));
    let answered = &answered;
    let one = |(from, to): (UserId, UserId)| async move {
        request(store, from, to, at_ms).await?;
        store.answer_friend(to, from, true, answered, u64::MAX, at_ms).await
    };
    futures::iter(pairs).map(one).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await.map(drop)
}

async fn request(store: &Shared, from: UserId, to: UserId, at_ms: u64) -> StoreResult<()> {
    let greeting = "hello, we met the other day";
    let notice = Notice::of(&Content::FriendRequested(FriendRequested { greeting: greeting.to_owned() }));
    store.request_friend(from, to, greeting, Some(&notice), ANY_NUMBER, at_ms).await
}
