//! Commands that arrive in the same instant as each other, as claims, and as the end of access.

use taiwa_server::{
    bus::Bus,
    records::{
        access::Principal,
        claims,
        commands::{CommandsError, take},
        leaving,
    },
    store::{Store, people::Email},
};
use taiwa_shared::{
    domain::{
        command::{Action, InvitationHash},
        ownership::DocumentKey,
    },
    ids::{PairId, UserId},
    protocol::{
        commands::{Command, CommandsRequest, CommandsResponse, Outcome, RejectionReason},
        records::{ClaimOutcome, ClaimRequest, DocumentClaim},
    },
    time::Timestamp,
};
use tokio::task::{JoinHandle, JoinSet};

use super::{
    fixture::Fixture,
    orders::{COMPANY, at, move_to, nth, on_device, pulled, reason_of, rejected, slot},
};

super::on_both! {
    one_command_sent_eight_times_at_once_is_applied_once;
    of_eight_moves_at_once_one_is_applied;
    a_claim_and_a_command_make_one_meeting;
    a_pair_closed_in_the_same_instant_takes_the_command_before_or_not_at_all;
    a_person_deactivated_in_the_same_instant_gives_the_command_before_or_not_at_all;
    of_two_managers_who_invite_one_address_at_once_one_does;
}

/// What one request at the same time as others needs.
struct Sending {
    store: Store,
    bus: Bus,
    who: Principal,
    commands: Vec<Command>,
    now: Timestamp,
}

impl Sending {
    fn new(fixture: &Fixture, who: &Principal, commands: &[Command]) -> Self {
        let (store, bus) = (fixture.store.clone(), fixture.bus.clone());
        Self { store, bus, who: *who, commands: commands.to_vec(), now: fixture.now() }
    }

    async fn take(self) -> Result<CommandsResponse, CommandsError> {
        let request = CommandsRequest { commands: self.commands };
        take(&self.store, &self.bus, &self.who, &request, self.now).await
    }

    async fn one(self) -> Outcome {
        self.take().await.unwrap().outcomes.remove(0).outcome
    }

    fn spawn(self) -> JoinHandle<Result<CommandsResponse, CommandsError>> {
        tokio::spawn(self.take())
    }
}

async fn one_command_sent_eight_times_at_once_is_applied_once(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    for round in 0..5_u32 {
        let n = u64::from(round) + 1;
        // Every round from the state before, so that a second application would be a conflict.
        let command = nth(n, move_to(&meeting, round, 11 + i8::try_from(round).unwrap()));
        let mut all = JoinSet::new();
        for _ in 0..8 {
            all.spawn(Sending::new(&fixture, &hanako, std::slice::from_ref(&command)).one());
        }
        assert_eq!(all.join_all().await, vec![Outcome::Applied; 8], "round {round}");
        assert_eq!(pulled(&fixture, &hanako, &meeting).await.unwrap().revision, round + 1);
    }
}

async fn of_eight_moves_at_once_one_is_applied(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let mut devices = Vec::new();
    for n in 1..=8 {
        let email = if n % 2 == 0 { "ken@a.jp" } else { "hanako@a.jp" };
        devices.push(on_device(&fixture, "a", email, n).await);
    }
    let meeting = slot(&fixture.pair_of(&devices[0]).await, 14);
    for round in 0..5_u32 {
        let mut all = JoinSet::new();
        for (n, who) in devices.iter().enumerate() {
            let hour = i8::try_from(n).unwrap() + if round % 2 == 0 { 0 } else { 10 };
            let id = u64::from(round) * 100 + n as u64 + 1;
            let mut command = nth(id, move_to(&meeting, round, hour));
            command.sequence = u64::from(round) + 1;
            let sending = Sending::new(&fixture, who, &[command]);
            all.spawn(async move { (hour, sending.one().await) });
        }
        let outcomes = all.join_all().await;
        let applied: Vec<i8> =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Applied).map(|(hour, _)| *hour).collect();
        let conflicts = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Conflict { .. })).count();
        assert_eq!((applied.len(), conflicts), (1, 7), "{outcomes:?}");
        let stands = pulled(&fixture, &devices[0], &meeting).await.unwrap();
        assert_eq!((stands.time(), stands.revision), (at(&meeting, applied[0]), round + 1));
    }
}

