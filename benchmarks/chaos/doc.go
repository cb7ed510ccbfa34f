// Command chaos kills a job again and again, and checks that what it wrote to Kafka, to files and to PostgreSQL holds each record once.
//
// The job (chaos/job) is a process of its own, in a build with the points of internal/fault. While records are produced it is killed
// with -9 at random moments, while it comes up, and at each named point; and it is stopped, with a second one started meanwhile. The
// checker reads the outputs with a Kafka client, a database driver and a directory listing, and shares no code with the engine.
package main
