//go:build integration

package kafkasource_test

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// The listeners of scripts/kafka.sh.
const (
	saslListener = "127.0.0.1:9094"
	tlsListener  = "127.0.0.1:9095"
)

func authority(t *testing.T) *x509.CertPool {
	t.Helper()
	dir := cmp.Or(os.Getenv("MILLRACE_KAFKA_DIR"), filepath.Join("..", "..", ".kafka"))
	pem, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in ca.pem")
	}
	return pool
}

// TestSecureListeners: what works, and what is said when it does not.
func TestSecureListeners(t *testing.T) {
	check := func(addr string, change func(*kafkasource.Config)) error {
		cfg := kafkasource.Config{Brokers: []string{addr}, Pattern: "none-.*", DiscoverEvery: time.Second}
		change(&cfg)
		return kafkasource.New(cfg, codec.String).Check(t.Context())
	}
	scram := kafkasource.SASL{Mechanism: "SCRAM-SHA-512", User: "millrace", Password: "millrace-secret"}
	wrong := scram
	wrong.Password = "wrong"
	plain := func(*kafkasource.Config) {}
	withTLS := func(c *kafkasource.Config) { c.TLS = &tls.Config{RootCAs: authority(t)} }
	for name, c := range map[string]struct {
		addr   string
		change func(*kafkasource.Config)
		says   []string
	}{
		"TLS":                  {tlsListener, withTLS, nil},
		"SASL":                 {saslListener, func(c *kafkasource.Config) { c.SASL = scram }, nil},
		"no TLS":               {tlsListener, plain, []string{"TLS is required on " + tlsListener}},
		"no SASL":              {saslListener, plain, []string{"is SASL required on " + saslListener}},
		"wrong password":       {saslListener, func(c *kafkasource.Config) { c.SASL = wrong }, []string{"password", "millrace", "SCRAM-SHA-512"}},
		"TLS where none":       {saslListener, withTLS, []string{"does not speak TLS"}},
		"other mechanism":      {saslListener, func(c *kafkasource.Config) { c.SASL = scram; c.SASL.Mechanism = "PLAIN" }, []string{"PLAIN"}},
		"system's authorities": {tlsListener, func(c *kafkasource.Config) { c.TLS = &tls.Config{} }, []string{"set TLS.RootCAs"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(c.addr, c.change)
			if c.says == nil && err != nil {
				t.Error(err)
			}
			mustSay(t, err, c.says...)
		})
	}
}
