-- Tips of managers. The organisation of a tip that is offered to other companies is the nil id: it belongs to none, and
-- names neither company nor author. `outside` is the id of that copy. `rank` is where it stands in the order of tips, the
-- lowest first, and what the search index calls it.

create table tip (
    organisation blob not null,
    id blob not null,
    rank integer not null unique,
    author blob,
    signs text not null check (signs in ('none', 'line', 'name')),
    byline text,
    text text not null,
    folded text not null,
    topic text not null,
    category text not null,
    response text not null,
    made integer not null,
    helped integer not null,
    offered text not null check (offered in ('no', 'waiting', 'yes', 'declined')),
    outside blob,
    reports integer not null,
    primary key (organisation, id)
) strict;
create index tip_id on tip (id);
create index tip_outside on tip (outside) where outside is not null;
create unique index tip_order on tip (organisation, rank);
create index tip_topic on tip (organisation, topic, rank);
create index tip_category on tip (organisation, category, rank);
create index tip_response on tip (organisation, response, rank);
create index tip_response_topic on tip (organisation, response, topic, rank);
create index tip_response_category on tip (organisation, response, category, rank);
create index tip_author on tip (organisation, author);
create index tip_waiting on tip (offered) where offered = 'waiting';
create index tip_with_reports on tip (reports) where reports > 0;

-- Who said that a tip helped, and who reported one; the organisation is that of the person.
create table tip_helped (
    organisation blob not null,
    tip blob not null,
    person blob not null,
    primary key (tip, organisation, person)
) strict;
create table tip_reported (
    organisation blob not null,
    tip blob not null,
    person blob not null,
    primary key (tip, organisation, person)
) strict;

-- Whether an organisation exchanges tips with others.
alter table organisation add column outside_tips integer not null default 0;

-- An index only: it is made anew from the tips where it is missing.
create virtual table tip_search using fts5 (grams, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
