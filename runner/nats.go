package runner

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sources/natssource"
)

// NATS is the flags of a topology that can read a stream of NATS JetStream, and what they say once they are parsed.
type NATS struct {
	urls, stream, subjects, credentials string
	kafka                               *Kafka // whose --from and --until-end count here too
}

// natsFlags are the names that RegisterNATS declares, for the help text.
var natsFlags = map[string]bool{"nats-url": true, "nats-stream": true, "nats-subject": true, "nats-credentials": true}

// RegisterNATS declares the flags of NATS JetStream, beside those of Kafka.
func RegisterNATS(fs *flag.FlagSet, k *Kafka) *NATS {
	n := &NATS{kafka: k}
	fs.StringVar(&n.urls, "nats-url", "", "some servers, `nats://HOST:PORT,…`; those on other machines tls://HOST:PORT; --from and --until-end count here too, --from also as a sequence")
	fs.StringVar(&n.stream, "nats-stream", "", "input `STREAM` of JetStream")
	fs.StringVar(&n.subjects, "nats-subject", "", "read these of its subjects, `SUBJECT,…`, side by side; default: all")
	fs.StringVar(&n.credentials, "nats-credentials", "", "`FILE` that says who connects, as nsc writes it")
	return n
}

// Given says whether servers were named.
func (n *NATS) Given() bool { return n.urls != "" }

// Unused reports flags that were given without the servers they are about.
func (n *NATS) Unused() error {
	if !n.Given() && (n.stream != "" || n.subjects != "" || n.credentials != "") {
		return errors.New("--nats-stream, --nats-subject and --nats-credentials need the servers: give --nats-url nats://HOST:PORT")
	}
	return nil
}

// Values is a source of the data of the stream's messages.
func (n *NATS) Values[T any](c codec.Codec[T]) (*natssource.Source[T], error) {
	start, err := n.start()
	if n.stream == "" {
		err = errors.Join(err, errors.New("no input stream: give --nats-stream STREAM"))
	}
	return natssource.New(natssource.Config{
		Server: natssource.Server{URLs: list(n.urls), CredentialsFile: n.credentials},
		Stream: n.stream, Subjects: list(n.subjects), Start: start, Bounded: n.kafka.bounded,
	}, c), err
}

// start reads --from.
func (n *NATS) start() (natssource.Start, error) {
	switch n.kafka.from {
	case "earliest":
		return natssource.Earliest, nil
	case "latest":
		return natssource.Latest, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, n.kafka.from); err == nil {
		return natssource.At(at), nil
	}
	if sequence, err := strconv.ParseUint(n.kafka.from, 10, 64); err == nil && sequence > 0 {
		return natssource.Sequence(sequence), nil
	}
	return natssource.Start{}, fmt.Errorf("--from %q is none of earliest, latest, a time (2026-11-21T10:00:00Z) and a sequence of the stream", n.kafka.from)
}
