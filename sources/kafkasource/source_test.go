package kafkasource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func TestConforms(t *testing.T) {
	b := start(t)
	topic, empty := b.create(t, 3), b.create(t, 1)
	want := map[string][]string{
		topic + "/0": numbered("a", 12),
		topic + "/1": {"one"},
		topic + "/2": nil,
	}
	b.values(t, topic, 0, want[topic+"/0"][:5]...)
	var rest []*kgo.Record
	for _, v := range want[topic+"/0"][5:] {
		rest = append(rest, record(topic, 0, v)) // these come in batches
	}
	b.produce(t, rest...)
	b.values(t, topic, 1, "one")
	sourcetest.Run(t, sourcetest.Case[string]{
		New:  func(*testing.T) sources.Source[string] { return kafkasource.New(config(b, topic), codec.String) },
		Want: want,
		Idle: func(*testing.T) sources.Source[string] {
			cfg := config(b, empty)
			cfg.Bounded = false
			return kafkasource.New(cfg, codec.String)
		},
	})
}

// TestMessagesKeepEverything: key, value, headers and timestamp, null and empty told apart.
func TestMessagesKeepEverything(t *testing.T) {
	b := start(t)
	topic := b.create(t, 2)
	at := time.UnixMilli(1_700_000_000_123)
	b.produce(t,
		&kgo.Record{
			Topic: topic, Partition: 1, Key: []byte("k"), Value: []byte("v"), Timestamp: at,
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")}, {Key: "", Value: nil}},
		},
		&kgo.Record{Topic: topic, Partition: 1, Key: []byte{}, Value: []byte{}, Timestamp: at.Add(time.Millisecond)},
		&kgo.Record{Topic: topic, Partition: 1, Timestamp: at.Add(2 * time.Millisecond)},
	)
	src := kafkasource.Messages(config(b, topic))
	split := splitsOf(t, src)[1]
	r := open(t, src, split, split.Start)
	defer r.Close()
	batch := &sources.Batch[kafkasource.Message]{Records: make([]flow.Record[kafkasource.Message], 0, 10)}
	var got []kafkasource.Message
	for len(got) < 3 {
		batch.Reset()
		err := r.Read(t.Context(), batch)
		for _, rec := range batch.Records {
			if rec.TimeNS != rec.Value.Time.UnixNano() {
				t.Errorf("record time %d, message time %v", rec.TimeNS, rec.Value.Time)
			}
			got = append(got, rec.Value)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	want := []kafkasource.Message{
		{
			Topic: topic, Partition: 1, Offset: 0, Key: []byte("k"), Value: []byte("v"), Time: at.UTC(),
			Headers: []kafkasource.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")}, {}},
		},
		{Topic: topic, Partition: 1, Offset: 1, Key: []byte{}, Value: []byte{}, Time: at.Add(time.Millisecond).UTC()},
		{Topic: topic, Partition: 1, Offset: 2, Time: at.Add(2 * time.Millisecond).UTC()},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStarts(t *testing.T) {
	b := start(t)
	topic := b.create(t, 2)
	for i := range 10 {
		r := record(topic, 0, fmt.Sprint(i))
		r.Timestamp = time.UnixMilli(int64(1_700_000_000_000 + 1000*i))
		b.produce(t, r)
	}
	for name, c := range map[string]struct {
		start kafkasource.Start
		want  string
	}{
		"earliest":        {kafkasource.Earliest, "0 1 2 3 4 5 6 7 8 9"},
		"latest":          {kafkasource.Latest, ""},
		"timestamp":       {kafkasource.At(time.UnixMilli(1_700_000_006_000)), "6 7 8 9"},
		"between two":     {kafkasource.At(time.UnixMilli(1_700_000_006_001)), "7 8 9"},
		"before all":      {kafkasource.At(time.UnixMilli(1)), "0 1 2 3 4 5 6 7 8 9"},
		"behind all":      {kafkasource.At(time.UnixMilli(1_800_000_000_000)), ""},
		"offsets":         {kafkasource.Offsets(map[string]map[int32]int64{topic: {0: 8}}), "8 9"},
		"offset of other": {kafkasource.Offsets(map[string]map[int32]int64{topic: {1: 0}}), "0 1 2 3 4 5 6 7 8 9"},
		"offset at end":   {kafkasource.Offsets(map[string]map[int32]int64{topic: {0: 10}}), ""},
	} {
		cfg := config(b, topic)
		cfg.Start = c.start
		got := readAll[string](t, kafkasource.New(cfg, codec.String))
		if s := strings.Join(got[topic+"/0"], " "); s != c.want {
			t.Errorf("%s: got %q, want %q", name, s, c.want)
		}
	}
}

// TestLatestIsResolvedOnce: a record that comes between the first Splits and the first Read is read, also when the job
// starts again before its first epoch.
func TestLatestIsResolvedOnce(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, "old")
	cfg := config(b, topic)
	cfg.Bounded, cfg.Start = false, kafkasource.Latest
	src := kafkasource.New(cfg, codec.String)
	splitsOf(t, src)
	b.values(t, topic, 0, "new")
	s := splitsOf(t, src)[0]
	r := open(t, src, s, s.Start)
	defer r.Close()
	if got, _, _ := take(t, r, 1); got[0] != "new" {
		t.Errorf("got %q", got)
	}
}

// TestNewPartitionsAndTopicsAreReadFromTheirBeginning also when the start is "latest".
func TestNewPartitionsAndTopicsAreReadFromTheirBeginning(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, "old")
	src := kafkasource.New(kafkasource.Config{
		Brokers: b.seeds, Pattern: topic + "(-more)?", Start: kafkasource.Latest, DiscoverEvery: 3 * time.Second,
	}, codec.String)
	if every := src.DiscoverEveryNS(); every != 3e9 {
		t.Errorf("discovers every %d ns", every)
	}
	if err := src.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := splitsOf(t, src); len(got) != 1 || got[0].ID != topic+"/0" {
		t.Fatalf("found %v", got)
	}
	b.grow(t, topic, 2)
	b.createAs(t, topic+"-more", 1)
	b.createAs(t, topic+"-more-not", 1)
	b = connect(t, b.seeds) // one that knows of the new partition
	b.values(t, topic, 1, "partition")
	b.values(t, topic+"-more", 0, "topic")
	var ids []string
	for _, s := range splitsOf(t, src, topic+"/0") {
		ids = append(ids, s.ID)
		r := open(t, src, s, s.Start)
		got, _, _ := take(t, r, 1)
		if want := map[string]string{topic + "/1": "partition", topic + "-more/0": "topic"}[s.ID]; got[0] != want {
			t.Errorf("%s: got %q, want %q", s.ID, got[0], want)
		}
		r.Close()
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{topic + "-more/0", topic + "/1"}) {
		t.Errorf("found %q", ids)
	}
	if again := splitsOf(t, src, append(ids, topic+"/0")...); len(again) > 0 {
		t.Errorf("found again: %v", again)
	}
}

// TestBoundedEndsWhereItBegan: records that come later are not read, also behind a restart.
func TestBoundedEndsWhereItBegan(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a", "b", "c")
	src := kafkasource.New(config(b, topic), codec.String)
	s := splitsOf(t, src)[0]
	b.values(t, topic, 0, "d", "e")
	r := open(t, src, s, s.Start)
	first := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 1)}
	if err := r.Read(t.Context(), first); err != nil || first.Records[0].Value != "a" {
		t.Fatal(first.Records, err)
	}
	r.Close()
	again := kafkasource.New(config(b, topic), codec.String)
	r = open(t, again, s, first.Next)
	defer r.Close()
	if got, _, _ := take(t, r, -1); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("got %q", got)
	}
	if found := splitsOf(t, again, s.ID); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestOutOfRangeIsAnError(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, numbered("v", 10)...)
	cfg := config(b, topic)
	cfg.Bounded = false
	src := kafkasource.New(cfg, codec.String)
	s := splitsOf(t, src)[0]
	r := open(t, src, s, s.Start)
	_, _, behind4 := take(t, r, 10)
	behind4 = slices.Clone(behind4)
	behind4[7] = 4
	r.Close()
	b.truncate(t, topic, 0, 6)
	_, err := src.Open(t.Context(), s, behind4)
	mustSay(t, err, "offset 4 of "+topic+"/0 is gone", "has 6 to 10")
	if errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("%v asks for another attempt", err)
	}
	behind4[7] = 99
	_, err = src.Open(t.Context(), s, behind4)
	mustSay(t, err, "offset 99 of "+topic+"/0 is gone", "has 6 to 10")

	r = open(t, src, s, s.Start) // earliest is what is the oldest when it is opened
	defer r.Close()
	if got, _, _ := take(t, r, 4); got[0] != "v6" {
		t.Errorf("got %q", got)
	}
}

