//! People change: a list imported over HTTP by an admin and by nobody else, felt at once; a team that starts without a list.

use reqwest::StatusCode;
use taiwa_server::bus::News;
use taiwa_shared::protocol::{
    login::{InvitationRequest, LoginResponse, Secret},
    people::{ImportProblem, ImportResponse, TextEncoding},
    records::{RecordEntry, RecordsPage},
};
use taiwa_tests::{
    company::Company,
    eventually::{PATIENCE, eventually},
    process::run_server_command,
    raw_socket::RawSocket,
    rest::Rest,
    world::{PASSWORD, World, invitation_in},
};

const IMPORT: &str = "/v1/people/import";

fn of(world: &World, login: &LoginResponse) -> Rest {
    Rest::new(world.address()).with_token(login.tokens.access_token.expose())
}

/// The company's file with another role for its HR person.
fn with_admin(company: &Company) -> String {
    company.csv().replace(",hr\n", ",admin\n")
}

async fn make_admin(world: &World, company: &Company) {
    let file = world.folder().join("admin.csv");
    std::fs::write(&file, with_admin(company)).unwrap();
    let arguments = ["import", "--organisation", company.slug(), file.to_str().unwrap()];
    run_server_command(world.folder(), &arguments).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_no_admin_gets_the_answer_of_an_unknown_route_to_an_import() {
    let world = World::open("no admin").await;
    let csv = world.company().csv();
    let nobody = Rest::new(world.address());
    let unknown = nobody.post_csv("/v1/people/nothing", csv.clone()).await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for rest in [nobody.clone(), nobody.with_token("x")] {
        let refused = rest.post_csv(IMPORT, csv.clone()).await.unwrap();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "an admin whose token is over learns that it is");
    }
    let mut callers = Vec::new();
    for person in ["tanaka", "sato", "kudo"] {
        callers.push((person, of(&world, &world.login(person).await)));
    }
    for (who, rest) in callers {
        for path in [IMPORT.to_owned(), format!("{IMPORT}?dry_run=true"), format!("{IMPORT}?dry_run=what")] {
            let refused = rest.post_csv(&path, csv.clone()).await.unwrap();
            assert_eq!((refused.status, &refused.text), (unknown.status, &unknown.text), "{who} {path}");
        }
    }
    // A token from before, when she was admin: the records decide.
    make_admin(&world, world.company()).await;
    let admin = of(&world, &world.login("kudo").await);
    assert!(
        admin
            .post_csv(&format!("{IMPORT}?dry_run=true"), with_admin(world.company()))
            .await
            .unwrap()
            .status
            .is_success()
    );
    world.company().import(world.folder()).await.unwrap();
    let refused = admin.post_csv(IMPORT, csv).await.unwrap();
    assert_eq!((refused.status, refused.text), (unknown.status, unknown.text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sees_a_difference_and_imports_it_and_whoever_is_missing_is_out_at_once() {
    let world = World::open("admin").await;
    make_admin(&world, world.company()).await;
    let admin = of(&world, &world.login("kudo").await);
    let (leaving, manager) = (world.login("tanaka").await, world.login("sato").await);
    let mut open = RawSocket::join(world.address(), leaving.tokens.access_token.expose(), "open").await.unwrap();
    let list = with_admin(world.company());
    let without: String =
        list.lines().filter(|line| !line.starts_with("tanaka@")).map(|line| format!("{line}\n")).collect();

    let dry: ImportResponse =
        admin.post_csv(&format!("{IMPORT}?dry_run=true"), without.clone()).await.unwrap().into().unwrap();
    assert!(!dry.applied && dry.encoding == TextEncoding::Utf8);
    assert_eq!((dry.difference.removed[0].name.as_str(), dry.difference.pairs_closed.len()), ("田中 花子", 1));
    assert_eq!(of(&world, &leaving).get("/v1/records").await.unwrap().status, StatusCode::OK, "nothing has changed");

    let mut news = world.bus().subscribe();
    let done: ImportResponse = admin.post_csv(IMPORT, without).await.unwrap().into().unwrap();
    assert!(done.applied);
    assert_eq!(done.difference, dry.difference);
    let told: Vec<News> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    assert!(told.contains(&News::Revoked { device: leaving.device }), "not only when the server next looks: {told:?}");
    assert!(told.iter().any(|news| matches!(news, News::Records { .. })), "{told:?}");
    assert_eq!(open.until_closed().await, Some(4403), "a live socket feels it");
    assert_eq!(of(&world, &leaving).get("/v1/records").await.unwrap().status, StatusCode::UNAUTHORIZED);
    let page: RecordsPage = of(&world, &manager).get("/v1/records").await.unwrap().into().unwrap();
    let left = page
        .entries
        .iter()
        .any(|entry| matches!(entry, RecordEntry::Person(it) if it.id == leaving.user && !it.active));
    assert!(left, "{page:?}");
    let again: ImportResponse = admin.post_csv(IMPORT, list).await.unwrap().into().unwrap();
    assert!(again.difference.added.is_empty() && again.difference.changed[0].returns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_import_names_its_faults_and_the_way_forward() {
    let world = World::open("refused import").await;
    make_admin(&world, world.company()).await;
    let admin = of(&world, &world.login("kudo").await);
    let list = with_admin(world.company());
    let refused = admin.post_csv(IMPORT, format!("{list}x,,東京,who@a.jp,boss\n")).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.media_type.as_str()), (422, "application/problem+json"));
    let problem: ImportProblem = serde_json::from_str(&refused.text).unwrap();
    let places: Vec<_> =
        problem.faults.iter().map(|it| (it.line, it.column.as_ref().map(|column| column.number))).collect();
    assert_eq!(places, [(8, Some(1)), (8, Some(2)), (8, Some(5))], "{problem:?}");

    let one_left: String = list
        .lines()
        .filter(|line| !line.contains("@") || line.starts_with("kudo@"))
        .map(|line| format!("{line}\n"))
        .collect();
    let refused = admin.post_csv(IMPORT, one_left.clone()).await.unwrap();
    assert_eq!(refused.status.as_u16(), 422);
    assert!(
        refused.text.contains("allow_removing=5") && refused.text.contains("keep_missing=true"),
        "{}",
        refused.text
    );
    assert_eq!(
        admin.post_csv(&format!("{IMPORT}?allow_removing=4"), one_left.clone()).await.unwrap().status.as_u16(),
        422
    );
    let kept: ImportResponse =
        admin.post_csv(&format!("{IMPORT}?keep_missing=true"), one_left.clone()).await.unwrap().into().unwrap();
    assert!(kept.difference.is_empty(), "{kept:?}");
    let done: ImportResponse =
        admin.post_csv(&format!("{IMPORT}?allow_removing=5"), one_left).await.unwrap().into().unwrap();
    assert_eq!(done.difference.removed.len(), 5);

    // The server may close before the last byte was sent, so the connection is nobody else's.
    let apart = of(&world, &world.login("kudo").await);
    let large = apart.post_csv(IMPORT, vec![b'a'; 11 * 1_024 * 1_024]).await;
    if let Ok(large) = large {
        assert_eq!((large.status.as_u16(), large.problem_code().as_str()), (413, "too_large"));
    }
    let more_than_json =
        format!("email,name,role\nkudo@sample.example.jp,工藤 彩,admin\n{}", "\n".repeat(2 * 1_024 * 1_024));
    assert!(admin.post_csv(IMPORT, more_than_json).await.unwrap().status.is_success(), "its own body limit");
    let json = admin.post_bytes(IMPORT, "email,name\n").await.unwrap();
    assert_eq!((json.status.as_u16(), json.problem_code().as_str()), (400, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_starts_with_one_link_and_without_a_list() {
    let world = World::open("new team").await;
    let add = async |slug: &str| {
        let arguments = [
            "organisation",
            "add",
            "--slug",
            slug,
            "--name",
            "はじまり",
            "--admin-name",
            "始 花子",
            "--admin-email",
            "hanako@start.example.jp",
        ];
        run_server_command(world.folder(), &arguments).await
    };
    let link = add("start").await.unwrap();
    let request = InvitationRequest {
        invitation: Secret::new(invitation_in(link.trim()).unwrap()),
        password: Secret::new(PASSWORD),
        device_name: "花子の電話".to_owned(),
    };
    let answer = Rest::new(world.address()).post("/v1/login/invitation", &request).await.unwrap();
    let login: LoginResponse = answer.into().unwrap();
    assert_eq!((login.organisation_slug.as_str(), login.organisation_name.as_str()), ("start", "はじまり"));
    let taken = add("start").await.unwrap_err().to_string();
    assert!(taken.contains("there is an organisation \"start\" already"), "{taken}");
    // The admin may go on with a list.
    let csv = "メールアドレス,氏名,上司のメールアドレス,役割\nhanako@start.example.jp,始 花子,,管理者\n\
        taro@start.example.jp,次 太郎,hanako@start.example.jp,\n";
    let imported: ImportResponse = of(&world, &login).post_csv(IMPORT, csv).await.unwrap().into().unwrap();
    assert_eq!((imported.difference.added.len(), imported.difference.pairs_opened.len()), (1, 1));
    for state in ["off", "on"] {
        let arguments = ["organisation", "invites", "--organisation", "start", state];
        assert!(run_server_command(world.folder(), &arguments).await.unwrap().contains("start"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_manager_closes_the_pair_on_every_phone_and_a_dry_run_changes_none() {
    let mut world = World::open("changed manager").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let pair = member.pair_with(&manager).await;
    let file = world.folder().join("dry.csv");
    std::fs::write(&file, world.company().csv().replace("田中 花子,東京,sato@", "田中 花子,東京,mori@")).unwrap();
    let arguments = ["import", "--dry-run", "--organisation", world.company().slug(), file.to_str().unwrap()];
    let said = run_server_command(world.folder(), &arguments).await.unwrap();
    for expected in [
        "This is a dry run: nothing has been changed.",
        "was read as UTF-8",
        "田中 花子 <tanaka@sample.example.jp>: manager 佐藤 健一 -> 森 由美",
        "田中 花子 with 森 由美",
        "田中 花子 with 佐藤 健一",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(member.session().pairs().iter().any(|item| item.pair == pair));
    world.move_person("tanaka", "mori").await;
    let new_manager = world.phone("mori").await;
    eventually("the new pair is there", PATIENCE, || async {
        let pairs = member.session().pairs();
        pairs.iter().any(|item| item.partner == new_manager.user()).then_some(())
    })
    .await;
}
