-- The collector's own role, which owns its database and nothing else. Run once,
-- by psql, as a superuser, in the database that the collector is to have. The
-- password is the environment variable COLLECTOR_DB_PASSWORD, or -v password=...
\set ON_ERROR_STOP on
\if :{?collector}
\else
  \set collector pmc
\endif
\if :{?password}
\else
  \getenv password COLLECTOR_DB_PASSWORD
\endif

CREATE ROLE :"collector" LOGIN PASSWORD :'password';
ALTER DATABASE :"DBNAME" OWNER TO :"collector";
-- Before PostgreSQL 15 everybody may create tables here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"collector";
