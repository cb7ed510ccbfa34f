// Package integration holds the tests of the whole: the runner as a program of its own, against a real Kafka broker and the
// real disk, killed with -9. It has nothing but tests, and they need the build tag integration:
//
//	make integration        with the broker it starts
//	make integration-large  the same at the sizes of a published figure
//
// What a test expects is worked out by plain code that shares nothing with the engine; of Millrace only the made-up text of
// package topologies is used, because it is the input.
package integration
