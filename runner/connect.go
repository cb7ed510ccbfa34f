package runner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/secret"
)

// The environment variables that say who connects to NATS: a command line is no place for secrets.
const (
	NATSUserEnv     = "MILLRACE_NATS_USER"
	NATSPasswordEnv = "MILLRACE_NATS_PASSWORD"
	NATSTokenEnv    = "MILLRACE_NATS_TOKEN"
)

const (
	natsTimeout   = 5 * time.Second // of connecting to one server
	natsRetry     = time.Second     // between two tries of a worker that has never been connected
	natsReconnect = 100 * time.Millisecond
)

// link is the flags that say how to reach the other processes of a cluster.
type link struct {
	urls, prefix          string
	creds, nkey           string
	ca, certificate, key  string
	plain                 bool
	user, password, token secret.Text // of the environment
}

// clusterFlags are the names of the flags that say which workers run a job, for the help text.
var clusterFlags = map[string]bool{
	"workers": true, "nats": true, "nats-prefix": true, "nats-creds": true, "nats-nkey": true, "nats-ca": true, "nats-cert": true, "nats-key": true,
	"nats-allow-plain": true,
}

func (l *link) register(fs *flag.FlagSet) {
	fs.StringVar(&l.urls, "nats", "", "`URL,…` of the NATS servers that connect the processes of a cluster: tls://HOST:PORT, or nats://HOST:PORT on this machine; "+
		"who connects is taken from "+NATSTokenEnv+", from "+NATSUserEnv+" and "+NATSPasswordEnv+", or from a file below")
	fs.StringVar(&l.prefix, "nats-prefix", "", "first part of all `SUBJECTS` of the cluster; default: millrace")
	fs.StringVar(&l.creds, "nats-creds", "", "`FILE` with the user's JWT and nkey, as nsc writes it")
	fs.StringVar(&l.nkey, "nats-nkey", "", "`FILE` with the seed of the user's nkey")
	fs.StringVar(&l.ca, "nats-ca", "", "`FILE` with the authority of the NATS servers, PEM; default: the system's authorities")
	fs.StringVar(&l.certificate, "nats-cert", "", "`FILE` with this process's certificate, PEM, for servers that want one")
	fs.StringVar(&l.key, "nats-key", "", "`FILE` with the key of --nats-cert, PEM")
	fs.BoolVar(&l.plain, "nats-allow-plain", false, "connect to other machines without TLS: who can reach the network can then read and change all")
}

// environment reads who connects.
func (l *link) environment() {
	l.user, l.password, l.token = secret.Text(os.Getenv(NATSUserEnv)), secret.Text(os.Getenv(NATSPasswordEnv)), secret.Text(os.Getenv(NATSTokenEnv))
}

// validate shows of a URL nothing that could be a secret.
func (l *link) validate() error {
	var errs []error
	for i, text := range list(l.urls) {
		if err := l.validateURL(text); err != nil {
			errs = append(errs, fmt.Errorf("--nats, URL %d: %w", i+1, err))
		}
	}
	ways := 0
	for _, given := range []bool{l.user != "" || l.password != "", l.token != "", l.creds != "", l.nkey != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		errs = append(errs, fmt.Errorf("more than one of %s, %s, --nats-creds and --nats-nkey says who connects: give one", NATSUserEnv, NATSTokenEnv))
	}
	if (l.certificate == "") != (l.key == "") {
		errs = append(errs, errors.New("--nats-cert and --nats-key go together: give both"))
	}
	return errors.Join(errs...)
}

