package topologies

import (
	"flag"
	"fmt"
	"net"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

const portMax = 65535

var socketCount = runner.Topology{
	Name: "socket-count",
	Doc:  "S23: counts the words of lines from a socket (nc -lk 9999); prints the whole table after each batch",
	Flags: func(fs *flag.FlagSet) runner.Build {
		host := fs.String("host", "localhost", "`HOST` of the server that sends the lines")
		port := fs.Int("port", 0, "its `PORT`; without it the text is generated")
		untilEnd := fs.Bool("until-end", false, "end when the server closes the connection, instead of connecting again")
		return func(job *millrace.Job, o *runner.Options) error {
			if *port < 0 || *port > portMax {
				return fmt.Errorf("--port is %d, want 1 to %d, or 0 for generated text", *port, portMax)
			}
			var lines millrace.Stream[string]
			if *port > 0 {
				addr := net.JoinHostPort(*host, strconv.Itoa(*port))
				lines = o.From(job, "socket", sources.Socket(sources.SocketConfig{Addr: addr, Bounded: *untilEnd}))
			} else {
				lines = o.Generate(job, "text", tableLinesPerSecond, Text{Words: tableWords}.Line)
			}
			WordCount(lines).To("console", sinks.Console[wordRow](sinks.ConsoleConfig{Writer: o.Stdout()}, nil), millrace.Complete)
			return nil
		}
	},
}
