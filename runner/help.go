package runner

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// printHelp lists the flags in groups: the topology's own, PostgreSQL's, Kafka's, NATS's, those of workers, and those every job has.
func (v *invocation) printHelp(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\nusage: runner run %s [flags]\n", v.topology.Name, v.topology.Doc, v.topology.Name)
	groups := []struct {
		title string
		holds func(name string) bool
	}{
		{"Flags of " + v.topology.Name, func(name string) bool {
			return !v.common[name] && !kafkaFlags[name] && !natsFlags[name] && !postgresFlags[name]
		}},
		{"PostgreSQL", func(name string) bool { return postgresFlags[name] && !v.common[name] }},
		{"Kafka", func(name string) bool { return kafkaFlags[name] && !v.common[name] }},
		{"NATS JetStream", func(name string) bool { return natsFlags[name] && !v.common[name] }},
		{"Workers", func(name string) bool { return clusterFlags[name] && v.common[name] }},
		{"Flags of every job", func(name string) bool { return v.common[name] && !clusterFlags[name] }},
	}
	for _, g := range groups {
		titled := false
		v.flags.VisitAll(func(f *flag.Flag) {
			if !g.holds(f.Name) {
				return
			}
			if !titled {
				titled = true
				fmt.Fprintf(w, "\n%s:\n", g.title)
			}
			printFlag(w, f)
		})
	}
}

func printFlag(w io.Writer, f *flag.Flag) {
	value, text := flag.UnquoteUsage(f)
	fmt.Fprintln(w, strings.TrimRight("  --"+f.Name+" "+value, " "))
	fmt.Fprintf(w, "        %s", text)
	if d := f.DefValue; d != "" && d != "0" && d != "0s" && d != "false" {
		fmt.Fprintf(w, " (default %s)", d)
	}
	fmt.Fprintln(w)
}