// TestAnotherTopicOfTheSameNameIsRefused: its offsets mean other records.
func TestAnotherTopicOfTheSameNameIsRefused(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a", "b")
	src := kafkasource.New(config(b, topic), codec.String)
	s := splitsOf(t, src)[0]
	r := open(t, src, s, s.Start)
	_, _, at := take(t, r, 1)
	r.Close()
	b.remove(topic)
	b.again(t, topic)
	b = connect(t, b.seeds) // one that knows the new topic's id
	b.values(t, topic, 0, "c", "d", "e")
	_, err := src.Open(t.Context(), s, at)
	mustSay(t, err, topic, "deleted and created again")
}

func TestUndecodableRecordsAreDeadLetters(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	bad := record(topic, 0, "{no json")
	bad.Key = []byte("key")
	b.produce(t, record(topic, 0, `{"N":1}`), bad, &kgo.Record{Topic: topic, Key: []byte("gone")}, record(topic, 0, `{"N":2}`))
	type row struct{ N int }
	src := kafkasource.New(config(b, topic), codec.JSON[row]())
	s := splitsOf(t, src)[0]
	r := open(t, src, s, s.Start)
	defer r.Close()
	got, dead, _ := take(t, r, -1)
	if !slices.Equal(got, []row{{1}, {2}}) || len(dead) != 2 {
		t.Fatalf("got %v and %d dead letters", got, len(dead))
	}
	d := dead[0]
	if d.Split != topic+"/0" || d.Position != "1" || string(d.Key) != "key" || string(d.Value) != "{no json" || d.Reason == "" || !d.Time.Equal(bad.Timestamp) {
		t.Errorf("dead letter %+v", d)
	}
	if d = dead[1]; d.Position != "2" || !strings.Contains(d.Reason, "tombstone") {
		t.Errorf("dead letter %+v", d)
	}
}

