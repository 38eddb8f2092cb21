-- Requests kept for after the code. Since version 2.
CREATE TABLE IF NOT EXISTS {schema}.kept (
    kept_id bytea PRIMARY KEY, who bytea NOT NULL, sealed bytea NOT NULL, expires_at float8 NOT NULL,
    arrived bigserial);
CREATE INDEX IF NOT EXISTS kept_who ON {schema}.kept (who);
CREATE INDEX IF NOT EXISTS kept_end ON {schema}.kept (expires_at);

CREATE OR REPLACE FUNCTION {schema}.keep_request(
    _id bytea, _who bytea, _sealed bytea, _expires float8, _now float8, most integer
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.alone(1, _who);
    DELETE FROM {schema}.kept WHERE kept_id = _id OR kept_id IN (
        SELECT kept_id FROM {schema}.kept WHERE expires_at <= _now FOR UPDATE SKIP LOCKED);
    DELETE FROM {schema}.kept WHERE arrived IN (
        SELECT arrived FROM {schema}.kept WHERE who = _who ORDER BY arrived DESC OFFSET greatest(most - 1, 0));
    INSERT INTO {schema}.kept VALUES (_id, _who, _sealed, _expires);
END $$;

CREATE OR REPLACE FUNCTION {schema}.take_request(
    _id bytea, _who bytea, _now float8, OUT kept_sealed bytea, OUT ends_at float8, OUT raised bigint
) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.kept WHERE kept_id = _id AND who = _who AND expires_at > _now
        RETURNING sealed, expires_at INTO kept_sealed, ends_at;
    IF FOUND THEN raised := {schema}.spend(_who); END IF;
END $$;
