package nats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/internal/nats"
	"github.com/millrace-io/millrace/internal/nats/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "canary-of-the-secret"

func connect(t *testing.T, s nats.Server) error {
	t.Helper()
	conn, err := s.Connect(t.Context())
	if err == nil {
		conn.Close()
	}
	return err
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("the secret is shown: %v", err)
	}
}

// TestSecretsAreNeverShown by any way a value gets into a text.
func TestSecretsAreNeverShown(t *testing.T) {
	s := nats.Server{URLs: []string{"nats://127.0.0.1:1"}, User: "u", Password: canary, Token: canary}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+"\n", s, s.Password)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "server", s, "token", s.Token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "server", s, "token", s.Token)
	if err := json.NewEncoder(&out).Encode([]any{s.Password, s.Token}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("shown:\n%s", out.String())
	}
}

func TestValidate(t *testing.T) {
	good := nats.Server{URLs: []string{"nats://127.0.0.1:4222"}}
	for want, change := range map[string]func(*nats.Server){
		"no server":                        func(s *nats.Server) { s.URLs = nil },
		"server URL 2: it is not nats://":  func(s *nats.Server) { s.URLs = append(s.URLs, "127.0.0.1:4222") },
		"server URL 1: it is not":          func(s *nats.Server) { s.URLs = []string{"http://127.0.0.1"} },
		"not nats://host:port":             func(s *nats.Server) { s.URLs = []string{"nats://u:" + canary + "@[::bad"} },
		"for 127.0.0.1:4222: it holds a":   func(s *nats.Server) { s.URLs = []string{"nats://u:" + canary + "@127.0.0.1:4222"} },
		"for localhost: there is more":     func(s *nats.Server) { s.URLs = []string{"nats://localhost/" + canary} },
		"for 10.0.0.1:4222: connections":   func(s *nats.Server) { s.URLs = []string{"nats://10.0.0.1:4222"} },
		"for db.localhost: connections":    func(s *nats.Server) { s.URLs = []string{"nats://db.localhost"} },
		"use tls:// for all":               func(s *nats.Server) { s.URLs = []string{"tls://10.0.0.1", "nats://10.0.0.2"} },
		`domain "a b"`:                     func(s *nats.Server) { s.Domain = "a b" },
		"more than one of user":            func(s *nats.Server) { s.Token, s.NKeyFile = canary, "testdata/user.nk" },
		"of user and password only one":    func(s *nats.Server) { s.Password = canary },
		"nkey file: stat testdata/none":    func(s *nats.Server) { s.NKeyFile = "testdata/none" },
		"credentials file: stat testdata/": func(s *nats.Server) { s.CredentialsFile = "testdata/none" },
	} {
		s := good
		change(&s)
		mustSay(t, s.Validate(), want)
	}
	for _, ok := range []nats.Server{
		good,
		{URLs: []string{"nats://localhost", "nats://[::1]:4222"}},
		{URLs: []string{"tls://nats.example.com:4222", "tls://10.0.0.1"}},
		{URLs: []string{"nats://nats.example.com:4222"}, TLS: &tls.Config{}},
		{URLs: []string{"nats://nats.example.com:4222"}, AllowPlain: true},
	} {
		if err := ok.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestUserAndToken(t *testing.T) {
	s := natstest.Start(t, func(o *natstest.Options) { o.Username, o.Password = "anna", canary })
	as := nats.Server{URLs: []string{s.URL}}
	mustSay(t, connect(t, as), "Authorization Violation", "set User and Password, Token")
	as.User, as.Password = "anna", canary+"-wrong"
	mustSay(t, connect(t, as), `is the password of user "anna" right?`, s.URL)
	as.Password = canary
	if err := connect(t, as); err != nil {
		t.Error(err)
	}
	s = natstest.Start(t, func(o *natstest.Options) { o.Authorization = canary })
	as = nats.Server{URLs: []string{s.URL}, Token: canary + "-wrong"}
	mustSay(t, connect(t, as), "is the token right?")
	as.Token = canary
	if err := connect(t, as); err != nil {
		t.Error(err)
	}
}

func TestNKeyAndCredentials(t *testing.T) {
	s := natstest.Start(t, func(o *natstest.Options) { o.AllowNKey("UACQG72TFFZOJ56RNL3B6GUKSOM7KPJGYVOLG44M3IZURDWBO4HYTC5S") })
	as := nats.Server{URLs: []string{s.URL}, NKeyFile: "testdata/user.nk"}
	if err := connect(t, as); err != nil {
		t.Error(err)
	}
	as.NKeyFile = "testdata/README.md"
	mustSay(t, connect(t, as), "nkey file testdata/README.md")

	account, err := os.ReadFile("testdata/account.jwt")
	if err != nil {
		t.Fatal(err)
	}
	s = natstest.Start(t, func(o *natstest.Options) {
		o.TrustAccount(t, "OAJ7BATBYFGGD3QUUFCCOEJCV6QMCRDVQ4BOIBVBSDKMTKRL7XTHMRJG", "ACBKQLUXWRHOPTPJ66T7TXZN5QRQOQFLYCIIJWOLDMZQJU3X33ENV735", string(account))
	})
	as = nats.Server{URLs: []string{s.URL}, CredentialsFile: "testdata/user.creds"}
	if err := connect(t, as); err != nil {
		t.Error(err)
	}
	as = nats.Server{URLs: []string{s.URL}, NKeyFile: "testdata/user.nk"}
	mustSay(t, connect(t, as), "does the server know the nkey of testdata/user.nk?")
	creds, err := os.ReadFile("testdata/user.creds")
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.creds")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(creds), "SUAHX", "SUAHZ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	err = connect(t, nats.Server{URLs: []string{s.URL}, CredentialsFile: broken})
	if err == nil || strings.Contains(err.Error(), "SUAHZ") {
		t.Errorf("broken credentials: %v", err)
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
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	secure := natstest.Start(t, func(o *natstest.Options) {
		o.TLSConfig, o.TLSTimeout = &tls.Config{Certificates: []tls.Certificate{cert}}, 5
	})
	url := "tls" + secure.URL[strings.Index(secure.URL, "://"):]
	plain := natstest.Start(t, nil)
	for name, c := range map[string]struct {
		server nats.Server
		want   string
	}{
		"authority unknown":          {nats.Server{URLs: []string{url}}, "set Server.TLS with RootCAs"},
		"authority unknown, nats://": {nats.Server{URLs: []string{strings.Replace(url, "tls", "nats", 1)}}, "set Server.TLS with RootCAs"},
		"good":                       {nats.Server{URLs: []string{url}, TLS: &tls.Config{RootCAs: pool}}, ""},
		"good, nats://":              {nats.Server{URLs: []string{strings.Replace(url, "tls", "nats", 1)}, TLS: &tls.Config{RootCAs: pool}}, ""},
		"plain server":               {nats.Server{URLs: []string{plain.URL}, TLS: &tls.Config{}}, "does not speak TLS"},
	} {
		err := connect(t, c.server)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.want != "" {
			mustSay(t, err, c.want)
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a.b", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", false},
		{"a.*.c", "a.b.*", true},
		{"a.*.c", "a.b.d", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{">", "x", true},
		{"*.b", "a.>", true},
		{"a.>", "b.>", false},
	} {
		if nats.Overlap(c.a, c.b) != c.want || nats.Overlap(c.b, c.a) != c.want {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.want)
		}
	}
	for _, good := range []string{"a", "a.b", "a-b.C_1", "$KV.x.y"} {
		if err := nats.CheckSubject(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a b", "a\nb", "a.*", ">", "a.>"} {
		if nats.CheckSubject(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
