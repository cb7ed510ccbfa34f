//go:build !integration

package kafkasource_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func readOne[T any](t *testing.T, r sources.Reader[T]) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b := &sources.Batch[T]{Records: make([]flow.Record[T], 0, 10)}
	err := r.Read(ctx, b)
	for err == nil && b.AtEnd && len(b.Records) == 0 {
		b.Reset()
		err = r.Read(ctx, b)
	}
	return err
}

// TestLostBrokerAsksForAnotherAttempt: reading ends with ErrDisconnected, and so does opening while it is gone.
func TestLostBrokerAsksForAnotherAttempt(t *testing.T) {
	c := fake(t)
	b := connect(t, c.ListenAddrs())
	topic := b.create(t, 1)
	src, s, r := follow(t, b, topic)
	defer r.Close()
	c.Close()
	if err := readOne(t, r); !errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("read: %v", err)
	}
	if _, err := src.Open(t.Context(), s, s.Start); !errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("open: %v", err)
	}
	err := src.Check(t.Context())
	mustSay(t, err, b.seeds[0], "connection refused", "is the broker running?")
}

// TestMovedLeaderAsksForAnotherAttempt: after it the reading goes on where it was.
func TestMovedLeaderAsksForAnotherAttempt(t *testing.T) {
	c := fake(t, kfake.NumBrokers(2))
	b := connect(t, c.ListenAddrs())
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a")
	src, s, r := follow(t, b, topic)
	defer r.Close()
	_, _, at := take(t, r, 1)
	if err := c.MoveTopicPartition(topic, 0, 1-c.LeaderFor(topic, 0)); err != nil {
		t.Fatal(err)
	}
	if err := readOne(t, r); !errors.Is(err, sources.ErrDisconnected) {
		t.Fatalf("read: %v", err)
	}
	b = connect(t, b.seeds)
	b.values(t, topic, 0, "b")
	moved := open(t, src, s, at)
	defer moved.Close()
	if got, _, _ := take(t, moved, 1); got[0] != "b" {
		t.Errorf("got %q", got)
	}
}

// TestRefusedFetchIsAnError: what another attempt cannot change fails the job and names the partition.
func TestRefusedFetchIsAnError(t *testing.T) {
	c := fake(t)
	b := connect(t, c.ListenAddrs())
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a")
	src := kafkasource.New(config(b, topic), codec.String)
	s := splitsOf(t, src)[0]
	refuse := func(code int16) error {
		c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			res := req.ResponseKind().(*kmsg.FetchResponse)
			part := kmsg.NewFetchResponseTopicPartition()
			part.ErrorCode = code
			ft := kmsg.NewFetchResponseTopic()
			ft.Topic, ft.Partitions = topic, append(ft.Partitions, part)
			res.Topics = append(res.Topics, ft)
			return res, nil, true
		})
		r := open(t, src, s, s.Start)
		defer r.Close()
		return readOne(t, r)
	}
	err := refuse(kerr.TopicAuthorizationFailed.Code)
	mustSay(t, err, topic+"/0", "offset 0")
	if errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("%v asks for another attempt", err)
	}
}

// TestOffsetThatGoesOutOfRangeWhileReading is an error that names the range, and no reset.
func TestOffsetThatGoesOutOfRangeWhileReading(t *testing.T) {
	c := fake(t)
	b := connect(t, c.ListenAddrs())
	topic := b.create(t, 1)
	b.values(t, topic, 0, numbered("v", 9)...)
	src := kafkasource.New(config(b, topic), codec.String)
	s := splitsOf(t, src)[0]
	held := make(chan struct{})
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { <-held })
		return nil, nil, false
	})
	r := open(t, src, s, s.Start)
	defer r.Close()
	b.truncate(t, topic, 0, 5)
	close(held)
	err := readOne(t, r)
	mustSay(t, err, "offset 0 of "+topic+"/0 is gone", "has 5 to 9")
	if errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("%v asks for another attempt", err)
	}
}

// TestCompressionBombIsRefused: 80 MB of zeros in some kilobytes.
func TestCompressionBombIsRefused(t *testing.T) {
	c := fake(t)
	b := connect(t, c.ListenAddrs(), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(100<<20), kgo.MaxBufferedBytes(1<<30))
	topic := fmt.Sprintf("bomb-%d", time.Now().UnixNano())
	b.createAs(t, topic, 1, "max.message.bytes", "200000000")
	b.produce(t, &kgo.Record{Topic: topic, Value: bytes.Repeat([]byte{0}, 80<<20)})
	src := kafkasource.New(config(b, topic), codec.String)
	s := splitsOf(t, src)[0]
	r := open(t, src, s, s.Start)
	defer r.Close()
	err := readOne(t, r)
	mustSay(t, err, topic+"/0", "decompressed to more than 67108864 bytes")
	if errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("%v asks for another attempt", err)
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	cert, pool := certificate(t)
	secure := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	b := connect(t, secure.ListenAddrs(), kgo.DialTLSConfig(&tls.Config{RootCAs: pool}))
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a", "b")

	cfg := config(b, topic)
	mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), "TLS is required on "+b.seeds[0])
	cfg.TLS = &tls.Config{}
	mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), "unknown authority", "set TLS.RootCAs")
	cfg.TLS = &tls.Config{RootCAs: pool}
	if got := readAll[string](t, kafkasource.New(cfg, codec.String)); !slices.Equal(got[topic+"/0"], []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
	cfg.Brokers = []string{refuser(t)}
	mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), cfg.Brokers[0], "does not speak TLS")
}

