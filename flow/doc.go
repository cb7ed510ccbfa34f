// Package flow is the vocabulary every other room shares: records, batches, marks, epochs and key groups.
// It holds data and arithmetic on it, and imports nothing of Millrace.
package flow
