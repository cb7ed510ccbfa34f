package natssource_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/natssource"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func TestConforms(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.stream(t, "EMPTY")
	for i, v := range numbered("a", 12) {
		r.publish(t, "S.a.x", v)
		if i%5 == 0 {
			r.publish(t, "S.b", v)
		}
	}
	r.publish(t, "S.other", "of no split")
	want := map[string][]string{"S/S.a.>": numbered("a", 12), "S/S.b": {"a0", "a5", "a10"}, "S/S.c": nil}
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return natssource.New(r.config("S", "S.a.>", "S.b", "S.c"), codec.String)
		},
		Want: want,
		Idle: func(*testing.T) sources.Source[string] { return natssource.New(r.endless("EMPTY"), codec.String) },
	})
}

// TestConformsWhole: without subjects the stream is one split, here with holes where messages were deleted.
func TestConformsWhole(t *testing.T) {
	r := start(t)
	s := r.stream(t, "S")
	r.publish(t, "S.x", numbered("v", 10)...)
	for _, n := range []uint64{3, 4, 10} {
		if err := s.DeleteMsg(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			cfg := r.config("S")
			cfg.FetchMessages, cfg.FetchBytes = 2, 1
			return natssource.New(cfg, codec.String)
		},
		Want: map[string][]string{"S/>": {"v0", "v1", "v4", "v5", "v6", "v7", "v8"}},
	})
}

// TestMessagesKeepEverything: subject, headers, data, sequence and time.
func TestMessagesKeepEverything(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	ack, err := r.js.PublishMsg(t.Context(), &client.Msg{Subject: "S.x", Data: []byte("v"), Header: client.Header{"b": {"2", "1"}, "a": {""}}})
	if err != nil {
		t.Fatal(err)
	}
	r.publish(t, "S.y", "")
	src := natssource.Messages(r.config("S"))
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	b := room[natssource.Message](10)
	for len(b.Records) < 2 {
		if err := reader.Read(t.Context(), b); err != nil && len(b.Records) < 2 {
			t.Fatal(err)
		}
	}
	for _, rec := range b.Records {
		if rec.TimeNS != rec.Value.Time.UnixNano() || time.Since(rec.Value.Time).Abs() > time.Minute {
			t.Errorf("record time %d, message time %v", rec.TimeNS, rec.Value.Time)
		}
	}
	one, two := b.Records[0].Value, b.Records[1].Value
	want := natssource.Message{
		Subject: "S.x", Data: []byte("v"), Sequence: ack.Sequence, Time: one.Time,
		Headers: []natssource.Header{{Key: "a", Value: ""}, {Key: "b", Value: "2"}, {Key: "b", Value: "1"}},
	}
	if !reflect.DeepEqual(one, want) {
		t.Errorf("got  %+v\nwant %+v", one, want)
	}
	if two.Subject != "S.y" || len(two.Data) != 0 || two.Headers != nil || two.Sequence != 2 {
		t.Errorf("got %+v", two)
	}
}

func TestStarts(t *testing.T) {
	r := start(t)
	s := r.stream(t, "S")
	var at []time.Time
	for _, v := range numbered("", 10) {
		r.publish(t, "S.x", v)
		m, err := s.GetMsg(t.Context(), uint64(len(at)+1))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, m.Time)
	}
	if err := s.DeleteMsg(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		start natssource.Start
		want  string
	}{
		"earliest":        {natssource.Earliest, "0 1 2 3 4 6 7 8 9"},
		"latest":          {natssource.Latest, ""},
		"time":            {natssource.At(at[7]), "7 8 9"},
		"of a hole":       {natssource.At(at[5]), "6 7 8 9"},
		"between two":     {natssource.At(at[7].Add(1)), "8 9"},
		"before all":      {natssource.At(time.UnixMilli(1)), "0 1 2 3 4 6 7 8 9"},
		"behind all":      {natssource.At(at[9].Add(time.Hour)), ""},
		"sequence":        {natssource.Sequence(9), "8 9"},
		"sequence at end": {natssource.Sequence(11), ""},
	} {
		cfg := r.config("S")
		cfg.Start = c.start
		got := readAll(t, natssource.New(cfg, codec.String))
		if s := strings.Join(got["S/>"], " "); s != c.want {
			t.Errorf("%s: got %q, want %q", name, s, c.want)
		}
	}
	cfg := r.config("S")
	cfg.Start = natssource.Sequence(12)
	src := natssource.New(cfg, codec.String)
	split := splitsOf(t, src)[0]
	_, err := src.Open(t.Context(), split, split.Start)
	mustSay(t, err, "sequence 12 of S/> is not there", "ends with 10")
}

// TestLatestIsResolvedOnce: a message that comes between the first Splits and the first Read is read, also when the job starts again
// before its first epoch.
func TestLatestIsResolvedOnce(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", "old")
	cfg := r.endless("S")
	cfg.Start = natssource.Latest
	src := natssource.New(cfg, codec.String)
	splitsOf(t, src)
	r.publish(t, "S.x", "new")
	s := splitsOf(t, src)[0]
	reader := open(t, src, s, s.Start)
	defer reader.Close()
	if got, _, _ := take(t, reader, 1); got[0] != "new" {
		t.Errorf("got %q", got)
	}
}

