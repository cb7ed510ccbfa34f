package nats

import (
	"maps"
	"slices"
	"time"

	client "github.com/nats-io/nats.go"
)

// Message is a whole message of a stream. Like all values on a lane it is not changed once it was given on.
type Message struct {
	Subject  string
	Headers  []Header // by key; those of one key in their order
	Data     []byte
	Sequence uint64    // in its stream, from 1
	Time     time.Time // when the stream stored it
}

// Header is one of a message's headers; several may have the same key.
type Header struct {
	Key   string
	Value string
}

// Headers are h in the order of their keys.
func Headers(h client.Header) []Header {
	if len(h) == 0 {
		return nil
	}
	all := make([]Header, 0, len(h))
	for _, key := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[key] {
			all = append(all, Header{key, v})
		}
	}
	return all
}

// What JetStream's key-value buckets write instead of a value that was removed.
const (
	Operation = "KV-Operation"
	Removed   = "DEL"
	Purged    = "PURGE"
)