// refuser listens and closes every connection at its first bytes, as a Kafka listener does that is spoken to wrongly.
func refuser(t *testing.T) string {
	t.Helper()
	return sourcetest.Listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 8))
		conn.Close()
	})
}

const password = kafkasource.Secret("canary-of-the-password")

func TestSASL(t *testing.T) {
	c := fake(t, kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "anna", string(password)), kfake.Superuser("SCRAM-SHA-256", "anna", string(password)), kfake.Superuser("SCRAM-SHA-512", "anna", string(password)))
	cfg := kafkasource.Config{Brokers: c.ListenAddrs(), Pattern: "none.*", DiscoverEvery: time.Second}
	var shown strings.Builder
	note := func(err error) error {
		fmt.Fprintf(&shown, "%v %+v %#v\n", err, cfg, cfg)
		return err
	}
	mustSay(t, note(kafkasource.New(cfg, codec.String).Check(t.Context())), "is SASL required on "+c.ListenAddrs()[0])
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		cfg.SASL = kafkasource.SASL{Mechanism: mechanism, User: "anna", Password: password}
		if err := note(kafkasource.New(cfg, codec.String).Check(t.Context())); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		cfg.SASL.Password += "-wrong"
		mustSay(t, note(kafkasource.New(cfg, codec.String).Check(t.Context())), "password", "anna", mechanism)
	}
	if strings.Contains(shown.String(), "canary") {
		t.Errorf("the password is shown:\n%s", shown.String())
	}
}

func TestUnreachableBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and answers nothing: closed at once
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	err = kafkasource.New(kafkasource.Config{Brokers: []string{l.Addr().String()}, Topics: []string{"t"}}, codec.String).Check(t.Context())
	mustSay(t, err, l.Addr().String(), "connection refused", "is the broker running?")
}

// TestSilentBrokerEndsWithTheContext: one that accepts and says nothing.
func TestSilentBrokerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := sourcetest.Listen(t, func(conn net.Conn) {
		cancel()
		conn.Close()
	})
	err := kafkasource.New(kafkasource.Config{Brokers: []string{addr}, Topics: []string{"t"}}, codec.String).Check(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	good := kafkasource.Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{"t"}}
	for want, change := range map[string]func(*kafkasource.Config){
		"no brokers":                func(c *kafkasource.Config) { c.Brokers = nil },
		"is not host:port":          func(c *kafkasource.Config) { c.Brokers = []string{"here"} },
		"no topic":                  func(c *kafkasource.Config) { c.Topics = nil },
		"set one of them":           func(c *kafkasource.Config) { c.Pattern = "x" },
		"missing closing )":         func(c *kafkasource.Config) { c.Topics, c.Pattern = nil, "(" },
		"named twice":               func(c *kafkasource.Config) { c.Topics = []string{"t", "t"} },
		"fetch size -1":             func(c *kafkasource.Config) { c.FetchBytes = -1 },
		"fetch wait 1h0m0s":         func(c *kafkasource.Config) { c.FetchWait = time.Hour },
		"start offset -3":           func(c *kafkasource.Config) { c.Start = kafkasource.Offsets(map[string]map[int32]int64{"t": {0: -3}}) },
		`mechanism "LOGIN" is none`: func(c *kafkasource.Config) { c.SASL.Mechanism = "LOGIN" },
		"without user or password":  func(c *kafkasource.Config) { c.SASL.Mechanism = "PLAIN" },
		"without a mechanism":       func(c *kafkasource.Config) { c.SASL.User = "u" },
	} {
		cfg := good
		change(&cfg)
		mustSay(t, kafkasource.New(cfg, codec.String).Check(t.Context()), want)
	}
	mustSay(t, kafkasource.New[string](good, nil).Check(t.Context()), "codec is nil")
	for _, id := range []string{"", "t", "t/x", "/1", "t/-1", "t/9999999999"} {
		at := flow.Position(make([]byte, 32))
		_, err := kafkasource.New(good, codec.String).Open(t.Context(), flow.Split{ID: id}, at)
		mustSay(t, err, "is not topic/partition")
	}
	_, err := kafkasource.New(good, codec.String).Open(t.Context(), flow.Split{ID: "t/0"}, flow.Position{1, 2})
	mustSay(t, err, "position 0102 is damaged")
}
