//! A private note and a first thought: who holds them, decoded from what phones and server store at the end.

use anyhow::Result;
use taiwa_mobile_core::session::NotesOf;
use taiwa_shared::{domain::ownership::DocumentKey, ids::MeetingId};

use super::{Couple, Story, tunnel::FIRST_THOUGHT};
use crate::{demo::timeline::Timeline, inspect::Contents, process::ServerProcess};

const NOTE: &str = "転職サイトを見ていることはまだ言わない";

/// The member writes a private note during the 1on1.
pub(super) async fn write(story: &mut Story) -> Result<()> {
    story.timeline.act("自分用メモ");
    let Story { timeline, office, .. } = story;
    let session = office.member.session().await?;
    session.add_note(NotesOf::Pair(office.pair), NOTE.to_owned(), None).await?;
    timeline.say(&office.member.who, "自分用メモに一行書きました");
    timeline.check("自分の別の端末のために同期される", office.member.is_synced().await?);
    Ok(())
}

/// Decodes both phones and the server.
pub(super) async fn look_inside(
    timeline: &mut Timeline,
    server: &ServerProcess,
    office: Couple,
    prepared: MeetingId,
) -> Result<()> {
    let Couple { member, manager, pair, .. } = office;
    let me = member.session().await?.me();
    let note = DocumentKey::Private { pair, user: me }.document_id(0);
    let (members, managers) = (member.open_up().await?, manager.open_up().await?);
    let servers = Contents::of_server(&server.database()).await?;
    let place = format!("document {note}");
    let draft = DocumentKey::Draft { pair, meeting: prepared }.document_id(0);
    let draft = format!("document {draft}");

    timeline.check(
        "自分用メモは本人の端末にある（検査が働いている証拠）",
        members.places_of(NOTE).contains(&place.as_str()),
    );
    timeline.check("自分用メモは上司の端末のどこにもない", managers.places_of(NOTE).is_empty());
    timeline.check("サーバーでは本人だけの文書にしかない", documents_with(&servers, NOTE) == [place.as_str()]);

    timeline.check(
        "書きかけの本音は本人の端末の下書きに残る（検査が働いている証拠）",
        !members.places_of(FIRST_THOUGHT).is_empty(),
    );
    timeline.check("書きかけの本音は上司の端末のどこにもない", managers.places_of(FIRST_THOUGHT).is_empty());
    timeline.check(
        "サーバーでも、下書きのほかのどの文書にもない",
        documents_with(&servers, FIRST_THOUGHT) == [draft.as_str()],
    );
    timeline.check(
        "上司の端末はメモを持っている（検査が働いている証拠）",
        !managers.places_of("お客様に頼られる").is_empty(),
    );
    Ok(())
}

/// The places on the server with this text; the table of documents' bytes is looked at decoded, not as raw bytes.
fn documents_with<'a>(servers: &'a Contents, text: &str) -> Vec<&'a str> {
    servers.places_of(text).into_iter().filter(|place| *place != "table chunk.body").collect()
}
