package actors

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

func TestMain(m *testing.M) {
	system() // its goroutines, if any, belong to the process
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// rig is a job of one source task and one sink task with a lane between them, below the typed API.
type rig struct {
	job  *Job
	in   chan int
	got  chan int
	each func(int) // runs in the sink task, in the user's place

	timeout time.Duration // of an epoch
	stop    time.Duration // StopTimeout; 0: 10 s
	writer  sinks.Writer[int]
	source  sources.Source[int]
	log     io.Writer
	dir     string // of checkpoints; empty: at most once
	max     int    // RestartsMax
}

type writer struct{ r *rig }

func (writer) Flush(context.Context) error { return nil }
func (writer) Close() error                { return nil }
func (w writer) Write(ctx context.Context, b *flow.Batch[int]) error {
	for i := range b.Records {
		select {
		case w.r.got <- b.Records[i].Value:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func clock() int64 { return time.Now().UnixNano() }

func newTask(chain string, attempt flow.Attempt) *Task {
	c := new(state.Clock)
	return NewTask(TaskConfig{
		Chain: chain, Count: 1, Attempt: attempt, Clock: c, Now: clock,
		Store: state.NewStore(state.Options{Groups: flow.GroupRange{Hi: flow.DefaultKeyGroups}, Clock: c}),
	})
}

func (r *rig) build(_ context.Context, attempt flow.Attempt) (*Deployment, error) {
	from, to := newTask("numbers", attempt), newTask("out", attempt)
	pool := mailbox.NewPool[int](4)
	lane := mailbox.NewLane(2, pool, from.Bell(), to.Bell())
	o := mailbox.NewOut([]*mailbox.Lane[int]{lane}, pool, attempt)
	from.AddOutlet(o)
	src := r.source
	if src == nil {
		src = sources.Channel(r.in)
	}
	if r.writer == nil {
		r.writer = writer{r}
	}
	NewHead(from, "numbers", src, func(v int) { o.Add(0, v, 0, 0) }, nil, 4, true)
	sink := NewSink(to, "out", r.writer, 4, 2)
	to.AddInput(mailbox.NewReceiver(lane, attempt, nil, func(b *flow.Batch[int]) {
		for i := range b.Records {
			if r.each != nil {
				r.each(b.Records[i].Value)
			}
			sink.Add(b.Records[i].Value, 0, 0, flow.Insert)
		}
	}))
	return &Deployment{
		Tasks: []*Task{to, from}, KeyGroups: flow.DefaultKeyGroups,
		Groups: []SourceGroup{{ID: "numbers", Splits: src.Splits, Tasks: []*Task{from}}},
	}, nil
}

func startRig(t *testing.T, each func(int)) *rig {
	t.Helper()
	r := &rig{in: make(chan int), got: make(chan int), each: each}
	r.start(t)
	return r
}

func (r *rig) start(t *testing.T) {
	t.Helper()
	if r.log == nil {
		r.log = io.Discard
	}
	c := JobConfig{
		Name: t.Name(), Mode: barrier.ExactlyOnce, Build: r.build, EpochTimeout: r.timeout, StopTimeout: cmp.Or(r.stop, 10*time.Second),
		CommitEvery: 10 * time.Millisecond, FoldEvery: time.Hour, RestartsMax: r.max, RestartMin: time.Millisecond, RestartMax: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)), Now: clock,
	}
	if r.dir != "" {
		c.Log = openLog(t, r.dir)
	}
	var err error
	if r.job, err = StartJob(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func openLog(t *testing.T, dir string) *checkpoint.Log {
	t.Helper()
	s, err := dirstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := checkpoint.Open(t.Context(), checkpoint.Options{Store: s, Job: "rig"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// flows sends a record through both tasks: they have handled Started.
func (r *rig) flows(t *testing.T) {
	t.Helper()
	r.in <- 1
	if v := <-r.got; v != 1 {
		t.Fatalf("got %d, want 1", v)
	}
}

func (r *rig) task(chain string) *Task {
	for _, t := range r.job.Tasks() {
		if t.Chain == chain {
			return t
		}
	}
	return nil
}

// A task stopped or poisoned through its PID by somebody else than its job ends the attempt: neighbours must not go on
// without it.
func TestStopAndPoisonGoThroughThePID(t *testing.T) {
	for name, end := range map[string]func(*actor.PID){
		"stop":   func(p *actor.PID) { system().Root.Stop(p) },
		"poison": func(p *actor.PID) { system().Root.Poison(p) },
	} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, nil)
			r.flows(t)
			end(r.task("out").PID())
			<-r.job.Done()
			if r.job.Status() != Failed || !strings.Contains(r.job.Err().Error(), `chain out, task 0/1 was stopped from outside`) {
				t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
			}
		})
	}
}

// An actor that watches a task's PID hears of its end.
func TestWatchGoesThroughThePID(t *testing.T) {
	r := startRig(t, nil)
	r.flows(t)
	watched := r.task("numbers").PID()
	heard := make(chan *actor.PID, 1)
	ready := make(chan struct{})
	watcher := system().Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *actor.Started:
			c.Watch(watched)
			close(ready)
		case *actor.Terminated:
			heard <- m.Who
		}
	}))
	<-ready
	r.job.Stop()
	<-r.job.Done()
	if r.job.Err() != nil {
		t.Fatal(r.job.Err())
	}
	if who := <-heard; who.Id != watched.Id {
		t.Fatalf("heard of %s, want %s", who.Id, watched.Id)
	}
	if err := system().Root.StopFuture(watcher).Wait(); err != nil {
		t.Fatal(err)
	}
}

