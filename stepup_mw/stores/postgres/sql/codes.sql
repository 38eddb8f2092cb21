-- The three steps of a code for a challenge. Since version 4.

-- As take_attempt. Where it is allowed and the challenge has an attempt left, a row for each factor of the user, one
-- without a factor where there is none; else one row without a number. It is read once the locks are held: each
-- statement in here sees what was committed before it.
CREATE FUNCTION {schema}.try_challenge(
    _id bytea, _who bytea, address bytea, _now float8, every integer, locks float8[], ceiling integer, forever float8,
    most integer, window_s integer, keep integer, most_attempts integer, drawn bigint
) RETURNS TABLE (
    allowed boolean, count integer, until_s float8, begins boolean, raised bigint, number integer, epoch bigint,
    who bytea, factor_id bytea, sealed bytea, created_at float8, last_step bigint, label bytea, drift integer
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    counted record;
    which integer;
    current bigint;
BEGIN
    SELECT * INTO counted FROM {schema}.take_attempt(
        _who, address, _now, every, locks, ceiling, forever, most, window_s, keep);
    IF counted.allowed THEN
        UPDATE {schema}.challenge c SET attempts = c.attempts + 1
            WHERE c.challenge_id = _id AND c.who = _who AND c.state = 'open' AND c.attempts < most_attempts
            RETURNING c.attempts INTO which;
    END IF;
    IF which IS NOT NULL THEN
        SELECT e.number INTO current FROM {schema}.epoch e WHERE e.who = _who;
        IF current IS NULL THEN SELECT b.number INTO current FROM {schema}.begin_epoch(_who, drawn, false) b; END IF;
    END IF;
    RETURN QUERY SELECT counted.allowed, counted.count, counted.until_s, counted.begins, counted.raised, which, current,
        f.who, f.factor_id, f.sealed, f.created_at, f.last_step, f.label, f.drift
        FROM (VALUES (1)) AS one LEFT JOIN {schema}.factor f ON f.who = _who AND which IS NOT NULL
        ORDER BY f.created_at, f.arrived;
END $$;

-- All factors of the user at once, and then the challenge; nothing of both where the step is not free.
CREATE FUNCTION {schema}.take_code(
    _who bytea, _factor bytea, _step bigint, _drift integer, told bytea, told_s integer, _id bytea, _now float8,
    OUT settled boolean, OUT raised bigint
) LANGUAGE plpgsql AS $$
BEGIN
    settled := false;
    PERFORM {schema}.alone(1, _who);
    PERFORM FROM {schema}.factor WHERE who = _who ORDER BY arrived FOR UPDATE;
    IF NOT EXISTS (SELECT FROM {schema}.factor WHERE who = _who AND factor_id = _factor)
        OR EXISTS (SELECT FROM {schema}.factor WHERE who = _who AND last_step >= _step)
        OR EXISTS (SELECT FROM {schema}.moment, unnest(times) AS t WHERE key = told AND t > _now - told_s)
        THEN RETURN; END IF;
    UPDATE {schema}.factor SET last_step = _step, drift = CASE WHEN factor_id = _factor THEN _drift ELSE drift END
        WHERE who = _who;
    UPDATE {schema}.challenge SET state = 'approved', settled_at = _now, claimed_at = _now
        WHERE challenge_id = _id AND who = _who AND state = 'open';
    settled := FOUND;
    raised := {schema}.spend(_who);
END $$;

CREATE FUNCTION {schema}.reward(
    _who bytea, _challenge bytea, _now float8, address bytea, _device bytea, kinds text[], marks bytea[], _place bytea,
    keep_seen integer, _kept boolean, _grant bytea, _epoch bigint, _proved float8, _expires float8, _uses bigint,
    _body bytea, keep_grants integer,
    OUT granted boolean, OUT epoch bigint, OUT known boolean, OUT held boolean, OUT kept_sealed bytea,
    OUT ends_at float8, OUT raised bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.alone(1, _who);
    granted := _grant IS NOT NULL
        AND {schema}.put_grant(_grant, _who, _epoch, _proved, _expires, _uses, _body, keep_grants);
    SELECT coalesce(bool_or(s.value = _device), false), count(*) > 0 INTO known, held
        FROM {schema}.sighting s WHERE s.who = _who AND s.kind = 'device';
    FOR n IN 1 .. coalesce(array_length(kinds, 1), 0) LOOP
        PERFORM {schema}.remember(_who, kinds[n], marks[n], _now, keep_seen);
    END LOOP;
    IF _place IS NOT NULL THEN PERFORM {schema}.remember(_who, 'place', _place, _now, 1); END IF;
    PERFORM {schema}.forgive(_who, address);
    UPDATE {schema}.challenge SET logged = true WHERE challenge_id = _challenge AND who = _who AND state <> 'open';
    SELECT e.number INTO epoch FROM {schema}.epoch e WHERE e.who = _who;
    IF _kept THEN
        SELECT t.kept_sealed, t.ends_at, t.raised INTO kept_sealed, ends_at, raised
            FROM {schema}.take_request(_challenge, _who, _now) t;
    END IF;
END $$;
