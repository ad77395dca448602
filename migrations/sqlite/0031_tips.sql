-- Tips of managers. The organisation of a tip that is offered to other companies is the nil id: it belongs to none, and
-- names neither company nor author. `outside` is the id of that copy. `number` stands for the tip in the search index.

create table tip (
    organisation blob not null,
    id blob not null,
    number integer not null unique,
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
    score integer not null,
    offered text not null check (offered in ('no', 'waiting', 'yes', 'declined')),
    outside blob,
    reports integer not null,
    primary key (organisation, id)
) strict;
create index tip_id on tip (id);
create index tip_outside on tip (outside) where outside is not null;
create index tip_order on tip (organisation, score, number);
create index tip_topic on tip (organisation, topic, score, number);
create index tip_category on tip (organisation, category, score, number);
create index tip_response on tip (organisation, response, score, number);
create index tip_response_topic on tip (organisation, response, topic, score, number);
create index tip_response_category on tip (organisation, response, category, score, number);
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

create table tip_number (
    one integer not null primary key check (one = 1),
    last integer not null
) strict;

-- Whether an organisation exchanges tips with others.
alter table organisation add column outside_tips integer not null default 0;

-- An index only: it is made anew from the tips where it is missing.
create virtual table tip_search using fts5 (grams, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
