-- The tables and steps of one state, in a schema of their own. {schema} is its name. Version 4,
-- with what is in kept.sql and codes.sql.
-- Text of requests is kept as UTF-8 bytes: PostgreSQL's text has no U+0000, and bytes sort as code points do.
-- To be run on no schema or on one of an older version: tables that are there stay, the steps are made anew.
DO $$ DECLARE step regprocedure; BEGIN
    FOR step IN SELECT oid FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace LOOP
        EXECUTE 'DROP FUNCTION ' || step;
    END LOOP;
END $$;
DROP TABLE IF EXISTS {schema}.hit; -- of version 1: its minutes are counted anew
CREATE TABLE IF NOT EXISTS {schema}.about (version integer NOT NULL);
DELETE FROM {schema}.about;
INSERT INTO {schema}.about VALUES (4);
CREATE TABLE IF NOT EXISTS {schema}.factor (
    who bytea NOT NULL, factor_id bytea NOT NULL, sealed bytea NOT NULL, created_at float8 NOT NULL,
    last_step bigint NOT NULL, label bytea NOT NULL, drift integer NOT NULL, arrived bigserial,
    PRIMARY KEY (who, factor_id));
CREATE TABLE IF NOT EXISTS {schema}.recovery (who bytea NOT NULL, digest bytea NOT NULL, PRIMARY KEY (who, digest));
CREATE TABLE IF NOT EXISTS {schema}.account (
    who bytea PRIMARY KEY, failures integer NOT NULL, locked_until float8 NOT NULL, run text NOT NULL DEFAULT '');
-- What happened lately under one key: the times that are in the window, newest first.
CREATE TABLE IF NOT EXISTS {schema}.moment (key bytea PRIMARY KEY, times float8[] NOT NULL, ends_at float8 NOT NULL);
CREATE INDEX IF NOT EXISTS moment_end ON {schema}.moment (ends_at);
CREATE TABLE IF NOT EXISTS {schema}.challenge (
    challenge_id bytea PRIMARY KEY, who bytea NOT NULL, match bytea NOT NULL, created_at float8 NOT NULL,
    expires_at float8 NOT NULL, attempts integer NOT NULL, state text NOT NULL, settled_at float8 NOT NULL,
    logged boolean NOT NULL, claimed_at float8 NOT NULL, body bytea NOT NULL, arrived bigserial);
