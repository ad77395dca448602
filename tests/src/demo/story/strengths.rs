//! Act: half a year of ratings is counted on a Monday, and some managers have words.
//!
//! The ratings are made up by chance from a seed, as the members of half the company would have given them, and kept in the
//! server's database as it keeps those that arrive. The count is the server's own.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use jiff::ToSpan;
use rand::{RngExt, rngs::StdRng};
use taiwa_mobile_core::session::{Session, StrengthsCard};
use taiwa_server::{
    clock::SystemClock,
    records::ratings::{key::RatingKey, week, weekly::count_due},
    store::ratings::{Line, RatingRow},
};
use taiwa_shared::{
    domain::rating::{Pick, Rating},
    ids::{MeetingId, UserId},
    time::Clock,
};

use super::{Story, server_store};
use crate::{
    demo::{company::SLUG, phone::Phone},
    seed::Seed,
};

/// Weeks of ratings.
const WEEKS: i64 = 26;
/// Teams whose members rate.
const TEAMS: usize = 18;
/// How often of a hundred a member rates.
const RATES: u32 = 80;
/// What is asked for, with how often of a hundred it went well, for most managers.
const ASKED: [(&str, &str, u32); 4] =
    [("career", "think", 66), ("work", "advice", 66), ("customer", "inform", 66), ("work", "listen", 66)];
/// What the manager of the story does well, and what not.
const GIFT: (&str, u32) = ("listen", 97);
const GROWING: (&str, u32) = ("advice", 30);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("得意と伸びしろ：半年分の声を月曜の朝に数える");
    let gifted = story.office.manager.session().await?.me();
    let without = story.field.manager.session().await?.me();
    story.server.stop().await?;
    let (count, managers) = generate(story, gifted, without).await?;
    story.server.restart().await?;
    let Story { timeline, clock, office, field, .. } = story;
    timeline.say("サーバー", format!("{managers}人のマネジャーへの{count}件の声を、月曜6時に数えました"));
    clock.advance(WEEK);
    for phone in [&office.manager, &field.manager] {
        let session = phone.session().await?;
        session.network_available();
        session.tips_opened();
    }

    let manager = &office.manager;
    let card = sees(manager, |card| !card.strong.is_empty()).await?;
    let card = card.context("half a year of ratings gives words")?;
    timeline.say(&manager.who, card.strong_words.as_deref().unwrap_or_default());
    timeline.say(&manager.who, card.invitation.unwrap_or_default());
    if let Some(growing) = &card.growing {
        timeline.say(&manager.who, format!("伸びしろ：{}", growing.label));
    }
    let strong: BTreeSet<String> = card.strong.iter().map(|it| format!("{:?}", it.dimension)).collect();
    timeline.check("得意が言葉で出る。数字は出ない", {
        strong.iter().any(|it| it.contains(GIFT.0)) && !format!("{card:?}").contains('%')
    });
    timeline.check("伸びしろは一つだけで、合うヒントへつながる", {
        card.growing.as_ref().is_some_and(|it| format!("{:?}", it.dimension).contains(GROWING.0))
            && card.growing_filter.is_some()
    });

    let other = &field.manager;
    let card = sees(other, |card| card.empty.is_some()).await?.context("a manager without voices has a card")?;
    timeline.say(&other.who, card.empty.unwrap_or_default());
    let guess = card.choices.first().context("there is something to guess")?;
    other.session().await?.guess_strengths(vec![guess.dimension.clone()]).await?;
    timeline.say(&other.who, format!("自分の見立て：{}", guess.label));
    let guessed = other.session().await?.strengths().await?;
    timeline.check("声が足りないあいだは、自分の見立てだけを端末に持つ", {
        card.strong.is_empty() && guessed.guesses.len() == 1 && !guessed.guesses[0].confirmed
    });
    Ok(())
}

async fn sees(phone: &Phone, expected: impl Fn(&StrengthsCard) -> bool) -> Result<Option<StrengthsCard>> {
    phone.sees(|session: Session| async move { session.strengths().await }, expected).await
}

/// Half a year of ratings in the server's database, counted: how many, and for how many managers.
async fn generate(story: &Story, gifted: UserId, without: UserId) -> Result<(usize, usize)> {
    let store = server_store(&story.server).await?;
    let organisation = store.organisation_by_slug(SLUG).await?.context("the company is there")?.id;
    let key = RatingKey::open(&story.server.database().with_extension("rating-key"))?;
    let lines: Vec<Line> =
        store.lines(organisation).await?.into_iter().filter(|line| line.manager != without).collect();
    let mut managers: Vec<UserId> = vec![gifted];
    for line in &lines {
        if managers.len() < TEAMS && !managers.contains(&line.manager) {
            managers.push(line.manager);
        }
    }
    let now = SystemClock.now();
    let last = week::monday_of(now);
    let mut random = Seed::fixed(7).generator("ratings");
    let mut count = 0;
    let mut tx = store.begin().await?;
    for line in lines.iter().filter(|line| managers.contains(&line.manager)) {
        for back in 0..WEEKS {
            if !random.random_ratio(RATES, 100) {
                continue;
            }
            let week = last.saturating_sub((back * 7).days());
            let meeting = MeetingId::from_bytes(random.random());
            let row = RatingRow {
                ticket: key.ticket(organisation, line.member, meeting),
                rater: key.rater(organisation, line.member, line.manager, week::half_year_of(week)),
                subject: key.subject(organisation, line.manager),
                week,
                rating: rating(line.manager == gifted, &mut random)?,
            };
            count += usize::from(tx.put_rating(organisation, &row).await?);
        }
    }
    tx.commit().await?;
    // The coming Monday's: the weeks before it are over then.
    count_due(&store, &key, week::count_of(week::after(last))).await?;
    store.close().await;
    Ok((count, managers.len()))
}

/// What a member says, by chance.
fn rating(is_gifted: bool, random: &mut StdRng) -> Result<Rating> {
    let (category, response, usual) = ASKED[random.random_range(0..ASKED.len())];
    let own = [GIFT, GROWING].into_iter().find(|(name, _)| is_gifted && *name == response);
    let went_well = random.random_ratio(own.map_or(usual, |(_, chance)| chance), 100);
    let talked = if went_well { random.random_range(4..=5_u8) } else { random.random_range(1..=3_u8) };
    let picks = vec![Pick { category: category.parse()?, response: response.parse()? }];
    Ok(Rating { talked: talked.try_into().context("a step of the scale")?, as_asked: None, picks })
}
