// Package runner is the command line of Millrace as a library: a program that calls Main with its own topologies can list,
// describe and run them, with the same flags and the same live view as cmd/runner.
//
//	func main() { runner.Main(append(topologies.All(), mine)...) }
package runner
