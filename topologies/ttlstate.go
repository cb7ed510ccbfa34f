package topologies

import (
	"flag"
	"strconv"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// Tally is how often a key came within its time to live, as three kinds of state have it.
type Tally struct {
	Key      string `json:"key"`
	Value    int64  `json:"value"`
	List     int64  `json:"list"`
	Map      int64  `json:"map"`
	SourceNS int64  `json:"source_ns"` // the record's time at the source, since the Unix epoch
}

const tallyTTL = 30 * time.Second

// TTLState counts the records of each key in value, list and map state that are forgotten 30 s after the key's last record.
func TTLState(keys millrace.Stream[string]) millrace.Stream[Tally] {
	return keys.KeyBy(itself[string]).Process("tally", tally)
}

func tally(s *millrace.Setup[string, Tally]) millrace.Handler[string, string, Tally] {
	value := s.Value[int64]("value", tallyTTL)
	list := s.List[int64]("list", tallyTTL)
	byKey := s.Map[string, int64]("map", tallyTTL)
	return func(c *millrace.Context[string, Tally], key string) error {
		t := Tally{Key: key, Value: 1, List: 1, Map: 1, SourceNS: c.Time().UnixNano()}
		if n, ok := value.Get(); ok {
			t.Value += n
		}
		for n := range list.All() {
			t.List += n
		}
		if n, ok := byKey.Get(key); ok {
			t.Map += n
		}
		value.Set(t.Value)
		list.Put(t.List)
		byKey.Set(key, t.Map)
		c.Emit(t)
		return nil
	}
}

var ttlState = runner.Topology{
	Name: "ttl-state",
	Doc:  "S9: counts per key in value, list and map state that live 30 s, with end-to-end latency",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error { return buildTTLState(job, o, kafka) }
	},
}

func rowKey(r sources.RateRow) string         { return "key-" + strconv.FormatInt(r.Value%10, 10) }
func messageKey(m kafkasource.Message) string { return string(m.Key) }
func tallyKey(t Tally) []byte                 { return []byte(t.Key) }
