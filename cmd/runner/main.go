// Command runner runs the topologies of the catalogue by name; see package runner for how to link others.
package main

import (
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

func main() { runner.Main(topologies.All()...) }
