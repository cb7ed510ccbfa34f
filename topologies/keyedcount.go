package topologies

import (
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/state"
)

// KeyedCount counts the records of each key.
func KeyedCount(keys millrace.Stream[string]) millrace.Table[string, int64] {
	return keys.KeyBy(itself[string]).Count("count", state.Forever)
}

var keyedCount = runner.Topology{
	Name: "keyed-count",
	Doc:  "counts Kafka records by key; each change goes to Kafka with the count as text, under the key",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if err := kafka.Need(); err != nil {
				return err
			}
			in, err := messages(job, o, kafka)
			if err != nil {
				return err
			}
			counts := KeyedCount(in.Map("key", messageKey))
			counts.To("view", o.Top[string]("key", "count", itself[string]), millrace.Update)
			cfg, err := kafka.SinkConfig(o)
			counts.To("out", kafkasink.New(cfg, codec.Codec[wordRow](countCodec[string]{})).Key(keyText[string]), millrace.Update)
			return err
		}
	},
}

func keyText[K ~string](p millrace.Pair[K, int64]) []byte { return []byte(p.Key) }

// countCodec writes the count of a row as decimal text; its key goes where keys go.
type countCodec[K comparable] struct{}

// Append implements codec.Codec.
func (countCodec[K]) Append(dst []byte, p millrace.Pair[K, int64]) ([]byte, error) {
	return strconv.AppendInt(dst, p.Value, 10), nil
}

// Decode implements codec.Codec. The text holds no key, so it is of no use to a source.
func (countCodec[K]) Decode(src []byte) (millrace.Pair[K, int64], error) {
	return millrace.Pair[K, int64]{}, fmt.Errorf("decode %q: %w", src, errNoKey)
}

var errNoKey = errors.New("a count's text does not hold its key: read whole messages")
