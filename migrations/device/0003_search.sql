-- What search looks through: the text of each document, sealed as a whole and renewed together with its summary.
create table search_text (
    document blob primary key references document (id) on delete cascade,
    sealed blob not null
) strict, without rowid;

-- Summaries made before have no text beside them; a summary is a cache, and all are made again.
delete from summary;
