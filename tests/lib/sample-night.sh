#!/bin/bash
# A day's life of the sample database: what changes between two nightly backups.
#
#   sample-night.sh N [DATABASE]        N is the number of the day, from 1; the same N always does the same
#
# About 1.5 % of all rows change, most of them scattered over the whole tables as they are on disk:
#   - 0.5 % of the messages are edited, anywhere (a word is appended), and 1 % of the newest tenth
#   - 0.2 % of the messages, anywhere, and 0.1 % of the events are deleted
#   - 20 % of the users are seen: a small column changes; 1 % of the accounts change their settings
#   - 0.5 % of the unpaid and paid invoices change
#   - 0.4 % new messages, 0.3 % new invoices and 0.7 % new events, 0.5 % new users are added
#   - a few large objects are replaced
# Updated rows move on disk, into holes that deletions left, as in any server that vacuums: one VACUUM ends the day.
set -eu
night=${1:-}
database=${2:-app}
case $night in '' | *[!0-9]* | 0) echo "usage: $0 N [DATABASE]" >&2 && exit 2 ;; esac

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$database" --set=night="$night" >/dev/null <<'END'
SET search_path = app;
SET client_min_messages = warning;
BEGIN;
-- A row is chosen when its hash, which also depends on the night, is below a share in ten thousand.
CREATE FUNCTION pg_temp.chosen(n bigint, use int, share int) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT abs(hashint8extended(n, use)) % 10000 < share';
SELECT 1000 * :night AS use, max(id) AS last_message FROM messages \gset
SELECT max(id) AS last_user FROM users \gset
SELECT max(id) AS last_account FROM accounts \gset
SELECT max(id) AS last_event, count(*) AS events, max(happened) AS last_time FROM audit.events \gset
SELECT count(*) AS messages FROM messages \gset
SELECT count(*) AS invoices FROM billing.invoices \gset

DELETE FROM messages WHERE pg_temp.chosen(id, :use + 1, 20);
DELETE FROM audit.events WHERE pg_temp.chosen(id, :use + 2, 10);

UPDATE messages SET body = body || ' ' || words(id, :use + 3, 2), edited = sent + interval '1 day'
    WHERE pg_temp.chosen(id, :use + 4, 50) OR (id > :last_message * 9 / 10 AND pg_temp.chosen(id, :use + 5, 100));
UPDATE users SET last_seen = timestamptz '2026-07-01 00:00Z' + :night * interval '1 day' + pick(id, :use + 6, 86400)
    * interval '1 second' WHERE pg_temp.chosen(id, :use + 7, 2000);
UPDATE accounts SET settings = jsonb_set(settings, '{seats}', to_jsonb(pick(id, :use + 8, 120)))
    WHERE pg_temp.chosen(id, :use + 9, 100);
UPDATE billing.invoices SET paid = NOT paid WHERE pg_temp.chosen(number, :use + 10, 50);

INSERT INTO users (account, email, password_hash, display_name, last_seen)
    SELECT 1 + pick(n, :use + 11, :last_account), format('new.%s.%s@example.com', :night, n),
        decode(md5(n || '.' || :night) || md5(:night || '.' || n), 'hex'), initcap(words(n, :use + 12, 2)), NULL
    FROM generate_series(1, 1 + :last_user / 200) AS n;
INSERT INTO messages (author, sent, labels, body)
    SELECT 1 + pick(n, :use + 13, :last_user), timestamptz '2026-07-01 00:00Z' + :night * interval '1 day'
        + n * interval '1 second', NULL, initcap(words(n, :use + 14, 20 + pick(n, :use + 15, 80))) || '.'
    FROM generate_series(1, 1 + :messages / 250) AS n;
INSERT INTO billing.invoices (account, issued, paid, total, lines)
    SELECT 1 + pick(n, :use + 16, :last_account), date '2026-07-01' + :night, false, pick(n, :use + 17, 900000) / 100.0,
        jsonb_build_array(jsonb_build_object('text', words(n, :use + 18, 4), 'amount', pick(n, :use + 19, 5000)))
    FROM generate_series(1, 1 + :invoices / 333) AS n;
INSERT INTO audit.events (happened, actor, action, detail)
    SELECT least(timestamptz '2026-06-30 23:00Z', :'last_time'::timestamptz + n * interval '1 second'), md5(n::text)::uuid,
        'edit', jsonb_build_object('ip', format('10.1.2.%s', pick(n, :use + 20, 250)), 'request', md5(:night || '.' || n))
    FROM generate_series(1, 1 + :events / 143) AS n;
WITH replaced AS (
    SELECT id, portrait AS old FROM users WHERE portrait IS NOT NULL AND pg_temp.chosen(id, :use + 21, 100)
), unlinked AS (
    SELECT id, lo_unlink(old) FROM replaced
)
UPDATE users SET portrait = lo_from_bytea(0, decode(repeat(md5(users.id || '.' || :night), 200), 'hex'))
    FROM unlinked WHERE unlinked.id = users.id;
COMMIT;
VACUUM;
END
