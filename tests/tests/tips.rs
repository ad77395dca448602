//! `GET /v1/tips` on a real server, on both databases: written by a phone's commands, read by managers, asked anything.

use reqwest::StatusCode;
use serde_json::{Value, json};
use taiwa_shared::protocol::{
    commands::{CommandsResponse, Outcome},
    tips::{TipShelf, TipsPage},
};
use taiwa_tests::{company::Company, process::run_server_command, rest::Rest, world::World};

/// Declares each body as a test on both databases.
macro_rules! on_both {
    ($($name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::World::open(stringify!($name)).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name));
                if let Some(world) = super::World::open_on_postgres(name).await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

on_both! {
    a_tip_goes_from_one_manager_to_the_others_and_to_nobody_else;
    whatever_is_asked_is_answered_or_refused;
    a_tip_passed_by_a_reviewer_is_read_outside_until_it_is_taken_down;
}

async fn signed_in(world: &World, person: &str) -> Rest {
    Rest::new(world.address()).with_token(world.access_token(person).await)
}

/// Makes the id of a command, and of the tip that it writes.
fn id(n: u32) -> String {
    format!("0190a5c0-7d3e-7c4b-9f00-{n:012}")
}

async fn send(rest: &Rest, n: u32, action: Value) -> Outcome {
    let command = json!({ "id": id(n), "sequence": n, "made": 1_776_470_400_000_u64, "action": action });
    let answer = rest.post("/v1/commands", &json!({ "commands": [command] })).await.unwrap();
    let mut response: CommandsResponse = answer.into().unwrap();
    response.outcomes.remove(0).outcome
}

/// Writes a tip whose id is made of `n`.
async fn write(rest: &Rest, n: u32, text: &str, outside: bool) {
    let tip = json!({
        "id": id(n), "text": text, "topic": "career.future", "response": "think",
        "byline": { "type": "name" }, "outside": outside,
    });
    assert_eq!(send(rest, n, json!({ "type": "write_tip", "tip": tip })).await, Outcome::Applied);
}

/// A path with parameters, written as browsers write them.
fn path(parameters: &[(&str, &str)]) -> String {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("/v1/tips?{}", pairs.join("&"))
}

async fn texts(rest: &Rest, parameters: &[(&str, &str)]) -> Vec<String> {
    let page: TipsPage = rest.get(&path(parameters)).await.unwrap().into().unwrap();
    page.tips.into_iter().map(|tip| tip.text).collect()
}

async fn a_tip_goes_from_one_manager_to_the_others_and_to_nobody_else(world: World) {
    let other = Company::small("other");
    other.import(world.folder()).await.unwrap();
    let (sato, mori) = (signed_in(&world, "sato").await, signed_in(&world, "mori").await);
    write(&sato, 1, "ペンを置いて、10秒待つ", false).await;
    let page: TipsPage = mori.get("/v1/tips").await.unwrap().into().unwrap();
    let [tip] = &page.tips[..] else { panic!("{page:?}") };
    assert_eq!((tip.text.as_str(), tip.byline.as_deref()), ("ペンを置いて、10秒待つ", Some("佐藤 健一")));
    for (q, count) in [("ﾍﾟﾝ", 1), ("１０秒", 1), ("待つ ぺん", 1), ("つ", 1), ("ペンギン", 0)] {
        assert_eq!(texts(&mori, &[("q", q)]).await.len(), count, "{q}");
    }
    let shelf: TipShelf = sato.get("/v1/tips/shelf").await.unwrap().into().unwrap();
    assert_eq!((shelf.tips.len(), shelf.own.len(), shelf.outside), (1, 1, false));

    let login = world.login_of(&other, "sato").await;
    let elsewhere = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    assert_eq!(texts(&elsewhere, &[]).await, [""; 0]);
    for person in ["tanaka", "kudo"] {
        let nobody = signed_in(&world, person).await;
        for route in ["/v1/tips", "/v1/tips/shelf", "/v1/tips?q=%E5%BE%85", "/v1/tips?scope=everything"] {
            let answer = nobody.get(route).await.unwrap();
            assert_eq!(
                (answer.status, answer.problem_code().as_str()),
                (StatusCode::NOT_FOUND, "not_found"),
                "{route}"
            );
        }
        let helped = send(&nobody, 2, json!({ "type": "tip_helped", "tip": id(1), "helped": true })).await;
        assert!(matches!(helped, Outcome::Rejected { .. }), "{helped:?}");
    }
    assert_eq!(send(&sato, 3, json!({ "type": "withdraw_tip", "tip": id(1) })).await, Outcome::Applied);
    assert_eq!(texts(&mori, &[]).await, [""; 0]);
    assert_eq!(texts(&mori, &[("q", "待つ")]).await, [""; 0]);
}

async fn whatever_is_asked_is_answered_or_refused(world: World) {
    let sato = signed_in(&world, "sato").await;
    write(&sato, 1, "100% \\ _ 'or' \"AND\" NEAR(a b) x* を聞く", false).await;
    let long = "長".repeat(500);
    for (q, count) in [
        ("", 1),
        ("\u{3000} ", 1),
        ("%", 1),
        ("_", 1),
        ("\\", 1),
        ("'or'", 1),
        ("\"AND\" NEAR(a", 1),
        ("x*", 1),
        ("y*", 0),
        ("' or 1=1 --", 0),
        ("{1,2}", 0),
        ("\0", 0),
        ("聞\0く", 0),
        ("\u{7f}\u{1b}[2J", 0),
        ("\u{202e}", 0),
        ("\u{10ffff}", 0),
        (long.as_str(), 0),
    ] {
        assert_eq!(texts(&sato, &[("q", q)]).await.len(), count, "{q:?}");
        let narrowed = [("q", q), ("topic", "career.future"), ("response", "think")];
        assert_eq!(texts(&sato, &narrowed).await.len(), count, "{q:?}");
    }
    let too_long = "長".repeat(501);
    for parameters in [
        ("q", too_long.as_str()),
        ("topic", "Career"),
        ("topic", "a\0"),
        ("category", "あ"),
        ("response", "' or 1=1"),
        ("scope", "everything"),
        ("cursor", "0"),
        ("cursor", "-1.\0"),
        ("limit", "many"),
    ] {
        let answer = sato.get(&path(&[parameters])).await.unwrap();
        let code = answer.problem_code();
        assert_eq!((answer.status, code.as_str()), (StatusCode::BAD_REQUEST, "invalid_request"), "{parameters:?}");
    }
    assert_eq!(texts(&sato, &[("limit", "0")]).await.len(), 1, "a page has at least one");
}

async fn a_tip_passed_by_a_reviewer_is_read_outside_until_it_is_taken_down(world: World) {
    let other = Company::small("other");
    other.import(world.folder()).await.unwrap();
    let operator = async |arguments: &[&str]| run_server_command(world.folder(), arguments).await.unwrap();
    for slug in [world.company().slug(), "other"] {
        operator(&["organisation", "outside-tips", "--organisation", slug, "on"]).await;
    }
    let sato = signed_in(&world, "sato").await;
    let login = world.login_of(&other, "sato").await;
    let elsewhere = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    write(&sato, 1, "沈黙を待つ", true).await;
    assert!(operator(&["tips", "list"]).await.contains("沈黙を待つ"));
    assert_eq!(texts(&elsewhere, &[("scope", "outside")]).await, [""; 0]);
    operator(&["tips", "pass", &id(1)]).await;
    let answer = elsewhere.get(&path(&[("scope", "outside"), ("q", "沈黙")])).await.unwrap();
    for of_the_author in [id(1).as_str(), "佐藤", world.company().slug()] {
        assert!(!answer.text.contains(of_the_author), "{of_the_author}: {}", answer.text);
    }
    let page: TipsPage = answer.into().unwrap();
    let copy = page.tips[0].id.to_string();
    let reported = send(&elsewhere, 2, json!({ "type": "report_tip", "tip": copy })).await;
    assert_eq!(reported, Outcome::Applied);
    assert!(operator(&["tips", "list"]).await.contains(&copy));
    operator(&["tips", "take-down", &copy]).await;
    assert_eq!(texts(&elsewhere, &[("scope", "outside")]).await, [""; 0]);
    assert_eq!(texts(&sato, &[]).await, ["沈黙を待つ"], "in its own company it stays");
}
