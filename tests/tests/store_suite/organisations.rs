//! Every question to the store names an organisation, and what another one has is not there: ids alone open nothing.
//!
//! Who may ask is decided above; this is what stays when a decision there is wrong.

use taiwa_server::{records::claims::claim, store::commands::Commanded};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::OrganisationId,
    protocol::{
        commands::Outcome,
        records::{ClaimRequest, DocumentClaim},
    },
};

use super::{
    fixture::{DAY, Fixture},
    orders::{COMPANY, move_to, nth, on_device, send, slot},
};

super::on_both! {
    what_one_organisation_has_is_not_there_for_another;
}

async fn what_one_organisation_has_is_not_there_for_another(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("b", &COMPANY.replace("@a.jp", "@b.jp")).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let (user, device, pair) = (hanako.user, hanako.device, fixture.pair_of(&hanako).await);
    let meeting = slot(&pair, 14);
    let command = nth(1, move_to(&meeting, 0, 11));
    let id = command.id;
    assert_eq!(send(&fixture, &hanako, &[command]).await, [Outcome::Applied]);
    let key = DocumentKey::Notebook { pair: pair.id };
    let request = ClaimRequest { claims: vec![DocumentClaim { key, slot: None }] };
    claim(&fixture.store, &fixture.bus, &hanako, &request, fixture.now()).await.unwrap();
    let document = key.document_id(0);
    let today = fixture.now().as_millis().div_euclid(i64::try_from(DAY.as_millis()).unwrap());

    let found = async |organisation: OrganisationId| {
        let store = &fixture.store;
        let mut tx = store.begin_reading().await.unwrap();
        [
            ("the pair", store.pair(organisation, pair.id).await.unwrap().is_some()),
            ("the pair in a transaction", tx.pair(organisation, pair.id).await.unwrap().is_some()),
            ("sight of it", tx.sees(organisation, user, pair.id).await.unwrap()),
            ("the meeting", tx.meeting(organisation, meeting.id).await.unwrap().is_some()),
            ("the meeting's pair", tx.pair_of_meeting(organisation, meeting.id).await.unwrap().is_some()),
            ("the person", tx.has_person(organisation, user).await.unwrap()),
            ("the command", tx.outcome(organisation, user, id).await.unwrap().is_some()),
            (
                "the commands of today",
                tx.commanded_by(organisation, user, today).await.unwrap() != Commanded::default(),
            ),
            ("how far the device is", tx.last_sequence(organisation, device, user).await.unwrap().is_some()),
            ("the device", store.device(organisation, device).await.unwrap().is_some()),
            ("the person's devices", !store.devices(organisation, user).await.unwrap().is_empty()),
            ("the document", store.document(organisation, document, user).await.unwrap().is_some()),
            ("the pair's documents", tx.count_documents(organisation, pair.id).await.unwrap() > 0),
        ]
    };
    for (organisation, expected) in [(hanako.organisation, true), (fixture.organisation("b").await, false)] {
        let wrong = found(organisation).await.into_iter().filter(|(_, is_there)| *is_there != expected);
        assert_eq!(wrong.collect::<Vec<_>>(), [], "expected to be there: {expected}");
    }
}
