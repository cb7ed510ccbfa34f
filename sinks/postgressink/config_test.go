package postgressink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/sinks/sinktest"
)

// Connections to other machines are verified or refused; those to this one are as they are asked for.
func TestConnectionsAreSecure(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for _, c := range []struct {
		url      string
		insecure bool
		want     string // in the error; "" is none
		tls      bool
	}{
		{"postgres://u@127.0.0.1/d", false, "", false},
		{"postgres://u@localhost:5433/d?application_name=x", false, "", false},
		{"postgres://u@[::1]/d", false, "", false},
		{"host=/var/run/postgresql user=u", false, "", false},
		{"host=db.example.org user=u", false, "", true},
		{"postgres://u@db.example.org/d", false, "", true},
		{"postgres://u@db.example.org/d?application_name=x", false, "", true},
		{"postgres://u@db.example.org/d?sslmode=verify-full", false, "", true},
		{"postgres://u@localhost,db.example.org/d", false, "", true},
		{"postgres://u@db.example.org/d?sslmode=disable", false, `"db.example.org" would not be encrypted`, false},
		{"postgres://u@db.example.org/d?sslmode=allow", false, "would not be encrypted", false},
		{"postgres://u@db.example.org/d?sslmode=prefer", false, "would take any server", false},
		{"postgres://u@db.example.org/d?sslmode=require", false, "would take any server", false},
		{"postgres://u@10.0.0.7/d?sslmode=verify-ca", false, "would take any server", false},
		{"postgres://u@localhost,db.example.org/d?sslmode=disable", false, "would not be encrypted", false},
		{"host=127.0.0.1,10.0.0.7 user=u sslmode=disable", false, `"10.0.0.7" would not be encrypted`, false},
		{"postgres://u@db.example.org/d?sslmode=disable", true, "", false},
		{"postgres://u@localhost.example.org/d?sslmode=disable", false, "would not be encrypted", false},
	} {
		cfg, err := Config{URL: c.url, Insecure: c.insecure}.connection()
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Config.Insecure") {
				t.Errorf("%s: error %v, want one with %q and the remedy", c.url, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if c.tls != (cfg.TLSConfig != nil) || c.tls && (cfg.TLSConfig.InsecureSkipVerify || cfg.TLSConfig.ServerName == "") {
			t.Errorf("%s: TLS is %v, want it verified: %v", c.url, cfg.TLSConfig != nil, c.tls)
		}
		if len(cfg.Fallbacks) > 0 && c.tls && cfg.Fallbacks[0].TLSConfig == nil {
			t.Errorf("%s: the second host is not asked for TLS", c.url)
		}
	}
	t.Setenv("PGSSLMODE", "disable")
	if _, err := (Config{URL: "postgres://u@db.example.org/d"}).connection(); err == nil {
		t.Error("PGSSLMODE made a connection to another machine plain")
	}
}

const canary = "canary-of-the-password"

// A password comes from a file, the environment or a Secret, once, and no error shows it.
func TestPasswords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CANARY", canary)
	t.Setenv("PGPASSWORD", "")
	const url = "postgres://u@127.0.0.1:1/d"
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{URL: url, Password: canary}, ""},
		{Config{URL: url, PasswordFile: file}, ""},
		{Config{URL: url, PasswordEnv: "CANARY"}, ""},
		{Config{URL: url, PasswordFile: file, PasswordEnv: "CANARY"}, "given twice"},
		{Config{URL: url, PasswordFile: empty}, "holds no password"},
		{Config{URL: url, PasswordFile: empty + "x"}, "Config.PasswordFile"},
		{Config{URL: url, PasswordEnv: "CANARY_NOT_SET"}, "CANARY_NOT_SET"},
		{Config{URL: "postgres://u:" + canary + "@127.0.0.1/d"}, "holds a password"},
		{Config{URL: "postgres://127.0.0.1/d?user=u&password=" + canary}, "holds a password"},
		{Config{URL: "host=127.0.0.1 user=u password=" + canary}, "holds a password"},
		{Config{URL: "host=127.0.0.1 user=u PASSWORD = '" + canary + "'"}, "holds a password"},
		{Config{URL: "host=127.0.0.1 sslpassword=" + canary}, "holds a password"},
		{Config{URL: "postgres://u:" + canary + "%zz@127.0.0.1/d"}, "is no URL"},
		{Config{URL: "postgres://u:" + canary + "@127.0.0.1:port/d"}, "is no URL"},
		{Config{URL: ""}, "no database"},
		{Config{URL: "postgres://u@127.0.0.1/d?connect_timeout=x"}, "Config.URL"},
	} {
		got, err := c.cfg.connection()
		switch {
		case c.want == "" && (err != nil || got.Password != canary):
			t.Errorf("error %v, or another password", err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	cfg := Config{URL: url, Password: canary, Table: "t"}
	texts := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)
	err := Table[item](cfg).Check(t.Context()) // nobody listens there
	if texts += fmt.Sprint(err); err == nil || strings.Contains(texts, canary) {
		t.Errorf("no error, or a text that shows the password: %s", texts)
	}
}

func TestWrongConfigurations(t *testing.T) {
	type unfit struct {
		ID  int64
		Key []byte `db:"key"`
	}
	type double struct {
		A int64 `db:"x"`
		B int64 `db:"x"`
	}
	type embeds struct {
		item
		Item int64
	}
	const url = "postgres://u@127.0.0.1/d"
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"nothing":    {Table[item](Config{}).Check(t.Context()), []string{"no table", "no database"}},
		"no struct":  {Table[int64](Config{URL: url, Table: "t"}).Check(t.Context()), []string{"rows are of type int64, want a struct"}},
		"key":        {Table[item](Config{URL: url, Table: "t", Key: []string{"Id", "id", "id"}}).Check(t.Context()), []string{`key column "Id" is none of ["id" "text"]`, "given twice"}},
		"key's type": {Table[unfit](Config{URL: url, Table: "t", Key: []string{"key"}}).Check(t.Context()), []string{"cannot tell whether two are equal"}},
		"columns":    {Table[double](Config{URL: url, Table: "t"}).Check(t.Context()), []string{`two fields are the column "x"`}},
		"negative":   {Table[item](Config{URL: url, Table: "t", RetryFor: -1, EpochBytesMax: -1}).Check(t.Context()), []string{"neither may be negative", "EpochBytesMax is -1"}},
		"long name":  {Table[item](Config{URL: url, Table: strings.Repeat("x", 64)}).Check(t.Context()), []string{"has 64 bytes, the server takes 63"}},
		"zero byte":  {Table[item](Config{URL: url, Table: "a\x00b"}).Check(t.Context()), []string{"zero byte"}},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, c.err, append(c.want, "postgres table")...) })
	}
	if _, err := columnsOf[embeds](nil); err != nil {
		t.Errorf("an embedded struct that is not exported: %v, want it left out", err)
	}
}

