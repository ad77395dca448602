//! The matrix itself: a row per operation, a column per caller.

use reqwest::Method;
use serde_json::{Value, json};
use taiwa_shared::{
    domain::{meeting::Meeting, ownership::DocumentKey},
    ids::{CommandId, DeviceId, MeetingId, PairId},
};
use taiwa_tests::rest::Answer;

use super::callers::{Ask, CALLERS, Caller, Facts, tells_of};

/// What every caller gets from one operation.
pub(super) struct Row {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) ask: fn(&str, &Caller, &Facts) -> Ask,
    pub(super) says: fn(&Answer, &Facts) -> String,
    pub(super) cells: [&'static str; 9],
}

/// One operation asked about a thing that is somebody else's and about one that nobody has.
pub(super) struct Probe {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) is_foreign_to: fn(&Caller) -> bool,
    pub(super) foreign: fn(&Caller, &Facts) -> Ask,
    pub(super) random: fn(&Caller, &Facts) -> Ask,
}

/// Routes whose parameter is a fixed name and no id.
pub(super) const FIXED_NAMES: [&str; 1] = ["/api/{file}"];

/// The rows. What ends a sign-in comes last.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    let get = |path, ask, says, cells| Row { method: Method::GET, path, ask, says, cells };
    let post = |path, ask, says, cells| Row { method: Method::POST, path, ask, says, cells };
    let put = |path, ask, says, cells| Row { method: Method::PUT, path, ask, says, cells };
    let delete = |path, ask, says, cells| Row { method: Method::DELETE, path, ask, says, cells };
    vec![
        //                                                       member       manager      other pair     hr             admin          other org.     nobody revoked deactivated
        get("/healthz",             plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        get("/readyz",              plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        get("/openapi.json",        plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        get("/api",                 plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        get("/api/{file}",          page_file,  status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        get("/invite/{token}",      invitation, status,         ["200",       "200",       "200",         "200",         "200",         "200",         "200", "200", "200"]),
        post("/v1/login/invitation", no_invitation, status,     ["401",       "401",       "401",         "401",         "401",         "401",         "401", "401", "401"]),
        post("/v1/login/password",  no_password, status,        ["401",       "401",       "401",         "401",         "401",         "401",         "401", "401", "401"]),
        get("/v1/records",          plain,      sees_the_pair,  ["200 pair",  "200 pair",  "200",         "200",         "200",         "200",         "401", "401", "401"]),
        post("/v1/documents",       claim_memo, outcome,        ["200 known", "200 known", "200 refused", "200 refused", "200 refused", "200 refused", "401", "401", "401"]),
        get("/v1/sync",             socket,     status,         ["101",       "101",       "101",         "101",         "101",         "101",         "401", "401", "401"]),
        post("/v1/sync/ticket",     plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "401", "401", "401"]),
        post("/v1/commands",        finish,     outcome,        ["200 applied", "200 applied", "200 rejected", "200 rejected", "200 rejected", "200 rejected", "401", "401", "401"]),
        put("/v1/ratings/{meeting}", rate,      status,         ["204",       "404",       "404",         "404",         "404",         "404",         "401", "401", "401"]),
        get("/v1/ratings",          plain,      sees_a_rating,  ["200 rating", "200",      "200",         "200",         "200",         "200",         "401", "401", "401"]),
        get("/v1/strengths",        plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "401", "401", "401"]),
        get("/v1/tips",             plain,      status,         ["404",       "200",       "404",         "404",         "200",         "200",         "401", "401", "401"]),
        get("/v1/tips/shelf",       plain,      status,         ["404",       "200",       "404",         "404",         "200",         "200",         "401", "401", "401"]),
        post("/v1/people/import",   csv,        status,         ["404",       "404",       "404",         "404",         "200",         "404",         "401", "401", "401"]),
        get("/v1/devices",          plain,      status,         ["200",       "200",       "200",         "200",         "200",         "200",         "401", "401", "401"]),
        delete("/v1/devices/{id}",  members_device, status,     ["204",       "404",       "404",         "404",         "404",         "404",         "401", "401", "401"]),
        post("/v1/login/refresh",   refresh,    status,         ["200",       "200",       "200",         "200",         "200",         "200",         "401", "401", "401"]),
        post("/v1/login/sign-out",  plain,      status,         ["204",       "204",       "204",         "204",         "204",         "204",         "401", "401", "401"]),
    ]
}

/// What is asked twice, about somebody else's thing and about nobody's.
pub(super) fn foreign_and_random() -> Vec<Probe> {
    vec![
        Probe {
            method: Method::GET,
            path: "/invite/{token}",
            is_foreign_to: |_| true,
            foreign: |_, facts| Ask::Plain(format!("/invite/{}", facts.invitation)),
            random: |_, _| Ask::Plain("/invite/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        },
        Probe {
            method: Method::DELETE,
            path: "/v1/devices/{id}",
            is_foreign_to: |caller| caller.name != "member",
            foreign: |_, facts| Ask::Plain(format!("/v1/devices/{}", facts.members_device)),
            random: |_, _| Ask::Plain(format!("/v1/devices/{}", DeviceId::from_bytes([0x5a; 16]))),
        },
        Probe {
            method: Method::PUT,
            path: "/v1/ratings/{meeting}",
            is_foreign_to: |caller| caller.name != "member",
            foreign: |_, facts| rate_one(facts.meeting()),
            random: |_, _| rate_one(MeetingId::from_bytes([0x5a; 16])),
        },
        Probe {
            method: Method::POST,
            path: "/v1/commands",
            is_foreign_to: Caller::is_outside_the_pair,
            foreign: |caller, facts| finish_one(caller, facts.pair.id, facts, 1),
            random: |caller, facts| finish_one(caller, PairId::from_bytes([0x5a; 16]), facts, 2),
        },
        Probe {
            method: Method::POST,
            path: "/v1/documents",
            is_foreign_to: Caller::is_outside_the_pair,
            foreign: |_, facts| claim_everything(facts.pair.id, facts.meeting(), facts),
            random: |_, facts| {
                let pair = PairId::from_bytes([0x5a; 16]);
                claim_everything(pair, Meeting::id_of_slot(pair, facts.slot), facts)
            },
        },
    ]
}

fn plain(path: &str, _: &Caller, _: &Facts) -> Ask {
    Ask::Plain(path.to_owned())
}

fn socket(path: &str, _: &Caller, _: &Facts) -> Ask {
    Ask::Upgrade(path.to_owned())
}

fn page_file(_: &str, _: &Caller, _: &Facts) -> Ask {
    Ask::Plain("/api/page.js".to_owned())
}

fn invitation(_: &str, _: &Caller, facts: &Facts) -> Ask {
    Ask::Plain(format!("/invite/{}", facts.invitation))
}

fn no_invitation(path: &str, _: &Caller, _: &Facts) -> Ask {
    let body = json!({ "invitation": "wrong", "password": "晴れた日は歩いて行く 42", "device_name": "x" });
    Ask::Json(path.to_owned(), body)
}

/// An address for each caller: tries are counted by address.
fn no_password(path: &str, caller: &Caller, _: &Facts) -> Ask {
    let email = format!("{}@nowhere.example.jp", caller.name.replace(' ', "-"));
    let body = json!({ "organisation": "sample", "email": email, "password": "x", "device_name": "x" });
    Ask::Json(path.to_owned(), body)
}

fn refresh(path: &str, caller: &Caller, _: &Facts) -> Ask {
    Ask::Json(path.to_owned(), json!({ "refresh_token": caller.refresh_token() }))
}

fn claim_memo(path: &str, _: &Caller, facts: &Facts) -> Ask {
    let key = DocumentKey::Memo { pair: facts.pair.id, meeting: facts.meeting() };
    Ask::Json(path.to_owned(), json!({ "claims": [{ "key": key, "slot": facts.slot }] }))
}

fn finish(_: &str, caller: &Caller, facts: &Facts) -> Ask {
    finish_one(caller, facts.pair.id, facts, 1)
}

/// A command of its own for each caller and number.
fn finish_one(caller: &Caller, pair: PairId, facts: &Facts, sequence: u8) -> Ask {
    let column = CALLERS.iter().position(|name| *name == caller.name).unwrap_or_default();
    let id = CommandId::from_bytes([sequence * 16 + u8::try_from(column).unwrap(); 16]);
    let meeting = json!({ "id": Meeting::id_of_slot(pair, facts.slot), "pair": pair, "slot": facts.slot });
    let action = json!({ "type": "finish", "meeting": meeting, "at": facts.now });
    let command = json!({ "id": id, "sequence": sequence, "made": facts.now, "action": action });
    Ask::Json("/v1/commands".to_owned(), json!({ "commands": [command] }))
}

fn rate(_: &str, _: &Caller, facts: &Facts) -> Ask {
    rate_one(facts.meeting())
}

fn rate_one(meeting: MeetingId) -> Ask {
    Ask::Json(format!("/v1/ratings/{meeting}"), json!({ "talked": 4, "picks": [] }))
}

fn csv(path: &str, _: &Caller, facts: &Facts) -> Ask {
    let file = format!("email,name\n{},田中 花子\n", facts.members_email);
    Ask::Csv(format!("{path}?dry_run=true&keep_missing=true"), file)
}

fn members_device(_: &str, _: &Caller, facts: &Facts) -> Ask {
    Ask::Plain(format!("/v1/devices/{}", facts.members_device))
}

/// Every kind of document of a pair, as if the caller were in it.
fn claim_everything(pair: PairId, meeting: MeetingId, facts: &Facts) -> Ask {
    let of_meeting = [
        DocumentKey::Memo { pair, meeting },
        DocumentKey::Prep { pair, meeting },
        DocumentKey::Draft { pair, meeting },
    ];
    let of_meeting = of_meeting.into_iter().map(|key| json!({ "key": key, "slot": facts.slot }));
    let of_pair = [DocumentKey::Notebook { pair }, DocumentKey::Private { pair, user: facts.member }];
    let claims: Vec<Value> = of_meeting.chain(of_pair.into_iter().map(|key| json!({ "key": key }))).collect();
    Ask::Json("/v1/documents".to_owned(), json!({ "claims": claims }))
}

fn status(answer: &Answer, _: &Facts) -> String {
    answer.status.as_u16().to_string()
}

/// Status, and whether the answer tells of the pair.
fn sees_the_pair(answer: &Answer, facts: &Facts) -> String {
    let pair = if tells_of(answer, facts.pair.id) { " pair" } else { "" };
    format!("{}{pair}", answer.status.as_u16())
}

/// Status, and whether the answer has a rating.
fn sees_a_rating(answer: &Answer, _: &Facts) -> String {
    let ratings = answer.json()["ratings"].as_array().map_or(0, Vec::len);
    format!("{}{}", answer.status.as_u16(), if ratings > 0 { " rating" } else { "" })
}

/// Status, and what became of the first thing in the body.
fn outcome(answer: &Answer, _: &Facts) -> String {
    match answer.json()["outcomes"][0]["outcome"].as_str() {
        Some(outcome) => format!("{} {outcome}", answer.status.as_u16()),
        None => answer.status.as_u16().to_string(),
    }
}
