-- The public state of MLS groups, as openmls keeps it.
CREATE TABLE rows (
    key   BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Channels this node is the hub of.
CREATE TABLE channels (
    channel    BLOB PRIMARY KEY CHECK (length(channel) = 16),
    charter    BLOB NOT NULL,
    -- The key with which removals are proposed.
    seed       BLOB NOT NULL CHECK (length(seed) = 32),
    -- The digest of what the group was created with, until then nothing.
    created    BLOB,
    group_info BLOB,
    epoch      INTEGER NOT NULL DEFAULT 0,
    -- The place of the last item.
    sequence   INTEGER NOT NULL DEFAULT 0,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who is in them, by pseudonym.
CREATE TABLE leaves (
    channel     BLOB NOT NULL REFERENCES channels (channel),
    participant BLOB NOT NULL CHECK (length(participant) = 16),
    hospital    TEXT NOT NULL,
    consent     BLOB NOT NULL CHECK (length(consent) = 16),
    proof       BLOB NOT NULL,
    -- What a member adds it by; gone once it is in.
    key_package BLOB,
    -- 'pending': may be added. 'member': is in the group. 'cut': is in the group and shall be removed; nothing is
    -- delivered to it. 'gone': was removed.
    state       TEXT NOT NULL CHECK (state IN ('pending', 'member', 'cut', 'gone')),
    ground      BLOB,
    -- The first item it may see.
    since       INTEGER NOT NULL,
    seen        INTEGER NOT NULL,
    PRIMARY KEY (channel, participant)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_by_consent ON leaves (consent);
CREATE INDEX leaves_unsettled ON leaves (channel, state) WHERE state IN ('pending', 'cut');

-- How often members were asked to commit while nothing moved, and when they are asked next.
CREATE TABLE pressed (
    channel  BLOB PRIMARY KEY,
    sequence INTEGER NOT NULL,
    times    INTEGER NOT NULL,
    next     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One commit an epoch: the key says so.
CREATE TABLE commits (
    channel  BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (channel, epoch)
) STRICT, WITHOUT ROWID;

-- What was delivered, in order, for devices that missed it.
CREATE TABLE items (
    channel  BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    key      BLOB NOT NULL CHECK (length(key) = 32),
    sender   BLOB,
    at       INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (channel, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX items_by_key ON items (channel, key);
CREATE INDEX items_by_sender ON items (channel, sender, at);
CREATE INDEX items_by_time ON items (at);

-- What another hospital's node has not acknowledged yet, in order.
CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    peer     TEXT NOT NULL,
    channel  BLOB NOT NULL,
    -- What it carries, by how much is lost with it: 'work' is asked for again and a 'message' can be fetched; only an
    -- 'ended' tells its home that a device left.
    kind     TEXT NOT NULL CHECK (kind IN ('work', 'message', 'ended', 'other')),
    at       INTEGER NOT NULL,
    delivery BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_by_peer ON outbox (peer, number);
CREATE INDEX outbox_by_channel ON outbox (peer, channel, kind);
CREATE INDEX outbox_by_time ON outbox (at);

-- The last delivery taken from a peer, so that none is taken twice.
CREATE TABLE taken (
    peer   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Devices of this hospital's people.
CREATE TABLE devices (
    device BLOB PRIMARY KEY CHECK (length(device) = 16),
    -- Whose: a name of the hospital's own for the person, never told to anybody.
    person TEXT NOT NULL,
    role   INTEGER NOT NULL,
    -- BLAKE3 of the token that the device shows.
    token  BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    state  TEXT NOT NULL CHECK (state IN ('active', 'revoked')),
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_person ON devices (person);

-- Key packages that devices left here, each handed out once; the one of last resort when no other is left.
CREATE TABLE key_packages (
    digest      BLOB PRIMARY KEY CHECK (length(digest) = 32),
    device      BLOB NOT NULL REFERENCES devices (device),
    participant BLOB NOT NULL,
    leaf_key    BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    expires     INTEGER NOT NULL,
    last_resort INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
    handed_out  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX key_packages_by_device ON key_packages (device, last_resort, expires);
CREATE INDEX key_packages_by_time ON key_packages (expires);

-- Which device stands behind a pseudonym: nobody else knows.
CREATE TABLE own_leaves (
    channel     BLOB NOT NULL,
    participant BLOB NOT NULL,
    device      BLOB NOT NULL REFERENCES devices (device),
    hub         TEXT NOT NULL,
    consent     BLOB NOT NULL,
    proof       BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'ended')),
    PRIMARY KEY (channel, participant)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_leaves_by_device ON own_leaves (device, channel);
CREATE INDEX own_leaves_by_consent ON own_leaves (consent);

-- The hospital's signed word that devices of its own take no further part, until their hubs have heard it.
CREATE TABLE revocations (
    channel     BLOB NOT NULL,
    participant BLOB NOT NULL,
    hub         TEXT NOT NULL,
    revocation  BLOB NOT NULL,
    PRIMARY KEY (channel, participant)
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_hub ON revocations (hub);

-- Items that wait for devices, each kept once.
CREATE TABLE held (
    item     INTEGER PRIMARY KEY,
    channel  BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    bytes    BLOB NOT NULL,
    at       INTEGER NOT NULL,
    UNIQUE (channel, sequence, digest)
) STRICT;

CREATE TABLE queue (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    device   BLOB NOT NULL,
    item     INTEGER NOT NULL REFERENCES held (item),
    UNIQUE (device, item)
) STRICT;
CREATE INDEX queue_by_item ON queue (item);
CREATE INDEX queue_by_device ON queue (device, position);

-- Encrypted attachments, in pieces of equal size but the last; whole ones have been compared with their digest.
CREATE TABLE blobs (
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    channel BLOB NOT NULL,
    size    INTEGER NOT NULL,
    whole   INTEGER NOT NULL CHECK (whole IN (0, 1)),
    at      INTEGER NOT NULL,
    PRIMARY KEY (channel, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_pieces (
    channel     BLOB NOT NULL,
    digest      BLOB NOT NULL,
    number      INTEGER NOT NULL,
    -- Who put it there.
    participant BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (channel, digest, number),
    FOREIGN KEY (channel, digest) REFERENCES blobs (channel, digest) ON DELETE CASCADE
) STRICT;

-- By which transaction consents were withdrawn, as this node read it in the ledger.
CREATE TABLE withdrawn (
    consent     BLOB PRIMARY KEY CHECK (length(consent) = 16),
    transaction_id BLOB NOT NULL CHECK (length(transaction_id) = 32),
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single values: the next block to read.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was refused and why, and what was done for devices; never what was said.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    channel  BLOB,
    code     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
