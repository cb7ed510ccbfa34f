// Package oracle compares windows, aggregations, joins and dedup with what SQL databases make of the same records, for a thousand
// seeds each. Its references are queries and rules of about ten lines; it imports nothing of the operators.
//
// Ten seeds make a batch: one run of a job, with parameters and an order of their own, in which each seed has its own keys, and one
// query that answers for all ten. A failure names the seed; MILLRACE_ORACLE_SEED=n runs the batch of seed n with the records of
// that seed alone.
package oracle
