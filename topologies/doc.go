// Package topologies is the catalogue's jobs. Each is a pure function from streams to streams, and a runner.Topology that says
// how its ends are attached.
package topologies
