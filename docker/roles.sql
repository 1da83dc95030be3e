-- Run once, by the image of PostgreSQL, when its data directory is new. docs/guides/roles.md says why these.
CREATE ROLE migration_user LOGIN PASSWORD 'migration_user_pw';
CREATE ROLE app_user LOGIN PASSWORD 'app_user_pw';
CREATE ROLE analytics_user LOGIN PASSWORD 'analytics_user_pw';
CREATE DATABASE app OWNER migration_user;
REVOKE ALL ON DATABASE app FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE app TO app_user;
GRANT CONNECT ON DATABASE app TO analytics_user;

\connect app
ALTER SCHEMA public OWNER TO migration_user;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_user, analytics_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO app_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user IN SCHEMA public
    GRANT SELECT ON TABLES TO analytics_user;
