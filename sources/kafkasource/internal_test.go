package kafkasource

import (
	"math"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/internal/kafka"
)

// TestSaramaStillTellsWhereEmptyBatchesEnd pins the field of sarama that behindEmpty reads: compaction leaves batches
// without records, and nothing else says where they end.
func TestSaramaStillTellsWhereEmptyBatchesEnd(t *testing.T) {
	if got := behindEmpty(&sarama.FetchResponseBlock{}); got != -1 {
		t.Errorf("nothing read, but %d", got)
	}
	f := &fetcher{cfg: Config{FetchBytes: 100}.withDefaults(), bytes: 100}
	block := decodeBlock(t, &sarama.RecordBatch{Version: 2, FirstOffset: 40, LastOffsetDelta: 9})
	got, err := f.visible(40, block)
	if err != nil || got.next != 50 || len(got.batches) != 0 {
		t.Errorf("behind an empty batch from 40 to 49: %+v, %v", got, err)
	}
}

// decodeBlock is the block as sarama decodes it from a response with these batches.
func decodeBlock(t *testing.T, batches ...*sarama.RecordBatch) *sarama.FetchResponseBlock {
	t.Helper()
	res := &sarama.FetchResponse{Version: 11}
	res.AddError("t", 0, sarama.ErrNoError)
	block := res.GetBlock("t", 0)
	for _, b := range batches {
		block.RecordsSet = append(block.RecordsSet, &sarama.Records{RecordBatch: b})
	}
	server := sarama.NewMockBroker(t, 1)
	defer server.Close()
	const fetch = 1
	server.SetHandlerByMap(map[string]sarama.MockResponse{
		"ApiVersionsRequest": sarama.NewMockApiVersionsResponse(t).SetApiKeys([]sarama.ApiVersionsResponseKey{{ApiKey: fetch, MaxVersion: 11}}),
		"FetchRequest":       sarama.NewMockWrapper(res),
	})
	conn, err := kafka.Cluster{}.Dial(t.Context(), server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	kafka.MuteFetches("t")
	req := &sarama.FetchRequest{Version: 11}
	req.AddBlock("t", 0, 0, 1, -1)
	answer, err := conn.Fetch(req)
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetBlock("t", 0)
}

// TestBatchCutByTheFetch: the fetch is asked for again with more, never passed over, and not for ever.
func TestBatchCutByTheFetch(t *testing.T) {
	f := &fetcher{cfg: Config{}.withDefaults(), bytes: fetchBytes}
	cut := func(first int64) *sarama.Records {
		return &sarama.Records{RecordBatch: &sarama.RecordBatch{FirstOffset: first, LastOffsetDelta: 5, PartialTrailingRecord: true}}
	}
	block := &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{cut(10)}}
	for f.bytes < fetchBytesMax {
		before := f.bytes
		if got, err := f.visible(10, block); err != nil || got.next != 10 || f.bytes != 2*before {
			t.Fatalf("got %+v, %v, next fetch %d bytes", got, err, f.bytes)
		}
	}
	if _, err := f.visible(10, block); err == nil {
		t.Error("a batch larger than every fetch is waited for")
	}
	// Behind empty batches, which are not in the answer, it begins later than what was asked for.
	if got, err := f.visible(4, block); err != nil || got.next != 10 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAborted(t *testing.T) {
	batch := func(first, last, producer int64) *sarama.RecordBatch {
		return &sarama.RecordBatch{FirstOffset: first, LastOffsetDelta: int32(last - first), ProducerID: producer, IsTransactional: true}
	}
	control := func(at, producer int64, kind byte) *sarama.RecordBatch {
		b := batch(at, at, producer)
		b.Control, b.Records = true, []*sarama.Record{{Key: []byte{0, 0, 0, kind}}}
		return b
	}
	a := newAborted([]*sarama.AbortedTransaction{{ProducerID: 2, FirstOffset: 8}, {ProducerID: 1, FirstOffset: 0}})
	plain := batch(6, 6, -1)
	plain.IsTransactional = false
	for _, c := range []struct {
		batch *sarama.RecordBatch
		hides bool
	}{
		{batch(0, 1, 1), true},
		{batch(2, 2, 2), false},
		{batch(3, 3, 1), true},
		{control(4, 1, 0), true},
		{batch(5, 5, 1), false},
		{plain, false},
		{control(7, 2, 1), true},
		{batch(8, 9, 2), true},
		{control(10, 2, 0), true},
		{batch(11, 11, 2), false},
	} {
		if got := a.hides(c.batch); got != c.hides {
			t.Errorf("batch at %d of producer %d: hidden %v, want %v", c.batch.FirstOffset, c.batch.ProducerID, got, c.hides)
		}
	}
}

func TestTimestamps(t *testing.T) {
	for ms, want := range map[int64]int64{
		0: 0, 1: 1e6, noTimestampMS: 0, -2: -2e6,
		math.MaxInt64: math.MaxInt64 / nsPerMS * nsPerMS, math.MinInt64: math.MinInt64 / nsPerMS * nsPerMS,
	} {
		if got := nanoseconds(ms); got != want {
			t.Errorf("%d ms are %d ns, want %d", ms, got, want)
		}
	}
	appended := &sarama.RecordBatch{LogAppendTime: true, MaxTimestamp: time.UnixMilli(77), FirstTimestamp: time.UnixMilli(11)}
	if ms, each := timeOf(appended); ms != 77 || each {
		t.Errorf("append time %d, %v", ms, each)
	}
	if ms, each := timeOf(&sarama.RecordBatch{}); ms != noTimestampMS || each {
		t.Errorf("no time %d, %v", ms, each)
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(position{7, 9, [16]byte{1}}.append(nil)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := positionAt(b)
		if err == nil && string(p.append(nil)) != string(b) {
			t.Errorf("%x read as %+v", b, p)
		}
	})
}
