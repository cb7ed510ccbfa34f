package natslane_test

import (
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/internal/nats/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is a NATS server in the process of the test, on a port that it keeps.
type broker struct{ *natstest.Server }

// newBroker starts a server that takes messages of at most payloadMax bytes; 0: its default.
func newBroker(t testing.TB, payloadMax int32) *broker {
	t.Helper()
	return &broker{natstest.Start(t, func(o *natstest.Options) { o.JetStream, o.MaxPayload = false, payloadMax })}
}

func (b *broker) connect(t testing.TB) *nats.Conn { return connectTo(t, b.URL) }

func connectTo(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(url, append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.IgnoreDiscoveredServers(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// newCutter stands in front of a server and breaks the first connection behind so many bytes to it, or from it. It returns its URL.
func newCutter(t testing.TB, url string, toServer bool, behind int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var runs sync.WaitGroup
	t.Cleanup(runs.Wait)
	t.Cleanup(func() { l.Close() })
	runs.Go(func() {
		for first := true; ; first = false {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
			if err != nil {
				client.Close()
				continue
			}
			up, down := int64(math.MaxInt64), int64(math.MaxInt64)
			switch {
			case first && toServer:
				up = int64(behind)
			case first:
				down = int64(behind)
			}
			pass := func(dst, src net.Conn, n int64) {
				_, _ = io.CopyN(dst, src, n)
				client.Close()
				server.Close()
			}
			runs.Go(func() { pass(server, client, up) })
			runs.Go(func() { pass(client, server, down) })
		}
	})
	return "nats://" + l.Addr().String()
}
