-- A patient's presentation as this hospital holds it, in plaintext. Nothing of it leaves the hospital as it is.
CREATE TABLE cases (
    local_id      TEXT PRIMARY KEY,
    subject       TEXT,
    label         TEXT,
    source        BLOB NOT NULL CHECK (length(source) = 32),
    content       BLOB NOT NULL CHECK (length(content) = 32),
    revision      INTEGER NOT NULL CHECK (revision >= 1),
    changed_at    INTEGER NOT NULL,
    -- 32 bytes from which the case's dummies are drawn; made once, never changed.
    secret        BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE case_terms (
    local_id TEXT NOT NULL REFERENCES cases (local_id) ON DELETE CASCADE,
    term     INTEGER NOT NULL CHECK (term BETWEEN 0 AND 9999999),
    excluded INTEGER NOT NULL CHECK (excluded IN (0, 1)),
    onset    TEXT,
    PRIMARY KEY (local_id, term)
) STRICT, WITHOUT ROWID;

-- Earlier contents of a case by digest alone: that it was corrected, and when.
CREATE TABLE case_revisions (
    local_id   TEXT NOT NULL REFERENCES cases (local_id) ON DELETE CASCADE,
    revision   INTEGER NOT NULL,
    source     BLOB NOT NULL,
    content    BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (local_id, revision)
) STRICT, WITHOUT ROWID;

-- One key a case, so that a patient's cases cannot be linked. Made here: hospital-attested.
CREATE TABLE patient_keys (
    local_id TEXT PRIMARY KEY REFERENCES cases (local_id),
    seed     BLOB NOT NULL CHECK (length(seed) = 32),
    public   BLOB NOT NULL UNIQUE CHECK (length(public) = 32),
    -- Salts the commitment to the case, in the key's registration and in every consent it signs.
    salt     BLOB NOT NULL CHECK (length(salt) = 32),
    state    TEXT NOT NULL CHECK (state IN ('queued', 'live', 'refused')),
    code     TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE consents (
    consent    BLOB PRIMARY KEY CHECK (length(consent) = 16),
    local_id   TEXT NOT NULL REFERENCES cases (local_id),
    sequence   INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    statement  BLOB NOT NULL,
    signature  BLOB NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'live', 'withdrawing', 'withdrawn', 'expired', 'refused')),
    code       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_case ON consents (local_id, sequence);

CREATE TABLE publications (
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
                 ('queued', 'live', 'replaced', 'withdrawn', 'expired', 'purged', 'refused')),
    code     TEXT,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX publications_by_case ON publications (local_id, number);
CREATE INDEX publications_by_consent ON publications (consent);

-- Look-ups this hospital asked. The opening (salt and query) goes when the answer is there.
CREATE TABLE lookups (
    request   BLOB PRIMARY KEY CHECK (length(request) = 16),
    local_id  TEXT NOT NULL REFERENCES cases (local_id),
    clinician TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    breadth   TEXT NOT NULL CHECK (breadth IN ('close', 'wide')),
    epoch     INTEGER NOT NULL,
    matcher   TEXT NOT NULL,
    expires   INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    slot      INTEGER NOT NULL,
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
    at        INTEGER NOT NULL,
    UNIQUE (day, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_by_time ON lookups (at);

-- Slots that the ledger knows to be taken and this store did not take, as after a restored backup.
CREATE TABLE foreign_slots (
    day  INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (day, slot)
) STRICT, WITHOUT ROWID;

-- Who found us: receipts on the ledger that one of our sealing keys opened.
CREATE TABLE receipts (
    request  BLOB NOT NULL CHECK (length(request) = 16),
    slot     INTEGER NOT NULL,
    handle   BLOB NOT NULL CHECK (length(handle) = 16),
    local_id TEXT,
    asker    TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    short    INTEGER NOT NULL CHECK (short IN (0, 1)),
    matcher  TEXT NOT NULL,
    rank     INTEGER NOT NULL,
    height   INTEGER NOT NULL,
    block    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (request, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_case ON receipts (local_id);

-- What the ledger has not acknowledged yet. A row leaves in the same transaction that records the outcome.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    payload  BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX outbox_by_kind ON outbox (kind, due);

-- Local actions and denials, in the order they happened.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    code    TEXT NOT NULL
) STRICT;

-- Single values: the follower's position, the pseudonyms' secret.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
