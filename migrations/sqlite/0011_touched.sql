-- Who is touched by a change of the records: the hub asks for what is newer than a counter, several times a second.

create index person_rev on person (organisation, rev);
create index pair_rev on pair (organisation, rev);
create index sight_rev on sight (organisation, rev);
create index meeting_rev on meeting (organisation, rev);
create index document_rev on document (organisation, rev);
create index author_rev on author (organisation, rev);
-- The line index covers open pairs only, and a changed person concerns the closed ones too.
create index pair_member on pair (organisation, member);
