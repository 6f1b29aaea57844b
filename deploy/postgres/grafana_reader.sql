-- A role for Grafana that can read the collector's public views, those of today
-- and those that come with later versions, and nothing else: no base table, so
-- no token and no raw message. It can be run again at any time.
--
--   GRAFANA_DB_PASSWORD=... psql -d DATABASE -f grafana_reader.sql
--
-- or, with a psql older than 15, which can't read the environment:
--
--   psql -d DATABASE -v password=... -f grafana_reader.sql
--
-- -v reader=NAME gives it another name. As a superuser it also sees to the views
-- to come. As another role (the views' owner, who may create roles) it does not:
-- then run it again after an upgrade.
\set ON_ERROR_STOP on
\if :{?reader}
\else
  \set reader grafana_reader
\endif
\if :{?password}
\else
  \getenv password GRAFANA_DB_PASSWORD
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'reader')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'reader') \gexec
ALTER ROLE :"reader" LOGIN PASSWORD :'password' CONNECTION LIMIT 20;
-- Belts, for queries by mistake: who writes SQL in Grafana can take them off. What holds is the missing grants.
ALTER ROLE :"reader" SET default_transaction_read_only = on;
ALTER ROLE :"reader" SET statement_timeout = '30s';
ALTER ROLE :"reader" SET idle_in_transaction_session_timeout = '60s';
GRANT CONNECT ON DATABASE :"DBNAME" TO :"reader";
GRANT USAGE ON SCHEMA public TO :"reader";

SELECT format('GRANT SELECT ON %I.%I TO %I', schemaname, viewname, :'reader')
FROM pg_views
WHERE schemaname = 'public' AND viewname ~ '^(ci|metrics)_' \gexec

-- ALTER DEFAULT PRIVILEGES knows tables and views only together, and would show
-- the base tables too. An event trigger tells them apart.
SELECT rolsuper AS superuser FROM pg_roles WHERE rolname = current_user \gset
\if :superuser
SELECT format($create$
CREATE OR REPLACE FUNCTION public.grant_views_to_reader() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  made record;
BEGIN
  FOR made IN
    SELECT c.object_identity FROM pg_event_trigger_ddl_commands() c
    JOIN pg_class v ON v.oid = c.objid
    WHERE c.classid = 'pg_class'::regclass AND v.relkind = 'v' AND c.schema_name = 'public' AND v.relname ~ '^(ci|metrics)_'
  LOOP
    -- A migration must not fail because somebody dropped the role.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = %1$L) THEN
      EXECUTE 'GRANT SELECT ON ' || made.object_identity || ' TO ' || quote_ident(%1$L);
    END IF;
  END LOOP;
END
$body$ $create$, :'reader') \gexec
DROP EVENT TRIGGER IF EXISTS grant_views_to_reader;
CREATE EVENT TRIGGER grant_views_to_reader ON ddl_command_end
WHEN TAG IN ('CREATE VIEW')
EXECUTE FUNCTION public.grant_views_to_reader();
\else
\echo 'Not a superuser: run this again after an upgrade, for the views that it brings.'
\endif

COMMIT;