func TestColumnNames(t *testing.T) {
	type row struct {
		OrderID, HTTPCode, X2Y int64
		Tagged                 int64 `db:"Other Name"`
		Out                    int64 `db:"-"`
		NotKept                int64 `millrace:"-"`
	}
	c, err := columnsOf[row]([]string{"Other Name", "order_id"})
	fine(t, err)
	if got := fmt.Sprintf("%q %v", c.names(), c.key); got != `["order_id" "http_code" "x2_y" "Other Name"] [3 0]` {
		t.Errorf("columns %s", got)
	}
}

// A writer that is not recovered cannot know behind which epoch it comes.
func TestPrepareNeedsRecover(t *testing.T) {
	s := newFakeDB().table(Config{})
	w, err := s.Open(t.Context(), sinktest.At(0, 1, 1))
	fine(t, err)
	_, err = w.(*writer[item]).Prepare(t.Context(), 1)
	wantError(t, err, "prepared before it was recovered")
}

func FuzzToken(f *testing.F) {
	c, err := rowCodecOf[item]()
	if err != nil {
		f.Fatal(err)
	}
	row := itemOf(7)
	f.Add(c.encode(token{"lineage", 1, 2, 3, 1, 1, c.append(nil, &row, false)}))
	f.Add(c.encode(token{attempt: 1, epoch: 2}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (token, []change[item], error) {
			tok, err := c.decode(b)
			if err != nil {
				return tok, nil, err
			}
			all, err := c.changes(tok)
			return tok, all, err
		}
		if tok, all, err := read(b); err == nil {
			again, same, err := read(c.encode(tok))
			if err != nil || len(same) != len(all) || again.epoch != tok.epoch || again.task != tok.task || again.attempt != tok.attempt {
				t.Fatalf("read again: %v, %v", again, err)
			}
		}
		whole := c.encode(token{lineage: "l", attempt: 1, epoch: 2, count: 3, rows: b}) // hostile behind a right checksum
		if _, _, err := read(whole); err != nil && !errors.Is(err, errDamaged) {
			t.Fatalf("error %v is not errDamaged", err)
		}
	})
}
