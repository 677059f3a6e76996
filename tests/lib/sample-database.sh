#!/bin/bash
# Makes a database that looks like that of a real service, of about SIZE megabytes of dump.
#
#   sample-database.sh SIZE [DATABASE]        default 50 MB, database `app`; PGHOST and friends say where
#
# It holds what backups tend to lose: several schemas, roles with grants and default privileges, an enum, arrays, JSONB,
# a partitioned table, views, a materialized view, a trigger, row-level security, large objects, sequences that have
# moved, comments, settings of the database and of a role. One megabyte is about 3,300 rows. The same SIZE always gives
# the same rows: every value is a hash of its row's number. Texts are sentences of common words, so that they compress
# about as real ones do.
set -eu
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
size=${1:-50}
database=${2:-app}
case $size in '' | *[!0-9]* | 0) echo "usage: $0 SIZE [DATABASE]" >&2 && exit 2 ;; esac

vocabulary="the of and to customer order please send invoice we have received your message about delivery on monday friday
payment was not refunded account meeting moved new address is in copenhagen kuala lumpur when can you confirm number
still waiting for reply thanks best regards team support problem with login password reset did work phone called twice
left voicemail agreement signed attached file missing page contract renewal price discount quarter budget approved by
manager she said that he would look into it tomorrow after lunch project deadline shifted week release version error log
shows timeout server restart fixed issue"
read -r -d '' -a words <<<"$vocabulary" || true

