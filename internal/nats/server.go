package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/millrace-io/millrace/internal/secret"
)

// Secret is a text that no log, error or dump shows.
type Secret = secret.Text

// Server says how to reach a NATS server or cluster, and who connects. URLs is required; of user, token, nkey and credentials at most
// one is given.
type Server struct {
	// URLs are nats://host:port, or tls://host:port, of some servers; they are tried in this order. Names and passwords have no
	// place in them.
	URLs []string
	TLS  *tls.Config // with it every connection is TLS, from 1.2 on; an empty one verifies against the system's authorities
	// AllowPlain allows connections without TLS to other machines. Who can reach the network can then read and change all.
	AllowPlain bool

	User            string
	Password        Secret
	Token           Secret
	NKeyFile        string // holds the seed of the user's nkey
	CredentialsFile string // holds the user's JWT and nkey, as nsc writes it

	Domain     string // of JetStream, when it is another one than the server's own
	ClientName string // how the server names this client; default "millrace"
}

// secure says whether connections must be TLS.
func (s Server) secure() bool {
	return s.TLS != nil || len(s.URLs) > 0 && strings.HasPrefix(s.URLs[0], "tls://")
}

// Validate reports what is wrong in the configuration, each problem once.
func (s Server) Validate() error {
	var errs []error
	if len(s.URLs) == 0 {
		errs = append(errs, errors.New("no server: set Server.URLs to nats://host:port of at least one"))
	}
	for i, text := range s.URLs {
		if err := s.validateURL(text); err != nil {
			errs = append(errs, fmt.Errorf("server URL %d: %w", i+1, err))
		}
	}
	if strings.ContainsAny(s.Domain, " .*>\t\r\n") {
		errs = append(errs, fmt.Errorf("domain %q is not a name", s.Domain))
	}
	return errors.Join(append(errs, s.validateUser()...)...)
}

// validateURL shows of a URL nothing that could be a secret.
func (s Server) validateURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return errors.New("it is not nats://host:port or tls://host:port")
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("for %s: it holds a user: set Server.User and Server.Password, or Server.Token", u.Host)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("for %s: there is more in it than a host and a port", u.Host)
	case u.Scheme == "nats" && s.secure() && s.TLS == nil:
		return fmt.Errorf("for %s: it is nats:// and the first is tls://: use tls:// for all", u.Host)
	case !s.secure() && !s.AllowPlain && !isLoopback(u.Hostname()):
		return fmt.Errorf("for %s: connections to another machine without TLS are refused: use tls://, or set Server.AllowPlain", u.Host)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s Server) validateUser() (errs []error) {
	ways := 0
	for _, given := range []bool{s.User != "" || s.Password != "", s.Token != "", s.NKeyFile != "", s.CredentialsFile != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		errs = append(errs, errors.New("more than one of user, token, nkey file and credentials file: set one"))
	}
	if (s.User == "") != (s.Password == "") {
		errs = append(errs, errors.New("of user and password only one is set: set Server.User and Server.Password"))
	}
	for what, file := range map[string]string{"nkey": s.NKeyFile, "credentials": s.CredentialsFile} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			errs = append(errs, fmt.Errorf("%s file: %w", what, err))
		}
	}
	return errs
}
