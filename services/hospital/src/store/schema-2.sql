-- A publication also ends with its epoch.
CREATE TABLE publications_2 (
    -- The order in which they were made; two may carry the same time.
    number   INTEGER PRIMARY KEY,
    handle   BLOB NOT NULL UNIQUE CHECK (length(handle) = 16),
    local_id TEXT NOT NULL REFERENCES cases (local_id),
    consent  BLOB NOT NULL REFERENCES consents (consent),
    epoch    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    terms    INTEGER NOT NULL,
    replaces BLOB,
    state    TEXT NOT NULL CHECK (state IN
                 ('queued', 'live', 'replaced', 'withdrawn', 'expired', 'closed', 'purged', 'refused')),
    code     TEXT,
    at       INTEGER NOT NULL
) STRICT;
INSERT INTO publications_2
    SELECT number, handle, local_id, consent, epoch, revision, terms, replaces, state, code, at FROM publications;
DROP TABLE publications;
ALTER TABLE publications_2 RENAME TO publications;
CREATE INDEX publications_by_case ON publications (local_id, number);
CREATE INDEX publications_by_consent ON publications (consent);

-- Epochs that the ledger closed.
CREATE TABLE closed_epochs (
    epoch INTEGER PRIMARY KEY
) STRICT;

-- Look-ups this hospital asked. The opening (salt and query) goes when the answer is checked.
CREATE TABLE lookups_2 (
    request   BLOB PRIMARY KEY CHECK (length(request) = 16),
    local_id  TEXT NOT NULL REFERENCES cases (local_id),
    clinician TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    breadth   TEXT NOT NULL CHECK (breadth IN ('close', 'wide')),
    epoch     INTEGER NOT NULL,
    matcher   TEXT NOT NULL,
    -- How many cases were asked for.
    count     INTEGER NOT NULL CHECK (count BETWEEN 1 AND 10),
    expires   INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
    -- Whether the slot is this request's: it may still be recorded ('open'), it was ('used'), or it never will be,
    -- and another request may take the slot ('free').
    hold      TEXT NOT NULL CHECK (hold IN ('open', 'used', 'free')),
    signed    BLOB NOT NULL,
    opening   BLOB,
    groups    BLOB NOT NULL,
    answer    BLOB,
    -- Where the matcher says the entry stands.
    placed    BLOB CHECK (length(placed) = 32),
    block     INTEGER,
    state     TEXT NOT NULL CHECK (state IN ('asked', 'answered', 'shown', 'refused', 'failed')),
    code      TEXT,
    report    TEXT,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO lookups_2
    SELECT request, local_id, clinician, purpose, breadth, epoch, matcher, 10, expires, day, slot,
           CASE state WHEN 'shown' THEN 'used' ELSE 'open' END, signed, opening, groups, answer, placed, block, state, code, report, at FROM lookups;
DROP TABLE lookups;
ALTER TABLE lookups_2 RENAME TO lookups;
CREATE INDEX lookups_by_time ON lookups (at);
CREATE UNIQUE INDEX lookups_by_slot ON lookups (day, slot) WHERE hold <> 'free';
CREATE INDEX lookups_unsettled ON lookups (expires) WHERE hold = 'open' AND state IN ('asked', 'refused');

-- Of a look-up, the clinician whom the actor named.
ALTER TABLE audit ADD COLUMN clinician TEXT;

-- The network's members as the ledger last showed them; a later record must continue the one here.
CREATE TABLE members (
    organisation TEXT PRIMARY KEY,
    record       BLOB NOT NULL
) STRICT, WITHOUT ROWID;