async fn a_claim_and_a_command_make_one_meeting(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let pair = fixture.pair_of(&hanako).await;
    for round in 0..8_u32 {
        let meeting = slot(&pair, 14 * i64::from(round + 1));
        let key = DocumentKey::Memo { pair: pair.id, meeting: meeting.id };
        let request = ClaimRequest { claims: vec![DocumentClaim { key, slot: meeting.slot }] };
        let command = nth(u64::from(round) + 1, move_to(&meeting, 0, 11));
        let (store, bus, now) = (fixture.store.clone(), fixture.bus.clone(), fixture.now());
        let claiming =
            tokio::spawn(async move { claims::claim(&store, &bus, &hanako, &request, now).await.unwrap().outcomes });
        let sending = Sending::new(&fixture, &ken, &[command]).spawn();
        assert_eq!(sending.await.unwrap().unwrap().outcomes[0].outcome, Outcome::Applied);
        let known = ClaimOutcome::Known { document: key.document_id(0), generation: 0 };
        assert_eq!(claiming.await.unwrap(), [known]);
        let stands = pulled(&fixture, &hanako, &meeting).await.unwrap();
        assert_eq!((stands.time(), stands.revision), (at(&meeting, 11), 1), "round {round}");
    }
}

async fn a_pair_closed_in_the_same_instant_takes_the_command_before_or_not_at_all(fixture: Fixture) {
    let other = COMPANY.replace("hanako@a.jp,佐藤 花子,ken@a.jp", "hanako@a.jp,佐藤 花子,mori@a.jp");
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    for round in 0..8_u64 {
        let pair = fixture.pair_of(&hanako).await;
        let meeting = slot(&pair, 14);
        let command = nth(round + 1, move_to(&meeting, 0, 11));
        let sending = Sending::new(&fixture, &hanako, &[command]).spawn();
        fixture.import("a", if round % 2 == 0 { &other } else { COMPANY }).await;
        let outcome = sending.await.unwrap().unwrap().outcomes.remove(0).outcome;
        let stands = pulled(&fixture, &hanako, &meeting).await;
        match reason_of(&outcome) {
            None => assert_eq!(stands.map(|meeting| meeting.revision), Some(1), "{outcome:?}"),
            Some(reason) => assert_eq!((reason, stands), (RejectionReason::PairClosed, None)),
        }
    }
}

async fn a_person_deactivated_in_the_same_instant_gives_the_command_before_or_not_at_all(fixture: Fixture) {
    for round in 0..6_u8 {
        fixture.import("a", COMPANY).await;
        let hanako = on_device(&fixture, "a", "hanako@a.jp", 2 * round + 1).await;
        let ken = on_device(&fixture, "a", "ken@a.jp", 2 * round + 2).await;
        let meeting = slot(&fixture.pair_of(&hanako).await, 14);
        let sending = Sending::new(&fixture, &hanako, &[nth(u64::from(round) + 1, move_to(&meeting, 0, 11))]).spawn();
        let email = Email::normalise("hanako@a.jp");
        leaving::deactivate(&fixture.store, hanako.organisation, &email, fixture.now()).await.unwrap().unwrap();
        let outcome = sending.await.unwrap();
        let stands = pulled(&fixture, &ken, &meeting).await;
        match outcome {
            Ok(response) => {
                assert_eq!(response.outcomes[0].outcome, Outcome::Applied);
                assert_eq!(stands.map(|meeting| meeting.revision), Some(1));
            }
            Err(error) => {
                assert!(matches!(error, CommandsError::SignedOut), "{error:?}");
                assert_eq!(stands, None);
            }
        }
    }
}

async fn of_two_managers_who_invite_one_address_at_once_one_does(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let mori = on_device(&fixture, "a", "mori@a.jp", 2).await;
    let mut tx = fixture.store.begin().await.unwrap();
    tx.allow_invites(ken.organisation, true).await.unwrap();
    tx.commit().await.unwrap();
    for round in 1..=5_u8 {
        let mut all = JoinSet::new();
        for (n, who) in [(0, &ken), (100, &mori)] {
            let action = Action::Invite {
                person: UserId::new(fixture.now(), [n + round; 10]),
                pair: PairId::new(fixture.now(), [n + round; 10]),
                name: "新人 一郎".to_owned(),
                email: format!("new{round}@a.jp"),
                invitation: InvitationHash::of(&format!("secret {n} {round}")),
            };
            all.spawn(Sending::new(&fixture, who, &[nth(round.into(), action)]).one());
        }
        let mut outcomes = all.join_all().await;
        outcomes.sort_by_key(|outcome| *outcome != Outcome::Applied);
        assert_eq!(outcomes, [Outcome::Applied, rejected(RejectionReason::AddressTaken)], "round {round}");
    }
}
