//! Meetings, as stored: when, how far they have come, and who changed them last.
//!
//! What may become of a meeting stands in `shared::domain::scheduling`, and who may ask for it in `records`.

use sqlx::FromRow;
use taiwa_shared::{
    domain::meeting::{BriefSeen, Meeting, MeetingChange, MeetingState},
    ids::{HeadsDigest, MeetingId, OrganisationId, PairId, UserId},
    time::{Timestamp, Zone},
};
use uuid::Uuid;

use super::{StoreError, Tx};

statements! {
    MEETING = "select id, pair, slot, starts, zone, length_minutes, state, revision,
            changed_by, changed_at, changed_from, finished, seen_at, seen_heads
        from meeting where organisation = $1 and id = $2";
    MEETING_PAIR = "select pair from meeting where organisation = $1 and id = $2";
    ADD_MEETING = "insert into meeting (organisation, id, pair, slot, starts, zone, length_minutes, state, rev)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (organisation, id) do nothing";
    CHANGE_MEETING = "update meeting set starts = $3, zone = $4, length_minutes = $5, state = $6, revision = $7,
            changed_by = $8, changed_at = $9, changed_from = $10, finished = $11, seen_at = $12, seen_heads = $13,
            rev = $14
        where organisation = $1 and id = $2";
}

#[derive(FromRow)]
pub(super) struct MeetingRow {
    id: Uuid,
    pair: Uuid,
    slot: Option<String>,
    starts: String,
    zone: String,
    length_minutes: i64,
    state: String,
    revision: i64,
    changed_by: Option<Uuid>,
    changed_at: Option<i64>,
    changed_from: Option<String>,
    finished: Option<i64>,
    seen_at: Option<i64>,
    seen_heads: Option<Vec<u8>>,
}

impl TryFrom<MeetingRow> for Meeting {
    type Error = StoreError;
    fn try_from(row: MeetingRow) -> Result<Self, StoreError> {
        let unreadable = |detail: &str| StoreError::row("meeting", format!("{detail} of {}", row.id));
        let change = match (row.changed_by, row.changed_at, row.changed_from) {
            (Some(by), Some(at), Some(from)) => Some(MeetingChange {
                by: UserId::from_uuid(by),
                at: Timestamp::from_millis(at),
                from: from.parse().map_err(|_| unreadable("former start"))?,
            }),
            _ => None,
        };
        let brief_seen = match (row.seen_at, row.seen_heads) {
            (Some(at), Some(heads)) => Some(BriefSeen {
                at: Timestamp::from_millis(at),
                heads: HeadsDigest::from_bytes(heads.try_into().map_err(|_| unreadable("digest"))?),
            }),
            _ => None,
        };
        Ok(Self {
            id: MeetingId::from_uuid(row.id),
            pair: PairId::from_uuid(row.pair),
            slot: row.slot.map(|slot| slot.parse().map_err(|_| unreadable("slot"))).transpose()?,
            starts: row.starts.parse().map_err(|_| unreadable("start"))?,
            zone: row.zone.parse::<Zone>().map_err(|_| unreadable("zone"))?,
            length_minutes: u16::try_from(row.length_minutes).map_err(|_| unreadable("length"))?,
            state: state_of(&row.state).ok_or_else(|| unreadable("state"))?,
            revision: u32::try_from(row.revision).map_err(|_| unreadable("revision"))?,
            change,
            finished: row.finished.map(Timestamp::from_millis),
            brief_seen,
        })
    }
}

fn state_of(word: &str) -> Option<MeetingState> {
    Some(match word {
        "planned" => MeetingState::Planned,
        "finished" => MeetingState::Finished,
        "cancelled" => MeetingState::Cancelled,
        _ => return None,
    })
}

fn state_word(state: MeetingState) -> &'static str {
    match state {
        MeetingState::Planned => "planned",
        MeetingState::Finished => "finished",
        MeetingState::Cancelled => "cancelled",
    }
}

impl Tx {
    /// A meeting, if it is a record.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed or the row is unreadable.
    pub async fn meeting(
        &mut self,
        organisation: OrganisationId,
        meeting: MeetingId,
    ) -> Result<Option<Meeting>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), meeting.as_uuid());
        let row: Option<MeetingRow> =
            on!(tx self, |c| sqlx::query_as(MEETING).bind(organisation).bind(id).fetch_optional(c).await)?;
        row.map(Meeting::try_from).transpose()
    }

    /// The pair of a meeting, if the meeting is a record.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn pair_of_meeting(
        &mut self,
        organisation: OrganisationId,
        meeting: MeetingId,
    ) -> Result<Option<PairId>, StoreError> {
        let (organisation, id) = (organisation.as_uuid(), meeting.as_uuid());
        let pair: Option<Uuid> =
            on!(tx self, |c| sqlx::query_scalar(MEETING_PAIR).bind(organisation).bind(id).fetch_optional(c).await)?;
        Ok(pair.map(PairId::from_uuid))
    }

    /// Adds a meeting that nobody has touched; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn add_meeting(
        &mut self,
        organisation: OrganisationId,
        meeting: &Meeting,
        rev: i64,
    ) -> Result<(), StoreError> {
        let organisation = organisation.as_uuid();
        on!(tx self, |c| sqlx::query(ADD_MEETING)
            .bind(organisation)
            .bind(meeting.id.as_uuid())
            .bind(meeting.pair.as_uuid())
            .bind(meeting.slot.map(|slot| slot.to_string()))
            .bind(meeting.starts.to_string())
            .bind(meeting.zone.name())
            .bind(i64::from(meeting.length_minutes))
            .bind(state_word(meeting.state))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Replaces everything but id, pair and slot of a meeting that is a record.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn change_meeting(
        &mut self,
        organisation: OrganisationId,
        meeting: &Meeting,
        rev: i64,
    ) -> Result<(), StoreError> {
        let (change, seen) = (meeting.change.as_ref(), meeting.brief_seen);
        on!(tx self, |c| sqlx::query(CHANGE_MEETING)
            .bind(organisation.as_uuid())
            .bind(meeting.id.as_uuid())
            .bind(meeting.starts.to_string())
            .bind(meeting.zone.name())
            .bind(i64::from(meeting.length_minutes))
            .bind(state_word(meeting.state))
            .bind(i64::from(meeting.revision))
            .bind(change.map(|change| change.by.as_uuid()))
            .bind(change.map(|change| change.at.as_millis()))
            .bind(change.map(|change| change.from.to_string()))
            .bind(meeting.finished.map(|at| at.as_millis()))
            .bind(seen.map(|seen| seen.at.as_millis()))
            .bind(seen.map(|seen| seen.heads.as_bytes().to_vec()))
            .bind(rev)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }
}