// TestBoundedEndsWhereItBegan: messages that come later are not read, also behind a restart.
func TestBoundedEndsWhereItBegan(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", "a", "b", "c")
	src := natssource.New(r.config("S"), codec.String)
	s := splitsOf(t, src)[0]
	r.publish(t, "S.x", "d", "e")
	reader := open(t, src, s, s.Start)
	first := room[string](1)
	if err := reader.Read(t.Context(), first); err != nil || first.Records[0].Value != "a" {
		t.Fatal(first.Records, err)
	}
	reader.Close()
	again := natssource.New(r.config("S"), codec.String)
	reader = open(t, again, s, first.Next)
	defer reader.Close()
	if got, _, _ := take(t, reader, -1); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("got %q", got)
	}
	if found := splitsOf(t, again, s.ID); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// TestAddedSubjectsAreReadFromTheirBeginning also when the start is "latest"; one that is left out is an error.
func TestAddedSubjectsAreReadFromTheirBeginning(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.a", "a")
	r.publish(t, "S.b", "b")
	cfg := r.endless("S", "S.a", "S.b")
	cfg.Start = natssource.Latest
	src := natssource.New(cfg, codec.String)
	added := splitsOf(t, src, "S/S.a")
	if len(added) != 1 || added[0].ID != "S/S.b" {
		t.Fatalf("found %v", added)
	}
	reader := open(t, src, added[0], added[0].Start)
	defer reader.Close()
	if got, _, _ := take(t, reader, 1); got[0] != "b" {
		t.Errorf("got %q", got)
	}
	_, err := src.Splits(t.Context(), []string{"S/S.a", "S/S.>"})
	mustSay(t, err, `"S/S.>" was read before`, `["S.a" "S.b"]`)
	_, err = src.Open(t.Context(), flow.Split{ID: "OTHER/S.a"}, added[0].Start)
	mustSay(t, err, `"OTHER/S.a" was read before`)
}

func TestUndecodableMessagesAreDeadLetters(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", `{"N":1}`)
	r.publish(t, "S.y", "{no json")
	if _, err := r.js.PublishMsg(t.Context(), &client.Msg{Subject: "S.z", Header: client.Header{"KV-Operation": {"DEL"}}}); err != nil {
		t.Fatal(err)
	}
	r.publish(t, "S.x", `{"N":2}`)
	type row struct{ N int }
	src := natssource.New(r.config("S"), codec.JSON[row]())
	s := splitsOf(t, src)[0]
	reader := open(t, src, s, s.Start)
	defer reader.Close()
	got, dead, _ := take(t, reader, -1)
	if !slices.Equal(got, []row{{1}, {2}}) || len(dead) != 2 {
		t.Fatalf("got %v and %d dead letters", got, len(dead))
	}
	d := dead[0]
	if d.Split != "S/>" || d.Position != "2" || string(d.Key) != "S.y" || string(d.Value) != "{no json" || d.Reason == "" || d.Time.IsZero() {
		t.Errorf("dead letter %+v", d)
	}
	if d = dead[1]; d.Position != "3" || !strings.Contains(d.Reason, "natssource.Messages") {
		t.Errorf("dead letter %+v", d)
	}
}

func TestReadsWhileMessagesCome(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	src := natssource.New(r.endless("S", "S.live"), codec.String)
	s := splitsOf(t, src)[0]
	reader := open(t, src, s, s.Start)
	defer reader.Close()
	for _, v := range numbered("live", 20) {
		r.publish(t, "S.noise", v)
		r.publish(t, "S.live", v)
		if got, _, _ := take(t, reader, 1); got[0] != v {
			t.Fatalf("got %q, want %q", got[0], v)
		}
	}
}

// TestManyMessages come over in many answers, limited by number and by size, in order, through several filters.
func TestManyMessages(t *testing.T) {
	r := start(t, func(o *natstest.Options) { o.MaxPayload = 1000 })
	r.stream(t, "S")
	want := map[string][]string{}
	for i, v := range numbered(strings.Repeat("x", 500), 3_000) {
		split := []string{"S.0.x", "S.1.x", "S.2.x"}[i%3]
		want["S/"+split[:3]+".>"] = append(want["S/"+split[:3]+".>"], v)
		if _, err := r.js.PublishAsync(split, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	<-r.js.PublishAsyncComplete()
	for _, most := range []int{1, 100, 1000} {
		cfg := r.config("S", "S.0.>", "S.1.>", "S.2.>")
		cfg.FetchMessages, cfg.FetchBytes = most, 1
		if got := readAll(t, natssource.New(cfg, codec.String)); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%d at a time: got %d, %d, %d messages", most, len(got["S/S.0.>"]), len(got["S/S.1.>"]), len(got["S/S.2.>"]))
		}
	}
}

// TestMessageLargerThanTheServerTakesNow was stored when it took larger ones.
func TestMessageLargerThanTheServerTakesNow(t *testing.T) {
	var opts *natstest.Options
	r := start(t, func(o *natstest.Options) { opts = o })
	r.stream(t, "S")
	large := strings.Repeat("x", 300_000)
	r.publish(t, "S.x", "small", large)
	opts.MaxPayload = 1000
	r.Stop()
	r.Again(t)
	cfg := r.config("S")
	cfg.FetchBytes = 1
	src := natssource.New(cfg, codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	err := failure(t, reader)
	mustSay(t, err, "read S/>", "Config.FetchBytes")
	notAgain(t, err)
	cfg.FetchBytes = 400_000
	if got := readAll(t, natssource.New(cfg, codec.String)); !slices.Equal(got["S/>"], []string{"small", large}) {
		t.Errorf("got %d messages", len(got["S/>"]))
	}
}
