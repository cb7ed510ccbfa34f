package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
	"time"
)

// roleEnv tells a process of this binary that it is a child; the value is its role.
const roleEnv = "MILLRACE_BENCH_REMOTE"

// The kinds of children.
const (
	kindServer    = "server"    // NATS
	kindWorker    = "worker"    // runs tasks
	kindJob       = "job"       // runs a whole job
	kindHome      = "home"      // starts a job on workers and has its sink
	kindPublisher = "publisher" // sends a message for each record
	kindCounter   = "counter"   // counts these
)

// role is what a child is to be.
type role struct {
	Kind    string
	URL     string `json:",omitempty"` // of the server; all but servers have it
	Load    load
	Profile string `json:",omitempty"` // file for a processor profile of the child's life
}

// reading is what a child says of itself when it is asked.
type reading struct {
	TimeNS int64
	CPUNS  int64 // user and system
	Rows   int64 // that reached the end, where this process is the end

	P50NS, P99NS, P999NS int64  // since the window began
	URL                  string `json:",omitempty"`
}

// part is what makes a child of a kind.
type part struct {
	url    string
	begin  func()
	tell   func(*reading)
	failed <-chan error // it ended by itself
	close  func() error
}

// serveChild makes this process the child that it was started as, if it was, and then does not return. Call it first in main.
func serveChild() {
	text, asked := os.LookupEnv(roleEnv)
	if !asked {
		return
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.profiled()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (r role) profiled() (err error) {
	if r.Profile == "" {
		return r.serve()
	}
	f, err := os.Create(r.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return r.serve()
}

func (r role) make() (part, error) {
	switch r.Kind {
	case kindServer:
		return newServer()
	case kindWorker:
		return newWorker(r)
	case kindJob, kindHome:
		return newJob(r)
	case kindPublisher:
		return newPublisher(r)
	case kindCounter:
		return newCounter(r)
	}
	return part{}, fmt.Errorf("no child is a %q", r.Kind)
}

// serve answers the parent until that closes this process's input, or is gone.
func (r role) serve() (err error) {
	p, err := r.make()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	questions := make(chan string)
	go func() {
		defer close(questions)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			questions <- in.Text()
		}
	}()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(reading{URL: p.url}); err != nil {
		return err
	}
	for {
		select {
		case q, asked := <-questions:
			if !asked {
				return nil
			}
			if q == askBegin && p.begin != nil {
				p.begin()
			}
			now := readSelf()
			if p.tell != nil {
				p.tell(&now)
			}
			if err := out.Encode(now); err != nil {
				return err
			}
		case err := <-p.failed:
			return err
		}
	}
}

// readSelf is what this process has used.
func readSelf() reading {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of this process: %v", err)) // cannot happen: both arguments are right
	}
	return reading{TimeNS: time.Now().UnixNano(), CPUNS: u.Utime.Nano() + u.Stime.Nano()}
}
