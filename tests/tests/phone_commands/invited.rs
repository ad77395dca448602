//! People whom a manager invites from the phone: the link works once the server has it, for one person, whom both see.

use taiwa_mobile_core::session::{InvitationState, Session};
use taiwa_shared::{
    ids::CommandId,
    protocol::records::{RecordEntry, RecordsPage},
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    phone::Phone,
    process::run_server_command,
    relay::{Fault, Relay},
    rest::Rest,
    world::{PASSWORD, World},
};

const EMAIL: &str = "ando@new.example.jp";

/// The first person of a new organisation, in which people are invited from phones.
async fn founder(world: &World) -> Phone {
    let add = ["organisation", "add", "--slug", "new", "--name", "新しい会社", "--admin-name", "林 誠"];
    let add = [&add[..], &["--admin-email", "hayashi@new.example.jp"]].concat();
    let printed = run_server_command(world.folder(), &add).await.unwrap();
    world.phone_with_link(printed.split_whitespace().find(|word| word.starts_with("http")).unwrap()).await.unwrap()
}

async fn state(session: &Session, invitation: CommandId) -> InvitationState {
    let all = session.invitations().await.unwrap();
    all.iter().find(|it| it.id == invitation).unwrap().state
}

async fn eventually_ready(phone: &Phone, invitation: CommandId) {
    eventually_equals("the link works", &InvitationState::Ready, || state(phone.session(), invitation)).await;
}

/// Both know of the pair and its next meeting; the member prepares it and the manager reads that.
async fn they_meet(member: &Phone, manager: &Phone) {
    let meeting = member.next_meeting_with(manager).await;
    assert_eq!(manager.next_meeting_with(member).await, meeting);
    assert_eq!(member.pair_with(manager).await, manager.pair_with(member).await);
    let name = |phone: &Phone| phone.session().pairs().into_iter().map(|it| it.partner_name).collect::<Vec<_>>();
    assert_eq!((name(member), name(manager)), (vec!["林 誠".to_owned()], vec!["安藤 望".to_owned()]));
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", "はじめまして").await;
    member.publish(meeting).await;
    manager.eventually_reads_brief(meeting, "はじめまして").await;
    manager.type_into_memo(meeting, 0, "ようこそ。").await;
    member.eventually_reads(meeting, "ようこそ。").await;
}

/// The people other than the founder, and the pairs, as the server gives them to the founder.
async fn people_and_pairs(world: &World) -> (usize, usize) {
    let request = serde_json::json!({
        "organisation": "new", "email": "hayashi@new.example.jp", "password": PASSWORD, "device_name": "",
    });
    let rest = Rest::new(world.address());
    let login = rest.post("/v1/login/password", &request).await.unwrap().json();
    let rest = rest.with_token(login["tokens"]["access_token"].as_str().unwrap());
    let page: RecordsPage = rest.get("/v1/records").await.unwrap().into().unwrap();
    let invited = |entry: &&RecordEntry| matches!(entry, RecordEntry::Person(person) if person.name == "安藤 望");
    let pair = |entry: &&RecordEntry| matches!(entry, RecordEntry::Pair(_));
    (page.entries.iter().filter(invited).count(), page.entries.iter().filter(pair).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_invited_offline_signs_in_later_and_both_meet() {
    let world = World::open("invited offline").await;
    let manager = founder(&world).await;
    manager.settled().await;
    manager.line().go_down();
    let made = manager.session().invite("安藤 望", EMAIL).await.unwrap();
    assert_eq!((made.state, manager.unsent().await), (InvitationState::Waiting, 1));
    let link = made.link.expose().to_owned();
    // Handed over at once: it does not work yet, and trying it spoils nothing.
    assert!(world.phone_with_link(&link).await.is_err());
    let manager = manager.reopened().await;
    let kept = manager.session().invitations().await.unwrap();
    assert_eq!((kept.len(), kept[0].link.expose()), (1, link.as_str()), "the link outlives the app");
    assert_eq!(kept[0].state, InvitationState::Waiting);

    manager.come_back();
    eventually_ready(&manager, made.id).await;
    manager.settled().await;
    let (_, path) = link.split_at(link.find("/invite/").unwrap());
    let page = Rest::new(manager.line().address()).get(path).await.unwrap();
    assert_eq!(page.status, 200, "what a browser shows of the link");
    let member = world.phone_with_link(&link).await.unwrap();
    they_meet(&member, &manager).await;
    assert!(world.phone_with_link(&link).await.is_err(), "it works once");
    assert_eq!(people_and_pairs(&world).await, (1, 1));
    // Whoever came stays, also over the app's end.
    let member = member.reopened().await;
    member.next_meeting_with(&manager).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_whose_reply_is_lost_is_one_person_and_the_same_link() {
    let world = World::open("invited, reply lost").await;
    let manager = founder(&world).await;
    manager.settled().await;
    let relay = Relay::open(world.address(), "POST /v1/commands").await.unwrap();
    manager.line().lead_to(relay.address());
    manager.line().cut();
    manager.come_back();
    let mut losses = [Fault::ReplyLost, Fault::ReplyLost].into_iter();
    relay.judge(move |_| losses.next());
    let made = manager.session().invite("安藤 望", EMAIL).await.unwrap();
    let link = made.link.expose().to_owned();
    // The server has it while the phone may not know so: somebody is in before the reply is.
    eventually("the reply is lost", PATIENCE, || async { (relay.faults() > 0).then_some(()) }).await;
    let member = world.phone_with_link(&link).await.unwrap();
    eventually_ready(&manager, made.id).await;
    manager.settled().await;
    assert_eq!(relay.faults(), 2);
    assert_eq!(manager.session().command_cards().await.unwrap(), []);
    let kept = manager.session().invitations().await.unwrap();
    assert_eq!((kept.len(), kept[0].link.expose()), (1, link.as_str()));
    they_meet(&member, &manager).await;
    assert_eq!(people_and_pairs(&world).await, (1, 1));
    assert!(world.phone_with_link(&link).await.is_err(), "it works once");
}
