//! Everybody who can ask: the columns of the matrix, and the things they ask about.

use jiff::civil::Date;
use reqwest::Method;
use taiwa_shared::{
    domain::{
        meeting::Meeting,
        people::{Pair, Role},
    },
    ids::{DeviceId, MeetingId, OrganisationId, PairId, UserId},
    protocol::{
        login::LoginResponse,
        records::{RecordEntry, RecordsPage},
    },
    time::Timestamp,
};
use taiwa_tests::{
    company::Company,
    process::run_server_command,
    rest::{Answer, Rest},
    world::World,
};

/// Names of the callers, in the order of the cells.
pub(super) const CALLERS: [&str; 9] =
    ["member", "manager", "other pair", "hr", "admin", "other organisation", "nobody", "revoked device", "deactivated"];

/// One who asks.
pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) rest: Rest,
    /// Their sign-in; none for nobody.
    pub(super) login: Option<LoginResponse>,
}

/// What they ask about: a meeting of `tanaka`, the member, and `sato`, the manager.
pub(super) struct Facts {
    pub(super) pair: Pair,
    pub(super) slot: Date,
    pub(super) member: UserId,
    pub(super) members_email: String,
    /// A sign-in of the member that asks nothing.
    pub(super) members_device: DeviceId,
    /// The secret of an invitation that is good.
    pub(super) invitation: String,
    pub(super) now: Timestamp,
}

impl Facts {
    pub(super) fn meeting(&self) -> MeetingId {
        Meeting::id_of_slot(self.pair.id, self.slot)
    }
}

/// What is asked.
pub(super) enum Ask {
    /// A path and nothing else.
    Plain(String),
    /// A path and a JSON body.
    Json(String, serde_json::Value),
    /// A path and a CSV body.
    Csv(String, String),
    /// A path that becomes a WebSocket.
    Upgrade(String),
}

impl Caller {
    /// Whether the pair of [`Facts`] is none of theirs.
    pub(super) fn is_outside_the_pair(&self) -> bool {
        !matches!(self.name, "member" | "manager")
    }

    /// The refresh token of their sign-in; a wrong one for nobody.
    pub(super) fn refresh_token(&self) -> String {
        self.login.as_ref().map_or_else(|| "wrong".to_owned(), |login| login.tokens.refresh_token.expose().to_owned())
    }

    pub(super) async fn ask(&self, method: Method, ask: &Ask) -> Answer {
        let answer = match ask {
            Ask::Plain(path) => self.rest.request(method, path, None).await,
            Ask::Json(path, body) => {
                let body = serde_json::to_vec(body).unwrap();
                self.rest.request(method, path, Some(("application/json", body))).await
            }
            Ask::Csv(path, text) => {
                self.rest.request(method, path, Some(("text/csv", text.clone().into_bytes()))).await
            }
            Ask::Upgrade(path) => self.rest.upgrade(path).await,
        };
        answer.unwrap()
    }
}

/// Two organisations on one server, and a sign-in for every caller.
pub(super) async fn all(world: &World) -> (Facts, Vec<Caller>) {
    let other = Company::small("other");
    other.import(world.folder()).await.unwrap();
    let member = world.login("tanaka").await;
    make_admin(world, member.organisation, "mori").await;
    let nobody = Rest::new(world.address());
    let mut callers = Vec::new();
    for name in CALLERS {
        let login = match name {
            "member" => Some(member.clone()),
            "manager" => Some(world.login("sato").await),
            "other pair" => Some(world.login("abe").await),
            "hr" => Some(world.login("kudo").await),
            "admin" => Some(world.login("mori").await),
            "other organisation" => Some(world.login_of(&other, "sato").await),
            "nobody" => None,
            "revoked device" => Some(world.login("sato").await),
            _ => Some(world.login("ito").await),
        };
        let rest = login.as_ref().map(|login| nobody.with_token(login.tokens.access_token.expose()));
        callers.push(Caller { name, rest: rest.unwrap_or_else(|| nobody.clone()), login });
    }
    let revoked = callers.iter().find(|caller| caller.name == "revoked device").unwrap();
    let ended = revoked.ask(Method::POST, &Ask::Plain("/v1/login/sign-out".to_owned())).await;
    assert_eq!(ended.status.as_u16(), 204);
    deactivate(world, "ito").await;
    let link = world.company().invite(world.folder(), "sato").await.unwrap();
    let invitation = taiwa_tests::world::invitation_in(&link).unwrap().to_owned();
    let members_device = world.login("tanaka").await.device;
    let pair = pair_of(&callers[0]).await;
    let slot = pair.cadence.slots(Date::constant(2026, 4, 1), Date::constant(2030, 1, 1)).next().unwrap();
    let (members_email, now) = (world.company().email("tanaka"), member.tokens.server_time);
    let facts = Facts { pair, slot, member: member.user, members_email, members_device, invitation, now };
    (facts, callers)
}

async fn deactivate(world: &World, person: &str) {
    let email = world.company().email(person);
    let slug = world.company().slug();
    run_server_command(world.folder(), &["person", "deactivate", "--organisation", slug, &email]).await.unwrap();
}

async fn make_admin(world: &World, organisation: OrganisationId, person: &str) {
    let email = taiwa_server::store::people::Email::normalise(&world.company().email(person));
    let store = world.store();
    let mut row = store.person_by_email(organisation, &email).await.unwrap().unwrap();
    row.role = Role::Admin;
    let mut tx = store.begin().await.unwrap();
    let rev = tx.next_rev(organisation).await.unwrap();
    tx.change_person(organisation, &row, rev).await.unwrap();
    tx.commit().await.unwrap();
}

/// The pair that a member sees.
async fn pair_of(member: &Caller) -> Pair {
    let page: RecordsPage = member.rest.get("/v1/records").await.unwrap().into().unwrap();
    let pairs = page.entries.into_iter().filter_map(|entry| match entry {
        RecordEntry::Pair(pair) => Some(pair),
        _ => None,
    });
    let pairs: Vec<Pair> = pairs.collect();
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    pairs.into_iter().next().unwrap()
}

/// Whether an answer tells of a pair.
pub(super) fn tells_of(answer: &Answer, pair: PairId) -> bool {
    answer.text.contains(&pair.to_string())
}