CREATE INDEX IF NOT EXISTS challenge_user ON {schema}.challenge (who, created_at) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS challenge_end ON {schema}.challenge (expires_at) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS challenge_unlogged ON {schema}.challenge (claimed_at) WHERE state <> 'open' AND NOT logged;
CREATE INDEX IF NOT EXISTS challenge_done ON {schema}.challenge (who, settled_at) WHERE logged;
CREATE INDEX IF NOT EXISTS challenge_logged ON {schema}.challenge (settled_at) WHERE logged;
CREATE TABLE IF NOT EXISTS {schema}.epoch (who bytea PRIMARY KEY, number bigint NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.granted (
    grant_id bytea PRIMARY KEY, who bytea NOT NULL, epoch bigint NOT NULL, proved_at float8 NOT NULL,
    expires_at float8 NOT NULL, uses_left bigint, body bytea NOT NULL, arrived bigserial);
CREATE INDEX IF NOT EXISTS granted_user ON {schema}.granted (who, proved_at);
CREATE INDEX IF NOT EXISTS granted_end ON {schema}.granted (expires_at);
CREATE TABLE IF NOT EXISTS {schema}.sighting (
    who bytea NOT NULL, kind text NOT NULL, value bytea NOT NULL, at float8 NOT NULL, arrived bigserial,
    PRIMARY KEY (who, kind, value));

-- The life of this state (stores/lives.py), and what it has used up: counts side by side, for writers need not wait
-- for one row. Every step that takes something away answers the count it raised, times 16, plus which it is.
CREATE TABLE IF NOT EXISTS {schema}.life (
    name text NOT NULL, before text NOT NULL, lost_at float8 NOT NULL, found text NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.spent (stripe integer PRIMARY KEY, number bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO {schema}.life SELECT replace(gen_random_uuid()::text, '-', ''), '', 0, ''
    WHERE NOT EXISTS (SELECT FROM {schema}.life);
INSERT INTO {schema}.spent SELECT stripe, 0 FROM generate_series(0, 15) AS stripe ON CONFLICT DO NOTHING;

CREATE FUNCTION {schema}.spend(_who bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE raised bigint;
BEGIN
    UPDATE {schema}.spent SET number = number + 1 WHERE stripe = get_byte(sha256(_who), 0) % 16
        RETURNING number * 16 + stripe INTO raised;
    RETURN raised;
END $$;

-- Nothing of the life that ends is good once more. False where it has ended already.
CREATE FUNCTION {schema}.end_life(
    ended text, _name text, _before text, _lost_at float8, _found text, counts bigint[], step bigint, guess integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('{schema}', 4));
    IF (SELECT name FROM {schema}.life) IS DISTINCT FROM ended THEN RETURN false; END IF;
    DELETE FROM {schema}.granted;
    DELETE FROM {schema}.epoch;
    DELETE FROM {schema}.recovery;
    DELETE FROM {schema}.kept;
    UPDATE {schema}.factor SET last_step = greatest(last_step, step);
    UPDATE {schema}.account SET failures = greatest(failures, guess);
    INSERT INTO {schema}.account SELECT DISTINCT who, guess, 0 FROM {schema}.factor ON CONFLICT DO NOTHING;
    INSERT INTO {schema}.spent SELECT n - 1, counts[n] FROM generate_series(1, 16) AS n
        ON CONFLICT (stripe) DO UPDATE SET number = greatest(spent.number, excluded.number);
    DELETE FROM {schema}.life;
    INSERT INTO {schema}.life VALUES (_name, _before, _lost_at, _found);
    RETURN true;
END $$;

-- Steps of one user, or one key, come one after the other. A user's lock is always taken before an address's.
CREATE FUNCTION {schema}.alone(kind integer, name bytea) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('{schema}' || encode(name, 'hex'), kind)) $$;

CREATE FUNCTION {schema}.end_epoch(_who bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE live bigint;
BEGIN
    SELECT count(*) INTO live FROM {schema}.granted g JOIN {schema}.epoch e ON e.who = g.who AND e.number = g.epoch
        WHERE g.who = _who;
    DELETE FROM {schema}.epoch WHERE who = _who;
    DELETE FROM {schema}.granted WHERE who = _who;
    RETURN live;
END $$;

CREATE FUNCTION {schema}.begin_epoch(_who bytea, drawn bigint, anew boolean, OUT number bigint, OUT raised bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    IF anew THEN PERFORM {schema}.end_epoch(_who); raised := {schema}.spend(_who); END IF;
    INSERT INTO {schema}.epoch VALUES (_who, drawn) ON CONFLICT DO NOTHING;
    SELECT e.number INTO number FROM {schema}.epoch e WHERE who = _who;
END $$;

CREATE FUNCTION {schema}.put_recovery(_who bytea, digests bytea[]) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    DELETE FROM {schema}.recovery WHERE who = _who;
    INSERT INTO {schema}.recovery SELECT _who, digest FROM unnest(digests) AS digest ON CONFLICT DO NOTHING;
    RETURN {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.consume_recovery(_who bytea, _digest bytea) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.recovery WHERE who = _who AND digest = _digest;
    RETURN CASE WHEN FOUND THEN {schema}.spend(_who) END;
END $$;

CREATE FUNCTION {schema}.remove_factors(_who bytea, sightings boolean, OUT removed bigint, OUT raised bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    PERFORM {schema}.end_epoch(_who);
    DELETE FROM {schema}.recovery WHERE who = _who;
    IF sightings THEN DELETE FROM {schema}.sighting WHERE who = _who; END IF;
    DELETE FROM {schema}.factor WHERE who = _who;
    GET DIAGNOSTICS removed = ROW_COUNT;
    raised := {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.put_factor(
    _who bytea, _id bytea, _sealed bytea, _created float8, _step bigint, _label bytea, _drift integer, digests bytea[],
    OUT had boolean, OUT raised bigint
) LANGUAGE plpgsql AS $$
DECLARE taken bigint;
BEGIN
    PERFORM {schema}.alone(1, _who);
    SELECT last_step INTO taken FROM {schema}.factor WHERE who = _who AND factor_id = _id FOR UPDATE;
    SELECT removed > 0 INTO had FROM {schema}.remove_factors(_who, false);
    DELETE FROM {schema}.account WHERE who = _who;
    INSERT INTO {schema}.factor VALUES
        (_who, _id, _sealed, _created, greatest(_step, coalesce(taken, -1)), _label, _drift);
    raised := {schema}.put_recovery(_who, digests);
END $$;

-- These answer nothing where they changed nothing.
CREATE FUNCTION {schema}.add_factor(
    _who bytea, _id bytea, _sealed bytea, _created float8, _step bigint, _label bytea, _drift integer, keep integer
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    IF (SELECT count(*) FROM {schema}.factor WHERE who = _who) >= keep
        OR EXISTS (SELECT FROM {schema}.factor WHERE who = _who AND factor_id = _id) THEN RETURN NULL; END IF;
    PERFORM {schema}.end_epoch(_who);
    INSERT INTO {schema}.factor VALUES (_who, _id, _sealed, _created, _step, _label, _drift);
    RETURN {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.remove_factor(_who bytea, _id bytea) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    DELETE FROM {schema}.factor WHERE who = _who AND factor_id = _id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM {schema}.end_epoch(_who);
    RETURN {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.consume_step(_who bytea, _id bytea, _step bigint, _drift integer) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.factor SET last_step = _step, drift = _drift
        WHERE who = _who AND factor_id = _id AND last_step < _step;
    RETURN CASE WHEN FOUND THEN {schema}.spend(_who) END;
END $$;

-- One statement: the row lock of the key makes two at once come one after the other.
CREATE FUNCTION {schema}.record_hit(_key bytea, _now float8, window_s integer, keep integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE seen bigint;
BEGIN
    INSERT INTO {schema}.moment AS m VALUES (_key, ARRAY[_now], _now + window_s) ON CONFLICT (key) DO UPDATE SET
        times = ARRAY(SELECT t FROM unnest(_now || m.times) AS t WHERE t > _now - window_s ORDER BY t DESC LIMIT keep),
        ends_at = greatest(m.ends_at, excluded.ends_at) RETURNING cardinality(times) INTO seen;
    RETURN seen;
END $$;

-- The same arithmetic as bounds.lock_until and bounds.address_full_until. locks[n] is how long the n-th lock lasts;
-- the last one is the longest.
CREATE FUNCTION {schema}.take_attempt(
    _who bytea, address bytea, _now float8, every integer, locks float8[], ceiling integer, forever float8,
    most integer, window_s integer, keep integer,
    OUT allowed boolean, OUT count integer, OUT until_s float8, OUT begins boolean, OUT raised bigint
) LANGUAGE plpgsql AS $$
DECLARE seen float8[];
BEGIN
    PERFORM {schema}.alone(1, _who);
    SELECT failures, locked_until INTO count, until_s FROM {schema}.account WHERE who = _who;
    count := coalesce(count, 0); until_s := coalesce(until_s, 0); allowed := false; begins := false;
    IF until_s > _now THEN RETURN; END IF;
    IF address IS NOT NULL THEN
        PERFORM {schema}.alone(2, address);
        SELECT ARRAY(SELECT t FROM unnest(times) AS t WHERE t > _now - window_s) INTO seen
            FROM {schema}.moment WHERE key = address;
        IF coalesce(cardinality(seen), 0) >= most THEN
            until_s := coalesce(seen[most], _now) + window_s;
            RETURN;
        END IF;
        PERFORM {schema}.record_hit(address, _now, window_s, keep);
    END IF;
    count := count + 1; until_s := 0;
    IF count >= ceiling THEN until_s := forever;
    ELSIF count % every = 0 THEN until_s := _now + locks[least(count / every, array_length(locks, 1))];
    END IF;
    INSERT INTO {schema}.account AS a VALUES (_who, count, until_s)
        ON CONFLICT (who) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until,
        run = CASE WHEN a.run = '' THEN '' ELSE
            split_part(a.run, ' ', 1) || ' ' || split_part(a.run, ' ', 2) || ' 0 ' || split_part(a.run, ' ', 4) || ' 0'
            END;
    allowed := true; begins := until_s > 0; raised := {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.clear(_who bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    DELETE FROM {schema}.account WHERE who = _who;
    RETURN FOUND;
END $$;

CREATE FUNCTION {schema}.forgive(_who bytea, address bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.clear(_who);
    IF address IS NULL THEN RETURN; END IF;
    UPDATE {schema}.moment SET times = times[2:] WHERE key = address;
END $$;

-- A row without anything where the user has no authenticator of these kinds, of which there must be one (NULL: none).
-- The same as records.Factor.proves, of any.
CREATE FUNCTION {schema}.open_challenge(
    _id bytea, _who bytea, _match bytea, _created float8, _expires float8, _attempts integer, _settled float8,
    _body bytea, keep integer, keep_logged integer, begins bytea, kinds text[]
) RETURNS SETOF {schema}.challenge LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    IF kinds IS NOT NULL AND NOT EXISTS (SELECT FROM {schema}.factor WHERE who = _who AND length(sealed) > 0 AND
        CASE WHEN substring(factor_id FOR length(begins)) = begins THEN 'passkey' ELSE 'totp' END = ANY(kinds))
    THEN RETURN NEXT NULL::{schema}.challenge; RETURN; END IF;
    INSERT INTO {schema}.challenge VALUES
        (_id, _who, _match, _created, _expires, _attempts, 'open', _settled, false, _settled, _body);
    DELETE FROM {schema}.challenge c WHERE c.challenge_id IN (
        SELECT l.challenge_id FROM {schema}.challenge l WHERE l.who = _who AND l.logged
        ORDER BY l.settled_at DESC, l.arrived DESC OFFSET keep_logged);
    RETURN QUERY WITH ended AS (
        UPDATE {schema}.challenge c SET state = 'abandoned', settled_at = _created, claimed_at = _created
        WHERE c.state = 'open' AND c.challenge_id IN (
            SELECT o.challenge_id FROM {schema}.challenge o WHERE o.who = _who AND o.state = 'open'
            AND o.challenge_id <> _id ORDER BY o.created_at DESC, o.arrived DESC OFFSET greatest(keep - 1, 0))
        RETURNING c.*) SELECT * FROM ended ORDER BY ended.created_at, ended.arrived;
END $$;

CREATE FUNCTION {schema}.due_challenges(_now float8, grace_s float8, kept_s float8, most integer)
RETURNS SETOF {schema}.challenge LANGUAGE plpgsql AS $$
DECLARE taken bigint;
BEGIN
    PERFORM {schema}.alone(3, '');
    RETURN QUERY WITH over AS (
        SELECT challenge_id FROM {schema}.challenge WHERE state = 'open' AND expires_at <= _now
        ORDER BY expires_at, arrived LIMIT most FOR UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE {schema}.challenge c SET settled_at = _now, claimed_at = _now,
            state = CASE WHEN c.attempts > 0 THEN 'expired' ELSE 'abandoned' END
        FROM over WHERE c.challenge_id = over.challenge_id RETURNING c.*)
        SELECT * FROM ended ORDER BY ended.expires_at, ended.arrived;
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN QUERY WITH lost AS (
        SELECT challenge_id, claimed_at AS was FROM {schema}.challenge
        WHERE state <> 'open' AND NOT logged AND claimed_at < _now - grace_s
        ORDER BY claimed_at, arrived LIMIT most - taken FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE {schema}.challenge c SET claimed_at = _now FROM lost WHERE c.challenge_id = lost.challenge_id
        RETURNING c.*, lost.was)
        SELECT challenge_id, who, match, created_at, expires_at, attempts, state, settled_at, logged, claimed_at, body,
            arrived FROM claimed ORDER BY was, arrived;
    DELETE FROM {schema}.challenge WHERE logged AND settled_at <= _now - kept_s;
    DELETE FROM {schema}.granted WHERE expires_at <= _now - kept_s;
    DELETE FROM {schema}.moment WHERE ends_at <= _now - kept_s;
END $$;

CREATE FUNCTION {schema}.put_grant(
    _id bytea, _who bytea, _epoch bigint, _proved float8, _expires float8, _uses bigint, _body bytea, keep integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    IF NOT EXISTS (SELECT FROM {schema}.epoch WHERE who = _who AND number = _epoch) THEN RETURN false; END IF;
    INSERT INTO {schema}.granted VALUES (_id, _who, _epoch, _proved, _expires, _uses, _body);
    DELETE FROM {schema}.granted WHERE who = _who AND expires_at <= _proved AND grant_id <> _id;
    DELETE FROM {schema}.granted WHERE grant_id IN (
        SELECT grant_id FROM {schema}.granted WHERE who = _who AND grant_id <> _id
        ORDER BY proved_at DESC, arrived DESC OFFSET greatest(keep - 1, 0));
    RETURN true;
END $$;

-- One use is taken of the first of these grants that is what the terms say. A row for each grant that is there, as it is
-- since, and a last one without a body: whether the device is known, which grant was used, and the count raised for it.
-- The same as records.Terms.take; ``held`` are the fields of a body, which stand as those of records.Grant do, as JSON
-- spells them; so are the words that they are held against, ``same`` from the service to the binding. Each grant is
-- asked for by itself: what is asked with a list is planned anew each time.
CREATE FUNCTION {schema}.use_grant(
    _who bytea, device bytea, ids bytea[], portable boolean[], person text[], browser text, same text[], methods text[],
    _now float8, max_age_s float8, leeway_s float8
) RETURNS TABLE (body bytea, number bigint, used bytea, raised bigint) LANGUAGE plpgsql AS $$
DECLARE held text[];
BEGIN
    FOR n IN 1 .. cardinality(ids) LOOP
        SELECT ARRAY(SELECT each::text FROM json_array_elements(convert_from(g.body, 'UTF8')::json) AS each) INTO held
            FROM {schema}.granted g WHERE g.grant_id = ids[n] AND g.who = _who AND g.uses_left > 0
            AND _now - g.proved_at >= -leeway_s AND _now - g.proved_at < max_age_s AND _now < g.expires_at;
        IF FOUND AND used IS NULL AND held[2:3] = person AND held[5:9] = same AND held[10] = ANY(methods)
            AND (portable[n] OR held[4] IN ('""', browser))
        THEN
            UPDATE {schema}.granted g SET uses_left = g.uses_left - 1 FROM {schema}.epoch e
                WHERE g.grant_id = ids[n] AND g.uses_left > 0 AND e.who = g.who AND e.number = g.epoch;
            IF FOUND THEN used := ids[n]; raised := {schema}.spend(_who); END IF;
        END IF;
        RETURN QUERY SELECT g.body, g.uses_left, NULL::bytea, NULL::bigint FROM {schema}.granted g
            JOIN {schema}.epoch e ON e.who = g.who AND e.number = g.epoch WHERE g.grant_id = ids[n];
    END LOOP;
    body := NULL;
    SELECT count(*) INTO number FROM {schema}.sighting s WHERE s.who = _who AND s.kind = 'device' AND s.value = device;
    RETURN NEXT;
END $$;

CREATE FUNCTION {schema}.revoke_one(_who bytea, _id bytea) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.granted g USING {schema}.epoch e
        WHERE g.who = _who AND g.grant_id = _id AND e.who = g.who AND e.number = g.epoch;
    RETURN CASE WHEN FOUND THEN {schema}.spend(_who) END;
END $$;

CREATE FUNCTION {schema}.revoke_all(_who bytea, OUT ended bigint, OUT raised bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    ended := {schema}.end_epoch(_who);
    raised := {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.remember(_who bytea, _kind text, _value bytea, _at float8, keep integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    DELETE FROM {schema}.sighting WHERE who = _who AND kind = _kind AND value = _value;
    DELETE FROM {schema}.sighting WHERE arrived IN (
        SELECT arrived FROM {schema}.sighting WHERE who = _who AND kind = _kind
        ORDER BY at DESC, arrived DESC OFFSET greatest(keep - 1, 0));
    INSERT INTO {schema}.sighting VALUES (_who, _kind, _value, _at);
END $$;
