.load ./go
.mode box

-- One call a row.
CREATE TABLE person(name TEXT, born REAL);
INSERT INTO person VALUES ('Ada', 1815), ('Emmy', 1882), ('Grace', 1906), (NULL, NULL);
SELECT name, printf('%016x', go_hash(name)) AS hash FROM person;

-- One call for 1,000 rows.
SELECT go_variance(born) FROM person;

-- One call for as many rows as fit into an answer.
SELECT * FROM go_factors(360, 364);
SELECT count(*) AS primes FROM go_factors(2, 10000) WHERE instr(factors, '*') = 0;

-- What fails in Go fails in SQL.
SELECT * FROM go_factors(0, 9);
