-- What this person, as a member, says about their 1on1s, and how often they were asked. Not in the outbox: a rating is
-- no command, and the newest one of a 1on1 is all that is sent.
-- state: 1 waiting for the server, 2 the server has it, 3 the server did not take it, 4 asked and not rated.
create table rating (
    meeting blob primary key,
    state integer not null check (state in (1, 2, 3, 4)),
    sealed blob not null
) strict, without rowid;
create index rating_by_state on rating (state);