func TestCompressedAndLargeBatches(t *testing.T) {
	addrs := seeds(t)
	for name, c := range map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		"none": kgo.NoCompression(),
	} {
		b := connect(t, addrs, kgo.ProducerBatchCompression(c))
		topic := b.create(t, 1)
		var want []string
		var records []*kgo.Record
		for i := range 300 {
			want = append(want, strings.Repeat(fmt.Sprint(name, i, " "), 100))
			records = append(records, record(topic, 0, want[i]))
		}
		b.produce(t, records...)
		for _, size := range []int{100, 5000, 0} { // a fetch smaller than a batch, than some, and than none
			cfg := config(b, topic)
			cfg.FetchBytes = size
			if got := readAll[string](t, kafkasource.New(cfg, codec.String))[topic+"/0"]; !slices.Equal(got, want) {
				t.Errorf("%s, fetches of %d bytes: got %d records", name, size, len(got))
			}
		}
	}
}

// TestTransactions reads what transactions left: with committed records only, the aborted ones and the control records
// are passed, and a bounded read ends behind them, also when there is nothing else.
func TestTransactions(t *testing.T) {
	b := start(t)
	topic := b.create(t, 3)
	tx := connect(t, b.seeds, kgo.TransactionalID("tx-"+topic))
	commit := func(end kgo.TransactionEndTry, records ...*kgo.Record) {
		t.Helper()
		if err := tx.client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		tx.produce(t, records...)
		if err := tx.client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	commit(kgo.TryCommit, record(topic, 0, "c1"), record(topic, 0, "c2"))
	commit(kgo.TryAbort, record(topic, 0, "a1"), record(topic, 1, "a1"))
	b.values(t, topic, 0, "plain")
	commit(kgo.TryCommit, record(topic, 0, "c3"))
	commit(kgo.TryAbort, record(topic, 0, "a2"), record(topic, 1, "a2"))
	commit(kgo.TryAbort, record(topic, 1, "a3"))

	if err := tx.client.BeginTransaction(); err != nil { // stays open
		t.Fatal(err)
	}
	tx.produce(t, record(topic, 2, "open"))
	defer func() { _ = tx.client.EndTransaction(context.Background(), kgo.TryAbort) }()

	got := readAll[string](t, kafkasource.New(config(b, topic), codec.String))
	want := map[string][]string{topic + "/0": {"c1", "c2", "plain", "c3"}, topic + "/1": nil, topic + "/2": nil}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("committed: got %q, want %q", got, want)
	}
	cfg := config(b, topic)
	cfg.ReadUncommitted = true
	got = readAll[string](t, kafkasource.New(cfg, codec.String))
	want = map[string][]string{topic + "/0": {"c1", "c2", "a1", "plain", "c3", "a2"}, topic + "/1": {"a1", "a2", "a3"}, topic + "/2": {"open"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("uncommitted: got %q, want %q", got, want)
	}
}

// TestPositionPassesWhatCannotBeSeen: a partition with aborted records only still gets on.
func TestPositionPassesWhatCannotBeSeen(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	tx := connect(t, b.seeds, kgo.TransactionalID("tx-"+topic))
	if err := tx.client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	tx.produce(t, record(topic, 0, "a"), record(topic, 0, "b"))
	if err := tx.client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	_, _, r := follow(t, b, topic)
	defer r.Close()
	batch := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 10)}
	for len(batch.Next) == 0 || batch.Next[7] < 3 { // two records and the control record
		batch.Reset()
		if err := r.Read(t.Context(), batch); err != nil || len(batch.Records) > 0 {
			t.Fatal(batch.Records, err)
		}
	}
}

func TestReadsWhileRecordsCome(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	_, _, r := follow(t, b, topic)
	defer r.Close()
	for _, v := range numbered("live", 20) {
		b.values(t, topic, 0, v)
		if got, _, _ := take(t, r, 1); got[0] != v {
			t.Fatalf("got %q, want %q", got[0], v)
		}
	}
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
}

func TestMissingTopicIsNamed(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	err := kafkasource.New(config(b, topic, "no-such-topic"), codec.String).Check(t.Context())
	mustSay(t, err, `"no-such-topic"`, topic)
	_, err = kafkasource.New(config(b, "no-such-topic"), codec.String).Splits(t.Context(), nil)
	mustSay(t, err, `"no-such-topic"`)
	cfg := kafkasource.Config{Brokers: b.seeds, Pattern: "no-such-.*", Bounded: true}
	mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), `"no-such-.*"`)
	cfg = config(b, topic)
	cfg.Start = kafkasource.Offsets(map[string]map[int32]int64{topic: {7: 1}})
	mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), topic+"/7", "has 1 partitions")
}
