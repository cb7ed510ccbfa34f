package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// cause adds to a connection error what most likely is behind it.
func (c Cluster) cause(ctx context.Context, addr string, err error) error {
	var header tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &header):
		return fmt.Errorf("%w: it does not speak TLS: leave TLS out, or is another port meant?", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: set TLS.RootCAs to the broker's authority", err)
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return fmt.Errorf("%w: is the password of user %q right, and is %s its mechanism?", err, c.SASL.User, c.SASL.Mechanism)
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return fmt.Errorf("%w: does the listener offer %s?", err, c.SASL.Mechanism)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: is the broker running?", err)
	case !isCut(err), c.reachedBefore(addr):
		return err
	}
	tls := speaksTLS(ctx, addr)
	switch {
	case c.TLS == nil && tls:
		return fmt.Errorf("%w: TLS is required on %s: set TLS", err, addr)
	case c.TLS != nil && !tls:
		return fmt.Errorf("%w: %s does not speak TLS: leave TLS out, or is another port meant?", err, addr)
	case c.SASL.Mechanism == "":
		return fmt.Errorf("%w: is SASL required on %s?", err, addr)
	}
	return fmt.Errorf("%w: does %s expect SASL, and are mechanism %s, user %q and the password right?", err, addr, c.SASL.Mechanism, c.SASL.User)
}

// reached holds what was connected to: a way in that worked once is not what is wrong now, and need not be probed.
var reached sync.Map // of way

// way names how an address was reached. What is kept for ever must not hold the secret or the configuration: a hash under a
// seed of this process tells another password from the one that worked.
type way struct {
	addr            string
	tls             bool
	mechanism, user string
	password        uint64
}

var waySeed = maphash.MakeSeed()

func (c Cluster) way(addr string) way {
	return way{addr, c.TLS != nil, c.SASL.Mechanism, c.SASL.User, maphash.String(waySeed, string(c.SASL.Password))}
}

func (c Cluster) reachedBefore(addr string) bool {
	_, ok := reached.Load(c.way(addr))
	return ok
}

// isCut says whether the other side ended the connection, answered with something that is not Kafka, or did not answer.
func isCut(err error) bool {
	var timeout net.Error
	var decoding sarama.PacketDecodingError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() || errors.As(err, &decoding) ||
		strings.Contains(err.Error(), "EOF")
}

// speaksTLS tries a TLS handshake, whoever the other side is.
func speaksTLS(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // nothing is sent over it
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// IsTransient says whether trying again, with fresh metadata, may help: a broker went away, or a leader moved.
func IsTransient(err error) bool {
	for _, e := range []error{
		sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrReplicaNotAvailable, sarama.ErrBrokerNotAvailable,
		sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrRequestTimedOut, sarama.ErrNetworkException,
		sarama.ErrUnknownTopicOrPartition, sarama.ErrKafkaStorageError, sarama.ErrNotEnoughReplicas,
		sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrOffsetNotAvailable, sarama.ErrNotConnected,
		sarama.ErrOffsetsLoadInProgress, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrNotCoordinatorForConsumer,
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOTCONN, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout)
}
