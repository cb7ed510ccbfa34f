// Package cluster finds the workers of a job through NATS, and carries what the process that started the job and its workers tell each
// other. Records go over mailbox/natslane. Nothing is kept in NATS: who is away for too long is lost, and the job goes on from its newest epoch.
package cluster