// A panic in a user's function escalates to the job with the stack; the process and the job actor live on.
func TestPanicsEscalateThroughThePID(t *testing.T) {
	r := startRig(t, func(v int) {
		if v == 2 {
			panic("the user's function")
		}
	})
	r.flows(t)
	r.in <- 2
	<-r.job.Done()
	var task *TaskError
	var panicked *PanicError
	if err := r.job.Err(); !errors.As(err, &task) || !errors.As(err, &panicked) {
		t.Fatalf("error %v; want a task's panic", err)
	}
	if !slices.Equal(task.Operators, []string{"out"}) || panicked.Value != "the user's function" || !strings.Contains(panicked.Stack, "actor_test.go") {
		t.Fatalf("chain %q, panic %v, stack %s", task.Operators, panicked.Value, panicked.Stack)
	}
}

// The end of input ends the job by itself, with everything out.
func TestEndOfInputFinishes(t *testing.T) {
	r := startRig(t, nil)
	go func() {
		for i := range 100 {
			r.in <- i
		}
		close(r.in)
	}()
	for i := range 100 {
		if v := <-r.got; v != i {
			t.Fatalf("record %d is %d", i, v)
		}
	}
	<-r.job.Done()
	if r.job.Status() != Finished || r.job.Err() != nil {
		t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
	}
}

// A sink that takes nothing for a while blocks no goroutine: the tasks before it still hear Stop, and what they have processed
// comes out when the sink goes on.
func TestABlockedJobStops(t *testing.T) {
	r := startRig(t, nil)
	r.blockUp(t)
	r.job.Stop()
	got := 1 // by blockUp
	for r.job.Status() != Stopped {
		select {
		case v := <-r.got:
			if v != got {
				t.Fatalf("record %d is %d", got, v)
			}
			got++
		case <-r.job.Done():
		}
	}
	if r.job.Err() != nil {
		t.Fatal(r.job.Err())
	}
	if taken := r.taken("numbers"); int64(got) != taken {
		t.Fatalf("%d records came out of %d that were taken", got, taken)
	}
}

// A sink that never takes anything again fails the stop, with the task that is waited for.
func TestAStopThatCannotDrainFails(t *testing.T) {
	r := &rig{in: make(chan int), got: make(chan int), timeout: 10 * time.Millisecond}
	r.start(t)
	r.blockUp(t)
	r.job.Stop()
	<-r.job.Done()
	if r.job.Status() != Failed || !strings.Contains(r.job.Err().Error(), "3 epochs abandoned in a row") {
		t.Fatalf("status %v, error %v", r.job.Status(), r.job.Err())
	}
}

// blockUp fills everything before the sink, which gets one record.
func (r *rig) blockUp(t *testing.T) {
	t.Helper()
	go func() {
		for i := 0; ; i++ {
			select {
			case r.in <- i:
			case <-r.job.Done():
				return
			}
		}
	}()
	if v := <-r.got; v != 0 {
		t.Fatalf("got %d, want 0", v)
	}
	for full := r.task("numbers"); full.Stats.BlockedTurns.Load() == 0; {
		runtime.Gosched()
	}
}

// taken is how many records a chain has taken, also when the job has ended.
func (r *rig) taken(chain string) (n int64) {
	for _, x := range r.job.Readings() {
		if x.Chain == chain {
			n += x.Stats.RecordsIn.Load()
		}
	}
	return n
}