run() {
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$1" --set=size="$size" --set=database="$database" \
        --set=words="{$(IFS=, && echo "${words[*]}")}" --set=count="${#words[@]}" "${@:2}" >/dev/null
}

# The bulk: a million messages are quicker to write out than to compute in SQL.
messages() {
    awk -v rows=$((1700 * size)) -v users=$((80 * size)) -v words="${words[*]}" '
        # Park and Miller: small enough for exact floating point, the same on every awk.
        function pick(below) { state = (state * 16807) % 2147483647; return state % below }
        BEGIN {
            state = 20260101
            count = split(words, word, " ")
            for (n = 1; n <= rows; n++) {
                body = toupper(substr(word[n % count + 1], 1, 1)) substr(word[n % count + 1], 2)
                for (length_left = 20 + pick(80); length_left > 0; length_left--)
                    body = body " " word[pick(count) + 1]
                at = int(n * 43200000 / rows)
                # As Julian days: 2460677 is the first of 2025.
                printf "%d\t%d\tJ%d %02d:%02d:%02d+00\t\\N\t%s\t%s.\n", n, 1 + pick(users), 2460677 + at / 86400,
                    at / 3600 % 24, at / 60 % 60, at % 60, pick(3) ? "\\N" : "{" pick(40) "," pick(40) "}", body
            }
        }'
}

# Roles belong to the server: one that another sample made stays.
run postgres <<'END'
SELECT format('CREATE ROLE %I %s', name, options) FROM (VALUES
    ('app_owner', 'NOLOGIN'), ('app_api', 'LOGIN PASSWORD ''not a secret'' CONNECTION LIMIT 40'),
    ('app_report', 'LOGIN'), ('app_support', 'NOLOGIN')) AS r(name, options)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
GRANT app_support TO app_report;
ALTER ROLE app_report SET statement_timeout = '30s';
COMMENT ON ROLE app_report IS 'reads for the monthly report; it''s never allowed to write';
CREATE DATABASE :"database" OWNER app_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO app_api, app_report;
ALTER DATABASE :"database" SET search_path = app, public;
ALTER ROLE app_api IN DATABASE :"database" SET lock_timeout = '5s';
COMMENT ON DATABASE :"database" IS 'the sample service';
END

run "$database" <<'END'
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE SCHEMA billing;
CREATE SCHEMA audit;
GRANT USAGE ON SCHEMA app, billing TO app_api, app_report;
GRANT USAGE ON SCHEMA audit TO app_support;
ALTER DEFAULT PRIVILEGES IN SCHEMA app, billing GRANT SELECT ON TABLES TO app_report;
ALTER DEFAULT PRIVILEGES IN SCHEMA app, billing GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_api;
SET search_path = app;

-- A number from 0 to below `below`, for row `n`; `use` tells the columns of a row apart.
CREATE FUNCTION pick(n bigint, use int, below int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    'SELECT (abs(hashint8extended(n, use) % below))::int';

-- `length` words.
SELECT format($$
    CREATE FUNCTION words(n bigint, use int, length int) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS %L
$$, format($$
    SELECT string_agg((%L::text[])[1 + abs(hashint8extended(n, use + 100 * i) %% %s)], ' ')
    FROM generate_series(1, length) AS i
$$, :'words', :count)) \gexec

CREATE TYPE plan AS ENUM ('trial', 'team', 'business', 'enterprise');
CREATE TABLE accounts (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    plan plan NOT NULL DEFAULT 'trial',
    tags text[] NOT NULL DEFAULT '{}',
    settings jsonb NOT NULL,
    opened timestamptz NOT NULL
);
CREATE TABLE users (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    email text NOT NULL UNIQUE,
    password_hash bytea NOT NULL,
    display_name text,
    last_seen timestamptz,
    portrait oid
);
CREATE TABLE messages (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    author bigint NOT NULL,
    sent timestamptz NOT NULL,
    edited timestamptz,
    labels int[],
    body text NOT NULL
) WITH (fillfactor = 90);
CREATE TABLE billing.invoices (
    number bigint PRIMARY KEY,
    account bigint NOT NULL REFERENCES accounts,
    issued date NOT NULL,
    paid boolean NOT NULL DEFAULT false,
    total numeric(12, 2) NOT NULL CHECK (total >= 0),
    lines jsonb NOT NULL
);
CREATE SEQUENCE billing.invoice_number START 100001;
ALTER TABLE billing.invoices ALTER number SET DEFAULT nextval('billing.invoice_number');
CREATE TABLE audit.events (
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    happened timestamptz NOT NULL,
    actor uuid NOT NULL,
    action text NOT NULL,
    detail jsonb,
    PRIMARY KEY (happened, id)
) PARTITION BY RANGE (happened);
SELECT format('CREATE TABLE audit.events_%s PARTITION OF audit.events FOR VALUES FROM (%L) TO (%L)',
    to_char(month, 'YYYY_MM'), month, month + interval '1 month')
FROM generate_series(timestamptz '2026-01-01 00:00Z', '2026-06-01 00:00Z', '1 month') AS month \gexec

INSERT INTO accounts SELECT n, initcap(words(n, 1, 2)), (enum_range(NULL::plan))[1 + pick(n, 2, 4)],
        ARRAY[words(n, 3, 1), words(n, 4, 1)],
        jsonb_build_object('locale', (ARRAY['da-DK', 'ms-MY', 'en-GB'])[1 + pick(n, 5, 3)], 'seats', pick(n, 6, 90),
            'notify', jsonb_build_object('mail', pick(n, 7, 2) = 0, 'hour', pick(n, 8, 24))),
        timestamptz '2024-01-01 00:00Z' + pick(n, 9, 800) * interval '1 day'
    FROM generate_series(1, 20 * :size) AS n;
INSERT INTO users SELECT n, 1 + pick(n, 10, 20 * :size), format('%s.%s@example.%s', words(n, 11, 1), n,
            (ARRAY['dk', 'my', 'com'])[1 + pick(n, 12, 3)]),
        decode(md5(n::text) || md5((-n)::text), 'hex'), initcap(words(n, 13, 2)),
        timestamptz '2026-06-01 00:00Z' + pick(n, 14, 2592000) * interval '1 second'
    FROM generate_series(1, 80 * :size) AS n;
INSERT INTO billing.invoices SELECT nextval('billing.invoice_number'), 1 + pick(n, 21, 20 * :size),
        date '2025-01-01' + pick(n, 22, 540), pick(n, 23, 10) > 0, pick(n, 24, 900000) / 100.0,
        jsonb_build_array(jsonb_build_object('text', words(n, 25, 4), 'amount', pick(n, 26, 5000)),
            jsonb_build_object('text', words(n, 27, 3), 'amount', pick(n, 28, 900)))
    FROM generate_series(1, 300 * :size) AS n;
INSERT INTO audit.events SELECT n, timestamptz '2026-01-01 00:00Z' + n * (interval '180 days' / (1200.0 * :size)),
        md5((n % (80 * :size))::text)::uuid, (ARRAY['login', 'view', 'edit', 'export'])[1 + pick(n, 29, 4)],
        jsonb_build_object('ip', format('10.%s.%s.%s', pick(n, 30, 9), pick(n, 31, 250), pick(n, 32, 250)),
            'agent', agents[1 + pick(n, 33, 60)], 'request', md5(n::text))
    FROM generate_series(1, 1200 * :size) AS n,
        (SELECT array_agg(words(i, 34, 6) ORDER BY i) AS agents FROM generate_series(1, 60) AS i) AS browser;

END

messages | run "$database" --command='COPY app.messages FROM STDIN'

run "$database" <<'END'
SET ROLE app_owner;
SET search_path = app;

-- Portraits as large objects: random bytes, as pictures are.
UPDATE users SET portrait = lo_from_bytea(0, (SELECT string_agg(decode(md5(users.id || '.' || i), 'hex'), '')
        FROM generate_series(1, 128 + pick(users.id, 35, 512)) AS i))
    WHERE id <= 4 * :size;
SELECT setval(pg_get_serial_sequence(t, 'id'), (xpath('/row/m/text()',
        query_to_xml('SELECT max(id) AS m FROM ' || t, false, true, '')))[1]::text::bigint)
    FROM unnest(ARRAY['app.accounts', 'app.users', 'app.messages', 'audit.events']) AS t;

CREATE INDEX ON users (account);
CREATE INDEX ON messages (author, sent);
CREATE INDEX ON accounts USING gin (settings);
CREATE INDEX ON billing.invoices (account) WHERE NOT paid;
CREATE VIEW billing.unpaid AS SELECT a.name, i.number, i.total FROM billing.invoices i JOIN accounts a ON a.id = i.account
    WHERE NOT i.paid;
CREATE MATERIALIZED VIEW billing.monthly AS SELECT date_trunc('month', issued) AS month, count(*), sum(total)
    FROM billing.invoices GROUP BY 1;
CREATE FUNCTION note_edit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.edited := coalesce(NEW.edited, NEW.sent); RETURN NEW; END';
CREATE TRIGGER note_edit BEFORE UPDATE OF body ON messages FOR EACH ROW EXECUTE FUNCTION note_edit();
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_messages ON messages TO app_api USING (author = current_setting('app.user', true)::bigint);
COMMENT ON TABLE messages IS 'one row a message; bodies are personal data';
RESET ROLE;
VACUUM ANALYZE;
END
