//! Organisations do not meet: one server hosts two companies with the same names, and nothing crosses.

use serde_json::json;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    protocol::{
        devices::DevicesResponse,
        login::LoginResponse,
        people::ImportResponse,
        records::{ClaimOutcome, ClaimResponse},
    },
};
use taiwa_tests::{
    company::Company,
    process::run_server_command,
    rest::Rest,
    world::{PASSWORD, World, invitation_in},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_and_no_document_crosses_to_another_organisation() {
    let world = World::open("organisations").await;
    let other = Company::small("other");
    other.import(world.folder()).await.unwrap();
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let stranger = world.phone_of(&other, "tanaka").await;
    let stranger_manager = world.phone_of(&other, "sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "こちらの会社の話").await;
    member.settled().await;
    manager.eventually_reads(meeting, "こちらの会社の話").await;
    let theirs = stranger.next_meeting_with(&stranger_manager).await;
    stranger.type_into_memo(theirs, 0, "あちらの会社の話").await;
    stranger.settled().await;

    let (ours, strangers) = (member.contents().await, stranger.contents().await);
    assert!(!ours.places_of("こちらの会社の話").is_empty() && !strangers.places_of("あちらの会社の話").is_empty());
    assert_eq!(ours.places_of("あちらの会社の話"), Vec::<&str>::new());
    assert_eq!(strangers.places_of("こちらの会社の話"), Vec::<&str>::new());
    for person in [&member, &manager] {
        assert_eq!(strangers.places_of(&person.user().to_string()), Vec::<&str>::new());
    }

    let pair = member.pair_with(&manager).await;
    let login = world.login_of(&other, "tanaka").await;
    let rest = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let keys = [
        DocumentKey::Memo { pair, meeting },
        DocumentKey::Notebook { pair },
        DocumentKey::Private { pair, user: login.user },
        DocumentKey::FieldNotes { user: member.user() },
    ];
    let claims: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
    let answer = rest.post("/v1/documents", &json!({ "claims": claims })).await.unwrap();
    let response: ClaimResponse = answer.into().unwrap();
    assert_eq!(response.outcomes, [ClaimOutcome::Refused; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_lists_and_sign_ins_of_one_organisation_are_unknown_in_another() {
    let world = World::open("two organisations").await;
    // The same e-mails under another name, and an admin in it.
    let twin = world.folder().join("twin.csv");
    std::fs::write(&twin, world.company().csv().replace(",hr\n", ",admin\n")).unwrap();
    let twin = twin.to_str().unwrap();
    run_server_command(world.folder(), &["import", "--organisation", "twin", "--name", "ふたご", twin]).await.unwrap();
    let email = world.company().email("kudo");
    let link = run_server_command(world.folder(), &["invite", "--organisation", "twin", &email]).await.unwrap();
    let ours = world.login("kudo").await;
    let request = json!({ "invitation": invitation_in(link.trim()).unwrap(), "password": PASSWORD, "device_name": "" });
    let rest = Rest::new(world.address());
    let theirs: LoginResponse = rest.post("/v1/login/invitation", &request).await.unwrap().into().unwrap();
    assert!(theirs.user != ours.user && theirs.organisation != ours.organisation, "one e-mail, two people");
    for (slug, login) in [(world.company().slug(), &ours), ("twin", &theirs)] {
        let request = json!({ "organisation": slug, "email": email, "password": PASSWORD, "device_name": "" });
        let again: LoginResponse = rest.post("/v1/login/password", &request).await.unwrap().into().unwrap();
        assert_eq!((again.user, again.organisation), (login.user, login.organisation));
    }

    let (our_rest, admin) =
        (rest.with_token(ours.tokens.access_token.expose()), rest.with_token(theirs.tokens.access_token.expose()));
    let refused = admin.delete(&format!("/v1/devices/{}", ours.device)).await.unwrap();
    assert_eq!(refused.problem_code(), "not_found");
    let before = our_rest.get("/v1/records").await.unwrap().text;
    let listed: DevicesResponse = our_rest.get("/v1/devices").await.unwrap().into().unwrap();
    assert!(listed.devices.iter().any(|device| device.id == ours.device) && listed.devices.len() == 2);
    // A list of the other organisation that nobody of ours is in, nor anybody of theirs but the admin.
    let csv = format!("email,name,role\n{email},工藤 彩,admin\n");
    let imported: ImportResponse =
        admin.post_csv("/v1/people/import?allow_removing=5", csv).await.unwrap().into().unwrap();
    assert_eq!(imported.difference.removed.len(), 5);
    let deactivate = ["person", "deactivate", "--organisation", "twin", &email];
    run_server_command(world.folder(), &deactivate).await.unwrap();
    assert_eq!(our_rest.get("/v1/records").await.unwrap().text, before, "nothing of ours has changed");
    world.login("tanaka").await;
}
