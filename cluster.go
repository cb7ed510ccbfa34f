package millrace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

// Cluster is a number of workers, processes that call Work, as the process that starts a job sees them. Package cluster has the one that
// finds them through NATS.
type Cluster interface {
	// Muster gives links to the workers of the next attempt of a job: those of the last that still live, and new ones. It waits until there are enough.
	Muster(ctx context.Context, job string) ([]actors.Link, error)
	// Wire is what lanes between processes go over.
	Wire() Wire
}

// Wire is what lanes between processes go over.
type Wire = natslane.Wire

// enlist is the cluster as the job's actor wants it: home first, and behind it the workers.
func (q *Query) enlist(r *deployment) *actors.Cluster {
	q.home = &homeWorker{build: r.workerBuild(r.config.Cluster.Wire(), &q.disk)}
	return &actors.Cluster{
		Muster: func(ctx context.Context) ([]actors.Link, error) {
			links, err := r.config.Cluster.Muster(ctx, q.job.name)
			if err != nil {
				return nil, err
			}
			return append([]actors.Link{q.home.link()}, links...), nil
		},
		Place: func(d *actors.Deployment, members []string) ([]int, [][]byte, error) {
			placing := *r
			placing.lineage, placing.keyGroups = q.id, q.keyGroups
			return placing.assignments(d, members)
		},
	}
}

// standIns builds what stands for the tasks of an attempt where they do not run.
func (d *deployment) standIns(log *checkpoint.Log) func(context.Context, flow.Attempt) (*actors.Deployment, error) {
	return func(ctx context.Context, attempt flow.Attempt) (*actors.Deployment, error) {
		a := d.attemptOf(ctx, attempt, log, processingTime)
		a.rehearsal, a.spread = true, &spread{me: nobody}
		return a.build()
	}
}

// workerBuild builds the tasks that an assignment gives to this process.
func (d *deployment) workerBuild(w Wire, disk *workingStore) func(context.Context, flow.Attempt, []byte) (*actors.Deployment, error) {
	return func(ctx context.Context, attempt flow.Attempt, spec []byte) (*actors.Deployment, error) {
		a, err := d.accept(spec)
		if err != nil {
			return nil, err
		}
		b := d.attemptOf(ctx, attempt, nil, processingTime)
		b.lineage, b.keyGroups = a.Lineage, a.KeyGroups
		b.spread = &spread{members: a.Members, at: a.At, me: a.Me, wire: w}
		if err := disk.into(b); err != nil {
			return nil, err
		}
		return b.build()
	}
}

// homeWorker is the worker of the process that has started the job.
type homeWorker struct {
	build func(context.Context, flow.Attempt, []byte) (*actors.Deployment, error)

	mu    sync.Mutex
	end   actors.Link // the coordinator's
	ended chan struct{}
}

// link is a link to the worker; when it has ended, to a new one.
func (h *homeWorker) link() actors.Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.ended:
	default:
		if h.end != nil {
			return h.end
		}
	}
	far, near := actors.Pipe("coordinator", "home")
	h.end, h.ended = far, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		// Its end is the link's, which the job's actor hears of.
		_ = actors.Work(context.Background(), actors.WorkerConfig{Link: near, Build: h.build, StopTimeout: stopTimeout})
	}(h.ended)
	return h.end
}

// close ends the worker and waits for it.
func (h *homeWorker) close() {
	h.mu.Lock()
	end, ended := h.end, h.ended
	h.mu.Unlock()
	if end != nil {
		end.Close(nil)
		<-ended
	}
}

// Work runs tasks of the job for the process that has started it, which is at the other end of link, until that has ended or ctx has. The job and
// its configuration must be those which that process has. It returns nil when the other end has closed the link.
func (j *Job) Work(ctx context.Context, c Config, w Wire, link actors.Link) (err error) {
	defer func() { link.Close(err) }()
	if j.started {
		return j.wrong([]error{errors.New("already started; build the topology anew to run it twice")})
	}
	c = j.paced(c).withDefaults()
	c.spread, c.away = true, true
	r, err := j.rehearse(ctx, c)
	if err != nil {
		return err
	}
	j.started = true
	dir, err := os.MkdirTemp("", "millrace-"+j.name+"-worker-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	disk := &workingStore{dir: dir}
	defer func() { err = errors.Join(err, disk.close(), os.RemoveAll(dir)) }()
	err = actors.Work(ctx, actors.WorkerConfig{Link: link, Build: r.workerBuild(w, disk), StopTimeout: stopTimeout})
	if errors.Is(err, actors.ErrLinkClosed) || errors.Is(err, actors.ErrLinkEnded) {
		return nil
	}
	return err
}
