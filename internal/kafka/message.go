package kafka

import "time"

// Message is a whole Kafka record. Its bytes may share the memory of the fetch that brought it: clone what is kept for
// long. Like all values on a lane it is not changed once it was given on.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil when there is none, which an empty key is not
	Value     []byte // nil is a tombstone: the key's deletion on a compacted topic
	Headers   []Header
	Time      time.Time // the record's timestamp, in milliseconds; zero when it has none
}

// Header is one of a message's headers; several may have the same key.
type Header struct {
	Key   string
	Value []byte
}
