package kafkasink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/internal/kafka"
)

// token names a prepared transaction, and one of its records: by it the log tells, when the coordinator does not know any more,
// whether the transaction was committed.
type token struct {
	id       string // transactional id
	producer kafka.Producer
	place    kafka.Place
}

const (
	tokenVersion  = 1
	nameBytesMax  = 4096 // of a transactional id or a topic; Kafka's own limits are lower
	tokenBytesMin = 1 + 5
)

// append writes: version, id, producer id and epoch, topic, partition, offset. Numbers are uvarints, texts have their length first.
func (t *token) append(dst []byte) []byte {
	dst = appendText(append(dst, tokenVersion), t.id)
	dst = binary.AppendUvarint(dst, uint64(t.producer.ID))
	dst = binary.AppendUvarint(dst, uint64(t.producer.Epoch))
	dst = appendText(dst, t.place.Topic)
	dst = binary.AppendUvarint(dst, uint64(t.place.Partition))
	return binary.AppendUvarint(dst, uint64(t.place.Offset))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decodeToken reads what append wrote, and nothing else: there is one form of each token.
func decodeToken(b []byte) (token, error) {
	switch {
	case len(b) == 0:
		return token{}, errors.New("token is empty")
	case b[0] != tokenVersion:
		return token{}, fmt.Errorf("token has version %d, this build knows %d", b[0], tokenVersion)
	case len(b) < tokenBytesMin:
		return token{}, errors.New("token is cut short")
	}
	d := tokenDecoder{rest: b[1:]}
	t := token{id: d.text()}
	t.producer = kafka.Producer{ID: int64(d.number(math.MaxInt64)), Epoch: int16(d.number(math.MaxInt16))}
	t.place = kafka.Place{Topic: d.text(), Partition: int32(d.number(math.MaxInt32)), Offset: int64(d.number(math.MaxInt64))}
	if d.bad || len(d.rest) > 0 || t.id == "" || t.place.Topic == "" {
		return token{}, errors.New("token is damaged")
	}
	return t, nil
}

type tokenDecoder struct {
	rest []byte
	bad  bool
}

func (d *tokenDecoder) number(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > most || n > 1 && d.rest[n-1] == 0 {
		d.rest, d.bad = nil, true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *tokenDecoder) text() string {
	n := d.number(nameBytesMax)
	if n > uint64(len(d.rest)) {
		d.rest, d.bad = nil, true
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}
