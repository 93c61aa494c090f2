"""Search by metadata and by message content: the two indexes, and the query planner that reads them.

The problem
-----------
A page of matches has to be read in order, newest or oldest first, from millions of conversations. A database assumes
that a key, its value and the age of a conversation are independent of each other. Where they are correlated, its plan
reads millions of rows: for a value that only old conversations have, or for two frequent values that seldom occur
together. With 10 million conversations on PostgreSQL 15, a GIN index on the JSON needed 8 seconds for a page of a value
that only the oldest 5 % have; the index of metadata pairs needs 0.2 milliseconds.

So the metadata of each conversation is also a row per pair (`MetadataPair`), with one index by key and value and one by
key, each for all conversations and for those of one owner. Ids begin with the time of creation, so that the rows of a
value are in the order of a page.

The physical operators
----------------------
`IndexRange`: adjacent rows of one index, which share a key and perhaps a value.
`IndexScan`: ranges that together contain every match, such as one range for each value of `in`. A query with AND has
    several candidates, and any one of them suffices. OR needs a scan of each side. Operators whose `IndexUse` is
    neither `VALUES` nor `PREFIX`, such as `ne` and `contains`, read all rows of their key. NOT has no scan of its own.
`RowPredicate`: the whole query as SQL for one row of a scan. Conditions on other keys are scalar subqueries by primary
    key, because a database may turn EXISTS into a join that starts from the wrong side.
`MetadataScan`: the matching ids, in steps. Each step reads the next rows of the best scan and filters them by the row
    predicate, or it intersects the next rows of several scans by hashing their ids.

The cost model
--------------
Before a step, all candidates are probed in one round trip: the first and last id of their next rows, and so their
density in rows per unit of time. The scan whose rows reach furthest in the direction of the page is read, because the
others would have to read more rows for the same time.

The constants, with figures from PostgreSQL 15 on two cores, 500,000 conversations of `tests.benchmarks.loading`, warm
cache:

- 250 rows per probe, four times as many with each step: 1,000 rows take 0.6 ms, so a step costs little where matches
  are frequent, and the number of round trips grows with the logarithm of the rows.
- `PROBE_COST` = 8: looking up one row by its key costs about as much as reading 8 adjacent rows; 4.6 for 1,000 rows, 13
  for 6,000. Measured as the time of a range with and without the look-up of a second key in each row. Scans that are at
  most that much denser than the best one are intersected instead of looked up.
- `SURPLUS` = 1.7: an intersection reads that many times the rows that would contain a full batch on average. If matches
  are independent, their number has a Poisson distribution: a batch of 20 falls short in 0.4 % of the cases, without the
  factor in 47 %.
- 6,000 rows per intersected scan: hashing and looking up that many ids takes 6 ms, 40,000 ids take 50 ms.
- 16 values of `in` and 8 values that a prefix matches are read as a range each; more of them as one unordered range.
  These two limits bound the length of a statement. They were chosen, not measured.

An example
----------
`metadata[tenant]=acme&metadata[status]=failed`, newest first, 20 rows, in 10 million conversations. The 250 newest rows
of `acme` reach back two hours, those of `failed` a month, so `failed` is the better scan. If 1 % of all conversations
are acme's, its 250 rows contain about 2 matches, too few for the page. The two scans differ in density by more than 8,
so they are not intersected; the next 250 rows of `failed` are read, each looked up for `acme`, then 1,000, and so on.

Measure pages again with `python -m tests.benchmarks.metadata_queries 100000 10000000`: a condition, or a pair of them,
should take about as long in the large database as in the small one. The statements of a page for EXPLAIN ANALYZE come
from `tests.plans.capture_statements`.
"""
