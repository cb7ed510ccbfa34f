// Package statetest is what every kind of live state has to do: random operations against plain Go models, with snapshots,
// restores, rescaling and expiry at random moments. Memory and every byte store run the same suite.
package statetest
