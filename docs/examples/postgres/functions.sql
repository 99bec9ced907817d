-- psql -v module=/path/to/shmipc_go -f functions.sql: as a superuser, in each database that is to have them.
CREATE FUNCTION go_upper(text) RETURNS text AS :'module' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION go_sleep(milliseconds bigint) RETURNS void AS :'module' LANGUAGE C VOLATILE STRICT;
CREATE FUNCTION socket_upper(text) RETURNS text AS :'module' LANGUAGE C IMMUTABLE STRICT;
