package runner

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/secret"
)

// crew is what --workers starts besides the job: the cluster, and without --nats its server and its workers too.
type crew struct {
	c      cluster.Config
	k      *cluster.Coordinator
	server *server.Server
	cancel context.CancelFunc // ends the workers
	work   sync.WaitGroup
}

const (
	serverWithin  = 10 * time.Second // to start, on a loaded machine
	crewEndWithin = 3 * time.Second  // of a worker that is asked to end
	crewWait      = 100 * time.Millisecond
	crewWaitMax   = 5 * time.Second
	saidAfter     = 2 * time.Second // that workers are missing
)

// muster gives the job the workers that --workers asks for. said takes what there is to tell; it may be called at any time.
func (v *invocation) muster(ctx context.Context, said io.Writer) (*crew, error) {
	c := &crew{}
	if err := c.begin(ctx, v, said); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *crew) begin(ctx context.Context, v *invocation, said io.Writer) (err error) {
	o := v.options
	to := o.link
	if to.urls == "" {
		if err := c.serve(&to); err != nil {
			return err
		}
		if err := c.hire(o.workers, to, said); err != nil {
			return err
		}
	}
	if c.c, err = to.connect(ctx, o.name, said, false); err != nil {
		return err
	}
	host, _ := os.Hostname() // what it is called matters to readers only
	c.k, err = cluster.Coordinate(c.c, cluster.CoordinatorConfig{
		Job: v.topology.Name, Args: v.shape(), Workers: o.workers, Name: fmt.Sprintf("%s on %s/%d", o.name, host, os.Getpid()),
	})
	return err
}

// serve starts a NATS server for this machine alone, that knows a secret of its own, and sets the flags that reach it.
func (c *crew) serve(to *link) error {
	token := secret.Text(rand.Text())
	s, err := server.NewServer(&server.Options{
		ServerName: "millrace", Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: string(token), NoLog: true, NoSigs: true,
	})
	if err != nil {
		return fmt.Errorf("start a NATS server: %w", err)
	}
	c.server = s
	go s.Start() // returns when it listens
	if !s.ReadyForConnections(serverWithin) {
		return fmt.Errorf("start a NATS server: it is not ready after %v", serverWithin)
	}
	*to = link{urls: "nats://" + s.Addr().String(), token: token}
	return nil
}

// hire starts workers on this machine, and again those that end, until the crew is closed.
func (c *crew) hire(n int, to link, said io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start workers: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for i := range n {
		w := &hand{exe: exe, name: fmt.Sprintf("worker-%d", i+1), to: to, said: said}
		c.work.Go(func() { w.keep(ctx) })
	}
	return nil
}

// close ends what was started, behind the job.
func (c *crew) close() {
	if c.k != nil {
		c.k.Close()
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.work.Wait()
	if c.c.Conn != nil {
		closed(c.c.Conn)
	}
	if c.server != nil {
		c.server.Shutdown()
		c.server.WaitForShutdown()
	}
}

// hand is a worker process of this one.
type hand struct {
	exe, name string
	to        link
	said      io.Writer
}

// keep runs the worker until ctx ends, and starts it again when it ends by itself.
func (h *hand) keep(ctx context.Context) {
	// The kernel ends a child when the thread that has started it ends: see sever.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wait := crewWait
	for ctx.Err() == nil {
		begun := time.Now()
		err := h.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) > crewWaitMax {
			wait = crewWait
		}
		fmt.Fprintf(h.said, "runner: %s has ended (%v): another is started\n", h.name, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, crewWaitMax)
	}
}

// once runs the process until it ends. The end of its standard input, which comes with the end of ctx or of this process, ends it.
func (h *hand) once(ctx context.Context) error {
	c := exec.Command(h.exe, "worker", "--nats", h.to.urls, "--name", h.name, "--quiet", "--until-stdin-ends")
	sever(c)
	c.Env = append(without(os.Environ(), NATSUserEnv, NATSPasswordEnv), NATSTokenEnv+"="+string(h.to.token))
	stdin, err := c.StdinPipe()
	if err != nil {
		return err
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		return errors.Join(err, stdin.Close())
	}
	if err := c.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() }) // of a process that has ended
	defer stop()
	late := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(crewEndWithin):
			_ = c.Process.Kill() // it may have ended this moment
		case <-late:
		}
	})
	h.pass(stderr)
	err = c.Wait()
	undo()
	close(late)
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

// pass shows what the worker says, until it has ended.
func (h *hand) pass(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if text := strings.TrimRight(line, "\n"); text != "" {
			fmt.Fprintf(h.said, "%s: %s\n", h.name, text)
		}
		if err != nil {
			return
		}
	}
}

// without is an environment with some variables left out.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}
