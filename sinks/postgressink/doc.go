// Package postgressink writes tables of PostgreSQL. Table is the sink that publishes each epoch exactly once, in one transaction with a
// row about the epoch. ForEach and Replace are for those who want records as they come, or whole batches, in transactions.
package postgressink
