-- What a manager's phone keeps beside the documents, each part sealed as a whole: the tips and the own words that the
-- server gave last, and what is on this phone alone: what the person takes their strengths to be, and pinned tips.
create table shelf (
    part text primary key,
    sealed blob not null
) strict, without rowid;
