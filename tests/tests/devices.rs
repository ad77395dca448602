//! A person's sign-ins: listed, ended one by one, felt at once by an open socket, and never a reason to wipe a phone.

use reqwest::StatusCode;
use taiwa_mobile_core::{session::SessionError, sync::Connection};
use taiwa_shared::{
    ids::DeviceId,
    protocol::{
        devices::DevicesResponse,
        login::{InvitationRequest, LoginResponse, RefreshRequest, Secret},
    },
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    process::run_server_command,
    raw_socket::RawSocket,
    rest::Rest,
    world::{PASSWORD, World, invitation_in},
};

fn of(world: &World, login: &LoginResponse) -> Rest {
    Rest::new(world.address()).with_token(login.tokens.access_token.expose())
}

async fn devices(rest: &Rest) -> Vec<(DeviceId, bool)> {
    let listed: DevicesResponse = rest.get("/v1/devices").await.unwrap().into().unwrap();
    listed.devices.into_iter().map(|device| (device.id, device.this)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ones_own_sign_ins_are_listed_and_ended_and_those_of_others_look_unknown() {
    let world = World::open("devices").await;
    let (first, second) = (world.login("tanaka").await, world.login("tanaka").await);
    let other = world.login("ito").await;
    let (rest, others) = (of(&world, &second), of(&world, &other));
    assert_eq!(devices(&rest).await, [(first.device, false), (second.device, true)]);
    assert_eq!(devices(&others).await, [(other.device, true)]);
    assert_eq!(Rest::new(world.address()).get("/v1/devices").await.unwrap().status, StatusCode::UNAUTHORIZED);

    let unknown = rest.delete("/v1/devices/0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11").await.unwrap();
    assert_eq!((unknown.status, unknown.problem_code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    for path in [format!("/v1/devices/{}", other.device), "/v1/devices/no-id".to_owned()] {
        let refused = rest.delete(&path).await.unwrap();
        assert_eq!((refused.status, refused.text), (unknown.status, unknown.text.clone()), "{path}");
    }
    assert_eq!(devices(&others).await, [(other.device, true)], "nothing happened to it");

    let token = first.tokens.access_token.expose();
    let mut open = RawSocket::join(world.address(), token, "open").await.unwrap();
    let path = format!("/v1/devices/{}", first.device);
    assert_eq!(rest.delete(&path).await.unwrap().status, StatusCode::NO_CONTENT);
    assert_eq!(open.until_closed().await, Some(4403), "an open socket is closed at once");
    assert_eq!(of(&world, &first).get("/v1/records").await.unwrap().status, StatusCode::UNAUTHORIZED);
    let request = RefreshRequest { refresh_token: first.tokens.refresh_token };
    let refused = Rest::new(world.address()).post("/v1/login/refresh", &request).await.unwrap();
    assert_eq!(refused.problem_code(), "sign_in_again");
    assert_eq!(devices(&rest).await, [(second.device, true)]);
    assert_eq!(rest.delete(&path).await.unwrap().status, StatusCode::NOT_FOUND, "it is over already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_phone_keeps_what_it_had_not_sent_and_asks_to_sign_in() {
    let world = World::open("lost phone").await;
    let (lost, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = lost.next_meeting_with(&manager).await;
    lost.type_into_memo(meeting, 0, "送った。").await;
    lost.settled().await;
    manager.eventually_reads(meeting, "送った。").await;
    lost.line().go_down();
    lost.type_into_memo(meeting, 0, "まだ送っていない。").await;

    let new = world.phone("tanaka").await;
    let listed = new.session().devices().await.unwrap();
    let [old, this] = &listed[..] else { panic!("{listed:?}") };
    assert!(!old.this && this.this);
    let refused = new.session().revoke_device(this.id).await;
    assert!(matches!(refused, Err(SessionError::NoAccess)), "{refused:?}");
    new.session().revoke_device(old.id).await.unwrap();
    assert_eq!(new.session().devices().await.unwrap().len(), 1);

    lost.come_back();
    eventually("the lost phone asks to sign in", PATIENCE, || async {
        (lost.session().sync_status().connection == Connection::SignInAgain).then_some(())
    })
    .await;
    let mut lost = lost.reopened().await;
    assert_eq!(lost.memo_text(meeting).await, "まだ送っていない。送った。", "nothing was wiped");
    assert!(lost.unsent().await > 0);
    assert_eq!(manager.memo_text(meeting).await, "送った。", "and nothing of it was sent");
    lost.sign_in_again(world.company(), "tanaka").await;
    lost.settled().await;
    manager.eventually_reads(meeting, "まだ送っていない。送った。").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_invitation_ends_what_the_person_was_signed_in_on() {
    let world = World::open("invited again").await;
    let before = world.login("tanaka").await;
    let other = world.login("ito").await;
    let mut open = RawSocket::join(world.address(), before.tokens.access_token.expose(), "open").await.unwrap();
    let link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let request = InvitationRequest {
        invitation: Secret::new(invitation_in(&link).unwrap()),
        password: Secret::new(PASSWORD),
        device_name: "新しい電話".to_owned(),
    };
    assert_eq!(
        of(&world, &before).get("/v1/records").await.unwrap().status,
        StatusCode::OK,
        "not before it is accepted"
    );
    let answer = Rest::new(world.address()).post("/v1/login/invitation", &request).await.unwrap();
    let after: LoginResponse = answer.into().unwrap();
    assert_eq!(open.until_closed().await, Some(4403));
    assert_eq!(of(&world, &before).get("/v1/records").await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert_eq!(devices(&of(&world, &after)).await, [(after.device, true)]);
    assert_eq!(devices(&of(&world, &other)).await, [(other.device, true)], "others are not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_ends_sign_ins_and_resets_a_password_and_a_running_server_feels_it() {
    let world = World::open("operator").await;
    let (lost, kept) = (world.login("tanaka").await, world.login("tanaka").await);
    let email = world.company().email("tanaka");
    let person = async |command: &str, more: &[&str]| {
        let arguments = [&["person", command, "--organisation", world.company().slug(), &email], more].concat();
        run_server_command(world.folder(), &arguments).await
    };
    let listed = person("devices", &[]).await.unwrap();
    assert!(listed.contains(&lost.device.to_string()) && listed.contains(&kept.device.to_string()), "{listed}");

    let mut open = RawSocket::join(world.address(), lost.tokens.access_token.expose(), "lost").await.unwrap();
    person("revoke-device", &[&lost.device.to_string()]).await.unwrap();
    assert_eq!(open.until_closed().await, Some(4403), "felt though another process did it");
    let again = person("revoke-device", &[&lost.device.to_string()]).await.unwrap_err().to_string();
    assert!(again.contains("is not signed in on"), "{again}");
    assert_eq!(of(&world, &kept).get("/v1/records").await.unwrap().status, StatusCode::OK);

    let old_link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let mut open = RawSocket::join(world.address(), kept.tokens.access_token.expose(), "kept").await.unwrap();
    let link = person("reset-password", &[]).await.unwrap();
    assert_eq!(open.until_closed().await, Some(4403));
    assert_eq!(of(&world, &kept).get("/v1/records").await.unwrap().status, StatusCode::UNAUTHORIZED);
    let rest = Rest::new(world.address());
    let sign_in = async |link: &str, password: &str| {
        let request = InvitationRequest {
            invitation: Secret::new(invitation_in(link.trim()).unwrap()),
            password: Secret::new(password),
            device_name: String::new(),
        };
        rest.post("/v1/login/invitation", &request).await.unwrap()
    };
    assert_eq!(sign_in(&old_link, PASSWORD).await.problem_code(), "credentials_refused", "earlier links are void");
    let password = serde_json::json!({ "organisation": world.company().slug(), "email": email, "password": PASSWORD, "device_name": "" });
    let refused = rest.post("/v1/login/password", &password).await.unwrap();
    assert_eq!(refused.problem_code(), "credentials_refused", "the old password is forgotten");
    assert!(sign_in(&link, "雨の日は本を読んで過ごす 7").await.status.is_success());
}
