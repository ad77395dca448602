//! Whose view of the records changed since a counter: so that news go to them and not to a whole organisation.
//!
//! Errs on the side of too many. Decides nothing about what they may see.

use std::collections::HashSet;

use taiwa_shared::ids::{OrganisationId, UserId};
use uuid::Uuid;

use super::{Store, StoreError};

statements! {
    TOUCHED = "select x.id from person x where x.organisation = $1 and x.rev > $2
        union select s.person from person x
            join pair p on p.organisation = x.organisation and p.member = x.id
            join sight s on s.organisation = p.organisation and s.pair = p.id
            where x.organisation = $1 and x.rev > $2
        union select s.person from person x
            join pair p on p.organisation = x.organisation and p.manager = x.id
            join sight s on s.organisation = p.organisation and s.pair = p.id
            where x.organisation = $1 and x.rev > $2
        union select s.person from sight s where s.organisation = $1 and s.rev > $2
        union select s.person from pair p
            join sight s on s.organisation = p.organisation and s.pair = p.id
            where p.organisation = $1 and p.rev > $2
        union select s.person from meeting m
            join sight s on s.organisation = m.organisation and s.pair = m.pair
            where m.organisation = $1 and m.rev > $2
        union select s.person from document d
            join sight s on s.organisation = d.organisation and s.pair = d.pair
            where d.organisation = $1 and d.rev > $2
        union select d.person from document d
            where d.organisation = $1 and d.rev > $2 and d.person is not null
        union select s.person from author a
            join document d on d.organisation = a.organisation and d.id = a.document
            join sight s on s.organisation = d.organisation and s.pair = d.pair
            where a.organisation = $1 and a.rev > $2
        union select d.person from author a
            join document d on d.organisation = a.organisation and d.id = a.document
            where a.organisation = $1 and a.rev > $2 and d.person is not null";
}

impl Store {
    /// Everybody who may see something of the records that changed after `counter`.
    ///
    /// # Errors
    /// [`StoreError`] if the statement failed.
    pub async fn touched_since(
        &self,
        organisation: OrganisationId,
        counter: i64,
    ) -> Result<HashSet<UserId>, StoreError> {
        let organisation = organisation.as_uuid();
        let people: Vec<Uuid> =
            on!(read self, |c| sqlx::query_scalar(TOUCHED).bind(organisation).bind(counter).fetch_all(c).await)?;
        Ok(people.into_iter().map(UserId::from_uuid).collect())
    }
}
