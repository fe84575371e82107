-- Introductions that this hospital proposed, or that were proposed to it.
CREATE TABLE introductions (
    introduction  BLOB PRIMARY KEY CHECK (length(introduction) = 16),
    -- Whether this hospital proposed it.
    outgoing      INTEGER NOT NULL CHECK (outgoing IN (0, 1)),
    -- On which side of the look-up this hospital stands.
    side          TEXT NOT NULL CHECK (side IN ('asker', 'found')),
    lookup        BLOB NOT NULL CHECK (length(lookup) = 16),
    -- The found case's place in the answer.
    rank          INTEGER NOT NULL,
    -- Which of its ten on this look-up the proposer took.
    number        INTEGER NOT NULL,
    -- The other hospital.
    other         TEXT NOT NULL,
    -- The own case that it is about, and the found one of the two.
    local_id      TEXT NOT NULL REFERENCES cases (local_id),
    handle        BLOB NOT NULL CHECK (length(handle) = 16),
    reason        TEXT NOT NULL,
    -- Opens the commitment to the recipient.
    salt          BLOB NOT NULL CHECK (length(salt) = 32),
    expires       INTEGER NOT NULL,
    -- Each side's consent, the salt of its commitment, and who takes part: 1 clinicians, 2 the patient, 3 both.
    own_consent   BLOB CHECK (length(own_consent) = 16),
    own_salt      BLOB CHECK (length(own_salt) = 32),
    own_parties   INTEGER CHECK (own_parties BETWEEN 1 AND 3),
    other_consent BLOB CHECK (length(other_consent) = 16),
    other_salt    BLOB CHECK (length(other_salt) = 32),
    other_parties INTEGER CHECK (other_parties BETWEEN 1 AND 3),
    state         TEXT NOT NULL CHECK (state IN
                      ('queued', 'proposed', 'answering', 'accepted', 'declined', 'expired', 'ended', 'refused')),
    code          TEXT,
    at            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX introductions_by_time ON introductions (at);
CREATE UNIQUE INDEX introductions_by_number ON introductions (lookup, number) WHERE outgoing = 1;
CREATE INDEX introductions_by_own_consent ON introductions (own_consent);
CREATE INDEX introductions_by_other_consent ON introductions (other_consent);
CREATE INDEX introductions_unanswered ON introductions (expires) WHERE state = 'proposed';

-- Channels of this hospital's cases, and every symptom group of the network.
CREATE TABLE channels (
    channel      BLOB PRIMARY KEY CHECK (length(channel) = 16),
    kind         TEXT NOT NULL CHECK (kind IN ('match', 'patients', 'symptom-group')),
    introduction BLOB REFERENCES introductions (introduction),
    -- The own case in it; of a symptom group, the one that it was opened for.
    local_id     TEXT REFERENCES cases (local_id),
    hub          TEXT NOT NULL,
    fence        INTEGER NOT NULL CHECK (fence >= 1),
    -- The hub's signed statement, as on the ledger.
    opening      BLOB NOT NULL,
    -- The consents with their salts, in the order of the commitments, as far as they are known here.
    consents     BLOB NOT NULL,
    -- Where this hospital is the hub: the seed of the hub key.
    seed         BLOB CHECK (length(seed) = 32),
    -- Of a symptom group: what it is about.
    topic        BLOB,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'open', 'ended', 'refused')),
    code         TEXT,
    at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX channels_by_time ON channels (at);
CREATE INDEX channels_by_introduction ON channels (introduction);

-- Clinicians who look after a case beside those who made look-ups for it.
CREATE TABLE case_clinicians (
    local_id  TEXT NOT NULL REFERENCES cases (local_id) ON DELETE CASCADE,
    clinician TEXT NOT NULL,
    PRIMARY KEY (local_id, clinician)
) STRICT, WITHOUT ROWID;