func (l *link) validateURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return errors.New("it is not nats://HOST:PORT or tls://HOST:PORT")
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("for %s: it holds a user: use %s, or %s and %s", u.Host, NATSTokenEnv, NATSUserEnv, NATSPasswordEnv)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("for %s: there is more in it than a host and a port", u.Host)
	case u.Scheme == "nats" && l.secure():
		return fmt.Errorf("for %s: it is nats:// where another URL, or a certificate, asks for TLS: use tls:// for all", u.Host)
	case u.Scheme == "nats" && !l.plain && !loopback(u.Hostname()):
		return fmt.Errorf("for %s: connections to another machine without TLS are refused: use tls://, or give --nats-allow-plain", u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secure says whether connections must be TLS.
func (l *link) secure() bool {
	return strings.Contains(l.urls, "tls://") || l.ca != "" || l.certificate != ""
}

// tls is nil for plain connections.
func (l *link) tls() (*tls.Config, error) {
	if !l.secure() {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.ca != "" {
		text, err := os.ReadFile(l.ca)
		if err != nil {
			return nil, fmt.Errorf("--nats-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--nats-ca: no certificate in %s", l.ca)
		}
	}
	if l.certificate != "" {
		pair, err := tls.LoadX509KeyPair(l.certificate, l.key)
		if err != nil {
			return nil, fmt.Errorf("--nats-cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// options are those of a connection that comes back by itself for ever, and says on w when it is lost.
func (l *link) options(name string, w io.Writer) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(name), nats.Timeout(natsTimeout), nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(natsReconnect),
		nats.IgnoreAuthErrorAbort(),    // a server that has just started again may not know its users yet
		nats.IgnoreDiscoveredServers(), // what servers say of themselves is not checked as URLs is
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: this process has closed it
				fmt.Fprintf(w, "runner: the connection to NATS is lost: %v\n", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { fmt.Fprintf(w, "runner: connected to NATS again, at %s\n", c.ConnectedAddr()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { fmt.Fprintf(w, "runner: NATS: %v\n", err) }),
	}
	security, err := l.tls()
	if err != nil {
		return nil, err
	}
	if security != nil {
		opts = append(opts, nats.Secure(security))
	}
	switch {
	case l.user != "":
		opts = append(opts, nats.UserInfo(string(l.user), string(l.password)))
	case l.token != "":
		opts = append(opts, nats.Token(string(l.token)))
	case l.creds != "":
		opts = append(opts, nats.UserCredentials(l.creds))
	case l.nkey != "":
		nkey, err := nats.NkeyOptionFromSeed(l.nkey)
		if err != nil {
			return nil, fmt.Errorf("--nats-nkey: %w", err)
		}
		opts = append(opts, nkey)
	}
	return opts, nil
}

// connect connects this process. With patience it waits, for as long as ctx lets it, for servers that are not there yet.
func (l *link) connect(ctx context.Context, name string, w io.Writer, patience bool) (cluster.Config, error) {
	opts, err := l.options(name, w)
	if err != nil {
		return cluster.Config{}, err
	}
	servers := strings.Join(list(l.urls), ",")
	for said := false; ; {
		conn, err := nats.Connect(servers, opts...)
		if err == nil {
			return cluster.Config{Conn: conn, Prefix: l.prefix, AllowPlain: l.plain}, nil
		}
		err = fmt.Errorf("connect to NATS at %s: %w", servers, l.cause(err))
		if !patience || !errors.Is(err, nats.ErrNoServers) && !errors.Is(err, nats.ErrTimeout) {
			return cluster.Config{}, err
		}
		if !said {
			said = true
			fmt.Fprintf(w, "runner: %v; trying again until it is\n", err)
		}
		select {
		case <-time.After(natsRetry):
		case <-ctx.Done():
			return cluster.Config{}, ctx.Err()
		}
	}
}

// cause adds to a connection error what most likely is behind it.
func (l *link) cause(err error) error {
	var unknown x509.UnknownAuthorityError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%w: %s", err, l.whoConnects())
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: give --nats-ca with the servers' authority", err)
	case errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &header):
		return fmt.Errorf("%w: the server does not speak TLS", err)
	case errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("%w: use tls://", err)
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("%w: is a server running there?", err)
	}
	return err
}

func (l *link) whoConnects() string {
	switch {
	case l.user != "":
		return "are the user in " + NATSUserEnv + " and the password in " + NATSPasswordEnv + " right?"
	case l.token != "":
		return "is the token in " + NATSTokenEnv + " right?"
	case l.creds != "":
		return "does the server know who is in " + l.creds + "?"
	case l.nkey != "":
		return "does the server know the nkey of " + l.nkey + "?"
	}
	return "it wants to know who connects: set " + NATSTokenEnv + ", or " + NATSUserEnv + " and " + NATSPasswordEnv + ", or give --nats-creds or --nats-nkey"
}
