package nats

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// cause adds to a connection error what most likely is behind it.
func (s Server) cause(err, dial error) error {
	var header tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	if errors.Is(err, client.ErrNoServers) && dial != nil {
		err = dial
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: is the server running?", err)
	case errors.Is(err, client.ErrAuthorization), errors.Is(err, client.ErrAuthExpired), errors.Is(err, client.ErrAuthRevoked),
		errors.Is(err, client.ErrNkeysNotSupported):
		return fmt.Errorf("%w: %s", err, s.whoConnects())
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: set Server.TLS with RootCAs to the server's authority", err)
	case errors.Is(err, client.ErrSecureConnWanted), errors.As(err, &header):
		return fmt.Errorf("%w: the server does not speak TLS: use nats:// without Server.TLS, or is another port meant?", err)
	}
	return err
}

func (s Server) whoConnects() string {
	switch {
	case s.User != "":
		return fmt.Sprintf("is the password of user %q right?", s.User)
	case s.Token != "":
		return "is the token right?"
	case s.CredentialsFile != "":
		return "does the server know who is in " + s.CredentialsFile + "?"
	case s.NKeyFile != "":
		return "does the server know the nkey of " + s.NKeyFile + "?"
	}
	return "it wants to know who connects: set User and Password, Token, NKeyFile or CredentialsFile of Server"
}

// jsTemporary is JetStream's error "temporarily unavailable".
const jsTemporary = jetstream.ErrorCode(10008)

// IsTransient says whether trying again over a new connection may help: a server went away, or is not ready.
func IsTransient(err error) bool {
	for _, e := range []error{
		client.ErrNoServers, client.ErrConnectionClosed, client.ErrTimeout, client.ErrNoResponders, client.ErrStaleConnection,
		client.ErrDisconnected, client.ErrConnectionReconnecting, client.ErrInvalidConnection, client.ErrBadSubscription,
		jetstream.ErrNoHeartbeat, jetstream.ErrConsumerDeleted, jetstream.ErrMsgIteratorClosed, jetstream.ErrServerShutdown,
		jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDoesNotExist,
		context.DeadlineExceeded, os.ErrDeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var timeout net.Error
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return IsBusy(api)
	}
	return errors.As(err, &timeout) && timeout.Timeout()
}

// IsBusy says whether JetStream may take the same request a moment later.
func IsBusy(err *jetstream.APIError) bool {
	return err.ErrorCode == jsTemporary || err.Code == 429 || err.Code == 503 && err.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabled &&
		err.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount
}
