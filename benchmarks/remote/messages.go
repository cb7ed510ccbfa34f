package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/benchmarks/workload"
)

// The contestant by hand: a process publishes each record as a message, and another counts. The client library gathers messages into one
// write to its socket, on both ways. An acknowledgement for every acknowledged records keeps what is under way within what queues can hold.
const (
	recordsSubject = "records"
	acksSubject    = "acks"
	underWay       = 1 << 16
	acknowledged   = underWay / 8
	clockEvery     = 256 // records have one time, as those of a batch of the job
	headBytes      = 16  // time and value, in front of the key

	readyWithin = 20 * time.Second
)

// newServer starts a NATS server on a port of its own.
func newServer() (part, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return part{}, err
	}
	go s.Start()
	end := func() error {
		s.Shutdown()
		s.WaitForShutdown()
		return nil
	}
	if !s.ReadyForConnections(readyWithin) {
		return part{}, errors.Join(fmt.Errorf("the NATS server is not ready after %v", readyWithin), end())
	}
	return part{url: s.ClientURL(), close: end}, nil
}

// newPublisher publishes records until it is closed.
func newPublisher(r role) (part, error) {
	conn, err := connect(r.URL)
	if err != nil {
		return part{}, err
	}
	acks := make(chan *nats.Msg, 2*underWay/acknowledged)
	if _, err := conn.ChanSubscribe(acksSubject, acks); err != nil {
		conn.Close()
		return part{}, err
	}
	stop, ended, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		if err := publishAll(conn, acks, workload.Keys(r.Load.Keys), stop); err != nil {
			failed <- err
		}
	}()
	return part{failed: failed, close: func() error {
		close(stop)
		<-ended
		conn.Close()
		return nil
	}}, nil
}

func publishAll(conn *nats.Conn, acks <-chan *nats.Msg, keys []string, stop <-chan struct{}) error {
	buf, nowNS := make([]byte, 0, 64), int64(0)
	for i := int64(0); ; i++ {
		if i%clockEvery == 0 {
			nowNS = time.Now().UnixNano()
		}
		if i >= underWay && i%acknowledged == 0 {
			select {
			case <-acks:
			case <-stop:
				return nil
			}
		}
		e := draw(keys, i)
		buf = binary.BigEndian.AppendUint64(buf[:0], uint64(nowNS))
		buf = append(binary.BigEndian.AppendUint64(buf, uint64(e.Val)), e.Key...)
		if err := conn.Publish(recordsSubject, buf); err != nil {
			return err
		}
	}
}

// newCounter counts the records of messages.
func newCounter(r role) (part, error) {
	conn, err := connect(r.URL)
	if err != nil {
		return part{}, err
	}
	var seen atomic.Int64
	failed := make(chan error, 1)
	counts := make(map[string]int64, r.Load.Keys)
	next := int64(0)
	sub, err := conn.Subscribe(recordsSubject, func(m *nats.Msg) {
		if err := countOne(counts, m.Data, next); err != nil {
			select {
			case failed <- err:
			default:
			}
			return
		}
		next++
		if next%acknowledged == 0 {
			seen.Store(next)
			_ = conn.Publish(acksSubject, nil) // of a connection that is closed
		}
	})
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(2*underWay, -1), conn.Flush())
	}
	if err != nil {
		conn.Close()
		return part{}, err
	}
	return part{
		failed: failed,
		tell:   func(r *reading) { r.Rows = seen.Load() },
		close:  func() error { conn.Close(); return nil },
	}, nil
}

// countOne counts the record of a message, which has to be the one with this number.
func countOne(counts map[string]int64, data []byte, next int64) error {
	if len(data) <= headBytes {
		return fmt.Errorf("message of %d bytes, want more than %d", len(data), headBytes)
	}
	if n := int64(binary.BigEndian.Uint64(data[8:])); n != next {
		return fmt.Errorf("record %d where %d is next: lost, repeated or out of order", n, next)
	}
	counts[string(data[headBytes:])]++
	return nil
}
